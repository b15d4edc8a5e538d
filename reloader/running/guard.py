"""The supervisor's side of the guard, a small process that is the parent of every worker.

It outlives the supervisor: when that dies by SIGKILL the guard drains the workers, with the signal and the
timeout that it was told at their start. Being their nearest subreaper it still finds all of the tree.
"""

from __future__ import annotations

import _socket
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from reloader.events import Event, GuardLost, LeftoversFound, ProcessInfo
from reloader.running import system, wire
from reloader.running.booting import Booted
from reloader.running.wire import ENDED, FAILED, FORGET, KILL, LEFT, MODES, PAUSE, RESUME, START, STOP
from reloader.settings import Settings

# An ended guard is awaited this long, in seconds.
PATIENCE = 2.0

Ended = tuple[int | None, int | None]
"""Exit code and signal of a leader; one of them."""


class Lost(Exception):  # noqa: N818 - what happened
    """The guard is gone."""


class Started:
    """A worker's first process, as the guard has started it."""

    def __init__(self, pid: int, handle: system.Handle, ended: SimpleQueue[Ended | None]) -> None:
        self.pid = pid
        self.handle = handle
        self.ended = ended
        """What it ended with; None when the guard was lost before that."""


class Guard:
    """A running guard."""

    def __init__(self, settings: Settings, booted: Booted, post: Callable[[Event], None]) -> None:
        self._settings = settings
        self._post = post
        self._answers: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._ended: dict[int, SimpleQueue[Ended | None]] = {}
        self._files: list[int] = []
        self._closing = False
        self._served = False
        """Whether it is the parent of a worker."""
        self._control, self.pid = booted
        self._gone = threading.Event()

    # --- the main thread --------------------------------------------------------------------------

    def start(
        self,
        generation: int,
        environment: Mapping[str, str],
        folder: str,
        files: Sequence[int],
        terminal: bool,
    ) -> Started:
        """Start the worker with these descriptors: stdin, stdout, stderr, and its pipes' reading ends.

        Where stdout is a terminal, that is to become its own (`terminal`).

        Raises Lost, or the OSError of fork, of entering the folder (`filename` is that folder) or of exec.
        """
        settings = self._settings
        self._ended[generation] = SimpleQueue()
        request = (
            *(START, generation, [os.fsencode(word) for word in settings.command]),
            {os.fsencode(key): os.fsencode(value) for key, value in environment.items()},
            *(os.fsencode(folder), int(settings.stop_signal), settings.stop_timeout, settings.name),
            *(terminal, settings.stop_target.value),
        )
        self._send(request, files)
        answer = self._answers.get()
        if answer is None:
            raise Lost
        if answer[0] == FAILED:
            _, _, number, at_folder = answer
            assert isinstance(number, int)
            raise OSError(number, os.strerror(number), folder if at_folder else settings.command[0])
        pid = answer[2]
        assert isinstance(pid, int)
        self._served = True
        handle = system.Handle(pid, self._files.pop() if self._files else None)
        return Started(pid, handle, self._ended[generation])

    def stop(self, generation: int, number: int) -> None:
        """Send the stop signal, and SIGCONT after it. Raises Lost."""
        self._send((STOP, generation, int(number)))

    def kill(self, generation: int) -> None:
        """SIGKILL to the worker's whole tree, until nothing is left of it. Raises Lost."""
        self._send((KILL, generation))

    def pause(self, generation: int) -> None:
        """SIGSTOP to the worker's whole tree. Raises Lost."""
        self._send((PAUSE, generation))

    def resume(self, generation: int) -> None:
        """Let what `pause` has stopped go on. Raises Lost."""
        self._send((RESUME, generation))

    def remember(self, fd: int, modes: list[Any]) -> None:
        """These modes of the terminal are to be put back should we be killed. Raises Lost."""
        self._send((MODES, fd, modes))

    def forget(self, generation: int) -> None:
        """The worker's tree is empty, and all is told of it."""
        self._ended.pop(generation, None)
        try:
            self._send((FORGET, generation))
        except Lost:
            pass

    def abandon(self) -> None:
        """Leave it alone with the workers, which it drains."""
        self._closing = True
        self._control.shutdown(_socket.SHUT_RDWR)

    def close(self) -> None:
        """Let it end, and wait for that."""
        self.abandon()
        # Where it does not end it looks after a process that does not.
        self._gone.wait(PATIENCE)

    def _send(self, message: tuple[object, ...], files: Sequence[int] = ()) -> None:
        try:
            wire.send(self._control, message, files)
        except OSError as error:
            raise Lost from error

    # --- the thread that listens ------------------------------------------------------------------

    def listen(self) -> None:
        """Pass on what the guard tells, until it ends. GuardLost follows where that was not wanted."""
        while (received := wire.receive(self._control)) is not None:
            answer, files = received
            kind, generation, *rest = answer
            if kind == ENDED:
                code, number = rest
                self._ended[generation].put((code, number))
            elif kind == LEFT:
                found = tuple(ProcessInfo(pid, name) for pid, name in rest[0])
                self._post(LeftoversFound(generation, found))
            else:
                self._files += files
                self._answers.put(answer)
        if self._served and not self._closing:
            # Told first: whoever waits for a worker then takes its end for what it is.
            self._post(GuardLost())
        self._answers.put(None)
        for ended in list(self._ended.values()):
            ended.put(None)
        os.waitpid(self.pid, 0)
        self._gone.set()
