"""A pseudo-terminal for the worker, with the modes and the size of our terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Iterable, Set

from reloader.guard import system
from reloader.terminal.prompt import Prompt

# The number of the system call read(2), as it stands in /proc/PID/syscall.
_READ = {"x86_64": "0", "aarch64": "63", "riscv64": "63"}.get(os.uname().machine, "3")
# Typed keys that end or discard a line, or end the input.
_ENDS_OF_LINES = (b"\r", b"\n", b"\x03", b"\x04")


class Terminal:
    """A pseudo-terminal: `ours` is our side, `theirs` the worker's until it is started. Raises OSError.

    `like` is the descriptor of our terminal, of which the prefix takes `reserved` columns.
    """

    def __init__(self, like: int, reserved: int) -> None:
        self._like = like
        self._reserved = reserved
        self.ours, self.theirs = os.openpty()
        os.set_blocking(self.ours, False)
        self.name = os.ttyname(self.theirs)
        self.prompt = Prompt()
        self._asks = False
        """Whether there was a prompt since line mode was switched off."""
        self._typed_into: set[int] = set()
        """The process groups that were in the foreground when a line was typed."""
        try:
            attributes = termios.tcgetattr(like)
        except termios.error:
            attributes = termios.tcgetattr(self.theirs)
        # Our terminal may be in key mode; the worker's begins in line mode. It does not process output, since
        # our terminal does that.
        attributes[1] &= ~termios.OPOST
        attributes[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        termios.tcsetattr(self.theirs, termios.TCSANOW, attributes)
        self.follow_size()

    def is_read(self, first: int, pids: Iterable[int]) -> bool:
        """Whether these processes, the worker's `first` among them, read what is typed.

        A line editor or a full-screen program has switched line mode off; any other reader blocks in read(2).
        If the user has started a job from a shell, the job reads.
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
        """Whether the worker asks the user for input right now, so that a restart would disturb.

        A program that always reads beside its work does not ask; nor does a full-screen program, or one that
        passes what is typed on to another terminal.
        """
        pids = list(pids)
        try:
            if self._has_job(first):
                return True
            if self._is_raw():
                # A debugger may show no prompt while it draws, or between two of them.
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
        # The prompt was a whole line, or looks like progress: believe it only if no process works meanwhile.
        return self.prompt.may_have_asked and all(_only_waits(pid, readers) for pid in pids)

    def _is_raw(self) -> bool:
        return not termios.tcgetattr(self.ours)[3] & termios.ICANON

    def _has_job(self, first: int) -> bool:
        """Whether the worker is a shell, and a job that the user has started in it has the foreground."""
        return first in self._typed_into and self._foreground() != first

    def _foreground(self) -> int:
        """The process group in the foreground. tcgetpgrp(3) works only within the terminal's session."""
        return int(struct.unpack("i", fcntl.ioctl(self.ours, termios.TIOCGPGRP, b"\0" * 4))[0])

    def _is_passed_on(self, pids: Iterable[int]) -> bool:
        """Whether one has another terminal (sudo, script), so that raw mode does not mean that it reads."""
        number = os.stat(self.name).st_rdev
        return any(system.terminal_of(pid) not in (None, number) for pid in pids)

    def _reads(self, pid: int, anywhere: bool = False) -> bool:
        """Whether a thread of it blocks in a read from this terminal, or from any terminal if `anywhere`."""
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/syscall") as file:
                    number, *arguments = file.read().split()
                if number == _READ:
                    source = os.readlink(f"/proc/{pid}/fd/{int(arguments[0], 16)}")
                    if source in (self.name, "/dev/tty") or (anywhere and source.startswith("/dev/pts/")):
                        return True
        except (OSError, ValueError):
            pass  # it has ended, or belongs to another user
        return False

    def close(self) -> None:
        """Close both sides, if no worker was started with it."""
        os.close(self.ours)
        os.close(self.theirs)

    def note_typed(self, data: bytes) -> None:
        """Note what is about to be written to `ours`."""
        if any(end in data for end in _ENDS_OF_LINES):
            with contextlib.suppress(OSError):
                self._typed_into.add(self._foreground())
            self._asks = self._asks or self.prompt.stands
            self.prompt.answered()

    def type(self, data: bytes) -> None:
        """Write this for the worker; what does not fit into the terminal's buffer is lost."""
        self.note_typed(data)
        with contextlib.suppress(OSError):  # it has ended, or reads nothing
            os.write(self.ours, data)

    def ask_to_redraw(self) -> None:
        """Make the foreground processes redraw the screen, as after a change of its size."""
        try:
            os.killpg(self._foreground(), signal.SIGWINCH)
        except OSError:
            pass  # there is no foreground process

    def follow_size(self) -> None:
        """Set its size to that of our terminal; the foreground processes get SIGWINCH."""
        try:
            size = fcntl.ioctl(self._like, termios.TIOCGWINSZ, b"\0" * 8)
            rows, columns, width, height = struct.unpack("HHHH", size)
            if columns:
                columns = max(1, columns - self._reserved)
                size = struct.pack("HHHH", rows, columns, width, height)
                fcntl.ioctl(self.ours, termios.TIOCSWINSZ, size)
        except OSError:
            pass  # our terminal is gone


def _only_waits(pid: int, readers: Set[int]) -> bool:
    """Whether a process only reads, or waits for one that does."""
    if pid not in readers:
        return any(below in readers for below in system.descendants(pid))
    try:
        return len(os.listdir(f"/proc/{pid}/task")) == 1
    except OSError:
        return False
