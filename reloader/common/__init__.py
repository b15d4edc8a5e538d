"""Small helpers about files and other processes, which are to be trusted or not.

Any process and thread; standard library only, Python 3.8 and newer.
"""
