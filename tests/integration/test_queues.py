"""Every system: no reload loses, cuts or doubles a task that it can keep, and nothing of the old worker is left.

Where generations overlap unasked it is tried so, and with --no-overlap too.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fronts import MissingError
from harness import Run
from systems import BEHIND, SYSTEMS, Fate, System
from workshop import LONG, READY, Process, Workshop, saves_at_a_long_task, stream

pytestmark = pytest.mark.integration
SetUp = Callable[[str | System], Workshop]
BESIDE = [name for name, system in SYSTEMS.items() if system.overlaps]
THOSE = {fate: [name for name, system in SYSTEMS.items() if system.fate is fate] for fate in Fate}


def begin(shop: Workshop, seconds: float) -> Run:
    """A worker that is ready, with task 1 in flight.

    It has done another one before: some say that they are ready before they handle signals.
    """
    run = shop.start("--no-overlap")
    run.err.wait_for(READY, LONG)
    shop.queue(0)
    shop.await_end(0)
    shop.queue(1, seconds)
    shop.await_begin(1)
    return run


def save_and_wait(shop: Workshop, run: Run) -> None:
    """Save the second version while task 1 runs; nothing of the old worker may be left once it is ready."""
    old = Process.all_of(run.workers())
    shop.save(2)
    run.err.wait_for(r"^reloader +\| \S+ changed → draining \S+ \(pid \d+\)$")
    run.err.wait_for(READY, LONG)
    shop.queue(2)
    assert not old & Process.all_of(run.workers()), "something of the old worker is left"
    shop.await_end(2)
    assert shop.of(2) == [("began", 2), ("ended", 2)], "what is queued as it is ready is done by the new code"


@pytest.mark.parametrize("name", THOSE[Fate.ENDS])
def test_a_task_in_flight_ends_on_the_old_code_and_the_next_runs_the_new(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    run = begin(shop, 1.5)
    save_and_wait(shop, run)
    assert run.stop() == 0
    assert shop.of(1) == [("began", 1), ("ended", 1)]
    assert not run.survivors()


@pytest.mark.parametrize("name", THOSE[Fate.AGAIN])
def test_a_task_that_the_system_cuts_is_run_again_by_the_new_code(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    run = begin(shop, 1.5)
    save_and_wait(shop, run)
    shop.await_end(1)
    assert run.stop() == 0
    told = shop.of(1)
    assert told[0] == ("began", 1)
    assert told[-2:] == [("began", 2), ("ended", 2)]
    assert ("ended", 1) not in told
    assert not run.survivors()


@pytest.mark.parametrize("name", THOSE[Fate.LOST])
def test_a_task_that_the_system_cannot_let_end_is_cut(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    run = begin(shop, 20.0)
    save_and_wait(shop, run)
    assert run.stop() == 0
    told = shop.of(1)
    assert told[0] == ("began", 1)
    assert "ended" not in dict(told)
    assert [what for what, _ in told].count("began") == 1
    assert not run.survivors()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("name", THOSE[Fate.ENDS])
def test_quitting_lets_the_task_in_flight_end(name: str, number: int, workshop: SetUp) -> None:
    shop = workshop(name)
    run = begin(shop, 1.0)
    run.send(number)
    assert run.wait(LONG) == 0
    assert shop.of(1) == [("began", 1), ("ended", 1)]
    assert not run.survivors()


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.reloads])
def test_many_reloads_under_a_stream_of_tasks(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    run = shop.start("--no-overlap", *(("--stop-timeout", "10s") if shop.system.calm else ()))
    run.err.wait_for(READY, LONG)
    outcome = stream(shop, run, shop.system.reloads)
    assert (outcome.lost, outcome.left) == ([], [])
    assert outcome.killed == 0 or shop.system.calm
    if shop.system.fate is Fate.ENDS:
        assert outcome.doubled == []
    assert outcome.tasks >= outcome.reloads
    assert outcome.versions > 1
    assert run.stop() == 0 or outcome.killed
    assert not run.survivors()


@pytest.mark.parametrize("name", BEHIND)
def test_many_reloads_of_a_worker_that_somebody_stands_in_front_of(name: str, workshop: SetUp) -> None:
    """Whoever that is, at a terminal: no task is lost or done twice, and nothing is left."""
    shop = workshop(BEHIND[name])
    try:
        run = shop.start("--no-overlap")
    except MissingError as error:
        pytest.skip(str(error))
    run.err.wait_for(READY, LONG)
    outcome = stream(shop, run, shop.system.reloads)
    assert (outcome.lost, outcome.kept, outcome.doubled, outcome.left) == ([], [], [], [])
    assert outcome.killed == 0
    assert outcome.versions > 1
    assert run.stop() == 0
    assert not run.survivors()


# --- generations side by side ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in BESIDE if SYSTEMS[name].fate is Fate.ENDS])
def test_many_reloads_side_by_side_under_a_stream_of_tasks(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    # An idle process of taskiq may not notice that it is to stop, and is waited for in vain.
    run = shop.start(*(("--stop-timeout", "10s") if shop.system.calm else ()))
    run.err.wait_for(READY, LONG)
    outcome = stream(shop, run, shop.system.beside, overlap=True)
    assert (outcome.lost, outcome.kept, outcome.doubled, outcome.left) == ([], [], [], [])
    assert outcome.killed == 0 or shop.system.calm
    assert outcome.tasks >= outcome.reloads
    assert outcome.versions == outcome.reloads + 1
    assert run.stop() == 0 or outcome.killed
    assert not run.survivors()


# Most of the time they wait for the long task, so several run in one test.
GROUPS = 4
TOGETHER = [[name for name in BESIDE if SYSTEMS[name].fate is Fate.ENDS][n::GROUPS] for n in range(GROUPS)]


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_a_task_of_20_s_ends_once_through_five_saves_and_the_new_code_serves_after_each(
    names: list[str], workshop: SetUp
) -> None:
    def save_five_times(shop: Workshop) -> list[float]:
        # On a slow machine the saves take longer than the task would.
        run = shop.start("--stop-timeout", "10m")
        run.err.wait_for(READY, LONG)
        times = saves_at_a_long_task(shop, run, 5, 20.0)
        assert run.stop() == 0
        assert not run.survivors()
        return times

    shops = [workshop(name) for name in names]
    with ThreadPoolExecutor(len(shops)) as pool:
        for shop, times in zip(shops, pool.map(save_five_times, shops), strict=True):
            # Several at once on a busy machine: figures are made by `make workers`.
            assert max(times) < LONG, shop.system.name
