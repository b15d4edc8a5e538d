"""A pseudo-terminal for the worker, as like ours as can be."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterable, Set

from reloader.guard import system
from reloader.terminal.prompt import Prompt

# The number of read(2), as proc(5) tells the system call that a process is in.
_READ = {"x86_64": "0", "aarch64": "63", "riscv64": "63"}.get(os.uname().machine, "3")
# What ends a line, or all input, or takes the line back.
_ENDS_OF_LINES = (b"\r", b"\n", b"\x03", b"\x04")


class Terminal:
    """The worker's side is `theirs` until it is started, ours `ours`. Raises OSError where there are none.

    `reserved` columns of our terminal, whose descriptor is `like`, are taken by the prefix.
    """

    def __init__(self, like: int, reserved: int) -> None:
        self._like = like
        self._reserved = reserved
        self.ours, self.theirs = pty.openpty()
        os.set_blocking(self.ours, False)
        self.name = os.ttyname(self.theirs)
        self.prompt = Prompt()
        self._asks = False
        """Whether a question has been seen since line mode was last seen off."""
        self._typed_into: set[int] = set()
        """The process groups that were in the foreground when a line was typed."""
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
        """Whether what is typed is for these processes, of which one is the worker's first.

        A line editor or a full-screen program has switched line mode off; any other reader hangs in read(2).
        Where somebody has typed into a shell, and it has brought a job to the foreground, that is the job's.
        """
        pids = list(pids)
        try:
            if self._has_job(first):
                return True
            if self._is_raw() and not self._is_passed_on(pids):
                return True
        except (termios.error, OSError):
            return False
        prompt = self.prompt
        if self._is_raw():
            return (
                prompt.stands or prompt.fills_screen or any(self._reads(pid, anywhere=True) for pid in pids)
            )
        return any(self._reads(pid) for pid in pids)

    def is_asking(self, first: int, pids: Iterable[int]) -> bool:
        """Whether somebody is asked for input, so that a restart would be in their way.

        That is a moment. A program that reads besides its work all the time asks nobody, nor does a
        full-screen program, or one that passes on what is typed to a terminal that it has made.
        """
        pids = list(pids)
        try:
            if self._has_job(first):
                return True
            if self._is_raw():
                # Between two questions of a debugger, or while it draws, none may be to be seen.
                self._asks = self.prompt.stands or (self._asks and not self._is_passed_on(pids))
                return self._asks
        except (termios.error, OSError):
            return False
        self._asks = False
        readers = {pid for pid in pids if self._reads(pid)}
        if not readers:
            return False
        if self.prompt.stands and not self.prompt.is_redrawn:
            return True
        # The question was a whole line, or is drawn anew: then nobody does anything else meanwhile.
        return self.prompt.may_have_asked and all(_only_waits(pid, readers) for pid in pids)

    def _is_raw(self) -> bool:
        return not termios.tcgetattr(self.ours)[3] & termios.ICANON

    def _has_job(self, first: int) -> bool:
        """Whether what somebody has typed into the worker, a shell, runs in the foreground now."""
        return first in self._typed_into and self._foreground() != first

    def _foreground(self) -> int:
        """The process group in the foreground; tcgetpgrp(3) tells it within the terminal's session only."""
        return int(struct.unpack("i", fcntl.ioctl(self.ours, termios.TIOCGPGRP, b"\0" * 4))[0])

    def _is_passed_on(self, pids: Iterable[int]) -> bool:
        """Whether one of them has another terminal (sudo, script): raw mode tells nothing of who reads."""
        number = os.stat(self.name).st_rdev
        return any(system.terminal_of(pid) not in (None, number) for pid in pids)

    def _reads(self, pid: int, anywhere: bool = False) -> bool:
        """Whether a thread of it hangs in a read from this terminal, or from `anywhere`."""
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/syscall") as file:
                    number, *arguments = file.read().split()
                if number == _READ:
                    source = os.readlink(f"/proc/{pid}/fd/{int(arguments[0], 16)}")
                    if source in (self.name, "/dev/tty") or (anywhere and source.startswith("/dev/pts/")):
                        return True
        except (OSError, ValueError):
            pass  # it has ended, or is not ours to look into
        return False

    def close(self) -> None:
        """Give both sides back, where no worker was started with it."""
        os.close(self.ours)
        os.close(self.theirs)

    def note_typed(self, data: bytes) -> None:
        """This is about to be written to `ours`, for the worker to read."""
        if any(end in data for end in _ENDS_OF_LINES):
            with contextlib.suppress(OSError):
                self._typed_into.add(self._foreground())
            self._asks = self._asks or self.prompt.stands
            self.prompt.answered()

    def type(self, data: bytes) -> None:
        """Let the worker read this, if it is not far behind with reading."""
        self.note_typed(data)
        with contextlib.suppress(OSError):  # it has ended, or reads nothing
            os.write(self.ours, data)

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


def _only_waits(pid: int, readers: Set[int]) -> bool:
    """Whether a process does nothing but read, or wait for one that does."""
    if pid not in readers:
        return any(below in readers for below in system.descendants(pid))
    try:
        return len(os.listdir(f"/proc/{pid}/task")) == 1
    except OSError:
        return False
