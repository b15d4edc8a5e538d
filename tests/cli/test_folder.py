"""The folder that reloader was started in goes, and one of its name comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import RELOADER, Run, eventually, save

Start = Callable[..., Run]
PYTHON = sys.executable
WORKER = """
import os, signal, sys, time
import task

def stop(number, frame):
    print("stopped", flush=True)
    sys.exit(0)

signal.signal(signal.SIGINT, stop)
where = os.stat(os.getcwd()) == os.stat(os.environ["PROJECT"])
print("ready", task.VERSION, "there" if where else "elsewhere", os.path.basename(os.getcwd()), flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in another one, which stays."""
    folder = tmp_path / "project"
    write(folder, 1)
    return folder


def write(folder: Path, version: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "worker.py").write_text(WORKER)
    (folder / "task.py").write_text(f"VERSION = {version}\n")


def begin(project: Path, start: Start, *options: str) -> Run:
    environment = {"PROJECT": str(project), "XDG_CACHE_HOME": str(project.parent / ".cache")}
    words = ("-v", *options, "--ready", "^ready", "--", PYTHON, "worker.py")
    run = start(*words, folder=project, env=environment)
    run.out.wait_for("ready 1 there project")
    run.err.wait_for("watching")
    if "--cold" not in options:
        run.err.wait_for("preloaded in")
    return run


def goes_on(run: Run, project: Path) -> None:
    """The watcher looks at the folder that is there now, and the check runs in it."""
    save(project / "task.py", "VERSION = 9\n")
    run.out.wait_for("ready 9 there project")
    assert "Traceback" not in run.err.text
    assert "went wrong" not in run.err.text
    assert run.stop() == 0


@pytest.mark.parametrize("option", ["--warm", "--cold"])
@pytest.mark.parametrize("version", [1, 2], ids=["the same", "another"])
def test_a_folder_is_removed_and_checked_out_anew(
    project: Path, start: Start, version: int, option: str
) -> None:
    """Where it is the same to the byte, the worker would go on in a folder that is gone."""
    run = begin(project, start, option, "--check", f"test -e task.py && pwd -P | grep -q '^{project}$'")
    shutil.rmtree(project)
    run.err.wait_for(rf"deleted, but there is no {project} → worker goes on with the code that it has")
    assert "stopped" not in run.out.text
    write(project, version)
    run.out.wait_for(rf"ready {version} there project")
    goes_on(run, project)


def test_a_folder_is_moved_and_copied_back(project: Path, start: Start) -> None:
    run = begin(project, start)
    aside = project.with_name("aside")
    project.rename(aside)
    shutil.copytree(aside, project)
    run.err.wait_for(rf"{project} replaced → draining")
    run.out.wait_for("ready 1 there project")
    save(aside / "task.py", "VERSION = 5\n")
    goes_on(run, project)
    assert "ready 5" not in run.out.text


def test_git_switches_to_a_branch_without_the_folder_and_back(project: Path, start: Start) -> None:
    top = project.parent

    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, *words], cwd=top, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "nothing")
    git("branch", "without")
    (top / ".gitignore").write_text("__pycache__/\n.cache/\n")
    git("add", "project", ".gitignore")
    git("commit", "-m", "project")
    run = begin(project, start, "--check", "test -e task.py")
    shutil.rmtree(project / "__pycache__", ignore_errors=True)
    git("switch", "without")
    run.err.wait_for(f"there is no {project}")
    assert not project.exists()
    git("switch", "main")
    run.err.wait_for(rf"{project} replaced → draining")
    run.out.wait_for("ready 1 there project")
    goes_on(run, project)


def test_a_start_in_a_folder_that_is_gone_waits_for_it(project: Path, start: Start) -> None:
    run = begin(project, start, "--no-hold", "--cold")
    shutil.rmtree(project)
    run.out.wait_for("stopped")
    run.err.wait_for(rf"cannot enter {project}: no such file or directory")
    run.err.wait_for("hint: the worker starts in it, and does so once it is there again")
    write(project, 2)
    run.out.wait_for("ready 2 there project")
    goes_on(run, project)


def test_what_is_relative_is_meant_in_the_folder_of_that_name(project: Path, start: Start) -> None:
    """A watched folder, the interpreter, a search path and the paths that are shown."""
    (project / "lib").mkdir()
    shutil.move(project / "task.py", project / "lib")
    (project / "bin").mkdir()
    (project / "bin" / "python").symlink_to(PYTHON)
    environment = {"PROJECT": str(project), "PYTHONPATH": "lib"}
    run = start(
        *(
            "-v",
            "--cold",
            "-w",
            "lib",
            "-w",
            "worker.py",
            "--ready",
            "^ready",
            "--",
            "bin/python",
            "worker.py",
        ),
        folder=project,
        env=environment,
    )
    run.out.wait_for("ready 1 there project")
    run.err.wait_for("watching")
    aside = project.with_name("aside")
    project.rename(aside)
    shutil.copytree(aside, project, symlinks=True)
    run.out.wait_for("ready 1 there project")
    save(project / "lib" / "task.py", "VERSION = (\n")
    run.err.wait_for(r"lib/task\.py:1 cannot be compiled")
    save(project / "lib" / "task.py", "VERSION = 3\n")
    run.err.wait_for(r"lib/task\.py changed → draining")
    run.out.wait_for("ready 3 there project")
    assert run.stop() == 0


@pytest.mark.parametrize("words", [("status",), ("why", "x"), ("doctor",), ("--", "true")])
def test_a_folder_that_is_gone_is_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}" && exec "$@"'
    found = subprocess.run(
        ["sh", "-c", script, "sh", RELOADER, *words], cwd=gone, capture_output=True, text=True
    )
    assert found.stderr.splitlines()[:2] == [
        "reloader: the current folder does not exist any more",
        "hint: cd to one that does",
    ]
    assert found.returncode in (1, 2)


def test_a_run_whose_folder_is_gone_ends_as_ever(project: Path, start: Start) -> None:
    run = begin(project, start, "--cold")
    shutil.rmtree(project)
    run.err.wait_for("there is no ")
    run.send(signal.SIGINT)
    eventually(lambda: run.process.poll() is not None, "it has ended")
    assert run.wait() == 0
    assert "Traceback" not in run.err.text
    assert not os.path.exists(project)
