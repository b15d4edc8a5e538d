"""The main job with the real django-q2 on SQLite: no task is lost, cut or run twice by a reload.

Generations overlap, as they do without an option.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import LIMIT, Run, eventually

Start = Callable[..., Run]
PYTHON = sys.executable
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "qcluster"

TASKS = """
import os, time
from pathlib import Path

VERSION = {version}

def note(number, seconds):
    with open("notes", "a") as file:
        file.write(f"{{number}} began {{VERSION}}\\n")
    time.sleep(seconds)
    with open("notes", "a") as file:
        file.write(f"{{number}} ended {{VERSION}}\\n")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example project in a fresh folder, migrated, with a task that takes its time."""
    folder = tmp_path / "site"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*.sqlite3*", "__pycache__"))
    (folder / "work.py").write_text(TASKS.format(version=1))
    manage(folder, "migrate", "--verbosity", "0")
    return folder


def manage(folder: Path, *arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
    subprocess.run(
        [PYTHON, "manage.py", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        timeout=60,
        capture_output=True,
    )


def queue(folder: Path, number: int, seconds: float) -> None:
    code = f"from django_q.tasks import async_task; async_task('work.note', {number}, {seconds})"
    manage(folder, "shell", "-c", code)


def notes(folder: Path) -> list[str]:
    try:
        return (folder / "notes").read_text().splitlines()
    except FileNotFoundError:
        return []


def test_a_task_in_flight_ends_on_the_old_code_and_the_next_runs_on_the_new(site: Path, start: Start) -> None:
    run = start("--no-overlap", "--", PYTHON, "manage.py", "qcluster", folder=site)
    run.err.wait_for(r"^qcluster \| .*Q Cluster .* running\.")
    run.err.wait_for(r"^reloader \| ready in \d+\.\d\d s$")
    queue(site, 1, 2.0)
    eventually(lambda: "1 began 1" in notes(site), "the first task is in flight", 2 * LIMIT)
    (site / "work.py").write_text(TASKS.format(version=2))
    run.err.wait_for(r"^reloader \| work\.py changed → draining qcluster \(pid \d+\)$")
    assert notes(site) == ["1 began 1"], "the file was saved while the task ran"
    queue(site, 2, 0.0)
    run.err.wait_for(
        r"^reloader \| ready in \d+\.\d\d s \(detect \d\.\d\d, drain \d\.\d\d, start \d\.\d\d(, warm|, cold: .*)?\)$",
        2 * LIMIT,
    )
    eventually(lambda: len(notes(site)) == 4, "both tasks have ended", 2 * LIMIT)
    assert run.stop() == 0
    assert notes(site) == ["1 began 1", "1 ended 1", "2 began 2", "2 ended 2"]
    assert not run.survivors()
    with sqlite3.connect(next(site.glob("*.sqlite3"))) as database:
        (succeeded,) = database.execute("select count(*) from django_q_task where success").fetchone()
        (waiting,) = database.execute("select count(*) from django_q_ormq").fetchone()
    database.close()
    assert (succeeded, waiting) == (2, 0)


def test_a_broken_save_is_told_and_the_next_good_one_works(site: Path, start: Start) -> None:
    settings = site / "project" / "settings.py"
    good = settings.read_text()
    run = start("--", PYTHON, "manage.py", "qcluster", folder=site)
    run.err.wait_for(r"Q Cluster .* running\.")
    settings.write_text(good + "\nraise RuntimeError('broken on purpose')\n")
    run.err.wait_for("broken on purpose")
    run.err.wait_for(
        r"qcluster\.2 crashed at its start \(exit status 1\) → qcluster\.1 goes on with the last good code"
    )
    assert "stopping" not in run.err.text, "the old one was never touched"
    settings.write_text(good)
    run.err.wait_for("project/settings.py changed → starting qcluster.3")
    run.err.wait_for("qcluster.3 is at work → draining qcluster.1", 2 * LIMIT)
    queue(site, 3, 0.0)
    eventually(lambda: "3 ended 1" in notes(site), "a task is done", 2 * LIMIT)
    assert run.stop() == 0


def test_ctrl_c_lets_the_task_in_flight_end(site: Path, start: Start) -> None:
    run = start("--", PYTHON, "manage.py", "qcluster", folder=site)
    run.err.wait_for(r"Q Cluster .* running\.")
    queue(site, 4, 1.5)
    eventually(lambda: "4 began 1" in notes(site), "the task is in flight", 2 * LIMIT)
    assert run.stop() == 0
    assert notes(site) == ["4 began 1", "4 ended 1"]
    assert not run.survivors()


# --- many saves -----------------------------------------------------------------------------------

# Queues numbered tasks until it is told to stop, then says how many they were.
FEEDER = """
import os, time
from django_q.tasks import async_task
number = 0
while not os.path.exists("enough"):
    async_task("work.note", number, 0.05)
    number += 1
    time.sleep(0.1)
print(number)
"""
HELD = """

def hold(number):
    note(number, 0)
    while not os.path.exists("release"):
        time.sleep(0.05)
    note(number, 0)
"""


def at_work(run: Run, generation: int) -> None:
    """Wait until this generation is at work and the one before it was told to drain."""
    took = r"\(detect \d\.\d\d, (drain \d+\.\d\d, )?start \d+\.\d\d(, (warm|cold: .*))?\)$"
    run.err.wait_for(rf"^reloader +\| qcluster\.{generation} ready in \d+\.\d\d s {took}", 4 * LIMIT)
    run.err.wait_for(rf"qcluster\.{generation} is at work → draining qcluster\.{generation - 1} ", 2 * LIMIT)


def test_overlapped_reloads_lose_no_task_and_run_none_twice(site: Path, start: Start) -> None:
    """Twenty of them are among the integration tests.

    Seen to fail where the old generation is killed instead of drained.
    """
    run = start("--", PYTHON, "manage.py", "qcluster", folder=site)
    run.err.wait_for(r"Q Cluster .* running\.", 2 * LIMIT)
    run.err.wait_for(r"ready in \d+\.\d\d s$")
    feeder = subprocess.Popen(
        [PYTHON, "manage.py", "shell", "-c", FEEDER], cwd=site, stdout=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: notes(site), "the first task is done", 2 * LIMIT)
        for version in range(2, 7):
            # At once: a worker that imports it at its first task would find it empty, and that task fail.
            (site / "work.new").write_text(TASKS.format(version=version))
            (site / "work.new").replace(site / "work.py")
            at_work(run, version)
        eventually(lambda: notes(site)[-1].endswith(" 6"), "the last code works", 2 * LIMIT)
    finally:
        (site / "enough").touch()
        said, _ = feeder.communicate(timeout=4 * LIMIT)
    queued = int(said.split()[-1])
    eventually(
        lambda: len({note for note in notes(site) if " ended " in note}) >= queued, "all is done", 8 * LIMIT
    )
    assert run.stop() == 0
    begun = [int(note.split()[0]) for note in notes(site) if " began " in note]
    ended = [int(note.split()[0]) for note in notes(site) if " ended " in note]
    assert sorted(begun) == sorted(ended) == list(range(queued))


def test_a_long_task_goes_on_through_five_saves_and_the_new_code_serves_after_each(
    site: Path, start: Start
) -> None:
    (site / "work.py").write_text(TASKS.format(version=1) + HELD)
    run = start("--", PYTHON, "manage.py", "qcluster", folder=site)
    run.err.wait_for(r"Q Cluster .* running\.", 2 * LIMIT)
    run.err.wait_for(r"ready in \d+\.\d\d s$")
    manage(site, "shell", "-c", "from django_q.tasks import async_task; async_task('work.hold', 0)")
    eventually(lambda: "0 began 1" in notes(site), "the long task is in flight", 2 * LIMIT)
    for version in range(2, 7):
        (site / "work.py").write_text(TASKS.format(version=version) + HELD)
        at_work(run, version)
        queue(site, version, 0.0)
        # The one before may still take a task until it hears the signal, and none after that.
        eventually(lambda v=version: f"{v} ended {v}" in notes(site), "the new code serves", 2 * LIMIT)  # type: ignore[misc]
    assert notes(site).count("0 ended 1") == 1
    (site / "release").touch()
    run.err.wait_for(r"qcluster\.1 ended after", 2 * LIMIT)
    assert notes(site).count("0 ended 1") == 2
    assert run.stop() == 0
