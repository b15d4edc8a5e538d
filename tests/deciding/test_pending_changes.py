"""The quiet period: as short as is wanted for one save, longer for saves in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloader.deciding.pending_changes import CALM, LONGEST, PendingChanges

PATH = frozenset({"/p/a.py"})


def restarts(saves: list[float], shortest: float = 0.05, max_wait: float = 2.0) -> list[float]:
    """When restarts come of saves at these times, where each look finds a change at once."""
    pending = PendingChanges(shortest, max_wait)
    came: list[float] = []
    for save in [*saves, float("inf")]:
        while pending.deadline is not None and pending.deadline <= save:
            came.append(pending.deadline)
            pending.settle(came[-1])
            pending.restarted(came[-1])
        if save != float("inf"):
            pending.touch(save, PATH)
    return came


def test_a_single_save_is_acted_upon_after_the_shortest_period() -> None:
    assert restarts([1.0]) == [1.05]
    assert restarts([1.0, 10.0, 20.0]) == pytest.approx([1.05, 10.05, 20.05])


def test_twenty_saves_in_a_row_cause_few_restarts_and_the_last_one_counts_soon() -> None:
    """Seen to fail with one period for all: twenty restarts."""
    saves = [n * 0.1 for n in range(20)]
    came = restarts(saves)
    assert len(came) <= 4
    assert saves[-1] < came[-1] <= saves[-1] + LONGEST


def test_autosave_reaches_the_longest_period_and_calm_puts_it_back() -> None:
    saves = [n * 0.7 for n in range(20)]
    came = restarts([*saves, 100.0])
    assert len(came) < 14
    assert came[-1] == pytest.approx(100.05)


@pytest.mark.parametrize("shortest", [1.5, 5.0, 60.0])
def test_a_longer_period_is_kept_to_its_full_length(shortest: float) -> None:
    """Seen to fail when the bound for touches that never pause came sooner."""
    assert restarts([1.0], shortest) == [1.0 + shortest]
    half = shortest / 2
    assert restarts([1.0, 1.0 + half], shortest) == [1.0 + half + shortest]


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=60), st.floats(0.01, 3.0))
def test_no_save_waits_longer_than_the_bound(gaps: list[float], shortest: float) -> None:
    saves = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    came = restarts(saves, shortest)
    for save in saves:
        follows = min(moment for moment in came if moment >= save)
        assert follows - save <= max(2.0, 2 * shortest) + 1e-6
    assert came[-1] - saves[-1] <= max(LONGEST, shortest) + 1e-6


def test_what_waits_longer_than_calm_is_not_lengthened() -> None:
    came = restarts([n * (CALM + 0.2) for n in range(10)])
    assert came == pytest.approx([n * (CALM + 0.2) + 0.05 for n in range(10)])
