"""What a settings file says of patterns and paths, and what becomes of a run when it is changed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, between_presses, restarts, save, settle
from test_verbs import ask

Start = Callable[..., Run]
PYTHON = sys.executable


@pytest.fixture
def nested(project: Path) -> Path:
    """A project with its settings at the top, and a folder that reloader is started in."""
    (project / "reloader.toml").write_text(
        'watch = ["src", "conf"]\nignore = ["src/gen/*.py", "./conf/made.toml"]\ninclude = ["*.{csv,tsv}"]\n'
    )
    for name in ("src/gen/a.py", "src/a.py", "src/b.csv", "conf/made.toml", "conf/gen/a.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("VERSION = 1\n")
    (project / "src" / "worker.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    return project


def test_patterns_of_a_settings_file_are_relative_to_it(nested: Path, start: Start) -> None:
    """Seen to fail before: a path was relative to each watched folder, and braces stood for nothing."""
    run = start("-v", "--", PYTHON, "worker.py", folder=nested / "src")
    run.err.wait_for("watching")
    run.out.wait_for("up")
    assert "matches nothing" not in run.err.text
    for name in ("src/gen/a.py", "conf/made.toml"):
        save(nested / name, "VERSION = 2\n")
    settle(run, nested / "src" / "worker.py")
    assert restarts(run) == 0
    for name in ("src/b.csv", "conf/gen/a.py"):
        save(nested / name, "VERSION = 2\n")
        run.err.wait_for(f"{Path(name).name} changed → draining")
        run.out.wait_for("up")
    assert run.stop() == 0
    status, out, _ = ask(nested / "src", "why", "gen/a.py", "a.py", "b.csv", "--", PYTHON, "worker.py")
    assert status == 1
    assert out.splitlines() == [
        "gen/a.py does not count: it is ignored (ignore in ../reloader.toml: src/gen/*.py)",
        "a.py counts: by a rule (what counts for Python: *.py)",
        "b.csv counts: by a rule (include in ../reloader.toml: *.{csv,tsv})",
    ]


def test_a_pattern_without_quotes_is_told_by_the_command(project: Path) -> None:
    (project / "media").mkdir()
    for name in ("a.html", "b.html"):
        (project / "media" / name).write_text("1")
    status, _, err = ask(project, "--ignore", "media/a.html", "media/b.html", "--", PYTHON, "worker.py")
    assert status == 2
    assert err.splitlines() == [
        "reloader: the shell has made several words of what follows --ignore: media/b.html is one",
        "hint: quote it: --ignore 'media/*.html'",
    ]


# --- a change while it runs -----------------------------------------------------------------------------

LOOP = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("up", flush=True)
while True: time.sleep(60)
"""


@pytest.fixture
def running(project: Path, start: Start) -> Run:
    """A worker under reloader, whose settings file is beside it."""
    (project / "worker.py").write_text(LOOP)
    (project / "reloader.toml").write_text('name = "first"\n')
    run = start("-v", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    run.out.wait_for("first .*up")
    return run


def test_other_settings_are_taken_over_by_the_same_process(project: Path, running: Run) -> None:
    """Seen to fail before: the worker was restarted, and the settings stayed."""
    save(project / "reloader.toml", 'name = "second"\nignore = ["conf/"]\n')
    running.err.wait_for("reloader.toml changed the settings → begins anew with them")
    running.err.wait_for("draining first")
    running.out.wait_for("second .*up")
    running.err.wait_for("watching")
    (project / "conf").mkdir(exist_ok=True)
    save(project / "conf" / "a.toml", "1")
    settle(running, project / "worker.py")
    assert "→ draining" not in running.err.text
    save(project / "task.py", "VERSION = 2\n")
    running.err.wait_for(r"task.py (added|changed) → draining second")
    running.out.wait_for("second .*up")
    assert running.stop() == 0


def test_a_mistake_in_the_settings_keeps_those_that_there_were(project: Path, running: Run) -> None:
    save(project / "reloader.toml", 'nmae = "second"\n')
    running.err.wait_for("reloader.toml: unknown key 'nmae' → goes on with the settings as they were")
    running.err.wait_for("hint: did you mean name")
    save(project / "reloader.toml", 'name = "third"\n')
    running.err.wait_for("reloader.toml changed the settings → begins anew with them")
    running.out.wait_for("third .*up")
    assert running.stop() == 0


def test_what_sets_nothing_else_is_a_change_like_any(project: Path, running: Run) -> None:
    save(project / "reloader.toml", '# The name.\nname = "first"\n')
    running.err.wait_for("reloader.toml changed → draining first")
    running.out.wait_for("first .*up")
    settle(running, project / "worker.py")
    assert "begins anew" not in running.err.text
    assert running.stop() == 0


def test_a_file_that_comes_nearer_is_taken_over(project: Path, start: Start) -> None:
    """It lies in the folder that is watched, the other one above."""
    (project / "app").mkdir()
    (project / "app" / "worker.py").write_text(LOOP)
    (project / "reloader.toml").write_text('name = "first"\n')
    run = start("-v", "--", PYTHON, "worker.py", folder=project / "app")
    run.err.wait_for("watching")
    run.out.wait_for("first .*up")
    save(project / "reloader.toml", 'name = "second"\n')
    run.err.wait_for("../reloader.toml changed the settings → begins anew with them")
    run.out.wait_for("second .*up")
    run.err.wait_for("watching")
    save(project / "app" / "reloader.toml", 'name = "third"\n')
    run.out.wait_for("third .*up")
    assert run.stop() == 0


def test_broken_code_keeps_the_worker_and_its_settings(project: Path, running: Run) -> None:
    save(project / "worker.py", "def\n")
    running.err.wait_for("goes on with the last good code")
    save(project / "reloader.toml", 'name = "second"\n')
    running.err.wait_for("goes on with the last good code")
    save(project / "worker.py", LOOP)
    running.out.wait_for("second .*up")
    assert running.stop() == 0


def test_ctrl_c_while_it_drains_for_new_settings_ends_the_run(project: Path, start: Start) -> None:
    (project / "reloader.toml").write_text('name = "first"\n')
    (project / "worker.py").write_text(LOOP.replace("sys.exit(0)", "time.sleep(600)"))
    run = start("-v", "-t", "60s", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    run.out.wait_for("up")
    save(project / "reloader.toml", 'name = "second"\n')
    run.err.wait_for("draining first")
    run.send(signal.SIGINT)
    between_presses()
    run.send(signal.SIGINT)
    assert run.wait() == -signal.SIGINT
    assert "second" not in run.out.text + run.err.text
