"""The worker as a whole: what is planned and wanted, and its generations. Its steps are those of states.py.

A restart is no state and no flag: a generation drains while the goal is still UP, so the next one starts.
"""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.backoff import Backoff
from reloader.deciding.generation import Asked, Generation
from reloader.deciding.generations import Generations
from reloader.deciding.lives import Impossible, Life
from reloader.deciding.states import TABLE, Goal, Happening, Plan
from reloader.effects import Effect, ReapWorker, StartWorker, Tell
from reloader.events import Change, ExitStatus, StartFailed
from reloader.notices import CannotStart, Drained, EndedItself, StartingAgain
from reloader.settings import OnExit, Settings

# The snapshot before a start is awaited so long, in seconds, should a file system hang.
PREPARE_TIMEOUT = 5.0
# A worker that was at work for this long, in seconds, did not crash at its start.
SETTLED = 30.0
# So many generations may still be there when the next one starts.
ROOM = 0


class Worker:
    """One worker through all its generations. Methods take the time and return what to do."""

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
        self._deadline: float | None = None
        self._killed = False
        self._lost: Generation | None = None
        self._backoff = Backoff()
        self._changes: tuple[Change, ...] = ()
        self._noticed_at = 0.0
        self._asked_at = 0.0
        self._drain_took: float | None = None

    @property
    def state(self) -> Plan | Life:
        """The plan, or the newest generation's life where that tells more."""
        tells_more = self.plan in (Plan.RUNNING, Plan.WAITING, Plan.STOPPED)
        return self.alive.newest.state if tells_more and self.alive.newest else self.plan

    @property
    def is_up(self) -> bool:
        """Whether a generation runs that a change would take the place of."""
        return self.plan is Plan.RUNNING

    @property
    def is_due(self) -> bool:
        """Whether a start is due, which takes along whatever is saved until then."""
        return self.plan in (Plan.WAITING, Plan.PREPARING)

    @property
    def killed(self) -> bool:
        """Whether anything had to be killed that was to be drained for good, or still is to."""
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
        return self._meet(Happening.RESTART, now)

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

    def started(self, now: float, number: int, pid: int, how: str | None = None) -> list[Effect]:
        """The first process of this generation runs."""
        one = self.alive.find(number)
        return [] if one is None else one.started(now, pid, how)

    def ready(self, now: float, number: int) -> list[Effect]:
        """The ready line came."""
        one = self.alive.find(number)
        return [] if one is None else one.ready(now)

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

    def deadline_passed(self, now: float) -> list[Effect]:
        """`deadline` is over."""
        effects: list[Effect] = []
        if self._deadline is not None and now >= self._deadline:
            effects += self._meet(Happening.DEADLINE, now)
        effects += self.alive.deadline_passed(now)
        if self.goal is Goal.GONE and self.alive and all(one.unkillable for one in self.alive):
            effects += self._abandon()
        return effects

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
        return self._ask(now)

    def _replace(self, now: float) -> list[Effect]:
        return self.alive.stop(now, self._changes) + self._ask(now)

    def _ask(self, now: float) -> list[Effect]:
        self._drain_took = None
        self._asked_at = now
        return self._seek_room(now)

    def _seek_room(self, now: float) -> list[Effect]:
        """Wait until the next generation may be there, then for the snapshot.

        Supervisor orders that as soon as the files are quiet.
        """
        if len(self.alive) > ROOM:
            self._enter(Plan.WAITING)
        else:
            self._enter(Plan.PREPARING, now + PREPARE_TIMEOUT)
        return []

    def _launch(self, now: float) -> list[Effect]:
        self.generation += 1
        self._killed = False
        self.start_failure = None
        asked = Asked(self._noticed_at, self._asked_at, self._drain_took)
        self.alive.add(Generation(self.generation, self.settings, now, asked))
        self._enter(Plan.RUNNING)
        return [StartWorker(self.generation)]

    def _follow_on_exit(self, now: float) -> list[Effect]:
        lost, self._lost = self._lost, None
        assert lost is not None
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

    def _tell_loss(self, now: float, lost: Generation, retry_in: float | None) -> list[Effect]:
        quitting = self.goal is Goal.GONE
        if lost.failure is not None:
            # Where the run ends with it, whoever started us is told instead.
            return [] if quitting else [Tell(CannotStart(lost.failure.reason, lost.failure.remedy, retry_in))]
        crashed = lost.ended_at_start and self.status != ExitStatus(code=0)
        return [Tell(EndedItself(self.status, now - lost.started_at, crashed, retry_in, quitting))]

    # --- what the steps share ---------------------------------------------------------------------

    def _bury(self, now: float, one: Generation, wanted: bool) -> list[Effect]:
        """The generation has ended, though it was wanted or because it was not."""
        self.alive.remove(one)
        self._killed = self._killed or one.killed
        if self.finished:
            return []  # it was given up, and ended after all
        effects: list[Effect] = []
        if wanted:
            self._lost = one
            effects += self._meet(Happening.LOST, now)
        else:
            self._drain_took = one.drained_for(now)
            if self.goal is not Goal.UP and not one.killed:
                effects.append(Tell(Drained(self._drain_took)))
            effects += self._meet(Happening.ENDED, now)
        return effects + self._finish_if_gone()

    def _abandon(self) -> list[Effect]:
        self._enter(Plan.STOPPED)
        self.finished = True
        return []

    def _enter(self, plan: Plan, deadline: float | None = None) -> None:
        self.plan = plan
        self._deadline = deadline

    def _finish_if_gone(self) -> list[Effect]:
        if self.plan is Plan.STOPPED and self.goal is Goal.GONE and not self.alive:
            self.finished = True
        return []
