"""One worker through all its generations: what can happen to it. What it does then stands in steps.py."""

from __future__ import annotations

from reloader.deciding.generation import Generation
from reloader.deciding.lives import Life
from reloader.deciding.states import Goal, Happening, Plan
from reloader.deciding.steps import Steps
from reloader.effects import Effect, ReapWorker, Tell
from reloader.events import Change, ExitStatus, StartFailed
from reloader.notices import CannotStart, Drained, MemoryIsShort, Pending, Wait
from reloader.settings import Settings


class Worker(Steps):
    """One worker. Methods take the time and return what to do."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._killed = False

    @property
    def state(self) -> Plan | Life:
        """The plan, or the newest generation's life where that tells more."""
        ending = self.plan in (Plan.WAITING, Plan.STOPPED) and self.alive.at_work is None
        newest = self.alive.newest
        return newest.state if newest and (ending or self.plan is Plan.RUNNING) else self.plan

    @property
    def is_up(self) -> bool:
        """Whether a generation runs that a change would take the place of."""
        return self.plan in (Plan.RUNNING, Plan.HELD)

    @property
    def is_due(self) -> bool:
        """Whether a start is due, which takes along whatever is saved until then."""
        return self.plan in (Plan.WAITING, Plan.PREPARING)

    @property
    def killed(self) -> bool:
        """Whether anything had to be killed at the end, or may have to be now."""
        return self._killed or any(one.killed for one in self.alive)

    @property
    def deadline(self) -> float | None:
        """When to call `deadline_passed`; None when only something that happens matters."""
        return min((d for d in (self._deadline, self.alive.deadline) if d is not None), default=None)

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

    def orphaned(self, now: float, number: int) -> list[Effect]:
        """Its guard is gone, and with that the system has told this generation to stop."""
        one = self.alive.find(number)
        if one is None or not one.is_wanted:
            return []
        self._changes = ()
        self._noticed_at = now
        self._lost = one
        return one.stop(now) + self._meet(Happening.ORPHANED, now)

    def kill_now(self, now: float) -> list[Effect]:
        """The user will not wait for a drain any longer."""
        return self.alive.kill(now)

    def postpone(self, seconds: float) -> None:
        """The worker and we were stopped for so long: no time has passed for it."""
        if self._deadline is not None:
            self._deadline += seconds
        self.alive.postpone(seconds)

    def stop(self, now: float, goal: Goal) -> list[Effect]:
        """End the worker; with GONE for good."""
        self.goal = max(self.goal, goal)
        return self._meet(Happening.STOP, now) + self._finish_if_gone()

    def force(self, now: float) -> list[Effect]:
        """End it at once."""
        self.goal = Goal.GONE
        return self._meet(Happening.FORCE, now)

    def prepared(self, now: float, number: int) -> list[Effect]:
        """The snapshot for the coming generation is in place."""
        if number != self.generation + 1:
            return []
        return self._meet(Happening.PREPARED, now)

    def memory_short(self, now: float, number: int, needed: int, free: int) -> list[Effect]:
        """There is less memory free than the one at work uses, which the coming generation needs as well."""
        if number != self.generation + 1 or not self.is_due or self._alone:
            return []
        return [Tell(MemoryIsShort(needed, free)), *self._meet(Happening.SHORT, now)]

    def address_taken(self, now: float, number: int, addresses: tuple[str, ...]) -> list[Effect]:
        """This generation finds an address in use, by which an older one listens."""
        if number != self.generation:
            return []
        one = self.alive.find(number)
        if one is not None:
            one.taken = () if self.settings.ready and one.state is Life.READY else addresses
            return []
        # Its end was known sooner than its last words.
        lost = self._lost is not None and self._lost.number == number
        return self._give_way(now, addresses) if lost and self.plan is Plan.HELD else []

    def started(self, now: float, number: int, pid: int, how: str | None = None) -> list[Effect]:
        """The first process of this generation runs."""
        one = self.alive.find(number)
        return [] if one is None else self._note_start(one, one.started(now, pid, how))

    def ready(self, now: float, number: int) -> list[Effect]:
        """The ready line came."""
        self._line_came = True
        one = self.alive.find(number)
        return [] if one is None else self._note_start(one, one.ready(now)) + self._hand_over(now)

    def start_failed(self, now: float, failure: StartFailed) -> list[Effect]:
        """The command could not be run; no process exists."""
        one = self.alive.get(failure.generation)
        wanted = one.is_wanted
        effects = one.failed(now, failure)
        self.start_failure = failure
        if failure.generation == 1 and not failure.passing:
            # A command that has never run is a mistake on the command line, not code to be mended.
            self.goal = Goal.GONE
            if not wanted:
                self._enter(Plan.STOPPED)
        if not wanted and self.goal is not Goal.GONE:
            effects.append(Tell(CannotStart(failure.reason, failure.remedy, None)))
        return effects + self._bury(now, one, wanted)

    def exited(self, now: float, number: int, status: ExitStatus) -> list[Effect]:
        """The first process of this generation has ended and its tree is empty."""
        one = self.alive.get(number)
        wanted = one.is_wanted
        effects = one.exited(now, status)
        return [ReapWorker(number), *effects, *self._bury(now, one, wanted)]

    def refused(self, now: float, number: int) -> None:
        """The system does not let us signal some of this generation."""
        one = self.alive.find(number)
        if one is not None:
            one.refuse(now)

    def deadline_passed(self, now: float) -> list[Effect]:
        """`deadline` is over."""
        effects: list[Effect] = []
        if self._deadline is not None and now >= self._deadline:
            effects += self._meet(Happening.DEADLINE, now)
        effects += self.alive.deadline_passed(now)
        newest = self.alive.find(self.generation)
        if newest and self.plan is Plan.RUNNING and not newest.is_wanted:
            self._lost = newest  # it was given up
            effects += self._meet(Happening.LOST, now)
        effects += self._hand_over(now)
        if self.goal is Goal.GONE and self.alive and all(one.unkillable for one in self.alive):
            effects += self._abandon()
        return effects

    def take_along(self, changes: tuple[Change, ...]) -> None:
        """These were made while a start is due, which takes them along."""
        self._changes = tuple(sorted({*self._changes, *changes}))

    @property
    def due(self) -> Pending | None:
        """The start that is due, or that follows by itself, with the time when it does."""
        if self.plan is Plan.BACKOFF:
            return Pending(Wait.RETRY, (), self._deadline)
        return Pending(Wait.START, self._changes) if self.is_due else None

    # --- what these share --------------------------------------------------------------------------

    def _note_start(self, one: Generation, effects: list[Effect]) -> list[Effect]:
        if one.number == self.generation and one.last_start is not None:
            self.last_start = one.last_start
        return effects

    def _hand_over(self, now: float) -> list[Effect]:
        """Where the newest is ready, nobody else is wanted any more."""
        newest = self.alive.find(self.generation)
        ready = newest is not None and newest.state is Life.READY
        return self.alive.hand_over(now, self.generation) if ready else []

    def _bury(self, now: float, one: Generation, wanted: bool) -> list[Effect]:
        """The generation has ended, though it was wanted or because it was not."""
        self.alive.remove(one)
        self._killed = self._killed or (one.killed and self.goal is not Goal.UP)
        if self.finished:
            return []  # it was given up, and ended after all
        effects: list[Effect] = []
        if wanted:
            self._lost = one
            effects += self._meet(Happening.LOST, now)
        else:
            if self.plan is Plan.WAITING:
                self._drain_took = now - self._asked_at
            awaited = self.goal is Goal.UP and not self.settings.overlap
            if not awaited and not one.killed and one.status is not None:
                effects.append(Tell(Drained(one.drained_for(now), one.called)))
            effects += self._meet(Happening.ENDED, now)
        return effects + self._finish_if_gone()

    def _finish_if_gone(self) -> list[Effect]:
        if self.plan is Plan.STOPPED and self.goal is Goal.GONE and not self.alive:
            self.finished = True
        return []
