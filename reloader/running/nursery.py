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

    def __init__(self, booted: Booted, kept: Sequence[int] = ()) -> None:
        """`kept` are descriptors that are closed with it."""
        self.control, self.pid = booted
        self._kept = kept
        self._collected = False

    def guard(self, order: dict[str, object], files: Sequence[int]) -> _socket.socket:
        """Let it make a guard, which starts the worker as ordered; the socket to speak with it.

        Raises Lost.
        """
        ours, theirs = _socket.socketpair()
        try:
            wire.send(self.control, (wire.START, order), (theirs.fileno(), *files))
        except OSError as error:
            ours.close()
            raise Lost from error
        finally:
            theirs.close()
        return ours

    def is_alive(self) -> bool:
        """Whether it has not ended; collects it where it has."""
        if not self._collected:
            self._collected = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return not self._collected

    def close(self) -> None:
        """Let it end, and collect it. The guards that it has made go on."""
        self.control.close()
        for fd in self._kept:
            os.close(fd)
        if not self._collected:
            os.waitpid(self.pid, 0)
            self._collected = True
