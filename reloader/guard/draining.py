"""One drain: those who got the stop signal, and those whose end it waits for.

For Python 3.8 and newer; it runs in the guard and imports little.

A Python program gets the signal in its sleep. Its handler runs between any two instructions, and what the
handler raises is swallowed in a finaliser or a log handler, or drops the task that was just taken from a
queue: rq, django-tasks-scheduler and huey were seen to do both. In a wait for work or for a child nothing is
cut.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import time

from reloader.guard.stop_targets import STOP_WITH_THEIR_CHILD, Aim, Choice, Process, look
from reloader.guard.system import Handle, began_at

# typing is for type checkers alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

# A program sleeps when its main thread was not woken up for so long, in seconds: longer than an answer of a
# broker takes that is on its way.
STEADY = 0.005
# A program that is at work all the time gets the signal then.
AT_MOST = 0.2
# sudo has this long, in seconds.
SUDO_PATIENCE = 5.0
# It has ended, or is stopped: there is nothing to wait for.
ENDED = "ended"

# The numbers of wait4 and waitid, as proc(5) tells the system call that a process is in.
_WAITS = {"x86_64": ("61", "247"), "aarch64": ("260", "95"), "riscv64": ("260", "95")}.get(
    os.uname().machine, ("61", "247")
)


def begin(order: dict, firsts: list[int], number: int | None, heard: Container[int] = ()) -> Drain:  # type: ignore[type-arg]
    """Send the signal to what is the worker among these processes and what descends from them.

    The order is that by which it was started. Those that have `heard` the signal do not get it again; without
    a number all of them have.
    """
    table = look(firsts)
    firsts = [pid for pid, process in table.items() if not process.parent]
    choice = Choice(table, order["words"], frozenset(order["fronts"]), frozenset(order["shells"]))
    aim = choice.aim(firsts, order["target"], number or order["stop_signal"])
    return Drain(
        aim, number or order["stop_signal"], table, order["sudo_kill"], table if number is None else heard
    )


class Drain:
    """Sends the signal as it is made; `close` gives the handles back."""

    def __init__(
        self, aim: Aim, number: int, table: dict[int, Process], sudo_kill: bool, heard: Container[int] = ()
    ) -> None:
        self.aim = aim
        self.number = number
        # Opened now, so that the signal, which may have to wait, goes to these processes and no later ones.
        targets = _open(aim.targets)
        self._sequences = _open(aim.sequences)
        self._moved = False
        """Whether one of them has ended."""
        self._awaited = [handle for _, handle in targets] + [handle for _, handle in _open(aim.others)]
        self._hold_sequences(table)
        _await_sleep([process for process, _ in targets])
        self.refused: list[Process] = []
        """Those that the system does not let us signal: another user's."""
        for process, handle in targets:
            if process.pid in heard:
                continue
            # What a shell started in the background ignores SIGINT.
            if not handle.send(signal.SIGTERM if process.ignores(number) else number):
                self.refused.append(process)
            # A stopped process would not handle it.
            handle.send(signal.SIGCONT)
        pids = [process.pid for process in self.refused]
        if sudo_kill and pids and ask_sudo(pids, number):
            self.refused = []

    @property
    def bystanders(self) -> set[int]:
        """The pids of what stands in front of the worker or reads its output."""
        return {process.pid for process in self.aim.fronts + self.aim.filters}

    def aims_at(self, pid: int) -> bool:
        """Whether this process got the signal."""
        return any(process.pid == pid for process in self.aim.targets)

    @property
    def is_handled(self) -> bool:
        """Whether all that got the signal had a handler for it."""
        return all(process.catches(self.number) for process in self.aim.targets)

    @property
    def silent(self) -> list[Process]:
        """Targets that wait for a child, as what only runs another program does, while nobody has ended."""
        if self._moved or not self._awaited:
            return []
        return [one for one in self.aim.targets if one.has_children and _waits_for_child(one.pid)]

    @property
    def has_to_be_polled(self) -> bool:
        """Whether the system does not tell the end of those that are awaited."""
        return any(handle.fd < 0 for handle in self._awaited)

    @property
    def fds(self) -> list[int]:
        """Descriptors that become readable when one of those that are awaited has ended."""
        return [handle.fd for handle in self._awaited if handle.fd >= 0]

    def is_over(self) -> bool:
        """Whether all that may be the worker have ended."""
        for handle in self._awaited:
            if not handle.is_alive():
                handle.close()
                self._moved = True
        self._awaited = [handle for handle in self._awaited if handle.is_open]
        return not self._awaited

    def finish(self) -> None:
        """The worker has ended: let no shell go on with its next command."""
        for _, handle in self._sequences:
            # Whatever its trap for another signal does: a shell without one for this ends at once.
            handle.send(signal.SIGTERM)
            handle.send(signal.SIGCONT)
            handle.close()
        self._sequences = []

    def close(self) -> None:
        """Give the handles back."""
        for handle in [*self._awaited, *(handle for _, handle in self._sequences)]:
            handle.close()

    def _hold_sequences(self, table: dict[int, Process]) -> None:
        """Stop shells, so that none can run its next command once the worker has ended."""
        for process, handle in self._sequences:
            parent = table.get(process.parent)
            if parent is None or parent.names.isdisjoint(STOP_WITH_THEIR_CHILD):
                handle.send(signal.SIGSTOP)


def ask_sudo(pids: list[int], number: int) -> bool:
    """Let sudo(8) signal other users' processes; whether it did. It never asks for a password."""
    command = ["sudo", "-n", "kill", f"-{number}", *map(str, pids)]
    files = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    try:
        # Signals are ignored in the guard, and what is ignored stays so in a new program.
        sudo = os.posix_spawnp(
            command[0], command, os.environ, file_actions=files, setsigdef=signal.valid_signals()
        )
    except OSError:
        return False
    until = time.monotonic() + SUDO_PATIENCE
    while time.monotonic() < until:
        try:
            pid, status = os.waitpid(sudo, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid:
            return status == 0
        time.sleep(STEADY)
    return False


def _open(processes: list[Process]) -> list[tuple[Process, Handle]]:
    """A handle for each that has not ended."""
    found = []
    for process in processes:
        try:
            handle = Handle(process.pid)
        except OSError:
            continue
        # It was opened by pid: only now is it sure that it is this process.
        if process.began is None or began_at(process.pid) == process.began:
            found.append((process, handle))
        else:
            handle.close()
    return found


def _await_sleep(processes: list[Process]) -> None:
    """Return once the main thread of each Python program sleeps, at the latest after AT_MOST seconds."""
    until = time.monotonic() + AT_MOST
    sleeps = {
        process.pid: ""
        for process in processes
        if any(name.startswith(("python", "pypy")) for name in process.names)
    }
    while True:
        for pid, before in list(sleeps.items()):
            sleeps[pid] = _sleep_of(pid)
            if sleeps[pid] == ENDED or (before and sleeps[pid] == before):
                del sleeps[pid]
        if not sleeps or time.monotonic() >= until:
            return
        time.sleep(STEADY)


def _waits_for_child(pid: int) -> bool:
    """Whether its main thread hangs in wait4(2) or waitid(2); True where the system does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/syscall") as file:
            return file.read().split(" ")[0] in _WAITS
    except OSError:
        return True


def _sleep_of(pid: int) -> str:
    """By what its main thread's present sleep is told from others; empty while it is at work."""
    state = times = ""
    try:
        with open(f"/proc/{pid}/task/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("State:"):
                    state = line.split()[1]
                elif line.startswith("voluntary_ctxt_switches:"):
                    times = line.split()[1]
    except OSError:
        return ENDED  # or the system does not tell
    return times if state == "S" else "" if state in "RD" else ENDED
