"""The thread that carries one stream of one generation from the worker's pipe to a sink.

Bytes never pass through the main loop. A slow reader makes the pump wait, then the pipe fill, then the
worker wait; nothing is dropped, nothing else waits, and little is kept meanwhile.
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

# So many bytes are taken at once. More is not faster: what is made of them leaves the processor's cache.
_CHUNK = 1 << 17
# An unfinished line is held back for the rest of it, unless it is this long, in bytes.
_LONG = 1 << 16
# How long an ended worker's last bytes are awaited, in seconds, when something outside its tree still
# holds the pipe open.
_LAST = 0.05


class Pump:
    """Carries the bytes of `source`, which it closes at the end.

    `renderer` makes of them what is shown. `observe` sees every chunk after it was shown; `closed` is called
    when nobody reads any more. `remember` gets what gives the terminal back as it was, whenever that changes.
    The `previous` pump of the stream is awaited first, so that generations do not mix.
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
        """How many of the terminal's modes had been switched when they were remembered last."""
        self._previous = previous
        # Closing the writing end wakes the thread, which waits for the source and the reading end at once.
        self._wake, self._ending = os.pipe()
        self._done = threading.Event()
        self._any = _poll(self._source, self._wake)
        self._own = _poll(self._source)

    # --- from other threads -----------------------------------------------------------------------

    def worker_ended(self) -> None:
        """Nothing of the worker's tree is left: what can be read now is all there will be."""
        if self._ending >= 0:
            os.close(self._ending)
            self._ending = -1

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until everything has been shown; False if that took longer."""
        return self._done.wait(seconds)

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Carry everything, then end."""
        try:
            if self._previous is not None:
                self._previous.wait()
                self._previous = None
            self._carry()
            self._sink.end(self._renderer)
        except SinkClosedError:
            self._closed()
            self._swallow()
        finally:
            os.close(self._source)
            os.close(self._wake)
            self._done.set()

    def _carry(self) -> None:
        held = b""
        held_until: float | None = None
        while True:
            if held_until is not None and not self._readable(held_until - time.monotonic()):
                # What is cut in the middle cannot be shown, and is nothing to see.
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
        """The next bytes; none when there will be no more."""
        ready = {fd for fd, _ in self._any.poll()}
        if self._source in ready or self._readable(_LAST):
            try:
                return os.read(self._source, _CHUNK)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                # A terminal that nobody has open any more.
        return b""

    def _readable(self, seconds: float) -> bool:
        return bool(self._own.poll(max(0.0, seconds) * 1000))

    def _show(self, chunk: bytes) -> None:
        if chunk:
            self._sink.write(self._renderer, *self._pieces(chunk))
            self._observe(chunk)
            modes = self._renderer.modes
            if modes is not None and modes.changes != self._changes:
                self._changes = modes.changes
                self._remember(modes.undo())

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Pieces of whole lines, as far as there are any, that are not too large once they are rendered."""
        most = self._renderer.most(chunk)
        start = 0
        while len(chunk) - start > most:
            line = chunk.rfind(b"\n", start, start + most) + 1
            end = line or start + (whole_until(chunk[start : start + most]) or most)
            yield chunk[start:end]
            start = end
        yield chunk[start:] if start else chunk

    def _swallow(self) -> None:
        """Keep the pipe empty, so that a worker that still prints can drain."""
        while self._read():
            pass


def _poll(*fds: int) -> select.poll:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll
