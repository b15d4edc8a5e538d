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

from reloader.guard import spawn

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


def make_unnamed(name: str) -> int:
    """A descriptor of an empty file that is gone once it is closed; in memory where that can be had.

    Raises OSError.
    """
    try:
        return os.memfd_create(name)
    except (AttributeError, OSError):
        import tempfile

        with tempfile.TemporaryFile(prefix=name) as file:
            return os.dup(file.fileno())


def shows_descriptors() -> bool:
    """Whether others can open by a path what a process has open."""
    return os.path.isdir("/proc/self/fd")


def children_of(pid: int) -> list[int] | None:
    """The pids of a process's children, zombies among them; None where /proc does not list children."""
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        threads = []  # it has ended, or there is no /proc
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += map(int, file.read().split())
        except OSError:
            pass  # this thread has ended
    return children if children or os.path.exists("/proc/thread-self/children") else None


def descendants(pid: int) -> list[int]:
    """The pids of all that descends from a process, as far as the system tells it at once."""
    found: list[int] = []
    todo = [pid]
    while todo:
        children = children_of(todo.pop()) or []
        found += children
        todo += children
    return found


def began_at(pid: int, even_ended: bool = False) -> int | None:
    """When a process began, in clock ticks, which no later one with its pid did; None once it has ended.

    With `even_ended`, that of a zombie too.
    """
    fields = _stat_of(pid)
    return None if not fields or (fields[0] in "ZX" and not even_ended) else int(fields[19])


def _stat_of(pid: int) -> list[str]:
    """What stands behind the name in /proc/PID/stat, from the state on; nothing where there is no such."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def terminal_of(pid: int) -> int | None:
    """The device number of a process's controlling terminal; None where it has none, or nobody tells."""
    fields = _stat_of(pid)
    number = int(fields[4]) if fields else 0
    # As proc(5) has it: the minor number's upper bits stand above the major one.
    return os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00) if number else None


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

    def __init__(self, pid: int, fd: int | None = None, may_have_ended: bool = False) -> None:
        """`fd` is the process's pidfd, which is ours from now on; without one it is opened.

        One that `may_have_ended` is taken for ended where it is gone.
        """
        self.pid = pid
        self.is_open = True
        """Whether nobody has closed it."""
        self.fd = spawn.open_pidfd(pid) if fd is None else fd
        """The pidfd, which is readable once the process has ended; -1 where there are no such."""
        self._began = began_at(pid, even_ended=True) if self.fd < 0 else None
        """By what the process is told from a later one with its pid; None where that cannot be."""
        if self.fd < 0 and self._began is None:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                if not may_have_ended:
                    raise
                # No process began then.
                self._began = -1

    def send(self, number: int) -> bool:
        """Send a signal; nothing happens if the process has ended. False where it is not ours to signal."""
        try:
            is_sent = self.fd >= 0 and self._send_by_pidfd(number)
            if not is_sent and self.is_alive():
                # By its number, which is its own as long as it has not ended.
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True

    def _send_by_pidfd(self, number: int) -> bool:
        """Whether that is allowed. Raises ProcessLookupError."""
        try:
            signal.pidfd_send_signal(self.fd, number)
        except OSError as error:
            if error.errno in spawn.REFUSALS:
                return False  # by a sandbox, or since it is another user's
            raise
        return True

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        try:
            if self.fd >= 0:
                poll = select.poll()
                poll.register(self.fd, select.POLLIN)
                return not poll.poll(0)
            if self._began is not None:
                return began_at(self.pid) == self._began
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
