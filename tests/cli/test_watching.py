"""Where events come from and when they do not: limits, full queues, mounts, roots that are swapped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, eventually, restarts, save, settle

Start = Callable[..., Run]
PYTHON = sys.executable
LIMITS = Path("/proc/sys/user")


def namespace(script: str, *flags: str, cwd: Path | None = None) -> list[str]:
    """Run a command with this done first in a user namespace of its own; skips where there are none."""
    launcher = ["unshare", "--user", "--map-root-user", *flags, "sh", "-c"]
    allowed = shutil.which("unshare") is not None
    if not allowed or subprocess.run([*launcher, script], cwd=cwd, capture_output=True).returncode:
        pytest.skip("user namespaces with limits and mounts of their own are not allowed here")
    return [*launcher, f'{script} && exec "$@"', "sh"]


def limited(name: str, value: int) -> list[str]:
    """Run a command with a limit of inotify that is this low."""
    return namespace(f"echo {value} > {LIMITS / name}")


@pytest.fixture
def wide(project: Path) -> Path:
    """A project of six folders, the root included."""
    for name in "abcde":
        (project / name).mkdir()
        (project / name / "more.py").write_text("x = 1\n")
    return project


def test_a_limit_of_watches_is_told_once_and_nothing_is_missed(wide: Path, start: Start) -> None:
    run = start("-v", "--cold", "--", PYTHON, "worker.py", launcher=limited("max_inotify_watches", 3))
    run.out.wait_for("ready 1")
    run.err.wait_for("watch limit is reached")
    run.err.wait_for("the files are looked at every 1 s instead")
    run.err.wait_for(r"hint: sudo sysctl fs\.inotify\.max_user_watches=")
    for name in ("a", "e"):  # one that is watched and one that is not
        save(wide / name / "more.py", f"x = '{name}'\n")
        run.err.wait_for(rf"{name}/more\.py changed → draining")
        run.out.wait_for("ready 1")
    assert run.err.text.count("watch limit is reached") == 1
    assert run.stop() == 0


def test_a_limit_of_watches_that_is_reached_later_is_told(wide: Path, start: Start) -> None:
    run = start("-v", "--cold", "--", PYTHON, "worker.py", launcher=limited("max_inotify_watches", 9))
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    settle(run, wide / "task.py")
    assert "limit" not in run.err.text
    for name in "fghi":
        (wide / name).mkdir()
    run.err.wait_for("watch limit is reached")
    save(wide / "i" / "late.py", "x = 1\n")
    run.err.wait_for(r"i/late\.py added → draining")
    run.out.wait_for("ready 1")
    assert run.stop() == 0


def test_events_are_relied_upon_again_once_there_are_watches_enough(wide: Path, start: Start) -> None:
    run = start("-v", "--cold", "--", PYTHON, "worker.py", launcher=limited("max_inotify_watches", 5))
    run.out.wait_for("ready 1")
    run.err.wait_for("watch limit is reached")
    run.err.wait_for("watching")
    for name in "cde":
        shutil.rmtree(wide / name)
    run.err.wait_for("deleted")
    run.out.wait_for("ready 1")
    # One parent folder, the root and two below it.
    eventually(lambda: watches_of(run) == 4, "every folder that is left is watched")
    save(wide / "b" / "more.py", "x = 2\n")
    run.err.wait_for(r"b/more\.py changed → draining")
    assert run.stop() == 0


def test_a_new_folder_is_watched_where_most_watches_are_in_use(wide: Path, start: Start) -> None:
    """A set of watches is made while the old one is there. Seen to fail where both had to fit below the limit."""
    run = start("-v", "--cold", "--", PYTHON, "worker.py", launcher=limited("max_inotify_watches", 8))
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    eventually(lambda: watches_of(run) == 7, "every folder is watched")
    (wide / "new").mkdir()
    eventually(lambda: watches_of(run) == 8, "the new folder is watched")
    save(wide / "new" / "more.py", "x = 2\n")
    run.err.wait_for(r"new/more\.py added → draining")
    assert "watch limit" not in run.err.text
    assert run.stop() == 0


def watches_of(run: Run) -> int:
    """How many watches the run holds."""
    held = 0
    for link in Path(f"/proc/{run.process.pid}/fd").iterdir():
        try:
            if os.readlink(link) == "anon_inode:inotify":
                held += Path(f"/proc/{run.process.pid}/fdinfo/{link.name}").read_text().count("inotify wd:")
        except OSError:
            continue
    return held


def test_a_limit_of_instances_is_told_and_nothing_is_missed(wide: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py", launcher=limited("max_inotify_instances", 0))
    run.out.wait_for("ready 1")
    run.err.wait_for("no file events: too many open files")
    run.err.wait_for(r"hint: sudo sysctl fs\.inotify\.max_user_instances=")
    save(wide / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


def test_the_doctor_knows_the_limits_that_hold_here(wide: Path) -> None:
    command = [*limited("max_inotify_watches", 3), str(Path(PYTHON).with_name("reloader")), "doctor"]
    ended = subprocess.run(command, cwd=wide, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "watches            7 of 3" in ended.stdout
    assert "too few: sudo sysctl fs.inotify.max_user_watches=14" in ended.stdout


def test_a_full_queue_of_events_misses_nothing(project: Path, start: Start) -> None:
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    settle(run, project / "task.py")
    run.send(signal.SIGSTOP)
    noise = [project / "a.log", project / "b.log"]
    for number in range(queue + 10):
        noise[number % 2].touch()  # in turns, since the same event twice in a row is one
    save(project / "task.py", "VERSION = 2\n")
    run.send(signal.SIGCONT)
    run.out.wait_for("ready 2")
    assert restarts(run) == 1
    assert run.stop() == 0


def test_what_is_ignored_is_told_to_who_wants_to_know(project: Path, start: Start) -> None:
    (project / ".gitignore").write_text("*.csv\n")
    run = start("-v", "-i", "/out/", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    settle(run, project / "task.py")
    (project / "export.csv").write_text("a,b\n")
    run.err.wait_for(r"ignored: export\.csv \(\*\.csv, \.gitignore:1\)")
    (project / "worker.log").write_text("started\n")
    run.err.wait_for(r"ignored: worker\.log \(\*\.log, built-in\)")
    (project / "out").mkdir()
    run.err.wait_for(r"ignored: out \(/out/, --ignore\)")
    (project / "notes.txt").write_text("x\n")
    run.err.wait_for(r"ignored: notes\.txt \(it is neither code nor configuration of a Python program\)")
    (project / "worker.log").write_text("started again\n")
    settle(run, project / "task.py")
    assert run.err.text.count("ignored: worker.log") == 1
    assert restarts(run) == 0
    assert run.stop() == 0


def test_a_bind_mount_is_watched_like_any_folder(project: Path, start: Start) -> None:
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "lib.py").write_text("x = 1\n")
    (project / "src").mkdir()
    mounted = namespace("mount --bind elsewhere src", "--mount", cwd=project)
    run = start("-v", "-w", "src", "--", PYTHON, "worker.py", launcher=mounted)
    run.out.wait_for("ready 1")
    run.err.wait_for(r"watching src \(1 file in 1 folder\)")
    save(project / "elsewhere" / "lib.py", "x = 2\n")
    run.err.wait_for(r"src/lib\.py changed → draining")
    assert run.stop() == 0


def test_a_tmpfs_is_watched_like_any_folder(project: Path, start: Start) -> None:
    (project / "src").mkdir()
    mounted = namespace("mount -t tmpfs none src", "--mount", cwd=project)
    run = start("-v", "-w", "src", "--", PYTHON, "worker.py", launcher=mounted)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching src")
    inside = Path(f"/proc/{run.process.pid}/root{project}/src")
    assert os.stat(inside).st_dev != os.stat(project).st_dev
    save(inside / "lib.py", "x = 1\n")
    run.err.wait_for(r"src/lib\.py added → draining")
    assert run.stop() == 0


@pytest.mark.parametrize("watched", [".", "mnt"])
def test_where_another_side_writes_the_files_are_looked_at(project: Path, start: Start, watched: str) -> None:
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed")
    behind, mounted = project / "node_modules" / "behind", project / "mnt"
    behind.mkdir(parents=True)
    (behind / "lib.py").write_text("x = 1\n")
    mounted.mkdir()
    if subprocess.run(["bindfs", str(behind), str(mounted)], capture_output=True).returncode:
        pytest.skip("no FUSE file system can be mounted here")
    try:
        run = start("-v", "-w", watched, "--", PYTHON, "worker.py")
        run.out.wait_for("ready 1")
        run.err.wait_for("no file events: mnt lies on fuse")
        run.err.wait_for("looked at every 1 s instead")
        doctor = subprocess.run(
            [Path(PYTHON).with_name("reloader"), "doctor", "-w", watched], cwd=project, capture_output=True
        )
        assert b"mnt (fuse): looked at every 1 s, events of other machines do not come here" in doctor.stdout
        save(behind / "lib.py", "x = 2\n")
        run.err.wait_for(r"mnt/lib\.py changed → draining")
        run.out.wait_for("ready 1")
        assert run.stop() == 0
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_root_behind_a_link_that_is_swapped(project: Path, start: Start) -> None:
    for release in ("one", "two"):
        (project / release).mkdir()
        (project / release / "lib.py").write_text(f"x = '{release}'\n")
    (project / "current").symlink_to("one")
    run = start("-v", "-w", "current", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching current")
    (project / "next").symlink_to("two")
    (project / "next").rename(project / "current")
    run.err.wait_for(r"current/lib\.py changed → draining")
    run.out.wait_for("ready 1")
    save(project / "two" / "lib.py", "x = 'three'\n")
    run.err.wait_for(r"current/lib\.py changed → draining")
    run.out.wait_for("ready 1")
    assert run.stop() == 0


def test_a_folder_made_anew_under_its_old_name_is_watched(project: Path, start: Start) -> None:
    package = project / "package"
    package.mkdir()
    (package / "lib.py").write_text("x = 1\n")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    settle(run, project / "task.py")
    shutil.rmtree(package)
    package.mkdir()
    (package / "lib.py").write_text("x = 1\n")
    settle(run, project / "task.py")
    eventually(lambda: watches_of(run) == 3, "the root's parent, the root and the package are watched")
    save(package / "lib.py", "x = 2\n")
    run.err.wait_for(r"package/lib\.py changed → draining")
    assert run.stop() == 0
