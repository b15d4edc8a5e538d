"""The supervisor's side of a nursery, the small process that forks a guard for every generation."""

from __future__ import annotations

import _socket
import os
from collections.abc import Sequence

from reloader.running import wire
from reloader.running.booting import Booted


class Lost(Exception):  # noqa: N818 - what happened
    """The process that was asked is gone."""


class Nursery:
    """A running nursery."""

    def __init__(self, booted: Booted) -> None:
        self._control, self.pid = booted

    def guard(self, request: tuple[object, ...], files: Sequence[int]) -> _socket.socket:
        """Let it make a guard, which starts the worker as `wire` says; the socket to speak with it.

        Raises Lost.
        """
        ours, theirs = _socket.socketpair()
        try:
            wire.send(self._control, (wire.START, *request), (theirs.fileno(), *files))
        except OSError as error:
            ours.close()
            raise Lost from error
        finally:
            theirs.close()
        return ours

    def is_alive(self) -> bool:
        """Whether it has not ended; collects it where it has."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def close(self) -> None:
        """Let it end, and collect it."""
        self._control.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # collected already
