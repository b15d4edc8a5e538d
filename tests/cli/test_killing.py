"""What is killed is killed whole: nothing of it does anything meanwhile, nothing of it is too quick.

System calls of the guard wait here for what would else happen between them once in a thousand times.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from families import FAMILIES, FAMILY, noted, write_family
from harness import LIMIT, Run, eventually
from processes import identify, status_of
from refusing import Refusing

Start = Callable[..., Run]
PYTHON = sys.executable


@pytest.fixture
def holding() -> Iterator[Callable[[str], Refusing]]:
    """Let a system call of the run wait."""
    made: list[Refusing] = []

    def make(call: str) -> Refusing:
        made.append(Refusing(call))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait_until(condition: Callable[[], object]) -> None:
    """As `eventually`, but it fails nothing: what comes of it is looked at by the test."""
    deadline = time.monotonic() + LIMIT
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.001)


# Deaf, and with a child; somebody would do something about the end of that. Whoever waits for it reads from a
# pipe that the child alone has open for writing.
WATCHED = """
import signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
reading, writing = os.pipe()
def watch():
    os.read(reading, 1)
    open("noticed", "w").close()
child = os.fork()
if not child:
    while True: time.sleep(60)
note(child)
os.close(writing)
"""
BY_PARENT = "print('ready', flush=True)\nwatch()\nwhile True: time.sleep(60)\n"
BY_SIBLING = (
    "other = os.fork()\nif not other:\n    watch()\n    while True: time.sleep(60)\nnote(other)\n"
    "print('ready', flush=True)\nwhile True: time.sleep(60)\n"
)


@pytest.mark.parametrize(
    ("call", "watching"),
    [("kill", BY_PARENT), ("pidfd_send_signal", BY_SIBLING)],
    ids=["by its parent", "by another child"],
)
def test_nobody_of_the_tree_sees_another_being_killed(
    project: Path, start: Start, holding: Callable[[str], Refusing], call: str, watching: str
) -> None:
    """It would start another one in its place, or give its task to somebody else.

    Seen to fail without SIGSTOP to the first process before everybody else is killed (by its parent), and
    without SIGSTOP to everybody else (by another child).
    """
    (project / "worker.py").write_text(FAMILY + WATCHED + watching)
    kills = holding(call)
    run = start("-t", "300ms", "--", PYTHON, "worker.py", preexec=kills.preexec)
    run.out.wait_for("ready")
    leader, child, *_ = family = noted(project)
    assert len(family) == (2 if watching is BY_PARENT else 3)
    killed: list[Sequence[int]] = []

    def it_notices_or_cannot() -> bool:
        states = [status_of(process.pid) for process in family]
        stopped = all(status is None or status.state in "TZX" for status in states)
        return (project / "noticed").exists() or (stopped and identify(child.pid) != child)

    def before(arguments: Sequence[int]) -> None:
        if arguments[1] == signal.SIGKILL:
            # The first one that goes by a pidfd is the child's own.
            if killed or call == "kill":
                wait_until(it_notices_or_cannot)
            killed.append(arguments)

    kills.before = before
    assert run.stop() == 1
    run.nothing_is_left()
    assert killed
    assert not (project / "noticed").exists()
    assert identify(leader.pid) != leader


def test_what_forks_faster_than_it_is_looked_at_is_killed(
    project: Path, start: Start, holding: Callable[[str], Refusing]
) -> None:
    """Whenever it is looked at it has ended, and goes on as its child: only its group stays the same.

    Seen to fail without SIGKILL to the groups of zombies.
    """
    write_family(project, FAMILIES["child that never stays the same"])
    looks = holding("pidfd_open")
    run = start("--", PYTHON, "worker.py", preexec=looks.preexec)
    run.out.wait_for("ready 1")
    run.table.expect(noted(project))
    _, hopper = noted(project)
    seen: list[int] = []

    def before(arguments: Sequence[int]) -> None:
        pid = arguments[0]
        status = status_of(pid)
        if status is not None and status.group == hopper.pid:
            seen.append(pid)
            wait_until(lambda: identify(pid) is None)

    looks.before = before
    run.send(signal.SIGINT)
    run.out.wait_for("finished")
    eventually(lambda: run.process.poll() is not None, "it has ended")
    assert run.wait() == 0
    run.nothing_is_left()
    assert seen
