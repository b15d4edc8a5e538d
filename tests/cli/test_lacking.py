"""Old kernels and sandboxes: a call that the system refuses is done without, or its loss is told."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, save
from processes import status_of
from refusing import lacking

Start = Callable[..., Run]
PYTHON = sys.executable
REFUSALS = pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])


@REFUSALS
@pytest.mark.parametrize(
    "calls",
    [
        ("pidfd_open",),
        ("pidfd_send_signal",),
        ("memfd_create", "close_range"),
        ("inotify_init1",),
        ("inotify_add_watch",),
    ],
    ids="+".join,
)
def test_a_run_where_calls_are_refused(
    stubborn: Path, start: Start, error: int, calls: tuple[str, ...]
) -> None:
    """Seen to fail with a look at the names in `os` alone: no worker started, or none was ever restarted."""
    (stubborn / "release").touch()
    run = start("--check", "true", "--", PYTHON, "worker.py", preexec=lacking(error, *calls))
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready")
    assert run.stop() == 0
    assert "Traceback" not in run.err.text
    assert run.out.text.count("got SIGINT") == 2


@REFUSALS
def test_what_ends_at_once_has_ended_where_there_are_no_pidfds(
    project: Path, start: Start, error: int
) -> None:
    """Seen to fail, now and then: the process was gone before it could be told from others."""
    for _ in range(5):
        run = start("--on-exit", "quit", "--", "true", preexec=lacking(error, "pidfd_open"))
        assert run.wait() == 0
        assert "cannot" not in run.err.text


@REFUSALS
def test_a_run_where_nobody_is_adopted(project: Path, start: Start, error: int) -> None:
    """Seen to fail without the look at what prctl(2) answers: nothing was said."""
    run = start("--", PYTHON, "worker.py", preexec=lacking(error, "prctl"))
    run.err.wait_for(r"refuses prctl\(PR_SET_CHILD_SUBREAPER\): processes .* may be left behind")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


def test_a_guard_that_is_killed_where_the_system_does_not_tell(project: Path, start: Start) -> None:
    """Seen to fail where Linux is taken to send the parent-death signal always: the worker heard nothing."""
    run = start("--", PYTHON, "worker.py", preexec=lacking(errno.EPERM, "prctl"))
    worker = int(run.out.wait_for(r"ready 1 pid (\d+)")[1])
    status = status_of(worker)
    assert status is not None
    os.kill(status.parent, signal.SIGKILL)
    run.err.wait_for("the guard was killed; the next start makes another")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 1")
    assert run.stop() == 0
