"""Which files restart too often, and for how long they are set aside."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.deciding.restart_limit import MOMENT, MOST, MOST_OF_SOURCE, WINDOW, RestartLimit

FILE = "/p/export.csv"


def restart(loops: RestartLimit, now: float) -> bool:
    """A change of FILE is seen; whether it restarts."""
    loops.due(now)
    loops.set_aside([FILE], now)
    if loops.is_aside(FILE):
        return False
    loops.restarted([FILE], now)
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
    assert loops.set_aside([FILE], 12.0) == {FILE: 60.0}
    assert loops.deadline == 72.0
    assert restart(loops, 72.0)
    assert loops.set_aside([FILE], 73.0) == {FILE: 120.0}


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
    assert loops.is_aside(FILE)
    assert loops.set_aside(["/p/task.py"], 10.0) == {}
    assert not loops.is_aside("/p/task.py")


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
    source = "/p/task.py"
    for step in range(MOST_OF_SOURCE):
        assert loops.set_aside([source], step * 0.9) == {}
        loops.restarted([source], step * 0.9)
    assert loops.set_aside([source], 54.0) == {source: MOMENT}
