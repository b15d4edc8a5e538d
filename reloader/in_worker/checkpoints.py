"""Processes to fall back on while modules are preloaded. Standard library only, Python 3.8 and newer.

At a checkpoint this process forks: the child goes on, and the parent waits. Where what the child does leaves
no traces, it makes a checkpoint of its own, and the parent ends. Otherwise the child tells what is at fault
and ends, and the parent goes on from there without it. The very first process stays until the end, since a
program in front of the worker may wait for it.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import marshal
import os
import select

from reloader.guard.child_status import open_pidfd
from reloader.guard.system import children_of

# How many bytes are read at once.
PIECE = 1 << 16
# How often a child is looked at where the system has no pidfd, in seconds.
LOOK = 0.1
PROVED = b"proved\n"


class Verdict:
    """What a process has told before it ended."""

    def __init__(self, begun: list[str], done: list[str], left_out: dict[str, str] | None) -> None:
        self.begun = begun
        """The modules that it began to import, in their order."""
        self.done = done
        """Those whose imports left no traces."""
        self.left_out = left_out
        """What is to be left out, and why; None where it ended without telling."""


class Checkpoints:
    """Makes the checkpoints of this process; in a child that takes its place, those of that."""

    def __init__(self) -> None:
        self._is_first = True
        self._parents = -1
        """The end of a pipe on which our parent waits."""
        self._last, self._lasts = -1, -1
        """A pipe on which the last process tells its pid to the first."""

    def fork(self) -> Verdict | None:
        """Make a checkpoint. Returns None in the child that goes on; here, once that failed, its verdict.

        Raises OSError where no process can be made.
        """
        self.prove()
        if self._is_first and self._last < 0:
            self._last, self._lasts = os.pipe()
        reading, writing = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if not pid:
            os.close(reading)
            if self._is_first:
                os.close(self._last)
            self._is_first, self._parents = False, writing
            return None
        os.close(writing)
        told = _hear(reading, pid)
        os.close(reading)
        if told.endswith(PROVED):
            self._end()
        os.waitpid(pid, 0)
        return _understood(told)

    def begin(self, name: str) -> None:
        """Tell that the import of this module begins."""
        self._tell(b"begin " + os.fsencode(name) + b"\n")

    def give_up(self, done: list[str], left_out: dict[str, str]) -> None:
        """End this process for what is at fault, where there is a parent to go on; else return."""
        if self._parents >= 0:
            self._tell(b"fault " + marshal.dumps((done, left_out)))
            for pid in children_of(os.getpid()) or ():
                os.kill(pid, signal.SIGKILL)  # what an import has left running
            os._exit(1)

    def prove(self) -> None:
        """What was done since the last checkpoint leaves no traces: nobody needs to wait for us."""
        if self._parents >= 0:
            self._tell(PROVED)
            os.close(self._parents)
            self._parents = -1

    def finish(self) -> None:
        """All is done: this process takes the place of the first one."""
        self.prove()
        if self._lasts >= 0:
            os.write(self._lasts, b"%d\n" % os.getpid())
            os.close(self._lasts)
            if self._is_first:
                os.close(self._last)
            self._lasts = -1

    def _tell(self, line: bytes) -> None:
        view = memoryview(line)
        while self._parents >= 0 and view:
            view = view[os.write(self._parents, view) :]

    def _end(self) -> None:
        """A child has taken our place. The first process ends when the last one does, the others now."""
        if self._is_first:
            for name in os.listdir("/proc/self/fd"):
                if int(name) != self._last:
                    _close(int(name))
            pid = os.read(self._last, PIECE)
            if pid:
                _await(int(pid))
        os._exit(0)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # that of the listing


def _hear(fd: int, pid: int) -> bytes:
    """What a child tells until it has proved itself or ended.

    The end of the pipe alone would not do: an import may have forked somebody who has the pipe, too.
    """
    handle = open_pidfd(pid)
    told = b""
    while not told.endswith(PROVED):
        if handle >= 0:
            ready = select.select([fd, handle], [], [])[0]
        else:
            ready = select.select([fd], [], [], LOOK)[0]
        if fd in ready:
            piece = os.read(fd, PIECE)
            if not piece:
                break
            told += piece
        elif handle in ready or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break
    if handle >= 0:
        os.close(handle)
    return told


def _understood(told: bytes) -> Verdict:
    lines, is_fault, fault = told.partition(b"fault ")
    begun = [os.fsdecode(line[len(b"begin ") :]) for line in lines.split(b"\n") if line.startswith(b"begin ")]
    try:
        done, left_out = marshal.loads(fault) if is_fault else (begun[:-1], None)
    except (EOFError, ValueError, TypeError):
        done, left_out = begun[:-1], None
    return Verdict(begun, done, left_out)


def _await(pid: int) -> None:
    """Block until this process, which need not be a child of ours, has ended."""
    try:
        fd = open_pidfd(pid)
    except OSError:
        return
    if fd >= 0:
        select.select([fd], [], [])
        return
    while os.path.exists(f"/proc/{pid}"):
        select.select([], [], [], 1.0)
