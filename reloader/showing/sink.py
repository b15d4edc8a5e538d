"""Standard output or error, shared by several writers: one writes at a time, and each begins on a new line.

Used by the pumps' threads and the console's thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from reloader.common.lazy_pattern import lazy_pattern
from reloader.messages import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reloader.showing.modes import Modes

# With these errors nobody reads any more. Others (a full disk, a quota, a terminal that hung up) may pass.
_READER_IS_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EBADF})
# After an error that may pass, output is dropped for this time, in seconds, before the next try.
_RETRY = 1.0

# The size that our output pipe gets, in bytes, if the system allows it: fewer writes wake the reader.
_PIPE = 1 << 20
# The sequences that our own lines contain: attributes and hyperlinks.
_SEQUENCE = lazy_pattern(rb"\x1b\[[0-9;]*m|\x1b\][^\x1b]*\x1b\\")
# The worker moves the cursor up before it prints anything: it redraws lines.
_GOES_UP = lazy_pattern(rb"(?:\r|\x1b\[\??[0-9;]*[mKJGhl])*\x1b\[[0-9]*[AF]")
# Go to the line's beginning and erase to its end.
_ERASE = b"\r\x1b[K"


class SinkClosedError(Exception):
    """The reader of our output is gone."""


class Writer:
    """Renders what is written to a sink. All methods but `most` are called with the sink's lock held.

    This base class writes whole lines unchanged and switches no modes.
    """

    modes: Modes | None = None
    """The modes that the writer has switched on at the terminal."""

    @property
    def is_unfinished(self) -> bool:
        """Whether the last line that was rendered has no end yet."""
        return False

    @property
    def calm(self) -> float:
        """How long no other writer may write after the last bytes, in seconds; infinity for no limit."""
        return 0.0

    @property
    def patience(self) -> float:
        """How long to wait for the rest of an unfinished line before its beginning is shown, in seconds."""
        return 0.0

    def most(self, chunk: bytes) -> int:
        """How many of these bytes to render at once at most."""
        return len(chunk)

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to write for the chunk."""
        return chunk

    def above(self, rows: int, screen: int) -> tuple[bytes, bytes] | None:
        """What to write before and after `rows` lines of another writer, to show them above our drawing.

        None if that is impossible on a screen of `screen` rows.
        """
        return None

    def break_line(self) -> bytes:
        """What to write to end the writer's unfinished line, before another writer begins."""
        return b""

    def leave(self, kept: Collection[bytes]) -> bytes:
        """What undoes the writer's modes and attributes, except the modes in `kept`, which others have on."""
        return b""


class Sink:
    """A file descriptor for output, with the lock that lets one writer write at a time.

    While writing fails, as on a full disk, output is dropped, so that the worker does not block.
    """

    def __init__(
        self, fd: int, name: str = "our output", post: Callable[[events.Event], None] = lambda _event: None
    ) -> None:
        """`name` is shown to the user. Posts OutputFailed and OutputRecovered."""
        self.fd = fd
        self.name = name
        self._post = post
        self.at_terminal = os.isatty(fd)
        self._lock = threading.Condition(threading.Lock())
        self._unfinished: Writer | None = None
        self._writers: set[Writer] = set()
        """The writers that have written something and not ended."""
        self._passing = False
        """A temporary line is shown, see `show_for_now`."""
        self._written_at = self._calm_at = float("-inf")
        """When something was written last, and until when redrawn lines are left alone."""
        self._drawing: Writer | None = None
        """The writer that redrew lines last."""
        self._last: Writer | None = None
        """The writer that wrote last, apart from `write_between`."""
        self._between = b""
        """The lines that `write_between` has written since, below those of that writer."""
        self._lost = 0
        """The number of bytes that were dropped since the last write that succeeded."""
        self._retry_at = float("-inf")
        self._is_cut = False
        """The last write ended within a line."""

    def write(self, writer: Writer, *chunks: bytes) -> None:
        """Render and write the chunks one by one. First ends another writer's unfinished line.

        Blocks while the reader does not read. Raises SinkClosedError if the reader is gone.
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
        """Remove the lines that were written between if the writer now redraws the lines above them.

        Returns them, for another place; empty if they stay where they are.
        """
        between, self._between = self._between, b""
        if writer is not self._last or self._unfinished is not None or not _GOES_UP.match(chunk):
            return b""
        columns, rows = self._size()
        taken = rows_of(between, columns)
        if taken >= rows:
            return b""
        self._take_back()
        self._write_all(b"\x1b[%dA\x1b[%dM" % (taken, taken))
        return between

    def write_between(self, writer: Writer, data: bytes, calm: float, limit: float, latest: float) -> None:
        """Write whole lines once nothing was written for `calm` seconds, after `limit` seconds at the latest.

        So the parts of a traceback of another writer stay together. While a writer redraws lines, is inside a
        control string or shows the alternate screen, this waits until the time `latest`; after that the lines
        are written above the redrawn ones, if possible. Raises SinkClosedError.
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
        """What to write before and after these lines to show them above what this writer draws."""
        columns, rows = self._size()
        return None if drawing is None else drawing.above(rows_of(data, columns), rows)

    def _size(self) -> tuple[int, int]:
        """The columns and rows of the terminal; 0 rows, into which nothing fits, if it is none."""
        try:
            return os.get_terminal_size(self.fd)
        except OSError:
            return 80, 0

    def end(self, writer: Writer) -> None:
        """Forget a writer that writes no more, and undo its modes. Raises SinkClosedError."""
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
        """Undo all modes at the terminal within the context, and redo them after it.

        Does nothing if a writer blocks for longer than `patience` seconds.
        """
        if not self._lock.acquire(timeout=patience):
            yield
            return
        try:
            modes = [one.modes for one in self._writers if one.modes is not None]
            self._write_all(b"".join(one.undo() for one in modes))
            yield
            self._write_all(b"".join(one.redo() for one in modes))
        except SinkClosedError:
            pass  # the next writer reports it
        finally:
            self._lock.release()

    def show_for_now(self, line: bytes) -> None:
        """Show a line at the terminal until anything else is written, unless a line is unfinished.

        Raises SinkClosedError if the reader is gone.
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
                # A process that shares the terminal or pipe with us has made it non-blocking.
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
        """Note that the last `left` bytes of the data could not be written."""
        if left < len(data):
            self._is_cut = data[-left - 1 : -left] != b"\n"
        self._retry_at = time.monotonic() + _RETRY
        is_first = not self._lost
        self._lost += left
        if is_first:
            self._post(events.OutputFailed(self.name, error.strerror or str(error)))


def rows_of(data: bytes, columns: int) -> int:
    """How many rows these lines take on a terminal."""
    lines = _SEQUENCE.sub(b"", data).decode("utf-8", "replace").split("\n")[:-1]
    return sum(max(1, -(-sum(map(_columns, line)) // max(1, columns))) for line in lines)


def _columns(character: str) -> int:
    from unicodedata import combining, east_asian_width

    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def make_sinks(
    stdout: int = 1, stderr: int = 2, post: Callable[[events.Event], None] = lambda _event: None
) -> tuple[Sink, Sink]:
    """The sinks for standard output and error; one for both if they are the same file."""
    for fd in (stdout, stderr):
        _widen(fd)
    if _same_file(stdout, stderr):
        both = Sink(stdout, post=post)
        return both, both
    return Sink(stdout, "standard output", post), Sink(stderr, "standard error", post)


def _widen(fd: int) -> None:
    """Enlarge the pipe, if it is one and smaller."""
    try:
        if 0 < fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < _PIPE:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
    except (AttributeError, OSError):
        pass  # not Linux, not a pipe, or the user's limit of pipe memory is reached


def _same_file(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False
