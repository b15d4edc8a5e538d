"""What Linux, macOS and others do differently, each behind one function.

Linux is tested. The others follow their documentation: without a subreaper, a process that left the
worker's group and whose parent ended is found only if it still carries the worker's session.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_F_SETPIPE_SZ = 1031  # fcntl(2)
_PIPE_SIZE = 1 << 20
# How far, in nanoseconds, a file's time stamp may lie behind the clock that a program reads: one tick.
CLOCK_TICK_NS = 10_000_000


def become_subreaper() -> None:
    """Make every descendant that loses its parent our own child (Linux 3.4 and newer)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def ensure_standard_files() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed: what we open must not take their numbers."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR if fd else os.O_RDONLY)


def make_pipe() -> tuple[int, int]:
    """A pipe that holds as much as an unprivileged process may ask for, where the system allows it."""
    reading, writing = os.pipe()
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # the user's share of pipe memory is used up; the default size does as well
    return reading, writing


def inherited_files() -> tuple[int, ...]:
    """The descriptors above 2 that whoever started us meant the worker to have."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    found = []
    for name in os.listdir(folder):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except (OSError, ValueError):
            continue  # the listing's own descriptor, closed by now
    return tuple(found)


def own_children() -> list[int] | None:
    """The pids of our children, zombies among them; None where the system has no cheap answer."""
    children: list[int] = []
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children") as file:
                children += map(int, file.read().split())
    except OSError:
        return None
    return children


def wait_until_ended(pid: int) -> tuple[int | None, int | None]:
    """Block until our child has ended and leave it to be reaped. Returns (exit code, signal)."""
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if result is None:
        raise ChildProcessError(f"no child {pid}")
    if result.si_code == os.CLD_EXITED:
        return result.si_status, None
    return None, result.si_status


class Handle:
    """A process that stays the same one: signals never reach a later process with its pid.

    Raises ProcessLookupError when the process is gone already.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1

    def send(self, number: int) -> None:
        """Send a signal; nothing happens if the process has ended or is not ours to signal."""
        try:
            if self._fd >= 0:
                signal.pidfd_send_signal(self._fd, number)
            else:
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def wait(handles: Sequence[Handle], seconds: float) -> None:
        """Return when all have ended, or after that many seconds."""
        deadline = time.monotonic() + seconds
        waiting = {handle._fd for handle in handles if handle._fd >= 0}
        if not waiting:
            # No event tells of the end of a process that is not our child here.
            time.sleep(min(seconds, 0.05) if handles else 0)
            return
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        while waiting:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for fd, _ in poll.poll(left * 1000):
                poll.unregister(fd)
                waiting.discard(fd)
