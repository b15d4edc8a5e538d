"""The guard, which is the parent of one worker, and the forkserver that guards are forked from.

Processes of their own with one thread each. What both sides use (the wire, the process tree, the system) is
here too. Standard library only, Python 3.8 and newer: a guard may be forked from the worker's interpreter.
"""
