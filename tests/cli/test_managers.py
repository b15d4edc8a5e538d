"""Started and ended by others: an init, nohup, process managers, systemd, cron."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import container, first_process, zombies_below
from families import FAMILIES, write_family
from harness import LIMIT, RELOADER, Run, Stream, between_presses, eventually, nothing_is_left, save
from processes import ProcessTable

Start = Callable[..., Run]
PYTHON = sys.executable


# --- behind an init -------------------------------------------------------------------------------


def behind_tini() -> list[str]:
    """tini as the first process of a container."""
    tini = shutil.which("tini")
    if tini is None:
        pytest.skip("tini is not installed")
    return container(tini, "--")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_behind_tini_it_drains(project: Path, start: Start, number: int) -> None:
    """Seen to fail without handlers, with a guard that collects leaders alone, and with an end that does not
    wait for the tree.
    """
    orphans = "for _ in range(20): os.system('(sleep 0.01 &)')\n"
    write_family(project, FAMILIES["daemon"] + orphans)
    run = start("--", PYTHON, "worker.py", launcher=behind_tini())
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    init = first_process(run)
    eventually(lambda: zombies_below(init) == 0, "every orphan is collected")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for(r"still there: \[\] of 2")
    run.out.wait_for("ready 2")
    os.kill(init, number)
    run.out.wait_for("got SIGINT")
    run.out.wait_for("finished")
    assert run.wait() == 0
    assert run.out.text.count("got") == 2
    assert run.err.text.count("ending what worker left behind") == 2


def test_behind_tini_it_dies_by_the_signal_that_forces_it(stubborn: Path, start: Start) -> None:
    """Seen to fail without handlers, and with a second signal that is ignored."""
    run = start("--", PYTHON, "worker.py", launcher=behind_tini())
    run.out.wait_for("ready")
    init = first_process(run)
    os.kill(init, signal.SIGTERM)
    run.out.wait_for("got SIGINT")
    between_presses()
    os.kill(init, signal.SIGTERM)
    assert run.wait() == 128 + signal.SIGTERM
    assert "drained" not in run.out.text


# --- without a terminal ---------------------------------------------------------------------------


def test_below_nohup_a_hangup_is_not_heard_by_us_alone(project: Path, start: Start) -> None:
    """It is ignored as nohup wants it, and the worker hears it all the same where it is its stop signal.

    Seen to fail with dispositions that are not reset for the worker, and with a hangup that is heard though
    it was ignored.
    """
    write_family(project, "signal.signal(signal.SIGHUP, stop)\nprint(before, flush=True)\n")
    code = (project / "worker.py").read_text()
    asked = "import signal\nbefore = f'found {signal.getsignal(signal.SIGHUP)!r}'\n"
    (project / "worker.py").write_text(asked + code)
    run = start("--stop-signal", "hup", "--", PYTHON, "worker.py", launcher=["nohup"])
    run.out.wait_for("found <Handlers.SIG_DFL: 0>")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    run.send(signal.SIGHUP)
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGHUP")
    run.out.wait_for("ready 2")
    assert run.stop(signal.SIGTERM) == 0
    assert run.out.text.count("got SIGHUP") == 2


def test_without_a_terminal_and_with_standard_input_closed(project: Path, start: Start) -> None:
    """As from cron.

    Seen to fail with a standard input that stays closed: what was opened next became the worker's.
    """
    code = (project / "worker.py").read_text()
    asked = "import os\nprint('reads from', os.readlink('/proc/self/fd/0'), flush=True)\n"
    (project / "worker.py").write_text(asked + code)
    launcher = ["setsid", "sh", "-c", 'exec "$@" <&-', "sh"]
    run = start("--", PYTHON, "worker.py", launcher=launcher)
    run.out.wait_for("reads from /dev/null")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


# --- process managers -----------------------------------------------------------------------------

# The program in a group of its own, or its own group; told to end, SIGTERM to that, and SIGKILL after a while.
MANAGER = """
import os, signal, subprocess, sys, threading, time
patience, place, *command = sys.argv[1:]
told = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: told.set())
output = subprocess.PIPE
child = subprocess.Popen(
    ["/bin/sh", "-c", "exec " + " ".join(command)], stdout=output, stderr=output, start_new_session=place == "own"
)
def show(pipe):
    for line in pipe:
        os.write(1, line)
for pipe in (child.stdout, child.stderr):
    threading.Thread(target=show, args=(pipe,), daemon=True).start()
while not told.is_set():
    told.wait(0.05)
(os.killpg if place == "own" else os.kill)(child.pid, signal.SIGTERM)
print("sent SIGTERM", flush=True)
try:
    child.wait(float(patience))
except subprocess.TimeoutExpired:
    os.killpg(child.pid, signal.SIGKILL)
child.wait()
"""


class Managed:
    """A process manager and what it shows."""

    def __init__(self, folder: Path, *command: str) -> None:
        mark = uuid.uuid4().hex
        self.table = ProcessTable(mark)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"MARK": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.out = Stream(on_match=self.table.look)

    def read(self) -> None:
        """Collect all that is shown, in a thread."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        self._reader = threading.Thread(target=self.out.read_from, args=(fd,), daemon=True)
        self._reader.start()

    def close(self) -> None:
        """See that nothing is left of it, and kill what a failed test has left."""
        try:
            if self.process.poll() is not None:
                nothing_is_left(self.table)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.table.kill()
            self._reader.join(LIMIT)
            assert self.process.stdout is not None
            self.process.stdout.close()


@pytest.fixture
def manage(stubborn: Path) -> Iterator[Callable[..., Managed]]:
    """Start the stubborn worker below a manager of this name, which waits so many seconds."""
    all_of_them: list[Managed] = []

    def begin(name: str, patience: float) -> Managed:
        words = f"{RELOADER} --no-prefix -- {PYTHON} worker.py"
        (stubborn / "Procfile").write_text(f"worker: exec {words}\n")
        honcho = Path(PYTHON).with_name("honcho")
        command = {
            "manager": [PYTHON, "-c", MANAGER, str(patience), "own", *words.split()],
            "manager that shares its group": [PYTHON, "-c", MANAGER, str(patience), "same", *words.split()],
            "foreman": [str(shutil.which("foreman")), "start", "--timeout", f"{patience:g}"],
            "honcho": [str(honcho), "start"],
        }[name]
        if not os.path.exists(command[0]):
            pytest.skip(f"{name} is not installed")
        one = Managed(stubborn, *command)
        one.read()
        all_of_them.append(one)
        return one

    yield begin
    for one in all_of_them:
        one.close()


@pytest.mark.parametrize("name", ["manager", "manager that shares its group", "foreman", "honcho"])
def test_below_a_manager_it_drains_once(manage: Callable[..., Managed], stubborn: Path, name: str) -> None:
    """Ctrl-C reaches all of a group, and the manager sends a signal of its own besides.

    Each was seen to fail with a stop signal to the worker's whole group; that which shares our group, and
    foreman, with a second signal that is never an echo of the first.
    """
    managed = manage(name, 60)
    managed.out.wait_for("ready")
    os.killpg(managed.process.pid, signal.SIGINT)
    # The manager and the worker in either order.
    eventually(lambda: re.search("sen[dt].* SIGTERM", managed.out.text), "the manager has sent its signal")
    managed.out.wait_for("got SIGINT")
    # Whatever signals have come by then, it drains still.
    managed.out.wait_for("still draining worker after 2 s")
    (stubborn / "release").touch()
    managed.out.wait_for("drained")
    managed.process.wait(LIMIT)
    managed.out.wait_for_end()
    assert managed.out.text.count("got SIG") == 1


@pytest.mark.parametrize("name", ["manager", "foreman"])
def test_a_manager_that_loses_its_patience(manage: Callable[..., Managed], stubborn: Path, name: str) -> None:
    """SIGKILL to our group: the guard, in a group of its own, lets the task in flight end.

    Seen to fail with a guard that ends with the supervisor; below the manager of our own, with a guard in the
    supervisor's group as well.
    """
    managed = manage(name, 1)
    managed.out.wait_for("ready")
    managed.process.send_signal(signal.SIGTERM)
    managed.out.wait_for("got SIGINT")
    # Nobody reads what the worker prints any more.
    managed.process.wait(LIMIT)
    managed.out.wait_for_end()
    assert not (stubborn / "drained").exists()
    (stubborn / "release").touch()
    eventually((stubborn / "drained").exists, "the task has ended")
    nothing_is_left(managed.table)
    assert (stubborn / "signals").read_text().split() == ["SIGINT"]


# --- systemd --------------------------------------------------------------------------------------


def kill_all(run: Run) -> None:
    """SIGKILL to every process of the unit, again and again until there is none."""

    def is_empty() -> bool:
        for pid in run.survivors():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        run.process.poll()
        return not run.survivors()

    eventually(is_empty, "all of the unit is killed")


def test_kill_mode_mixed_finds_nobody_left_to_kill(stubborn: Path, start: Start) -> None:
    """SIGTERM to the main process alone; what is there once that has ended is sent SIGKILL.

    Seen to fail without handlers, with an end that does not wait for the tree, and with a stop signal to the
    whole group.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.send(signal.SIGTERM)
    run.out.wait_for("got SIGINT")
    (stubborn / "release").touch()
    assert run.process.wait(LIMIT) == 0
    assert not run.survivors()
    run.out.wait_for("drained")
    assert run.out.text.count("got") == 1


@pytest.mark.parametrize("mode", ["mixed", "control-group"])
def test_a_unit_that_does_not_end_in_time_is_killed(stubborn: Path, start: Start, mode: str) -> None:
    """Seen to fail without handlers (mixed), and with a guard that hears SIGTERM (control-group)."""
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    for pid in run.survivors() if mode == "control-group" else [run.process.pid]:
        os.kill(pid, signal.SIGTERM)
    run.out.wait_for("got")
    run.err.wait_for("draining")
    assert run.guard() is not None
    kill_all(run)
    assert run.wait() == -signal.SIGKILL
    assert "drained" not in run.out.text


def test_when_everybody_is_told_to_end_at_once(stubborn: Path, start: Start) -> None:
    """systemd's KillMode=control-group sends SIGTERM to every process there is.

    Seen to fail with a guard that hears SIGTERM: it was gone before the drain was over.
    """
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    for pid in run.survivors():
        os.kill(pid, signal.SIGTERM)
    run.out.wait_for("got")
    (stubborn / "release").touch()
    assert run.wait() == 0
    assert "drained" in run.out.text
    assert "guard was killed" not in run.err.text
    assert not run.survivors()
