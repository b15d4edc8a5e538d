"""What a settings file says of patterns and paths, and what becomes of a run when it is changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, restarts, save, settle
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


def test_patterns_of_a_settings_file_are_relative_to_it(
    nested: Path, start: Start
) -> None:
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
