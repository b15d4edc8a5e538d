"""What stands in front of a worker, with the real programs: the worker is known, drains, and comes again."""

from __future__ import annotations

import shlex
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, eventually, save

Start = Callable[..., Run]
PYTHON = sys.executable

# A management command that takes a moment to drain; it tells where it runs and what it has got.
MANAGE = """
import os, signal, sys, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import task

def main():
    stopping = []
    def stop(number, frame):
        print("got", signal.Signals(number).name, flush=True)
        stopping.append(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    print("Q Cluster", task.VERSION, os.path.basename(os.getcwd()), os.environ.get("KEY"), "running.", flush=True)
    while not stopping:
        time.sleep(0.05)
    time.sleep(0.3)
    print("drained", task.VERSION, flush=True)

if __name__ == "__main__":
    main()
"""

FRONTS = {
    "a shell that goes elsewhere": "sh -c 'cd app && KEY=value {worker}'",
    "a login shell with an environment": "bash -lc 'source .venv/bin/activate && cd app && {worker}'",
    "a list": "sh -c 'true && cd app && echo first && {worker}; echo after'",
    "a pipeline": "sh -c 'cd app && {worker} 2>&1 | cat'",
    "a log": "bash -c 'cd app; {worker} 2>&1 | tee log | grep --line-buffered .'",
    "variables": "env -C app KEY=value {worker}",
    "timeout": "env -C app timeout 300 {worker}",
    "setsid": "env -C app setsid {worker}",
    "setsid of a shell": "sh -c 'cd app; exec setsid {worker}'",
    "flock": "env -C app flock lock {worker}",
    "script": "script -qec 'cd app && {worker}' /dev/null",
    "debugpy": "env -C app {python} -m debugpy --listen 127.0.0.1:{port} manage.py qcluster",
    "coverage": "env -C app {python} -m coverage run manage.py qcluster",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder `app` with the program, beside an environment."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "manage.py").write_text(MANAGE)
    (folder / "task.py").write_text("VERSION = 1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("export KEY=activated\n")
    return folder


@pytest.mark.parametrize("front", FRONTS)
def test_the_known_worker_behind_it_is_drained_once_and_comes_again(
    app: Path, start: Start, front: str
) -> None:
    line = FRONTS[front].format(worker=f"{PYTHON} manage.py qcluster", python=PYTHON, port=free_port())
    words = shlex.split(line)
    for program in ("flock", "script", "bash", "setsid", "timeout"):
        if program in words and shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    run = start("-v", "--no-overlap", "--", *words)
    run.err.wait_for(r"^reloader +\| django-q2: SIGINT, at most 60 s, ready at")
    run.out.wait_for(r"^qcluster +\| Q Cluster 1 app \S+ running\.")
    run.err.wait_for("watching")
    save(app / "task.py", "VERSION = 2\n")
    run.out.wait_for(r"^qcluster +\| Q Cluster 2 app \S+ running\.")
    assert run.out.text.count("got SIGINT") == run.out.text.count("got ") == 1
    assert run.stop() == 0
    assert run.out.text.count("got SIGINT") == run.out.text.count("got ") == 2
    assert run.out.text.count("drained") == 2
    eventually(lambda: not run.survivors(), "nothing is left")
