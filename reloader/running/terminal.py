"""A pseudo-terminal for the worker, as like ours as can be."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

_ATTRIBUTES = 7  # of tcgetattr: input, output, control, local, two speeds, characters


class Terminal:
    """The worker's side is `theirs` until it is started, ours `ours`. Raises OSError where there are none.

    `reserved` columns of our terminal, whose descriptor is `like`, are taken by the prefix.
    """

    def __init__(self, like: int, reserved: int) -> None:
        self._like = like
        self._reserved = reserved
        self.ours, self.theirs = pty.openpty()
        self.name = os.ttyname(self.theirs)
        try:
            attributes = termios.tcgetattr(like)
        except termios.error:
            attributes = termios.tcgetattr(self.theirs)
        # Ours may be read key by key; the worker's begins as a terminal does. What it prints is made fit
        # for a screen once, by our own terminal.
        attributes[1] &= ~termios.OPOST
        attributes[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        termios.tcsetattr(self.theirs, termios.TCSANOW, attributes)
        self.follow_size()

    def follow_size(self) -> None:
        """Make it as large as our terminal is now; whoever uses it gets SIGWINCH."""
        try:
            size = fcntl.ioctl(self._like, termios.TIOCGWINSZ, b"\0" * 8)
            rows, columns, width, height = struct.unpack("HHHH", size)
            if columns:
                columns = max(1, columns - self._reserved)
                size = struct.pack("HHHH", rows, columns, width, height)
                fcntl.ioctl(self.ours, termios.TIOCSWINSZ, size)
        except OSError:
            pass  # ours is gone
