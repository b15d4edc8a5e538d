"""What is told where restarts come too soon after each other."""

from __future__ import annotations

from reloader.deciding.restart_pace import IN_A_ROW, RestartPace
from reloader.messages import effects, notices

STARVED = (30.0, "its schedules starve", "look at them by hand")


def starts(hurry: RestartPace, *moments: float) -> list[effects.Effect]:
    return [effect for now in moments for effect in hurry.started(now)]


def test_it_is_told_once_and_only_after_some_in_a_row() -> None:
    hurry = RestartPace([STARVED])
    moments = [10.0 * place for place in range(IN_A_ROW + 1)]
    assert starts(hurry, *moments[:-1]) == [], "the first start comes after no other one"
    assert starts(hurry, moments[-1]) == [effects.Tell(notices.Caution(*STARVED[1:]))]
    assert starts(hurry, 100.0, 101.0, 102.0, 103.0, 104.0) == []


def test_a_generation_that_had_its_time_begins_the_count_anew() -> None:
    hurry = RestartPace([STARVED])
    assert starts(hurry, 0.0, 10.0, 20.0, 50.0, 60.0, 70.0) == []
    assert starts(hurry, 80.0) == [effects.Tell(notices.Caution(*STARVED[1:]))]


def test_each_has_a_time_of_its_own() -> None:
    longer = (60.0, "every timer begins anew", "shorter ones")
    hurry = RestartPace([STARVED, longer])
    assert starts(hurry, 0.0, 40.0, 80.0, 120.0) == [effects.Tell(notices.Caution(*longer[1:]))]
    assert starts(hurry, 121.0, 122.0, 123.0) == [effects.Tell(notices.Caution(*STARVED[1:]))]


def test_nobody_who_has_nothing_to_fear_is_told_anything() -> None:
    assert starts(RestartPace([]), *map(float, range(10))) == []
