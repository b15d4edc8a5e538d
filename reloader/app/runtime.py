"""The wiring, and the one main loop: an event comes in, the supervisor decides, the shell performs."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from reloader.app.generation_processes import GenerationProcesses
from reloader.app.threads import spawn as spawn_thread
from reloader.common.run_folder import run_folder
from reloader.deciding.introduction import introduced
from reloader.deciding.supervisor import Supervisor
from reloader.errors import ExitCode, ReloaderError
from reloader.guard import spawn, system
from reloader.messages import effects, events, notices
from reloader.processes import signals, worker_process
from reloader.settings import Settings, Trigger
from reloader.showing.console import Console
from reloader.showing.sink import make_sinks
from reloader.showing.wording import is_shown, word

if TYPE_CHECKING:
    from reloader.controlling.server import Server
    from reloader.processes import preflight as running_preflight
    from reloader.processes.launch import Launched
    from reloader.terminal.keyboard import Keyboard
    from reloader.watching.imported import Imported
    from reloader.watching.scanner import Scanner
    from reloader.watching.watcher import Watcher

# So many objects more than there were before make the interpreter look for cycles.
GARBAGE = 50_000
# What Ctrl-C types.
INTERRUPT = b"\x03"
# So many of the processes that a drain waits for are told, the busiest first.
SHOWN = 4


def run(settings: Settings, environment: Mapping[str, str], booted: Launched) -> int:
    """Run one worker until the end is asked for; returns the exit status, or dies by the signal.

    Raises ReloaderError when the command cannot be run.
    """
    # What is known of a large tree is held for long and holds no cycles; looking for some in it
    # again and again would take a sixth of the first look.
    gc.set_threshold(GARBAGE)
    inbox: SimpleQueue[events.Event] = SimpleQueue()
    supervisor = Supervisor(settings)
    with Runtime(settings, environment, inbox.put, booted) as shell:
        first = introduced(settings, shell.pid_to_kill, shell.adopts)
        shell.perform([*first, *supervisor.start(monotonic())])
        while not supervisor.finished:
            event = next_event(inbox, supervisor.deadline)
            shell.perform(supervisor.handle(event, monotonic()))
    if supervisor.start_failure is not None:
        failure = supervisor.start_failure
        raise ReloaderError(failure.reason, failure.remedy, ExitCode(failure.exit_code))
    if supervisor.died_by is not None:
        signals.die_by(supervisor.died_by)
    return supervisor.exit_code


def next_event(inbox: SimpleQueue[events.Event], deadline: float | None) -> events.Event:
    """The next event; DeadlinePassed as soon as the deadline is over, whatever else is waiting."""
    if deadline is None:
        return inbox.get()
    left = deadline - monotonic()
    if left <= 0:
        return events.DeadlinePassed()
    try:
        return inbox.get(timeout=left)
    except Empty:
        return events.DeadlinePassed()


class Runtime:
    """Performs effects with processes, threads and files; posts what becomes of them."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        post: Callable[[events.Event], None],
        booted: Launched,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._post = post
        self._spawn = partial(spawn_thread, post)
        self._signals = signals.Signals(post, lambda: self._keyboard is not None and self._stage.is_asking())
        self._sinks = make_sinks(post=post)
        self._console = Console(settings, self._sinks[1], environment, partial(post, events.OutputClosed()))
        self._began_ns = time.time_ns() - system.CLOCK_TICK_NS
        self._surveyor: Scanner | None = None
        self._watcher: Watcher | None = None
        self._watching: threading.Thread | None = None
        self._preflight: running_preflight.Preflight | None = None
        self._keyboard: Keyboard | None = None
        self._server: Server | None = None
        self._listening: threading.Thread | None = None
        self._stage = GenerationProcesses(
            settings, environment, post, self._spawn, self._console, self._sinks, booted
        )
        self._announcer = self._spawn("console", self._console.run)
        self.adopts = True
        """Whether what loses its parent below us becomes our child, unless the system knows no such thing."""

    def __enter__(self) -> Runtime:
        self.adopts = spawn.become_subreaper()
        self._signals.install()
        self._spawn("signals", self._signals.listen)
        if os.isatty(0) and self._console.is_at_terminal:
            from reloader.terminal.keyboard import Keyboard

            self._keyboard = Keyboard(0, self._post, self._stage.type, self._stage.remember)
            self._take_terminal()
            self._spawn("keyboard", self._keyboard.run)
        return self

    @property
    def pid_to_kill(self) -> int | None:
        """Our pid, where no Ctrl-C ends us."""
        return os.getpid() if self._signals.ignores_interrupt else None

    def _take_terminal(self) -> None:
        if self._keyboard is not None:
            self._keyboard.take()

    def _give_terminal_back(self) -> None:
        if self._keyboard is not None:
            self._keyboard.give_back()

    def __exit__(self, *exception: object) -> None:
        if self._watcher is not None:
            self._watcher.close()
        if self._preflight is not None:
            self._preflight.cancel()
        if self._server is not None and self._listening is not None:
            self._server.close()
            self._listening.join(1.0)
        self._console.end()
        if self._watching is not None:
            # It must not be inside the source of events while the interpreter ends.
            self._watching.join(1.0)
        self._stage.close()
        self._give_terminal_back()
        self._signals.restore()

    def perform(self, result: list[effects.Effect]) -> None:
        """Carry out the effects in their order; none of them blocks."""
        for effect in result:
            match effect:
                case effects.StartWorker(generation):
                    self._console.generation = generation
                    self._stage.start(generation)
                case effects.StopWorker(generation):
                    self._stage.stop(generation, self._signals.patience)
                case effects.KillWorker(generation):
                    self._stage.kill(generation)
                case effects.ReapWorker(generation):
                    self._stage.forget(generation)
                case effects.LearnFromWorker():
                    self._learn()
                case effects.TakeTemplate(why):
                    self._stage.take_template(why)
                case effects.WeighMemory(generation, at_work):
                    self._stage.weigh(generation, at_work)
                case effects.Reply(peer, status) if self._server is not None:
                    self._server.reply(peer, status)
                case effects.PassInterrupt():
                    self._stage.type(INTERRUPT)
                case effects.ClearScreen():
                    self._console.clear()
                case effects.ShowEmptyLine():
                    self._console.show_empty_line()
                case effects.FollowSize():
                    self._stage.follow_size()
                case effects.Suspend():
                    self._give_terminal_back()
                    self._stage.suspend()
                    self._take_terminal()
                    # Whoever is not in the foreground is not told of a new size.
                    self._stage.follow_size()
                case effects.TakeTerminal():
                    self._take_terminal()
                case effects.ReapOrphans():
                    worker_process.reap_orphans()
                case effects.BeginWatching():
                    self._begin_watching()
                    self._begin_listening()
                case effects.CompareTree(paths, at_once) if self._surveyor is not None:
                    self._surveyor.compare(paths, at_once)
                case effects.TakeBaseline(generation, paths, at_once) if self._surveyor is not None:
                    self._surveyor.take_baseline(generation, paths, at_once)
                case effects.Preflight(number, paths, even_at_prompt):
                    self._begin_preflight(number, paths, even_at_prompt)
                case effects.CancelPreflight() if self._preflight is not None:
                    self._preflight.cancel()
                case effects.WatchFolders(folders) if self._watcher is not None:
                    self._watcher.watch(folders)
                case effects.FlushOutput():
                    self._spawn("flush", self._flush)
                case effects.Tell(notice):
                    self._tell(notice)

    def _tell(self, notice: notices.Notice) -> None:
        in_place = isinstance(notice, notices.StillDraining) and self._console.can_write_over
        if isinstance(notice, notices.Killing):
            alive = self._stage.look(notice.generation)
            notice = notices.Killing(notice.pid, notice.timeout, alive, notice.generation)
        if isinstance(notice, notices.StillDraining):
            alive = self._stage.look()
            if not (in_place or notice.now_and_then):
                return
            notice = notices.StillDraining(notice.drains, notice.now_and_then, alive[:SHOWN])
        text, weight = word(notice, self._settings, self._console.knows_links)
        if is_shown(weight, self._settings.verbosity):
            # The worker's last lines come before the line that says it has ended.
            ends = isinstance(notice, notices.EndedItself | notices.AddressInUse)
            after = self._stage.pumps_of(getattr(notice, "generation", None)) if ends else ()
            # On the other stream, where that is another one.
            elsewhere = isinstance(notice, events.OutputFailed) and notice.stream == self._sinks[1].name
            self._console.tell(text, weight, after, in_place, self._sinks[0] if elsewhere else None)

    def _begin_watching(self) -> None:
        # A third of our own start, which the worker need not wait for: it runs while this is read.
        from reloader.watching.ignored_log import IgnoredLog
        from reloader.watching.scanner import Scanner
        from reloader.watching.watcher import Watcher

        self._surveyor = Scanner(self._settings, self._began_ns, self._post, self._loaded)
        self._spawn("surveyor", self._surveyor.run)
        if self._surveyor.contents is not None:
            self._spawn("reader", self._surveyor.contents.run)
        if self._settings.poll is None:
            tree = self._surveyor.tree
            ignored = IgnoredLog(tree, self._post).note if self._settings.verbosity > 0 else _look_away
            self._watcher = Watcher(tree.may_count, self._post, self._surveyor.standing, ignored)
            self._watching = self._spawn("watcher", self._watcher.run)

    def _begin_listening(self) -> None:
        from reloader.controlling.server import Server

        settings, place = self._settings, run_folder()
        run = {"name": settings.name, "pid": os.getpid(), "folder": place, "command": settings.command}
        self._server = Server(run, place, self._environment, self._post)
        self._listening = self._spawn("control", self._server.run)

    def _learn(self) -> None:
        self._stage.learn()
        imported = self._loaded()
        if imported is not None and self._surveyor is not None:
            self._surveyor.watch_also(imported.files)

    def _loaded(self) -> Imported | None:
        """What the worker has imported; None where that decides nothing, or is not known."""
        hidden = self._settings.python and not self._settings.program
        if self._settings.trigger is not Trigger.LOADED or hidden:
            return None
        from reloader.warm.import_record import ImportRecord, own_origins
        from reloader.watching.imported import imported

        record = self._stage.record() or ImportRecord()
        return imported(own_origins(record), record.missing, self._settings.program)

    def _begin_preflight(self, number: int, paths: tuple[str, ...], even_at_prompt: bool) -> None:
        from reloader.processes import preflight

        is_asking = None if even_at_prompt else self._stage.is_asking
        check = preflight.Preflight(self._settings, self._environment, number, paths, self._post, is_asking)
        self._preflight = check
        self._stage.foresee()
        self._spawn("preflight", check.run)

    def _flush(self) -> None:
        for pump in self._stage.pumps:
            pump.wait()
        self._console.end()
        self._announcer.join()
        self._post(events.OutputFlushed())


def _look_away(_anything: object) -> None:
    """Nobody wants to know."""
