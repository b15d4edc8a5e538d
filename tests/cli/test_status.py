"""`reloader status`: what is told of real runs, and what those who ask can and cannot do to a run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import WORKER
from harness import COLD, LIMIT, RELOADER, Run, eventually, save, settle
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable
IMPORTS = "import json, email.message, decimal, colorsys\n"
no_warm = pytest.mark.skipif(bool(COLD), reason="no start is warm in this run of the suite")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run-time folder of the test's own; its path is short enough for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="rt", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)


def ask(folder: Path, *options: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the verb."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELOADER")}
    done = subprocess.run(
        [RELOADER, "status", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    return done.returncode, done.stdout, done.stderr


def answers(folder: Path) -> list[dict[str, Any]]:
    """What all runs there answer."""
    return [json.loads(line) for line in ask(folder, "--json")[1].splitlines()]


def is_told(folder: Path, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the only run there tells a status for which the condition holds."""
    told: list[dict[str, Any]] = []

    def holds() -> object:
        told[:] = answers(folder)
        return len(told) == 1 and condition(told[0]["status"])

    eventually(holds, "such a status")
    return told[0]


def sockets(place: Path) -> list[Path]:
    return sorted((place / "reloader").glob("*.sock"))


def listens(place: Path, count: int = 1) -> Path:
    """Wait until so many runs can be asked; the socket of the first."""
    eventually(lambda: len(sockets(place)) == count, "they listen")
    return sockets(place)[0]


# --- what is told ---------------------------------------------------------------------------------


@no_warm
def test_a_start_is_cold_while_there_is_no_template_and_warm_once_there_is(
    project: Path, place: Path, start: Start
) -> None:
    (project / "worker.py").write_text(IMPORTS + WORKER)
    run = start("-v", "-n", "shop", "--ready", "^ready", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    told = is_told(project, lambda one: one["state"] == "ready" and one["template"]["state"] == "ready")
    assert told["version"] == 1
    assert (told["name"], told["pid"], told["folder"]) == ("shop", run.process.pid, str(project))
    assert told["command"] == [PYTHON, "worker.py"]
    status = told["status"]
    (only,) = status["generations"]
    assert only["pid"] in run.workers()
    assert (only["warm"], only["cold"], only["generation"]) == (False, "no template yet", 1)
    last = status["last_start"]
    assert (last["changes"], last["drain"], last["cold"]) == ([], None, "no template yet")
    assert 0 < last["start"] <= last["total"]
    assert status["template"]["modules"] > 0
    assert (status["pending"], status["paused"]) == ([], False)

    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    told = is_told(project, lambda one: one["generation"] == 2 and one["state"] == "ready")
    (only,) = told["status"]["generations"]
    assert (only["warm"], only["cold"]) == (True, None)
    last = told["status"]["last_start"]
    assert last["changes"] == [{"path": str(project / "task.py"), "kind": "changed"}]
    assert last["warm"]
    assert last["total"] >= last["detect"] + last["drain"]
    code, out, err = ask(project)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"shop is ready, pid \d+, up for [\d.]+ s, warm, generation 2", lines[0])
    assert re.fullmatch(
        r"  last start  task\.py changed, [\d.]+ s ago: generation 2 in [\d.]+ s"
        r" \(detect [\d.]+, drain [\d.]+, start [\d.]+\), warm",
        lines[1],
    )
    assert re.fullmatch(r"  template    \d+ modules preloaded", lines[2])
    assert lines[3] == f"  reloader    pid {run.process.pid} in {project}: {PYTHON} worker.py"
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("options", "command", "why"),
    [
        (("--cold",), (PYTHON, "worker.py"), "warm starts are turned off"),
        ((), ("sh", "-c", "echo ready; sleep 600; :"), "not a Python program, as far as can be seen"),
    ],
)
def test_why_no_start_is_ever_warm_is_told(
    project: Path, place: Path, start: Start, options: tuple[str, ...], command: tuple[str, ...], why: str
) -> None:
    run = start(*options, "--", *command)
    run.out.wait_for("ready")
    status = is_told(project, lambda one: one["state"] == "ready")["status"]
    assert status["generations"][0]["cold"] == status["last_start"]["cold"] == why
    assert status["template"] == {"state": "off", "modules": None, "why": why}
    out = ask(project)[1]
    assert f", cold ({why}), generation 1\n" in out
    assert f"  template    off: {why}\n" in out


def test_two_generations_at_once_are_both_told(stubborn: Path, place: Path, start: Start) -> None:
    run = start("-v", "--overlap", "--ready", "^ready", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.err.wait_for("is at work → draining")
    status = is_told(stubborn, lambda one: one["generation"] == 2 and one["state"] == "ready")["status"]
    newer, older = status["generations"]
    assert (newer["generation"], newer["state"]) == (2, "ready")
    assert (older["generation"], older["state"]) == (1, "draining")
    assert {newer["pid"], older["pid"]} <= set(run.workers())
    assert re.search(r"generation 2, worker\.1 is draining, pid \d+, up for", ask(stubborn)[1])
    (stubborn / "release").touch()
    run.stop()


def test_a_drain_and_the_start_that_is_due_are_told(stubborn: Path, place: Path, start: Start) -> None:
    run = start("-v", "--ready", "^ready", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(stubborn / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    status = is_told(stubborn, lambda one: one["state"] == "draining")["status"]
    assert [one["state"] for one in status["generations"]] == ["draining"]
    (waits,) = (one for one in status["pending"] if one["waits_for"] == "start")
    assert [one["path"] for one in waits["changes"]] == [str(stubborn / "task.py")]
    assert "task.py changed, so a start is due" in ask(stubborn)[1]
    (stubborn / "release").touch()
    run.out.wait_for("ready")
    run.stop()


def test_broken_code_that_is_held_back_is_told(project: Path, place: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = (\n")
    run.err.wait_for("cannot be compiled")
    status = is_told(project, lambda one: one["pending"])["status"]
    assert [one["waits_for"] for one in status["pending"]] == ["mend"]
    assert "task.py changed and held back: the code is broken" in ask(project)[1]
    save(project / "task.py", "VERSION = 1\n")
    is_told(project, lambda one: not one["pending"])


def test_a_crash_is_told(project: Path, place: Path, start: Start) -> None:
    (project / "worker.py").write_text("raise SystemExit(3)\n")
    run = start("--", PYTHON, "worker.py")
    run.err.wait_for("waiting for a change")
    status = is_told(project, lambda one: one["state"] == "exited")["status"]
    assert status["generations"] == []
    assert ask(project)[1].startswith("worker is exited, generation 1\n")


def test_the_key_tells_the_same_line(project: Path, place: Path) -> None:
    terminal = Terminal(project, "--cold", "--", PYTHON, "worker.py")
    try:
        terminal.screen.wait_for("ready 1")
        is_told(project, lambda one: one["state"] == "ready")
        os.write(terminal.fd, b"s")
        terminal.screen.wait_for(r"up for .* s, cold \(warm starts are turned off\),")
        os.write(terminal.fd, b"p")
        assert is_told(project, lambda one: one["paused"])
        os.write(terminal.fd, b"q")
        terminal.process.wait(LIMIT)
        terminal.nothing_is_left()
    finally:
        terminal.close()
        terminal.hang_up()


# --- which runs -----------------------------------------------------------------------------------


def test_all_runs_of_a_folder_are_told_from_below_too(project: Path, place: Path, start: Start) -> None:
    runs = [start("-n", name, "--", PYTHON, "worker.py") for name in ("one", "two")]
    listens(place, 2)
    below = project / "app" / "part"
    below.mkdir(parents=True)
    eventually(lambda: len(answers(below)) == 2, "both answer")
    assert [one["name"] for one in answers(below)] == ["one", "two"]
    assert {one["pid"] for one in answers(below)} == {run.process.pid for run in runs}
    code, out, _ = ask(below)
    assert code == 0
    assert re.search(r"^one is .*\n(  .*\n)+two is ", out)
    for run in runs:
        assert run.stop() == 0
    assert sockets(place) == []


def test_where_none_runs_that_is_said(tmp_path: Path, place: Path) -> None:
    assert ask(tmp_path) == (
        1,
        "",
        f"reloader: no reloader runs in {tmp_path}, nor in a folder above it\n"
        "hint: call it where reloader was started; a run with -v tells why it cannot be asked\n",
    )
    assert ask(tmp_path, "--json")[:2] == (1, "")
    code, _, err = ask(tmp_path, "--jsno")
    assert code == 2
    assert "No such option" in err


def test_what_a_killed_run_has_left_is_removed(project: Path, place: Path, start: Start) -> None:
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    listens(place)
    run.kill()
    assert len(sockets(place)) == 1
    assert ask(project)[0] == 1
    assert sockets(place) == []
    run.nothing_is_left()


def test_a_run_removes_what_those_of_other_projects_have_left(
    project: Path, place: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    killed = start("--", "sleep", "600", folder=other)
    listens(place)
    killed.kill()
    killed.nothing_is_left()
    run = start("--", PYTHON, "worker.py")
    is_told(project, lambda one: one["state"] == "ready")
    assert len(sockets(place)) == 1
    run.stop()


def test_a_stopped_run_does_not_hold_up_who_asks(project: Path, place: Path, start: Start) -> None:
    run = start("--", PYTHON, "worker.py")
    listens(place)
    os.kill(run.process.pid, signal.SIGSTOP)
    try:
        code, out, err = ask(project)
    finally:
        os.kill(run.process.pid, signal.SIGCONT)
    assert (code, out) == (1, "")
    assert err == f"reloader: a run (pid {run.process.pid}) does not answer; is it stopped?\n"
    is_told(project, lambda one: one["state"] == "ready")


# --- who may ask ----------------------------------------------------------------------------------


def test_nobody_else_can_reach_it(project: Path, place: Path, start: Start) -> None:
    run = start("--", PYTHON, "worker.py", preexec=lambda: os.umask(0) and None)
    path = listens(place)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    run.stop()


def _foreign(place: Path) -> None:
    (place / "reloader").mkdir(mode=0o700)
    os.chown(place / "reloader", 12345, -1)


def _open(place: Path) -> None:
    (place / "reloader").mkdir()
    (place / "reloader").chmod(0o777)


def _link(place: Path) -> None:
    (place / "elsewhere").mkdir(mode=0o700)
    (place / "reloader").symlink_to(place / "elsewhere")


def _file(place: Path) -> None:
    (place / "reloader").touch()


UNFIT = {
    "somebody else's": (_foreign, "it belongs to somebody else"),
    "open to others": (_open, "others can enter it"),
    "a link": (_link, "not a directory"),
    "a file": (_file, "not a directory"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_folder_that_is_not_ours_alone_is_not_used(
    project: Path, place: Path, start: Start, case: str
) -> None:
    make, why = UNFIT[case]
    if make is _foreign and os.geteuid():
        pytest.skip("only root can give a folder away")
    make(place)
    run = start("-v", "--", PYTHON, "worker.py")
    # These two come in any order.
    told = f"reloader status will not find this run: {place}/reloader: {why}"
    eventually(lambda: told in run.err.text and "watching" in run.err.text, "told, and watching")
    run.out.wait_for("ready 1")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    code, out, err = ask(project)
    assert (code, out) == (1, "")
    assert err == (
        f"reloader: cannot look for runs in {place}/reloader: {why}\n"
        f"hint: ls -ld {place}/reloader; it must be yours, and closed to others\n"
    )
    assert run.stop() == 0


def test_a_path_that_is_too_long_for_a_socket_stops_nothing(
    project: Path, place: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = place / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    run = start("-v", "--", PYTHON, "worker.py")
    run.err.wait_for("reloader status will not find this run: .*too long")
    run.out.wait_for("ready 1")
    assert run.stop() == 0
    quiet = start("--", PYTHON, "worker.py")
    quiet.out.wait_for("ready 1")
    assert quiet.stop() == 0
    assert "will not find" not in quiet.err.text


def test_without_a_folder_of_the_system_there_is_one_below_the_temporary_one(
    project: Path, place: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(place))
    run = start("--", PYTHON, "worker.py")
    is_told(project, lambda one: one["state"] == "ready")
    (folder,) = place.glob("reloader-*")
    assert folder.name == f"reloader-{os.geteuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    run.stop()


# --- what those who ask can do --------------------------------------------------------------------


def speak(path: Path, data: bytes) -> bytes:
    """Say this and read what comes until the end."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(LIMIT)
        asking.connect(str(path))
        asking.sendall(data)
        found = b""
        while data := asking.recv(1 << 16):
            found += data
        return found


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\xff\x00garbage\n", "that is no JSON"),
        (b"[]\n", "that is no JSON object"),
        (b"[" * 4000 + b"\n", "that is no JSON"),
        (b'{"verb": "status"}\n', "another version is spoken here: 1"),
        (b'{"version": 2, "verb": "status"}\n', "another version is spoken here: 1"),
        (b'{"version": 1, "verb": "dance"}\n', "unknown verb; this version knows status"),
        (b'{"version": 1, "verb": []}\n', "unknown verb; this version knows status"),
        (b"x" * 4096, "that is too long for a request"),
    ],
)
def test_what_is_no_request_is_refused_and_costs_nothing(
    project: Path, place: Path, start: Start, said: bytes, why: str
) -> None:
    run = start("--", PYTHON, "worker.py")
    found = json.loads(speak(listens(place), said))
    assert found == {"version": 1, "error": why}
    is_told(project, lambda one: one["state"] == "ready")
    assert run.stop() == 0


def _switches(pid: int) -> int:
    found = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        status = (thread / "status").read_text().splitlines()
        if status[0].endswith("reloader-control") or thread.name == str(pid):
            found += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return found


def test_who_says_nothing_holds_up_nobody(project: Path, place: Path, start: Start) -> None:
    """Nor does one who asks and reads no answer, nor many of them."""
    run = start("-v", "--", PYTHON, "worker.py")
    path = listens(place)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    request = b'{"version": 1, "verb": "status"}\n'
    asking = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    try:
        for number, one in enumerate(asking):
            one.settimeout(LIMIT)
            one.connect(str(path))
            if number % 2:
                one.sendall(request * 3)
        is_told(project, lambda one: one["state"] == "ready")
        # The oldest had to make room.
        assert asking[0].recv(1) == b""
        held = [os.readlink(fd) for fd in Path(f"/proc/{run.process.pid}/fd").iterdir() if fd.is_symlink()]
        assert sum(link.startswith("socket:") for link in held) < 40
        settle(run, project / "task.py")
        save(project / "task.py", "VERSION = 2\n")
        run.out.wait_for("ready 2")
        # All three answers come to one who reads them late.
        answered = b""
        while answered.count(b"\n") < 3:
            data = asking[-1].recv(1 << 16)
            assert data
            answered += data
        assert run.stop() == 0
    finally:
        for one in asking:
            one.close()


def test_no_descriptor_of_it_reaches_the_worker(project: Path, place: Path, start: Start) -> None:
    run = start("-v", "--", PYTHON, "worker.py")
    path = listens(place)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        save(project / "task.py", "VERSION = 2\n")
        worker = int(run.out.wait_for(r"ready 2 pid (\d+)")[1])
        links = [os.readlink(fd) for fd in Path(f"/proc/{worker}/fd").iterdir()]
        assert not [link for link in links if link.startswith("socket:")]
    assert run.stop() == 0
