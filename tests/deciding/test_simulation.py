"""Random sequences against a model of the world: processes, files and a scanner that takes its time."""

from __future__ import annotations

import random
import signal

import pytest

from reloader.deciding.supervisor import FORCED_FLUSH, Supervisor
from reloader.deciding.transitions import GenerationState, Goal, WorkerState
from reloader.deciding.worker import PREPARE_TIMEOUT
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

SEQUENCES = 3000
STEPS = 60


class Process:
    """A generation as the system knows it."""

    def __init__(self, version: int, started_at: float) -> None:
        self.version = version
        self.started_at = started_at
        self.stopped = False
        self.killed = False
        self.ended = False
        self.ready = False


class World:
    """What the shell and the system do, with chance deciding how long each takes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.settings = Settings(
            command=("w",),
            python=True,
            hold=self.chance.random() < 0.7,
            ready=self.chance.choice([None, "ready"]),
            on_exit=self.chance.choice(list(OnExit)),
            stop_timeout=self.chance.choice([None, 3.0]),
            stop_signal=signal.SIGINT,
            overlap=self.chance.random() < 0.6,
            max_draining=self.chance.choice([1, 2, 3]),
            start_timeout=self.chance.choice([None, 2.0]),
        )
        self.supervisor = Supervisor(self.settings)
        self.now = 0.0
        self.version = 0
        self.baseline = 0
        self.loaded: int | None = None
        self.generation = 0
        self.alive: dict[int, Process] = {}
        self.orphaned: set[int] = set()
        self.silent: set[int] = set()
        """Generations whose start nobody answers."""
        self.lost: set[int] = set()
        """Generations whose start was lost, which is told."""
        self.short = False
        """There is no memory for two, which is known."""
        self.taken: set[int] = set()
        """Generations that have found an address in use."""
        self.gives_way = False
        """That has ended one of them, which is told."""
        self.due: list[tuple[float, int, events.Event]] = []
        self.order = 0
        self.scanner_free_at = 0.0
        self.quit_at: float | None = None
        self.checking = False
        self.one_file = self.chance.random() < 0.5

    def later(self, delay: float, event: events.Event) -> None:
        self.order += 1
        self.due.append((self.now + delay, self.order, event))

    def survey(self, event_of: effects.Effect) -> None:
        """The scanner answers one request after the other."""
        free = max(self.scanner_free_at, self.now) + self.chance.uniform(0, 0.2)
        self.scanner_free_at = free
        self.order += 1
        self.due.append((free, self.order, event_of))  # type: ignore[arg-type]

    def perform(self, result: list[effects.Effect]) -> None:
        for effect in result:
            match effect:
                case effects.StartWorker(generation, lost):
                    if lost is None:
                        self.count_before_start()
                        assert generation == self.generation + 1
                        self.generation = generation
                    else:
                        assert generation in self.lost, "started twice"
                        self.lost.discard(generation)
                    self.launch(generation)
                case effects.AbandonStart(generation):
                    assert generation in self.silent
                    self.lose(generation)
                case effects.Tell(notices.AddressInUse(_, generation)):
                    assert generation in self.taken
                    assert not self.gives_way, "told twice"
                    self.gives_way = True
                case effects.StopWorker(generation):
                    process = self.alive.get(generation)
                    if process is None:
                        continue  # its start has failed, which is not known yet
                    assert not process.stopped, "a second stop signal"
                    process.stopped = True
                    self.look_why_it_is_stopped(generation)
                    if self.chance.random() < 0.8:
                        self.end_in(generation, self.chance.uniform(0, 4))
                case effects.KillWorker(generation) if generation in self.silent:
                    self.lose(generation)
                case effects.KillWorker(generation):
                    if generation in self.alive:
                        self.alive[generation].killed = True
                        self.end_in(generation, self.chance.uniform(0, 0.1))
                case effects.ReapWorker(generation):
                    self.lost.discard(generation)
                    process = self.alive.pop(generation, None)
                    assert process is None or process.ended, "reaped alive"
                case effects.LookAtPrompt(number):
                    self.later(0.0, events.PromptSeen(number, self.chance.random() < 0.3))
                case effects.CheckMemory(generation):
                    if self.chance.random() < 0.2:
                        self.later(self.chance.choice([0.0, 0.1]), events.MemoryShort(generation, 2, 1))
                case effects.TakeBaseline() | effects.CompareTree():
                    self.survey(effect)
                case effects.Preflight(number):
                    assert not self.checking, "two preflights"
                    self.checking = True
                    # A version that is broken stays so; the last one is always mended.
                    broken = self.version % 7 == 3
                    answer = (
                        events.PreflightFailed(number, None, ("no",))
                        if broken
                        else events.PreflightPassed(number)
                    )
                    self.later(self.chance.uniform(0, 1), answer)
                case effects.CancelPreflight():
                    assert self.checking, "nothing to cancel"
                    self.checking = False
                    self.due = [
                        d
                        for d in self.due
                        if not isinstance(d[2], events.PreflightPassed | events.PreflightFailed)
                    ]
                case effects.FlushOutput():
                    self.later(self.chance.uniform(0, 0.1), events.OutputFlushed())

    def launch(self, generation: int) -> None:
        """A start is asked for, which succeeds, fails, is lost, or is not answered."""
        self.loaded = self.version
        fate = self.chance.random()
        delay = self.chance.uniform(0, 0.2)
        if fate < 0.1:
            self.later(delay, events.StartFailed(generation, "no", "", 127))
            return
        if fate < 0.2:
            self.later(delay, events.LaunchLost(generation, "stale"))
            return
        if fate < 0.25:
            self.silent.add(generation)
            return
        others = bool(self.alive)
        self.alive[generation] = Process(self.version, self.now + delay)
        self.later(delay, events.WorkerStarted(generation, 100 + generation))
        if others and self.chance.random() < 0.15:
            taken = delay + self.chance.uniform(0, 3)
            self.later(taken, events.AddressTaken(generation, ("80",)))
            if self.chance.random() < 0.7:
                self.end_in(generation, max(delay, taken + self.chance.uniform(-0.1, 0.2)))
        if self.chance.random() < 0.8:
            self.later(delay + self.chance.uniform(0, 3), events.WorkerReady(generation))
        if self.chance.random() < 0.2:
            self.end_in(generation, delay + self.chance.uniform(0, 5))
        if self.chance.random() < 0.05:
            self.later(delay + self.chance.uniform(0, 5), events.GuardLost(generation))

    def lose(self, generation: int) -> None:
        """A start that was not answered is given up."""
        self.silent.discard(generation)
        self.later(self.chance.uniform(0, 0.1), events.LaunchLost(generation, "given up"))

    def count_before_start(self) -> None:
        """No more generations than are allowed, and one at most that nobody has asked to end."""
        wanted = [one for one in self.alive.values() if not one.stopped]
        if self.short or self.gives_way:
            assert not self.alive, "no room for two"
        self.short = False
        if self.settings.overlap:
            assert len(self.alive) <= self.settings.max_draining, "too many generations"
            assert len(wanted) <= 1, "two of them are wanted"
        else:
            assert not self.alive, "two workers"

    def look_why_it_is_stopped(self, generation: int) -> None:
        """With overlap, one that is ready is stopped for no change, but for a newer one that is ready."""
        gone = self.supervisor.worker.goal is not Goal.UP
        excused = gone or generation in self.orphaned or not self.settings.overlap or self.short
        excused = excused or self.gives_way
        if self.alive[generation].ready and not excused:
            newer = [one.ready for number, one in self.alive.items() if number > generation]
            assert any(newer) or self.settings.ready is None, "the one at work was touched"

    def end_in(self, generation: int, delay: float) -> None:
        def is_its_end(event: object) -> bool:
            return isinstance(event, events.WorkerExited) and event.generation == generation

        # One thread tells of its start and of its end.
        delay = max(delay, self.alive[generation].started_at - self.now)
        if not any(is_its_end(event) and at <= self.now + delay for at, _, event in self.due):
            self.due = [item for item in self.due if not is_its_end(item[2])]
            status = events.ExitStatus(code=self.chance.choice([0, 1]))
            self.later(delay, events.WorkerExited(generation, status))

    def answer(self, request: effects.Effect) -> events.Event:
        """What the scanner finds at the moment it looks."""
        assert isinstance(request, effects.TakeBaseline | effects.CompareTree)
        coming = request.generation if isinstance(request, effects.TakeBaseline) else None
        if self.chance.random() < 0.1 and not request.at_once:
            return events.TreeBusy("git", coming, self.chance.choice(["a", "b"]))
        if self.chance.random() < 0.1 and not request.at_once:
            how = self.chance.choice(list(events.Unfinished))
            return events.FilesUnfinished((self.file,), how, coming)
        if coming is not None:
            self.baseline = self.version
            return events.BaselineTaken(coming)
        changed = self.version != self.baseline
        return events.TreeCompared(
            (events.Change(self.file, events.Kind.CHANGED),) if changed else (), state=self.version
        )

    def advance(self, until: float) -> None:
        """Let time pass, with everything that is due in its order."""
        while not self.supervisor.finished:
            deadline = self.supervisor.deadline
            coming = min(self.due, default=None)
            nearest = min(x for x in (deadline, coming and coming[0], until) if x is not None)
            if nearest >= until and (coming is None or coming[0] > until):
                break
            self.now = max(self.now, nearest)
            if coming is not None and coming[0] <= self.now and not (deadline and deadline <= self.now):
                self.due.remove(coming)
                event = coming[2]
                if isinstance(event, effects.TakeBaseline | effects.CompareTree):
                    event = self.answer(event)
                if isinstance(event, events.PreflightPassed | events.PreflightFailed):
                    self.checking = False
                if isinstance(event, events.LaunchLost):
                    self.lost.add(event.generation)
                if isinstance(event, events.WorkerExited):
                    self.alive[event.generation].ended = True
                if isinstance(event, events.MemoryShort) and self.generation + 1 == event.generation:
                    # Nobody wants another one any more, or it is past the moment in which it was asked for.
                    self.short = self.supervisor.worker.is_due
                if isinstance(event, events.AddressTaken):
                    self.taken.add(event.generation)
                if isinstance(event, events.GuardLost):
                    self.orphaned.add(event.generation)
                if isinstance(event, events.WorkerReady) and event.generation in self.alive:
                    self.alive[event.generation].ready = True
                self.handle(event)
            else:
                self.handle(events.DeadlinePassed())
        self.now = max(self.now, until)

    def handle(self, event: events.Event) -> None:
        self.perform(self.supervisor.handle(event, self.now))

    @property
    def file(self) -> str:
        """What is saved: always the same file, or each time another."""
        return "/p/a.py" if self.one_file else f"/p/{self.version}.py"

    def save(self) -> None:
        self.version += 1
        self.later(self.chance.uniform(0, 0.05), events.TreeTouched(frozenset({self.file})))

    def quit(self, number: int) -> None:
        self.quit_at = self.quit_at or self.now
        self.handle(events.SignalReceived(number))


@pytest.mark.parametrize("block", range(6))
def test_random_sequences(block: int) -> None:
    for seed in range(block * SEQUENCES // 6, (block + 1) * SEQUENCES // 6):
        world = World(seed)
        world.perform(world.supervisor.start(0.0))
        for _ in range(STEPS):
            if world.supervisor.finished:
                break
            world.advance(world.now + world.chance.expovariate(3))
            if world.chance.random() < 0.7:
                world.save()
            elif world.chance.random() < 0.1:
                world.handle(events.KeyPressed(world.chance.choice("rks")))
            elif world.chance.random() < 0.05:
                world.quit(world.chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
        check_that_it_settles(world, seed)


def check_that_it_settles(world: World, seed: int) -> None:
    supervisor = world.supervisor
    worker = supervisor.worker
    if not supervisor.finished and worker.goal is Goal.UP:
        while world.version % 7 == 3:
            world.save()
        # Nothing lost: once all is quiet, what runs (or crashed) is the last version.
        world.advance(world.now + 120)
        waits = worker.state is WorkerState.WAITING and world.settings.stop_timeout is None
        if not supervisor.finished and worker.goal is Goal.UP and not waits:
            assert world.loaded == world.version, f"seed {seed}: a change was lost"
            assert worker.shown_state in (
                GenerationState.READY,
                GenerationState.STARTING,
                WorkerState.HELD,
                WorkerState.EXITED,
            ) or (world.settings.on_exit is OnExit.RESTART)
            # What serves is the last version, unless that could not.
            if worker.state is WorkerState.RUNNING:
                assert world.alive[worker.generation].version == world.version
            if worker.state is WorkerState.HELD:
                assert worker.alive.at_work is not None
    if not supervisor.finished:
        world.quit(signal.SIGTERM)
        if world.settings.stop_timeout is None:
            world.advance(world.now + 10)
            if not supervisor.finished:
                world.quit(signal.SIGTERM)
        limit = (world.settings.stop_timeout or 0) + world.settings.kill_timeout + PREPARE_TIMEOUT
        world.advance(world.now + limit + FORCED_FLUSH)
    assert supervisor.finished, f"seed {seed}: quitting takes too long ({worker.shown_state})"
    left = [one for one in world.alive.values() if not one.killed]
    assert not left, f"seed {seed}: a worker is left"
