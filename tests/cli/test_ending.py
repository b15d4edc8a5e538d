"""Asked to end once, all is drained; asked twice, all is killed; and nothing survives either."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from families import STUBBORN
from harness import LIMIT, Run, between_presses, eventually, save, settle
from processes import identify
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_one_signal_drains(stubborn: Path, start: Start, number: int) -> None:
    """Seen to fail with a first signal that kills (but for SIGHUP), with SIGHUP and SIGQUIT left to the
    system, with an end that does not wait for the tree, and with a stop signal to the whole group.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(number)
    run.out.wait_for("got SIGINT")
    run.err.wait_for(r"draining worker \(pid \d+\) for at most 10 s; Ctrl-C again kills it")
    (stubborn / "release").touch()
    assert run.wait() == 0
    assert "drained" in run.out.text
    assert run.out.text.count("got") == 1
    assert not run.survivors()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_kill(stubborn: Path, start: Start, number: int) -> None:
    """Seen to fail with a second signal that is ignored, and with a SIGKILL to the leader alone."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(number)
    run.out.wait_for("got SIGINT")
    between_presses()
    run.send(number)
    assert run.wait() == -number
    assert "drained" not in run.out.text
    assert not run.survivors()


def test_a_signal_that_lands_on_a_helper_thread_is_heard(stubborn: Path, start: Start) -> None:
    """The kernel may deliver a signal to any thread; the main one can be asleep, or about to be.

    Seen to fail with a handler in Python in the place of the wakeup descriptor.
    """
    run = start("-v", "--ready", "ready", "--", PYTHON, "worker.py")
    eventually(lambda: "watching" in run.err.text and "ready in" in run.err.text, "all is up")
    # From here on there is nothing that would wake the main thread by itself.
    settle(run, stubborn / "task.py")
    threads = [int(tid) for tid in os.listdir(f"/proc/{run.process.pid}/task")]
    helper = max(tid for tid in threads if tid != run.process.pid)
    assert ctypes.CDLL(None).tgkill(run.process.pid, helper, int(signal.SIGINT)) == 0
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    assert run.wait() == 0


def test_a_hangup_may_come_twice(stubborn: Path, start: Start) -> None:
    """Seen to fail with a second hangup that is taken for impatience, and with SIGHUP left to the system."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(signal.SIGHUP)
    run.out.wait_for("got SIGINT")
    run.send(signal.SIGHUP)
    (stubborn / "release").touch()
    assert run.wait() == 0
    assert "drained" in run.out.text


def test_quitting_during_the_drain_of_a_restart_is_no_second_signal(stubborn: Path, start: Start) -> None:
    """Seen to fail with a table that drains again in a drain: the worker got two signals."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.send(signal.SIGINT)
    run.err.wait_for(r"draining worker \(pid \d+\) for at most \d+(\.\d)? s; Ctrl-C again kills it")
    (stubborn / "release").touch()
    assert run.wait() == 0
    assert run.out.text.count("got") == 1
    assert run.out.text.count("ready") == 1


def test_a_stop_timeout_at_the_end_is_status_1(stubborn: Path, start: Start) -> None:
    """Seen to fail with status 0 whatever was killed."""
    run = start("-t", "0.2", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    assert run.stop() == 1
    assert "did not end within 0.2 s" in run.err.text


def test_the_stop_signal_can_be_chosen(stubborn: Path, start: Start) -> None:
    """Seen to fail with SIGINT whatever was chosen."""
    run = start("--stop-signal", "hup", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(signal.SIGINT)
    run.out.wait_for("got SIGHUP")
    (stubborn / "release").touch()
    assert run.wait() == 0


@pytest.fixture
def terminal(stubborn: Path) -> Iterator[Terminal]:
    """The stubborn worker in a terminal, ready."""
    one = Terminal(stubborn, "--", PYTHON, "worker.py")
    yield one
    one.close()


def test_ctrl_c_at_a_terminal_drains(terminal: Terminal, stubborn: Path) -> None:
    """Seen to fail with a stop signal to the whole group, and with a first signal that kills."""
    terminal.screen.wait_for("ready")
    os.write(terminal.fd, b"\x03")
    terminal.screen.wait_for("Ctrl-C again kills it")
    eventually(lambda: "got SIGINT" in terminal.screen.text, "the worker has the signal")
    (stubborn / "release").touch()
    terminal.screen.wait_for("drained")
    assert terminal.process.wait(LIMIT) == 0
    # Its child hears SIGHUP at the end of the terminal's session, which is the system's word and not ours.
    assert terminal.screen.text.count("got SIGINT") == 1
    terminal.nothing_is_left()


def test_ctrl_c_twice_at_a_terminal_kills(terminal: Terminal) -> None:
    """Seen to fail with a second signal that is ignored, and with a worker in the terminal's own group, which
    heard Ctrl-C besides.
    """
    terminal.screen.wait_for("ready")
    os.write(terminal.fd, b"\x03")
    terminal.screen.wait_for("got SIGINT")
    between_presses()
    os.write(terminal.fd, b"\x03")
    assert terminal.process.wait(LIMIT) == -signal.SIGINT
    # Its child hears SIGHUP at the end of the terminal's session, which is the system's word and not ours.
    assert terminal.screen.text.count("got SIGINT") == 1
    terminal.nothing_is_left()


def test_a_closed_terminal_drains(terminal: Terminal, stubborn: Path) -> None:
    """Seen to fail with SIGHUP left to the system, and with a worker that leads no session of its own."""
    pid = int(terminal.screen.wait_for(r"ready (\d+)")[1])
    terminal.hang_up()
    (stubborn / "release").touch()
    assert terminal.process.wait(LIMIT) == 0
    assert identify(pid) is None
    terminal.nothing_is_left()


def test_a_crash_waits_for_a_change_and_runs_again(project: Path, start: Start) -> None:
    """Seen to fail with a table that ignores changes after an end, and with a crash that ends the run."""
    save(project / "task.py", "VERSION = 1 / 0\n")
    run = start("--", PYTHON, "worker.py")
    run.err.wait_for(r"worker crashed at its start \(exit status 1\) → waiting for a change")
    assert "ZeroDivisionError" in run.err.text
    save(project / "task.py", "VERSION = undefined\n")
    run.err.wait_for("task.py changed → starting worker")
    run.err.wait_for("NameError")
    run.err.wait_for("crashed at its start")
    save(project / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready 3")
    assert run.stop() == 0


def test_the_line_about_the_end_comes_after_the_workers_last_line(project: Path, start: Start) -> None:
    """Though that is unfinished, and somebody outside could still go on with it.

    Seen to fail with a line that is told at once.
    """
    hand_out = (
        "import socket, sys\n"
        "peer = socket.socket(socket.AF_UNIX)\n"
        "peer.connect('holder')\n"
        "socket.send_fds(peer, [b'x'], [1])\n"
        "for i in range(2000): print('line', i)\n"
        "sys.stdout.write('last words'); sys.stdout.flush()\n"
        "raise SystemExit(3)\n"
    )
    (project / "worker.py").write_text(hand_out)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(project / "holder"))
        server.listen()
        run = start("--", PYTHON, "worker.py", merged=True)
        connection, _ = server.accept()
        with connection:
            _, held, _, _ = socket.recv_fds(connection, 1, 1)
            run.out.wait_for("exit status 3")
        os.close(held[0])
    lines = run.out.text.splitlines()
    end = next(i for i, line in enumerate(lines) if "status 3" in line)
    assert lines.index("worker   | line 1999") < lines.index("worker   | last words") < end
    assert run.stop() == 0


def test_an_end_without_a_fault_waits_too(project: Path, start: Start) -> None:
    """Seen to fail with an end that ends the run."""
    (project / "worker.py").write_text("print('done')\n")
    run = start("--", PYTHON, "worker.py")
    run.err.wait_for(r"worker ended by itself after 0\.\d s \(exit status 0\) → waiting for a change")
    assert run.stop() == 0


def test_on_exit_restart_backs_off_and_a_change_starts_at_once(project: Path, start: Start) -> None:
    """Seen to fail with a delay that does not double."""
    (project / "worker.py").write_text("import os, task\nprint('began', os.environ['RELOADER_GENERATION'])\n")
    run = start("--on-exit", "restart", "--", PYTHON, "worker.py")
    run.err.wait_for("starting again in 0.5 s, or on the next change")
    run.out.wait_for("began 2")
    run.err.wait_for("starting again in 1 s")
    run.err.wait_for("starting again in 2 s")
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for("task.py changed → starting worker")
    run.err.wait_for("starting again in 0.5 s")
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("code", "status"), [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9), ("", 0)]
)
def test_on_exit_quit_passes_the_workers_status_on(
    project: Path, start: Start, code: str, status: int
) -> None:
    """Seen to fail with an end that is waited for as without the option; those that are not 0 with status 0
    always.
    """
    run = start("--on-exit", "quit", "--", PYTHON, "-c", code)
    assert run.wait() == status


def test_a_leader_that_dies_leaves_no_workers_behind(project: Path, start: Start) -> None:
    """Seen to fail with an end that does not wait for the tree."""
    (project / "worker.py").write_text(
        STUBBORN.replace('print("ready"', 'os.kill(os.getpid(), 9); print("ready"')
    )
    run = start("--", PYTHON, "worker.py")
    run.err.wait_for("ending what worker left behind")
    run.err.wait_for(r"worker crashed at its start \(SIGKILL\)")
    eventually(lambda: not run.workers(), "only the supervisor and its guard are left")
    assert run.stop() == 0
