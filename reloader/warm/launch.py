"""Launching a template: the worker's own command is run, and the hook in its interpreter connects to us.

A program in front of the worker may close descriptors that it does not know. So the template is not given a
connected socket; it connects to one whose name nobody can guess.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reloader.common.peers import is_ours
from reloader.guard import system
from reloader.processes.forkserver_client import ForkserverClient, end_group
from reloader.processes.launch import Launched


class TemplateLaunch:
    """A template that was launched and has not connected yet."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        name: str,
        terminal: bool,
        typing: bool,
    ) -> None:
        """Run the command, whose environment tells the hook to connect to `name`. Raises OSError.

        With `terminal` its first descriptors are a pseudo-terminal, with `typing` only its standard input is.
        """
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._kept: list[int] = []
        try:
            self.listener.bind("\0" + name)
            self.listener.listen(1)
            files, self._kept = _files(terminal, typing)
            try:
                self.pid = os.posix_spawnp(
                    command[0],
                    list(command),
                    environment,
                    file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(files)],
                    setpgroup=0,
                    setsigmask=(),
                    setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
                )
            finally:
                for fd in set(files) - {0}:
                    os.close(fd)
        except BaseException:
            self.listener.close()
            self._close()
            raise

    def forkserver(self) -> ForkserverClient | None:
        """Block until it has connected; None where it has ended before, or `listener` was shut down."""
        connected: socket.socket | None = None
        with suppress(OSError):
            while connected is None:
                ready = select.select([self.listener.fileno(), self._kept[0]], [], [])[0]
                # Output of programs in front of it is read and dropped, so that none of them blocks.
                if self._kept[0] in ready and not os.read(self._kept[0], 1 << 16):
                    break
                if self.listener.fileno() in ready:
                    connected = self.listener.accept()[0]
                    if not is_ours(connected):
                        connected.close()
                        connected = None
        self.listener.close()
        if connected is not None:
            return ForkserverClient(Launched(connected, self.pid), self._kept, leads=True)
        self._close()
        end_group(self.pid)
        return None

    def _close(self) -> None:
        for fd in self._kept:
            os.close(fd)


def _files(terminal: bool, typing: bool) -> tuple[list[int], list[int]]:
    """The template's descriptors 0 to 2, of the same kind as a worker's, which Python treats by their kind.

    The second list has our ends of them, which are kept open; the output arrives at the first of these.
    """
    if terminal:
        ours, theirs = os.openpty()
        return [theirs, theirs, theirs], [ours]
    reading, writing = system.make_pipe()
    if typing:
        ours, theirs = os.openpty()
        return [theirs, writing, writing], [reading, ours]
    stdin = os.open(os.devnull, os.O_RDONLY) if os.isatty(0) else 0
    return [stdin, writing, writing], [reading]
