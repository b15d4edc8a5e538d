"""Our terminal, read key by key, and the worker's pseudo-terminal.

Supervisor process: the keyboard has a thread of its own, the rest runs in the main thread. Python 3.10+.
"""
