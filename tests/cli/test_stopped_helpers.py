"""A process of ours that is stopped (SIGSTOP) never makes the run wait for ever, nor leaves anything behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import LIMIT, Run, eventually, name_of, save, template_of
from processes import identify, status_of
from terminal import Terminal

PYTHON = sys.executable
Start = Callable[..., Run]


def stop_helper(pid: int | None) -> int:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: is_stopped(pid), "it is stopped")
    return pid


def is_stopped(pid: int) -> bool:
    status = status_of(pid)
    return status is not None and status.state == "T"


@pytest.mark.parametrize("presses", [1, 3])
@pytest.mark.parametrize("helper", ["forkserver", "template"])
def test_quitting_while_a_start_is_not_answered(
    project: Path, start: Start, helper: str, presses: int
) -> None:
    """Seen to fail where the main loop waits for the answer: no Ctrl-C was heard."""
    warm = ["--warm", "--ready", "^ready"] if helper == "template" else []
    environment = {"XDG_CACHE_HOME": str(project / ".cache")}
    if helper == "template":
        # Something that is worth to be preloaded.
        text = (project / "worker.py").read_text()
        (project / "worker.py").write_text("import colorsys, json, decimal\n" + text)
    run = start("-v", *warm, "--stop-timeout", "2s", "--", PYTHON, "worker.py", env=environment)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    if helper == "template":
        run.err.wait_for(r"modules? preloaded in")
    stop_helper(run.forkserver() if helper == "forkserver" else template_of(run))
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIG")
    for number in range(presses):
        # Two within a quarter of a second are one wish.
        pressed = time.monotonic()
        run.send(signal.SIGINT)
        if number < presses - 1:
            eventually(lambda: time.monotonic() > pressed + 0.3, "the next one is another")  # noqa: B023
    run.wait()
    run.nothing_is_left()


def test_quitting_while_the_guard_is_stopped(project: Path, start: Start) -> None:
    """Seen to fail where only the request is sent: the drain took the whole stop timeout, and more."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    stop_helper(run.guard())
    assert run.stop() == 0
    run.out.wait_for("got SIGINT")
    run.nothing_is_left()


def test_quitting_while_the_leader_of_the_terminals_session_is_stopped(project: Path) -> None:
    terminal = Terminal(project, "--", PYTHON, "worker.py")
    try:
        terminal.screen.wait_for("ready 1")
        leader = next(pid for pid in terminal.table.look() if name_of(pid) == "reloader-tty")
        stop_helper(leader)
        os.write(terminal.fd, b"\x03")
        terminal.screen.wait_for("got SIGINT")
        assert terminal.process.wait(LIMIT) == 0
        terminal.nothing_is_left()
    finally:
        terminal.close()


def test_a_forkserver_that_does_not_answer_is_replaced(project: Path, start: Start) -> None:
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    stopped = stop_helper(run.forkserver())
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for(
        "worker could not be started for 10 s: the forkserver does not answer → starting another"
    )
    run.out.wait_for("ready 2")
    assert run.forkserver() not in (None, stopped)
    assert identify(stopped) is None
    assert run.stop() == 0
