"""How processes are waited for: pidfds, wait statuses and failed starts. For Python 3.8 and newer.

Apart from `spawn`, since that needs ctypes, which would take a thirtieth of the supervisor's start.
"""

from __future__ import annotations

import errno
import os

# The errors of a system that does not have a call, and of a sandbox that does not allow it.
REFUSALS = frozenset({errno.ENOSYS, errno.EPERM, errno.EACCES})


class SpawnError(Exception):
    """The command could not be started: errno, and whether it is the folder that could not be entered."""

    def __init__(self, number: int, at_folder: bool) -> None:
        super().__init__(number)
        self.number = number
        self.at_folder = at_folder


def open_pidfd(pid: int) -> int:
    """A process's pidfd; -1 where the system has none. Raises OSError, ProcessLookupError when it is gone."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in REFUSALS:
            return -1
        raise


def exit_of(status: int) -> tuple[int | None, int | None]:
    """Exit code and signal of a wait status, one of them None."""
    return (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)


def is_childless() -> bool:
    """Whether we have no child, dead or alive. The kernel tells, so that none is missed."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False
