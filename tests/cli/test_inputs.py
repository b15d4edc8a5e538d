"""What is really an input of the worker counts, whatever Git or a built-in rule says of its place."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, restarts, save, settle
from test_verbs import ask

Start = Callable[..., Run]
PYTHON = sys.executable

# The usual .gitignore of a Python project has these.
GITIGNORE = "build/\nlib/\ndist/\n.env\nlocal_settings.py\n*_pb2.py\n*.mo\n*.so\nlocal.toml\n"
WORKER = """
import os, sys, time
sys.path.append("lib")
import local_settings, order_pb2, build.jobs, tools
print("ready", task.VERSION if "task" in globals() else 1, flush=True)
time.sleep(600)
"""
IMPORTED = ("local_settings.py", "order_pb2.py", "build/__init__.py", "build/jobs.py", "lib/tools.py")


@pytest.fixture
def repository(project: Path) -> Path:
    """A project of Git's whose worker imports what the ignore rules match."""
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / ".gitignore").write_text(GITIGNORE)
    (project / "worker.py").write_text(WORKER)
    for name in IMPORTED:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("VERSION = 1\n")
    (project / "build" / "templates").mkdir()
    (project / "build" / "templates" / "page.html").write_text("1")
    (project / "build" / "result.txt").write_text("1")
    (project / "lib" / "unused.py").write_text("1")
    return project


def begun(start: Start, *options: str, cache: Path) -> Run:
    """The run, once what the worker has imported is known."""
    run = start("-v", *options, "--", PYTHON, "worker.py", env={"XDG_CACHE_HOME": str(cache)})
    run.out.wait_for("ready 1")
    run.err.wait_for("watching .*tools.py.* as well, since worker imports")
    return run


def test_what_was_imported_counts_though_rules_match(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail before imports stood above rules: none of these saves restarted anything."""
    cache = tmp_path_factory.mktemp("cache")
    run = begun(start, cache=cache)
    for number, name in enumerate((*IMPORTED, "build/templates/page.html", "build/new.py"), 1):
        save(repository / name, f"VERSION = {number + 1}\n")
        run.err.wait_for(f"{name} (changed|added) → draining")
        run.err.wait_for("worker started in")
    assert restarts(run) == 7
    for name in ("lib/unused.py", "build/result.txt"):
        save(repository / name, "2")
        settle(run, repository / "worker.py")
    assert restarts(run) == 7
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    paths = ("build/jobs.py", "build/templates/page.html", "build", "lib/tools.py", "lib/unused.py")
    status, out, _ = ask(repository, "why", *paths, "--", PYTHON, "worker.py")
    assert status == 1
    assert out.splitlines() == [
        "build/jobs.py counts: the worker has imported it",
        "build/templates/page.html counts: the worker has imported build/, in which it lies",
        "build counts: the worker has imported it",
        "lib/tools.py counts: the worker has imported it",
        "lib/unused.py does not count: lib/ is ignored (.gitignore:2: lib/)",
    ]
    assert run.stop() == 0


def test_what_was_imported_counts_though_rules_come_to_match(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Seen to fail before: what was imported was counted once, by the rules of that moment."""
    (repository / ".gitignore").write_text("lib/\n")
    run = begun(start, cache=tmp_path_factory.mktemp("cache"))
    (repository / ".gitignore").write_text(GITIGNORE)
    settle(run, repository / "worker.py")
    save(repository / "local_settings.py", "VERSION = 2\n")
    run.err.wait_for("local_settings.py changed → draining")
    assert run.stop() == 0


def test_an_imported_package_may_go_and_come_back(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = begun(start, cache=tmp_path_factory.mktemp("cache"))
    (repository / "build").rename(repository / "dist")
    run.err.wait_for("build/jobs.py.* deleted")
    (repository / "dist").rename(repository / "build")
    save(repository / "build" / "jobs.py", "VERSION = 2\n")
    run.out.wait_for("ready 1")
    assert run.stop() == 0


def test_the_users_own_pattern_stands_above(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = begun(start, "--ignore", "build", cache=tmp_path_factory.mktemp("cache"))
    assert "build/jobs.py" not in run.err.text
    save(repository / "build" / "jobs.py", "VERSION = 2\n")
    settle(run, repository / "worker.py")
    assert restarts(run) == 0
    assert run.stop() == 0


@pytest.mark.parametrize("name", [".env", "app.mo", "fast.so"])
def test_git_has_no_say_about_secrets_and_what_is_built(repository: Path, start: Start, name: str) -> None:
    """Seen to fail before: who changed the password in .env got no restart."""
    (repository / name).write_text("1")
    run = start("-v", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    run.out.wait_for("ready 1")
    save(repository / name, "2")
    run.err.wait_for(f"{name} changed → draining")
    assert run.stop() == 0
    assert ask(repository, "why", name, "--", PYTHON, "worker.py")[0] == 0
    assert ask(repository, "why", "local.toml", "--", PYTHON, "worker.py")[0] == 1


@pytest.mark.parametrize("command", [("sh", "-c", "echo ready; exec sleep 600"), (PYTHON, "worker.py")])
def test_what_git_has_in_its_index_counts_where_imports_are_not_known(
    repository: Path, start: Start, command: tuple[str, ...]
) -> None:
    """Seen to fail before: what was added by force was ignored all the same."""
    (repository / "dist").mkdir()
    (repository / "dist" / "known.toml").write_text("1")
    (repository / "dist" / "unknown.toml").write_text("1")
    subprocess.run(["git", "-C", str(repository), "add", "-f", "dist/known.toml"], check=True)
    options = () if command[0] == "sh" else ("--cold",)
    run = start("-v", *options, "--", *command)
    run.out.wait_for("ready")
    run.err.wait_for("watching .*dist/known.toml as well, since Git has it in its index")
    save(repository / "dist" / "unknown.toml", "2")
    settle(run, repository / "worker.py")
    assert restarts(run) == 0
    save(repository / "dist" / "known.toml", "2")
    run.err.wait_for("dist/known.toml changed → draining")
    assert run.stop() == 0
    status, out, _ = ask(repository, "why", "dist/known.toml", "dist/unknown.toml", *options, "--", *command)
    assert (status, out.splitlines()) == (
        1,
        [
            "dist/known.toml counts: Git has it in its index",
            "dist/unknown.toml does not count: dist/ is ignored (.gitignore:3: dist/)",
        ],
    )


# --- work trees inside another --------------------------------------------------------------------


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True)


def test_other_work_trees_inside_the_tree_do_not_count_but_submodules_do(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Seen to fail before: what another checkout of the same project held restarted and held the worker."""
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    (other / "shared.py").write_text("A = 1\n")
    git(other, "add", ".")
    git(other, "commit", "-qm", "one")
    git(repository, "submodule", "add", "-q", str(other), "shared")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(repository, "worktree", "add", "-q", ".claude/worktrees/a")
    git(repository, "clone", "-q", str(other), "vendored")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    for path in (".claude/worktrees/a/worker.py", "vendored/shared.py"):
        save(repository / path, "def broken(:\n")
        settle(run, repository / "worker.py")
        status, out, _ = ask(repository, "why", path, "--", PYTHON, "worker.py")
        top = path.rpartition("/")[0]
        assert (status, out) == (
            1,
            f"{path} does not count: {top} is another work tree of Git; --watch names it\n",
        )
    assert "broken" not in run.err.text
    assert restarts(run) == 0
    save(repository / "shared" / "shared.py", "A = 2\n")
    run.err.wait_for("shared/shared.py changed → draining")
    assert run.stop() == 0
    assert "2          other work trees of Git" in ask(repository, "doctor")[1]


def test_a_work_tree_that_is_imported_from_or_named_counts(
    repository: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("used", "named"):
        git(repository, "init", "-q", name)
        (repository / name / "inner.py").write_text("A = 1\n")
        (repository / name / "page.html").write_text("A")
    (repository / "worker.py").write_text(f"import sys; sys.path.append('used'); import inner\n{WORKER}")
    run = begun(start, "-w", ".", "-w", "named", cache=tmp_path_factory.mktemp("cache"))
    for path in ("used/inner.py", "used/page.html", "named/inner.py"):
        save(repository / path, "A = 3\n")
        run.err.wait_for(f"{path} changed → draining")
        run.err.wait_for("worker started in")
    assert run.stop() == 0


def test_a_project_that_its_own_rules_hide_is_told(project: Path, start: Start) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / ".gitignore").write_text("*\n")
    # A script that is named would count.
    run = start("--cold", "--", PYTHON, "-m", "worker")
    run.err.wait_for(r"watching \. \(0 files in 1 folder\), so that no save restarts worker yet")
    run.err.wait_for("hint: reloader doctor .* --include")
    assert run.stop() == 0
    status, told, _ = ask(project, "doctor", "--", PYTHON, "-m", "worker")
    assert status == 1
    assert "no save restarts the worker yet" in told
    assert re.search(r"\d +\* \(\.gitignore:1\)", told)  # perhaps with __pycache__


def test_a_folder_that_rules_from_above_hide_counts_where_it_is_named(
    tmp_path: Path, project: Path, start: Start
) -> None:
    """A home folder that is a repository, and a package in a virtual environment that uv has made."""
    home = project / "home"
    installed = project / "home" / "project" / ".venv" / "lib" / "mylib"
    installed.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(home)], check=True)
    (home / ".gitignore").write_text("*\n*.log\n")
    (installed.parents[1] / ".gitignore").write_text("*\n")
    (installed.parents[1] / "pyvenv.cfg").write_text("home = /usr\n")
    for name in ("code.py", "page.html"):
        (installed / name).write_text("1")
        (home / "project" / name).write_text("1")
    (home / "project" / "worker.py").write_text((project / "worker.py").read_text())
    (home / "project" / "task.py").write_text("VERSION = 1\n")
    watched = ("-w", ".", "-w", ".venv/lib/mylib")
    run = start(*watched, "--", PYTHON, "worker.py", folder=home / "project")
    run.out.wait_for("ready 1")
    run.err.wait_for(r"watching .* \(6 files in 2 folders\)")
    (home / "project" / "page.html").write_text("22")
    run.err.wait_for(r"page\.html changed → draining")
    run.out.wait_for("ready 1")
    (installed / "page.html").write_text("22")
    run.err.wait_for(r"mylib/page\.html changed → draining")
    run.out.wait_for("ready 1")
    assert run.stop() == 0
    _, told, _ = ask(home / "project", "why", *watched, "noise.log", "--", "true")
    assert re.search(r"does not count: it is ignored \(.*/\.gitignore:2: \*\.log\)", told)


# --- beside the tree --------------------------------------------------------------------------------

BESIDE = """
import signal, sys, time
import task, sibling.models, tools
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("ready", flush=True)
while True: time.sleep(60)
"""


@pytest.fixture
def siblings(project: Path) -> Path:
    """A project that imports a package and a module from beside it, as with an editable install."""
    shop = project / "shop"
    for name in ("libs/sibling/__init__.py", "libs/sibling/models.py", "more/tools.py", "shop/task.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("VERSION = 1\n")
    (shop / "worker.py").write_text(BESIDE)
    return shop


def begun_beside(start: Start, shop: Path, *options: str) -> Run:
    """The run, with what lies beside on the worker's path."""
    path = f"{shop.parent / 'libs'}:{shop.parent / 'more'}"
    command = ("-v", *options, "--", PYTHON, "worker.py")
    run = start(*command, folder=shop, env={"PYTHONPATH": path, "XDG_CACHE_HOME": str(shop.parent / "cache")})
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    return run


def test_what_is_imported_from_beside_is_told_once_with_the_option(siblings: Path, start: Start) -> None:
    """Seen to fail before: a save of it restarted nothing, without a word."""
    run = begun_beside(start, siblings)
    run.err.wait_for("worker imports from .*/libs/sibling and .*/more, which are not watched")
    run.err.wait_for(r"hint: --watch \. --watch \.\./libs/sibling --watch \.\./more")
    save(siblings / "task.py", "VERSION = 2\n")
    run.err.wait_for("task.py changed → draining")
    run.err.wait_for("worker started in")
    settle(run, siblings / "worker.py")
    assert run.err.text.count("which are not watched") == 1
    assert run.stop() == 0
    # The option that is named helps.
    run = begun_beside(start, siblings, "-w", ".", "-w", "../libs/sibling", "-w", "../more/tools.py")
    for name in ("libs/sibling/models.py", "more/tools.py"):
        save(siblings.parent / name, "VERSION = 2\n")
        run.err.wait_for(f"{name} changed → draining")
        run.out.wait_for("ready")
    assert "not watched" not in run.err.text
    assert run.stop() == 0


def test_the_hint_names_the_settings_file_where_that_tells_what_is_watched(
    siblings: Path, start: Start
) -> None:
    (siblings / "reloader.toml").write_text('watch = "."\n')
    run = begun_beside(start, siblings)
    run.err.wait_for("which are not watched")
    run.err.wait_for("hint: add them to watch in reloader.toml")
    assert run.stop() == 0
