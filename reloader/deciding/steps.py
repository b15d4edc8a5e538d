"""The steps of the worker as a whole, as the table of states.py names them.

A restart is no state and no flag: a generation drains while the goal is still UP, so the next one starts.
"""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.backoff import Backoff
from reloader.deciding.generation import Asked, Generation
from reloader.deciding.generations import Generations
from reloader.deciding.hurry import Hurry
from reloader.deciding.lives import Impossible, Life
from reloader.deciding.states import TABLE, Goal, Happening, Plan
from reloader.effects import Effect, StartWorker, Tell, WeighMemory
from reloader.events import Change, ExitStatus, StartFailed
from reloader.notices import (
    AddressInUse,
    AwaitingRoom,
    CannotStart,
    EndedItself,
    LastStart,
    NoLineCame,
    NotReady,
    StartingAgain,
    StartingBeside,
)
from reloader.settings import OnExit, Settings

# The snapshot before a start is awaited so long, in seconds, should a file system hang.
PREPARE_TIMEOUT = 5.0
# A worker that was at work for this long, in seconds, did not crash at its start.
SETTLED = 30.0


class Steps:
    """What the worker is, and what it does with it; `Worker` says when."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.plan = Plan.STOPPED
        self.goal = Goal.DOWN
        self.generation = 0
        """The number of the newest one."""
        self.alive = Generations()
        self.finished = False
        self.status = ExitStatus()
        """How the worker ended when it last ended by itself."""
        self.start_failure: StartFailed | None = None
        """Why the command could not be run at the last start."""
        self.last_start: LastStart | None = None
        """How the last generation came to be at work, in the main loop's time; None while none has."""
        self._deadline: float | None = None
        self._lost: Generation | None = None
        self._alone = False
        """What is due starts when nobody else is left."""
        self._gives_way = False
        """A generation has found an address in use by the one before it: there cannot be two."""
        self._line_came = False
        """Whether the ready line has ever come."""
        self._backoff = Backoff()
        self._hurry = Hurry(settings.hurried)
        self._changes: tuple[Change, ...] = ()
        self._noticed_at = 0.0
        self._asked_at = 0.0
        self._drain_took: float | None = None

    # --- steps, as TABLE names them ---------------------------------------------------------------

    def _meet(self, happening: Happening, now: float) -> list[Effect]:
        name = TABLE[self.plan][happening]
        if name == "impossible":
            raise Impossible(f"{happening.value} while {self.plan.value}")
        step: Callable[[float], list[Effect]] = getattr(self, f"_{name}")
        return step(now)

    def _ignore(self, _now: float) -> list[Effect]:
        return []

    _stay = _ignore

    def _rest(self, now: float) -> list[Effect]:
        self._enter(Plan.STOPPED)
        return self.alive.stop(now, quitting=self.goal is not Goal.UP)

    def _force(self, now: float) -> list[Effect]:
        self._enter(Plan.STOPPED)
        return self._abandon() if self.alive.are_all(Life.KILLING) else self.alive.force(now)

    def _start_again(self, now: float) -> list[Effect]:
        return [Tell(StartingAgain(self._changes)), *self._ask(now)]

    def _retry(self, now: float) -> list[Effect]:
        self._noticed_at = now
        self._changes = ()
        return self._ask(now)

    def _replace(self, now: float) -> list[Effect]:
        if not self.settings.overlap or self._gives_way:
            return self._drain_first(now)
        newest, at_work = self.alive.find(self.generation), self.alive.at_work
        if newest and newest.state is Life.STARTING:
            # It may have served somebody, if it tells nothing of being ready; so it is stopped as any other.
            return newest.stop(now, self._changes) + self._ask(now)
        if self.settings.ready and not self._line_came:
            # For want of the same line the new one would be given up, every time.
            return [Tell(NoLineCame()), *self._drain_first(now)]
        coming = self.generation + 1
        weigh: list[Effect] = [WeighMemory(coming, at_work.number)] if at_work else []
        return [Tell(StartingBeside(self._changes, coming)), *weigh, *self._ask(now)]

    def _drain_first(self, now: float) -> list[Effect]:
        """What comes next starts when nobody is left."""
        self._alone = True
        return self.alive.stop(now, self._changes) + self._ask(now)

    def _make_room(self, now: float) -> list[Effect]:
        """The same, found out while the next start was due already."""
        self._alone = True
        return self.alive.stop(now, self._changes) + self._seek_room(now)

    def _start_over(self, now: float) -> list[Effect]:
        """The newest takes the place of an older one; but what is in its place?"""
        one = self._the_lost()
        return self._ask(now) if self.plan is Plan.HELD or one.number == self.generation else []

    def _ask(self, now: float) -> list[Effect]:
        self._drain_took = None
        self._asked_at = now
        effects = self._seek_room(now)
        if self.plan is Plan.WAITING and self.settings.overlap and not self._alone:
            numbers = tuple(one.number for one in self.alive.draining)
            effects.append(Tell(AwaitingRoom(numbers, self.settings.max_draining)))
        return effects

    def _seek_room(self, now: float) -> list[Effect]:
        """Wait until the next generation may be there, then for the snapshot.

        Supervisor orders that as soon as the files are quiet.
        """
        if len(self.alive) > (0 if self._alone else self.settings.room):
            self._enter(Plan.WAITING)
        else:
            self._enter(Plan.PREPARING, now + PREPARE_TIMEOUT)
        return []

    def _launch(self, now: float) -> list[Effect]:
        self.generation += 1
        self.start_failure = None
        self._alone = self._gives_way
        asked = Asked(self._noticed_at, self._asked_at, self._drain_took, self._changes)
        self.alive.add(Generation(self.generation, self.settings, now, asked))
        self._enter(Plan.RUNNING)
        return [StartWorker(self.generation), *self._hurry.started(now)]

    def _fall_back(self, now: float) -> list[Effect]:
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
        self._enter(Plan.HELD)
        return self._tell_loss(now, lost, other=at_work.number)

    def _give_way(self, now: float, addresses: tuple[str, ...]) -> list[Effect]:
        """The newest is lost for want of an address that the old one has: there is nothing wrong with it."""
        self._gives_way = True
        return [Tell(AddressInUse(addresses, self.generation)), *self._drain_first(now)]

    def _bridge(self, now: float) -> list[Effect]:
        """The one at work is lost while its successor is on its way."""
        if self.settings.on_exit is OnExit.QUIT:
            return self._follow_on_exit(now) + self._rest(now)
        coming = self.generation + (0 if self.plan is Plan.RUNNING else 1)
        return self._tell_loss(now, self._the_lost(), other=coming)

    def _bridge_and_seek_room(self, now: float) -> list[Effect]:
        effects = self._bridge(now)
        return effects + self._seek_room(now) if self.plan is Plan.WAITING else effects

    def _follow_on_exit(self, now: float) -> list[Effect]:
        lost = self._the_lost()
        self.status = lost.status or ExitStatus()
        if now - lost.started_at >= SETTLED:
            self._backoff.reset()
        retry_in = None
        if self.goal is Goal.GONE or self.settings.on_exit is OnExit.QUIT:
            self.goal = Goal.GONE
            self._enter(Plan.STOPPED)
        elif self.settings.on_exit is OnExit.RESTART:
            retry_in = self._backoff.next()
            self._enter(Plan.BACKOFF, now + retry_in)
        else:
            self._enter(Plan.EXITED)
        return self._tell_loss(now, lost, retry_in)

    def _tell_loss(
        self, now: float, lost: Generation, retry_in: float | None = None, other: int | None = None
    ) -> list[Effect]:
        quitting = self.goal is Goal.GONE
        if lost.failure is not None:
            # Where the run ends with it, whoever started us is told instead.
            told = CannotStart(lost.failure.reason, lost.failure.remedy, retry_in, other)
            return [] if quitting else [Tell(told)]
        if lost.status is None:
            return [Tell(NotReady(self.settings.ready_within, lost.number, other or 0))]
        crashed = lost.ended_at_start and lost.status != ExitStatus(code=0)
        took = now - lost.started_at
        return [Tell(EndedItself(lost.status, took, crashed, retry_in, quitting, lost.called, other))]

    # --- what the steps share ---------------------------------------------------------------------

    def _the_lost(self) -> Generation:
        assert self._lost is not None
        return self._lost

    def _abandon(self) -> list[Effect]:
        self._enter(Plan.STOPPED)
        self.finished = True
        return []

    def _enter(self, plan: Plan, deadline: float | None = None) -> None:
        self.plan = plan
        self._deadline = deadline
