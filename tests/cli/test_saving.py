"""What is saved, in whatever way, runs: once, and in its last version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, restarts, save, settle

Start = Callable[..., Run]
PYTHON = sys.executable


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def by_rename(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


def with_a_backup(path: Path, text: str) -> None:
    path.rename(path.with_name(path.name + "~"))
    path.write_text(text)


def by_sed(path: Path, text: str) -> None:
    subprocess.run(["sed", "-i", f"s/.*/{text.strip()}/", path], check=True)


def by_vim(path: Path, text: str) -> None:
    if shutil.which("vim") is None:
        pytest.skip("vim is not installed")
    command = ["vim", "-u", "NONE", "-es", "-c", f"%s/.*/{text.strip()}/", "-c", "wq", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def by_vim_with_backup_and_swap(path: Path, text: str) -> None:
    if shutil.which("vim") is None:
        pytest.skip("vim is not installed")
    options = "set backup writebackup swapfile backupcopy=no"
    command = [
        "vim",
        "-u",
        "NONE",
        "-es",
        "-c",
        options,
        "-c",
        f"%s/.*/{text.strip()}/",
        "-c",
        "wq",
        str(path),
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def by_emacs(path: Path, text: str) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("emacs is not installed")
    program = f'(progn (erase-buffer) (insert "{text.strip()}\\n") (save-buffer))'
    subprocess.run(["emacs", "-Q", "--batch", str(path), "--eval", program], check=True, capture_output=True)


@pytest.mark.parametrize(
    "way", [in_place, by_rename, with_a_backup, by_sed, by_vim, by_vim_with_backup_and_swap, by_emacs]
)
def test_a_save_is_one_restart(project: Path, start: Start, way: Callable[[Path, str], None]) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    for version in (2, 3):
        way(project / "task.py", f"VERSION = {version}\n")
        run.err.wait_for(r"task.py (changed|added|deleted).* → draining worker \(pid \d+\)")
        run.out.wait_for("got SIGINT")
        run.out.wait_for(f"ready {version}")
    settle(run, project / "task.py")
    assert restarts(run) == 2
    assert run.stop() == 0


def test_a_save_before_the_watch_is_up_is_not_missed(project: Path, start: Start) -> None:
    worker = project / "worker.py"
    # The worker changes its own code in its first moment: no watch can stand by then.
    before = "import pathlib, task\nif task.VERSION == 1:\n    pathlib.Path('task.py').write_text('VERSION = 2\\n')\n"
    worker.write_text(before + worker.read_text().replace("import task", ""))
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


def test_new_files_and_folders_written_at_once_are_seen(project: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    (project / "extra.py").write_text("")
    run.err.wait_for(r"extra\.py added → draining")
    run.out.wait_for("ready")
    deep = project / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "new.py").write_text("")
    run.err.wait_for(r"a/b/c/new\.py added → draining")
    run.out.wait_for("ready")
    (deep / "new.py").write_text("x = 1")
    run.err.wait_for(r"a/b/c/new\.py changed → draining")
    run.out.wait_for("ready")
    settle(run, project / "task.py")
    assert restarts(run) == 3
    assert run.stop() == 0


def test_deleted_and_renamed(project: Path, start: Start) -> None:
    package = project / "package"
    (package / "inner").mkdir(parents=True)
    for name in ("one.py", "two.py", "inner/three.py"):
        (package / name).write_text("")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    (package / "one.py").unlink()
    run.err.wait_for(r"package/one\.py deleted → draining")
    run.out.wait_for("ready")
    package.rename(project / "renamed")
    run.err.wait_for(r"package/inner/three\.py, .* and 1 more changed → draining")
    run.out.wait_for("ready")
    (project / "renamed" / "inner" / "three.py").write_text("x = 1")
    run.err.wait_for(r"renamed/inner/three\.py changed → draining")
    run.out.wait_for("ready")
    shutil.rmtree(project / "renamed")
    run.err.wait_for(r"renamed/.*deleted → draining")
    run.out.wait_for("ready")
    settle(run, project / "task.py")
    assert restarts(run) == 4
    assert run.stop() == 0


def test_a_module_that_becomes_a_package_is_told_as_that(project: Path, start: Start) -> None:
    module, package = project / "shop.py", project / "shop"
    module.write_text("PRICE = 1\n")
    run = start("--debounce", "1s", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    outside = project.parent / "shop"
    outside.mkdir()
    (outside / "__init__.py").write_text("PRICE = 1\n")
    module.unlink()
    outside.rename(package)
    run.err.wait_for(r"shop\.py → shop/ → draining")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_a_folder_moved_in_from_elsewhere(
    project: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "package"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "module.py").write_text("")
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    outside.rename(project / "package")
    run.err.wait_for(r"package/deep/module\.py added → draining")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_a_file_that_is_emptied_before_it_is_written_is_one_restart(project: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "")
    run.err.wait_for(r"task\.py is empty → waiting for at most 2 s")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    settle(run, project / "worker.py")
    assert restarts(run) == 1
    # Whoever empties it for good gets that.
    save(project / "task.py", "")
    run.err.wait_for(r"task\.py changed → draining")
    run.err.wait_for("crashed")
    assert run.stop() == 0


def test_a_file_that_grows_is_waited_for(project: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    with (project / "task.py").open("w") as file:
        for version in range(2, 5):
            print(f"VERSION = {version}", file=file, flush=True)
            if version == 2:
                run.err.wait_for("task.py is being written → waiting for at most 2 s")
    run.out.wait_for("ready 4")
    settle(run, project / "worker.py")
    assert restarts(run) == 1
    assert run.stop() == 0


def test_a_file_that_is_held_open_is_not_waited_for_again_and_again(project: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    with (project / "task.py").open("w") as file:
        for version in range(2, 5):
            file.seek(0)
            print(f"VERSION = {version}", file=file, flush=True)
            run.out.wait_for(f"ready {version}")
    assert run.err.text.count("is being written") == 1
    assert run.stop() == 0


def test_a_file_that_grows_between_its_writers_is_waited_for(project: Path, start: Start) -> None:
    """Each piece is appended by somebody who closes the file."""
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    for version in range(2, 5):
        with (project / "task.py").open("a") as file:
            print(f"VERSION = {version}", file=file)
        run.err.wait_for("draining" if version == 2 else "growing → waiting" if version == 3 else "")
    run.out.wait_for("ready 4")
    assert run.stop() == 0
    assert restarts(run) <= 2


def test_an_imported_package_that_is_gone_for_a_moment_is_no_restart(project: Path, start: Start) -> None:
    package = project / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("PRICE = 1\n")
    (project / "task.py").write_text("import shop\nVERSION = 1\n")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    run.err.wait_for("the content of .* is known")
    package.rename(project.parent / "shop away")
    run.err.wait_for(r"shop/__init__\.py is gone with its folder → waiting for at most 2 s")
    (project.parent / "shop away").rename(package)
    settle(run, project / "worker.py")
    assert restarts(run) == 0
    # Renamed, nobody waits for it: it is not on its way back.
    (project / "task.py").write_text("VERSION = 2\n")
    package.rename(project / "store")
    run.out.wait_for("ready 2")
    assert len(re.findall("is gone with its folder", run.err.text)) == 1
    assert run.stop() == 0


def test_a_thousand_files_at_once_are_one_restart(project: Path, start: Start) -> None:
    many = project / "many"
    for folder in range(20):
        (many / f"f{folder}").mkdir(parents=True)
        for number in range(50):
            (many / f"f{folder}" / f"m{number}.py").write_text("")
    run = start("-v", "--debounce", "1s", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for(r"watching \. \(1,002 files")
    for path in many.rglob("*.py"):
        path.write_text("x = 1")
    run.err.wait_for(r"m10\.py and 997 more changed → draining")
    run.out.wait_for("ready")
    settle(run, project / "task.py")
    assert restarts(run) == 1
    assert run.stop() == 0


def test_of_twenty_saves_in_two_seconds_the_last_version_runs(project: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    pause = threading.Event()
    for version in range(2, 22):
        save(project / "task.py", f"VERSION = {version}\n")
        pause.wait(0.1)
    run.out.wait_for("ready 21")
    settle(run, project / "task.py")
    assert "ready 21" in run.out.text.strip().splitlines()[-1]
    assert run.stop() == 0


SLOW_TO_STOP = """
import os, pathlib, signal, sys, time, task
def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    while not pathlib.Path("release").exists():
        time.sleep(0.01)
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
print("ready", task.VERSION, flush=True)
while True:
    time.sleep(60)
"""


def test_a_change_during_the_drain_is_part_of_the_same_restart(project: Path, start: Start) -> None:
    (project / "worker.py").write_text(SLOW_TO_STOP)
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    save(project / "task.py", "VERSION = 3\n")
    (project / "other.py").write_text("")
    run.err.wait_for(r"other\.py added as well")
    (project / "release").touch()
    run.out.wait_for("ready 3")
    settle(run, project / "task.py")
    assert run.out.text.count("got SIGINT") == 1
    assert run.out.text.count("ready") == 2
    assert run.stop() == 0


SLOW_TO_START = """
import os, pathlib, signal, sys, time, task
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("importing", task.VERSION, flush=True)
while not pathlib.Path("proceed").exists():
    time.sleep(0.01)
print("ready", task.VERSION, flush=True)
while True:
    time.sleep(60)
"""


def test_a_change_during_the_start_starts_again(project: Path, start: Start) -> None:
    (project / "worker.py").write_text(SLOW_TO_START)
    run = start("-v", "--ready", "ready", "--", PYTHON, "worker.py")
    run.out.wait_for("importing 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("importing 2")
    (project / "proceed").touch()
    run.out.wait_for("ready 2")
    settle(run, project / "task.py")
    assert "ready 1" not in run.out.text
    assert run.out.text.count("ready 2") == 1
    assert run.stop() == 0


def test_saves_of_the_same_size_within_a_second_run(project: Path, start: Start) -> None:
    task = project / "task.py"
    second = 1_700_000_000_000_000_000
    os.utime(task, ns=(second, second))
    run = start("--", PYTHON, "worker.py", env={"PYTHONDONTWRITEBYTECODE": ""})
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    for version in range(2, 7):
        new = project / "task.new"
        new.write_text(f"VERSION = {version}\n")
        os.utime(new, ns=(second, second + version * 1_000_000))
        new.replace(task)
        run.out.wait_for(f"ready {version}")
        assert list((project / "__pycache__").glob("task.*.pyc")), "nothing was cached: this proves nothing"
    assert run.stop() == 0


def test_what_is_ignored_neither_restarts_nor_is_entered(project: Path, start: Start) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("/generated/\n*.local.py\n")
    (project / "nested").mkdir()
    (project / "nested" / ".gitignore").write_text("secret.py\n")
    ignored = [
        "node_modules/a/x.py",
        "generated/x.py",
        "a.local.py",
        "nested/secret.py",
        "x.log",
        "README.md",
    ]
    ignored += [".venv/pyvenv.cfg", ".venv/lib/x.py", "__pycache__/x.py", "mine/x.py", ".hidden.py.swp"]
    for name in ignored:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("1")
    run = start("-v", "-i", "mine/", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for(r"watching \. \(2 files in 2 folders\)")
    for name in ignored:
        (project / name).write_text("changed")
    settle(run, project / "task.py")
    assert restarts(run) == 0
    (project / "nested" / "counts.py").write_text("")
    run.err.wait_for(r"nested/counts\.py added → draining")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_options_that_choose_files(project: Path, start: Start) -> None:
    (project / "src").mkdir()
    (project / "generated").mkdir()
    (project / ".gitignore").write_text("generated/\n")
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "settings.conf").write_text("")
    arguments = [
        "-w",
        "src",
        "-w",
        "settings.conf",
        "-w",
        "generated",
        "--include",
        "*.proto",
        "--ignore",
        "x*",
    ]
    run = start("-v", *arguments, "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching src, settings.conf, generated")
    (project / "task.py").write_text("VERSION = 2\n")
    (project / "src" / "xx.py").write_text("")
    (project / "src" / "a.txt").write_text("")
    (project / "src" / "a.proto").write_text("")
    run.err.wait_for(r"src/a\.proto added → draining")
    run.out.wait_for("ready")
    (project / "settings.conf").write_text("a")
    run.err.wait_for(r"settings\.conf changed → draining")
    run.out.wait_for("ready")
    (project / "generated" / "g.py").write_text("")
    run.err.wait_for(r"generated/g\.py added → draining")
    run.out.wait_for("ready")
    settle(run, project / "settings.conf")
    assert restarts(run) == 3
    assert run.stop() == 0


def test_without_gitignore_its_rules_do_not_hold(project: Path, start: Start) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("task.py\n")
    run = start("--no-gitignore", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


def test_a_changed_gitignore_changes_the_rules_and_restarts_nothing(project: Path, start: Start) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "old.py").write_text("")
    (project / ".gitignore").write_text("old.py\n")
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    (project / ".gitignore").write_text("new.py\n")
    settle(run, project / "worker.py")
    save(project / "new.py", "VERSION = 2\n")
    settle(run, project / "worker.py")
    assert restarts(run) == 0
    (project / "old.py").write_text("x = 1")
    run.err.wait_for(r"old\.py changed → draining")
    run.out.wait_for("ready 1")
    assert run.stop() == 0


def test_any_other_command_counts_every_file(project: Path, start: Start) -> None:
    (project / "run.sh").write_text(
        "#!/bin/sh\ntrap 'echo got TERM; exit 0' TERM\necho ready $(cat data)\nsleep 100 & wait\n"
    )
    (project / "run.sh").chmod(0o755)
    (project / "data").write_text("one")
    run = start("--", "./run.sh")
    run.out.wait_for("ready one")
    run.err.wait_for("watching")
    (project / "data").write_text("two")
    run.err.wait_for("data changed → draining run")
    run.out.wait_for("got TERM")
    run.out.wait_for("ready two")
    assert run.stop() == 0


@pytest.mark.parametrize(
    "name",
    [
        b"with space",
        b"with\nnewline",
        "ünïcode 漢字".encode(),
        b"not-utf8-\xff\xfe",
        b"-dash",
        b"$HOME 'quoted\" *",
    ],
)
def test_paths_of_any_bytes(tmp_path: Path, start: Start, project: Path, name: bytes) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"root " + name)
    os.makedirs(os.path.join(folder, name))
    for copied in ("worker.py", "task.py"):
        shutil.copy(os.fsencode(project / copied), os.path.join(folder, os.fsencode(copied)))
    target = os.path.join(folder, name, name + b".py")
    with open(target, "w") as file:
        file.write("x = 1")
    run = start("-v", "--", PYTHON, "worker.py", folder=folder)
    run.out.wait_for("ready")
    run.err.wait_for(r"watching \. \(3 files in 2 folders\)")
    with open(target, "w") as file:
        file.write("x = 22")
    run.err.wait_for(r"\.py changed → draining")
    run.out.wait_for("ready")
    assert b"\xff" not in bytes(run.err.data)
    os.mkdir(os.path.join(folder, b"2" + name))
    with open(os.path.join(folder, b"2" + name, b"n" + name + b".py"), "w") as file:
        file.write("x = 22")
    run.err.wait_for(r"\.py added → draining")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_a_root_that_goes_and_comes_back(project: Path, start: Start) -> None:
    source = project / "src"
    source.mkdir()
    (source / "a.py").write_text("")
    run = start("-w", "src", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    shutil.rmtree(source)
    run.err.wait_for(r"src/a\.py deleted → draining")
    run.out.wait_for("ready")
    source.mkdir()
    (source / "b.py").write_text("")
    run.err.wait_for(r"src/b\.py added → draining")
    run.out.wait_for("ready")
    (source / "b.py").write_text("x = 1")
    run.err.wait_for(r"src/b\.py changed → draining")
    run.out.wait_for("ready")
    assert run.stop() == 0
