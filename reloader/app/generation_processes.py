"""The worker's place: what its guards come from, and its generations, one or several at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from reloader.app.generation_process import GenerationProcess, Pumps, Streams, WorkerStreams, make_pumps
from reloader.common.run_folder import enter_run_folder, run_folder
from reloader.errors import ExitCode
from reloader.guard import process_tree
from reloader.messages import events, notices
from reloader.processes import worker_process
from reloader.processes.forkserver_client import ForkserverClient, LostError
from reloader.processes.guard_client import StaleError
from reloader.processes.launch import Launched, launch
from reloader.processes.signals import Signals
from reloader.processes.worker_process import CannotRunError, WorkerProcess
from reloader.settings import Settings
from reloader.showing.console import Console
from reloader.showing.sink import Sink
from reloader.terminal.pseudo_terminal import Terminal

if TYPE_CHECKING:
    from io import BufferedReader

    from reloader.warm.hook import Hook
    from reloader.warm.import_record import ImportRecord
    from reloader.warm.template import Template

GUARDS = 5  # so many may be killed at one start before it is given up
BLOCKED = 0.2  # seconds for which a writer to the terminal is awaited before we are suspended
PATIENCE = 2.0  # seconds for which the last guard is awaited at the end

Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class GenerationProcesses:
    """Starts, stops and ends the worker; posts what becomes of it. `spawn` makes a thread.

    `booted` is the forkserver that makes their guards.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        post: Callable[[events.Event], None],
        spawn: Spawn,
        console: Console,
        sinks: tuple[Sink, Sink],
        booted: Launched,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._post = post
        self._spawn = spawn
        self._console = console
        self._sinks = sinks
        self._place = WorkerStreams(settings, sinks, console)
        self._booted: Launched | None = booted
        self._folder = run_folder()
        self._forkserver: ForkserverClient | None = None
        self._waiters: dict[int, threading.Thread] = {}
        self._hook = self._make_hook()
        self._order: BufferedReader | None = None
        """The order of the newest generation, where no template has it."""
        self._template = self._make_template()
        self._how: str | None = None
        self._living: dict[int, GenerationProcess] = {}
        self._pumps: dict[int, Pumps] = {}
        self._modes: list[Any] | None = None
        self._ahead: tuple[ForkserverClient, Terminal | None] | None = None
        """The template that was told to fork ahead, and the terminal that it was given for that."""

    def start(self, generation: int) -> None:
        """Start the worker as this generation; WorkerStarted or StartFailed follows."""
        enter_run_folder()  # for what is started beside it; where there is none, it cannot be started
        try:
            worker, streams = self._make_worker(generation)
        except (CannotRunError, OSError) as error:
            failure = (
                error
                if isinstance(error, CannotRunError)
                else worker_process.explain("the worker", "", error)
            )
            self._post(
                events.StartFailed(
                    generation, failure.reason, failure.remedy, failure.exit_code, passing=failure.passing
                )
            )
            return
        self._post(events.WorkerStarted(generation, worker.pid, self._how))
        if self._template is not None and generation == 1 and self._settings.warm:
            self._template.begin_from_cache(self._spawn)
        # Side by side no pump waits for another; else the last words of a generation come before the first
        # of the next.
        before = () if self._settings.overlap else self.pumps_of(None)
        others = tuple(self._living.values())
        prompt = None if streams.terminal is None else streams.terminal.prompt
        undo = worker.remember_screen
        pumps = make_pumps(
            generation, self._place, streams.readings, before, self._post, undo, others, prompt
        )
        living = GenerationProcess(worker, streams.terminal, pumps, beside=bool(others))
        self._living[generation] = living
        self._pumps = {one: some for one, some in self._pumps.items() if not all(p.wait(0) for p in some)}
        self._pumps[generation] = pumps
        self._waiters = {one: waiter for one, waiter in self._waiters.items() if waiter.is_alive()}
        self._console.several = len(self._living) > 1
        for pump in pumps:
            self._spawn("pump", pump.run)
        self._waiters[generation] = self._spawn("waiter", partial(living.await_end, self._post))

    def learn(self) -> None:
        """The worker is ready, and the machine has time."""
        if self._template is not None and self._settings.warm:
            self._template.go_on(self._spawn)

    def take_template(self, why: str | None) -> None:
        """A template was built, or (why) could not be."""
        if self._template is not None:
            self._template.take(why)

    def record(self) -> ImportRecord | None:
        """What the worker has imported; None where nobody asks it."""
        return None if self._template is None else self._template.record()

    def foresee(self) -> None:
        """Something has changed: what a generation beside the one at work needs is made meanwhile."""
        if self._settings.overlap:
            self._park()

    def stop(self, generation: int, patience: float) -> None:
        """Send the stop signal, unless somebody else signals the whole tree within so many seconds.

        What the next generation needs is made meanwhile.
        """
        if (living := self._living.get(generation)) is not None:
            living.stop(self._settings.stop_signal, patience)
        if self._template is not None:
            self._template.hold()
            if not self._settings.overlap:
                self._park()

    def kill(self, generation: int) -> None:
        """SIGKILL to the whole tree."""
        if (living := self._living.get(generation)) is not None:
            living.process.kill()

    def weigh(self, generation: int, at_work: int) -> None:
        """Look whether there is memory for the coming generation beside the one at work."""
        if (living := self._living.get(at_work)) is not None:
            living.weigh(generation, self._post)

    def suspend(self) -> None:
        """Stop all of the worker and ourselves; returns when we go on, and lets it go on."""
        for living in self._living.values():
            living.process.pause()
        began = time.monotonic()
        with ExitStack() as shown:
            for sink in set(self._sinks):
                shown.enter_context(sink.given_back(BLOCKED))
            Signals.suspend()
        for living in self._living.values():
            living.process.resume()
            if living.terminal is not None:
                living.terminal.ask_to_redraw()
        self._post(events.Resumed(time.monotonic() - began))

    def look(self, generation: int | None = None) -> tuple[notices.ProcessUse, ...]:
        """The live processes of this generation or of all that drain, the busiest first, and their use."""
        looked_at = [
            living
            for number, living in self._living.items()
            if (living.stopped if generation is None else number == generation)
        ]
        found = [one for living in looked_at for one in living.look()]
        return tuple(sorted(found, key=lambda one: -one.cpu))

    def remember(self, modes: list[Any]) -> None:
        """The modes of our terminal, should we be killed."""
        self._modes = modes
        for living in self._newest_first():
            living.remember(modes)

    def type(self, data: bytes, is_answer: bool = False) -> bool:
        """Let the newest generation that it is for have what was typed, or the terminal has answered."""
        return any(living.type(data, is_answer) for living in self._newest_first())

    def is_asking(self) -> bool:
        """Whether a generation that nobody has stopped asks for input."""
        return any(living.is_asking() for living in self._newest_first() if not living.stopped)

    def follow_size(self) -> None:
        """Our terminal has changed its size."""
        for living in self._living.values():
            if living.terminal is not None:
                living.terminal.follow_size()

    def forget(self, generation: int) -> None:
        """The generation's tree is empty."""
        if (living := self._living.pop(generation, None)) is not None:
            living.process.forget()
        self._console.several = len(self._living) > 1

    def pumps_of(self, generation: int | None) -> Pumps:
        """The pumps of that generation, or of the newest one; none where all is shown long since."""
        return self._pumps.get(max(self._pumps, default=0) if generation is None else generation, ())

    @property
    def pumps(self) -> Pumps:
        """All that may still have something to show."""
        return tuple(pump for pumps in self._pumps.values() for pump in pumps)

    def close(self) -> None:
        """Let forkserver and guards end; a worker that still runs is left to its guard."""
        for living in self._living.values():
            living.process.leave()
        for generation, waiter in self._waiters.items():
            if generation not in self._living:
                waiter.join(PATIENCE)
        if self._template is not None:
            self._template.close()
        if self._forkserver is not None:
            self._forkserver.close()

    def _newest_first(self) -> list[GenerationProcess]:
        """From other threads too: a copy."""
        return [living for _, living in sorted(self._living.items(), reverse=True)]

    def _park(self) -> None:
        """Let the template fork ahead what the next generation needs."""
        template = self._template
        if template is None or template.current is None:
            return
        try:
            self._ahead = template.current, self._terminal_for(template.current)
        except OSError:
            return  # there are no more pseudo-terminals
        _, terminal = self._ahead
        template.park(() if terminal is None else (terminal.theirs,))

    def _terminal_for(self, forkserver: ForkserverClient) -> Terminal | None:
        """The terminal of the coming generation, if any: that which this forkserver was told of before."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            told, terminal = ahead
            if told is forkserver:
                return terminal
            # The session that was made for it may still have it.
            if terminal is not None:
                terminal.close()
        return self._place.make_terminal()

    def _make_worker(self, generation: int) -> tuple[WorkerProcess, Streams]:
        """The worker and its streams. Raises CannotRun, OSError."""
        streams: Streams | None = None
        try:
            for _ in range(GUARDS):
                forkserver = self._choose_forkserver()
                if streams is not None and streams.terminal is not None:
                    # The session of the try before may still have its terminal.
                    streams.close()
                    streams = None
                streams = streams or self._place.open(self._terminal_for(forkserver))
                try:
                    worker = self._begin(generation, forkserver, streams)
                except StaleError as stale:
                    self._forget_template(str(stale))
                    continue
                except LostError:
                    self._forget_template("the template has ended")
                    # The guard may have been killed behind the worker's start.
                    process_tree.end_all(worker_process.spared)
                    continue
                if self._modes is not None:
                    worker.remember(self._modes)
                streams.close_writing()
                return worker, streams
        except (CannotRunError, OSError):
            if streams is not None:
                streams.close()
            raise
        raise CannotRunError("cannot run the guard: it ends at once", "", ExitCode.FAILED)

    def _begin(self, generation: int, forkserver: ForkserverClient, streams: Streams) -> WorkerProcess:
        """Raises CannotRun, OSError, Stale, Lost."""
        terminal = streams.terminal
        # Our terminal is not shared: a worker in the background would be stopped when it reads.
        stdin = 0
        if os.isatty(0):
            stdin = os.open(os.devnull, os.O_RDONLY) if terminal is None else os.dup(terminal.theirs)
        if terminal is not None:
            terminal.follow_size()
        ours = [sink.fd for sink in self._sinks]
        environment = worker_process.environment(self._environment, generation, self._settings.python)
        if self._template is not None:
            environment = self._template.environment(environment, generation)
        elif self._hook is not None:
            # Of a worker whose words are not known nobody could tell which process it is.
            if words := self._settings.program_of(generation):
                environment, self._order = self._hook.environment(environment, words)
            else:
                environment = self._hook.without_order(environment)
        try:
            return WorkerProcess(
                *(generation, self._settings, environment, self._folder),
                *([*ours, *streams.for_worker(stdin), *streams.readings.values()], forkserver),
                terminal=terminal is not None,
            )
        finally:
            if stdin:
                os.close(stdin)

    def _choose_forkserver(self) -> ForkserverClient:
        """The template where there is one, else the forkserver; another one where it has ended.

        Raises OSError when there can be none.
        """
        if self._template is not None:
            if (warm := self._template.forkserver()) is not None:
                self._how = "warm"
                return warm
            self._how = self._template.why_cold if self._settings.warm else None
        elif self._settings.warm:
            from reloader.warm.hook import BLIND

            self._how = BLIND
        if self._forkserver is not None and not self._forkserver.is_alive():
            self._forkserver.close()
            self._forkserver = None
        if self._forkserver is None:
            booted, self._booted = self._booted or launch(), None
            self._forkserver = ForkserverClient(booted)
        return self._forkserver

    def _make_hook(self) -> Hook | None:
        if not self._settings.python:
            return None
        from reloader.warm.hook import Hook

        hook = Hook(self._settings, self._environment)
        learns = self._settings.learns and self._settings.program
        return hook if hook.is_possible and (hook.lines or learns) else None

    def _make_template(self) -> Template | None:
        if not self._settings.learns or not self._settings.program or self._hook is None:
            return None
        from reloader.warm.template import Template

        environment = worker_process.environment(self._environment, 0, self._settings.python)
        like = (self._place.has_terminal, self._place.has_typing)
        folder = os.path.normpath(os.path.join(self._folder, self._settings.folder))
        return Template(self._settings, self._hook, environment, folder, like, self._post)

    def _forget_template(self, why: str) -> None:
        if self._how == "warm" and self._template is not None:
            self._template.discard(why)
