"""One drain: the processes that get the stop signal, and those whose end is awaited.

For Python 3.8 and newer; it runs in the guard and imports little.

A Python program is sent the signal while it sleeps. Its signal handler runs between any two instructions. If
the handler raises there, the exception may be swallowed by a finaliser or a log handler, or drop the task
that was just taken from a queue: rq, django-tasks-scheduler and huey were seen to do both. A program that
waits for work or for a child loses nothing.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import time

from reloader.guard.stop_targets import STOP_WITH_THEIR_CHILD, Process, Selector, read_process_table
from reloader.guard.system import Handle, began_at

# typing is for type checkers alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

# A program sleeps if its main thread was not woken up for this long, in seconds. That is longer than the
# answer of a broker takes that is already on its way.
STEADY = 0.005
# A program that never sleeps gets the signal after this many seconds.
AT_MOST = 0.2
# How long, in seconds, sudo may take.
SUDO_TIMEOUT = 5.0
# The process has ended or is stopped, so its sleep is not awaited.
ENDED = "ended"

# The numbers of the system calls wait4 and waitid, as /proc/PID/syscall shows them (proc(5)).
_WAITS = {"x86_64": ("61", "247"), "aarch64": ("260", "95"), "riscv64": ("260", "95")}.get(
    os.uname().machine, ("61", "247")
)


class Drain:
    """Sends the stop signal when it is created; `close` gives the handles back."""

    def __init__(
        self,
        order: dict,  # type: ignore[type-arg]
        roots: list[int],
        number: int | None,
        signalled: Container[int] = (),
    ) -> None:
        """Signal the worker, which is among the processes with the pids `roots` and their descendants.

        `order` is the order that the worker was started by. Processes in `signalled` have got the signal
        already and do not get it again; where `number` is None, that is all of them.
        """
        table = read_process_table(roots)
        signalled = table if number is None else signalled
        self.number: int = number or order["stop_signal"]
        roots = [pid for pid, process in table.items() if not process.parent]
        selector = Selector(table, order["words"], frozenset(order["fronts"]), frozenset(order["shells"]))
        self.selection = selector.select(roots, order["target"], self.number)
        # Opened now: the signal may have to wait, and must not go to later processes with these pids.
        targets = _open(self.selection.targets)
        self._sequences = _open(self.selection.sequences)
        self._has_moved = False
        """Whether one of the awaited processes has ended."""
        self._awaited = [handle for _, handle in targets + _open(self.selection.others)]
        # Stop these shells, so that none runs its next command as soon as the worker has ended.
        for process, handle in self._sequences:
            parent = table.get(process.parent)
            if parent is None or parent.names.isdisjoint(STOP_WITH_THEIR_CHILD):
                handle.send(signal.SIGSTOP)
        _await_sleep([process for process, _ in targets])
        self.refused: list[Process] = []
        """The targets that the system does not let us signal: another user's."""
        for process, handle in targets:
            if process.pid in signalled:
                continue
            # A shell starts its background processes with SIGINT ignored.
            if not handle.send(signal.SIGTERM if process.ignores(self.number) else self.number):
                self.refused.append(process)
            # A stopped process would not handle the signal.
            handle.send(signal.SIGCONT)
        pids = [process.pid for process in self.refused]
        if order["sudo_kill"] and pids and ask_sudo(pids, self.number):
            self.refused = []

    @property
    def bystanders(self) -> set[int]:
        """The pids of the programs in front of the worker and of those that read its output."""
        return {process.pid for process in self.selection.fronts + self.selection.filters}

    def has_target(self, pid: int) -> bool:
        """Whether this process got the signal."""
        return any(process.pid == pid for process in self.selection.targets)

    @property
    def is_handled(self) -> bool:
        """Whether every target had a handler for the signal."""
        return all(process.catches(self.number) for process in self.selection.targets)

    @property
    def silent(self) -> list[Process]:
        """Targets that wait for a child, as a runner does; none once an awaited process has ended."""
        if self._has_moved or not self._awaited:
            return []
        return [one for one in self.selection.targets if one.has_children and _waits_for_child(one.pid)]

    @property
    def has_to_be_polled(self) -> bool:
        """Whether the end of an awaited process cannot be read from a descriptor."""
        return any(handle.fd < 0 for handle in self._awaited)

    @property
    def fds(self) -> list[int]:
        """Descriptors that become readable when one of the awaited processes has ended."""
        return [handle.fd for handle in self._awaited if handle.fd >= 0]

    def is_over(self) -> bool:
        """Whether all processes that may be the worker have ended."""
        for handle in self._awaited:
            if not handle.is_alive():
                handle.close()
                self._has_moved = True
        self._awaited = [handle for handle in self._awaited if handle.is_open]
        return not self._awaited

    def finish(self) -> None:
        """The worker has ended: keep shells in front of it from running their next command."""
        for _, handle in self._sequences:
            # A shell without a trap for SIGTERM ends at once, whatever traps it has for other signals.
            handle.send(signal.SIGTERM)
            handle.send(signal.SIGCONT)
            handle.close()
        self._sequences = []

    def close(self) -> None:
        """Give the handles back."""
        for handle in [*self._awaited, *(handle for _, handle in self._sequences)]:
            handle.close()


def ask_sudo(pids: list[int], number: int) -> bool:
    """Signal other users' processes by sudo(8), which must not ask for a password; whether that worked."""
    command = ["sudo", "-n", "kill", f"-{number}", *map(str, pids)]
    files = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in range(3)]
    try:
        # The guard ignores signals, and an ignored signal stays ignored in a new program.
        sudo = os.posix_spawnp(
            command[0], command, os.environ, file_actions=files, setsigdef=signal.valid_signals()
        )
    except OSError:
        return False
    until = time.monotonic() + SUDO_TIMEOUT
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
        # The handle was opened by pid, which a later process may have by now.
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
    """Whether its main thread is in wait4(2) or waitid(2); True where the system does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/syscall") as file:
            return file.read().split(" ")[0] in _WAITS
    except OSError:
        return True


def _sleep_of(pid: int) -> str:
    """An identifier of its main thread's current sleep; empty while it is running, ENDED if it is gone."""
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
