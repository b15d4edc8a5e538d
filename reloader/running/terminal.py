"""A pseudo-terminal for the worker, as like ours as can be."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterable

# The number of read(2), as proc(5) tells the system call that a process is in.
_READ = {"x86_64": "0", "aarch64": "63", "riscv64": "63"}.get(os.uname().machine, "3")


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

    def is_read(self, first: int, pids: Iterable[int]) -> bool:
        """Whether one of these processes, of which one is the worker's first, waits for what is typed.

        A line editor or a full-screen program has switched line mode off; any other reader hangs in read(2).
        Where the worker is a shell that has brought a job to the foreground, what is typed is the job's.
        """
        try:
            if not termios.tcgetattr(self.ours)[3] & termios.ICANON:
                return True
            if self._foreground() != first:
                return True
        except (termios.error, OSError):
            return False
        return any(self._hangs_in_read(pid) for pid in pids)

    def _foreground(self) -> int:
        """The process group that the terminal is for; tcgetpgrp(3) asks only from within its session."""
        return int(struct.unpack("i", fcntl.ioctl(self.ours, termios.TIOCGPGRP, b"\0" * 4))[0])

    def _hangs_in_read(self, pid: int) -> bool:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/syscall") as file:
                    number, *arguments = file.read().split()
                if number == _READ and os.readlink(f"/proc/{pid}/fd/{int(arguments[0], 16)}") in (
                    self.name,
                    "/dev/tty",
                ):
                    return True
        except (OSError, ValueError):
            pass  # it has ended, or is not ours to look into
        return False

    def close(self) -> None:
        """Give both sides back, where no worker was started with it."""
        os.close(self.ours)
        os.close(self.theirs)

    def type(self, data: bytes) -> None:
        """Let the worker read this."""
        try:
            os.write(self.ours, data)
        except OSError:
            pass  # it has ended

    def ask_to_redraw(self) -> None:
        """Let what is in the foreground draw its screen again, as after a change of the size."""
        try:
            os.killpg(self._foreground(), signal.SIGWINCH)
        except OSError:
            pass  # nobody is

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
