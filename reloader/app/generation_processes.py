"""The processes of the generations that have not ended. Main thread, and one thread that waits for each."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from reloader.app.launcher import Launcher, Spawn
from reloader.app.worker_streams import Pumps, Sinks, Streams, WorkerStreams
from reloader.common.run_folder import enter_run_folder
from reloader.guard.child_status import SpawnError
from reloader.messages import events, notices
from reloader.processes.forkserver_client import ForkserverClient, LostError
from reloader.processes.guard_client import GuardClient
from reloader.processes.launch import Launched
from reloader.processes.order import start_failure, worker_order
from reloader.processes.resources import CpuUsage, free_memory, memory_used_by
from reloader.processes.signals import Signals
from reloader.settings import Settings
from reloader.showing.console import Console
from reloader.terminal.pseudo_terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCKED = 0.2  # seconds that a suspend waits for a write to the terminal to end
PATIENCE = 2.0  # seconds that the end of the run waits for the last guard
LAST_LINES = 0.5  # seconds that the end of a worker waits for its last lines to be shown

_REPORTS: dict[str, Callable[[int, tuple[events.ProcessInfo, ...]], events.Event]] = {
    "left": events.LeftoversFound,
    "doubtful": events.TargetDoubtful,
    "unmoved": events.TargetUnmoved,
    "refused": events.SignalRefused,
    "lost": lambda generation, _: events.GuardLost(generation),
}


class GenerationProcess:
    """One generation that was started and is not forgotten: its guard, its terminal and its pumps."""

    def __init__(
        self, guard: GuardClient, terminal: Terminal | None, pumps: Pumps, start_told: threading.Event
    ) -> None:
        """`start_told` is set once the result of the start was posted."""
        self.guard = guard
        self.terminal = terminal
        self.pumps = pumps
        self._start_told = start_told
        self.stopped = False
        """Whether `GenerationProcesses.stop` was called for it."""
        self._cpu_usage = CpuUsage()

    def run(
        self,
        generation: int,
        kind: events.StartKind | None,
        program: str,
        folder: str,
        is_beside: bool,
        post: Callable[[events.Event], None],
    ) -> None:
        """The thread: wait for the worker's start, its end and its guard's end, and post events of them.

        Where it was started beside others (`is_beside`), its last lines are awaited before WorkerExited: they
        may say that an address is in use.
        """
        try:
            worker = self.guard.await_start()
        except SpawnError as failure:
            path = folder if failure.at_folder else program
            error = OSError(failure.number, os.strerror(failure.number), path)
            post(start_failure(generation, program, folder, error))
            return
        except LostError as error:
            post(events.LaunchLost(generation, str(error)))
            return
        else:
            post(events.WorkerStarted(generation, worker.pid, kind))
        finally:
            self._start_told.set()
        status = self.guard.await_end(lambda kind, found: post(_REPORTS[kind](generation, found)))
        for pump in self.pumps:
            pump.worker_ended()
        for pump in self.pumps if is_beside else ():
            pump.wait(LAST_LINES)
        post(events.WorkerExited(generation, status))
        self.guard.await_gone()

    def in_use(self) -> tuple[notices.ProcessUse, ...]:
        """Its live processes, and how much CPU they have used since the last call."""
        worker = self.guard.started
        return () if worker is None else self._cpu_usage.measure(worker.guard)

    def is_so(self, question: Callable[[Terminal, int, list[int]], bool]) -> bool:
        """Whether it has a terminal of which this is true: `Terminal.is_read` or `Terminal.is_asking`."""
        worker = self.guard.started
        if worker is None or self.terminal is None or not os.isatty(0):
            return False
        return question(self.terminal, worker.pid, worker.pids())


class GenerationProcesses:
    """Starts, stops and ends generations; their threads post what becomes of them."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        post: Callable[[events.Event], None],
        spawn: Spawn,
        console: Console,
        sinks: Sinks,
        launched: Launched,
    ) -> None:
        """`spawn` starts a thread; `launched` is the forkserver, which was launched already."""
        self._settings = settings
        self._post = post
        self._spawn = spawn
        self._console = console
        self._sinks = sinks
        self._streams = WorkerStreams(settings, sinks, console, post)
        terminals = (self._streams.has_terminal, self._streams.has_typing)
        self.launcher = Launcher(settings, environment, terminals, launched, post, spawn)
        self.spared: set[int] = set()
        """Shared by all guards, see GuardClient."""
        self._alive: dict[int, GenerationProcess] = {}
        """Those that were started and not forgotten, by generation."""
        self._threads: dict[int, threading.Thread] = {}
        """The threads that run `GenerationProcess.run`, by generation."""
        self._pumps: dict[int, Pumps] = {}
        """The pumps that may still have output, by generation."""
        self._modes: list[Any] | None = None
        """The modes of our terminal that guards restore if we are killed."""
        self._ahead: tuple[ForkserverClient, Terminal | None] | None = None
        """The template that has forked a worker ahead, and the terminal that it did that with."""

    def start(self, generation: int, lost: str | None = None) -> None:
        """Start the worker as this generation; WorkerStarted, LaunchLost or StartFailed is posted.

        `lost` is the reason why the last attempt to start the same generation was lost, if there was one.
        """
        enter_run_folder()  # for our own processes; where there is none, the start fails later on
        if lost is not None:
            self.launcher.lost(lost)
        try:
            self._start(generation)
        except LostError as error:
            self._post(events.LaunchLost(generation, str(error)))
        except OSError as error:
            self._post(start_failure(generation, "the worker", "", error))

    def _start(self, generation: int) -> None:
        """Raises LostError, OSError."""
        forkserver, kind = self.launcher.choose()
        streams = self._streams.open(self._terminal_for(forkserver))
        try:
            guard = self._request(generation, forkserver, streams)
        except (LostError, OSError):
            streams.close()
            raise
        streams.close_writing()
        if self._modes is not None:
            guard.restore_later("modes", 2, self._modes)
        self.launcher.started(generation)
        # The last lines of a generation come before the first of the next, unless both run side by side.
        before = () if self._settings.overlap else self.pumps_of(None)
        others = [one.guard.started for one in self._alive.values() if one.guard.started is not None]
        start_told = threading.Event()
        pumps = self._streams.make_pumps(generation, streams, before, guard.restore_later, others, start_told)
        process = GenerationProcess(guard, streams.terminal, pumps, start_told)
        self._alive[generation] = process
        self._pumps = {one: some for one, some in self._pumps.items() if not all(p.wait(0) for p in some)}
        self._pumps[generation] = pumps
        self._threads = {one: thread for one, thread in self._threads.items() if thread.is_alive()}
        self._console.several = len(self._alive) > 1
        for pump in pumps:
            self._spawn("pump", pump.run)
        program, folder = self._settings.command_of(generation)[0], self.launcher.folder
        wait = partial(process.run, generation, kind, program, folder, bool(others), self._post)
        self._threads[generation] = self._spawn("waiter", wait)

    def _request(self, generation: int, forkserver: ForkserverClient, streams: Streams) -> GuardClient:
        """Ask the forkserver for a guard, which starts the worker. Raises LostError, OSError."""
        terminal = streams.terminal
        # The worker does not get our terminal: it is in the background there, and stopped when it reads.
        stdin = 0
        if os.isatty(0):
            stdin = os.open(os.devnull, os.O_RDONLY) if terminal is None else os.dup(terminal.theirs)
        try:
            if terminal is not None:
                terminal.follow_size()
            environment = self.launcher.environment(generation)
            folder = self.launcher.folder
            order = worker_order(generation, self._settings, environment, folder, terminal is not None)
            ours = [sink.fd for sink in self._sinks]
            files = [*ours, *streams.for_worker(stdin), *streams.readings.values()]
            return GuardClient(forkserver.start_guard(order, files), order, self.spared)
        finally:
            if stdin:
                os.close(stdin)

    def stop(self, generation: int, patience: float) -> None:
        """Have the stop signal sent, unless somebody else signals the whole tree within `patience` seconds.

        Without overlap, the template forks the next worker ahead meanwhile.
        """
        if (process := self._alive.get(generation)) is not None:
            process.stopped = True
            process.guard.stop(self._settings.stop_signal, patience)
        self.launcher.hold()
        if not self._settings.overlap:
            self._prefork()

    def kill(self, generation: int) -> None:
        """SIGKILL to the whole tree."""
        if (process := self._alive.get(generation)) is not None:
            process.guard.kill()
            if process.guard.started is None:
                self.abandon(generation)

    def abandon(self, generation: int) -> None:
        """Give up a start: kill the guard, and the forkserver or template, which do not answer."""
        if (process := self._alive.get(generation)) is not None:
            process.guard.abandon()
            self.launcher.abandon()

    def forget(self, generation: int) -> None:
        """Drop a generation whose tree is empty, or that was never started."""
        if (process := self._alive.pop(generation, None)) is not None:
            process.guard.forget()
        self._console.several = len(self._alive) > 1

    def prepare_next(self) -> None:
        """With overlap, let the template fork the next worker ahead: files have changed."""
        if self._settings.overlap:
            self._prefork()

    def check_memory(self, generation: int, at_work: int) -> None:
        """Post MemoryShort where the generation `at_work` uses more memory than is free for the next one."""
        process = self._alive.get(at_work)
        if process is not None and process.guard.started is not None:
            needed, free = memory_used_by(process.guard.started.pids()), free_memory()
            if free is not None and needed > free:
                self._post(events.MemoryShort(generation, needed, free))

    def in_use(self, generation: int | None = None) -> tuple[notices.ProcessUse, ...]:
        """The live processes of this generation, or of all that drain, the busiest first."""
        found = [
            one
            for number, process in self._alive.items()
            if (process.stopped if generation is None else number == generation)
            for one in process.in_use()
        ]
        return tuple(sorted(found, key=lambda one: -one.cpu))

    def pumps_of(self, generation: int | None) -> Pumps:
        """The pumps of that generation, or of the newest one; empty where all of its output was shown."""
        return self._pumps.get(max(self._pumps, default=0) if generation is None else generation, ())

    @property
    def pumps(self) -> Pumps:
        """All pumps that may still have output."""
        return tuple(pump for pumps in self._pumps.values() for pump in pumps)

    def close(self) -> None:
        """End the forkservers; a worker that still runs is drained by its guard."""
        for process in self._alive.values():
            process.guard.leave()
        for generation, thread in self._threads.items():
            if generation not in self._alive:
                thread.join(PATIENCE)
        self.launcher.close()

    # --- the terminal -----------------------------------------------------------------------------

    def reader(self) -> Terminal | None:
        """The terminal of the newest generation that reads what is typed."""
        return next((one.terminal for one in self._newest_first() if one.is_so(Terminal.is_read)), None)

    def asked_terminal(self) -> Terminal | None:
        """The terminal of the newest generation that has sent a query to it and awaits the answer."""
        terminals = (one.terminal for one in self._newest_first())
        return next((one for one in terminals if one is not None and one.prompt.awaits_answer), None)

    def is_asking(self) -> bool:
        """Whether a generation that was not stopped waits for an answer of the user."""
        return any(one.is_so(Terminal.is_asking) for one in self._newest_first() if not one.stopped)

    def restore_modes_later(self, modes: list[Any]) -> None:
        """Have the guards set these modes of our terminal if we are killed."""
        self._modes = modes
        # Standard error is the terminal wherever keys are read; standard output may lead elsewhere.
        for process in self._alive.values():
            process.guard.restore_later("modes", 2, modes)

    def follow_size(self) -> None:
        """Give the workers' terminals the size of ours."""
        for process in self._alive.values():
            if process.terminal is not None:
                process.terminal.follow_size()

    def suspend(self) -> None:
        """Stop all workers and ourselves (Ctrl-Z); once we are continued, continue them and post Resumed."""
        for process in self._alive.values():
            process.guard.pause()
        began = time.monotonic()
        with ExitStack() as shown:
            for sink in set(self._sinks):
                shown.enter_context(sink.given_back(BLOCKED))
            Signals.suspend()
        for process in self._alive.values():
            process.guard.resume()
            if process.terminal is not None:
                process.terminal.ask_to_redraw()
        self._post(events.Resumed(time.monotonic() - began))

    def _newest_first(self) -> list[GenerationProcess]:
        return [process for _, process in sorted(self._alive.items(), reverse=True)]

    def _prefork(self) -> None:
        """Let the template fork the next worker ahead, with its terminal."""
        template = self.launcher.template
        if template is None:
            return
        try:
            terminal = self._terminal_for(template)
        except OSError:
            return  # there are no more pseudo-terminals
        self._ahead = template, terminal
        self.launcher.prefork(() if terminal is None else (terminal.theirs,))

    def _terminal_for(self, forkserver: ForkserverClient) -> Terminal | None:
        """The terminal of the next generation, if any: a new one, or the one that this template has.

        Raises OSError when there are no more pseudo-terminals.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            template, terminal = ahead
            if template is forkserver:
                return terminal
            # The session that the template has made with it may still use it.
            if terminal is not None:
                terminal.close()
        return self._streams.make_terminal()
