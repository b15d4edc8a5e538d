"""The error that ends the run, and the exit statuses. What a run survives is told as a notice instead."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The statuses with which `reloader` ends by its own decision.

    126 and 127 are the shell's (POSIX, "Exit Status for Commands"). A run that a signal ended dies
    by that signal, and with `--on-exit quit` the worker's own status is passed on.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127


class ReloaderError(Exception):
    """A fault that ends the run before or instead of a worker.

    `what` says what cannot be done and why, `remedy` what to do about it.
    """

    def __init__(self, what: str, remedy: str = "", exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.exit_code = exit_code
