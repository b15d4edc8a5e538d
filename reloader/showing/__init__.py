"""Shows the worker's output and our own lines.

Supervisor process: one pump thread for each stream of a generation, and the console's thread. Python 3.10+.
"""
