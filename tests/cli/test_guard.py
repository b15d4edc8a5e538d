"""Whatever is killed, supervisor or guard or both: the worker drains, once, and nothing is left."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import WORKER
from families import FAMILIES, GENTLE, asked_to_end, noted, write_family
from harness import LIMIT, Run, eventually, save
from processes import identify
from refusing import Refusing

Start = Callable[..., Run]
PYTHON = sys.executable


def test_the_guard_lets_a_task_in_flight_end(stubborn: Path, start: Start) -> None:
    """Seen to fail with a guard that ends with the supervisor (the worker went on for ever), and with a stop
    signal to the whole group.
    """
    run = start("--", PYTHON, "worker.py")
    leader, child = map(int, run.out.wait_for(r"ready (\d+) (\d+)").groups())
    run.kill()
    run.err.wait_for(rf"reloader itself was killed; draining worker \(pid {leader}\) for at most 10 s")
    run.out.wait_for("got SIGINT")
    assert identify(leader) is not None
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()
    assert identify(child) is None
    assert run.out.text.count("got") == 1


def test_a_drain_under_way_is_no_second_signal(stubborn: Path, start: Start) -> None:
    """Seen to fail with a guard that always sends the stop signal (the worker got two), and with a stop
    signal to the whole group.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.kill()
    run.err.wait_for("reloader itself was killed")
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()
    assert run.out.text.count("got") == 1


def test_the_guard_kills_once_the_stop_timeout_is_over(stubborn: Path, start: Start) -> None:
    """Seen to fail with a guard that only waits: the worker was never ended."""
    run = start("-t", "300ms", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.kill()
    run.out.wait_for("got SIGINT")
    run.err.wait_for("worker did not end in time; killing it")
    run.nothing_is_left()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_guard_leaves_nothing_of_the_tree(project: Path, start: Start, family: str) -> None:
    """Every family that leaves processes was seen to fail with a guard that is no subreaper, and with an end
    that does not wait until the guard has no child; those whose child ends when it is asked to, with
    leftovers that are killed without being asked; the stopped child without SIGCONT; the child of a deaf
    one without a walk below children; children in sessions of their own with a walk that passes over
    leaders of sessions; deaf ones, the daemon and the one that never stays the same with leftovers that
    are never killed; and those that leave nothing with SIGKILL in the place of the stop signal.
    """
    write_family(project, FAMILIES[family])
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.table.expect(noted(project))
    run.kill()
    run.out.wait_for("finished")
    run.table.expect(noted(project))
    run.nothing_is_left()
    assert asked_to_end(project) == (family in GENTLE)


def test_what_the_worker_prints_without_a_supervisor_is_shown(project: Path, start: Start) -> None:
    """Seen to fail without the pipes in the guard: the first print of the last task was its end."""
    write_family(project, "def last():\n    for n in range(20_000): print('still', n, flush=True)\n")
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.kill()
    run.out.wait_for("still 19999")
    run.out.wait_for("finished")
    assert len(re.findall(r"^still \d+$", run.out.text, re.MULTILINE)) == 20_000


def test_a_worker_that_has_become_another_users(project: Path, start: Start) -> None:
    """It cannot be signalled any more: told, and no fault of the guard's.

    Seen to fail with a guard that takes this for impossible: it ended.
    """
    launcher = ["setpriv", "--bounding-set=-kill"]
    if os.geteuid() != 0 or subprocess.run([*launcher, "true"], capture_output=True).returncode:
        pytest.skip("needs the superuser, to be none that may signal everybody")
    (project / "worker.py").write_text(
        "import os, time\nos.setresuid(61234, 61234, 61234)\nprint('ready', flush=True)\n"
        "while not os.path.exists('release'): time.sleep(0.01)\n"
    )
    project.chmod(0o755)
    run = start("-t", "300ms", "--", PYTHON, "worker.py", launcher=launcher)
    run.out.wait_for("ready")
    run.send(signal.SIGTERM)
    run.err.wait_for("did not end within 0.3 s")
    run.err.wait_for("runs as another user and is still there after 5 s")
    assert "guard was killed" not in run.err.text
    (project / "release").touch()
    assert run.wait() == 1
    assert "Traceback" not in run.err.text


def test_nobody_reads_what_is_shown(project: Path, start: Start) -> None:
    """A pager, or a terminal that was halted: it must not keep the worker alive.

    Seen to fail with a guard that writes without asking whether there is room.
    """
    (project / "worker.py").write_text(
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: open('asked', 'w').close())\n"
        "while True: print('flood ' * 100, flush=True)\n"
    )
    os.mkfifo(project / "pager")
    reading = os.open(project / "pager", os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(project / "pager", os.O_WRONLY | os.O_NONBLOCK)
    try:
        launcher = ["sh", "-c", 'exec "$@" >pager 2>&1', "sh"]
        run = start("-t", "300ms", "--", PYTHON, "worker.py", launcher=launcher)
        eventually(lambda: not select.select((), (writing,), (), 0)[1], "the pager is full")
        run.kill()
        eventually((project / "asked").exists, "the worker has the stop signal")
        run.nothing_is_left()
    finally:
        os.close(reading)
        os.close(writing)


def test_a_guard_that_is_killed_is_replaced(stubborn: Path, start: Start) -> None:
    """Seen to fail without the parent-death signal: the worker went on without a guard."""
    run = start("--", PYTHON, "worker.py")
    leader = int(run.out.wait_for(r"ready (\d+)").group(1))
    guard = run.guard()
    assert guard is not None
    os.kill(guard, signal.SIGKILL)
    run.err.wait_for("the guard was killed; the next start makes another")
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.out.wait_for(r"ready \d+")
    assert identify(leader) is None
    assert run.out.text.count("got") == 1
    second = run.guard()
    assert second not in (None, guard)
    run.kill()
    run.out.wait_for("got SIGINT")
    run.nothing_is_left()


def is_deaf(project: Path) -> bool:
    """Whether the second worker that was begun ignores SIGINT, by proc(5)."""
    begun = (project / "began").read_text().split()
    if len(begun) < 2:
        return False
    ignored = re.search(r"SigIgn:\s+(\w+)", Path(f"/proc/{begun[1]}/status").read_text())
    return ignored is not None and bool(int(ignored[1], 16) & 1 << signal.SIGINT - 1)


@pytest.mark.parametrize("held", ["chdir", "pidfd_open"], ids=["before exec", "after exec"])
def test_a_guard_that_is_killed_as_it_starts_a_worker(project: Path, start: Start, held: str) -> None:
    """What it has begun ends before the next guard starts one.

    Seen to fail with a guard that is replaced without ending what is left of it (after exec; before exec, where
    there was no parent-death signal either: two workers ran), and with its loss told of the worker that its
    successor has started (after exec: that was drained at once).
    """
    # Once it has begun, the second one has no ear for its stop signal.
    deaf = "if len(open('began').readlines()) == 2: signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    began = "import os, signal\nprint(os.getpid(), file=open('began', 'a'), flush=True)\n"
    worker = WORKER if held == "chdir" else WORKER.replace('print("ready"', deaf + 'print("ready"')
    # A drain uses pidfds as well: that of the first worker has had its own when it is let go.
    slow = "    while not os.path.exists('release'): time.sleep(0.01)\n    sys.exit"
    (project / "worker.py").write_text(began + worker.replace("    sys.exit", slow))
    refusing = Refusing(held)
    try:
        run = start("--", PYTHON, "worker.py", preexec=refusing.preexec)
        run.out.wait_for("ready 1")
        run.err.wait_for("watching")
        save(project / "task.py", "VERSION = 2\n")
        run.out.wait_for("got SIGINT")
        refusing.hold()
        (project / "release").touch()
        eventually(refusing.asked.is_set, "the guard is in the middle of a start")
        first = run.guard()
        assert first is not None
        if held == "pidfd_open":
            eventually(lambda: is_deaf(project), "the worker has begun, and hears no stop signal")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: identify(first) is None, "the guard is gone")
        refusing.release()
        eventually(lambda: run.guard() not in (None, first), "there is another guard")
        run.out.wait_for("ready 2")
        assert len(run.workers()) == 1
        assert run.stop() == 0
        # After exec it may have said that it is ready, before it was ended.
        assert run.out.text.count("ready 2") == (1 if held == "chdir" else 2)
    finally:
        refusing.close()


def test_what_makes_the_guards_may_be_killed(project: Path, start: Start) -> None:
    """Seen to fail without a look at the forkserver before a start: the run ended with an error."""
    run = start("--", PYTHON, "worker.py")
    leader = int(run.out.wait_for(r"ready 1 pid (\d+)").group(1))
    run.err.wait_for("watching")
    forkserver = run.forkserver()
    assert forkserver is not None
    os.kill(forkserver, signal.SIGKILL)
    eventually(lambda: identify(forkserver) is None, "it has ended")
    assert identify(leader) is not None
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 2")
    assert run.forkserver() not in (None, forkserver)
    assert run.stop() == 0


def test_guard_and_supervisor_killed_at_once(project: Path, start: Start) -> None:
    """Seen to fail without the parent-death signal: the worker went on."""
    run = start("--", PYTHON, "worker.py")
    leader = int(run.out.wait_for(r"ready 1 pid (\d+)").group(1))
    guard = run.guard()
    assert guard is not None
    run.send(signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    run.kill()
    eventually(lambda: identify(leader) is None, "the worker has ended")
    run.nothing_is_left()


def test_guard_and_supervisor_killed_as_a_worker_is_started(project: Path, start: Start) -> None:
    """Between fork and exec: nobody is left who could do anything about it.

    Seen to fail with signals that are reset only just before exec: the stop signal was lost, and it ran on.
    """
    # What is printed once nobody is there to read it would be its end, too.
    (project / "worker.py").write_text(
        "import os, time\nfirst = not os.path.exists('begun')\nprint(os.getpid(), file=open('begun', 'a'))\n"
        "if first: print('ready', flush=True)\nwhile True: time.sleep(60)\n"
    )
    refusing = Refusing("chdir")
    try:
        run = start("--", PYTHON, "worker.py", preexec=refusing.preexec)
        run.out.wait_for("ready")
        run.err.wait_for("watching")
        refusing.hold()
        save(project / "task.py", "VERSION = 2\n")
        eventually(refusing.asked.is_set, "the guard is in the middle of a start")
        guard = run.guard()
        assert guard is not None
        run.kill()
        os.kill(guard, signal.SIGKILL)
        eventually(lambda: identify(guard) is None, "the guard is gone")
        refusing.release()
        run.nothing_is_left()
        assert len((project / "begun").read_text().split()) == 1
    finally:
        refusing.close()


def test_the_guard_is_no_part_of_the_supervisors_group(stubborn: Path, start: Start) -> None:
    """A process manager that loses its patience sends SIGKILL to the group.

    Seen to fail with a guard in the same group: the worker lost its task.
    """
    run = start("--", PYTHON, "worker.py", preexec=os.setpgrp)
    run.out.wait_for("ready")
    os.killpg(run.process.pid, signal.SIGTERM)
    run.out.wait_for("got SIGINT")
    os.killpg(run.process.pid, signal.SIGKILL)
    assert run.process.wait(LIMIT) == -signal.SIGKILL
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()
    assert run.out.text.count("got") == 1


def test_the_guard_costs_little(project: Path, start: Start) -> None:
    """A bound that only a bug would pass; make bench measures.

    Seen to fail with a guard that imports much, and with one that never sleeps.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    pids = (run.forkserver(), run.guard())
    # Their own pages: those that they share with each other count once, those of the interpreter's file not.
    anonymous = [
        re.search(r"Pss_Anon: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids
    ]
    assert 0 < sum(int(found[1]) for found in anonymous if found) < 8_000
    began, before = time.monotonic(), sum(map(cpu_of, pids))
    eventually(lambda: time.monotonic() > began + 2, "some time has passed")
    assert sum(map(cpu_of, pids)) - before < 0.25 * (time.monotonic() - began)
    assert run.stop() == 0


def cpu_of(pid: int | None) -> float:
    """Seconds of CPU time."""
    assert pid is not None
    return time.clock_gettime((~pid << 3) | 2)


def test_a_guard_that_is_killed_behind_a_shell(stubborn: Path, start: Start) -> None:
    """The system tells the first process alone; the worker behind it drains all the same.

    Seen to fail where nobody signals but the system: the worker was ended in the middle of its task.
    """
    run = start("--", "sh", "-c", f"true; {PYTHON} worker.py; true")
    worker = int(run.out.wait_for(r"ready (\d+)").group(1))
    guard = run.guard()
    assert guard is not None
    os.kill(guard, signal.SIGKILL)
    run.err.wait_for("the guard was killed; the next start makes another")
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.out.wait_for(r"ready \d+")
    assert identify(worker) is None
    assert run.out.text.count("got") == 1
    assert run.stop() == 0
    run.nothing_is_left()
