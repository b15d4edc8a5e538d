"""One worker through all its generations: what can happen to it, and the steps that follow.

A restart is neither a state nor a flag: a generation drains while the goal is still UP, so the next one
starts.
"""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.backoff import Backoff
from reloader.deciding.generation import Generation, StartContext
from reloader.deciding.generations import Generations
from reloader.deciding.restart_pace import RestartPace
from reloader.deciding.transitions import (
    WORKER_TABLE,
    GenerationState,
    Goal,
    ImpossibleError,
    WorkerInput,
    WorkerState,
)
from reloader.errors import ExitCode
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

# The snapshot before a start is awaited so long, in seconds, should a file system hang.
PREPARE_TIMEOUT = 5.0
# A worker that was at work for this long, in seconds, did not crash at its start.
SETTLED = 30.0


class Worker:
    """One worker. Methods take the time and return what to do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = WorkerState.STOPPED
        self.goal = Goal.DOWN
        self.generation = 0
        """The number of the newest one."""
        self.alive = Generations()
        self.finished = False
        self.status = events.ExitStatus()
        """How the worker ended when it last ended by itself."""
        self.start_failure: events.StartFailed | None = None
        """Why the command could not be run at the last start."""
        self._last_at_work: Generation | None = None
        self._deadline: float | None = None
        self._lost: Generation | None = None
        self._alone = False
        """What is due starts when nobody else is left."""
        self._gives_way = False
        """A generation has found an address in use by the one before it: there cannot be two."""
        self._line_came = False
        """Whether the ready line has ever come."""
        self._backoff = Backoff()
        self._restart_pace = RestartPace(settings.hurried)
        self._changes: tuple[events.Change, ...] = ()
        self._noticed_at = 0.0
        self._asked_at = 0.0
        self._gone_at = 0.0
        """When it ended by itself."""
        self._drain_took: float | None = None
        self._killed = False

    @property
    def shown_state(self) -> WorkerState | GenerationState:
        """The state of the worker, or that of the newest generation where it tells more."""
        ending = self.state in (WorkerState.WAITING, WorkerState.STOPPED) and self.alive.at_work is None
        newest = self.alive.newest
        return newest.state if newest and (ending or self.state is WorkerState.RUNNING) else self.state

    @property
    def is_up(self) -> bool:
        """Whether a generation runs that a change would take the place of."""
        return self.state in (WorkerState.RUNNING, WorkerState.HELD)

    def is_gone_since(self, moment: float) -> bool:
        """Whether nothing runs, is due, or did run at that moment, in seconds."""
        return self.state in (WorkerState.EXITED, WorkerState.BACKOFF) and self._gone_at <= moment

    @property
    def is_due(self) -> bool:
        """Whether a start is due, which takes along whatever is saved until then."""
        return self.state in (WorkerState.WAITING, WorkerState.PREPARING)

    @property
    def killed(self) -> bool:
        """Whether anything had to be killed at the end, or may have to be now."""
        return self._killed or any(one.killed for one in self.alive)

    @property
    def deadline(self) -> float | None:
        """When to call `deadline_passed`; None when only something that happens matters."""
        return min((d for d in (self._deadline, self.alive.deadline) if d is not None), default=None)

    # --- what can happen --------------------------------------------------------------------------

    def start(self, now: float) -> list[effects.Effect]:
        """The first start. There is no earlier snapshot to bring up to date, so none is awaited."""
        self.goal = Goal.UP
        self._noticed_at = self._asked_at = now
        return self._launch(now)

    def restart(
        self, now: float, changes: tuple[events.Change, ...] = (), noticed_at: float | None = None
    ) -> list[effects.Effect]:
        """The files changed, which was noticed at that time, or the user asked."""
        if self.goal is Goal.GONE:
            return []
        self.goal = Goal.UP
        self._changes = changes
        self._noticed_at = now if noticed_at is None else noticed_at
        self._backoff.reset()
        return self._meet(WorkerInput.RESTART, now)

    def orphaned(self, now: float, number: int) -> list[effects.Effect]:
        """Its guard is gone, and with that the system has told this generation to stop."""
        one = self.alive.find(number)
        if one is None or not one.is_wanted:
            return []
        self._changes = ()
        self._noticed_at = now
        self._lost = one
        return one.stop(now) + self._meet(WorkerInput.ORPHANED, now)

    def kill_now(self, now: float) -> list[effects.Effect]:
        """The user will not wait for a drain any longer."""
        return self.alive.kill(now)

    def postpone(self, seconds: float) -> None:
        """The worker and we were stopped for so long: no time has passed for it."""
        if self._deadline is not None:
            self._deadline += seconds
        self.alive.postpone(seconds)

    def stop(self, now: float, goal: Goal) -> list[effects.Effect]:
        """End the worker; with GONE for good."""
        self.goal = max(self.goal, goal)
        return self._meet(WorkerInput.STOP, now) + self._finish_if_gone()

    def force(self, now: float) -> list[effects.Effect]:
        """End it at once."""
        self.goal = Goal.GONE
        return self._meet(WorkerInput.FORCE, now)

    def prepared(self, now: float, number: int) -> list[effects.Effect]:
        """The snapshot for the coming generation is in place."""
        if number != self.generation + 1:
            return []
        return self._meet(WorkerInput.PREPARED, now)

    def memory_short(self, now: float, event: events.MemoryShort) -> list[effects.Effect]:
        """There is less memory free than the one at work uses, which the coming generation needs as well."""
        if event.generation != self.generation + 1 or not self.is_due or self._alone:
            return []
        return [effects.Tell(event), *self._meet(WorkerInput.SHORT, now)]

    def address_taken(self, now: float, number: int, addresses: tuple[str, ...]) -> list[effects.Effect]:
        """This generation finds an address in use, by which an older one listens."""
        if number != self.generation:
            return []
        one = self.alive.find(number)
        if one is not None:
            one.taken = () if self.settings.ready and one.state is GenerationState.READY else addresses
            return []
        # Its end was known sooner than its last words.
        lost = self._lost is not None and self._lost.number == number
        return self._give_way(now, addresses) if lost and self.state is WorkerState.HELD else []

    def started(self, now: float, event: events.WorkerStarted) -> list[effects.Effect]:
        """The first process of this generation runs."""
        one = self.alive.find(event.generation)
        return [] if one is None else self._note_start(one, one.started(now, event))

    def ready(self, now: float, number: int) -> list[effects.Effect]:
        """The ready line came."""
        self._line_came = True
        one = self.alive.find(number)
        return [] if one is None else self._note_start(one, one.ready(now)) + self._hand_over(now)

    def launch_lost(self, now: float, event: events.LaunchLost) -> list[effects.Effect]:
        """A start was lost before the worker ran; it is tried again, or given up."""
        one = self.alive.get(event.generation)
        wanted = one.is_wanted
        result = one.launch_lost(now, event.why)
        if one.state is not GenerationState.ENDED:
            return result
        if not wanted:
            return [effects.ReapWorker(one.number), *self._bury(now, one, wanted)]
        reason = f"cannot start the worker: {event.why}, again and again"
        failure = events.StartFailed(event.generation, reason, "", ExitCode.FAILED)
        return self._start_failed(now, one, wanted, failure)

    def start_failed(self, now: float, failure: events.StartFailed) -> list[effects.Effect]:
        """The command could not be run; no process exists."""
        one = self.alive.get(failure.generation)
        wanted = one.is_wanted
        one.failed(now, failure)
        return self._start_failed(now, one, wanted, failure)

    def _start_failed(
        self, now: float, one: Generation, wanted: bool, failure: events.StartFailed
    ) -> list[effects.Effect]:
        result: list[effects.Effect] = [effects.ReapWorker(one.number)]
        one.failure = self.start_failure = failure
        if failure.generation == 1 and not failure.passing:
            # A command that has never run is a mistake on the command line, not code to be mended.
            self.goal = Goal.GONE
            if not wanted:
                self._enter(WorkerState.STOPPED)
        if not wanted and self.goal is not Goal.GONE:
            result.append(effects.Tell(notices.CannotStart(failure.reason, failure.remedy, None)))
        result += self._bury(now, one, wanted)
        if self.state is WorkerState.STOPPED and self.goal is Goal.GONE:
            # With overlap the next one may be on its way already.
            result += self.alive.stop(now, quitting=True)
        return result

    def exited(self, now: float, number: int, status: events.ExitStatus) -> list[effects.Effect]:
        """The first process of this generation has ended and its tree is empty."""
        one = self.alive.get(number)
        wanted = one.is_wanted
        result = one.exited(now, status)
        return [effects.ReapWorker(number), *result, *self._bury(now, one, wanted)]

    def refused(self, now: float, number: int) -> None:
        """The system does not let us signal some of this generation."""
        one = self.alive.find(number)
        if one is not None:
            one.refuse(now)

    def deadline_passed(self, now: float) -> list[effects.Effect]:
        """`deadline` is over."""
        result: list[effects.Effect] = []
        if self._deadline is not None and now >= self._deadline:
            result += self._meet(WorkerInput.DEADLINE, now)
        result += self.alive.deadline_passed(now)
        newest = self.alive.find(self.generation)
        if newest and self.state is WorkerState.RUNNING and not newest.is_wanted:
            self._lost = newest  # it was given up
            result += self._meet(WorkerInput.LOST, now)
        result += self._hand_over(now)
        if self.goal is Goal.GONE and self.alive and all(one.unkillable for one in self.alive):
            result += self._abandon()
        return result

    def take_along(self, changes: tuple[events.Change, ...]) -> None:
        """These were made while a start is due, which takes them along."""
        self._changes = tuple(sorted({*self._changes, *changes}))

    def due(self, now: float) -> notices.Pending | None:
        """The start that is due, or that follows by itself, and in how many seconds."""
        if self.state is WorkerState.BACKOFF:
            left = None if self._deadline is None else max(0.0, self._deadline - now)
            return notices.Pending(notices.Wait.RETRY, (), left)
        return notices.Pending(notices.Wait.START, self._changes) if self.is_due else None

    def last_start(self, now: float) -> notices.LastStart | None:
        """How the last generation came to be at work; None while none has."""
        return None if self._last_at_work is None else self._last_at_work.last_start(now)

    # --- what these share --------------------------------------------------------------------------

    def _note_start(self, one: Generation, result: list[effects.Effect]) -> list[effects.Effect]:
        if one.number == self.generation and one.has_worked:
            self._last_at_work = one
        return result

    def _hand_over(self, now: float) -> list[effects.Effect]:
        """Where the newest is ready, nobody else is wanted any more."""
        newest = self.alive.find(self.generation)
        ready = newest is not None and newest.state is GenerationState.READY
        return self.alive.hand_over(now, self.generation) if ready else []

    def _bury(self, now: float, one: Generation, wanted: bool) -> list[effects.Effect]:
        """The generation has ended, though it was wanted or because it was not."""
        self.alive.remove(one)
        self._killed = self._killed or (one.killed and self.goal is not Goal.UP)
        if self.finished:
            return []  # it was given up, and ended after all
        result: list[effects.Effect] = []
        if wanted:
            self._lost = one
            result += self._meet(WorkerInput.LOST, now)
        else:
            if self.state is WorkerState.WAITING:
                self._drain_took = now - self._asked_at
            awaited = self.goal is Goal.UP and not self.settings.overlap
            if not awaited and not one.killed and one.status is not None:
                result.append(effects.Tell(notices.Drained(one.drained_for(now), one.label)))
            result += self._meet(WorkerInput.ENDED, now)
        return result + self._finish_if_gone()

    def _finish_if_gone(self) -> list[effects.Effect]:
        if self.state is WorkerState.STOPPED and self.goal is Goal.GONE and not self.alive:
            self.finished = True
        return []

    # --- steps, as WORKER_TABLE names them ------------------------------------------------------------

    def _meet(self, happening: WorkerInput, now: float) -> list[effects.Effect]:
        name = WORKER_TABLE[self.state][happening]
        if name == "impossible":
            raise ImpossibleError(f"{happening.value} while {self.state.value}")
        step: Callable[[float], list[effects.Effect]] = getattr(self, f"_{name}")
        return step(now)

    def _ignore(self, _now: float) -> list[effects.Effect]:
        return []

    _stay = _ignore

    def _rest(self, now: float) -> list[effects.Effect]:
        self._enter(WorkerState.STOPPED)
        return self.alive.stop(now, quitting=self.goal is not Goal.UP)

    def _force(self, now: float) -> list[effects.Effect]:
        self._enter(WorkerState.STOPPED)
        return self._abandon() if self.alive.are_all(GenerationState.KILLING) else self.alive.force(now)

    def _start_again(self, now: float) -> list[effects.Effect]:
        return [effects.Tell(notices.StartingAgain(self._changes)), *self._ask(now)]

    def _retry(self, now: float) -> list[effects.Effect]:
        self._noticed_at = now
        self._changes = ()
        return self._ask(now)

    def _replace(self, now: float) -> list[effects.Effect]:
        if not self.settings.overlap or self._gives_way:
            return self._drain_first(now)
        newest, at_work = self.alive.find(self.generation), self.alive.at_work
        if newest and newest.is_coming:
            # It may have served somebody, if it tells nothing of being ready; so it is stopped as any other.
            return newest.stop(now, self._changes) + self._ask(now)
        if self.settings.ready and not self._line_came:
            # For want of the same line the new one would be given up, every time.
            return [effects.Tell(notices.NoLineCame()), *self._drain_first(now)]
        coming = self.generation + 1
        weigh: list[effects.Effect] = [effects.CheckMemory(coming, at_work.number)] if at_work else []
        return [effects.Tell(notices.StartingBeside(self._changes, coming)), *weigh, *self._ask(now)]

    def _drain_first(self, now: float) -> list[effects.Effect]:
        """What comes next starts when nobody is left."""
        self._alone = True
        return self.alive.stop(now, self._changes) + self._ask(now)

    def _make_room(self, now: float) -> list[effects.Effect]:
        """The same, found out while the next start was due already."""
        self._alone = True
        return self.alive.stop(now, self._changes) + self._seek_room(now)

    def _start_over(self, now: float) -> list[effects.Effect]:
        """The newest takes the place of an older one; but what is in its place?"""
        one = self._the_lost()
        return self._ask(now) if self.state is WorkerState.HELD or one.number == self.generation else []

    def _ask(self, now: float) -> list[effects.Effect]:
        self._drain_took = None
        self._asked_at = now
        result = self._seek_room(now)
        if self.state is WorkerState.WAITING and self.settings.overlap and not self._alone:
            numbers = tuple(one.number for one in self.alive.draining)
            result.append(effects.Tell(notices.AwaitingRoom(numbers, self.settings.max_draining)))
        return result

    def _seek_room(self, now: float) -> list[effects.Effect]:
        """Wait until the next generation may be there, then for the snapshot.

        Supervisor orders that as soon as the files are quiet.
        """
        if len(self.alive) > (0 if self._alone else self.settings.room):
            self._enter(WorkerState.WAITING)
        else:
            self._enter(WorkerState.PREPARING, now + PREPARE_TIMEOUT)
        return []

    def _launch(self, now: float) -> list[effects.Effect]:
        self.generation += 1
        self.start_failure = None
        self._alone = self._gives_way
        asked = StartContext(self._noticed_at, self._asked_at, self._drain_took, self._changes)
        self.alive.add(Generation(self.generation, self.settings, now, asked))
        self._enter(WorkerState.RUNNING)
        return [effects.StartWorker(self.generation), *self._restart_pace.started(now)]

    def _fall_back(self, now: float) -> list[effects.Effect]:
        """The newest one is lost, or an earlier one while the newest is on its way."""
        lost, at_work = self._the_lost(), self.alive.at_work
        if lost.number != self.generation:
            return self._bridge(now)
        # Where no line tells that it is ready, it may have been taken for that.
        at_start = lost.ended_at_start or self.settings.ready or now - lost.started_at < SETTLED
        if lost.taken and at_start and self.goal is Goal.UP:
            return self._give_way(now, lost.taken)
        if at_work is None:
            return self._follow_on_exit(now)
        self._enter(WorkerState.HELD)
        return self._tell_loss(now, lost, other=at_work.number)

    def _give_way(self, now: float, addresses: tuple[str, ...]) -> list[effects.Effect]:
        """The newest is lost for want of an address that the old one has: there is nothing wrong with it."""
        self._gives_way = True
        return [effects.Tell(notices.AddressInUse(addresses, self.generation)), *self._drain_first(now)]

    def _bridge(self, now: float) -> list[effects.Effect]:
        """The one at work is lost while its successor is on its way."""
        if self.settings.on_exit is OnExit.QUIT:
            return self._follow_on_exit(now) + self._rest(now)
        coming = self.generation + (0 if self.state is WorkerState.RUNNING else 1)
        return self._tell_loss(now, self._the_lost(), other=coming)

    def _bridge_and_seek_room(self, now: float) -> list[effects.Effect]:
        result = self._bridge(now)
        return result + self._seek_room(now) if self.state is WorkerState.WAITING else result

    def _follow_on_exit(self, now: float) -> list[effects.Effect]:
        lost = self._the_lost()
        self._gone_at = now
        self.status = lost.status or events.ExitStatus()
        if now - lost.started_at >= SETTLED:
            self._backoff.reset()
        retry_in = None
        if self.goal is Goal.GONE or self.settings.on_exit is OnExit.QUIT:
            self.goal = Goal.GONE
            self._enter(WorkerState.STOPPED)
        elif self.settings.on_exit is OnExit.RESTART:
            retry_in = self._backoff.next()
            self._enter(WorkerState.BACKOFF, now + retry_in)
        else:
            self._enter(WorkerState.EXITED)
        return self._tell_loss(now, lost, retry_in)

    def _tell_loss(
        self, now: float, lost: Generation, retry_in: float | None = None, other: int | None = None
    ) -> list[effects.Effect]:
        quitting = self.goal is Goal.GONE
        if lost.failure is not None:
            # Where the run ends with it, whoever started us is told instead.
            told = notices.CannotStart(lost.failure.reason, lost.failure.remedy, retry_in, other)
            return [] if quitting else [effects.Tell(told)]
        if lost.status is None:
            return [effects.Tell(notices.NotReady(self.settings.ready_within, lost.number, other or 0))]
        crashed = lost.ended_at_start and lost.status != events.ExitStatus(code=0)
        took = now - lost.started_at
        return [
            effects.Tell(
                notices.EndedItself(lost.status, took, crashed, retry_in, quitting, lost.label, other)
            )
        ]

    # --- what the steps share ---------------------------------------------------------------------

    def _the_lost(self) -> Generation:
        assert self._lost is not None
        return self._lost

    def _abandon(self) -> list[effects.Effect]:
        self._enter(WorkerState.STOPPED)
        self.finished = True
        return []

    def _enter(self, state: WorkerState, deadline: float | None = None) -> None:
        self.state = state
        self._deadline = deadline
