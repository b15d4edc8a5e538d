"""Which files restart too often, and for how long they are set aside."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.deciding.restart_limit import (
    MOMENT,
    MOST,
    MOST_OF_OWN,
    MOST_OF_SOURCE,
    WINDOW,
    WINDOW_OF_SOURCE,
    RestartLimit,
)
from reloader.messages import events, notices

FILE = "/p/export.csv"
CHANGE = events.Change(FILE, events.Kind.CHANGED)


def restart(
    loops: RestartLimit,
    now: float,
    change: events.Change = CHANGE,
    *,
    is_own: bool = False,
    is_foreign: bool = False,
) -> bool:
    """The change is seen; whether it restarts."""
    path = frozenset({change.path})
    loops.due(now)
    loops.set_aside([change], now, path if is_own else frozenset(), path if is_foreign else frozenset())
    if loops.is_aside(change):
        return False
    loops.restarted([change], now)
    return True


def test_the_tenth_restart_in_a_minute_waits_until_the_file_is_left_alone() -> None:
    loops = RestartLimit()
    assert all(restart(loops, float(second)) for second in range(MOST))
    assert not restart(loops, 9.0)
    assert not restart(loops, 10.5)
    assert loops.deadline == 10.5 + MOMENT
    assert loops.due(12.5) == {FILE}
    assert restart(loops, 12.5)


def test_who_goes_on_is_set_aside_for_ever_longer() -> None:
    loops = RestartLimit()
    for second in range(MOST):
        restart(loops, float(second))
    restart(loops, 9.0)
    assert restart(loops, 11.0)
    assert loops.set_aside([CHANGE], 12.0) == [notices.SetAside(FILE, MOST, WINDOW, 60.0)]
    assert loops.deadline == 72.0
    assert restart(loops, 72.0)
    assert loops.set_aside([CHANGE], 73.0) == [notices.SetAside(FILE, MOST, WINDOW, 120.0)]


def test_saves_of_a_file_that_is_set_aside_for_a_minute_do_not_make_it_longer() -> None:
    loops = RestartLimit()
    for second in range(MOST):
        restart(loops, float(second))
    restart(loops, 9.0)
    assert restart(loops, 11.0)
    assert not restart(loops, 12.0)
    assert loops.deadline == 72.0
    assert not restart(loops, 40.0)
    assert loops.deadline == 72.0


def test_a_file_that_was_left_alone_for_a_minute_starts_anew() -> None:
    loops = RestartLimit()
    for second in range(MOST):
        restart(loops, float(second))
    restart(loops, 9.0)
    assert restart(loops, 11.0)
    assert all(restart(loops, 100.0 + second) for second in range(MOST))
    assert not restart(loops, 110.0)


def test_nine_restarts_over_more_than_a_minute_are_no_loop() -> None:
    loops = RestartLimit()
    assert all(restart(loops, 7.0 * step) for step in range(100))


def test_other_files_are_not_concerned() -> None:
    loops = RestartLimit()
    for second in range(MOST + 1):
        restart(loops, float(second))
    assert loops.is_aside(CHANGE)
    task = events.Change("/p/task.py", events.Kind.CHANGED)
    assert loops.set_aside([task], 10.0) == []
    assert not loops.is_aside(task)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.floats(0.05, 30.0), min_size=1, max_size=200))
def test_never_more_than_ten_restarts_in_any_minute_and_the_last_change_is_not_lost(
    steps: list[float],
) -> None:
    loops = RestartLimit()
    now = 0.0
    restarts = []
    waiting = False
    for step in steps:
        while loops.deadline is not None and loops.deadline <= now + step:
            at = loops.deadline
            if loops.due(at) and waiting and restart(loops, at):
                restarts.append(at)
                waiting = False
        now += step
        waiting = not restart(loops, now)
        if not waiting:
            restarts.append(now)
    for position, at in enumerate(restarts[:-10]):
        assert restarts[position + 10] - at >= WINDOW - 1e-6
    assert not waiting or loops.deadline is not None


def test_program_text_may_be_saved_more_often() -> None:
    loops = RestartLimit()
    source = events.Change("/p/task.py", events.Kind.CHANGED)
    for step in range(MOST_OF_SOURCE):
        assert restart(loops, step * 0.9, source)
    assert loops.set_aside([source], 54.0) == [
        notices.SetAside(source.path, MOST_OF_SOURCE, WINDOW_OF_SOURCE, MOMENT)
    ]


def test_a_cause_is_suspected_from_its_second_restart_within_a_minute_on() -> None:
    loops = RestartLimit()
    other = events.Change("/p/task.py", events.Kind.CHANGED)
    assert not loops.restarted([CHANGE], 0.0)
    assert not loops.restarted([other], 1.0)
    assert loops.restarted([CHANGE, other], 59.0)
    assert not loops.restarted([CHANGE], 120.0)


# --- where the writer is known --------------------------------------------------------------------


def test_what_the_worker_writes_itself_is_set_aside_after_a_handful_for_ever_longer() -> None:
    loops = RestartLimit()
    now, restarts = 0.0, []
    while now < 3600.0:
        if restart(loops, now, is_own=True):
            restarts.append(now)
        now += 0.5
    assert restarts[:MOST_OF_OWN] == [0.0, 0.5, 1.0]
    assert len(restarts) < 10


def test_its_source_that_the_worker_writes_is_no_exception() -> None:
    loops = RestartLimit()
    source = events.Change("/p/task.py", events.Kind.CHANGED)
    assert all(restart(loops, float(second), source, is_own=True) for second in range(MOST_OF_OWN))
    own = frozenset({source.path})
    assert loops.set_aside([source], 4.0, own) == [
        notices.SetAside(source.path, MOST_OF_OWN, WINDOW, WINDOW, by_worker=True)
    ]


def test_a_new_file_at_each_start_is_one_cause() -> None:
    loops = RestartLimit()

    def report(number: int, kind: events.Kind = events.Kind.ADDED) -> events.Change:
        return events.Change(f"/p/reports/{number}.html", kind)

    assert all(restart(loops, float(number), report(number), is_own=True) for number in range(MOST_OF_OWN))
    both = [report(4), report(3, events.Kind.DELETED), report(5)]
    assert loops.set_aside(both, 4.0, frozenset({both[0].path})) == [
        notices.SetAside("/p/reports/*.html", MOST_OF_OWN, WINDOW, WINDOW, by_worker=True)
    ]
    assert all(map(loops.is_aside, both))
    assert loops.due(64.0) == {"/p/reports/*.html"}
    # Others in that folder, and the same elsewhere, are not concerned.
    loops.set_aside([report(6)], 65.0, frozenset({report(6).path}))
    assert not loops.is_aside(events.Change("/p/reports/7.txt", events.Kind.ADDED))
    assert not loops.is_aside(events.Change("/p/other/7.html", events.Kind.ADDED))
    assert not loops.is_aside(report(4, events.Kind.CHANGED))


@given(steps=st.lists(st.floats(1.5, 60.0), min_size=1, max_size=200))
def test_whoever_else_saves_as_fast_as_restarts_follow_each_other_is_never_set_aside(
    steps: list[float],
) -> None:
    loops = RestartLimit()
    now = 0.0
    for step in steps:
        now += step
        assert restart(loops, now, is_foreign=True)


def test_what_a_program_writes_that_the_worker_runs_ends_in_ever_longer_waits() -> None:
    """It is not the worker itself; without an end to the waits it would be a loop for ever."""
    loops = RestartLimit()
    source = events.Change("/p/task.py", events.Kind.CHANGED)
    now, restarts = 0.0, 0
    while now < 3600.0:
        # It is written once after each start.
        if not restart(loops, now, source, is_foreign=True):
            assert loops.deadline is not None
            now = loops.deadline
            assert restart(loops, now, source, is_foreign=True)
        restarts += 1
        now += 1.0
    assert restarts < 2 * MOST_OF_SOURCE


def test_what_worker_and_user_write_is_judged_by_the_last_writer() -> None:
    loops = RestartLimit()
    assert restart(loops, 0.0, is_foreign=True)
    assert restart(loops, 1.0)
    assert restart(loops, 2.0, is_foreign=True)
    assert not restart(loops, 3.0, is_own=True)
