"""The main loop of a run, and what carries out what was decided.

Supervisor process. Only the main thread touches the generations' processes; helper threads get
values and post events.
"""
