"""What Linux, macOS and others do differently, each behind one function.

Linux is tested. The others follow their documentation: without a subreaper, a process that left the
worker's group and whose parent ended is found only if it still carries the worker's session.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from reloader.running import spawn

_F_SETPIPE_SZ = 1031  # fcntl(2)
_PIPE_SIZE = 1 << 20
# How far, in nanoseconds, a file's time stamp may lie behind the clock that a program reads: one tick.
CLOCK_TICK_NS = 10_000_000


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


def shows_descriptors() -> bool:
    """Whether others can open by a path what a process has open."""
    return os.path.isdir("/proc/self/fd")


def children_of(pid: int) -> list[int] | None:
    """The pids of a process's children, zombies among them; None where the system has no cheap answer."""
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += map(int, file.read().split())
    except FileNotFoundError:
        return [] if os.path.isdir("/proc/self/task") and not os.path.exists(f"/proc/{pid}") else None
    except (OSError, ValueError):
        return None
    return children


def descendants(pid: int) -> list[int]:
    """The pids of all that descends from a process, as far as the system tells it at once."""
    found: list[int] = []
    todo = [pid]
    while todo:
        children = children_of(todo.pop()) or []
        found += children
        todo += children
    return found


def began_at(pid: int) -> int | None:
    """When a process began, in clock ticks, which no later one with its pid did; None once it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def terminal_of(pid: int) -> int | None:
    """The device number of a process's controlling terminal; None where it has none, or nobody tells."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            number = int(file.read().rpartition(")")[2].split()[4])
    except OSError:
        return None
    # As proc(5) has it: the minor number's upper bits stand above the major one.
    return os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00) if number else None


def tells_of_parents_death() -> bool:
    """Whether the system sends a process the signal that it asked for when its parent dies."""
    return sys.platform == "linux"


def wait_for_adopted(handle: Handle) -> tuple[int | None, int | None]:
    """Block until a process has ended whose parent has died, and collect it. Returns (exit code, signal).

    As our child it tells what it ended with; where it has gone to somebody else, nobody knows.
    """
    while True:
        try:
            return spawn.exit_of(os.waitpid(handle.pid, 0)[1])
        except ChildProcessError:
            # Its parent's descriptors were closed, which told us, before its children were given away.
            if not handle.is_alive():
                return None, None
            time.sleep(0.01)


class Handle:
    """A process that stays the same one: signals never reach a later process with its pid.

    Raises ProcessLookupError when the process is gone already.
    """

    def __init__(self, pid: int, fd: int | None = None) -> None:
        """`fd` is the process's pidfd, which is ours from now on; without one it is opened."""
        self.pid = pid
        self.is_open = True
        """Whether nobody has closed it."""
        if fd is None:
            fd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        self.fd = fd
        """The pidfd, which is readable once the process has ended; -1 where there are no such."""

    def send(self, number: int) -> bool:
        """Send a signal; nothing happens if the process has ended. False where it is not ours to signal."""
        try:
            if self.fd >= 0:
                signal.pidfd_send_signal(self.fd, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        try:
            if self.fd >= 0:
                poll = select.poll()
                poll.register(self.fd, select.POLLIN)
                return not poll.poll(0)
            os.kill(self.pid, 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        self.is_open = False
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
