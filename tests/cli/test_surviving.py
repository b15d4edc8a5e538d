"""Suspended, as the first process of a container, and when starts fail."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import container, first_process, zombies_below
from families import FAMILIES, write_family
from harness import LIMIT, RELOADER, Run, between_presses, eventually, save
from processes import status_of
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable


# --- at a terminal --------------------------------------------------------------------------------


@pytest.fixture
def shell(stubborn: Path) -> Iterator[Terminal]:
    """An interactive shell, in the folder of the stubborn worker."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    one = Terminal(stubborn, "--norc", "--noprofile", "-i", program=str(shutil.which("bash")), columns=200)
    yield one
    one.close()


def state_of(pid: int) -> str:
    """T for a stopped process, Z for a zombie, by proc(5); nothing for one that is gone."""
    status = status_of(pid)
    return "" if status is None else status.state


def begin(shell: Terminal, *options: str) -> tuple[int, int]:
    """Start the stubborn worker; its pid and its child's."""
    os.write(shell.fd, " ".join([RELOADER, *options, "--", PYTHON, "worker.py\n"]).encode())
    leader, child = map(int, shell.screen.wait_for(r"ready (\d+) (\d+)").groups())
    return leader, child


def leave(shell: Terminal) -> None:
    """Leave the shell, once it asks for the next command."""
    shell.screen.wait_for(r"bash-\S+[#$] $")
    os.write(shell.fd, b"exit\n")
    assert shell.process.wait(LIMIT) == 0
    shell.nothing_is_left()


def test_ctrl_z_suspends_all_and_fg_brings_it_back(shell: Terminal, stubborn: Path) -> None:
    """Seen to fail without a handler for SIGTSTP: the worker went on while nobody watched it."""
    leader, child = begin(shell)
    eventually(lambda: "watching" in shell.screen.text, "the tree is watched")
    os.write(shell.fd, b"\x1a")
    shell.screen.wait_for("Stopped")
    eventually(lambda: state_of(leader) == state_of(child) == "T", "the worker is stopped, with its child")
    save(stubborn / "task.py", "VERSION = 2\n")
    os.write(shell.fd, b"fg\n")
    shell.screen.wait_for("got SIGINT")
    (stubborn / "release").touch()
    shell.screen.wait_for(r"ready \d+ \d+")
    os.write(shell.fd, b"\x03")
    shell.screen.wait_for("drained")
    leave(shell)


def test_a_drain_has_as_long_as_before_when_it_was_suspended(shell: Terminal, stubborn: Path) -> None:
    """Seen to fail with deadlines that are not postponed: the worker was killed once it went on."""
    begin(shell, "--stop-timeout", "3s")
    os.write(shell.fd, b"\x03")
    shell.screen.wait_for("got SIGINT")
    os.write(shell.fd, b"\x1a")
    shell.screen.wait_for("Stopped")
    over = time.monotonic() + 3.2
    eventually(lambda: time.monotonic() > over, "the stop timeout would be over")
    os.write(shell.fd, b"fg\n")
    shell.screen.wait_for("still draining")
    (stubborn / "release").touch()
    shell.screen.wait_for("drained")
    leave(shell)
    assert "SIGKILL to" not in shell.screen.text


def test_at_a_terminal_a_drain_is_one_line_that_changes(shell: Terminal, stubborn: Path) -> None:
    """Seen to fail with a line for every second."""
    leader, _ = begin(shell)
    os.write(shell.fd, b"\x03")
    for second in (1, 2, 3):
        shell.screen.wait_for(rf"still draining worker after {second} s \(SIGKILL in {10 - second} s\)")
        assert f"(pid {leader}) " in shell.screen.text
    after = shell.screen.text.partition("after 1 s")[2].partition("after 3 s")[0]
    assert "\n" not in after
    assert after.count("\r\x1b[K") == 2
    (stubborn / "release").touch()
    shell.screen.wait_for("drained")
    leave(shell)


def test_elsewhere_a_drain_is_told_now_and_then(stubborn: Path, start: Start) -> None:
    """With who is still there, and the CPU that each uses.

    Seen to fail with a line for every second, and without the look at the processes.
    """
    code = (stubborn / "worker.py").read_text().replace("time.sleep(0.01)", "pass")
    (stubborn / "worker.py").write_text(code)
    run = start("--", PYTHON, "worker.py")
    leader, child = map(int, run.out.wait_for(r"ready (\d+) (\d+)").groups())
    run.send(signal.SIGINT)
    run.err.wait_for(r"still draining worker after 2 s \(SIGKILL in 8 s\): CPU of ")
    run.err.wait_for(rf"\(pid {leader}\) [1-9]\d* %, .*\(pid {child}\) 0 %")
    (stubborn / "release").touch()
    assert run.wait() == 0
    assert "after 1 s" not in run.err.text


# --- in a container -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_as_the_first_process_it_drains(project: Path, start: Start, number: int) -> None:
    """Seen to fail without handlers: the system spares the first process what it does not handle."""
    write_family(project, FAMILIES["daemon"])
    run = start("--", PYTHON, "worker.py", launcher=container())
    run.out.wait_for("ready 1")
    os.kill(first_process(run), number)
    run.out.wait_for("got SIGINT")
    run.out.wait_for("finished")
    run.err.wait_for("ending what worker left behind")
    assert run.wait() == 0
    assert not run.survivors()


def test_as_the_first_process_it_ends_by_force_with_the_shells_status(stubborn: Path, start: Start) -> None:
    """Seen to fail without the exit status behind the signal: it never ended."""
    run = start("--", PYTHON, "worker.py", launcher=container())
    run.out.wait_for("ready")
    supervisor = first_process(run)
    os.kill(supervisor, signal.SIGTERM)
    run.out.wait_for("got SIGINT")
    between_presses()
    os.kill(supervisor, signal.SIGTERM)
    assert run.wait() == 128 + signal.SIGTERM
    assert not run.survivors()


def test_as_the_first_process_it_leaves_no_zombies(project: Path, start: Start) -> None:
    """Seen to fail with a guard that collects leaders alone: each orphan stayed as a zombie."""
    orphans = "for _ in range(20): os.system('(sleep 0.01 &)')\n"
    write_family(project, orphans)
    run = start("--", PYTHON, "worker.py", launcher=container())
    run.out.wait_for("ready 1")
    supervisor = first_process(run)
    eventually(lambda: zombies_below(supervisor) == 0, "every orphan is collected")
    os.kill(supervisor, signal.SIGTERM)
    assert run.wait() == 0


# --- failures to start ----------------------------------------------------------------------------


def test_a_program_that_is_being_written(project: Path, start: Start) -> None:
    """Seen to fail without the words for ETXTBSY."""
    job = project / "job"
    shutil.copy("/bin/sleep", job)
    run = start("--on-exit", "wait", "--", "./job", "600")
    run.err.wait_for("job started")
    run.err.wait_for("watching")
    shutil.copy("/bin/sleep", project / "new")
    with (project / "new").open("ab", buffering=0) as writing:
        writing.write(b"\0")
        os.replace(project / "new", job)
        run.err.wait_for(r"cannot run \./job: it is being written → waiting for a change")
        writing.write(b"\0")
    run.err.wait_for("job started")
    assert run.stop() == 0


def test_the_folder_of_the_worker_goes_and_comes_back(project: Path, start: Start) -> None:
    """Seen to fail with a worker that inherits its folder: it was started in one that is gone."""
    inner, source = project / "inner", project / "src"
    inner.mkdir()
    source.mkdir()
    (source / "task.py").write_text("VERSION = 1\n")
    run = start("-w", "../src", "--", PYTHON, str(project / "worker.py"), folder=inner)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    inner.rmdir()
    save(source / "task.py", "VERSION = 2\n")
    run.err.wait_for(r"changed, but there is no .*inner → worker goes on with the code that it has")
    inner.mkdir()
    save(source / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready 1")
    assert run.stop() == 0
