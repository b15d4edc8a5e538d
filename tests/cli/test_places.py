"""Files that lie elsewhere than they are named: the program, links, mounted files, rules above the root.

A change is acted upon when it happens, not at the next look at everything: the bound on each is far below that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, restarts, save, settle
from test_watching import namespace

from reloader.watching.scanner import HEARTBEAT

Start = Callable[..., Run]
PYTHON = sys.executable
# In seconds; a change that is found by the look at everything takes longer on average.
SOON = HEARTBEAT / 2
SCRIPT = f"#!{PYTHON}\nimport time\nprint('ready', 1, flush=True)\ntime.sleep(600)\n"


def script(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT)
    path.chmod(0o755)
    return path


# --- the program ----------------------------------------------------------------------------------

# What is run, in the project's folder; and the script that is changed.
PROGRAMS = {
    "a script without an extension": (("./serve",), "serve"),
    "given to Python": ((PYTHON, "serve"), "serve"),
    "in a folder that rules ignore": (("build/serve",), "build/serve"),
    "behind a shell": (("sh", "-c", "exec ./serve"), "serve"),
    "with options": ((PYTHON, "-X", "dev", "-W", "ignore", "serve", "x"), "serve"),
}


@pytest.mark.parametrize("options", [(), ("--cold",)], ids=["warm", "cold"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_of_the_worker_counts(
    project: Path, start: Start, program: str, options: tuple[str, ...]
) -> None:
    command, name = PROGRAMS[program]
    path = script(project / name)
    run = start("-v", *options, "--", *command)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(path, SCRIPT.replace("1,", "2,"))
    run.out.wait_for("ready 2", SOON)
    assert run.stop() == 0


def test_a_program_that_is_a_link_counts_and_what_it_leads_to(project: Path, start: Start) -> None:
    first, second = script(project / "bin" / "first"), script(project / "bin" / "second")
    second.write_text(SCRIPT.replace("1,", "3,"))
    (project / "serve").symlink_to("bin/first")
    run = start("-v", "--cold", "--", "./serve")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(first, SCRIPT.replace("1,", "2,"))
    run.out.wait_for("ready 2", SOON)
    (project / "new").symlink_to("bin/second")
    (project / "new").rename(project / "serve")
    run.out.wait_for("ready 3", SOON)
    assert run.stop() == 0


def test_a_binary_that_is_built_where_rules_ignore_it_counts(project: Path, start: Start) -> None:
    binary = project / "build" / "server"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho ready 1\nexec sleep 600\n")
    binary.chmod(0o755)
    run = start("-v", "--", "build/server")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    new = project / "server.tmp"
    new.write_text("#!/bin/sh\necho ready 2\nexec sleep 600\n")
    new.chmod(0o755)
    new.rename(binary)
    run.out.wait_for("ready 2", SOON)
    assert run.stop() == 0


def test_the_users_own_pattern_stands_above_the_program_and_installed_ones_stay_out(
    project: Path, start: Start
) -> None:
    path = script(project / "serve")
    run = start("-v", "--ignore", "/serve", "--", "./serve")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(path, SCRIPT.replace("1,", "2,"))
    settle(run, project / "task.py")
    assert restarts(run) == 0
    assert run.stop() == 0


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not watched."""
    return tmp_path_factory.mktemp("outside")


def test_what_a_link_leads_to_is_watched(project: Path, start: Start, outside: Path) -> None:
    """Through a further link, in place and by rename, and when it leads elsewhere."""
    (outside / "real").mkdir()
    (outside / "real" / "task.py").write_text("VERSION = 1\n")
    (outside / "task.py").symlink_to("real/task.py")
    (project / "task.py").unlink()
    (project / "task.py").symlink_to(outside / "task.py")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(outside / "real" / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2", SOON)
    (outside / "real" / "new").write_text("VERSION = 3\n")
    (outside / "real" / "new").rename(outside / "real" / "task.py")
    run.out.wait_for("ready 3", SOON)
    (outside / "other.py").write_text("VERSION = 4\n")
    (outside / "new").symlink_to("other.py")
    (outside / "new").rename(outside / "task.py")
    run.out.wait_for("ready 4", SOON)
    # Once it leads there, what happens there is seen as well.
    save(outside / "other.py", "VERSION = 5\n")
    run.out.wait_for("ready 5", SOON)
    assert run.stop() == 0


def test_a_watched_file_that_is_a_link_by_way_of_a_linked_folder(
    project: Path, start: Start, outside: Path
) -> None:
    """As Kubernetes mounts a ConfigMap: conf.yaml → ..data/conf.yaml, and ..data is swapped."""
    for number in (1, 2):
        (outside / f"..{number}").mkdir()
        (outside / f"..{number}" / "conf.yaml").write_text(f"at: {number}\n")
    (outside / "..data").symlink_to("..1")
    (outside / "conf.yaml").symlink_to("..data/conf.yaml")
    run = start("-v", "-w", ".", "-w", str(outside / "conf.yaml"), "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    (outside / "..tmp").symlink_to("..2")
    (outside / "..tmp").rename(outside / "..data")
    run.err.wait_for(r"conf\.yaml changed → draining", SOON)
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_a_watched_file_in_a_linked_folder_that_is_swapped(
    project: Path, start: Start, outside: Path
) -> None:
    """As a deployment swaps `current`."""
    for number in (1, 2):
        (outside / f"release{number}").mkdir()
        (outside / f"release{number}" / "conf.yaml").write_text(f"at: {number}\n")
    (outside / "current").symlink_to("release1")
    watched = str(outside / "current" / "conf.yaml")
    run = start("-v", "-w", ".", "-w", watched, "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    (outside / "tmp").symlink_to("release2")
    (outside / "tmp").rename(outside / "current")
    run.err.wait_for(r"conf\.yaml changed → draining", SOON)
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_a_single_file_that_is_mounted_is_watched(project: Path, start: Start) -> None:
    (project / "node_modules").mkdir()
    (project / "node_modules" / "real.py").write_text("VERSION = 1\n")
    mounted = namespace("mount --bind node_modules/real.py task.py", "--mount", cwd=project)
    run = start("-v", "--", PYTHON, "worker.py", launcher=mounted)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "node_modules" / "real.py", "VERSION = 2\n")
    run.out.wait_for("ready 2", SOON)
    assert run.stop() == 0


# --- rules of Git from above and beside -----------------------------------------------------------


@pytest.fixture
def below(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with the worker and a file that no rule ignores yet."""
    from conftest import WORKER

    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    folder = tmp_path / "services" / "shop"
    folder.mkdir(parents=True)
    (folder / "worker.py").write_text(WORKER)
    (folder / "task.py").write_text("VERSION = 1\n")
    (folder / "local.toml").write_text("at = 0\n")
    return folder


def by_gitignore_above(below: Path, home: Path) -> None:
    (below.parent / ".gitignore").write_text("local.toml\n")


def by_gitignore_at_the_top(below: Path, home: Path) -> None:
    (below.parent.parent / ".gitignore").write_text("local.toml\n")


def by_info_exclude(below: Path, home: Path) -> None:
    (below.parent.parent / ".git" / "info").mkdir(exist_ok=True)
    (below.parent.parent / ".git" / "info" / "exclude").write_text("local.toml\n")


def by_excludes_file(below: Path, home: Path) -> None:
    (home / "ignored").write_text("local.toml\n")


def by_another_excludes_file(below: Path, home: Path) -> None:
    (home / "more").write_text("local.toml\n")
    subprocess.run(["git", "config", "core.excludesFile", str(home / "more")], cwd=below, check=True)


RULES = [
    by_gitignore_above,
    by_gitignore_at_the_top,
    by_info_exclude,
    by_excludes_file,
    by_another_excludes_file,
]


@pytest.mark.parametrize("change", RULES)
def test_rules_of_git_apply_when_they_change(
    below: Path, start: Start, outside: Path, change: Callable[[Path, Path], None]
) -> None:
    (outside / "ignored").write_text("nothing\n")
    (outside / ".gitconfig").write_text(f"[core]\n\texcludesFile = {outside}/ignored\n")
    run = start("-v", "--", PYTHON, "worker.py", folder=below, env={"HOME": str(outside)})
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(below / "local.toml", "at = 1\n")
    run.err.wait_for(r"local\.toml changed → draining")
    run.out.wait_for("ready 1")
    change(below, outside)
    run.err.wait_for("checked the files: none that counts has changed", SOON)
    save(below / "local.toml", "at = 2\n")
    settle(run, below / "worker.py")
    assert restarts(run) == 1
    assert run.stop() == 0
    assert os.path.exists(below / "local.toml")
