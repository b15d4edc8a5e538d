"""What the tests with real queues use: the servers, and a workshop for each test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Run
from systems import SYSTEMS, System
from workshop import MODULES, ROOT, Servers, Workshop, locked, programs


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Servers]:
    """Redis and PostgreSQL, one of each for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    with locked(folder / "environments.lock"):
        if not all((programs(name) / "python").exists() for name in ("queues", "older")):
            subprocess.run(["make", "queues"], cwd=ROOT, check=True)
    found = Servers(folder)
    yield found
    found.close()


@pytest.fixture
def workshop(
    tmp_path: Path, servers: Servers, start: Callable[..., Run]
) -> Iterator[Callable[[str | System], Workshop]]:
    """Set up the system, or the one of that name, in a folder of its own."""
    made: list[Workshop] = []

    def set_up(which: str | System) -> Workshop:
        system = SYSTEMS[which] if isinstance(which, str) else which
        if "node" in system.command and not (shutil.which("node") and MODULES.is_dir()):
            pytest.skip("needs node, and npm for `make queues`")
        place = tmp_path / str(len(made))
        place.mkdir()
        made.append(Workshop(system, place, servers, start))
        return made[-1]

    yield set_up
    for one in made:
        one.close()
