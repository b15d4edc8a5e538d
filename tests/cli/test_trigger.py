"""`--trigger loaded`: only what the worker has imported restarts it, wherever that lies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, eventually, restarts, save
from test_verbs import ask

Start = Callable[..., Run]
PYTHON = sys.executable

WORKER = """
import os, sys, time
sys.path.append(os.environ["BESIDE"])
import task, sibling
try:
    import optional
except ImportError:
    optional = None
print("ready", task.VERSION, sibling.VERSION, optional and optional.VERSION, flush=True)
if not os.fork():
    import late
    print("late", late.VERSION, flush=True)
    time.sleep(600)
time.sleep(600)
"""


@pytest.fixture
def begun(project: Path, tmp_path_factory: pytest.TempPathFactory, start: Start) -> tuple[Run, Path, Path]:
    """The run, its folder, and the folder beside it that it imports from."""
    beside = tmp_path_factory.mktemp("beside")
    (project / "worker.py").write_text(WORKER)
    for path in (beside / "sibling.py", project / "late.py", project / "unused.py"):
        path.write_text("VERSION = 1\n")
    (project / "settings.toml").write_text("a = 1\n")
    command = ("-v", "--trigger", "loaded", "--", PYTHON, "worker.py")
    run = start(*command, env={"BESIDE": str(beside), "XDG_CACHE_HOME": str(beside)})
    run.out.wait_for("ready 1 1 None")
    run.out.wait_for("late 1")
    eventually(lambda: "sibling.py as well, since worker imports" in run.err.text, "all is up")
    return run, project, beside


def test_what_was_not_imported_restarts_nothing(begun: tuple[Run, Path, Path]) -> None:
    """Seen to fail with the tree as trigger."""
    run, project, _ = begun
    save(project / "unused.py", "VERSION = 2\n")
    run.err.wait_for("unused.py not imported by the worker → no restart")
    save(project / "new.py", "VERSION = 2\n")
    run.err.wait_for("new.py not imported by the worker → no restart")
    (project / "unused.py").unlink()
    run.err.wait_for("unused.py not imported by the worker → no restart")
    assert restarts(run) == 0
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2 1 None")
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("task.py", "ready 2 1 None"), ("late.py", "late 2"), ("optional.py", "ready 1 1 2")],
)
def test_what_was_imported_or_looked_for_restarts(
    begun: tuple[Run, Path, Path], name: str, said: str
) -> None:
    """By the first process, by a fork of it, and what was looked for and is there now."""
    run, project, _ = begun
    save(project / name, "VERSION = 2\n")
    run.err.wait_for(f"{name} (changed|added) → draining")
    run.out.wait_for(said)
    assert run.stop() == 0


def test_configuration_and_the_program_itself_restart(begun: tuple[Run, Path, Path]) -> None:
    run, project, _ = begun
    save(project / "settings.toml", "a = 2\n")
    run.err.wait_for("settings.toml changed → draining")
    run.out.wait_for("ready 1 1 None")
    run.err.wait_for("worker started in")
    save(project / "worker.py", WORKER.replace('"ready"', '"again"'))
    run.err.wait_for("worker.py changed → draining")
    run.out.wait_for("again 1 1 None")
    assert run.stop() == 0


def test_what_is_imported_from_beside_the_tree_is_watched(begun: tuple[Run, Path, Path]) -> None:
    """Seen to fail without the files beside the tree: nothing happened."""
    run, _, beside = begun
    save(beside / "sibling.py", "VERSION = 2\n")
    run.err.wait_for("sibling.py changed → draining")
    run.out.wait_for("ready 1 2 None")
    assert run.stop() == 0


def test_why_knows(begun: tuple[Run, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the last run has learned."""
    run, project, beside = begun
    assert run.stop() == 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(beside))
    command = ("--trigger", "loaded", "--", PYTHON, "worker.py")
    status, out, _ = ask(project, "why", "unused.py", "task.py", "settings.toml", *command)
    assert status == 1
    assert out.splitlines() == [
        "unused.py does not count: the worker has not imported it when it last ran (--trigger loaded)",
        "task.py counts: by a rule (what counts for Python: *.py)",
        "settings.toml counts: by a rule (what counts for Python: *.toml)",
    ]
    status, out, _ = ask(project, "why", str(beside / "sibling.py"), *command)
    assert (status, out) == (0, f"{beside / 'sibling.py'} counts: the worker has imported it\n")
