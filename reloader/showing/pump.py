"""The thread that copies one stream of one generation from the worker's pipe or terminal to a sink.

Bytes never pass through the main loop. If the reader is slow, the pump blocks, the pipe fills and the worker
blocks: nothing is dropped, nothing else waits, and little memory is used.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator

from reloader.showing.sequences import whole_until
from reloader.showing.sink import Sink, SinkClosedError, Writer

# How many bytes are read at once. More is not faster, since the rendered bytes no longer fit into the cache.
_CHUNK = 1 << 17
# An unfinished line is held back until the rest comes, unless it is this long, in bytes.
_LONG = 1 << 16
# How long to wait for the last bytes of an ended worker, in seconds, if a process outside its tree still has
# the pipe open.
_LAST = 0.05


class Pump:
    """Copies the bytes of the descriptor `source`, and closes it at the end.

    `renderer` turns them into what is shown. `observe` is called with every chunk after it was shown,
    `closed` when the reader is gone, and `remember` with the bytes that undo the terminal's modes whenever
    these change. The pump waits for the end of the stream's `previous` one, so that generations do not mix.
    """

    def __init__(
        self,
        source: int,
        sink: Sink,
        renderer: Writer,
        observe: Callable[[bytes], None],
        closed: Callable[[], None],
        remember: Callable[[bytes], None],
        previous: Pump | None = None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._renderer = renderer
        self._observe = observe
        self._closed = closed
        self._remember = remember
        self._changes = 0
        """The value of `modes.changes` when `remember` was called last."""
        self._previous = previous
        # The thread polls the source and the pipe's reading end; closing the other end wakes it.
        self._wake, self._ending = os.pipe()
        self._done = threading.Event()
        self._source_or_wake = _poll(self._source, self._wake)
        self._source_only = _poll(self._source)

    # --- from other threads -----------------------------------------------------------------------

    def worker_ended(self) -> None:
        """The worker's process tree has ended: read what is there now, then end."""
        if self._ending >= 0:
            os.close(self._ending)
            self._ending = -1

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until everything was shown; False if that takes longer than this."""
        return self._done.wait(seconds)

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Copy everything, then end."""
        try:
            if self._previous is not None:
                self._previous.wait()
                self._previous = None
            self._copy()
            self._sink.end(self._renderer)
        except SinkClosedError:
            self._closed()
            self._swallow()
        finally:
            os.close(self._source)
            os.close(self._wake)
            self._done.set()

    def _copy(self) -> None:
        held = b""
        held_until: float | None = None
        while True:
            if held_until is not None and not self._readable(held_until - time.monotonic()):
                # A cut sequence or character cannot be shown yet.
                end = whole_until(held)
                self._show(held[:end])
                held, held_until = held[end:], None
            chunk = self._read()
            if not chunk:
                break
            whole = held + chunk if held else chunk
            end = whole.rfind(b"\n") + 1
            if len(whole) - end >= _LONG:
                end = whole_until(whole)
            if end == len(whole):
                held, held_until = b"", None
                self._show(whole)
                continue
            held = whole[end:]
            self._show(whole[:end])
            if end or held_until is None:
                held_until = time.monotonic() + self._renderer.patience
        self._show(held)

    def _read(self) -> bytes:
        """The next bytes; empty at the end."""
        ready = {fd for fd, _ in self._source_or_wake.poll()}
        if self._source in ready or self._readable(_LAST):
            try:
                return os.read(self._source, _CHUNK)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                # No process has the worker's terminal open any more.
        return b""

    def _readable(self, seconds: float) -> bool:
        return bool(self._source_only.poll(max(0.0, seconds) * 1000))

    def _show(self, chunk: bytes) -> None:
        if chunk:
            self._sink.write(self._renderer, *self._pieces(chunk))
            self._observe(chunk)
            modes = self._renderer.modes
            if modes is not None and modes.changes != self._changes:
                self._changes = modes.changes
                self._remember(modes.undo())

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Cut the chunk into pieces that stay small when rendered, at the ends of lines if possible."""
        most = self._renderer.most(chunk)
        start = 0
        while len(chunk) - start > most:
            line = chunk.rfind(b"\n", start, start + most) + 1
            end = line or start + (whole_until(chunk[start : start + most]) or most)
            yield chunk[start:end]
            start = end
        yield chunk[start:] if start else chunk

    def _swallow(self) -> None:
        """Read on without showing anything, so that a worker that still prints can drain."""
        while self._read():
            pass


def _poll(*fds: int) -> select.poll:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll
