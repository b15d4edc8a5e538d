"""The decisions of a run: touched files are compared, changes restart the worker, signals end the run.

Pure: an event and the time go in, effects come out, and `deadline` says when to call again.
"""

from __future__ import annotations

import signal
from functools import partial

from reloader.deciding.commands import Commands
from reloader.deciding.pending_changes import PendingChanges
from reloader.deciding.preflight_gate import Answer, PreflightGate
from reloader.deciding.restart_limit import RestartLimit
from reloader.deciding.status import StatusReport
from reloader.deciding.template_status import TemplateStatus
from reloader.deciding.transitions import GenerationState, Goal, WorkerState
from reloader.deciding.worker import Worker
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

QUIT_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGQUIT})
# A terminal's Ctrl-C reaches a process manager and us at once, and the manager then sends its own
# SIGTERM, at once or a moment later: a different signal this soon, in seconds, after the first is the same
# wish told twice.
ECHO = 3.0
# Others pass the same signal on that the terminal has sent to us as well (docs/concepts/stopping.md has the
# times). Nobody presses a key twice as fast.
PASSED_ON = 0.25
# After a forced end nobody waits longer than this, in seconds, for a reader that does not read.
FORCED_FLUSH = 1.0


class Supervisor:
    """Decides everything. Not before `finished` is the run over."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.worker = Worker(settings)
        self.finished = False
        self.died_by: int | None = None
        """The signal that ended the run by force; the process shall die by it."""
        self._pending = PendingChanges(settings.debounce, settings.max_wait)
        self._gate = PreflightGate(settings)
        self._restart_limit = RestartLimit()
        self._template = TemplateStatus(settings.why_cold, self.worker)
        status = StatusReport(settings, self.worker, self._gate, self._pending, self._template).status
        self._commands = Commands(
            self.worker, self._pending, status, partial(self._quit_once, signal.SIGTERM)
        )
        self._baseline_for = 0
        self._seen: frozenset[events.Change] = frozenset()
        self._quit_by: int | None = None
        self._quit_at = 0.0
        """The signal that asked for the end, and when it came."""
        self._heard = 0, 0.0
        """The last signal that asked for the end, and when."""
        self._has_repeated = False
        """Whether somebody above us has passed that on."""
        self._begins_anew = False
        self._told: set[type] = set()
        """What is told once in a run, and was."""
        self._suspended = False  # no time passes for anybody
        self._flushing = False
        self._flush_deadline: float | None = None
        self._faulty = False

    @property
    def deadline(self) -> float | None:
        """When to come back with DeadlinePassed at the latest; None when only an event matters."""
        if self._suspended:
            return None
        deadlines = (
            *(self.worker.deadline, None if self._commands.leaves_changes else self._pending.deadline),
            *(self._restart_limit.deadline, self._flush_deadline, self._gate.deadline),
        )
        return min((d for d in deadlines if d is not None), default=None)

    @property
    def start_failure(self) -> events.StartFailed | None:
        """The failed start that ends the run."""
        return self.worker.start_failure if self._quit_by is None else None

    @property
    def exit_code(self) -> int:
        """The status to end with, unless `died_by` or `start_failure` says more."""
        if self._faulty or self.worker.killed:
            return 1
        if self._ended_with_worker:
            return self.worker.status.code or 0
        return 0

    @property
    def begins_anew(self) -> bool:
        """Whether the run is over only to begin anew, with other settings."""
        return self._begins_anew and self._quit_by is None and self.died_by is None

    @property
    def _ended_with_worker(self) -> bool:
        return self.settings.on_exit is OnExit.QUIT and self._quit_by is None and not self._begins_anew

    def start(self, now: float) -> list[effects.Effect]:
        """Start the worker at once, and only then look at the tree."""
        return [*self.worker.start(now), effects.BeginWatching()]

    def handle(self, event: events.Event, now: float) -> list[effects.Effect]:
        """Answer one event; raises nothing that an event of the system can cause."""
        before = self.worker.shown_state
        result = self._react(event, now)
        result += [] if self._suspended else self._look_at_the_clock(now)
        if (
            self.settings.learns
            and before in (GenerationState.LAUNCHING, GenerationState.STARTING)
            and self.worker.shown_state is GenerationState.READY
        ):
            result.append(effects.LearnFromWorker())
        return result + self._end(now)

    def _react(self, event: events.Event, now: float) -> list[effects.Effect]:
        worker = self.worker
        match event:
            case events.TreeTouched(paths, age):
                self._pending.touch(now, paths, age)
            case events.TreeCompared():
                return self._compared(event, now)
            case events.TreeBusy():
                if event.generation is not None:
                    self._baseline_for = 0  # a start that is due waits too, within its own limit
                return self._pending.wait_for_git(event, now)
            case events.FilesUnfinished():
                if event.generation is not None:
                    self._baseline_for = 0
                return self._pending.wait_for_files(event, now)
            case events.PreflightPassed():
                return self._let_through(self._gate.passed(event), now)
            case events.PreflightFailed():
                return self._gate.failed(event)
            case events.PromptSeen():
                return self._let_through(self._gate.prompt_seen(event, now), now)
            case (
                events.TemplateBegun()
                | events.TemplateBuilt()
                | events.TemplateFailed()
                | events.TemplateLost()
            ):
                return self._template.heard(event, now)
            case events.BaselineTaken(generation):
                self._seen = frozenset()
                self._pending.looked_at()
                return worker.prepared(now, generation)
            case events.MemoryShort():
                return worker.memory_short(now, event)
            case events.AddressTaken(generation, addresses):
                return worker.address_taken(now, generation, addresses)
            case events.FoldersChanged(folders):
                return [effects.WatchFolders(folders)]
            case events.SignalRefused(generation):
                worker.refused(now, generation)
                return self._tell_once(event)
            case events.TargetDoubtful() | events.TargetUnmoved():
                return self._tell_once(event)
            case events.GuardLost(generation):
                return [effects.Tell(event), *worker.orphaned(now, generation)]
            case events.WorkerStarted():
                return worker.started(now, event)
            case events.LaunchLost():
                return worker.launch_lost(now, event)
            case events.StartFailed():
                return worker.start_failed(now, event)
            case events.WorkerReady(generation):
                return worker.ready(now, generation)
            case events.WorkerExited(generation, status):
                return worker.exited(now, generation, status)
            case events.Requested(peer, verb):
                return self._commands.requested(verb, peer, now)
            case events.CameToForeground():
                return [effects.TakeTerminal(), effects.FollowSize()]
            case events.KeyPressed(key):
                return self._commands.pressed(key, now)
            case events.Resumed(seconds):
                self._suspended = False
                worker.postpone(seconds)
            case events.SignalReceived() if self._is_passed_on(event, now):
                return []
            case events.SignalReceived(number, at_prompt):
                passed = self._commands.interrupted(now) if at_prompt and self._quit_by is None else []
                return passed or self._signalled(number, now)
            case events.OutputClosed():
                return self._quit_once(signal.SIGPIPE, now)
            case events.OutputFlushed():
                self.finished = self._flushing
            case events.SourceFailed():
                self._faulty = True
                return [effects.Tell(event), *self._quit(signal.SIGABRT, now)]
            case _ if isinstance(event, notices.ToldEvent):
                return [effects.Tell(event)]
        return []

    def _tell_once(self, event: notices.ToldEvent) -> list[effects.Effect]:
        """Tell what would be told in the same words at every restart."""
        if type(event) in self._told:
            return []
        self._told.add(type(event))
        return [effects.Tell(event)]

    def _compared(self, event: events.TreeCompared, now: float) -> list[effects.Effect]:
        self._pending.looked_at()
        told: list[effects.Effect] = []
        changes = event.changes
        if (
            event.unchanged
            and self.worker.goal is Goal.UP
            and self.worker.is_gone_since(self._pending.noticed_at)
        ):
            # Whatever made it end may have been mended elsewhere.
            changes += tuple(events.Change(file.path, events.Kind.SAVED) for file in event.unchanged)
        elif event.unchanged:
            told.append(effects.Tell(notices.WasUnchanged(event.unchanged)))
        if not changes:
            told += self._gate.clear()
            return told or [effects.Tell(notices.NothingChanged())]
        worker = self.worker
        new = frozenset(changes) - self._seen
        self._seen = frozenset(changes)
        if worker.goal is not Goal.UP:
            return told
        if worker.is_due and not _set_something_else(changes):
            worker.take_along(tuple(new))
            return [*told, *([effects.Tell(notices.ChangesMeanwhile(tuple(sorted(new))))] if new else [])]
        limit = self._restart_limit
        told += map(effects.Tell, limit.set_aside(changes, now, event.own, event.foreign))
        if all(map(limit.is_aside, changes)):
            return told or [effects.Tell(notices.NothingNew())]
        if worker.is_up and self._gate.wants_to_look(changes):
            # During its start a worker has not imported all yet.
            unread = event.unread if worker.shown_state is GenerationState.READY else frozenset()
            asked = self._gate.ask(changes, event.state, unread)
            return told + (asked or [effects.Tell(notices.NothingNew())])
        return told + self._restart(changes, now)

    def _let_through(self, answer: Answer, now: float) -> list[effects.Effect]:
        """What the gate has answered, and the restart that it allows."""
        changes, result = answer
        return result + (self._restart(changes, now) if changes else [])

    def _restart(self, changes: tuple[events.Change, ...], now: float) -> list[effects.Effect]:
        result: list[effects.Effect] = []
        if _set_something_else(changes) and self.worker.goal is Goal.UP:
            self._begins_anew = True
            told = effects.Tell(notices.BeginningAnew(changes))
            return [told, *self._gate.forget(), *self.worker.stop(now, Goal.GONE)]
        if self.worker.goal is Goal.UP:
            if self._restart_limit.restarted(changes, now):
                result.append(effects.NoteWrites())
            self._pending.restarted(now)
        return result + self.worker.restart(now, changes, self._pending.noticed_at)

    def _signalled(self, number: int, now: float) -> list[effects.Effect]:
        if number == signal.SIGCHLD:
            return [effects.ReapOrphans()]
        if number == signal.SIGWINCH:
            return [effects.FollowSize()]
        if number == signal.SIGTSTP:
            self._suspended = True
            return [effects.Suspend()]
        if number == signal.SIGHUP:
            # The shell and the kernel may both send it for one closed terminal.
            return self._quit_once(number, now)
        if self._quit_by in QUIT_SIGNALS:
            is_echo = number != self._quit_by and now - self._quit_at < ECHO
            return [] if is_echo else self._force(number, now)
        return self._quit(number, now)

    def _is_passed_on(self, event: events.SignalReceived, now: float) -> bool:
        """Whether it is the wish to end that was told a moment before, passed on by somebody else."""
        if event.number not in QUIT_SIGNALS:
            return False
        (before, moment), self._heard = self._heard, (event.number, now)
        # Whoever passes it on late does so once.
        limit = PASSED_ON if self._has_repeated else max(PASSED_ON, event.repeated_within)
        is_again = event.number == before and now - moment < limit
        self._has_repeated = self._has_repeated or is_again
        return is_again

    def _quit_once(self, number: int, now: float) -> list[effects.Effect]:
        return [] if self._quit_by is not None else self._quit(number, now)

    def _quit(self, number: int, now: float) -> list[effects.Effect]:
        self._quit_by = number
        self._quit_at = now
        return [*self._gate.forget(), *self.worker.stop(now, Goal.GONE)]

    def _force(self, number: int, now: float) -> list[effects.Effect]:
        self.died_by = number
        if self._flushing:
            self.finished = True
            return []
        return self.worker.force(now)

    def _look_at_the_clock(self, now: float) -> list[effects.Effect]:
        result: list[effects.Effect] = []
        worker = self.worker
        if worker.deadline is not None and now >= worker.deadline:
            result += worker.deadline_passed(now)
        if self._gate.deadline is not None and now >= self._gate.deadline:
            result += self._gate.deadline_passed(now)
        if due := self._restart_limit.due(now):
            self._pending.touch(now, due)
        settled = self._pending.deadline
        pending = settled is not None and now < settled
        if worker.state is WorkerState.PREPARING and worker.generation + 1 != self._baseline_for:
            # Hints that are still coming belong to this start: wait until they have settled.
            if not pending:
                self._baseline_for = worker.generation + 1
                result += self._gate.forget()
                result.append(effects.TakeBaseline(self._baseline_for, *self._pending.settle(now)))
        elif settled is not None and not pending and not self._commands.leaves_changes:
            result.append(effects.CompareTree(*self._pending.settle(now)))
        if worker.state is not WorkerState.PREPARING:
            self._baseline_for = 0
        self.finished = self.finished or (self._flush_deadline is not None and now >= self._flush_deadline)
        return result

    def _end(self, now: float) -> list[effects.Effect]:
        if not self.worker.finished or self._flushing or self.finished:
            return []
        self._flushing = True
        if self._ended_with_worker and self.worker.status.signal is not None:
            self.died_by = self.worker.status.signal
        # What was given up still has its output open.
        if self.died_by is not None or self.worker.alive:
            self._flush_deadline = now + FORCED_FLUSH
        return [effects.FlushOutput()]


def _set_something_else(changes: tuple[events.Change, ...]) -> bool:
    """Whether these changes are of the settings, too."""
    return any(change.kind is events.Kind.SETTINGS for change in changes)
