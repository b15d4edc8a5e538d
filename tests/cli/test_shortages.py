"""The machine is short of something, or refuses it: told and survived, and tried again."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from families import write_family
from harness import Run, eventually, save
from processes import identify
from refusing import Refusing

Start = Callable[..., Run]
PYTHON = sys.executable


@pytest.fixture
def refusing() -> Iterator[Callable[[str], Refusing]]:
    """Refuse or hold a system call of the run."""
    made: list[Refusing] = []

    def make(call: str) -> Refusing:
        made.append(Refusing(call))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- processes and memory -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.EAGAIN, r"no more processes are allowed \(ulimit -u\)"),
        (errno.ENOMEM, "there is not enough memory"),
    ],
)
def test_a_fork_that_fails(
    stubborn: Path, start: Start, refusing: Callable[[str], Refusing], error: int, words: str
) -> None:
    """Seen to fail with a guard that does not catch it, and without the words for it."""
    fork = refusing("fork")
    run = start("--", PYTHON, "worker.py", preexec=fork.preexec)
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    fork.refuse(error)
    (stubborn / "release").touch()
    run.err.wait_for(f"cannot run .*: {words} → waiting for a change")
    assert fork.asked.is_set()
    fork.refuse(0)
    save(stubborn / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready")
    assert run.stop() == 0


@pytest.fixture
def allowance() -> Iterator[Path]:
    """A control group that counts processes."""
    for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        folder = Path(root, f"reloader-test-{os.getpid()}")
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / "pids.max").exists():
            break
        folder.rmdir()
    else:
        pytest.skip("there is no control group for us that counts processes")
    yield folder
    # Whoever is in it is on the way out.
    eventually(lambda: not (folder / "cgroup.procs").read_text(), "the control group is empty")
    folder.rmdir()


@pytest.mark.parametrize("most", [1, 2], ids=["no guard", "no worker"])
def test_no_more_processes_are_allowed(allowance: Path, stubborn: Path, start: Start, most: int) -> None:
    """By a real limit, for a guard or its worker.

    Seen to fail with a guard that does not catch it, and without the words for it.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    (allowance / "cgroup.procs").write_text(str(run.forkserver()))
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    (allowance / "pids.max").write_text(str(most))
    (stubborn / "release").touch()
    run.err.wait_for(r"cannot run .*: no more processes are allowed \(ulimit -u\) → waiting for a change")
    (allowance / "pids.max").write_text("max")
    save(stubborn / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready")
    assert run.stop() == 0


# --- descriptors ----------------------------------------------------------------------------------


def test_too_many_open_files(stubborn: Path, start: Start) -> None:
    """Seen to fail without the failure told as an event: the whole run ended."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    limits = resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    (stubborn / "release").touch()
    run.err.wait_for(r"cannot run .*too many open files \(ulimit -n\) → waiting for a change")
    resource.prlimit(run.process.pid, resource.RLIMIT_NOFILE, limits)
    save(stubborn / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_more_processes_are_killed_than_files_may_be_open(project: Path, start: Start) -> None:
    """Seen to fail with a guard that kills once and not until nothing is left."""
    many = """
for _ in range(60):
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(600)
signal.signal(signal.SIGINT, lambda *_: print("got SIGINT", flush=True))
"""
    write_family(project, many)

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    run = start("-t", "300ms", "--", PYTHON, "worker.py", preexec=few_files)
    run.out.wait_for("ready 1")
    assert run.stop() == 1
    run.err.wait_for("SIGKILL to its whole process tree")
    assert "survived SIGKILL" not in run.err.text
    assert "guard was killed" not in run.err.text
    assert "Traceback" not in run.err.text


# --- disk -----------------------------------------------------------------------------------------


def tiny_disk(folder: Path) -> list[str]:
    """Run a command with a file system of its own at `folder`, of a single page."""
    launcher = ["unshare", "--mount"]
    if os.geteuid() != 0:
        launcher += ["--user", "--map-root-user"]
    script = 'mount -t tmpfs -o size=4k none "$0" && exec "$@"'
    launcher += ["sh", "-c", script, str(folder)]
    folder.mkdir()
    if shutil.which("unshare") is None or subprocess.run([*launcher, "true"], capture_output=True).returncode:
        pytest.skip("mounts are not allowed here")
    return launcher


def test_the_disk_is_full_for_what_a_check_prints(project: Path, start: Start, tmp_path: Path) -> None:
    """Seen to fail with a temporary file: the check could not print, and so held the code back."""
    disk = tmp_path / "disk"
    launcher = tiny_disk(disk)
    write_family(project, "")
    check = "echo what the check says && test ! -e fault"
    arguments = ("--check", check, "--", PYTHON, "worker.py")
    run = start(*arguments, launcher=launcher, env={"TMPDIR": str(disk)})
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    with pytest.raises(OSError, match="No space left"):
        Path(f"/proc/{run.process.pid}/root{disk}/full").write_bytes(b"x" * 8192)
    save(project / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready 3")
    (project / "fault").touch()
    save(project / "task.py", "VERSION = 4\n")
    run.err.wait_for(r"reloader \| what the check says\n.*exit status 1")
    assert run.stop() == 0


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies", [False, True], ids=["drain", "drain without a supervisor"])
def test_a_drain_without_a_limit(stubborn: Path, start: Start, dies: bool) -> None:
    """It outlives what the stop timeout would be, and what it is without this option.

    It outlives what the stop timeout would be without this option.

    Seen to fail with the default timeout in its place, and with a stop signal to the whole group.
    """
    run = start("--stop-timeout", "none", "--", PYTHON, "worker.py")
    leader, child = map(int, run.out.wait_for(r"ready (\d+) (\d+)").groups())
    if dies:
        run.kill()
        run.err.wait_for(r"draining worker \(pid \d+\) for as long as it takes")
    else:
        run.send(signal.SIGTERM)
    run.out.wait_for("got SIGINT")
    over = time.monotonic() + 10.5
    eventually(lambda: time.monotonic() > over, "the default stop timeout would be over")
    assert identify(leader) is not None
    assert identify(child) is not None
    (stubborn / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()
    assert run.wait() == (-signal.SIGKILL if dies else 0)
    assert run.out.text.count("got") == 1
    assert "SIGKILL" not in run.err.text


# --- output ---------------------------------------------------------------------------------------

PRINTS = """
import os, signal, sys, time
import task

def stop(number, frame):
    open("stopped", "a").write("x")
    sys.exit(0)

signal.signal(signal.SIGINT, stop)
open("begun", "a").write("x")
last = None
while True:
    words = open("words").read() if os.path.exists("words") else ""
    if words != last:
        last = words
        print(words, file=sys.stderr if os.path.exists("to-stderr") else sys.stdout, flush=True)
    time.sleep(0.02)
"""


def say(folder: Path, words: str) -> None:
    """Let the worker print."""
    (folder / "unsaid").write_text(words)
    (folder / "unsaid").replace(folder / "words")


@pytest.mark.parametrize("stream", ["output", "error"])
def test_the_disk_is_full_for_what_is_shown(project: Path, start: Start, tmp_path: Path, stream: str) -> None:
    """Told once, on the other stream; the worker goes on, and is shown again once there is room.

    Seen to fail with every error of a write taken for a fault of ours, which ended the run.
    """
    disk = tmp_path / "disk"
    launcher = [*tiny_disk(disk), "sh", "-c", f'exec "$@" {2 if stream == "error" else 1}>>{disk}/log', "sh"]
    (project / "worker.py").write_text(PRINTS)
    if stream == "error":
        (project / "to-stderr").touch()
    run = start("--", PYTHON, "worker.py", launcher=launcher)
    other = run.err if stream == "output" else run.out
    eventually((project / "begun").exists, "the worker has begun")
    say(project, "a long line " * 1000)
    other.wait_for(f"reloader.* cannot write to standard {stream}: no space left on device; worker goes on")
    say(project, "lost")
    log = Path(f"/proc/{run.process.pid}/root{disk}/log")
    assert len(log.read_bytes()) == 4096
    save(project / "task.py", "VERSION = 2\n")
    eventually(lambda: (project / "begun").read_text() == "xx", "the next generation has begun")
    os.truncate(log, 0)

    def is_back() -> bool:
        say(project, f"room {time.monotonic()}")
        return "room" in log.read_text()

    eventually(is_back, "what is printed is shown again")
    # What was cut is not gone on with.
    assert log.read_text().startswith("\n")
    told: Callable[[], str] = log.read_text if stream == "error" else lambda: run.err.text
    again = rf"standard {stream} can be written to again; [\d,]+ bytes were lost"
    eventually(lambda: re.search(again, told()), "it is told that it can be written to again")
    assert run.stop() == 0
    assert other.text.count("cannot write") == 1


def test_the_terminal_has_broken(project: Path, start: Start) -> None:
    """It was hung up, and no SIGHUP came: the worker goes on.

    Seen to fail with EIO taken for a reader that is gone, which ends the run.
    """
    (project / "worker.py").write_text(PRINTS)
    ours, theirs = os.openpty()
    launcher = ["sh", "-c", f'exec "$@" >{os.ttyname(theirs)}', "sh"]
    run = start("--", PYTHON, "worker.py", launcher=launcher)
    run.err.wait_for("watching")
    os.close(theirs)
    os.close(ours)
    say(project, "nobody sees it")
    run.err.wait_for(r"cannot write to standard output: input/output error; worker goes on")
    save(project / "task.py", "VERSION = 2\n")
    eventually(lambda: (project / "begun").read_text() == "xx", "the next generation has begun")
    assert (project / "stopped").read_text() == "x"
    assert run.stop() == 0
