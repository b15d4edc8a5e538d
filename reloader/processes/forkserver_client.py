"""The supervisor's side of a forkserver, the small process that forks a guard for every generation."""

from __future__ import annotations

import _socket
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from reloader.guard import wire
from reloader.processes.launch import Launched


class LostError(Exception):
    """The process that was asked is gone."""


class ForkserverClient:
    """A running forkserver."""

    def __init__(self, booted: Launched, kept: Sequence[int] = (), leads: bool = False) -> None:
        """`kept` are descriptors that are closed with it.

        With `leads` it leads a process group, which ends with it.
        """
        self.control, self.pid = booted
        self._kept = kept
        self._leads = leads
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
            raise LostError from error
        finally:
            theirs.close()
        return ours

    def is_alive(self) -> bool:
        """Whether it has not ended; collects it where it has."""
        if (
            not self._collected
            and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ):
            self._collect()
        return not self._collected

    def close(self) -> None:
        """Let it end, and collect it. The guards that it has made go on."""
        self.control.close()
        for fd in self._kept:
            os.close(fd)
        if not self._collected:
            self._collect()

    def _collect(self) -> None:
        self._collected = True
        if self._leads:
            end_group(self.pid)
        else:
            os.waitpid(self.pid, 0)


def end_group(leader: int) -> None:
    """Kill and collect the process group of a child of ours that was not collected; blocks for a moment.

    Members that lose their parent become our children, as long as we are a subreaper.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-leader, 0)
