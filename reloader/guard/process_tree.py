"""The live processes of a worker's tree: all our descendants that are not in our own session.

This runs in the guard, below which the whole tree hangs: a process that makes its own group or session still
has a parent, and one whose parent ends becomes the guard's child (spawn.become_subreaper). Where the guard
was killed, the tree hangs below the supervisor, which then runs this.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Container, Set

from reloader.guard.system import Handle, children_of, stat_of

# Seconds between SIGTERM and SIGKILL for leftovers.
MOMENT = 2.0
# Seconds between two looks at a tree that is ending.
PAUSE = 0.02


class Leftover:
    """One live process of the tree."""

    def __init__(self, pid: int, name: str, handle: Handle, state: str = "") -> None:
        self.pid = pid
        self.state = state
        self.name = name
        self.handle = handle


class ProcessTree:
    """The tree as it is found now, without the `leader`. `close` gives the handles back.

    The pids in `spared` and their descendants do not belong to the tree.
    """

    def __init__(self, leader: int, spared: Container[int] = ()) -> None:
        self.live: list[Leftover] = []
        self.groups: set[int] = set()
        """The process groups of its members, zombies included."""
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
                found = stat_of(pid)
                # The handle was opened by pid, which may be another process's by now.
                if (
                    not found
                    or int(found[2]) not in (parent, me)
                    or int(found[4]) == self._session
                    # The parent may have ended too, and its pid be that of another process with children.
                    or (int(found[2]) != me and above is not None and not above.is_alive())
                ):
                    handle.close()
                    continue
                name, state = found[:2]
                is_zombie = state in "ZX"
                todo.append((pid, None if is_zombie else handle))
                if pid != self._leader:
                    self.groups.add(int(found[3]))
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


def end_gently(
    signalled: Set[int] = frozenset(), spared: Container[int] = (), waited_for: Container[int] = ()
) -> list[tuple[int, str]]:
    """SIGTERM to every process that has not been `signalled` yet, and SIGCONT in case it is stopped.

    Those in `waited_for` get none, but their descendants do. Returns the pids and names of those that got it.
    """
    tree = ProcessTree(0, spared)
    new = [one for one in tree.live if one.pid not in signalled and one.pid not in waited_for]
    for leftover in new:
        leftover.handle.send(signal.SIGTERM)
        leftover.handle.send(signal.SIGCONT)
    tree.close()
    return [(leftover.pid, leftover.name) for leftover in new]


def children(spared: Container[int] = ()) -> list[tuple[int, str]]:
    """Pid and name of each of our live children, those among them whose parent has ended."""
    tree = ProcessTree(0, spared)
    tree.close()
    ours = set(children_of(os.getpid()) or [one.pid for one in tree.live])
    return [(one.pid, one.name) for one in tree.live if one.pid in ours]


def kill_all(leader: int, spared: Container[int] = ()) -> list[tuple[int, str]]:
    """SIGKILL to the whole tree but the leader, after SIGSTOP, so that nothing forks meanwhile.

    Returns pids and names of those that the system does not let us kill: another user's.
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
    # A process that forks faster than we look is never found alive, but the zombies that it leaves tell its
    # group. The stopped processes are still in their groups, so that no other group can have these numbers.
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
    """SIGSTOP to all that is not stopped already; returns handles of those, which the caller closes."""
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
    """End the whole tree, from MOMENT on by SIGKILL; blocks until nothing is left."""
    deadline = time.monotonic() + MOMENT
    signalled: set[int] = set()
    while True:
        tree = ProcessTree(0, spared)
        tree.close()
        if not tree.live:
            return
        if time.monotonic() >= deadline:
            kill_all(0, spared)
        else:
            signalled |= {pid for pid, _ in end_gently(signalled, spared)}
        time.sleep(PAUSE)
