"""Generations side by side: what happens, line by line, and what must come out."""

from __future__ import annotations

import signal

import pytest

from reloader.deciding.transitions import GenerationState, Goal, WorkerState
from reloader.deciding.worker import Worker
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

A = (events.Change("/p/a.py", events.Kind.CHANGED),)
B = (events.Change("/p/b.py", events.Kind.CHANGED),)
OK = events.ExitStatus(code=0)
BROKEN = events.ExitStatus(code=1)


def at_work(**given: object) -> Worker:
    """A worker with overlap whose first generation is ready at 1.0; pids are hundreds."""
    wanted = {"ready": "ready", "overlap": True, "stop_signal": signal.SIGINT} | given
    worker = Worker(Settings(command=("worker",), **wanted))  # type: ignore[arg-type]
    worker.start(0.0)
    worker.started(0.0, events.WorkerStarted(1, 100))
    if worker.settings.ready:
        worker.ready(1.0, 1)
    else:
        worker.deadline_passed(1.0)
    return worker


def start_next(worker: Worker, now: float) -> int:
    """Let the coming generation start; its number."""
    number = worker.generation + 1
    assert worker.prepared(now, number) == [effects.StartWorker(number)]
    worker.started(now, events.WorkerStarted(number, number * 100))
    return number


def reload(worker: Worker, now: float) -> int:
    """A change, and the next generation ready at once; its number."""
    worker.restart(now, A)
    number = start_next(worker, now)
    worker.ready(now, number)
    return number


def plan_of(worker: Worker) -> WorkerState:
    return worker.state


def is_over(worker: Worker) -> bool:
    return worker.finished


def lives(worker: Worker) -> dict[int, GenerationState]:
    return {one.number: one.state for one in worker.alive}


def handed_over(number: int, successor: int, timeout: float | None = 10.0) -> list[object]:
    told = notices.Draining(number * 100, (), signal.SIGINT, timeout, False, number, successor)
    return [effects.StopWorker(number), effects.Tell(told)]


def test_the_new_one_starts_beside_the_old_which_drains_once_the_new_one_is_ready() -> None:
    worker = at_work()
    assert worker.restart(5.0, A) == [effects.Tell(notices.StartingBeside(A, 2)), effects.CheckMemory(2, 1)]
    assert plan_of(worker) is WorkerState.PREPARING
    assert worker.prepared(5.25, 2) == [effects.StartWorker(2)]
    assert lives(worker) == {1: GenerationState.READY, 2: GenerationState.LAUNCHING}
    worker.started(5.25, events.WorkerStarted(2, 200))
    ready = notices.Ready(200, 1.0, 0.0, 0.75, None, None, 2)
    assert worker.ready(6.0, 2) == [effects.Tell(ready), *handed_over(1, 2)]
    assert lives(worker) == {1: GenerationState.DRAINING, 2: GenerationState.READY}
    assert worker.exited(8.5, 1, OK) == [effects.ReapWorker(1), effects.Tell(notices.Drained(2.5, 1))]
    assert lives(worker) == {2: GenerationState.READY}
    assert plan_of(worker) is WorkerState.RUNNING


def test_without_a_ready_line_it_is_ready_when_it_has_lived_for_the_start_timeout() -> None:
    worker = at_work(ready=None)
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    assert worker.deadline == 6.0
    assert worker.deadline_passed(6.0) == handed_over(1, 2)


def test_a_new_one_that_crashes_leaves_the_old_untouched_and_the_next_change_tries_again() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    told = notices.EndedItself(BROKEN, 0.5, True, None, False, 2, 1)
    assert worker.exited(5.5, 2, BROKEN) == [effects.ReapWorker(2), effects.Tell(told)]
    assert (worker.state, lives(worker)) == (WorkerState.HELD, {1: GenerationState.READY})
    assert worker.is_up
    assert worker.deadline is None
    assert worker.restart(9.0, B) == [effects.Tell(notices.StartingBeside(B, 3)), effects.CheckMemory(3, 1)]
    assert start_next(worker, 9.0) == 3
    assert handed_over(1, 3) == worker.ready(9.5, 3)[1:]


def test_a_new_one_that_cannot_be_run_leaves_the_old_untouched() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    worker.prepared(5.0, 2)
    told = worker.start_failed(5.0, events.StartFailed(2, "no", "do", 127))
    assert told == [effects.ReapWorker(2), effects.Tell(notices.CannotStart("no", "do", None, 1))]
    assert (worker.state, lives(worker)) == (WorkerState.HELD, {1: GenerationState.READY})


def test_a_new_one_that_is_not_ready_in_time_is_drained_and_the_old_untouched() -> None:
    worker = at_work(start_timeout=5.0)
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    assert worker.deadline == 10.0
    assert worker.deadline_passed(10.0) == [effects.StopWorker(2), effects.Tell(notices.NotReady(5.0, 2, 1))]
    assert (worker.state, lives(worker)) == (
        WorkerState.HELD,
        {1: GenerationState.READY, 2: GenerationState.DRAINING},
    )
    assert worker.ready(10.1, 2) == []
    assert worker.exited(11.0, 2, OK) == [effects.ReapWorker(2), effects.Tell(notices.Drained(1.0, 2))]
    assert (worker.state, lives(worker)) == (WorkerState.HELD, {1: GenerationState.READY})


def test_the_first_one_is_taken_as_ready_since_nobody_stands_in_for_it() -> None:
    worker = Worker(Settings(command=("worker",), ready="ready", overlap=True))
    worker.start(0.0)
    worker.started(0.0, events.WorkerStarted(1, 100))
    assert worker.deadline_passed(30.0) == [effects.Tell(notices.AssumedReady(30.0, 1))]


def test_while_its_line_has_never_come_a_restart_drains_first() -> None:
    worker = Worker(Settings(command=("worker",), ready="ready", overlap=True, stop_signal=signal.SIGINT))
    worker.start(0.0)
    worker.started(0.0, events.WorkerStarted(1, 100))
    worker.deadline_passed(30.0)
    told = notices.Draining(100, A, signal.SIGINT, 10.0, False, 1)
    assert worker.restart(40.0, A) == [
        effects.Tell(notices.NoLineCame()),
        effects.StopWorker(1),
        effects.Tell(told),
    ]
    assert worker.state is WorkerState.WAITING
    worker.exited(41.0, 1, OK)
    assert start_next(worker, 41.0) == 2
    # It comes after all: from now on it is waited for.
    worker.ready(42.0, 2)
    assert worker.restart(50.0, B) == [effects.Tell(notices.StartingBeside(B, 3)), effects.CheckMemory(3, 2)]


@pytest.mark.parametrize("prepared", [False, True], ids=["before the snapshot", "after it was ordered"])
def test_without_memory_for_two_the_old_one_drains_first(prepared: bool) -> None:
    worker = at_work()
    worker.restart(5.0, A)
    short = events.MemoryShort(2, 200, 100)
    told = [effects.Tell(short), effects.StopWorker(1)]
    assert worker.memory_short(5.0, short)[:2] == told
    assert worker.memory_short(5.0, short) == []
    assert worker.state is WorkerState.WAITING
    if prepared:
        # It was ordered for a start that is not due any more.
        assert worker.prepared(5.1, 2) == []
    worker.exited(6.0, 1, OK)
    assert start_next(worker, 6.0) == 2
    worker.ready(7.0, 2)
    # The next one is weighed anew.
    assert reload(worker, 8.0) == 3
    assert lives(worker) == {2: GenerationState.DRAINING, 3: GenerationState.READY}


# --- an address that only one can have ------------------------------------------------------------


def gives_way(worker: Worker, now: float, generation: int = 2) -> list[object]:
    """That is told, and the one at work drains first."""
    told = notices.Draining(100, A, signal.SIGINT, 10.0, False, 1)
    return [
        effects.Tell(notices.AddressInUse(("5678",), generation)),
        effects.StopWorker(1),
        effects.Tell(told),
    ]


def test_a_generation_that_finds_the_old_ones_port_in_use_starts_again_when_that_has_drained() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    assert worker.address_taken(5.5, 2, ("5678",)) == []
    assert worker.exited(6.0, 2, BROKEN) == [effects.ReapWorker(2), *gives_way(worker, 6.0)]
    assert worker.state is WorkerState.WAITING
    worker.exited(9.0, 1, OK)
    assert start_next(worker, 9.0) == 3
    worker.ready(10.0, 3)
    # It is remembered.
    worker.restart(20.0, B)
    assert lives(worker) == {3: GenerationState.DRAINING}
    worker.exited(21.0, 3, OK)
    assert start_next(worker, 21.0) == 4


def test_the_reason_may_be_known_only_after_the_end() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.exited(6.0, 2, BROKEN)
    assert worker.state is WorkerState.HELD
    assert worker.address_taken(6.1, 2, ("5678",)) == gives_way(worker, 6.1)
    assert worker.address_taken(6.2, 2, ("5678",)) == []


def test_a_start_that_never_ends_for_want_of_the_port_gives_way_too() -> None:
    worker = at_work(start_timeout=4.0)
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.address_taken(5.5, 2, ("5678",))
    assert worker.deadline_passed(9.0) == [effects.StopWorker(2), *gives_way(worker, 9.0)]


def test_without_a_ready_line_it_may_have_been_taken_for_ready() -> None:
    worker = at_work(ready=None)
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.deadline_passed(6.0)
    assert lives(worker) == {1: GenerationState.DRAINING, 2: GenerationState.READY}
    worker.address_taken(6.1, 2, ("5678",))
    worker.exited(6.2, 1, OK)
    assert worker.exited(6.3, 2, BROKEN) == [
        effects.ReapWorker(2),
        effects.Tell(notices.AddressInUse(("5678",), 2)),
    ]
    assert start_next(worker, 6.4) == 3


def test_one_that_works_without_the_port_ends_later_for_another_reason() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.address_taken(5.5, 2, ("5678",))
    worker.ready(6.0, 2)
    worker.address_taken(6.1, 2, ("5678",))
    worker.exited(7.0, 1, OK)
    worker.exited(8.0, 2, BROKEN)
    assert worker.state is WorkerState.EXITED


def test_who_is_not_wanted_any_more_decides_nothing_by_its_port() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.address_taken(5.5, 2, ("5678",))
    worker.restart(5.6, B)
    assert start_next(worker, 5.7) == 3
    worker.exited(6.0, 2, BROKEN)
    assert worker.address_taken(6.1, 2, ("5678",)) == []
    assert lives(worker) == {1: GenerationState.READY, 3: GenerationState.STARTING}
    # Nor while the run ends.
    worker.address_taken(6.2, 3, ("5678",))
    worker.stop(6.3, Goal.GONE)
    worker.exited(6.4, 3, BROKEN)
    worker.exited(6.5, 1, OK)
    assert worker.finished


def test_what_is_told_of_memory_too_late_changes_nothing() -> None:
    worker = at_work()
    assert reload(worker, 5.0) == 2
    assert worker.memory_short(5.1, events.MemoryShort(2, 200, 100)) == []
    assert worker.memory_short(5.1, events.MemoryShort(3, 200, 100)) == []
    assert lives(worker) == {1: GenerationState.DRAINING, 2: GenerationState.READY}


def test_a_further_change_replaces_the_unready_one_and_never_the_ready_one() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    told = notices.Draining(200, B, signal.SIGINT, 10.0, False, 2)
    assert worker.restart(5.1, B) == [effects.StopWorker(2), effects.Tell(told)]
    assert start_next(worker, 5.1) == 3
    assert lives(worker) == {
        1: GenerationState.READY,
        2: GenerationState.DRAINING,
        3: GenerationState.STARTING,
    }
    assert worker.ready(5.2, 2) == []
    assert handed_over(1, 3) == worker.ready(6.0, 3)[1:]


def test_as_many_as_allowed_drain_and_then_the_next_restart_waits() -> None:
    worker = at_work(max_draining=2)
    assert reload(worker, 5.0) == 2
    assert reload(worker, 6.0) == 3
    assert lives(worker) == {
        1: GenerationState.DRAINING,
        2: GenerationState.DRAINING,
        3: GenerationState.READY,
    }
    waits = [
        effects.Tell(notices.StartingBeside(B, 4)),
        effects.CheckMemory(4, 3),
        effects.Tell(notices.AwaitingRoom((1, 2), 2)),
    ]
    assert worker.restart(7.0, B) == waits
    assert (worker.state, worker.is_due) == (WorkerState.WAITING, True)
    assert worker.restart(7.1, A) == []
    assert worker.exited(8.0, 2, OK) == [effects.ReapWorker(2), effects.Tell(notices.Drained(2.0, 2))]
    assert plan_of(worker) is WorkerState.PREPARING
    assert start_next(worker, 8.0) == 4


def test_every_old_one_has_its_own_stop_timeout_and_all_are_told_in_one_line() -> None:
    worker = at_work()
    reload(worker, 5.0)
    reload(worker, 9.5)
    for second in (6.0, 7.0, 8.0, 9.0):
        worker.deadline_passed(second)
    drains = (notices.DrainOf(100, 5.0, 5.0, 1), notices.DrainOf(200, 0.5, 9.5, 2))
    assert worker.deadline_passed(10.0) == [effects.Tell(notices.StillDraining(drains, True))]
    worker.deadline_passed(14.0)
    assert worker.deadline_passed(15.0)[:2] == [
        effects.Tell(notices.Killing(100, 10.0, generation=1)),
        effects.KillWorker(1),
    ]
    assert lives(worker) == {
        1: GenerationState.KILLING,
        2: GenerationState.DRAINING,
        3: GenerationState.READY,
    }
    assert worker.exited(15.1, 1, events.ExitStatus(signal=9)) == [effects.ReapWorker(1)]
    assert plan_of(worker) is WorkerState.RUNNING
    assert not worker.killed


def test_k_kills_those_that_drain() -> None:
    worker = at_work()
    reload(worker, 5.0)
    reload(worker, 6.0)
    told = [
        effects.Tell(notices.Killing(100, None, generation=1)),
        effects.KillWorker(1),
        effects.Tell(notices.Killing(200, None, generation=2)),
        effects.KillWorker(2),
    ]
    assert worker.kill_now(7.0) == told
    assert lives(worker) == {1: GenerationState.KILLING, 2: GenerationState.KILLING, 3: GenerationState.READY}


def test_quitting_drains_all_of_them_and_signals_none_twice() -> None:
    worker = at_work()
    reload(worker, 5.0)
    worker.restart(6.0, A)
    start_next(worker, 6.0)
    assert lives(worker) == {
        1: GenerationState.DRAINING,
        2: GenerationState.READY,
        3: GenerationState.STARTING,
    }
    result = worker.stop(7.0, Goal.GONE)
    assert [e for e in result if isinstance(e, effects.StopWorker)] == [
        effects.StopWorker(2),
        effects.StopWorker(3),
    ]
    worker.ready(7.1, 3)
    worker.exited(7.2, 3, OK)
    worker.exited(7.3, 1, OK)
    assert not is_over(worker)
    worker.exited(7.4, 2, OK)
    assert is_over(worker)
    assert not worker.killed


def test_a_second_quit_kills_all_and_a_third_gives_up() -> None:
    worker = at_work()
    reload(worker, 5.0)
    worker.stop(6.0, Goal.GONE)
    result = worker.force(6.1)
    assert [e for e in result if isinstance(e, effects.KillWorker)] == [
        effects.KillWorker(1),
        effects.KillWorker(2),
    ]
    assert not is_over(worker)
    worker.force(6.2)
    assert is_over(worker)
    assert worker.killed
    assert worker.exited(6.3, 1, events.ExitStatus(signal=9)) == [effects.ReapWorker(1)]


def test_quitting_waits_for_those_that_can_still_be_killed() -> None:
    worker = at_work()
    reload(worker, 5.0)
    worker.deadline_passed(15.0)
    worker.stop(16.0, Goal.GONE)
    assert worker.deadline_passed(20.0)[:2] == [
        effects.KillWorker(1),
        effects.Tell(notices.Unkillable(5.0, 1)),
    ]
    assert not is_over(worker)
    worker.deadline_passed(26.0)
    worker.deadline_passed(31.0)
    assert is_over(worker)
    assert worker.killed


def test_one_that_is_killed_while_quitting_makes_the_end_a_killed_one() -> None:
    worker = at_work()
    reload(worker, 5.0)
    worker.stop(6.0, Goal.GONE)
    worker.deadline_passed(15.0)
    worker.exited(15.1, 1, events.ExitStatus(signal=9))
    worker.exited(15.2, 2, OK)
    assert is_over(worker)
    assert worker.killed


def test_the_old_one_may_end_by_itself_while_the_new_one_starts() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    told = notices.EndedItself(BROKEN, 6.0, False, None, False, 1, 2)
    assert worker.exited(6.0, 1, BROKEN) == [effects.ReapWorker(1), effects.Tell(told)]
    assert (worker.state, lives(worker)) == (WorkerState.RUNNING, {2: GenerationState.STARTING})
    # Now nobody stands in for it.
    assert worker.deadline_passed(35.0) == [effects.Tell(notices.AssumedReady(30.0, 2))]


def test_the_old_one_may_end_by_itself_before_the_new_one_is_started() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    told = notices.EndedItself(BROKEN, 5.1, False, None, False, 1, 2)
    assert worker.exited(5.1, 1, BROKEN) == [effects.ReapWorker(1), effects.Tell(told)]
    assert start_next(worker, 5.2) == 2

    waiting = at_work(max_draining=1)
    reload(waiting, 5.0)
    waiting.restart(6.0, A)
    assert plan_of(waiting) is WorkerState.WAITING
    waiting.exited(6.1, 2, BROKEN)
    assert plan_of(waiting) is WorkerState.PREPARING


def test_where_neither_is_left_the_worker_follows_on_exit() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.exited(5.5, 2, BROKEN)
    told = notices.EndedItself(BROKEN, 9.0, False, None, False, 1, None)
    assert worker.exited(9.0, 1, BROKEN) == [effects.ReapWorker(1), effects.Tell(told)]
    assert plan_of(worker) is WorkerState.EXITED

    both = at_work(on_exit=OnExit.RESTART)
    both.restart(5.0, A)
    start_next(both, 5.0)
    both.exited(5.5, 1, BROKEN)
    both.exited(5.6, 2, BROKEN)
    assert (both.state, both.deadline) == (WorkerState.BACKOFF, 6.1)


def test_on_exit_quit_follows_the_one_at_work_and_not_one_that_was_never_ready() -> None:
    worker = at_work(on_exit=OnExit.QUIT)
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.exited(5.5, 2, BROKEN)
    assert plan_of(worker) is WorkerState.HELD
    worker.restart(6.0, B)
    start_next(worker, 6.0)
    result = worker.exited(6.5, 1, events.ExitStatus(code=7))
    assert effects.StopWorker(3) in result
    assert not is_over(worker)
    worker.exited(7.0, 3, OK)
    assert is_over(worker)
    assert worker.status == events.ExitStatus(code=7)


def test_one_that_loses_its_guard_drains_and_another_one_takes_its_place() -> None:
    worker = at_work()
    told = notices.Draining(100, (), signal.SIGINT, 10.0, False, 1)
    assert worker.orphaned(5.0, 1) == [effects.StopWorker(1), effects.Tell(told)]
    assert plan_of(worker) is WorkerState.PREPARING
    assert start_next(worker, 5.1) == 2
    # The draining one may lose it too; and the one at work while another is on its way.
    assert worker.orphaned(5.2, 1) == []
    worker.ready(5.3, 2)
    worker.restart(6.0, A)
    start_next(worker, 6.0)
    assert effects.StopWorker(2) in worker.orphaned(6.1, 2)
    assert (worker.state, lives(worker)[3]) == (WorkerState.RUNNING, GenerationState.STARTING)
    assert worker.orphaned(7.0, 99) == []


def test_a_held_worker_that_loses_its_guard_is_started_anew() -> None:
    worker = at_work()
    worker.restart(5.0, A)
    start_next(worker, 5.0)
    worker.exited(5.5, 2, BROKEN)
    worker.orphaned(6.0, 1)
    assert plan_of(worker) is WorkerState.PREPARING


def test_while_we_stood_still_no_time_has_passed_for_anybody() -> None:
    worker = at_work()
    reload(worker, 5.0)
    assert worker.deadline == 6.0
    worker.postpone(100.0)
    assert worker.deadline == 106.0


# What follows by the plan of a worker with one generation ready, and one draining or starting beside it.
@pytest.mark.parametrize(
    ("plan", "happening", "expected"),
    [
        (WorkerState.HELD, "quit", WorkerState.STOPPED),
        (WorkerState.HELD, "2nd quit", WorkerState.STOPPED),
        (WorkerState.HELD, "snapshot", WorkerState.HELD),
        (WorkerState.HELD, "deadline", WorkerState.HELD),
        (WorkerState.HELD, "kill", WorkerState.HELD),
        (WorkerState.WAITING, "quit", WorkerState.STOPPED),
        (WorkerState.WAITING, "2nd quit", WorkerState.STOPPED),
        (WorkerState.WAITING, "snapshot", WorkerState.WAITING),
        (WorkerState.WAITING, "guard lost", WorkerState.WAITING),
        (WorkerState.PREPARING, "quit", WorkerState.STOPPED),
        (WorkerState.PREPARING, "2nd quit", WorkerState.STOPPED),
        (WorkerState.PREPARING, "guard lost", WorkerState.PREPARING),
        (WorkerState.PREPARING, "deadline", WorkerState.RUNNING),
        (WorkerState.RUNNING, "snapshot", WorkerState.RUNNING),
        (WorkerState.RUNNING, "guard lost", WorkerState.RUNNING),
    ],
)
def test_what_follows_beside_a_ready_one(plan: WorkerState, happening: str, expected: WorkerState) -> None:
    worker = at_work(max_draining=1)
    if plan is WorkerState.WAITING:
        reload(worker, 2.0)
    ready = worker.generation
    worker.restart(3.0, A)
    if plan in (WorkerState.RUNNING, WorkerState.HELD):
        start_next(worker, 3.0)
    if plan is WorkerState.HELD:
        worker.exited(3.5, 2, BROKEN)
    assert plan_of(worker) is plan
    match happening:
        case "quit":
            worker.stop(10.0, Goal.GONE)
        case "2nd quit":
            worker.force(10.0)
        case "snapshot":
            worker.prepared(10.0, 99)
        case "deadline":
            worker.deadline_passed(10.0)
        case "kill":
            worker.kill_now(10.0)
        case "guard lost":
            worker.orphaned(10.0, ready)
    assert plan_of(worker) is expected


def test_a_command_that_cannot_be_run_ends_the_start_that_follows_already() -> None:
    worker = Worker(Settings(command=("worker",), ready="ready", overlap=True, stop_signal=signal.SIGINT))
    worker.start(0.0)
    worker.restart(0.1, A)
    assert worker.prepared(0.2, 2) == [effects.StartWorker(2)]
    failure = events.StartFailed(1, "cannot run worker", "", 127)
    worker.start_failed(0.3, failure)
    assert plan_of(worker) is WorkerState.STOPPED
    assert worker.goal is Goal.GONE
    worker.started(0.4, events.WorkerStarted(2, 200))
    worker.exited(0.5, 2, OK)
    assert is_over(worker)
