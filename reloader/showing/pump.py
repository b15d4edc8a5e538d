"""The thread that carries one stream of one generation from the worker's pipe to a sink.

Bytes never pass through the main loop. A slow reader makes the pump wait, then the pipe fill, then the
worker wait; nothing is dropped, and nothing else waits.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable

from reloader.showing.lines import Prefixer
from reloader.showing.sink import Sink, SinkClosed

_CHUNK = 1 << 20
# An unfinished line is held back for the rest of it, in seconds, unless it is this long, in bytes.
_PATIENCE = 0.08
_LONG = 1 << 16
# How long an ended worker's last bytes are awaited, in seconds, when something outside its tree still
# holds the pipe open.
_LAST = 0.05


class Pump:
    """Carries the bytes of `source`, which it closes at the end.

    `observe` sees every chunk after it was shown; `closed` is called when nobody reads any more. The
    `previous` pump of the stream is awaited first, so that generations do not mix.
    """

    def __init__(
        self,
        source: int,
        sink: Sink,
        prefix: Callable[[], bytes],
        observe: Callable[[bytes], None],
        closed: Callable[[], None],
        previous: Pump | None = None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._prefix = prefix
        self._observe = observe
        self._closed = closed
        self._previous = previous
        self._prefixer = Prefixer(sink.at_terminal)
        # Closing the writing end wakes the thread, which waits for the source and the reading end at once.
        self._wake, self._ending = os.pipe()
        self._done = threading.Event()

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
        except SinkClosed:
            self._closed()
            self._swallow()
        finally:
            os.close(self._source)
            os.close(self._wake)
            self._done.set()

    def _carry(self) -> None:
        held = b""
        held_until = 0.0
        while True:
            if held and not self._readable(held_until - time.monotonic()):
                self._show(held)
                held = b""
            chunk = self._read()
            if not chunk:
                break
            whole = held + chunk
            end = len(whole) if len(whole) - (line := whole.rfind(b"\n") + 1) >= _LONG else line
            if end or not held:
                held_until = time.monotonic() + _PATIENCE
            held = whole[end:]
            if end:
                self._show(whole[:end])
        if held:
            self._show(held)

    def _read(self) -> bytes:
        """The next bytes; none when there will be no more."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        ready = {fd for fd, _ in poll.poll()}
        if self._source in ready or self._readable(_LAST):
            try:
                return os.read(self._source, _CHUNK)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                # A terminal that nobody has open any more.
        return b""

    def _readable(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def _show(self, chunk: bytes) -> None:
        self._sink.write(self, chunk)
        self._observe(chunk)

    def _swallow(self) -> None:
        """Keep the pipe empty, so that a worker that still prints can drain."""
        while self._read():
            pass

    # --- what the sink asks -----------------------------------------------------------------------

    def render(self, chunk: bytes) -> bytes:
        """The chunk with prefixes."""
        return self._prefixer.feed(chunk, self._prefix())

    def break_line(self) -> None:
        """Another writer has ended our unfinished line."""
        self._prefixer.break_line()
