"""The worker's place: its guard, its processes, and the pumps that carry what it prints."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from reloader.errors import ExitCode
from reloader.events import (
    Event,
    OutputClosed,
    Resumed,
    StartFailed,
    WorkerExited,
    WorkerReady,
    WorkerStarted,
)
from reloader.notices import ProcessUse
from reloader.running import leftovers, process, system
from reloader.running.booting import Booted, boot
from reloader.running.guard import Stale
from reloader.running.nursery import Lost, Nursery
from reloader.running.process import CannotRun, WorkerProcess
from reloader.running.readiness import Readiness
from reloader.running.signals import Signals
from reloader.running.terminal import Terminal
from reloader.running.usage import Usage
from reloader.settings import LogFormat, Settings, Tty
from reloader.showing.console import Console
from reloader.showing.pump import Pump
from reloader.showing.sink import Sink

if TYPE_CHECKING:
    from reloader.running.warm.template import Template

# So many guards may be killed at one start before it is given up.
GUARDS = 5
# Guards of workers that have ended are awaited this long, in seconds, at the end.
PATIENCE = 2.0

Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class Stage:
    """Starts, stops and ends the worker; posts what becomes of it. `spawn` makes a thread.

    `booted` is the nursery that makes their guards.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        post: Callable[[Event], None],
        spawn: Spawn,
        console: Console,
        sinks: tuple[Sink, Sink],
        booted: Booted,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._post = post
        self._spawn = spawn
        self._console = console
        self._sinks = sinks
        self._booted: Booted | None = booted
        self._folder = os.getcwd()
        self._nursery: Nursery | None = None
        self._waiter: threading.Thread | None = None
        self._template = self._make_template()
        self._how: str | None = None
        self._worker: WorkerProcess | None = None
        self._usage = Usage()
        self._modes: list[Any] | None = None
        self.terminal: Terminal | None = None
        """The worker's pseudo-terminal, if it has one."""
        self.pumps: tuple[Pump, ...] = ()
        """Those of the last generation."""

    def start(self, generation: int) -> None:
        """Start the worker as this generation; WorkerStarted or StartFailed follows."""
        pipes: list[tuple[int, int]] = []
        self.terminal = None
        try:
            if self._wants_terminal():
                self.terminal = Terminal(self._sinks[0].fd, self._console.prefix_width)
                pipes.append((self.terminal.ours, self.terminal.theirs))
            else:
                for _ in range(2 if self._keeps_apart() else 1):
                    pipes.append(system.make_pipe())  # noqa: PERF401 - those before a failure are closed
            self._worker = self._make_worker(generation, pipes)
        except (CannotRun, OSError) as error:
            for reading, _ in pipes:
                os.close(reading)
            failure = error if isinstance(error, CannotRun) else process.explain("the worker", "", error)
            self._post(
                StartFailed(
                    generation, failure.reason, failure.remedy, failure.exit_code, passing=failure.passing
                )
            )
            return
        finally:
            for _, writing in pipes:
                os.close(writing)
        self._post(WorkerStarted(generation, self._worker.pid, self._how))
        if self._template is not None and generation == 1:
            self._template.begin_from_cache(self._spawn)
        self._carry(generation, [reading for reading, _ in pipes])
        self._waiter = self._spawn("waiter", partial(self._await_end, self._worker, self.pumps))

    def prepare_warm_start(self) -> None:
        """The worker is ready, and the machine has time."""
        if self._template is not None:
            self._template.go_on(self._spawn)

    def stop(self) -> None:
        """Send the stop signal."""
        if self._template is not None:
            self._template.hold()
        if self._worker is not None:
            self._worker.stop(self._settings.stop_signal)

    def kill(self) -> None:
        """SIGKILL to the whole tree."""
        if self._worker is not None:
            self._worker.kill()

    def suspend(self) -> None:
        """Stop the worker's tree and ourselves; returns when we go on, and lets it go on."""
        if self._worker is not None:
            self._worker.pause()
        began = time.monotonic()
        Signals.suspend()
        if self._worker is not None:
            self._worker.resume()
        self._post(Resumed(time.monotonic() - began))

    def look(self) -> tuple[ProcessUse, ...]:
        """The live processes of the worker, and what they use of the CPU since the last look."""
        return () if self._worker is None else self._usage.look(self._worker.guard)

    def remember(self, modes: list[Any]) -> None:
        """The modes of our terminal, should we be killed."""
        self._modes = modes
        if self._worker is not None:
            self._worker.remember(modes)

    def type(self, data: bytes) -> bool:
        """Let the worker have what was typed, if it reads from its terminal."""
        if self.terminal is None or not self.is_read():
            return False
        self.terminal.type(data)
        return True

    def is_read(self) -> bool:
        """Whether the worker waits for what is typed."""
        terminal, worker = self.terminal, self._worker
        if terminal is None or worker is None or not os.isatty(0):
            return False
        return terminal.is_read(system.descendants(worker.guard))

    def follow_size(self) -> None:
        """Our terminal has changed its size."""
        if self.terminal is not None:
            self.terminal.follow_size()

    def forget(self) -> None:
        """The worker's tree is empty."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None

    def close(self) -> None:
        """Let nursery and guards end; a worker that still runs is left to its guard."""
        if self._worker is not None:
            self._worker.leave()
        elif self._waiter is not None:
            self._waiter.join(PATIENCE)
        if self._template is not None:
            self._template.close()
        if self._nursery is not None:
            self._nursery.close()

    def _wants_terminal(self) -> bool:
        tty = self._settings.tty
        one_terminal = self._sinks[0] is self._sinks[1] and self._sinks[0].at_terminal
        by_itself = one_terminal and self._settings.log_format is LogFormat.TEXT
        return tty is Tty.ALWAYS or (tty is Tty.AUTO and by_itself)

    def _keeps_apart(self) -> bool:
        """Whether both streams have a pipe; one keeps their order where they lead to one place."""
        return self._sinks[0] is not self._sinks[1] or self._settings.log_format is LogFormat.JSON

    def _make_worker(self, generation: int, pipes: Sequence[tuple[int, int]]) -> WorkerProcess:
        settings = self._settings
        # Our terminal is not shared: a worker in the background would be stopped when it reads.
        stdin = 0
        if os.isatty(0):
            stdin = (
                os.open(os.devnull, os.O_RDONLY) if self.terminal is None else os.dup(self.terminal.theirs)
            )
        ours = [sink.fd for sink in self._sinks]
        files = [*ours, stdin, pipes[0][1], pipes[-1][1], *(reading for reading, _ in pipes)]
        try:
            for _ in range(GUARDS):
                nursery = self._choose_nursery()
                environment = process.environment(self._environment, generation, settings.python)
                if self._template is not None:
                    environment = self._template.environment(environment)
                try:
                    worker = WorkerProcess(
                        generation,
                        settings,
                        environment,
                        self._folder,
                        files,
                        nursery,
                        terminal=self.terminal is not None,
                    )
                except Stale as stale:
                    self._forget_template(str(stale))
                    continue
                except Lost:
                    self._forget_template("the template has ended")
                    # The guard may have been killed behind the worker's start.
                    leftovers.end_all()
                    continue
                if self._modes is not None:
                    worker.remember(self._modes)
                return worker
            raise CannotRun("cannot run the guard: it ends at once", "", ExitCode.FAILED)
        finally:
            if stdin:
                os.close(stdin)

    def _choose_nursery(self) -> Nursery:
        """The template where there is one, else the nursery; another one where it has ended.

        Raises OSError when there can be none.
        """
        if self._template is not None:
            if (warm := self._template.nursery()) is not None:
                self._how = "warm"
                return warm
            self._how = self._template.why_cold
        if self._nursery is not None and not self._nursery.is_alive():
            self._nursery.close()
            self._nursery = None
        if self._nursery is None:
            booted, self._booted = self._booted or boot(), None
            self._nursery = Nursery(booted)
        return self._nursery

    def _make_template(self) -> Template | None:
        if not self._settings.warm:
            return None
        from reloader.running.warm.template import Template

        environment = process.environment(self._environment, 0, self._settings.python)
        terminal = self._wants_terminal()
        return Template(self._settings, environment, self._folder, terminal, self._post)

    def _forget_template(self, why: str) -> None:
        if self._how == "warm" and self._template is not None:
            self._template.discard(why)

    def _carry(self, generation: int, sources: list[int]) -> None:
        """Set up a pump for every stream, behind the last generation's."""
        before = self.pumps or (None,) * len(sources)
        streams = ("stdout", "stderr") if self.terminal is None else ("terminal",)
        pumps = []
        for source, sink, stream, previous in zip(sources, self._sinks, streams, before, strict=False):
            ready = partial(self._post, WorkerReady(generation))
            observe = Readiness(self._settings.ready, ready).feed if self._settings.ready else _look_away
            renderer = self._console.renderer_for(sink, generation, stream)
            pump = Pump(source, sink, renderer, observe, partial(self._post, OutputClosed()), previous)
            self._spawn("pump", pump.run)
            pumps.append(pump)
        self.pumps = tuple(pumps)

    def _await_end(self, worker: WorkerProcess, pumps: tuple[Pump, ...]) -> None:
        status = worker.wait(self._post)
        for pump in pumps:
            pump.worker_ended()
        self._post(WorkerExited(worker.generation, status))
        worker.await_gone()


def _look_away(_anything: object) -> None:
    """Observe nothing: the worker has no ready line."""
