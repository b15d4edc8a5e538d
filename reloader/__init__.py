"""Keeps a worker running the code that was just saved."""

__version__ = "0.1.0"
