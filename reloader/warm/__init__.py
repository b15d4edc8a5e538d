"""Warm starts, the supervisor's side: what a template is built from, when, and when it is discarded.

Supervisor process; a builder has a thread of its own. What runs in the worker's interpreter is `in_worker`.
"""
