"""Whatever fires by time fires once for each due time, however often its worker is restarted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import Run
from schedules import SCHEDULES, Firing, Kind, Schedule, judged, measure
from systems import System
from workshop import Servers

# Those that need minutes are tried by `make schedules` alone.
QUICK = [
    name
    for name, one in SCHEDULES.items()
    if one.every < 60 and one.gap < 30 and one.system.command[-1] != "qcluster"
]
# They wait most of the time, so several run in one test.
GROUPS = 2
SYSTEM = System("none", (), ())


@pytest.mark.integration
@pytest.mark.parametrize("names", [QUICK[n::GROUPS] for n in range(GROUPS)], ids=", ".join)
def test_nothing_fires_twice_for_one_due_time(
    names: list[str], servers: Servers, tmp_path: Path, start: Callable[..., Run]
) -> None:
    def reload_some_times(place: int) -> None:
        # A connection is one thread's.
        own = Servers(servers.folder)
        folder = tmp_path / str(place)
        folder.mkdir()
        try:
            came, printed = measure(SCHEDULES[names[place]], 3, folder, start, own)
        finally:
            own.close()
        assert came.fired > 0, f"{names[place]}:\n{printed}"
        assert came.doubled == 0, f"{names[place]}: {came}\n{printed}"
        # That one loses jobs at stops (docs/workers.md).
        if SCHEDULES[names[place]].kind is Kind.PLANNED and names[place] != "django-tasks-scheduler":
            assert came.skipped == 0, f"{names[place]}: {came}\n{printed}"

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(reload_some_times, range(len(names))))


@pytest.mark.integration
def test_who_saves_too_often_for_the_schedules_of_django_q2_is_told_once(
    servers: Servers, tmp_path: Path, start: Callable[..., Run]
) -> None:
    one = SCHEDULES["django-q2, its schedules looked at beside"]
    came, printed = measure(one, 4, tmp_path, start, servers)
    assert printed.count("django-q2: a cluster looks at its schedules only 30 s after its start") == 1
    assert printed.count("hint: python manage.py shell -c") == 1
    assert (came.doubled, came.skipped) == (0, 0), "with the remedy all run, once"


# --- the judge ------------------------------------------------------------------------------------


def test_a_due_time_that_is_fired_for_twice_is_counted() -> None:
    planned = Schedule(SYSTEM, Kind.PLANNED)
    firings = [Firing(10.0, 10.2, 1), Firing(13.0, 13.1, 1), Firing(13.0, 13.2, 2)]
    counts = judged(planned, firings, [10.0, 13.0, 16.0], 0.0, 20.0)
    assert (counts["due"], counts["fired"], counts["doubled"], counts["skipped"]) == (3, 3, 1, 1)


def test_two_generations_that_both_have_the_timer_are_seen() -> None:
    timer = Schedule(SYSTEM, Kind.TIMER)
    alone = [Firing(0.0, at, generation) for at, generation in ((0, 1), (3, 1), (7.5, 2), (10.5, 2))]
    assert judged(timer, alone, [], 0.0, 11.0)["doubled"] == 0
    both = [*alone, Firing(0.0, 9.0, 1)]
    assert judged(timer, both, [], 0.0, 11.0)["doubled"] >= 1


def test_a_second_firing_in_a_minute_is_seen_on_the_clock() -> None:
    clock = Schedule(SYSTEM, Kind.CLOCK, every=60.0)
    firings = [Firing(0.0, 61.0, 1), Firing(0.0, 70.0, 2), Firing(0.0, 121.0, 2)]
    counts = judged(clock, firings, [], 30.0, 150.0)
    assert (counts["due"], counts["doubled"], counts["skipped"]) == (2, 1, 0)
