"""What runs in the worker's own interpreter: the hook, the recorder, and the template process.

Standard library only, Python 3.8 and newer. Nothing here is imported by the supervisor's main loop.
"""
