"""Terminals: ours, read key by key, and the worker's pseudo-terminal. Supervisor process."""
