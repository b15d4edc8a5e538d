"""Generations side by side, with real processes: the new code at work while the old one still is."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import LIMIT, SLOWDOWN, Run, between_presses, eventually, save
from processes import identify
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable
READY = ("--ready", "^ready")

# Takes jobs, which are files, one at a time; each for as long as a file `hold-JOB` is there. A stop signal
# lets the job in flight end.
QUEUE = """
import os, pathlib, signal, subprocess, sys, time
import task

stopping = []
signal.signal(signal.SIGINT, lambda number, frame: (print("got SIGINT", flush=True), stopping.append(1)))

def note(text):
    with open("notes", "a") as file:
        file.write(f"{text} {task.VERSION}\\n")

task.begin()
print("ready", task.VERSION, "pid", os.getpid(), "of", os.environ["RELOADER_GENERATION"], flush=True)
while not stopping:
    for job in sorted(pathlib.Path("jobs").iterdir()):
        try:
            job.rename(pathlib.Path("taken", job.name))
        except FileNotFoundError:
            continue
        note(f"{job.name} began")
        while os.path.exists(f"hold-{job.name}"):
            time.sleep(0.01)
        note(f"{job.name} ended")
        break
    time.sleep(0.01)
print("drained", task.VERSION, flush=True)
"""
TASK = "VERSION = {}\ndef begin():\n    {}\n"


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """A folder with the consumer of jobs."""
    for folder in ("jobs", "taken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "worker.py").write_text(QUEUE)
    write(tmp_path, 1)
    return tmp_path


def write(folder: Path, version: int, begin: str = "pass") -> None:
    """Save this version of the code, which does that before it is ready."""
    save(folder / "task.py", TASK.format(version, begin))


def put(folder: Path, job: str, hold: bool = False) -> None:
    """Queue a job; one that is held lasts until it is released."""
    if hold:
        (folder / f"hold-{job}").touch()
    (folder / "jobs" / job).touch()


def release(folder: Path, job: str) -> None:
    (folder / f"hold-{job}").unlink()


def notes(folder: Path) -> list[str]:
    try:
        return (folder / "notes").read_text().splitlines()
    except FileNotFoundError:
        return []


def noted(folder: Path, text: str) -> None:
    """Wait until this was noted."""
    eventually(lambda: text in notes(folder), f"{text!r} in the notes")


def ready(run: Run, version: int, generation: int) -> int:
    """Wait until this generation is ready; its pid."""
    return int(run.out.wait_for(rf"ready {version} pid (\d+) of {generation}$")[1])


def begin(start: Start, *options: str, **given: object) -> Run:
    """A run with overlap that watches already."""
    run = start("--overlap", *READY, *options, "--", PYTHON, "worker.py", **given)
    run.err.wait_for("watching")
    return run


def overlapped(run: Run, folder: Path, job: str = "long") -> tuple[int, int]:
    """A first generation that drains, at a held job, and a second one that is at work; their pids."""
    old = ready(run, 1, 1)
    put(folder, job, hold=True)
    noted(folder, f"{job} began 1")
    write(folder, 2)
    new = ready(run, 2, 2)
    run.err.wait_for(rf"^reloader +\| worker\.2 is at work → draining worker\.1 \(pid {old}\)$")
    return old, new


def test_the_new_code_serves_after_every_save_while_the_old_is_at_its_task(queue: Path, start: Start) -> None:
    """Seen to fail without overlap."""
    run = begin(start)
    ready(run, 1, 1)
    put(queue, "long", hold=True)
    noted(queue, "long began 1")
    for version in (2, 3):
        write(queue, version)
        saved = time.monotonic()
        ready(run, version, version)
        run.err.wait_for(rf"worker\.{version} is at work → draining worker\.{version - 1}")
        if version > 2:
            # Until it hears the signal the one before takes jobs, too; the first is at its long one.
            run.out.wait_for(f"drained {version - 1}")
        put(queue, f"job-{version}")
        noted(queue, f"job-{version} ended {version}")
        assert time.monotonic() - saved < 10 * SLOWDOWN
        assert "long ended 1" not in notes(queue)
    run.err.wait_for(r"worker\.2 ended after \d\.\d\d s")
    release(queue, "long")
    run.err.wait_for(r"worker\.1 ended after \d+\.\d\d s")
    assert run.stop() == 0
    assert sorted(notes(queue)) == sorted(
        ["long began 1", "job-2 began 2", "job-2 ended 2", "job-3 began 3", "job-3 ended 3", "long ended 1"]
    )
    assert run.out.text.count("got SIGINT") == 3


def test_the_prefix_tells_generations_apart_while_there_are_two_and_no_line_is_shifted(
    queue: Path, start: Start
) -> None:
    run = begin(start)
    overlapped(run, queue)
    release(queue, "long")
    run.err.wait_for(r"worker\.1 ended")
    assert run.stop() == 0
    lines = run.out.text.splitlines()
    assert {line.index("|") for line in [*lines, *run.err.text.splitlines()]} == {len("worker.99 ")}
    assert re.match(r"worker +\| ready 1 ", lines[0])
    assert any(re.match(r"worker\.2 +\| ready 2 ", line) for line in lines)
    # Its last words may be shown when it is alone again.
    assert any(re.match(r"worker(\.1)? +\| drained 1", line) for line in lines)
    assert re.match(r"worker +\| drained 2", lines[-1])


def test_new_code_that_crashes_at_its_start_leaves_the_old_untouched_and_the_next_save_is_tried(
    queue: Path, start: Start
) -> None:
    """Seen to fail where the one at work is stopped as its successor starts."""
    run = begin(start)
    old = ready(run, 1, 1)
    write(queue, 2, "raise RuntimeError('on purpose')")
    run.err.wait_for(r"^worker\.2 +\| RuntimeError: on purpose$")
    run.err.wait_for(
        r"worker\.2 crashed at its start \(exit status 1\) → worker\.1 goes on with the last good code$"
    )
    put(queue, "job")
    noted(queue, "job ended 1")
    assert identify(old) is not None
    assert "got SIGINT" not in run.out.text
    write(queue, 3)
    ready(run, 3, 3)
    run.err.wait_for(r"worker\.1 ended")
    assert run.stop() == 0


def test_new_code_that_is_not_ready_in_time_is_ended_and_the_old_untouched(queue: Path, start: Start) -> None:
    run = begin(start, "--start-timeout", "2s")
    old = ready(run, 1, 1)
    write(queue, 2, "import time, __main__\n    while not __main__.stopping: time.sleep(0.01)")
    run.err.wait_for(
        r"worker\.2 was not ready within 2 s → draining it; worker\.1 goes on with the last good code$"
    )
    run.err.wait_for(r"worker\.2 ended after")
    assert identify(old) is not None
    put(queue, "job")
    noted(queue, "job ended 1")
    assert run.stop() == 0


def test_code_that_cannot_be_compiled_starts_nothing(queue: Path, start: Start) -> None:
    run = begin(start)
    ready(run, 1, 1)
    save(queue / "task.py", "VERSION = = 2\n")
    run.err.wait_for("task.py:1 cannot be compiled → worker goes on with the last good code")
    assert "starting worker" not in run.err.text
    write(queue, 3)
    ready(run, 3, 2)
    run.err.wait_for(r"worker\.1 ended")
    assert run.stop() == 0


def test_a_further_save_replaces_the_one_that_is_not_ready_and_not_the_one_at_work(
    queue: Path, start: Start
) -> None:
    run = begin(start)
    old = ready(run, 1, 1)
    wait = "import os, time\n    print('begins', flush=True)\n    while not os.path.exists('go'): time.sleep(0.01)"
    write(queue, 2, wait)
    run.out.wait_for("begins")
    write(queue, 3)
    run.err.wait_for(r"task\.py changed → draining worker\.2 ")
    ready(run, 3, 3)
    run.err.wait_for(rf"worker\.3 is at work → draining worker\.1 \(pid {old}\)")
    (queue / "go").touch()
    run.err.wait_for(r"worker\.2 ended")
    assert run.stop() == 0


def test_as_many_as_allowed_drain_and_the_next_restart_waits_for_one_to_end(
    queue: Path, start: Start
) -> None:
    run = begin(start, "--max-draining", "1", "-v", "--cold")
    _, second = overlapped(run, queue)
    write(queue, 3)
    run.err.wait_for(r"1 generation may drain at once → waiting for worker\.1 to end$")
    put(queue, "job")
    noted(queue, "job ended 2")
    # What is saved while it waits is what is started then.
    write(queue, 4)
    save(queue / "other.py", "")
    run.err.wait_for(r"other\.py added as well; the restart under way includes it")
    assert len(run.workers()) == 2
    assert identify(second) is not None
    release(queue, "long")
    ready(run, 4, 3)
    run.err.wait_for(r"worker\.3 ready in [\d.]+ s \(detect [\d.]+, drain [\d.]+, start [\d.]+")
    run.err.wait_for(r"worker\.2 ended")
    assert run.stop() == 0


def test_code_that_fails_its_check_starts_nothing(queue: Path, start: Start) -> None:
    run = begin(start, "--check", f"{PYTHON} -c 'import task; assert task.VERSION != 2'")
    old = ready(run, 1, 1)
    write(queue, 2)
    run.err.wait_for("failed → worker goes on with the last good code")
    assert identify(old) is not None
    assert "starting worker" not in run.err.text
    write(queue, 3)
    ready(run, 3, 2)
    run.err.wait_for(rf"worker\.2 is at work → draining worker\.1 \(pid {old}\)")
    assert run.stop() == 0


def test_all_that_drain_are_told_each_with_its_own_clock(queue: Path, start: Start) -> None:
    run = begin(start, "-t", "1h")
    overlapped(run, queue)
    put(queue, "other", hold=True)
    noted(queue, "other began 2")
    write(queue, 3)
    ready(run, 3, 3)
    limit = r"after \d+ s \(SIGKILL in \d+ s\)"
    run.err.wait_for(rf"still draining worker\.1 {limit} and worker\.2 {limit}")
    release(queue, "other")
    run.err.wait_for(r"worker\.2 ended after")
    release(queue, "long")
    run.err.wait_for(r"worker\.1 ended after")
    assert run.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_first_one_drains_both(queue: Path, start: Start, number: int) -> None:
    run = begin(start)
    overlapped(run, queue)
    run.send(number)
    run.err.wait_for(r"draining worker\.2 \(pid \d+\) for at most 10 s; Ctrl-C again kills it")
    run.err.wait_for(r"worker\.2 ended after")
    release(queue, "long")
    assert run.wait() == 0
    assert notes(queue) == ["long began 1", "long ended 1"]
    assert run.out.text.count("got SIGINT") == 2


def test_a_second_ctrl_c_kills_both(queue: Path, start: Start) -> None:
    run = begin(start)
    overlapped(run, queue)
    put(queue, "other", hold=True)
    noted(queue, "other began 2")
    run.send(signal.SIGINT)
    run.err.wait_for(r"draining worker\.2")
    between_presses()
    run.send(signal.SIGINT)
    assert run.wait() == -signal.SIGINT
    run.nothing_is_left()
    assert re.search(r"killing worker\.1", run.err.text)
    assert re.search(r"killing worker\.2", run.err.text)
    assert notes(queue) == ["long began 1", "other began 2"]


def test_an_old_one_has_its_own_stop_timeout(queue: Path, start: Start) -> None:
    run = begin(start, "-t", "1s")
    old, new = overlapped(run, queue)
    run.err.wait_for(r"worker\.1 did not end within 1 s → SIGKILL to its whole process tree")
    eventually(lambda: identify(old) is None, "the old one is killed")
    assert identify(new) is not None
    put(queue, "job")
    noted(queue, "job ended 2")
    assert run.stop() == 0


def test_when_the_supervisor_is_killed_both_guards_drain(queue: Path, start: Start) -> None:
    """Seen to fail with guards that end with the supervisor."""
    run = begin(start)
    overlapped(run, queue)
    put(queue, "other", hold=True)
    noted(queue, "other began 2")
    run.kill()
    run.err.wait_for("reloader itself was killed")
    release(queue, "long")
    release(queue, "other")
    run.nothing_is_left()
    assert sorted(notes(queue)) == ["long began 1", "long ended 1", "other began 2", "other ended 2"]
    assert run.out.text.count("got SIGINT") == 2


def parent_of(pid: int) -> int:
    """The guard of a worker, by proc(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_guard_that_is_killed_costs_its_own_generation_a_restart_and_no_other_anything(
    queue: Path, start: Start
) -> None:
    run = begin(start)
    old, new = overlapped(run, queue)
    put(queue, "other", hold=True)
    noted(queue, "other began 2")
    os.kill(parent_of(old), signal.SIGKILL)
    run.err.wait_for("the guard was killed")
    release(queue, "long")
    run.err.wait_for(r"worker\.1 ended")
    assert identify(new) is not None
    release(queue, "other")
    noted(queue, "other ended 2")
    assert run.stop() == 0


def test_when_the_guards_of_both_are_killed_neither_ends_what_the_other_is_at(
    queue: Path, start: Start
) -> None:
    """Seen to fail where all that falls to the supervisor is a leftover of whoever ends first."""
    run = begin(start)
    old, new = overlapped(run, queue)
    put(queue, "other", hold=True)
    noted(queue, "other began 2")
    for guard in (parent_of(old), parent_of(new)):
        os.kill(guard, signal.SIGKILL)
        run.err.wait_for("the guard was killed")
    ready(run, 2, 3)
    release(queue, "long")
    run.err.wait_for(r"worker\.1 ended")
    put(queue, "job")
    noted(queue, "job ended 2")
    release(queue, "other")
    run.err.wait_for(r"worker\.2 ended")
    assert "other ended 2" in notes(queue)
    assert run.stop() == 0


# --- where two are not to be ----------------------------------------------------------------------


def test_where_the_ready_line_never_comes_the_old_one_drains_first(queue: Path, start: Start) -> None:
    """Seen to fail where it does not: every new one is given up for want of the line."""
    run = start("--overlap", "--ready", "up and running", "--start-timeout", "1s", "--", PYTHON, "worker.py")
    run.err.wait_for("no line matched 'up and running' within 1 s; taken as ready")
    for version in (2, 3):
        write(queue, version)
        run.err.wait_for("no line has matched 'up and running' so far → the old one drains first")
        run.err.wait_for(rf"task\.py changed → draining worker\.{version - 1}")
        ready(run, version, version)
        run.err.wait_for("taken as ready")
        put(queue, f"job-{version}")
        noted(queue, f"job-{version} ended {version}")
    assert run.stop() == 0


@pytest.fixture
def limited() -> Iterator[Path]:
    """A control group whose memory is limited, and the file with the limit."""
    for root, limit in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ):
        folder = Path(root, f"reloader-test-{os.getpid()}")
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / limit).exists():
            break
        folder.rmdir()
    else:
        pytest.skip("there is no control group for us that limits memory")
    yield folder / limit
    # Whoever is in it is on the way out.
    eventually(lambda: not (folder / "cgroup.procs").read_text(), "the control group is empty")
    folder.rmdir()


def test_where_memory_is_short_the_old_one_drains_first(queue: Path, start: Start, limited: Path) -> None:
    """By a real limit, which is nearly used up and then raised."""
    (queue / "task.py").write_text("VERSION = 1\nballast = bytearray(200_000_000)\ndef begin():\n    pass\n")

    def enter() -> None:
        (limited.parent / "cgroup.procs").write_text(str(os.getpid()))

    limited.write_text("380000000")
    run = start("--overlap", "--cold", *READY, "--", PYTHON, "worker.py", preexec=enter)
    ready(run, 1, 1)
    run.err.wait_for("watching")
    write(queue, 2)
    run.err.wait_for(r"\d+ MB are free, and worker uses 2\d\d MB → the old one drains first")
    run.err.wait_for(r"task\.py changed → draining worker\.1")
    ready(run, 2, 2)
    # The new one has no such ballast, so there is room for the next.
    write(queue, 3)
    run.err.wait_for(r"worker\.3 is at work → draining worker\.2")
    assert run.stop() == 0


LEFTOVER = """
import os, subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print("child", child.pid, flush=True)
"""


def test_what_an_old_one_leaves_behind_is_ended_and_the_children_of_the_new_one_are_not(
    queue: Path, start: Start
) -> None:
    """Seen to fail with a guard that is no subreaper: what it left behind fell to the supervisor."""
    write(queue, 1, LEFTOVER.strip())
    run = begin(start)
    first = int(run.out.wait_for(r"child (\d+)")[1])
    ready(run, 1, 1)
    write(queue, 2, LEFTOVER.strip())
    second = int(run.out.wait_for(r"child (\d+)")[1])
    ready(run, 2, 2)
    run.err.wait_for(rf"ending what worker left behind: \S+ \(pid {first}\)")
    run.err.wait_for(r"worker\.1 ended")
    eventually(lambda: identify(first) is None, "the leftover is ended")
    assert identify(second) is not None
    assert run.stop() == 0


def test_without_it_there_are_never_two(queue: Path, start: Start) -> None:
    run = start("--no-overlap", "--cold", *READY, "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    ready(run, 1, 1)
    put(queue, "long", hold=True)
    noted(queue, "long began 1")
    write(queue, 2)
    run.err.wait_for(r"task\.py changed → draining worker \(pid \d+\)$")
    assert len(run.workers()) == 1
    release(queue, "long")
    ready(run, 2, 2)
    assert run.stop() == 0


# --- at a terminal --------------------------------------------------------------------------------


@pytest.fixture
def at_terminal(queue: Path) -> Iterator[Callable[..., Terminal]]:
    """Runs the worker, with overlap, at a terminal."""
    terminals: list[Terminal] = []

    def run(*options: str) -> Terminal:
        command = ("--overlap", *READY, *options, "--", PYTHON, "worker.py")
        terminals.append(Terminal(queue, *command, columns=200))
        screen = terminals[-1].screen
        eventually(lambda: "watching" in screen.text and "ready 1" in screen.text, "the first one is at work")
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


def test_keys_know_the_generations(queue: Path, at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal()
    put(queue, "long", hold=True)
    noted(queue, "long began 1")
    write(queue, 2)
    terminal.screen.wait_for(r"worker\.2 is at work → draining worker\.1")
    os.write(terminal.fd, b"s")
    terminal.screen.wait_for(
        r"worker is ready, pid \d+, up for [\d.]+ s, (?:warm|cold \(.*\)), generation 2, "
        r"worker\.1 is draining, pid \d+, up for"
    )
    os.write(terminal.fd, b"k")
    terminal.screen.wait_for(r"killing worker\.1")
    put(queue, "job")
    noted(queue, "job ended 2")
    os.write(terminal.fd, b"r")
    terminal.screen.wait_for(r"restart asked → starting worker\.3")
    terminal.screen.wait_for(r"worker\.3 is at work → draining worker\.2")
    os.write(terminal.fd, b"q")
    assert terminal.process.wait(LIMIT) == 0
    terminal.nothing_is_left()
    assert "long ended 1" not in notes(queue)


ASKS = """
    answer = input('which? ')
    print('answered', answer, flush=True)
"""


def test_what_is_typed_goes_to_the_newest_that_reads(
    queue: Path, at_terminal: Callable[..., Terminal]
) -> None:
    terminal = at_terminal()
    write(queue, 2, ASKS.strip())
    terminal.screen.wait_for("which")
    os.write(terminal.fd, b"seven\n")
    terminal.screen.wait_for("answered seven")
    terminal.screen.wait_for(r"worker\.2 is at work → draining worker\.1")
    os.write(terminal.fd, b"\x03")
    assert terminal.process.wait(LIMIT) == 0
    terminal.nothing_is_left()


# --- what only one process can have ---------------------------------------------------------------

# With each a worker that keeps a port for itself, as its code would have it.
PORTS = {
    "debugpy": "import debugpy; debugpy.listen(('127.0.0.1', {port}))",
    "prometheus_client": "import prometheus_client; prometheus_client.start_http_server({port}, '127.0.0.1')",
    "socketserver": "import socketserver; global server; server = socketserver.TCPServer(('127.0.0.1', {port}), None)",
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("kind", PORTS)
def test_a_port_in_the_worker_makes_the_old_one_drain_first(queue: Path, start: Start, kind: str) -> None:
    if importlib.util.find_spec(kind) is None:
        pytest.skip(f"there is no {kind} here")
    port = free_port()
    listen = PORTS[kind].format(port=port)
    write(queue, 1, listen)
    run = begin(start)
    ready(run, 1, 1)
    put(queue, "long", hold=True)
    noted(queue, "long began 1")
    write(queue, 2, listen)
    run.err.wait_for(
        rf"^reloader +\| worker\.2 found port {port} in use by the old one → the old one drains first from now on$"
    )
    run.err.wait_for(r"^reloader +\| hint: --no-overlap makes that permanent$")
    # Until then the old one was at work, and it may end its task.
    assert "drained 1" not in run.out.text
    release(queue, "long")
    run.out.wait_for("drained 1")
    ready(run, 2, 3)
    assert "crashed" not in run.err.text
    assert run.out.text.count("got SIGINT") == 1
    assert notes(queue) == ["long began 1", "long ended 1"]
    # It is remembered for the run.
    write(queue, 3, listen)
    run.out.wait_for("drained 2")
    ready(run, 3, 4)
    assert run.err.text.count("in use by the old one") == 1
    assert run.stop() == 0
    assert run.out.text.count("got SIGINT") == 3


def test_a_port_that_somebody_else_has_is_code_that_does_not_start(queue: Path, start: Start) -> None:
    run = begin(start)
    ready(run, 1, 1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        write(queue, 2, f"import socket; socket.create_server({other.getsockname()})")
        run.err.wait_for(
            r"worker\.2 crashed at its start \(exit status 1\) → worker\.1 goes on with the last good code"
        )
        put(queue, "job")
        noted(queue, "job ended 1")
    write(queue, 3)
    ready(run, 3, 3)
    assert run.stop() == 0


def test_without_a_ready_line_a_port_is_found_in_use_as_well(queue: Path, start: Start) -> None:
    port = free_port()
    listen = PORTS["socketserver"].format(port=port)
    write(queue, 1, listen)
    run = start("--overlap", "--", PYTHON, "worker.py")
    run.err.wait_for("watching")
    ready(run, 1, 1)
    put(queue, "long", hold=True)
    noted(queue, "long began 1")
    # It is taken as ready before it has come as far as that, and the old one drains.
    write(queue, 2, f"import os, time\n    while not os.path.exists('go'): time.sleep(0.01)\n    {listen}")
    run.out.wait_for("got SIGINT")
    (queue / "go").touch()
    run.err.wait_for(rf"worker\.2 found port {port} in use by the old one")
    release(queue, "long")
    ready(run, 2, 3)
    assert run.stop() == 0
