"""A worker of another user, behind sudo: signalled through sudo where that is wanted, told where it is not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import WORKER
from harness import LIMIT, Run, save

# Users that exist in the test alone.
OURS, OTHER = 61234, 61235
PYTHON = "/usr/bin/python3"
# Within a mount namespace, the users and the rule that asks for no password.
LAUNCHER = (
    "for file in passwd shadow sudoers; do mount --bind $file /etc/$file || exit; done; cd project && "
    f'exec setpriv --reuid {OURS} --regid {OURS} --clear-groups env PYTHONPATH=../packages HOME="$PWD/.." "$@"'
)


def package(name: str) -> Path:
    """Where an installed package lies."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that both users may read, with a worker and a copy of the command under test."""
    if os.geteuid() != 0 or not shutil.which("sudo") or not shutil.which("setpriv"):
        pytest.skip("needs the superuser, sudo and setpriv, to be two other users")
    for name in ("reloader", "click", "psutil"):
        shutil.copytree(
            package(name), tmp_path / "packages" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "worker.py").write_text(WORKER)
    (tmp_path / "project" / "task.py").write_text("VERSION = 1\n")
    users = f"ours:x:{OURS}:{OURS}::/:/bin/sh\nother:x:{OTHER}:{OTHER}::/:/bin/sh\n"
    (tmp_path / "passwd").write_text(Path("/etc/passwd").read_text() + users)
    accounts = "ours:*:1:0:99999:7:::\nother:*:1:0:99999:7:::\n"
    (tmp_path / "shadow").write_text(Path("/etc/shadow").read_text() + accounts)
    (tmp_path / "shadow").chmod(0o600)
    (tmp_path / "sudoers").write_text("ours ALL=(ALL) NOPASSWD: ALL\n")
    (tmp_path / "sudoers").chmod(0o440)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(folder.stat().st_mode | 0o755)
    namespace = ["unshare", "--mount", "sh", "-c", LAUNCHER, "sh", PYTHON, "-c", "import reloader.cli"]
    tried = subprocess.run(namespace, cwd=tmp_path, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"{PYTHON} cannot be run as another user: {tried.stderr}")
    return tmp_path


@pytest.fixture
def begin(shared: Path) -> Iterator[Callable[..., Run]]:
    """Start the command as one user, around a worker of another one."""
    runs: list[Run] = []

    def run(*options: str) -> Run:
        worker = ["sudo", "-n", "-u", "other", PYTHON, "-B", "worker.py"]
        launcher = ["unshare", "--mount", "sh", "-c", LAUNCHER, "sh", PYTHON, "-m", "reloader"]
        one = Run(shared, *options, "--", *worker, launcher=launcher, program=())
        runs.append(one)
        one.out.wait_for("ready 1")
        one.err.wait_for("watching")
        return one

    yield run
    for one in runs:
        one.close()


def test_what_the_system_refuses_is_told_and_holds_up_the_end_only_for_a_while(
    shared: Path, begin: Callable[..., Run]
) -> None:
    """Seen to fail where a refused signal counts as sent: the drain, and then the end, took for ever."""
    run = begin("-t", "none")
    save(shared / "project" / "task.py", "VERSION = 2\n")
    run.err.wait_for(r"not allowed to signal processes of another user: python3 worker.py \(pid \d+\)")
    run.err.wait_for(r"hint: --sudo-kill lets sudo do it; by hand: sudo kill -SIGINT \d+")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(LIMIT) == 1
    assert "runs as another user and is still there" in run.err.text
    assert "kernel" not in run.err.text
    assert "got" not in run.out.text


def test_sudo_signals_it_where_that_is_wanted(shared: Path, begin: Callable[..., Run]) -> None:
    run = begin("--sudo-kill")
    save(shared / "project" / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 2")
    assert run.out.text.count("got") == 1
    assert run.stop() == 0
    run.nothing_is_left()
    assert "not allowed" not in run.err.text
