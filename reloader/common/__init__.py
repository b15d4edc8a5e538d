"""Small helpers that every folder may use, about files and other processes that are to be trusted or not.

Any process and thread; standard library only, Python 3.8 and newer.
"""
