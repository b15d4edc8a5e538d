"""Reads our terminal key by key: for the worker while it waits for input, otherwise for us.

The terminal's modes are restored however we end; if we are killed, the guard does it. In the background we
neither read nor set modes, because the system would stop us for that. A process gets no notice when it comes
to the foreground (`reloader ... &`, then `fg`), so we check now and then.
"""

from __future__ import annotations

import os
import select
import termios
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from reloader.messages import events
from reloader.terminal.keystrokes import Keystrokes, Unit, UnitKind

# How often we check in the background whether we have come to the foreground, in seconds.
LOOK = 0.5
_LOCAL, _CHARACTERS = 3, 6  # indexes into what tcgetattr returns


class Keyboard:
    """Posts Typed for what is typed at our terminal, `fd`, and waits for the answer by `forward`.

    `remember` is called with the terminal's modes before they are changed.
    """

    def __init__(
        self,
        fd: int,
        post: Callable[[events.Event], None],
        remember: Callable[[list[Any]], None],
    ) -> None:
        self._fd = fd
        self._post = post
        self._forwarded: SimpleQueue[tuple[int | None, bytes]] = SimpleQueue()
        self._remember = remember
        self._before: list[Any] | None = None
        self._active = threading.Event()

    # --- from the main thread ---------------------------------------------------------------------

    def take(self) -> None:
        """Read key by key from now on, if we are in the foreground. Does nothing if that is so already."""
        try:
            if self._before is not None or not self._is_in_foreground():
                return
            before = termios.tcgetattr(self._fd)
            modes = termios.tcgetattr(self._fd)
            modes[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
            modes[_CHARACTERS][termios.VMIN], modes[_CHARACTERS][termios.VTIME] = 1, 0
            self._remember(before)
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        except (OSError, termios.error):
            return  # the terminal was closed
        self._before = before
        self._active.set()

    def give_back(self) -> None:
        """Stop reading, and restore the terminal's modes."""
        self._active.clear()
        before, self._before = self._before, None
        if before is not None:
            try:
                if self._is_in_foreground():
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
            except (OSError, termios.error):
                pass

    def forward(self, fd: int | None, data: bytes) -> None:
        """Answer Typed: write this data to `fd`, the worker's terminal, and close that; or drop it (None)."""
        self._forwarded.put((fd, data))

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Read until the terminal is closed. Posts CameToForeground; the main thread then calls `take`."""
        keystrokes = Keystrokes()
        while True:
            if not self._active.wait(LOOK):
                if self._is_in_foreground():
                    self._post(events.CameToForeground())
                continue
            ready, _, _ = select.select([self._fd], [], [], keystrokes.patience)
            if not self._active.is_set():
                continue
            if not ready:
                self._deliver(keystrokes.expire())
                continue
            try:
                data = os.read(self._fd, 1024)
            except OSError:
                return
            if not data:
                return
            self._deliver(keystrokes.feed(data))

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def _deliver(self, units: list[Unit]) -> None:
        """Post what was typed, wait for `forward`, and write to the worker's terminal what is for it."""
        if not units:
            return
        answers = b"".join(unit.data for unit in units if unit.kind is UnitKind.ANSWER)
        keys = [unit.data for unit in units if unit.kind is UnitKind.CHARACTER]
        self._post(
            events.Typed(
                b"".join(unit.data for unit in units),
                answers,
                tuple(key.decode("utf-8", "replace") for key in keys),
            )
        )
        fd, data = self._forwarded.get()
        if fd is not None:
            try:
                _write(fd, data)
            except OSError:
                pass  # the worker has ended
            finally:
                os.close(fd)


def _write(fd: int, data: bytes) -> None:
    """Write all of it. If the worker does not read, this blocks, as typing at its own terminal would.

    Raises OSError.
    """
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while data:
        poll.poll()
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            continue
