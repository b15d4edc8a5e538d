"""What every test may use: `start` runs the command, and checks after the test that nothing is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from families import STUBBORN
from fixtures import servers, workshop  # noqa: F401
from harness import COLD, SLOWDOWN, Run

# Nothing of warm starts is tried where all starts are cold.
collect_ignore_glob = ["warm/test_*.py"] if COLD else []

WORKER = """
import os, signal, sys, time
import task

def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    sys.exit(0)

signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("ready", task.VERSION, "pid", os.getpid(), flush=True)
while True:
    time.sleep(60)
"""


def pytest_configure() -> None:
    """Let the programs that tests start be as a user's are.

    They hear Ctrl-C, though a shell may have put the tests into the background, and keep bytecode.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the tests that drive queues among the others: they wait most of the time, and those compute."""
    waits: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        waits[item.get_closest_marker("integration") is not None].append(item)
    placed = [
        ((number + 0.5) / len(some), item) for some in waits.values() for number, item in enumerate(some)
    ]
    items[:] = [item for _, item in sorted(placed, key=lambda one: one[0])]


# Nothing takes this long, in seconds, when all of it has been ended.
MOMENT = 2.0 * max(1.0, SLOWDOWN)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start `reloader` in the test's folder with the given arguments."""
    runs: list[Run] = []

    def begin(*arguments: str | bytes, **options: Any) -> Run:
        run = Run(options.pop("folder", tmp_path), *arguments, **options)
        runs.append(run)
        return run

    yield begin
    try:
        for run in runs:
            if run.process.poll() is not None:
                # The supervisor waits for all of them; only its own launcher may be gone before them.
                run.nothing_is_left(MOMENT)
    finally:
        for run in runs:
            run.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a worker, `worker.py`, that says which VERSION of `task.py` it runs."""
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    return tmp_path


@pytest.fixture
def stubborn(project: Path) -> Path:
    """A worker that drains until the file `release` exists, and has a child that does not."""
    (project / "worker.py").write_text(STUBBORN)
    return project
