"""Carries out the supervisor's decisions with processes, threads, files and the terminal. Main thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from signal import SIGINT

from reloader.app.generation_processes import GenerationProcesses
from reloader.app.threads import spawn as spawn_thread
from reloader.common.run_folder import run_folder
from reloader.guard import system
from reloader.messages import effects, events, notices
from reloader.processes import guard_client, signals
from reloader.processes.launch import Launched
from reloader.settings import Settings, SettingsSource
from reloader.showing.console import Console
from reloader.showing.sink import make_sinks
from reloader.showing.wording import is_shown, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reloader.controlling.server import Server
    from reloader.processes.preflight import Preflight, SyntaxCheck
    from reloader.showing.pump import Pump
    from reloader.terminal.keyboard import Keyboard
    from reloader.watching.scanner import Scanner
    from reloader.watching.watcher import Watcher

NO_ADOPTION = notices.Caution(
    "the system refuses prctl(PR_SET_CHILD_SUBREAPER): processes of the worker whose parent has ended "
    "are not found, and may be left behind",
    "allow prctl in the profile of the sandbox or container",
)
# The character of Ctrl-C.
INTERRUPT = b"\x03"
# How many of the processes that a drain waits for are named at most, the busiest first.
SHOWN = 4


class Runtime:
    """Performs effects; their results are posted as events."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        post: Callable[[events.Event], None],
        launched: Launched,
        source: SettingsSource | None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._environment = environment
        self._post = post
        self._spawn = partial(spawn_thread, post)
        self._signals = signals.Signals(post)
        self._patience = 0.0
        """How long, in seconds, a stop signal waits for one that a process manager sends to every process."""
        self._sinks = make_sinks(post=post)
        self._console = Console(settings, self._sinks[1], environment, partial(post, events.OutputClosed()))
        self._began_ns = time.time_ns() - system.CLOCK_TICK_NS
        self._scanner: Scanner | None = None
        self._watcher: Watcher | None = None
        self._watching: threading.Thread | None = None
        self._syntax: SyntaxCheck | None = None
        self._preflight: Preflight | None = None
        self._keyboard: Keyboard | None = None
        self._server: Server | None = None
        self._listening: threading.Thread | None = None
        self._generations = GenerationProcesses(
            settings, environment, post, self._spawn, self._console, self._sinks, launched
        )
        self._console_thread = self._spawn("console", self._console.run)

    def __enter__(self) -> Runtime:
        self._signals.install()
        self._spawn("signals", self._signals.listen)
        if os.isatty(0) and self._console.is_at_terminal:
            from reloader.terminal.keyboard import Keyboard

            self._keyboard = Keyboard(0, self._post, self._generations.restore_modes_later)
            self._take_terminal()
            self._spawn("keyboard", self._keyboard.run)
        return self

    @property
    def pid_to_kill(self) -> int | None:
        """Our pid, where Ctrl-C does not end us since SIGINT is ignored."""
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
            # The thread must not be in watchfiles' native code while the interpreter ends.
            self._watching.join(1.0)
        self._generations.close()
        self._give_terminal_back()
        self._signals.restore()

    # --- events -----------------------------------------------------------------------------------

    def completed(self, event: events.Event) -> Iterable[events.Event]:
        """The events for the supervisor: this one, completed with what is known here of terminals."""
        match event:
            case events.Typed():
                return self._typed(event)
            case events.SignalReceived(number, _, _, sent_to_all_within):
                self._patience = sent_to_all_within
                if number == SIGINT and self._keyboard is not None and self._generations.is_asking():
                    return (events.SignalReceived(number, at_prompt=True),)
        return (event,)

    def _typed(self, event: events.Typed) -> Iterable[events.Event]:
        """Forward what was typed to the worker that reads its terminal; else make key presses of it.

        A terminal's answers go to the worker that has asked.
        """
        assert self._keyboard is not None
        terminal, data = self._generations.reader(), event.data
        keys = () if terminal is not None else event.keys
        if terminal is None and event.answers:
            terminal, data = self._generations.asked_terminal(), event.answers
        fd = None
        if terminal is not None:
            terminal.note_typed(data)
            with suppress(OSError):
                # A copy for the keyboard: the pump closes the original.
                fd = os.dup(terminal.ours)
        self._keyboard.forward(fd, data)
        return map(events.KeyPressed, keys)

    # --- effects ----------------------------------------------------------------------------------

    def perform(self, wanted: list[effects.Effect]) -> None:
        """Carry out the effects in their order; none of them blocks."""
        generations = self._generations
        for effect in wanted:
            match effect:
                case effects.StartWorker(generation, lost):
                    self._console.generation = generation
                    generations.start(generation, lost)
                case effects.StopWorker(generation):
                    generations.stop(generation, self._patience)
                case effects.KillWorker(generation):
                    generations.kill(generation)
                case effects.AbandonStart(generation):
                    generations.abandon(generation)
                case effects.ReapWorker(generation):
                    generations.forget(generation)
                case effects.LearnFromWorker():
                    self._learn()
                case effects.NoteWrites():
                    generations.launcher.note_writes()
                case effects.TakeTemplate(why):
                    generations.launcher.take_template(why)
                case effects.CheckMemory(generation, at_work):
                    generations.check_memory(generation, at_work)
                case effects.Reply(peer, status) if self._server is not None:
                    self._server.reply(peer, status)
                case effects.PassInterrupt():
                    terminal = generations.reader()
                    if terminal is not None:
                        terminal.type(INTERRUPT)
                case effects.LookAtPrompt(number):
                    self._post(events.PromptSeen(number, generations.is_asking()))
                case effects.ClearScreen():
                    self._console.clear()
                case effects.ShowEmptyLine():
                    self._console.show_empty_line()
                case effects.FollowSize():
                    generations.follow_size()
                case effects.Suspend():
                    self._give_terminal_back()
                    generations.suspend()
                    self._take_terminal()
                    # The system reports a new size only to the foreground, where we were not.
                    generations.follow_size()
                case effects.TakeTerminal():
                    self._take_terminal()
                case effects.ReapOrphans():
                    guard_client.reap_orphans()
                case effects.BeginWatching():
                    self._adopt()
                    self._begin_watching()
                    self._begin_listening()
                case effects.CompareTree(paths, at_once) if self._scanner is not None:
                    self._scanner.compare(paths, at_once, generations.launcher.recording())
                case effects.TakeBaseline(generation, paths, at_once) if self._scanner is not None:
                    self._scanner.take_baseline(generation, paths, at_once)
                case effects.Preflight():
                    self._begin_preflight(effect)
                case effects.CancelPreflight() if self._preflight is not None:
                    self._preflight.cancel()
                case effects.WatchFolders(folders) if self._watcher is not None:
                    self._watcher.watch(folders)
                case effects.FlushOutput():
                    self._spawn("flush", partial(self._flush, generations.pumps))
                case effects.Tell(notice):
                    self._tell(notice)

    def _tell(self, notice: notices.Notice) -> None:
        in_place = isinstance(notice, notices.StillDraining) and self._console.can_write_over
        if isinstance(notice, notices.Killing):
            alive = self._generations.in_use(notice.generation)
            notice = notices.Killing(notice.pid, notice.timeout, alive, notice.generation)
        if isinstance(notice, notices.StillDraining):
            alive = self._generations.in_use()
            if not (in_place or notice.now_and_then):
                return
            notice = notices.StillDraining(notice.drains, notice.now_and_then, alive[:SHOWN])
        text, weight = word(notice, self._settings, self._console.knows_links)
        if is_shown(weight, self._settings.verbosity):
            # The worker's last lines come before the line that says it has ended.
            ends = isinstance(notice, notices.EndedItself | notices.AddressInUse)
            after = self._generations.pumps_of(getattr(notice, "generation", None)) if ends else ()
            # Where standard error has failed, on standard output.
            elsewhere = isinstance(notice, events.OutputFailed) and notice.stream == self._sinks[1].name
            self._console.tell(text, weight, after, in_place, self._sinks[0] if elsewhere else None)

    def _adopt(self) -> None:
        """Become the parent of descendants that lose theirs; there are none before a worker runs."""
        from reloader.guard.spawn import become_subreaper

        if not become_subreaper():
            self._tell(NO_ADOPTION)

    def _begin_watching(self) -> None:
        # These imports take a third of our start; the worker is started before.
        from reloader.watching.scanner import Scanner
        from reloader.watching.watcher import Watcher

        self._scanner = Scanner(self._settings, self._began_ns, self._post, self._source)
        self._spawn("scanner", self._scanner.run)
        if self._scanner.contents is not None:
            self._spawn("reader", self._scanner.contents.run)
        if self._settings.poll is None:
            self._watcher = Watcher(self._scanner.heard, self._post, self._scanner.standing)
            self._watching = self._spawn("watcher", self._watcher.run)

    def _begin_listening(self) -> None:
        from reloader.controlling.server import Server

        settings, folder = self._settings, run_folder()
        run = {"name": settings.name, "pid": os.getpid(), "folder": folder, "command": settings.command}
        self._server = Server(run, folder, self._environment, self._post)
        self._listening = self._spawn("control", self._server.run)

    def _learn(self) -> None:
        launcher = self._generations.launcher
        launcher.learn()
        if (recording := launcher.recording()) is not None and self._scanner is not None:
            self._scanner.count_imported(recording)

    def _begin_preflight(self, wanted: effects.Preflight) -> None:
        from reloader.processes.preflight import Preflight, SyntaxCheck

        self._syntax = self._syntax or SyntaxCheck(self._settings.interpreter)
        self._preflight = Preflight(
            *(self._settings, self._environment, wanted.number, wanted.paths, wanted.unread),
            *(self._post, self._syntax, self._generations.spared),
        )
        self._generations.prepare_next()
        self._spawn("preflight", self._preflight.run)

    def _flush(self, pumps: Iterable[Pump]) -> None:
        for pump in pumps:
            pump.wait()
        self._console.end()
        self._console_thread.join()
        self._post(events.OutputFlushed())
