"""Our terminal, read key by key: for the worker while that reads, else for us.

Its modes are put back on every ending; where we are killed the guard does it. In the background nothing is
read and no mode is set: the system would stop us for that.
"""

from __future__ import annotations

import os
import select
import termios
import threading
from collections.abc import Callable
from typing import Any

from reloader.events import Event, KeyPressed

_LOCAL, _CHARACTERS = 3, 6  # of what tcgetattr returns


class Keyboard:
    """Posts KeyPressed for what `forward` does not take; `fd` is our terminal.

    `remember` is given the modes that must be put back, before they are changed.
    """

    def __init__(
        self,
        fd: int,
        post: Callable[[Event], None],
        forward: Callable[[bytes], bool],
        remember: Callable[[list[Any]], None],
    ) -> None:
        self._fd = fd
        self._post = post
        self._forward = forward
        self._remember = remember
        self._before: list[Any] | None = None
        self._active = threading.Event()

    # --- from the main thread ---------------------------------------------------------------------

    def take(self) -> None:
        """Read key by key from now on, if we are in the foreground."""
        try:
            if self._before is not None or os.tcgetpgrp(self._fd) != os.getpgrp():
                return
            before = termios.tcgetattr(self._fd)
            modes = termios.tcgetattr(self._fd)
            modes[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
            modes[_CHARACTERS][termios.VMIN], modes[_CHARACTERS][termios.VTIME] = 1, 0
            self._remember(before)
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        except (OSError, termios.error):
            return  # it is no terminal any more
        self._before = before
        self._active.set()

    def give_back(self) -> None:
        """Put the modes back."""
        self._active.clear()
        before, self._before = self._before, None
        if before is not None:
            try:
                if os.tcgetpgrp(self._fd) == os.getpgrp():
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
            except (OSError, termios.error):
                pass

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Read until the terminal is closed."""
        while True:
            self._active.wait()
            select.select([self._fd], [], [])
            if not self._active.is_set():
                continue
            try:
                data = os.read(self._fd, 1024)
            except OSError:
                return
            if not data:
                return
            if not self._forward(data):
                for key in data.decode("utf-8", "replace"):
                    self._post(KeyPressed(key))
