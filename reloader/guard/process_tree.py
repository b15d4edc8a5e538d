"""What is left of a worker's tree: all that descends from us and is not in our own session.

The whole tree hangs below the guard, which runs this: a process that makes its own group or session
still has a parent, and one whose parent ends becomes the guard's child (spawn.become_subreaper). Where
the guard was killed it all hangs below the supervisor, which then runs the same.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Container, Set

from reloader.guard.system import Handle, children_of

# Leftovers that were sent SIGTERM get this long, in seconds, before SIGKILL.
MOMENT = 2.0
# Until nothing is left, the tree is looked at again this often, in seconds.
PAUSE = 0.02


class Leftover:
    """One live process of the tree."""

    def __init__(self, pid: int, name: str, handle: Handle, state: str = "") -> None:
        self.pid = pid
        self.state = state
        self.name = name
        self.handle = handle


class ProcessTree:
    """The tree as it is found now, without the leader. `close` gives the handles back.

    What is `spared`, and what hangs below it, is somebody else's.
    """

    def __init__(self, leader: int, spared: Container[int] = ()) -> None:
        self.live: list[Leftover] = []
        self.groups: set[int] = set()
        """Their process groups, those of zombies included."""
        self._leader = leader
        self._spared = spared
        self._session = os.getsid(0)
        if children_of(os.getpid()) is None:
            self._ask_psutil()
        else:
            self._walk()

    def _walk(self) -> None:
        me = os.getpid()
        leader: Handle | None = None
        todo: list[tuple[int, Handle | None]] = [(me, None)]
        while todo:
            parent, above = todo.pop()
            for pid in children_of(parent) or ():
                if pid in self._spared:
                    continue
                try:
                    handle = Handle(pid)
                except OSError:
                    continue  # it has ended
                found = _status_of(pid)
                # The handle was opened by pid: only now is it sure that it is this process.
                if (
                    found is None
                    or found[2] not in (parent, me)
                    or found[4] == self._session
                    # Nor has its parent ended meanwhile, and left its pid to another one with children.
                    or (found[2] != me and above is not None and not above.is_alive())
                ):
                    handle.close()
                    continue
                is_zombie = found[1] in "ZX"
                todo.append((pid, None if is_zombie else handle))
                name, state, _, group, _ = found
                if pid != self._leader:
                    self.groups.add(group)
                if is_zombie:
                    handle.close()
                elif pid == self._leader:
                    leader = handle
                else:
                    self.live.append(Leftover(pid, name, handle, state))
        if leader is not None:
            leader.close()

    def _ask_psutil(self) -> None:
        import psutil

        for process in psutil.Process().children(recursive=True):
            try:
                if (
                    process.pid == self._leader
                    or process.pid in self._spared
                    or os.getsid(process.pid) == self._session
                ):
                    continue
                handle = Handle(process.pid)
            except OSError:
                continue  # it has ended
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    self.live.append(Leftover(process.pid, process.name(), handle))
                    continue
            except psutil.Error:
                pass
            handle.close()

    def close(self) -> None:
        """Give the handles back."""
        for leftover in self.live:
            leftover.handle.close()


def _status_of(pid: int) -> tuple[str, str, int, int, int] | None:
    """Name, state, parent, group and session of a process, by proc(5); None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="surrogateescape") as file:
            before, _, after = file.read().rpartition(")")
    except OSError:
        return None
    fields = after.split()
    return before.partition("(")[2], fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def end_gently(
    met: Set[int] = frozenset(), spared: Container[int] = (), waited_for: Container[int] = ()
) -> list[tuple[int, str]]:
    """SIGTERM to all that is left and not yet `met`, and SIGCONT for those that are stopped.

    Those that are `waited_for` get none, but what hangs below them does. Returns their pids and names.
    """
    tree = ProcessTree(0, spared)
    new = [one for one in tree.live if one.pid not in met and one.pid not in waited_for]
    for leftover in new:
        leftover.handle.send(signal.SIGTERM)
        leftover.handle.send(signal.SIGCONT)
    tree.close()
    return [(leftover.pid, leftover.name) for leftover in new]


def children(spared: Container[int] = ()) -> list[tuple[int, str]]:
    """Pid and name of what has become our child, or was one from the start, and has not ended."""
    tree = ProcessTree(0, spared)
    tree.close()
    ours = set(children_of(os.getpid()) or [one.pid for one in tree.live])
    return [(one.pid, one.name) for one in tree.live if one.pid in ours]


def kill_all(leader: int, spared: Container[int] = ()) -> list[tuple[int, str]]:
    """SIGKILL to everything but the leader and what is spared.

    Stops all of it first, so that nothing forks meanwhile. Returns pids and names of those that the system
    does not let us kill: another user's.
    """
    stopped: dict[int, Leftover] = {}
    groups: set[int] = set()
    while True:
        tree = ProcessTree(leader, spared)
        groups |= tree.groups
        new = [leftover for leftover in tree.live if leftover.pid not in stopped]
        for leftover in tree.live:
            if leftover.pid in stopped:
                leftover.handle.close()
        if not new:
            break
        for leftover in new:
            leftover.handle.send(signal.SIGSTOP)
            stopped[leftover.pid] = leftover
    # A process that forks faster than we look is not met, but its group is, by the zombies that it leaves.
    # Those that are stopped are in their groups still, whose numbers can be nobody else's.
    for group in groups - {os.getpgid(0), leader}:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            pass  # nobody is left in it
    refused = []
    for leftover in stopped.values():
        if not leftover.handle.send(signal.SIGKILL):
            refused.append((leftover.pid, leftover.name))
        leftover.handle.close()
    return refused


def stop_all() -> list[Handle]:
    """SIGSTOP to everything that is not stopped already; returns the handles, which the caller closes."""
    stopped: dict[int, Handle] = {}
    while True:
        new = False
        for one in ProcessTree(0).live:
            if one.pid in stopped or one.state == "T":
                one.handle.close()
            else:
                one.handle.send(signal.SIGSTOP)
                stopped[one.pid] = one.handle
                new = True
        if not new:
            return list(stopped.values())


def end_all(spared: Container[int] = ()) -> None:
    """End whatever is left and not spared, by force after a moment; blocks for as long as that takes."""
    deadline = time.monotonic() + MOMENT
    met: set[int] = set()
    while True:
        tree = ProcessTree(0, spared)
        tree.close()
        if not tree.live:
            return
        if time.monotonic() >= deadline:
            kill_all(0, spared)
        else:
            met |= {pid for pid, _ in end_gently(met, spared)}
        time.sleep(PAUSE)
