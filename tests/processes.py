"""The process table of a run: who belonged to it while it lived, and whether any of them is there still."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

# A process that forks and ends all the time escapes one look at the table, hardly so many in a row.
LOOKS = 3


class Process(NamedTuple):
    """One process for certain: no later one has its pid and its start time both."""

    pid: int
    began: int
    """Clock ticks since the machine started, field 22 of proc(5)."""


class Status(NamedTuple):
    """What the system tells of a process."""

    began: int
    state: str
    parent: int
    group: int
    session: int

    @property
    def is_over(self) -> bool:
        """It has ended, and waits to be collected at most."""
        return self.state in "ZX"


def status_of(pid: int) -> Status | None:
    """What proc(5) tells; None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Status(int(fields[19]), fields[0], int(fields[1]), int(fields[2]), int(fields[3]))


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none or it has ended."""
    status = status_of(pid)
    return None if status is None or status.is_over else Process(pid, status.began)


def is_alive(process: Process) -> bool:
    """Whether this very process runs; a zombie does not."""
    return identify(process.pid) == process


def members_of(group: int) -> list[int]:
    """The processes of the group that could be met."""
    found = []
    for entry in os.listdir("/proc"):
        status = status_of(int(entry)) if entry.isdigit() else None
        if status is not None and status.group == group and not status.is_over:
            found.append(int(entry))
    return found


class ProcessTable:
    """All that carries a mark in its environment, or descends from such, seen while it lived."""

    def __init__(self, mark: str) -> None:
        self._mark = f"MARK={mark}".encode()
        self.seen: set[Process] = set()
        self._groups: set[int] = set()

    def look(self) -> list[int]:
        """The pids that are alive now: marked ones, what descends from them, and whoever was seen before."""
        statuses = {int(entry): status_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
        live = {pid: status for pid, status in statuses.items() if status is not None and not status.is_over}
        ours = {
            pid
            for pid, status in live.items()
            if Process(pid, status.began) in self.seen or self._marked(pid)
        }
        while True:
            more = {pid for pid, status in live.items() if status.parent in ours} - ours
            if not more:
                break
            ours |= more
        self.seen |= {Process(pid, live[pid].began) for pid in ours}
        self._groups |= {live[pid].group for pid in ours} - {os.getpgid(0)}
        return sorted(ours)

    def expect(self, processes: Collection[Process]) -> None:
        """These belong to it too, and the groups that they lead: they may be too quick to be met."""
        self.seen |= set(processes)
        self._groups |= {one.pid for one in processes}

    def is_empty(self) -> bool:
        """Whether nobody is left: by several looks, and by the system's word for each process group."""
        return not any(self.look() or self._populated() for _ in range(LOOKS))

    def _populated(self) -> list[int]:
        """The groups of the run that have a member, which no fork is quick enough to hide."""
        found = []
        for group in self._groups:
            leader = identify(group)
            if leader is not None and leader not in self.seen:
                continue  # somebody else's by now
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                continue
            # The number may be that of a younger group, whose leader has ended as well.
            if not any(self._is_foreign(member) for member in members_of(group)):
                found.append(group)
        return found

    def _is_foreign(self, pid: int) -> bool:
        """Whether it is alive and nobody of the run."""
        before = identify(pid)
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        foreign = bool(environment) and self._mark not in environment.split(b"\0")
        return foreign and before is not None and before not in self.seen and identify(pid) == before

    def told(self) -> str:
        """Who is left, for a message."""
        lines = []
        for pid in self.look():
            try:
                command = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            lines.append(f"{identify(pid)} {status_of(pid)} {command[:200]}")
        groups = {group: members_of(group) for group in self._populated()}
        return "\n".join([*lines, f"groups with members: {groups}"])

    def kill(self) -> None:
        """SIGKILL to whoever is left."""
        for _ in range(100):
            left = self.look()
            for group in self._populated():
                try:
                    os.killpg(group, signal.SIGKILL)
                except OSError:
                    pass
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left and not self._populated():
                return

    def _marked(self, pid: int) -> bool:
        try:
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
