"""`reloader why` and `reloader doctor`: the real command in real folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import RELOADER, Run, save

PYTHON = sys.executable


def ask(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELOADER")}
    done = subprocess.run([RELOADER, *words], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def links_of(pid: int) -> list[str]:
    """What the open descriptors of the process lead to; some are closed while one looks."""
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(path))
        except FileNotFoundError:
            continue
    return links


@pytest.fixture
def tree(project: Path) -> Path:
    """The project with something ignored in every way."""
    (project / ".gitignore").write_text("*.gen.py\n/secret/\n")
    (project / ".git").mkdir()
    for name in ("secret", "node_modules", "env"):
        (project / name).mkdir()
    (project / "env" / "pyvenv.cfg").touch()
    (project / "notes.txt").touch()
    return project


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("task.py",), "task.py counts: by a rule (what counts for Python: *.py)"),
        (("not/there.py",), "not/there.py counts: by a rule (what counts for Python: *.py)"),
        ((".env",), ".env counts: by a rule (what counts for Python: *.env)"),
        (("secret/a.py",), "secret/a.py does not count: secret/ is ignored (.gitignore:2: /secret/)"),
        (("a.gen.py",), "a.gen.py does not count: it is ignored (.gitignore:1: *.gen.py)"),
        (("--no-gitignore", "a.gen.py"), "a.gen.py counts: by a rule (what counts for Python: *.py)"),
        (("node_modules/a.py",), "node_modules/ is ignored (built-in: node_modules/)"),
        (("env/a.py",), "env/a.py does not count: env is a virtual environment (pyvenv.cfg)"),
        (
            ("notes.txt",),
            "notes.txt does not count: it is neither code nor configuration of a Python program",
        ),
        (("notes.txt", "--", "./run"), "notes.txt counts: nothing ignores it"),
        (("--include", "*.txt", "notes.txt"), "notes.txt counts: by a rule (--include: *.txt)"),
        (("--ignore", "task.py", "task.py"), "task.py does not count: it is ignored (--ignore: task.py)"),
        (("-w", "notes.txt", "notes.txt"), "notes.txt counts: it is watched by its own name"),
        (("/etc/passwd",), "/etc/passwd does not count: it lies in no watched folder"),
        (("secret",), "secret does not count: it is ignored (.gitignore:2: /secret/)"),
        ((".",), ". counts: it is a watched folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_why_names_the_rule(tree: Path, words: tuple[str, ...], said: str) -> None:
    status, out, err = ask(tree, "why", *words)
    assert err == ""
    assert said in out
    assert status == (1 if "does not count" in out or "is ignored" in out else 0)


def test_why_needs_a_path(tree: Path) -> None:
    status, _, err = ask(tree, "why")
    assert status == 2
    assert "Missing argument" in err
    assert "Traceback" not in err


def test_a_command_of_that_name_is_run_behind_the_dashes(tree: Path) -> None:
    status, _, err = ask(tree, "--", "doctor")
    assert status == 127
    assert "doctor: command not found" in err


def test_the_doctor_counts_and_tries_a_write(tree: Path) -> None:
    before = sorted(path.name for path in tree.iterdir())
    status, out, err = ask(tree, "doctor")
    assert err == ""
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("files that count 2 in 1 folder,")
    assert "folders left out 4" in lines
    assert "1 /secret/ (.gitignore:2)" in lines
    assert "1 pyvenv.cfg" in lines
    assert any(line.startswith("root . (") and "an event came" in line for line in lines)
    assert sorted(path.name for path in tree.iterdir()) == before


def test_the_doctor_tells_of_polling_and_of_what_it_cannot_read(tree: Path) -> None:
    status, out, _ = ask(tree, "doctor", "--poll", "2s")
    assert status == 0
    assert "looked at every 2 s, as asked" in out


def test_where_no_events_are_wanted_the_tree_is_looked_at(project: Path, start: type[Run]) -> None:
    run: Run = start("--poll", "100ms", "--", PYTHON, "worker.py")  # type: ignore[arg-type]
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    assert "anon_inode:inotify" not in links_of(run.process.pid)
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


@pytest.mark.parametrize("value", ["0", "none"])
def test_polling_needs_a_time(project: Path, value: str) -> None:
    status, _, err = ask(project, "--poll", value, "--", "true")
    assert status == 2
    assert "--poll needs a time between two looks" in err
