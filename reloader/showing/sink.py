"""One place that output goes to, shared by its writers: whole pieces, in order, each begun on a line."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import threading
import time
from typing import Protocol

_READER_IS_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO})

# A pipe of ours is made this large, in bytes, where the system allows it: each write wakes the reader.
_PIPE = 1 << 20
# To the line's beginning, and erase to its end.
_ERASE = b"\r\x1b[K"


class SinkClosed(Exception):  # noqa: N818 - what happened, to be told as an event
    """Whoever read our output is gone."""


class Writer(Protocol):
    """Whoever writes to a sink. Both methods are called while the sink is this writer's alone."""

    def render(self, chunk: bytes) -> bytes:
        """What is to be written for the chunk."""

    def break_line(self) -> bytes:
        """What is to be written so that the writer's unfinished line ends, for another writer."""


class Sink:
    """A descriptor for writing. Its lock is the only one of the program."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.at_terminal = os.isatty(fd)
        self._lock = threading.Lock()
        self._unfinished: Writer | None = None
        self._passing = False
        """A line is shown that is to be taken back."""
        self.written_at = 0.0
        """When something was written last that came in parts, by the monotonic clock."""

    def write(self, writer: Writer, chunk: bytes) -> None:
        """Write all of it; another writer's unfinished line is ended first.

        Blocks while the reader does not read. Raises SinkClosed when there is none.
        """
        with self._lock:
            self._take_back()
            if self._unfinished is not None and self._unfinished is not writer:
                self._write_all(self._unfinished.break_line())
            data = writer.render(chunk)
            self._write_all(data)
            self._unfinished = None if data.endswith(b"\n") else writer
            self.written_at = time.monotonic()

    def write_between(self, writer: Writer, data: bytes, calm: float, limit: float) -> None:
        """Write whole lines when nothing was written for `calm` seconds, after `limit` seconds at the latest.

        What another writer writes in several parts that belong together, such as a traceback, stays together.
        """
        latest = time.monotonic() + limit
        while (now := time.monotonic()) < latest and (left := self.written_at + calm - now) > 0:
            time.sleep(min(left, latest - now))
        written_at = self.written_at
        self.write(writer, data)
        self.written_at = written_at

    def show_for_now(self, line: bytes) -> None:
        """Show a line at the terminal until anything else is written, unless another one is unfinished.

        Raises SinkClosed when nobody reads.
        """
        with self._lock:
            if self._unfinished is None:
                self._take_back()
                self._write_all(line)
                self._passing = True

    def _take_back(self) -> None:
        if self._passing:
            self._passing = False
            self._write_all(_ERASE)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                # Somebody we share the terminal or pipe with has made it non-blocking.
                select.select((), (self.fd,), ())
            except OSError as error:
                if error.errno in _READER_IS_GONE:
                    raise SinkClosed from error
                raise


def make_sinks(stdout: int = 1, stderr: int = 2) -> tuple[Sink, Sink]:
    """Sinks for both; one and the same if they lead to the same file."""
    for fd in (stdout, stderr):
        _widen(fd)
    out = Sink(stdout)
    return (out, out) if _same_file(stdout, stderr) else (out, Sink(stderr))


def _widen(fd: int) -> None:
    """Make it a large pipe, if it is a smaller one."""
    try:
        if 0 < fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < _PIPE:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
    except (AttributeError, OSError):
        pass  # not Linux, no pipe, or the user's share of pipe memory is used up


def _same_file(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False
