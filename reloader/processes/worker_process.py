"""One generation of the worker: started by the guard in its own session, signalled, waited for, tidied."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from reloader.errors import ExitCode
from reloader.guard import process_tree, spawn, system, wire
from reloader.messages import events
from reloader.presets.wrappers import front_names, shell_names
from reloader.processes.forkserver_client import ForkserverClient, LostError
from reloader.processes.guard_client import GuardClient, NotStartedError, Processes
from reloader.settings import Settings

_SHORTAGES = {
    errno.EAGAIN: "no more processes are allowed (ulimit -u)",
    errno.ENOMEM: "there is not enough memory",
    errno.EMFILE: "too many open files (ulimit -n)",
    errno.ENFILE: "the machine has too many open files",
    errno.ETXTBSY: "it is being written",
}
# What a guard tells of processes.
_TOLD: dict[int, Callable[[int, tuple[events.ProcessInfo, ...]], events.Event]] = {
    wire.LEFT: events.LeftoversFound,
    wire.DOUBTFUL: events.TargetDoubtful,
    wire.UNMOVED: events.TargetUnmoved,
    wire.REFUSED: events.SignalRefused,
}


class CannotRunError(Exception):
    """The command could not be run: why, what to do, and the status a shell would give."""

    def __init__(self, reason: str, remedy: str, exit_code: ExitCode, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing
        """It is the machine's state and not the command: another try may succeed."""
        self.reason = reason
        self.remedy = remedy
        self.exit_code = exit_code


# Of generations that have not ended: first processes, guards, and leaders of sessions. Where those that
# started them are killed they fall to us, and what hangs below another one is no leftover.
spared: set[int] = set()


class WorkerProcess:
    """A running worker behind its guard. Raises CannotRun when there will be none, and Lost.

    `files` are our stdout and stderr, the worker's stdin, stdout and stderr, and the reading ends of its
    pipes. Where its stdin or stdout is a terminal, that becomes its own (`terminal`).
    """

    def __init__(
        self,
        generation: int,
        settings: Settings,
        environment: Mapping[str, str],
        folder: str,
        files: Sequence[int],
        forkserver: ForkserverClient,
        terminal: bool = False,
    ) -> None:
        self.generation = generation
        self._settings = settings
        program = settings.command_of(generation)[0]
        self._order = order(generation, settings, environment, folder, terminal)
        try:
            self._guard = GuardClient(forkserver.guard(self._order, files))
        except NotStartedError as failure:
            path = folder if failure.at_folder else program
            error = OSError(failure.number, os.strerror(failure.number), path)
            raise explain(program, folder, error) from failure
        self.pid = self._guard.worker
        self._spared = {self.pid, self._guard.pid, self._guard.above}
        spared.update(self._spared)
        self.guard = self._guard.pid
        """The guard's pid."""
        self._stopped = False
        """Whether the guard was asked to send the stop signal."""

    def stop(self, number: int, patience: float = 0.0) -> None:
        """Send the stop signal to the worker; where the guard is gone, `wait` has done that.

        For so many seconds it is awaited first that somebody else signals the whole tree.
        """
        try:
            self._guard.stop(number, patience)
            self._stopped = True
        except LostError:
            if not spawn.tells_of_parents_death():
                self._guard.handle.send(number)
            self._guard.handle.send(signal.SIGCONT)

    def pause(self) -> None:
        """SIGSTOP to everything."""
        with suppress(LostError):  # it drains anyway
            self._guard.pause()

    def resume(self) -> None:
        """Let what `pause` has stopped go on."""
        with suppress(LostError):
            self._guard.resume()

    def kill(self) -> None:
        """SIGKILL to the leader and everything below it."""
        try:
            self._guard.kill()
        except LostError:
            self._guard.handle.send(signal.SIGSTOP)
            process_tree.kill_all(self.pid, spared - {self.pid})
            self._guard.handle.send(signal.SIGKILL)

    def remember(self, modes: Sequence[Any]) -> None:
        """These modes of our terminal are to be put back should we be killed."""
        with suppress(LostError):
            # There are keys where standard error is the terminal, wherever standard output leads.
            self._guard.remember("modes", 2, list(modes))

    def remember_screen(self, stream: int, fd: int, undo: bytes) -> None:
        """With this the terminal is to be given back as it was before the stream, should we be killed."""
        with suppress(LostError):
            self._guard.remember(stream, fd, undo)

    def wait(self, post: Callable[[events.Event], None]) -> events.ExitStatus:
        """Block until the leader has ended and nothing of its tree is left.

        Posts what there is to tell meanwhile.
        """

        def tell(kind: int, found: Processes) -> None:
            post(_TOLD[kind](self.generation, tuple(events.ProcessInfo(pid, name) for pid, name in found)))

        ended = self._guard.await_end(tell)
        if ended is None:
            # Told first: whoever hears of the worker's end then takes it for what it is.
            post(events.GuardLost(self.generation))
            self._drain_adopted()
            ended = system.wait_for_adopted(self._guard.handle)
            spared.discard(self.pid)
            process_tree.end_all(spared)
        spared.difference_update(self._spared)
        return events.ExitStatus(*ended)

    def _drain_adopted(self) -> None:
        """Do what the guard would have done, for the tree that has become ours; blocks until that is over.

        The first process has the stop signal from the system, which was told to send it at the guard's end.
        """
        if not spawn.tells_of_parents_death():
            return
        from reloader.guard import draining

        # A drain that went on has been heard of by all whom it is for.
        number = None if self._stopped else int(self._settings.stop_signal)
        began = time.monotonic()
        limit = self._settings.stop_timeout
        for _ in range(2):
            roots = [pid for pid, _ in process_tree.children(spared - {self.pid})]
            drain = draining.begin(self._order, roots, number, heard={self.pid})
            while not drain.is_over() and (limit is None or time.monotonic() < began + limit):
                time.sleep(process_tree.PAUSE)
            drain.finish()
            drain.close()
            # Who dies by the signal, as a shell in front of the worker, has not passed it on.
            if any(target.pid != self.pid for target in drain.aim.targets) or not self._has_died():
                break

    def _has_died(self) -> bool:
        """Whether the first process, which is our child now, has died by a signal."""
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return ended is not None and ended.si_code != os.CLD_EXITED

    def await_gone(self) -> None:
        """Block until the guard is gone, which `forget` allows it."""
        self._guard.await_gone()

    def leave(self) -> None:
        """Leave the worker to the guard, which drains it."""
        self._guard.leave()

    def forget(self) -> None:
        """The leader has ended and nothing of its tree is left."""
        self._guard.forget()
        self._guard.handle.close()


def order(
    generation: int, settings: Settings, environment: Mapping[str, str], folder: str, terminal: bool
) -> dict[str, object]:
    """What a guard is told of the worker that it starts and stops."""
    return {
        "command": [os.fsencode(word) for word in settings.command_of(generation)],
        "environment": {os.fsencode(key): os.fsencode(value) for key, value in environment.items()},
        "folder": os.fsencode(folder),
        "terminal": terminal,  # whether standard input or output is one
        "name": settings.name,
        "stop_signal": int(settings.stop_signal),
        "stop_timeout": settings.stop_timeout,  # in seconds; None for ever
        "target": settings.stop_target.value,  # whom the stop signal is for
        # Of the worker's program, where that is known.
        "words": list(settings.program) if settings.python or settings.preset else [],
        "known": settings.preset is not None,  # it leads its children, and ends them
        "sudo_kill": settings.sudo_kill,
        "fronts": sorted(front_names()),  # programs that only stand in front of a worker
        "shells": sorted(shell_names()),
    }


def environment(base: Mapping[str, str], generation: int, python: bool) -> dict[str, str]:
    """What the worker finds in its environment: ours, and that it runs under reloader."""
    result = dict(base)
    result["RELOADER"] = "1"
    result["RELOADER_GENERATION"] = str(generation)
    if python:
        result.setdefault("PYTHONUNBUFFERED", "1")
    return result


def reap_orphans() -> None:
    """Collect ended processes that became our children: the guard's, where that was killed.

    Children in our own session are helpers, which the thread that started them collects.
    """
    ours = os.getsid(0)
    for pid in system.children_of(os.getpid()) or ():
        try:
            if os.getsid(pid) != ours:
                os.waitpid(pid, os.WNOHANG)
        except (ChildProcessError, ProcessLookupError):
            pass  # collected meanwhile


def explain(program: str, folder: str, error: OSError) -> CannotRunError:
    """What is told when the command could not be run."""
    cannot = f"cannot run {program}"
    if error.filename == folder:
        reason = f"cannot enter {folder}: {(error.strerror or str(error)).lower()}"
        remedy = "the worker starts in it, and does so once it is there again"
        return CannotRunError(reason, remedy, ExitCode.NOT_EXECUTABLE)
    if error.errno in _SHORTAGES:
        return CannotRunError(
            f"{cannot}: {_SHORTAGES[error.errno]}", "", ExitCode.NOT_EXECUTABLE, passing=True
        )
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if os.path.isfile(program):
            reason = f"{cannot}: the interpreter named in its first line does not exist"
            return CannotRunError(reason, f"head -1 {program}", ExitCode.NOT_EXECUTABLE)
        remedy = "check the spelling, or activate the environment that it is installed in"
        return CannotRunError(f"{cannot}: command not found", remedy, ExitCode.NOT_FOUND)
    if os.path.isdir(program):
        return CannotRunError(f"{cannot}: it is a folder", "name a program in it", ExitCode.NOT_EXECUTABLE)
    if isinstance(error, PermissionError):
        runner = f"{os.path.basename(sys.executable)} {program}" if program.endswith(".py") else program
        remedy = f"chmod +x {program}" + (f", or run: {runner}" if runner != program else "")
        return CannotRunError(f"{cannot}: not executable", remedy, ExitCode.NOT_EXECUTABLE)
    if error.errno == errno.ENOEXEC:
        remedy = "a script needs a first line such as #!/bin/sh"
        return CannotRunError(f"{cannot}: not a program", remedy, ExitCode.NOT_EXECUTABLE)
    return CannotRunError(f"{cannot}: {error.strerror}", "", ExitCode.NOT_EXECUTABLE)
