"""Warm starts on an old kernel, on musl, or in a sandbox: what the system refuses is done without."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from conftest import WORKER
from generations import PYTHON, Start, next_start, warmed
from refusing import lacking

CALLS = ("pidfd_open", "memfd_create", "close_range", "madvise", "inotify_add_watch", "inotify_init1")
SCHEDULING = ("sched_getscheduler", "sched_setscheduler")


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])
def test_a_warm_start_where_calls_are_refused(project: Path, start: Start, error: int) -> None:
    """Seen to fail with a template that must be able to choose its scheduling: no start was warm."""
    (project / "worker.py").write_text("import json, logging, concurrent.futures\n" + WORKER)
    run = start(
        *("-v", "--warm", "--ready", "^ready", "--", PYTHON, "worker.py"),
        env={"XDG_CACHE_HOME": str(project / "cache")},
        preexec=lacking(error, *CALLS, *SCHEDULING),
    )
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    warmed(run)
    for version in (2, 3):
        assert next_start(run, project / "task.py", f"VERSION = {version}\n") == "warm"
        run.out.wait_for(f"ready {version}")
    assert run.stop() == 0
    assert "Traceback" not in run.err.text
