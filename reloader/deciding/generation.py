"""One generation of the worker: what can happen to it, and the steps that GENERATION_TABLE names.

It knows nothing of what is wanted of the worker, nor of other generations.
"""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.drain import Drain, kill
from reloader.deciding.transitions import GENERATION_TABLE, GenerationInput, GenerationState, ImpossibleError
from reloader.messages import effects, events, notices
from reloader.messages.base import Message
from reloader.settings import Settings

# So long, in seconds, the guard of a new worker is awaited before what was asked for it is killed.
LAUNCH_TIMEOUT = 10.0
# So often a start is tried whose guard ends before the worker runs.
LAUNCHES = 5


class StartContext(Message):
    """How a start came about. Times are as the main loop gives them, in seconds."""

    noticed_at: float = 0.0
    """When the first change was noticed, or the user asked."""
    decided_at: float = 0.0
    """When it was decided."""
    drain_took: float | None = None
    """How long the drain took that came before it; None where nothing had to be stopped first."""
    changes: tuple[events.Change, ...] = ()
    """Why; none where the user asked."""

    @property
    def detect(self) -> float:
        """How long it took from the first change to the decision."""
        return self.decided_at - self.noticed_at


class _WorkBegan(Message):
    at: float
    total: float
    start: float | None
    """How long the start took; None where no line tells that it is ready."""


class Generation:
    """One process of the worker, with its tree. Methods take the time and return what to do."""

    def __init__(self, number: int, settings: Settings, now: float, asked: StartContext) -> None:
        self.number = number
        self.settings = settings
        self.state = GenerationState.LAUNCHING
        self.deadline: float | None = now + LAUNCH_TIMEOUT
        self.started_at = now
        self.pid: int | None = None
        self.start_kind: events.StartKind | None = None
        self._launches = 1
        self._why_lost = ""
        self.killed = False
        """Whether SIGKILL was sent to it."""
        self.unkillable = False
        """Whether something of it has survived SIGKILL for the kill timeout."""
        self.refused = False
        """Whether the system does not let us signal some of it: another user's."""
        self.status: events.ExitStatus | None = None
        """How its first process ended; None where there never was one."""
        self.failure: events.StartFailed | None = None
        self.taken: tuple[str, ...] = ()
        """The addresses that it found in use, by which an older one listens."""
        self.ended_at_start = False
        """Whether it ended, by itself or not, before it was ready."""
        self.label = number if settings.overlap else None
        """Its number, where it is told from others."""
        self._work_began: _WorkBegan | None = None
        self._asked = asked
        self._stand_in = False
        self._told_end = False
        self._clock = Drain(now, None)
        self._killed_at = now

    @property
    def is_coming(self) -> bool:
        """Whether it is on its way to be ready."""
        return self.state in (GenerationState.LAUNCHING, GenerationState.STARTING)

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has asked it to end, and it has not."""
        return self.is_coming or self.state is GenerationState.READY

    def alive_for(self, now: float) -> float:
        """Seconds since it was started."""
        return now - self.started_at

    # --- what can happen --------------------------------------------------------------------------

    def started(self, now: float, event: events.WorkerStarted) -> list[effects.Effect]:
        """The first process runs; only now its pid is known."""
        self._meet(GenerationInput.STARTED, now)
        pid, kind = event.pid, event.start_kind
        self.pid, self.start_kind = pid, kind
        if self.settings.ready or not self.is_wanted:
            return []
        asked = self._asked
        total = now - asked.noticed_at
        self._work_began = _WorkBegan(now, total, None)
        told = notices.Started(pid, total, asked.detect, asked.drain_took, kind, self.label)
        return [effects.Tell(told)]

    def ready(self, now: float) -> list[effects.Effect]:
        """The ready line came."""
        return self._meet(GenerationInput.READY, now)

    def stop(
        self,
        now: float,
        changes: tuple[events.Change, ...] = (),
        quitting: bool = False,
        successor: int | None = None,
    ) -> list[effects.Effect]:
        """End it, by the stop signal, because of these changes, the successor, or the user (none)."""
        # Where it drains already, nothing else would tell that the wish to end was heard.
        news = self.is_wanted or (quitting and self.state is GenerationState.DRAINING and not self._told_end)
        result = self._meet(GenerationInput.STOP, now)
        if not news:
            return result
        self._told_end = quitting
        left = self._clock.left(now) if self.state is GenerationState.DRAINING else self.settings.stop_timeout
        told = notices.Draining(
            *(self.pid, changes, self.settings.stop_signal, left and round(left, 1), quitting),
            *(self.label, successor),
        )
        return [*result, effects.Tell(told)]

    def kill(self, now: float) -> list[effects.Effect]:
        """The user will not wait for its drain any longer."""
        return self._meet(GenerationInput.KILL, now)

    def force(self, now: float) -> list[effects.Effect]:
        """End it at once."""
        return self._meet(GenerationInput.FORCE, now)

    def launch_lost(self, now: float, why: str) -> list[effects.Effect]:
        """It was not started; it is tried again while it is wanted, some times."""
        self._why_lost = why
        return self._meet(GenerationInput.LOST, now)

    def failed(self, now: float, failure: events.StartFailed) -> list[effects.Effect]:
        """The command could not be run; no process exists."""
        result = self._meet(GenerationInput.FAILED, now)
        self.failure = failure
        return result

    def exited(self, now: float, status: events.ExitStatus) -> list[effects.Effect]:
        """The first process has ended and its tree is empty."""
        result = self._meet(GenerationInput.EXITED, now)
        self.status = status
        return result

    def refuse(self, now: float) -> None:
        """The system does not let us signal some of it."""
        self.refused = True
        if self.state is GenerationState.DRAINING and self.settings.stop_timeout is None:
            # It drains for as long as it takes only where it has heard of it.
            self._clock.kill_at = now + self.settings.kill_timeout
            self.deadline = self._clock.next_word(now)

    def deadline_passed(self, now: float, stand_in: bool) -> list[effects.Effect]:
        """`deadline` is over. A start of which nothing is known can be given up where there is a stand-in."""
        self._stand_in = stand_in
        return self._meet(GenerationInput.DEADLINE, now)

    def postpone(self, seconds: float) -> None:
        """It and we were stopped for so long: no time has passed for it."""
        self.started_at += seconds
        self._killed_at += seconds
        self._clock.postpone(seconds)
        if self.deadline is not None:
            self.deadline += seconds

    @property
    def has_worked(self) -> bool:
        """Whether it has come to be at work."""
        return self._work_began is not None

    def last_start(self, now: float) -> notices.LastStart:
        """How it came to be at work, once it `has_worked`."""
        assert self._work_began is not None
        began = self._work_began
        asked = self._asked
        return notices.LastStart(
            *(self.number, asked.changes, began.total, asked.detect, asked.drain_took, began.start),
            *(self.start_kind, now - began.at),
        )

    # --- the drain --------------------------------------------------------------------------------

    def drained_for(self, now: float) -> float:
        """Seconds since the stop signal."""
        return now - self._clock.began_at

    def drain(self, now: float) -> notices.DrainOf:
        """The drain as it is told."""
        return notices.DrainOf(self.pid, self.drained_for(now), self._clock.left(now), self.label)

    def is_reminder(self, now: float) -> bool:
        """Whether the user is to be reminded of the drain, even where a line cannot be written over."""
        return self._clock.is_reminder(now)

    # --- steps, as GENERATION_TABLE names them ----------------------------------------------------

    def _meet(self, turn: GenerationInput, now: float) -> list[effects.Effect]:
        name = GENERATION_TABLE[self.state][turn]
        if name == "impossible":
            raise ImpossibleError(f"{turn.value} while generation {self.number} is {self.state.value}")
        step: Callable[[float], list[effects.Effect]] = getattr(self, f"_{name}")
        return step(now)

    def _ignore(self, _now: float) -> list[effects.Effect]:
        return []

    _stay = _ignore

    def _run(self, now: float) -> list[effects.Effect]:
        self._enter(GenerationState.STARTING, now + self.settings.ready_within)
        return []

    def _launch_again(self, now: float) -> list[effects.Effect]:
        if self._launches == LAUNCHES:
            return self._end(now)
        self._launches += 1
        self.deadline = now + LAUNCH_TIMEOUT
        return [effects.StartWorker(self.number, self._why_lost)]

    def _abandon_launch(self, now: float) -> list[effects.Effect]:
        self.deadline = now + LAUNCH_TIMEOUT
        return [effects.AbandonStart(self.number), effects.Tell(notices.LaunchTakesLong(LAUNCH_TIMEOUT))]

    def _be_ready(self, now: float) -> list[effects.Effect]:
        self._enter(GenerationState.READY)
        self.taken = ()
        asked = self._asked
        total, start = now - asked.noticed_at, now - self.started_at
        self._work_began = _WorkBegan(now, total, start)
        times = total, asked.detect, start, asked.drain_took
        return [effects.Tell(notices.Ready(self.pid, *times, self.start_kind, self.label))]

    def _assume_ready_or_give_up(self, now: float) -> list[effects.Effect]:
        if self.settings.ready is None:
            self._enter(GenerationState.READY)
            return []
        if self._stand_in:
            return self._drain(now)
        self._enter(GenerationState.READY)
        return [effects.Tell(notices.AssumedReady(self.settings.ready_within, self.label))]

    def _drain(self, now: float) -> list[effects.Effect]:
        limit = self.settings.stop_timeout
        if self.state is GenerationState.LAUNCHING:
            # Perhaps nobody answers; and what has not begun has no task to end.
            limit = LAUNCH_TIMEOUT if limit is None else min(limit, LAUNCH_TIMEOUT)
        self._clock = Drain(now, limit)
        self._enter(GenerationState.DRAINING, self._clock.next_word(now))
        return [effects.StopWorker(self.number)]

    def _drain_started(self, now: float) -> list[effects.Effect]:
        self._clock = Drain(self._clock.began_at, self.settings.stop_timeout)
        self.deadline = self._clock.next_word(now)
        return []

    def _wait_or_kill(self, now: float) -> list[effects.Effect]:
        if self._clock.is_over(now):
            return self._kill(now)
        self.deadline = self._clock.next_word(now)
        return []

    def _kill(self, now: float) -> list[effects.Effect]:
        forced = self.state is not GenerationState.DRAINING or not self._clock.is_over(now)
        self.killed = True
        self._killed_at = now
        self._enter(GenerationState.KILLING, now + self.settings.kill_timeout)
        return kill(self.settings, self.number, self.pid, None if forced else self.settings.stop_timeout)

    def _complain(self, now: float) -> list[effects.Effect]:
        self.unkillable = True
        self.deadline = now + self.settings.kill_timeout
        return [
            effects.KillWorker(self.number),
            effects.Tell(notices.Unkillable(now - self._killed_at, self.label, self.refused)),
        ]

    def _end(self, _now: float) -> list[effects.Effect]:
        self.ended_at_start = self.is_coming
        self._enter(GenerationState.ENDED)
        return []

    def _enter(self, state: GenerationState, deadline: float | None = None) -> None:
        self.state = state
        self.deadline = deadline
