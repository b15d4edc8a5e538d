"""The worker is drained by one signal to its leader, and nothing of its tree sees the next start."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from families import FAMILIES, FAMILY, GENTLE, REST, asked_to_end, noted, write_family
from harness import LIMIT, Run, Stream, eventually, save

Start = Callable[..., Run]
PYTHON = sys.executable
# Signals 1 to 31: what is ignored above them came from the machine, and Python cannot reset all of it.
STANDARD = 0x7FFFFFFF


@pytest.fixture
def family_of(project: Path, start: Start) -> Iterator[Callable[[str], Run]]:
    """Start a worker with a family; whoever it has noted in the end is known to the run, too."""
    runs: list[Run] = []

    def begin(family: str) -> Run:
        write_family(project, FAMILIES[family])
        runs.append(start("--", PYTHON, "worker.py"))
        runs[-1].out.wait_for("ready 1")
        runs[-1].table.expect(noted(project))
        return runs[-1]

    yield begin
    for run in runs:
        run.table.expect(noted(project))


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_of_the_tree_sees_the_next_start(
    project: Path, family_of: Callable[[str], Run], family: str
) -> None:
    """Every family that leaves processes was seen to fail with a guard that is no subreaper, and with an end
    that does not wait until the guard has no child; those whose child ends when it is asked to, with
    leftovers that are killed without being asked; the stopped child without SIGCONT; the child of a deaf
    one without a walk below children; children in sessions of their own with a walk that passes over
    leaders of sessions; deaf ones, the daemon and the one that never stays the same with leftovers that
    are never killed; and those that leave nothing with SIGKILL in the place of the stop signal.
    """
    run = family_of(family)
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for(r"still there: \[\] of \d+")
    run.out.wait_for("ready 2")
    assert asked_to_end(project) == (family in GENTLE)
    if family not in ("alone", "zombie child"):
        run.err.wait_for(r"ending what worker left behind: .*\(pid \d+\)")
    run.table.expect(noted(project))
    assert run.stop() == 0
    run.nothing_is_left()
    assert run.out.text.count("got SIGINT") == 2


def test_a_drain_takes_as_long_as_it_needs(project: Path, start: Start) -> None:
    """Seen to fail with a stop timeout that is over at once: the worker was killed."""
    slow = FAMILY.replace("    last()\n", "    time.sleep(1.5)\n")
    (project / "worker.py").write_text(slow + REST)
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("finished")
    run.out.wait_for(r"still there: \[\]")
    run.out.wait_for("ready 2")
    run.err.wait_for(
        r"worker started in \d\.\d\d s \(detect \d\.\d\d, drain 1\.\d\d, pid \d+(, cold: no template yet)?\)"
    )
    assert run.stop() == 0


def test_a_worker_that_ignores_the_signal_is_killed_with_its_tree(project: Path, start: Start) -> None:
    """Seen to fail with a SIGKILL to the leader alone: the child was left."""
    deaf = "signal.signal(signal.SIGINT, lambda *_: print('got SIGINT', flush=True))\n"
    write_family(project, FAMILIES["deaf child"] + "\n" + deaf)
    run = start("-t", "300ms", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.err.wait_for("did not end within 0.3 s → SIGKILL to its whole process tree")
    run.out.wait_for(r"still there: \[\] of 2")
    run.out.wait_for("ready 2")
    assert run.stop() == 1
    run.err.wait_for("SIGKILL")


def test_a_stopped_worker_drains(project: Path, start: Start) -> None:
    """Seen to fail without SIGCONT after the stop signal: it was killed instead."""
    write_family(project, "")
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    os.kill(noted(project)[0].pid, signal.SIGSTOP)
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 2")
    assert run.stop() == 0


def test_the_output_of_the_last_moment_is_shown_before_the_next_start(project: Path, start: Start) -> None:
    """Though it is read only when the next generation runs.

    Seen to fail with a pump that stops as soon as the tree is empty, and with one that does not wait for the
    one before it.
    """
    # What our output holds and what the worker's holds, less a little: much is still to be shown, in parts.
    words = 170_000
    chatty = FAMILY.replace("    sys.exit(0)", f"    print('last words ' * {words}, flush=True); os._exit(0)")
    (project / "worker.py").write_text(chatty + "open(f'begun {task.VERSION}', 'w').close()\n" + REST)
    os.mkfifo(project / "slowly")
    reading = os.open(project / "slowly", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    # To look through a part for this takes a while, in which somebody else would have a turn.
    pattern = ("--ready", "w.{0,200}never")
    run = start(*pattern, "--", PYTHON, "worker.py", launcher=["sh", "-c", 'exec "$@" >slowly', "sh"])
    run.err.wait_for("watching")
    eventually(lambda: select.select([reading], (), (), 0)[0], "the worker is ready")
    save(project / "task.py", "VERSION = 2\n")
    eventually((project / "begun 2").exists, "the next one has printed something")
    shown = Stream()
    reader = threading.Thread(target=shown.read_from, args=(reading,), daemon=True)
    reader.start()
    shown.wait_for("ready 2")
    assert run.stop() == 0
    reader.join(LIMIT)
    os.close(reading)
    before, _, _ = shown.text.partition("still there: [] of 1")
    assert before.count("last words ") == words


def test_a_child_that_keeps_the_pipe_open_from_outside_holds_nothing_up(project: Path, start: Start) -> None:
    """The descriptor is handed to a process that is not the worker's: the output's end never comes.

    Seen to fail with a pump that waits for the end of its pipe: there was no next start to be seen.
    """
    holder = """
import array, socket
peer = socket.socket(socket.AF_UNIX)
peer.connect("holder")
peer.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, 2]))])
"""
    write_family(project, holder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(project / "holder"))
        server.listen()
        run = start("--", PYTHON, "worker.py")
        connection, _ = server.accept()
        with connection:
            _, held, _, _ = socket.recv_fds(connection, 1, 2)
            run.out.wait_for("ready 1")
            run.err.wait_for("watching")
            save(project / "task.py", "VERSION = 2\n")
            more, _ = server.accept()
            with more:
                _, again, _, _ = socket.recv_fds(more, 1, 2)
                run.out.wait_for("ready 2")
                assert run.stop() == 0
        for fd in (*held, *again):
            os.close(fd)


def test_a_restart_resets_ignored_and_blocked_signals(project: Path, start: Start) -> None:
    """As under `nohup` or a shell's `&`: the worker must hear its stop signal all the same.

    Seen to fail with dispositions that are not reset, and with a mask that neither the forkserver nor the worker's
    start resets.
    """

    def as_a_shell_does() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    (project / "worker.py").write_text(
        "import signal\nstatus = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "blocked, ignored = (int(status[name], 16) for name in ('SigBlk', 'SigIgn'))\n"
        f"print(f'blocked {{blocked & {STANDARD}:x}} ignored {{ignored & {STANDARD}:x}}', flush=True)\n"
        + FAMILY
        + REST
    )
    run = start("--", PYTHON, "worker.py", preexec=as_a_shell_does)
    # Python itself ignores SIGPIPE and SIGXFSZ in the worker.
    run.out.wait_for("blocked 0 ignored 1001000")
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    run.send(signal.SIGINT)
    run.send(signal.SIGHUP)
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    run.out.wait_for("ready 2")
    assert run.stop(signal.SIGTERM) == 0


def test_what_the_worker_inherits(project: Path, start: Start) -> None:
    """Seen to fail with a worker that leads no session of its own, with a guard's socket that is inherited,
    and with PYTHONUNBUFFERED set over what the user has set.
    """
    (project / "worker.py").write_text(
        "import os, sys\n"
        "print(sorted(int(f) for f in os.listdir('/proc/self/fd')), os.getcwd(), os.getsid(0) == os.getpid())\n"
        "print([f'{k}={v}' for k, v in sorted(os.environ.items()) if ('RELOADER' in k and k != 'RELOADER_WARM') or 'UNBUF' in k])\n"
        "print(os.umask(0), sys.stdin.read() == '', flush=True)\n"
    )
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        run = start("--", PYTHON, "worker.py", preexec=lambda: os.umask(0o27), env={"PYTHONUNBUFFERED": ""})
        run.out.wait_for(rf"\[0, 1, 2, 3\] {project} True")
        run.out.wait_for(r"\['PYTHONUNBUFFERED=', 'RELOADER=1', 'RELOADER_GENERATION=1'\]")
        run.out.wait_for("23 True")
        run.err.wait_for("ended by itself")
        assert run.stop() == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_zombies_of_the_tree_do_not_pile_up(project: Path, start: Start) -> None:
    """Seen to fail with a guard that collects leaders alone."""
    orphan = (
        "\nif os.fork() == 0:\n    if os.fork() == 0:\n        time.sleep(0.2)\n    os._exit(0)\nos.wait()\n"
    )
    write_family(project, orphan)
    run = start("--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    eventually(lambda: len(children.read_text().split()) == 1, "only the worker is our child", LIMIT)
    assert run.stop() == 0


# Like rq: the handler raises, wherever the program is just then. Half of the time that is in a finaliser.
SWALLOWING = """
import os
import signal
import time


class Asked(Exception):
    pass


class Busy:
    def __del__(self):
        end = time.monotonic() + 0.08
        while time.monotonic() < end:
            pass


def stop(number, frame):
    raise Asked


signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
try:
    while True:
        Busy()
        time.sleep(0.12)
except Asked:
    print("stopped", flush=True)
"""


def test_a_python_program_is_asked_in_its_sleep(project: Path, start: Start) -> None:
    """A handler that raises would be swallowed at many other moments, and the worker killed at its timeout.

    Seen to fail with a stop signal that is sent at once.
    """
    (project / "worker.py").write_text(SWALLOWING)
    run = start("--stop-timeout", "3s", "--ready", "ready", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    for version in range(12):
        save(project / "task.py", f"VERSION = {version + 10}\n")
        run.out.wait_for("stopped")
        run.out.wait_for("ready")
    assert run.stop() == 0
    run.nothing_is_left()
    assert "Exception ignored" not in run.out.text + run.err.text
