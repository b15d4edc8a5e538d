"""The supervisor's side of a guard, the small process that is the parent of one generation's worker.

It outlives the supervisor: when that dies by SIGKILL the guard drains the worker, with the signal and the
timeout that it was told at the start. Being the tree's nearest subreaper it still finds all of it.
"""

from __future__ import annotations

import _socket
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reloader.guard import system, wire
from reloader.guard.wire import ENDED, FAILED, FORGET, HERE, KILL, MODES, PAUSE, RESUME, STALE, STOP
from reloader.processes.forkserver_client import LostError

# A guard on its way out is looked at this often, in seconds.
LOOK = 0.005

Ended = tuple[int | None, int | None]
"""Exit code and signal of a worker; one of them."""
Processes = list[tuple[int, str]]
"""Pids and names."""


class NotStartedError(Exception):
    """There is no worker: the error's number, and whether the folder could not be entered."""

    def __init__(self, number: int, at_folder: bool) -> None:
        super().__init__(number)
        self.number = number
        self.at_folder = at_folder


class StaleError(Exception):
    """A template will not fork workers any more; why."""


class GuardClient:
    """A running guard; blocks until it has started its worker.

    Raises Lost when it ends before that, NotStarted and Stale.
    """

    def __init__(self, control: _socket.socket) -> None:
        self._control = control
        self.pid = 0
        self.above = 0
        """The pid of the leader of the worker's session, which is above the guard; 0 where there is none."""
        self._began: int | None = None
        while (received := wire.receive(control)) is not None and received[0][0] == HERE:
            _, self.pid, self.above = received[0]
            self._began = system.began_at(self.pid)
        if received is None:
            control.close()
            self._await_death()
            raise LostError
        answer, files = received
        if answer[0] == FAILED:
            control.close()
            raise NotStartedError(answer[1], answer[2])
        if answer[0] == STALE:
            control.close()
            raise StaleError(answer[1])
        self.worker: int = answer[1]
        self.handle = system.Handle(self.worker, files[0] if files else None, may_have_ended=True)

    def _await_death(self) -> None:
        """Its descriptors are closed: wait until its children are given away as well, whom we must end."""
        while self._began is not None and system.began_at(self.pid) == self._began:
            time.sleep(LOOK)

    def stop(self, number: int, patience: float = 0.0) -> None:
        """Send the stop signal, and SIGCONT after it. Raises Lost.

        For so many seconds it is awaited first that somebody else signals the whole tree.
        """
        self._send((STOP, int(number), patience))

    def kill(self) -> None:
        """SIGKILL to the worker's whole tree, until nothing is left of it. Raises Lost."""
        self._send((KILL,))

    def pause(self) -> None:
        """SIGSTOP to the worker's whole tree. Raises Lost."""
        self._send((PAUSE,))

    def resume(self) -> None:
        """Let what `pause` has stopped go on. Raises Lost."""
        self._send((RESUME,))

    def remember(self, name: str | int, fd: int, modes: list[Any] | bytes) -> None:
        """What is to be put back at this terminal should we be killed: its modes, or what is written to it.

        It takes the place of what was remembered by this name before. Raises Lost.
        """
        # One that is so short goes in one piece, whichever thread sends it.
        self._send((MODES, name, fd, modes))

    def forget(self) -> None:
        """Let it end: the worker's tree is empty, and all is told of it."""
        with suppress(LostError):
            self._send((FORGET,))

    def leave(self) -> None:
        """Leave it alone with the worker, which it drains."""
        try:
            self._control.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass  # it is gone already

    def _send(self, message: tuple[object, ...]) -> None:
        try:
            wire.send(self._control, message)
        except OSError as error:
            raise LostError from error

    # --- the thread that waits --------------------------------------------------------------------

    def await_end(self, tell: Callable[[int, Processes], None]) -> Ended | None:
        """Block until the worker's tree is empty; what it ended with, or None when the guard is gone.

        `tell` gets what the guard tells of processes meanwhile, by the kind of message.
        """
        while (received := wire.receive(self._control)) is not None:
            kind, *rest = received[0]
            if kind == ENDED:
                return rest[0], rest[1]
            tell(kind, rest[0])
        self._await_death()
        return None

    def await_gone(self) -> None:
        """Block until it has ended, which `forget` allows it; collect it where it has become our child."""
        while wire.receive(self._control) is not None:
            pass
        self._control.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # its forkserver's
