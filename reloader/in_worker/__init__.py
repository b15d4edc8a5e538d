"""What runs in the worker's own interpreter: the hook, the recorder, and the template process.

Standard library only, Python 3.8 and newer. The supervisor imports only small parts of it.
"""
