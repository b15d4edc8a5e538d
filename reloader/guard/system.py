"""What Linux, macOS and others do differently, each behind one function.

Linux is tested; the others are written after their documentation. Where there is no subreaper, a process
whose parent has ended is no longer found.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from reloader.guard import child_status

_F_SETPIPE_SZ = 1031  # fcntl(2)
_PIPE_SIZE = 1 << 20
# How far, in nanoseconds, a file's modification time may lie behind the clock that a program reads.
CLOCK_TICK_NS = 10_000_000


def make_pipe() -> tuple[int, int]:
    """A pipe (reading end, writing end) that holds as much as the system allows an ordinary user."""
    reading, writing = os.pipe()
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # the user's share of pipe memory is used up; the default size works too
    return reading, writing


def make_unnamed(name: str) -> int:
    """A descriptor of an empty file without a path, in memory where the system has that. Raises OSError."""
    try:
        return os.memfd_create(name)
    except (AttributeError, OSError):
        import tempfile

        with tempfile.TemporaryFile(prefix=name) as file:
            return os.dup(file.fileno())


def shows_descriptors() -> bool:
    """Whether the system has paths by which other processes open a process's descriptors."""
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
    """The pids of a process's descendants; empty where /proc does not list children."""
    found: list[int] = []
    todo = [pid]
    while todo:
        children = children_of(todo.pop()) or []
        found += children
        todo += children
    return found


def began_at(pid: int, even_ended: bool = False) -> int | None:
    """When a process began, in clock ticks since boot; None once it has ended.

    No two processes have both the pid and this number in common. With `even_ended`, zombies count too.
    """
    fields = stat_of(pid)
    return None if not fields or (fields[1] in "ZX" and not even_ended) else int(fields[20])


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the name on, see proc(5); empty where there is no such file."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            before, _, after = file.read().rpartition(")")
    except OSError:
        return []
    return [before.partition("(")[2], *after.split()]


def terminal_of(pid: int) -> int | None:
    """The device number of a process's controlling terminal; None where it has none or there is no /proc."""
    fields = stat_of(pid)
    number = int(fields[5]) if fields else 0
    # In proc(5), the upper bits of the minor number follow those of the major one.
    return os.makedev(number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00) if number else None


def wait_for_adopted(handle: Handle) -> tuple[int | None, int | None]:
    """Block until a process whose parent has died has ended, and collect it. Returns (exit code, signal).

    Both are None where it has become another process's child.
    """
    while True:
        try:
            return child_status.exit_of(os.waitpid(handle.pid, 0)[1])
        except ChildProcessError:
            # We learn of the parent's death by its closed descriptors, before its children become ours.
            if not handle.is_alive():
                return None, None
            time.sleep(0.01)


class Handle:
    """Refers to one process: signals never reach a later process with the same pid.

    Raises ProcessLookupError when the process is gone already.
    """

    def __init__(self, pid: int, fd: int | None = None, may_have_ended: bool = False) -> None:
        """`fd` is the process's pidfd, which is ours from now on; where it is None, one is opened.

        With `may_have_ended`, a process that is gone makes a handle of an ended process.
        """
        self.pid = pid
        self.is_open = True
        """Whether `close` was not called yet."""
        self.fd = child_status.open_pidfd(pid) if fd is None else fd
        """The pidfd, which is readable once the process has ended; -1 where the system has none."""
        self._began = began_at(pid, even_ended=True) if self.fd < 0 else None
        """When it began, where there is no pidfd; None where there is no /proc either."""
        if self.fd < 0 and self._began is None:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                if not may_have_ended:
                    raise
                self._began = -1  # no process has begun then

    def send(self, number: int) -> bool:
        """Send a signal, or do nothing if the process has ended. False where we may not signal it."""
        try:
            is_sent = self.fd >= 0 and self._send_by_pidfd(number)
            if not is_sent and self.is_alive():
                # Its pid cannot be another process's as long as it has not ended.
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True

    def _send_by_pidfd(self, number: int) -> bool:
        """Whether the signal was sent; False where the system refuses. Raises ProcessLookupError."""
        try:
            signal.pidfd_send_signal(self.fd, number)
        except OSError as error:
            if error.errno in child_status.REFUSALS:
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
