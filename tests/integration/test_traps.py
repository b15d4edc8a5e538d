"""What a reload can run into with one system or another: each has caught somebody."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from harness import LIMIT, Run, between_presses, eventually
from systems import BEAT, SYSTEMS, System
from workshop import HANDED_OVER, HELD, LONG, READY, Process, Workshop

pytestmark = pytest.mark.integration
SetUp = Callable[[str | System], Workshop]


def ready(shop: Workshop, *options: str) -> Run:
    """The worker at work."""
    run = shop.start(*options)
    run.err.wait_for(READY, LONG)
    return run


def reload(shop: Workshop, run: Run, version: int, overlap: bool = False) -> None:
    """Save, and wait until the worker is ready again, and the one before has ended."""
    shop.save(version)
    if overlap:
        run.err.wait_for(HANDED_OVER, LONG)
        run.err.wait_for(" ended after ", LONG)
        return
    run.err.wait_for(r"→ draining", LONG)
    run.err.wait_for(READY, LONG)


def leader(run: Run) -> int:
    """The first process of the worker: the child of the guard."""
    guard = run.guard()
    for pid in run.workers():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(guard):
            return pid
    raise AssertionError("no worker")


# --- the stop signal ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "celery (prefork)",
        "rqworker",
        "django-dramatiq",
        "huey (threads)",
        "procrastinate",
        "arq, with job_completion_wait",
    ],
)
def test_saving_again_during_a_drain_sends_no_second_signal(name: str, workshop: SetUp) -> None:
    """To most of them a second one means: cut the task."""
    shop = workshop(name)
    run = ready(shop, "--no-overlap")
    shop.queue(1, 2.5)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(r"→ draining")
    shop.save(3)
    (shop.folder / "other.py").write_text("")
    run.err.wait_for(r"other\.py added as well; the restart under way includes it")
    run.err.wait_for(READY, LONG)
    shop.queue(2)
    shop.await_end(2)
    assert run.stop() == 0
    assert shop.of(1) == [("began", 1), ("ended", 1)]
    assert shop.of(2) == [("began", 3), ("ended", 3)]


@pytest.mark.parametrize("name", ["celery (prefork)", "rqworker", "django-q2 (SQLite)", "huey (processes)"])
def test_a_second_ctrl_c_kills_all_of_it(name: str, workshop: SetUp) -> None:
    shop = workshop(name)
    run = ready(shop)
    shop.queue(1, 30.0)
    shop.await_begin(1)
    run.send(signal.SIGINT)
    run.err.wait_for(r"→|draining")
    between_presses()
    run.send(signal.SIGINT)
    assert run.wait(LONG) == -signal.SIGINT
    assert shop.of(1) == [("began", 1)]
    assert not run.survivors()


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        ("celery (prefork)", "the task is lost unless acks_late is on"),
        ("huey (threads)", "the task is lost"),
        ("procrastinate", "the job stays in the state `doing`"),
        ("wakaq", "the task is lost"),
    ],
)
def test_a_task_longer_than_the_stop_timeout_is_killed_and_its_fate_is_told(
    name: str, fate: str, workshop: SetUp
) -> None:
    shop = workshop(name)
    run = ready(shop, "--no-overlap", "--stop-timeout", "4s")
    shop.queue(1, 30.0)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(
        r"did not end within 4 s → SIGKILL to its whole process tree; still there: \S+ \(pid \d+\)"
    )
    run.err.wait_for(re.escape(fate), LONG)
    run.err.wait_for(READY, LONG)
    shop.queue(2)
    shop.await_end(2)
    assert shop.of(1) == [("began", 1)], "as it was told: it is not run again"
    assert shop.of(2) == [("began", 2), ("ended", 2)]
    # Four seconds may be too few for the end of an idle one, where much else is being done.
    assert run.stop() in (0, 1)
    assert not run.survivors()


# --- children that outlive the leader -------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("django-q2 (SQLite)", "django-dramatiq", "celery (prefork)", "rqworker-pool", "huey (processes)"),
        *("taskiq (stream)", "django-pgpubsub", "wakaq"),
    ],
)
def test_what_a_killed_leader_leaves_behind_is_ended(name: str, workshop: SetUp) -> None:
    """Most of them would go on working, without a master, beside the next generation."""
    shop = workshop(name)
    run = ready(shop)
    old = Process.all_of(run.workers())
    os.kill(leader(run), signal.SIGKILL)
    run.err.wait_for(r"crashed after .* → waiting for a change", LONG)
    assert not old & Process.all_of(run.workers())
    shop.save(2)
    run.err.wait_for(READY, LONG)
    shop.queue(1)
    shop.await_end(1)
    assert shop.of(1) == [("began", 2), ("ended", 2)]
    assert run.stop() == 0
    assert not run.survivors()


# --- names, records and locks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("rqworker", ("--name", "w1")),
        ("django-tasks-scheduler --without-scheduler", ("--name", "w1")),
        ("celery (threads)", ("-n", "w1@here")),
        ("django-tasks --no-reload", ("--worker-id", "w1")),
    ],
)
def test_a_fixed_name_is_free_again_after_a_reload(name: str, more: tuple[str, ...], workshop: SetUp) -> None:
    shop = workshop(name)
    run = shop.start("--no-overlap", command=(*shop.system.command, *more))
    run.err.wait_for(READY, LONG)
    for version in (2, 3):
        reload(shop, run, version)
        shop.queue(version)
        shop.await_end(version)
        assert shop.of(version) == [("began", version), ("ended", version)]
    assert run.stop() == 0
    assert "crashed" not in run.err.text


@pytest.mark.parametrize(
    ("name", "overlap"),
    [
        *(("rqworker", False), ("rqworker", True), ("rqworker-pool", False)),
        *(("django-q2 (Redis)", False), ("django-q2 (Redis)", True)),
    ],
)
def test_no_record_of_an_old_worker_stays(name: str, overlap: bool, workshop: SetUp) -> None:
    shop = workshop(name)
    run = ready(shop, *(() if overlap else ("--no-overlap",)))
    # Some say that they are ready before they handle signals.
    shop.queue(1)
    shop.await_end(1)
    for version in (2, 3):
        reload(shop, run, version, overlap)
        shop.queue(version)
        shop.await_end(version)
    there = "2" if name == "rqworker-pool" else "1"
    # A cluster of django-q2 is on record a few seconds longer than it lives.
    eventually(lambda: shop.run("python", "workers.py").split()[-1] == there, "only the live ones are there")
    assert run.stop() == 0


def test_the_next_worker_gets_the_scheduler_of_rq(workshop: SetUp) -> None:
    """Started beside the old one, it would have none for as long as it lives."""
    shop = workshop("rqworker --with-scheduler")
    run = ready(shop)
    run.out.wait_for("Acquired scheduler lock for default")
    for version in (2, 3):
        # It says that it listens before it handles signals.
        shop.queue(version)
        shop.await_end(version)
        reload(shop, run, version)
        run.out.wait_for("Acquired scheduler lock for default")
    shop.queue(4)
    shop.await_end(4)
    assert run.stop() == 0


def test_a_killed_leader_of_rq_keeps_no_scheduler_lock(workshop: SetUp) -> None:
    """Its scheduler, which is left behind, is asked to end before it is killed, and gives the lock back."""
    shop = workshop("rqworker --with-scheduler")
    run = ready(shop)
    run.out.wait_for("Acquired scheduler lock for default")
    os.kill(leader(run), signal.SIGKILL)
    run.err.wait_for(r"crashed after .* → waiting for a change", LONG)
    shop.save(2)
    run.err.wait_for(READY, LONG)
    run.out.wait_for("Acquired scheduler lock for default", LONG)
    shop.queue(1)
    shop.await_end(1)
    assert run.stop() == 0


def test_a_worker_of_rq_that_is_killed_at_its_stop_timeout_has_given_the_lock_back(workshop: SetUp) -> None:
    """The stop signal ends its scheduler at once, whatever the job in flight does."""
    shop = workshop("rqworker --with-scheduler")
    run = ready(shop, "--stop-timeout", "4s")
    run.out.wait_for("Acquired scheduler lock for default")
    shop.queue(1, 60.0)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(r"did not end within 4 s → SIGKILL", LONG)
    run.err.wait_for(READY, LONG)
    run.out.wait_for("Acquired scheduler lock for default")
    shop.queue(2)
    shop.await_end(2)
    assert shop.of(2) == [("began", 2), ("ended", 2)]
    assert run.stop() == 0


@pytest.mark.parametrize("name", ["rqworker", "django-tasks-scheduler --without-scheduler"])
def test_a_fixed_name_that_a_killed_worker_keeps_is_told(name: str, workshop: SetUp) -> None:
    """At the start; and the next worker, which ends for it, says so itself and takes nothing else with it."""
    shop = workshop(name)
    run = shop.start("--no-overlap", "--stop-timeout", "2s", command=(*shop.system.command, "--name", "w1"))
    run.err.wait_for(r"a worker that is killed keeps its --name .*, and the next")
    run.err.wait_for(READY, LONG)
    shop.queue(1, 30.0)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(r"did not end within 2 s → SIGKILL", LONG)
    run.err.wait_for(r"crashed|ended", LONG)
    assert not run.workers()
    assert run.stop() == 0
    assert not run.survivors()


# --- names of generations side by side ------------------------------------------------------------


def at_work(shop: Workshop, *options: str, more: Sequence[str]) -> Run:
    """The worker with more words, which has done task 0; the next start is warm where one can be."""
    run = shop.start("-v", *options, command=(*shop.system.command, *more))
    run.err.wait_for(READY, LONG)
    if "--warm" in options:
        run.err.wait_for("preloaded in .*; the next start is warm", LONG)
    shop.queue(0)
    shop.await_end(0)
    return run


@pytest.mark.parametrize("how", ["--warm", "--cold"])
@pytest.mark.parametrize(
    ("pool", "more", "names"),
    [
        ("prefork", (), ("celery@{host}", "celery.2@{host}")),
        ("threads", ("-n", "w1@%h"), ("w1@{host}", "w1.2@{host}")),
        ("solo", ("--hostname=w1@there",), ("w1@there", "w1.2@there")),
    ],
)
def test_celery_has_two_nodes_while_there_are_two_generations(
    pool: str, more: tuple[str, ...], names: tuple[str, ...], how: str, workshop: SetUp
) -> None:
    """A drain takes no part any more, so the first one gets a signal that means nothing to it.

    Only the first waits for what other nodes have to say. Seen to fail where every generation runs the command
    as it was typed (one node answers, twice and with a warning), and where a warm one has the words of the first
    in sys.argv.
    """
    shop = workshop(f"celery ({pool})")
    run = at_work(shop, how, "--stop-signal", "CONT", more=more)
    shop.save(2)
    run.err.wait_for(rf"\.2 ready in .*, {'warm' if how == '--warm' else 'start'}", LONG)
    run.err.wait_for(HANDED_OVER, LONG)
    expected = sorted(name.format(host=socket.gethostname()) for name in names)
    assert sorted(shop.run("python", "nodes.py").split()) == expected
    assert (run.out.text + run.err.text).count("mingle: searching") == 1
    run.send(signal.SIGINT)
    run.err.wait_for("draining .*again kills")
    between_presses()
    run.send(signal.SIGINT)
    assert run.wait(LONG) == -signal.SIGINT
    assert not run.survivors()


@pytest.mark.parametrize("how", ["--warm", "--cold"])
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("rqworker", "--name"),
        ("django-tasks-scheduler --without-scheduler", "--name"),
        ("django-tasks --no-reload", "--worker-id"),
    ],
)
def test_a_fixed_name_gets_a_number_while_there_are_two_generations(
    name: str, option: str, how: str, workshop: SetUp
) -> None:
    """Seen to fail where it does not: the second worker of that name ends at its start, or goes by the same."""
    shop = workshop(name)
    run = at_work(shop, how, more=(option, "w1"))
    shop.queue(1, HELD)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(rf"\.2 ready in .*, {'warm' if how == '--warm' else 'start'}", LONG)
    run.err.wait_for(HANDED_OVER, LONG)
    shop.queue(2)
    shop.await_end(2)
    assert sorted(shop.run("python", "names.py").split()) == ["w1", "w1.2"]
    shop.release(1)
    run.err.wait_for(" ended after ", LONG)
    assert run.stop() == 0
    assert shop.of(1) == [("began", 1), ("ended", 1)]
    assert not run.survivors()


# --- clocks ---------------------------------------------------------------------------------------


def test_beat_keeps_its_schedule_and_ticks_no_more_often_for_being_reloaded(workshop: SetUp) -> None:
    shop = workshop(replace(BEAT, env={"EVERY": "600"}))
    run = ready(shop)

    def schedules() -> list[str]:
        return [path.name for path in shop.folder.iterdir() if path.name.startswith("celerybeat")]

    eventually(schedules, "it has written its schedule")
    for version in (2, 3, 4):
        reload(shop, run, version)
        assert schedules(), "the schedule outlives the reload"
        assert len(Process.all_of(run.workers())) == 1, "two would share the file"
    assert run.stop() == 0
    assert shop.run("python", "length.py", "celery").strip() == "0", "ten minutes have not passed"
    assert run.err.text.count("→ draining") == 3, "what it writes restarts nothing"


def test_beat_ticks_on_after_reloads(workshop: SetUp) -> None:
    shop = workshop(replace(BEAT, env={"EVERY": "1"}))
    run = ready(shop)
    reload(shop, run, 2)
    before = int(shop.run("python", "length.py", "celery"))
    eventually(lambda: int(shop.run("python", "length.py", "celery")) > before, "it ticks", 2 * LIMIT)
    assert run.stop() == 0


# --- what only some of them do --------------------------------------------------------------------


def test_without_lock_and_recover_pgpubsub_loses_nothing_that_is_not_in_flight(workshop: SetUp) -> None:
    """Each notification is handled once, also by a listener that would have outlived its leader."""
    shop = workshop(replace(SYSTEMS["django-pgpubsub"], env={"UNLOCKED": "1"}))
    run = ready(shop)
    for version in (2, 3):
        reload(shop, run, version)
        shop.queue(version)
        shop.await_end(version)
        assert shop.of(version) == [("began", version), ("ended", version)]
    assert run.stop() == 0
    assert not run.survivors()


def test_sigterm_cuts_the_tasks_of_rocketry_and_that_is_told(workshop: SetUp) -> None:
    """Why INT is the signal for a Python program that nothing is known of."""
    shop = workshop("rocketry")
    run = ready(shop, "--preset", "rocketry", "--stop-signal", "TERM")
    assert "SIGTERM cuts rocketry's tasks" in run.err.text
    shop.queue(1, 20.0)
    shop.await_begin(1)
    shop.save(2)
    run.err.wait_for(READY, LONG)
    shop.queue(2)
    shop.await_end(2)
    assert shop.of(1) == [("began", 1)]
    assert run.stop() == 0


def test_an_idle_django_tasks_scheduler_drops_what_comes_while_it_stops(workshop: SetUp) -> None:
    """Its handler waits for its scheduler while the broker already hands over the next job. See docs/workers.md."""
    shop = workshop("django-tasks-scheduler")
    # Where its scheduler looks up soon, the worker has gone before it is handed the job, and the next does it.
    for number in range(1, 10, 2):
        run = ready(shop)
        eventually(lambda: shop.run("python", "waiting.py").strip() == "1", "it waits for its first job")
        run.send(signal.SIGINT)
        run.err.wait_for("still draining|ended")  # by then it has heard the signal
        shop.queue(number)
        assert run.wait(LONG) == 0
        again = ready(shop)
        shop.queue(number + 1)
        shop.await_end(number + 1)
        assert again.stop() == 0
        if not shop.of(number):
            return
    pytest.fail("every job was done")
