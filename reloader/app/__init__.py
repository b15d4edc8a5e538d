"""The main loop of a run, and the runtime, which carries out decisions.

Supervisor process. Only the main thread touches the generations' processes; helper threads get values and
post events.
"""
