"""What we read may be anything: a FIFO, a device that never ends, a link, a folder. Nobody waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import LIMIT, RELOADER, Run, save

Start = Callable[..., Run]
PYTHON = sys.executable


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 32)  # of which the disk holds nothing


KINDS = {"a FIFO": _fifo, "an endless device": _endless, "a terminal": _terminal, "4 GB": _huge}
IGNORES = ("pkg/.gitignore", ".git/info/exclude", ".git/commondir", "excludes", ".env")


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as a repository whose core.excludesFile is the file `excludes`."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    subprocess.run(["git", "config", "core.excludesFile", str(project / "excludes")], cwd=project, check=True)
    (project / ".git" / "info" / "exclude").unlink()
    (project / "pkg").mkdir()
    return project


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((".gitignore", kind) for kind in KINDS), *((name, "a FIFO") for name in IGNORES)],
)
def test_an_ignore_file_may_be_anything(name: str, kind: str, repository: Path, start: Start) -> None:
    """Seen to fail, for ever, where they were simply opened and read."""
    KINDS[kind](repository / name)
    run = start("--cold", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    run.out.wait_for("ready")
    save(repository / "task.py", "VERSION = 2\n")
    run.err.wait_for("task.py .*→ draining")
    run.out.wait_for("ready")
    assert run.stop() == 0


@pytest.mark.parametrize("kind", ["a FIFO", "an endless device", "4 GB"])
@pytest.mark.parametrize("name", ["pyproject.toml", "reloader.toml"])
@pytest.mark.parametrize("words", [["doctor"], ["--", "true"]], ids=" ".join)
def test_settings_that_are_no_file_are_told_or_passed_over(
    name: str, kind: str, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    KINDS[kind](tmp_path / name)
    words = ["--on-exit", "quit", *words] if words[0] == "--" else words
    result = subprocess.run(
        [RELOADER, *words], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 1, 2)
    if result.returncode == 2:
        lines = result.stderr.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith(f"reloader: cannot read {name}: ")
        assert lines[1].startswith("hint: ")


def test_a_git_file_may_be_anything(project: Path, start: Start) -> None:
    os.mkfifo(project / ".git")
    run = start("--cold", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    run.out.wait_for("ready")
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for("task.py .*→ draining")
    assert run.stop() == 0


def test_a_command_that_is_a_fifo_is_told(project: Path) -> None:
    os.mkfifo(project / "command")
    (project / "command").chmod(0o755)
    result = subprocess.run(
        [RELOADER, "--", "./command"], cwd=project, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert result.returncode == 126
    assert "Traceback" not in result.stderr
