"""The life of one worker: the steps that the table of states.py names.

A restart is no state and no flag: the worker drains while the goal is still UP, so it starts again.
"""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.backoff import Backoff
from reloader.deciding.drain import Drain, kill
from reloader.deciding.states import TABLE, Goal, Happening, Impossible, WorkerState
from reloader.effects import Effect, KillWorker, ReapWorker, StartWorker, StopWorker, Tell
from reloader.events import Change, ExitStatus, StartFailed
from reloader.notices import (
    AssumedReady,
    CannotStart,
    Drained,
    Draining,
    EndedItself,
    Ready,
    Started,
    StartingAgain,
    StillDraining,
    Unkillable,
)
from reloader.settings import OnExit, Settings

# The snapshot before a start is awaited so long, in seconds, should a file system hang.
PREPARE_TIMEOUT = 5.0
# A worker that was at work for this long, in seconds, did not crash at its start.
SETTLED = 30.0


class Worker:
    """One worker through all its generations. Methods take the time and return what to do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = WorkerState.STOPPED
        self.goal = Goal.DOWN
        self.generation = 0
        self.pid: int | None = None
        self.how: str | None = None
        self.finished = False
        self.killed = False
        """Whether the last generation was killed instead of drained."""
        self.status = ExitStatus()
        self.deadline: float | None = None
        self._backoff = Backoff()
        self._changes: tuple[Change, ...] = ()
        self._noticed_at = 0.0
        self._asked_at = 0.0
        self.started_at = 0.0
        self._drain_took: float | None = None
        self.drain_clock = Drain(0.0, None)
        self._killed_at = 0.0
        self.start_failure: StartFailed | None = None
        """Why the command could not be run at the last start."""

    # --- what can happen --------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """The first start. There is no earlier snapshot to bring up to date, so none is awaited."""
        self.goal = Goal.UP
        self._noticed_at = self._asked_at = now
        return self._launch(now)

    def restart(
        self, now: float, changes: tuple[Change, ...] = (), noticed_at: float | None = None
    ) -> list[Effect]:
        """The files changed, which was noticed at that time, or the user asked."""
        if self.goal is Goal.GONE:
            return []
        self.goal = Goal.UP
        self._changes = changes
        self._noticed_at = now if noticed_at is None else noticed_at
        self._backoff.reset()
        return self._meet(Happening.RESTART, now)

    def orphaned(self, now: float) -> list[Effect]:
        """Its parent, the guard, is gone, and with that the system has told it to stop."""
        self._changes = ()
        self._noticed_at = now
        return self._meet(Happening.ORPHANED, now)

    def kill_now(self, now: float) -> list[Effect]:
        """The user will not wait for this drain any longer."""
        return self._meet(Happening.KILL, now)

    def postpone(self, seconds: float) -> None:
        """The worker and we were stopped for so long: no time has passed for it."""
        self.started_at += seconds
        self._killed_at += seconds
        self.drain_clock.postpone(seconds)
        if self.deadline is not None:
            self.deadline += seconds

    def stop(self, now: float, goal: Goal) -> list[Effect]:
        """End the worker; with GONE for good."""
        self.goal = max(self.goal, goal)
        self._changes = ()
        effects = self._meet(Happening.STOP, now)
        return effects + self._finish_if_gone()

    def force(self, now: float) -> list[Effect]:
        """End it at once."""
        self.goal = Goal.GONE
        return self._meet(Happening.FORCE, now)

    def prepared(self, now: float, generation: int) -> list[Effect]:
        """The snapshot for the coming generation is in place."""
        if generation != self.generation + 1:
            return []
        return self._meet(Happening.PREPARED, now)

    def started(self, now: float, generation: int, pid: int, how: str | None = None) -> list[Effect]:
        """The leader of this generation runs; only now its pid is known."""
        if generation != self.generation:
            return []
        self.pid, self.how = pid, how
        if self.settings.ready or self.state is not WorkerState.STARTING:
            return []
        detect = self._asked_at - self._noticed_at
        return [Tell(Started(pid, now - self._noticed_at, detect, self._drain_took, how))]

    def ready(self, now: float, generation: int) -> list[Effect]:
        """The ready line came."""
        if generation != self.generation:
            return []
        return self._meet(Happening.READY, now)

    def start_failed(self, now: float, failure: StartFailed) -> list[Effect]:
        """The command could not be run; no process exists."""
        if failure.generation != self.generation:
            raise Impossible(f"start of generation {failure.generation} failed in {self.generation}")
        self.start_failure = failure
        if failure.generation == 1 and not failure.passing:
            # A command that has never run is a mistake on the command line, not code to be mended.
            self.goal = Goal.GONE
        return self._meet(Happening.FAILED, now) + self._finish_if_gone()

    def exited(self, now: float, generation: int, status: ExitStatus) -> list[Effect]:
        """The leader has ended and its tree is empty."""
        if generation != self.generation:
            raise Impossible(f"generation {generation} exited in {self.generation}")
        self.status = status
        if self.finished:
            return [ReapWorker(generation)]  # it was given up, and ended after all
        effects = self._meet(Happening.EXITED, now)
        self.pid = None
        return [ReapWorker(generation), *effects, *self._finish_if_gone()]

    def deadline_passed(self, now: float) -> list[Effect]:
        """`deadline` is over."""
        return self._meet(Happening.DEADLINE, now) + self._finish_if_gone()

    # --- steps, as TABLE names them ---------------------------------------------------------------

    def _meet(self, happening: Happening, now: float) -> list[Effect]:
        name = TABLE[self.state][happening]
        if name == "impossible":
            raise Impossible(f"{happening.value} while {self.state.value}")
        step: Callable[[float], list[Effect]] = getattr(self, f"_{name}")
        return step(now)

    def _ignore(self, _now: float) -> list[Effect]:
        return []

    _stay = _ignore

    def _rest(self, _now: float) -> list[Effect]:
        self._enter(WorkerState.STOPPED)
        return []

    def _abandon(self, _now: float) -> list[Effect]:
        self._enter(WorkerState.STOPPED)
        self.finished = True
        return []

    def _start_again(self, now: float) -> list[Effect]:
        return [Tell(StartingAgain(self._changes)), *self._ask(now)]

    def _retry(self, now: float) -> list[Effect]:
        self._noticed_at = now
        return self._ask(now)

    def _ask(self, now: float) -> list[Effect]:
        self._drain_took = None
        self._asked_at = now
        return self._prepare(now)

    def _prepare(self, now: float) -> list[Effect]:
        """Wait for the snapshot; Supervisor orders it as soon as the files are quiet."""
        self._enter(WorkerState.PREPARING, now + PREPARE_TIMEOUT)
        return []

    def _launch(self, now: float) -> list[Effect]:
        self.generation += 1
        self.pid = None
        self.killed = False
        self.start_failure = None
        self.started_at = now
        self._enter(WorkerState.STARTING, now + self.settings.start_timeout)
        return [StartWorker(self.generation)]

    def _be_ready(self, now: float) -> list[Effect]:
        self._enter(WorkerState.READY)
        detect, start = self._asked_at - self._noticed_at, now - self.started_at
        return [Tell(Ready(self.pid, now - self._noticed_at, detect, start, self._drain_took, self.how))]

    def _assume_ready(self, _now: float) -> list[Effect]:
        self._enter(WorkerState.READY)
        if self.settings.ready is None:
            return []
        return [Tell(AssumedReady(self.settings.start_timeout))]

    def _drain(self, now: float) -> list[Effect]:
        self._asked_at = now
        timeout = self.settings.stop_timeout
        self.drain_clock = Drain(now, timeout)
        self._enter(WorkerState.DRAINING, self.drain_clock.next_word(now))
        quitting = self.goal is not Goal.UP
        told = Draining(self.pid, self._changes, self.settings.stop_signal, timeout, quitting)
        return [StopWorker(self.generation), Tell(told)]

    def _wait_or_kill(self, now: float) -> list[Effect]:
        drain = self.drain_clock
        if drain.is_over(now):
            return self._kill(now)
        self.deadline = drain.next_word(now)
        told = StillDraining(self.pid, now - drain.began_at, drain.left(now), drain.is_reminder(now))
        return [Tell(told)]

    def _kill(self, now: float) -> list[Effect]:
        forced = self.state is not WorkerState.DRAINING or not self.drain_clock.is_over(now)
        timeout = None if forced else self.settings.stop_timeout
        self.killed = True
        self._killed_at = now
        self._enter(WorkerState.KILLING, now + self.settings.kill_timeout)
        return kill(self.settings, self.generation, self.pid, timeout)

    def _complain(self, now: float) -> list[Effect]:
        told: list[Effect] = [KillWorker(self.generation), Tell(Unkillable(now - self._killed_at))]
        if self.goal is Goal.GONE:
            return told + self._abandon(now)
        self.deadline = now + self.settings.kill_timeout
        return told

    def _follow_goal(self, now: float) -> list[Effect]:
        self._drain_took = now - self.drain_clock.began_at
        if self.goal is Goal.UP:
            return self._prepare(now)
        told: list[Effect] = [] if self.killed else [Tell(Drained(self._drain_took))]
        return told + self._rest(now)

    def _end_itself(self, now: float) -> list[Effect]:
        at_start = self.state is WorkerState.STARTING and self.status != ExitStatus(code=0)
        alive = now - self.started_at
        if alive >= SETTLED:
            self._backoff.reset()
        retry_in = self._after_the_end(now)
        quitting = self.goal is Goal.GONE
        return [Tell(EndedItself(self.status, alive, at_start, retry_in, quitting))]

    def _fail(self, now: float) -> list[Effect]:
        return self._tell_failure(self._after_the_end(now))

    def _fail_late(self, now: float) -> list[Effect]:
        """A stop was asked before the failed start was known."""
        return [*self._tell_failure(None), *self._follow_goal(now)]

    def _tell_failure(self, retry_in: float | None) -> list[Effect]:
        failure = self.start_failure
        if failure is None or self.goal is Goal.GONE:
            return []  # the run ends with it: whoever started us is told instead
        return [Tell(CannotStart(failure.reason, failure.remedy, retry_in))]

    def _after_the_end(self, now: float) -> float | None:
        """Follow --on-exit; return the seconds until the next start where there is one."""
        if self.goal is Goal.GONE or self.settings.on_exit is OnExit.QUIT:
            self.goal = Goal.GONE
            self._enter(WorkerState.STOPPED)
        elif self.settings.on_exit is OnExit.RESTART:
            delay = self._backoff.next()
            self._enter(WorkerState.BACKOFF, now + delay)
            return delay
        else:
            self._enter(WorkerState.EXITED)
        return None

    def _enter(self, state: WorkerState, deadline: float | None = None) -> None:
        self.state = state
        self.deadline = deadline

    def _finish_if_gone(self) -> list[Effect]:
        if self.state is WorkerState.STOPPED and self.goal is Goal.GONE:
            self.finished = True
        return []
