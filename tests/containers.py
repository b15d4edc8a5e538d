"""A run as the first process of a pid namespace, as in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import Run, eventually
from processes import status_of


def container(*init: str) -> list[str]:
    """Run a command as the first process of a pid namespace, behind an init where one is given.

    Skips where that is not allowed.
    """
    launcher = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        launcher[1:1] = ["--user", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*launcher, "true"], capture_output=True).returncode:
        pytest.skip("pid namespaces are not allowed here")
    return [*launcher, *init]


def first_process(run: Run) -> int:
    """The first process of the run's namespace, by its pid outside."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    eventually(lambda: children.read_text().split(), "the container has begun")
    return int(children.read_text().split()[0])


def zombies_below(pid: int) -> int:
    """How many zombies, or processes on their way there, descend from this one but are not a worker."""
    found = 0
    todo = [pid]
    while todo:
        one = todo.pop()
        try:
            children = Path(f"/proc/{one}/task/{one}/children").read_text().split()
            for child in map(int, children):
                todo.append(child)
                name = Path(f"/proc/{child}/comm").read_text().strip()
                status = status_of(child)
                found += (status is not None and status.is_over) or name in ("sleep", "sh")
        except OSError:
            continue
    return found
