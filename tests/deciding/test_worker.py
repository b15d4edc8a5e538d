"""The table, state by state, and the stories that lead through it."""

from __future__ import annotations

import signal

import pytest

from reloader.deciding.drain import REMINDERS
from reloader.deciding.generation import LAUNCH_TIMEOUT, LAUNCHES, Generation, StartContext
from reloader.deciding.transitions import (
    GENERATION_TABLE,
    WORKER_TABLE,
    GenerationInput,
    GenerationState,
    Goal,
    ImpossibleError,
    WorkerInput,
    WorkerState,
)
from reloader.deciding.worker import Worker
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

L = GenerationState
P = WorkerState
CHANGES = (events.Change("/p/tasks.py", events.Kind.CHANGED),)
OK = events.ExitStatus(code=0)
BROKEN = events.ExitStatus(code=1)


def settings(**given: object) -> Settings:
    return Settings(command=("worker",), stop_signal=signal.SIGINT, **given)  # type: ignore[arg-type]


def worker_in(state: WorkerState | GenerationState, **given: object) -> Worker:
    """A worker that came into the state by the way of the tables."""
    worker = Worker(settings(ready="ready", **given))
    if state is P.STOPPED:
        return worker
    worker.start(0.0)
    if state is L.LAUNCHING:
        return worker
    worker.started(0.0, events.WorkerStarted(1, 100))
    if state is L.STARTING:
        return worker
    if state in (P.EXITED, P.BACKOFF):
        worker.settings = settings(
            ready="ready", on_exit=OnExit.RESTART if state is P.BACKOFF else OnExit.WAIT, **given
        )
        worker.exited(1.0, 1, BROKEN)
        return worker
    worker.ready(1.0, 1)
    if state is L.READY:
        return worker
    worker.restart(2.0, CHANGES)
    if state is L.KILLING:
        worker.deadline_passed(12.0)
    if state is P.PREPARING:
        worker.exited(3.0, 1, OK)
    return worker


def happen(worker: Worker, happening: str, now: float) -> list[effects.Effect]:
    match happening:
        case "restart":
            return worker.restart(now, CHANGES)
        case "orphaned":
            return worker.orphaned(now, worker.generation)
        case "kill":
            return worker.kill_now(now)
        case "quit":
            return worker.stop(now, Goal.GONE)
        case "2nd-quit":
            return worker.force(now)
        case "snapshot":
            return worker.prepared(now, worker.generation + 1)
        case "started":
            return worker.started(now, events.WorkerStarted(worker.generation, 200))
        case "lost":
            return worker.launch_lost(now, events.LaunchLost(worker.generation, "it ended"))
        case "ready":
            return worker.ready(now, worker.generation)
        case "failed":
            return worker.start_failed(now, events.StartFailed(worker.generation, "no", "", 127))
        case "exited":
            return worker.exited(now, worker.generation, OK)
    assert happening == "deadline"
    return worker.deadline_passed(max(now, worker.deadline or now))


# What follows; "gone" is STOPPED with the run over, "!" is impossible.
EXPECTED = """
            restart    orphaned  kill       quit      2nd-quit  snapshot  started   lost      ready     failed  exited     deadline
STOPPED     PREPARING  STOPPED   STOPPED    gone      gone      STOPPED   STOPPED   !         STOPPED   !       !          STOPPED
PREPARING   PREPARING  PREPARING PREPARING  gone      gone      LAUNCHING PREPARING !         PREPARING !       !          LAUNCHING
LAUNCHING   DRAINING   DRAINING  LAUNCHING  DRAINING  KILLING   LAUNCHING STARTING  LAUNCHING READY     gone    !          LAUNCHING
STARTING    DRAINING   DRAINING  STARTING   DRAINING  KILLING   STARTING  STARTING  gone      READY     gone    EXITED     READY
READY       DRAINING   DRAINING  READY      DRAINING  KILLING   READY     READY     gone      READY     !       EXITED     READY
DRAINING    DRAINING   DRAINING  KILLING    DRAINING  KILLING   DRAINING  DRAINING  PREPARING DRAINING  gone    PREPARING  KILLING
KILLING     KILLING    KILLING   KILLING    KILLING   gone      KILLING   KILLING   PREPARING KILLING   gone    PREPARING  KILLING
EXITED      PREPARING  EXITED    EXITED     gone      gone      EXITED    EXITED    !         EXITED    !       !          EXITED
BACKOFF     PREPARING  BACKOFF   BACKOFF    gone      gone      BACKOFF   BACKOFF   !         BACKOFF   !       !          PREPARING
"""
HEAD, *ROWS = [line.split() for line in EXPECTED.strip().splitlines()]
STATES: dict[str, WorkerState | GenerationState] = {one.name: one for one in (*WorkerState, *GenerationState)}


@pytest.mark.parametrize(
    ("state", "happening", "expected"),
    [
        (STATES[row[0]], happening, word)
        for row in ROWS
        for happening, word in zip(HEAD, row[1:], strict=True)
    ],
)
def test_every_happening_in_every_state(
    state: WorkerState | GenerationState, happening: str, expected: str
) -> None:
    worker = worker_in(state)
    assert worker.shown_state is state
    if expected == "!":
        with pytest.raises(ImpossibleError):
            happen(worker, happening, 20.0)
        assert worker.shown_state is state
        return
    happen(worker, happening, 20.0)
    assert ("gone" if worker.finished else worker.shown_state.name) == expected


def test_every_state_has_its_row() -> None:
    # A worker that waits or runs is what its newest generation is; held it can only be with overlap.
    assert {row[0] for row in ROWS} == STATES.keys() - {"WAITING", "RUNNING", "HELD", "ENDED"}


def test_the_tables_answer_everything_with_a_step_that_exists() -> None:
    assert WORKER_TABLE.keys() == set(WorkerState)
    assert GENERATION_TABLE.keys() == set(GenerationState)
    for plans in WORKER_TABLE.values():
        assert plans.keys() == set(WorkerInput)
        assert all(step == "impossible" or hasattr(Worker, f"_{step}") for step in plans.values())
    for turns in GENERATION_TABLE.values():
        assert turns.keys() == set(GenerationInput)
        assert all(step == "impossible" or hasattr(Generation, f"_{step}") for step in turns.values())


def test_a_restart_drains_takes_the_snapshot_and_starts() -> None:
    worker = worker_in(L.READY)
    told = notices.Draining(100, CHANGES, signal.SIGINT, 10.0, quitting=False)
    assert worker.restart(5.0, CHANGES) == [effects.StopWorker(1), effects.Tell(told)]
    assert worker.exited(5.5, 1, OK) == [effects.ReapWorker(1)]
    assert worker.prepared(5.75, 2) == [effects.StartWorker(2)]
    assert worker.started(5.75, events.WorkerStarted(2, 200)) == []
    assert worker.ready(6.0, 2) == [effects.Tell(notices.Ready(200, 1.0, 0.0, 0.25, 0.5))]


def test_a_worker_without_a_ready_line_is_told_when_it_starts_and_ready_after_a_second() -> None:
    worker = Worker(settings())
    worker.start(0.0)
    assert worker.started(0.1, events.WorkerStarted(1, 100)) == [
        effects.Tell(notices.Started(100, 0.1, 0.0, None))
    ]
    assert worker.deadline == 1.1
    assert worker.deadline_passed(1.1) == []
    assert worker.shown_state is L.READY


def test_a_ready_line_that_never_comes_is_told() -> None:
    worker = worker_in(L.STARTING)
    assert worker.deadline_passed(30.0) == [effects.Tell(notices.AssumedReady(30.0))]


def test_a_drain_is_told_of_now_and_then_and_ends_in_a_kill() -> None:
    worker = worker_in(L.READY)
    worker.restart(0.0, CHANGES)
    for second in range(1, 10):
        now = float(second)
        assert worker.deadline == now
        told = notices.StillDraining((notices.DrainOf(100, now, 10.0 - now),), now in REMINDERS)
        assert worker.deadline_passed(now) == [effects.Tell(told)]
    assert worker.deadline == 10.0
    assert worker.deadline_passed(10.0) == [effects.Tell(notices.Killing(100, 10.0)), effects.KillWorker(1)]
    assert worker.killed


def test_a_drain_without_a_limit_goes_on_for_ever() -> None:
    worker = worker_in(L.READY, stop_timeout=None)
    worker.restart(0.0, CHANGES)
    for second in range(1, 45):
        now = float(second)
        assert worker.deadline == pytest.approx(now)
        told = notices.StillDraining(
            (notices.DrainOf(100, now, None),), now in (*REMINDERS, 20.0, 30.0, 40.0)
        )
        assert worker.deadline_passed(now) == [effects.Tell(told)]
    assert worker.shown_state is L.DRAINING


def test_quitting_during_a_drain_sends_no_second_signal() -> None:
    worker = worker_in(L.DRAINING)
    # Only that the wish was heard is told, once.
    assert worker.stop(2.5, Goal.GONE) == [
        effects.Tell(notices.Draining(100, (), signal.SIGINT, 9.5, quitting=True))
    ]
    assert worker.stop(2.6, Goal.GONE) == []
    assert worker.exited(3.0, 1, OK) == [effects.ReapWorker(1), effects.Tell(notices.Drained(1.0))]
    assert worker.finished


def test_a_second_quit_kills_at_once() -> None:
    worker = worker_in(L.READY)
    worker.stop(2.0, Goal.GONE)
    assert worker.force(2.1) == [effects.Tell(notices.Killing(100, None)), effects.KillWorker(1)]
    assert worker.exited(2.2, 1, events.ExitStatus(signal=9)) == [effects.ReapWorker(1)]
    assert worker.finished


def test_a_change_does_not_wake_a_worker_that_shall_be_gone() -> None:
    worker = worker_in(L.READY)
    worker.stop(2.0, Goal.GONE)
    assert worker.restart(2.1, CHANGES) == []
    assert worker.exited(3.0, 1, OK) == [effects.ReapWorker(1), effects.Tell(notices.Drained(1.0))]
    assert worker.shown_state is P.STOPPED


def test_what_survives_sigkill_is_told_and_killed_again() -> None:
    worker = worker_in(L.KILLING)
    assert worker.deadline_passed(17.0) == [effects.KillWorker(1), effects.Tell(notices.Unkillable(5.0))]
    assert worker.shown_state is L.KILLING
    worker.stop(18.0, Goal.GONE)
    assert worker.deadline_passed(22.0) == [effects.KillWorker(1), effects.Tell(notices.Unkillable(10.0))]
    assert worker.finished


def test_a_worker_that_was_given_up_may_end_after_all() -> None:
    worker = worker_in(L.KILLING)
    assert worker.force(13.0) == []
    assert worker.finished
    assert worker.exited(13.1, 1, events.ExitStatus(signal=9)) == [effects.ReapWorker(1)]


def test_a_crash_at_the_start_waits_for_a_change() -> None:
    worker = worker_in(L.STARTING)
    told = notices.EndedItself(BROKEN, 1.0, crashed_at_start=True, retry_in=None, quitting=False)
    assert worker.exited(1.0, 1, BROKEN) == [effects.ReapWorker(1), effects.Tell(told)]
    assert worker.deadline is None
    worker.restart(9.0, CHANGES)
    assert worker.prepared(9.25, 2) == [effects.StartWorker(2)]
    assert worker.ready(9.5, 2) == [effects.Tell(notices.Ready(None, 0.5, 0.0, 0.25, None))]


def launch(worker: Worker, now: float) -> None:
    worker.prepared(now, worker.generation + 1)
    worker.started(now, events.WorkerStarted(worker.generation, 100))


def test_backoff_doubles_until_a_change_resets_it() -> None:
    worker = worker_in(L.STARTING, on_exit=OnExit.RESTART)
    now = 0.0
    for delay in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        worker.exited(now, worker.generation, BROKEN)
        assert worker.deadline == now + delay
        now += delay
        worker.deadline_passed(now)
        launch(worker, now)
    worker.exited(now, worker.generation, BROKEN)
    worker.restart(now, CHANGES)
    launch(worker, now)
    worker.exited(now, worker.generation, BROKEN)
    assert worker.deadline == now + 0.5


def test_a_worker_that_ran_for_long_begins_its_backoff_anew() -> None:
    worker = worker_in(L.STARTING, on_exit=OnExit.RESTART)
    worker.exited(0.1, 1, BROKEN)
    worker.deadline_passed(0.6)
    worker.prepared(0.6, 2)
    worker.ready(1.0, 2)
    worker.exited(100.0, 2, BROKEN)
    assert worker.deadline == 100.5


def test_on_exit_quit_ends_the_run_with_the_workers_status() -> None:
    worker = worker_in(L.READY, on_exit=OnExit.QUIT)
    worker.exited(3.0, 1, events.ExitStatus(code=7))
    assert worker.finished
    assert worker.status.code == 7


def test_a_command_that_never_ran_ends_the_run_and_later_ones_wait() -> None:
    worker = worker_in(L.STARTING)
    assert worker.start_failed(0.1, events.StartFailed(1, "no", "do", 127)) == [effects.ReapWorker(1)]
    assert worker.finished

    later = worker_in(P.PREPARING)
    later.prepared(4.0, 2)
    told = later.start_failed(4.0, events.StartFailed(2, "no", "do", 127))
    assert told == [effects.ReapWorker(2), effects.Tell(notices.CannotStart("no", "do", None))]
    assert later.state is P.EXITED
    assert not later.finished


def test_a_failed_start_that_was_to_be_drained_is_tried_again() -> None:
    worker = worker_in(P.PREPARING)
    worker.prepared(4.0, 2)
    worker.restart(4.0, CHANGES)
    assert worker.start_failed(4.0, events.StartFailed(2, "no", "do", 127)) == [
        effects.ReapWorker(2),
        effects.Tell(notices.CannotStart("no", "do", None)),
    ]
    assert worker.shown_state is P.PREPARING


def test_late_news_of_an_older_generation_is_ignored_or_impossible() -> None:
    worker = worker_in(L.READY)
    assert worker.ready(2.0, 0) == []
    assert worker.started(2.0, events.WorkerStarted(0, 99)) == []
    assert worker.prepared(2.0, 1) == []
    with pytest.raises(ImpossibleError):
        worker.exited(2.0, 0, OK)
    with pytest.raises(ImpossibleError):
        worker.start_failed(2.0, events.StartFailed(0, "", "", 127))


def test_a_start_that_takes_long_is_ready_a_second_after_it() -> None:
    worker = Worker(settings())
    worker.start(0.0)
    assert worker.deadline == LAUNCH_TIMEOUT
    told = effects.Tell(notices.Started(100, 5.0, 0.0, None))
    assert worker.started(5.0, events.WorkerStarted(1, 100)) == [told]
    assert worker.deadline == 6.0
    assert worker.deadline_passed(6.0) == []
    assert worker.shown_state is L.READY


# --- starts that are lost -------------------------------------------------------------------------


def test_a_start_that_nobody_answers_is_abandoned_and_made_anew() -> None:
    worker = worker_in(L.LAUNCHING)
    assert worker.deadline_passed(LAUNCH_TIMEOUT) == [
        effects.AbandonStart(1),
        effects.Tell(notices.LaunchTakesLong(LAUNCH_TIMEOUT)),
    ]
    lost = events.LaunchLost(1, "the forkserver has ended")
    assert worker.launch_lost(10.1, lost) == [effects.StartWorker(1, "the forkserver has ended")]
    assert worker.deadline == 10.1 + LAUNCH_TIMEOUT


def test_a_start_that_is_lost_again_and_again_is_given_up() -> None:
    worker = worker_in(L.LAUNCHING)
    lost = events.LaunchLost(1, "the guard has ended")
    for _ in range(LAUNCHES - 1):
        assert worker.launch_lost(0.1, lost) == [effects.StartWorker(1, "the guard has ended")]
    assert worker.launch_lost(0.1, lost) == [effects.ReapWorker(1)]
    assert worker.finished
    assert worker.start_failure is not None
    assert worker.start_failure.reason.startswith("cannot start the worker: the guard has ended")


@pytest.mark.parametrize("stop_timeout", [None, 3.0, 60.0])
def test_what_was_not_started_is_not_awaited_for_ever(stop_timeout: float | None) -> None:
    worker = worker_in(L.LAUNCHING, stop_timeout=stop_timeout)
    worker.stop(1.0, Goal.GONE)
    limit = min(stop_timeout or LAUNCH_TIMEOUT, LAUNCH_TIMEOUT)
    assert effects.KillWorker(1) in worker.deadline_passed(1.0 + limit)
    assert worker.launch_lost(1.1 + limit, events.LaunchLost(1, "killed")) == [effects.ReapWorker(1)]
    assert worker.finished


def test_once_it_runs_it_has_its_whole_stop_timeout() -> None:
    worker = worker_in(L.LAUNCHING, stop_timeout=60.0)
    worker.stop(1.0, Goal.GONE)
    worker.started(2.0, events.WorkerStarted(1, 100))
    assert worker.shown_state is L.DRAINING
    assert effects.KillWorker(1) not in worker.deadline_passed(30.0)
    assert effects.KillWorker(1) in worker.deadline_passed(61.0)


def test_a_delay_before_the_next_start_is_no_shorter_for_having_been_suspended() -> None:
    worker = worker_in(P.BACKOFF)
    before = worker.deadline
    assert before is not None
    worker.postpone(60.0)
    assert worker.deadline == before + 60.0


def test_the_end_of_a_generation_that_was_never_started_is_impossible() -> None:
    worker = Worker(settings())
    one = Generation(1, settings(), 0.0, StartContext())
    one.started(0.0, events.WorkerStarted(1, 100))
    worker.alive.add(one)
    with pytest.raises(ImpossibleError, match="while stopped"):
        worker.exited(1.0, 1, OK)
    assert worker.state is P.STOPPED
