"""One place that output goes to, shared by its writers: whole pieces, in order, each begun on a line."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reloader.common.lazy_pattern import lazy_pattern
from reloader.messages import events

if TYPE_CHECKING:
    from reloader.showing.modes import Modes

# Whatever else a write fails with (a full disk, a quota, a terminal that was hung up) may pass.
_READER_IS_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EBADF})
# What could not be written is tried again after this, in seconds; what comes until then is lost.
_RETRY = 1.0

# A pipe of ours is made this large, in bytes, where the system allows it: each write wakes the reader.
_PIPE = 1 << 20
# What our own lines hold besides text: attributes and hyperlinks.
_SEQUENCE = lazy_pattern(rb"\x1b\[[0-9;]*m|\x1b\][^\x1b]*\x1b\\")
# Going up before anything is printed: what stands there is drawn again.
_GOES_UP = lazy_pattern(rb"(?:\r|\x1b\[\??[0-9;]*[mKJGhl])*\x1b\[[0-9]*[AF]")
# To the line's beginning, and erase to its end.
_ERASE = b"\r\x1b[K"


class SinkClosedError(Exception):
    """Whoever read our output is gone."""


class Writer:
    """Whoever writes to a sink; all of it is called while the sink is this writer's alone.

    This one writes whole lines as they are, and leaves nothing behind.
    """

    modes: Modes | None = None
    """What the writer has switched the terminal to."""

    @property
    def is_unfinished(self) -> bool:
        """Whether the last line that was rendered has not ended."""
        return False

    @property
    def calm(self) -> float:
        """For how many seconds after what was rendered last nobody else is to write; inf: while it waits."""
        return 0.0

    @property
    def patience(self) -> float:
        """How long the rest of an unfinished line is awaited, in seconds, before its beginning is shown."""
        return 0.0

    def most(self, chunk: bytes) -> int:
        """How many of these bytes to render at once at most."""
        return len(chunk)

    def feed(self, chunk: bytes) -> bytes:
        """What is to be written for the chunk."""
        return chunk

    def above(self, rows: int, screen: int) -> tuple[bytes, bytes] | None:
        """What is to be written before and after so many rows of another writer's, for them to stand above
        what is drawn; None where they cannot, on a screen of so many rows.
        """
        return None

    def break_line(self) -> bytes:
        """What is to be written so that the writer's unfinished line ends, for another writer."""
        return b""

    def leave(self, kept: Collection[bytes]) -> bytes:
        """What gives the terminal back as it was, but for the modes `kept`, which others have on as well."""
        return b""


class Sink:
    """A descriptor for writing. Its lock is the only one of the program.

    Where nothing can be written for now, as on a full disk, what comes is lost, so that nobody waits for it.
    """

    def __init__(
        self, fd: int, name: str = "our output", post: Callable[[events.Event], None] = lambda _event: None
    ) -> None:
        """`name` is what the user calls it. Posts OutputFailed and OutputRecovered."""
        self.fd = fd
        self.name = name
        self._post = post
        self.at_terminal = os.isatty(fd)
        self._lock = threading.Condition(threading.Lock())
        self._unfinished: Writer | None = None
        self._writers: set[Writer] = set()
        """Who has written and not ended."""
        self._passing = False
        """A line is shown that is to be taken back."""
        self._written_at = self._calm_at = float("-inf")
        """When something was written last, and when what is drawn again and again may be over."""
        self._drawing: Writer | None = None
        """Who has drawn last."""
        self._last: Writer | None = None
        """Who has written last, but for lines between."""
        self._between = b""
        """The lines that were written since, below those of that writer."""
        self._lost = 0
        """Bytes, since something could be written."""
        self._retry_at = float("-inf")
        self._is_cut = False
        """The last byte that was written ended no line."""

    def write(self, writer: Writer, *chunks: bytes) -> None:
        """Write all of them, each rendered by itself; another writer's unfinished line is ended first.

        Blocks while the reader does not read. Raises SinkClosed when there is none.
        """
        with self._lock:
            between = self._take_between(writer, chunks[0]) if self._between and chunks else b""
            self._write(writer, chunks)
            self._last = writer
            if between:
                around = self._around(between, writer) or (b"", b"")
                self._write_all(around[0] + between + around[1])
            self._written_at = now = time.monotonic()
            if 0.0 < writer.calm < float("inf"):
                self._calm_at, self._drawing = now + writer.calm, writer
            self._lock.notify_all()

    def _write(self, writer: Writer, chunks: Iterable[bytes]) -> None:
        self._writers.add(writer)
        self._take_back()
        if self._unfinished is not None and self._unfinished is not writer:
            self._write_all(self._unfinished.break_line())
            self._unfinished = None
        for chunk in chunks:
            self._write_all(writer.feed(chunk))
            self._unfinished = writer if writer.is_unfinished else None

    def _take_between(self, writer: Writer, chunk: bytes) -> bytes:
        """Remove the lines that were written between, where they turn out to stand inside of a drawing."""
        between, self._between = self._between, b""
        try:
            columns, rows = os.get_terminal_size(self.fd)
        except OSError:
            return b""
        taken = rows_of(between, columns)
        if (
            writer is not self._last
            or self._unfinished is not None
            or taken >= rows
            or not _GOES_UP.match(chunk)
        ):
            return b""
        self._take_back()
        self._write_all(b"\x1b[%dA\x1b[%dM" % (taken, taken))
        return between

    def write_between(self, writer: Writer, data: bytes, calm: float, limit: float, latest: float) -> None:
        """Write whole lines when nothing was written for `calm` seconds, after `limit` seconds at the latest.

        What another writer writes in several parts that belong together, such as a traceback, stays together.
        Lines that it draws again and again are waited for until the time `latest`, as is the end of a control
        string and of the alternate screen. Ours then stand above these lines, if possible.
        """
        with self._lock:
            soon = time.monotonic() + limit
            while True:
                now = time.monotonic()
                drawn_at = latest if self._is_held() else min(self._calm_at, latest)
                left = max(min(self._written_at + calm, soon), drawn_at) - now
                if left <= 0:
                    break
                self._lock.wait(left)
            around = self._around(data, self._drawing) if self._calm_at > now else None
            if around is None:
                self._between = b"" if self._unfinished is not None else self._between + data
                self._write(writer, (data,))
            else:
                self._take_back()
                self._write_all(around[0] + data + around[1])

    def _around(self, data: bytes, drawing: Writer | None) -> tuple[bytes, bytes] | None:
        """What lets these lines stand above what this writer draws."""
        try:
            columns, rows = os.get_terminal_size(self.fd)
        except OSError:
            return None
        return None if drawing is None else drawing.above(rows_of(data, columns), rows)

    def end(self, writer: Writer) -> None:
        """Nothing more comes of this writer: give the terminal back as it was. Raises SinkClosed."""
        with self._lock:
            self._writers.discard(writer)
            kept = {name for one in self._writers if one.modes is not None for name in one.modes.names}
            if data := writer.leave(kept):
                self._take_back()
                self._write_all(data)
            if self._unfinished is writer and not writer.is_unfinished:
                self._unfinished = None
            if self._drawing in (writer, None):
                self._calm_at, self._drawing = float("-inf"), None
            self._lock.notify_all()

    @contextmanager
    def given_back(self, patience: float) -> Iterator[None]:
        """The terminal as it was meanwhile, unless a writer hangs in its output for longer, in seconds."""
        if not self._lock.acquire(timeout=patience):
            yield
            return
        try:
            modes = [one.modes for one in self._writers if one.modes is not None]
            self._write_all(b"".join(one.undo() for one in modes))
            yield
            self._write_all(b"".join(one.redo() for one in modes))
        except SinkClosedError:
            pass  # whoever writes next will say so
        finally:
            self._lock.release()

    def show_for_now(self, line: bytes) -> None:
        """Show a line at the terminal until anything else is written, unless another one is unfinished.

        Raises SinkClosed when nobody reads.
        """
        with self._lock:
            if self._unfinished is None and not self._is_held():
                self._take_back()
                self._write_all(line)
                self._passing = True

    def _is_held(self) -> bool:
        return any(one.calm == float("inf") for one in self._writers)

    def _take_back(self) -> None:
        if self._passing:
            self._passing = False
            self._write_all(_ERASE)

    def _write_all(self, data: bytes) -> None:
        if not data:
            return
        if self._lost and time.monotonic() < self._retry_at:
            self._lost += len(data)
            return
        if self._lost and self._is_cut:
            data = b"\n" + data
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                # Somebody we share the terminal or pipe with has made it non-blocking.
                select.select((), (self.fd,), ())
            except OSError as error:
                if error.errno in _READER_IS_GONE:
                    raise SinkClosedError from error
                self._lose(data, len(view), error)
                return
        self._is_cut = not data.endswith(b"\n")
        if self._lost:
            lost, self._lost = self._lost, 0
            self._post(events.OutputRecovered(self.name, lost))

    def _lose(self, data: bytes, left: int, error: OSError) -> None:
        """So many bytes at the end of the data could not be written."""
        if left < len(data):
            self._is_cut = data[-left - 1 : -left] != b"\n"
        self._retry_at = time.monotonic() + _RETRY
        is_first = not self._lost
        self._lost += left
        if is_first:
            self._post(events.OutputFailed(self.name, error.strerror or str(error)))


def rows_of(data: bytes, columns: int) -> int:
    """How many rows of a terminal these lines take."""
    lines = _SEQUENCE.sub(b"", data).decode("utf-8", "replace").split("\n")[:-1]
    return sum(max(1, -(-sum(map(_columns, line)) // max(1, columns))) for line in lines)


def _columns(character: str) -> int:
    from unicodedata import combining, east_asian_width

    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def make_sinks(
    stdout: int = 1, stderr: int = 2, post: Callable[[events.Event], None] = lambda _event: None
) -> tuple[Sink, Sink]:
    """Sinks for both; one and the same if they lead to the same file."""
    for fd in (stdout, stderr):
        _widen(fd)
    if _same_file(stdout, stderr):
        both = Sink(stdout, post=post)
        return both, both
    return Sink(stdout, "standard output", post), Sink(stderr, "standard error", post)


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
