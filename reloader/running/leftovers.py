"""What is left of a worker's tree: descendants by parent, and by the subreaper whoever lost theirs.

The whole tree hangs below us: a process that makes its own group or session still has a parent, and
one whose parent ends becomes our child (system.become_subreaper).
"""

from __future__ import annotations

import os
import signal

from reloader.events import ProcessInfo
from reloader.running.system import Handle, children_of

# Leftovers that were sent SIGTERM get this long, in seconds, before SIGKILL.
MOMENT = 2.0


class Leftover:
    """One live process of the tree."""

    def __init__(self, pid: int, name: str, handle: Handle) -> None:
        self.pid = pid
        self.name = name
        self.handle = handle

    @property
    def info(self) -> ProcessInfo:
        """What is told of it."""
        return ProcessInfo(self.pid, self.name)


def find(leader: int, guard: int = 0) -> list[Leftover]:
    """Every live descendant of ours but the leader and the guard. The caller closes the handles.

    What runs in our own session is a helper of ours, or was there before us: the worker leads another
    session, and none of its descendants can come back to ours.
    """
    if _are_all(frozenset({leader, guard})):
        return []
    import psutil

    ours = os.getsid(0)
    found: list[Leftover] = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.pid in (leader, guard) or os.getsid(process.pid) == ours:
                continue
            handle = Handle(process.pid)
        except OSError:
            continue  # it has ended
        try:
            # The handle was opened by pid: only now is it sure that it is this process.
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(Leftover(process.pid, _name(process), handle))
                continue
        except psutil.Error:
            pass
        handle.close()
    return found


def _are_all(known: frozenset[int]) -> bool:
    """Whether nothing but these descends from us. Tells at once what psutil would need long for."""
    todo = [os.getpid()]
    while todo:
        children = children_of(todo.pop())
        if children is None or not known.issuperset(children):
            return False
        todo += children
    return True


def _name(process: object) -> str:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.name()
    except psutil.Error:
        return "?"


def end_gently(leftovers: list[Leftover]) -> None:
    """SIGTERM, with SIGCONT for those that are stopped, and a moment to end in."""
    for leftover in leftovers:
        leftover.handle.send(signal.SIGTERM)
        leftover.handle.send(signal.SIGCONT)
    Handle.wait([leftover.handle for leftover in leftovers], MOMENT)
    close(leftovers)


def kill_all(leader: int, guard: int = 0) -> None:
    """SIGKILL to everything but the leader. Stops all of it first, so that nothing forks meanwhile."""
    stopped: dict[int, Leftover] = {}
    while True:
        found = find(leader, guard)
        new = [leftover for leftover in found if leftover.pid not in stopped]
        close([leftover for leftover in found if leftover.pid in stopped])
        if not new:
            break
        for leftover in new:
            leftover.handle.send(signal.SIGSTOP)
            stopped[leftover.pid] = leftover
    for leftover in stopped.values():
        leftover.handle.send(signal.SIGKILL)
    close(list(stopped.values()))


def kill_patiently(leader: int, guard: int = 0) -> None:
    """SIGKILL until nothing is left; blocks for as long as that takes."""
    while remaining := find(leader, guard):
        kill_all(leader, guard)
        Handle.wait([leftover.handle for leftover in remaining], MOMENT)
        close(remaining)


def close(leftovers: list[Leftover]) -> None:
    """Close the handles."""
    for leftover in leftovers:
        leftover.handle.close()
