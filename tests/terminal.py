"""The command at a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import uuid
from pathlib import Path

from harness import COLD, LIMIT, RELOADER, Stream, nothing_is_left
from processes import ProcessTable


class Terminal:
    """A run in the foreground of a pseudo-terminal, as a shell would start it."""

    def __init__(self, folder: Path, *arguments: str, program: str = RELOADER, columns: int = 0) -> None:
        mark = uuid.uuid4().hex
        self.table = ProcessTable(mark)
        """Who belongs to it: looked at whenever something has come on the screen."""
        environment = dict(os.environ) | {"MARK": mark, "TERM": "xterm-256color"} | COLD
        environment.pop("NO_COLOR", None)
        ours, theirs = pty.openpty()
        if columns:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.fd = ours
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_FOREGROUND, program, *arguments],
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.screen = Stream(on_match=self.table.look)
        self._wake, self._hang_up = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Show what comes until we hang up: a descriptor that is being read from cannot be closed."""
        while self._wake not in select.select((self.fd, self._wake), (), ())[0]:
            if not self.screen.read_once(self.fd):
                return

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self._hang_up)
        self._reader.join()
        os.close(self.fd)

    def nothing_is_left(self) -> None:
        """Wait until none of the processes that were ever seen is alive, by pid and start time, nor a new one."""
        nothing_is_left(self.table, LIMIT)

    def close(self) -> None:
        """Kill whatever a failed test has left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.table.kill()


# The session's leader takes the terminal, then becomes the command.
_IN_FOREGROUND = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
