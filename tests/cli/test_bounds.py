"""Whatever is beyond all measure is one clear line and the right status, or it simply works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz import RAW, fuzz
from harness import LIMIT, RELOADER, Run

PYTHON = sys.executable
DIGITS = "9" * 5000
TRUE = ("--on-exit", "quit", "--", "true")


def ran(folder: Path, *words: str, status: int, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, which has this status; nothing raw and no traceback is printed."""
    (folder / ".git").mkdir(exist_ok=True)
    done = subprocess.run(
        [RELOADER, *words],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert not RAW.search(done.stdout + done.stderr), done
    assert done.returncode == status, done
    if status == 2:
        first, *hints = done.stderr.splitlines()
        assert first.startswith(b"reloader: ")
        assert len(first) < 8000
        assert all(hint.startswith(b"hint: ") for hint in hints)
    return done


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("-t", "600h"), 0),
        (("--start-timeout", "8000h"), 0),
        (("-t", DIGITS), 2),
        (("--poll", "99999999h"), 2),
        (("--max-draining", DIGITS), 2),
        (("-s", DIGITS), 2),
        (("-n", "\udcff\x1b]0;title\x07"), 0),
        (("-n", ""), 0),
        (("--preset", "\x1b[2J"), 2),
        (("--\udcff\x1b[2J",), 2),
        (("-w", "\udcff\x1b[2J"), 2),
    ],
)
def test_options(words: tuple[str, ...], status: int, tmp_path: Path) -> None:
    ran(tmp_path, *words, *TRUE, status=status)


@pytest.mark.parametrize("name", ["MAX_DRAINING", "STOP_SIGNAL", "VERBOSE", "STOP_TIMEOUT"])
def test_variables(name: str, tmp_path: Path) -> None:
    ran(tmp_path, *TRUE, status=2, **{f"RELOADER_{name}": DIGITS})


@pytest.mark.parametrize(
    "text",
    [
        f"stop-timeout = {DIGITS}",
        "stop-timeout = nan",
        f"max-draining = {DIGITS}",
        'watch = ["\\u0000"]',
        'name = "\\u0000"',
        'check = "\\u0000"',
        "watch = " + "[" * 5000 + "]" * 5000,
        "watch = " + "{a = " * 5000 + "1" + "}" * 5000,
        '"\\u001b[2J" = 1',
        'preset = "\\u001b]0;title\\u0007"',
        'prefix = "\\u009b31m"',
        '[presets."\\u001b[2J"]\n"\\u0007" = 1',
        "\x1b[2J",
    ],
    ids=lambda text: text[:20],
)
def test_settings(text: str, tmp_path: Path) -> None:
    (tmp_path / "reloader.toml").write_text(text)
    ran(tmp_path, *TRUE, status=2)


def test_the_name_of_the_settings_file_is_no_preset_to_be_shown(tmp_path: Path) -> None:
    (tmp_path / "reloader.toml").write_text('name = "jobs"\n')
    assert b"qcluster" in ran(tmp_path, "presets", status=0).stdout


@pytest.mark.parametrize("columns", ["1", "0", "-5", DIGITS])
def test_the_help_in_any_width(columns: str, tmp_path: Path) -> None:
    assert b"--stop-timeout" in ran(tmp_path, "--help", status=0, COLUMNS=columns).stdout


@pytest.mark.parametrize("verb", ["presets", "--help", "--version", "doctor", "why task.py"])
def test_nobody_reads_or_nothing_can_be_written(verb: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "task.py").touch()
    for shell in (f"{RELOADER} {verb} | true", f"{RELOADER} {verb} >&-", f"{RELOADER} {verb} >/dev/full"):
        done = subprocess.run(
            ["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        told = done.stderr.splitlines()
        assert len(told) <= 1
        if "full" in shell:
            assert told == ["reloader: cannot go on: no space left on device"]


def test_a_stop_timeout_of_weeks_and_a_killed_supervisor_leave_nothing(
    stubborn: Path, start: Callable[..., Run]
) -> None:
    """Seen to fail: poll(2) takes at most some weeks, and the guard ended by an error."""
    run = start("-t", "600h", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.kill()
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()


def test_a_drain_of_weeks(stubborn: Path, start: Callable[..., Run]) -> None:
    run = start("-t", "8000h", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(signal.SIGINT)
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    assert run.wait() == 0
    run.nothing_is_left()


def test_what_nobody_means_does_no_harm() -> None:
    """The seed is fixed; `.ci/run` takes another one each time."""
    tried, faults = fuzz(2.0, seed=17)
    assert tried >= 8
    assert faults == []
