"""Which processes get the stop signal: the worker, which may be several programs behind the first process.

A shell that waits for a command, `uv run`, `npm run` or `timeout` stay in front of the worker. Most of them
do nothing on SIGINT, or end on SIGTERM and leave the worker running (each was tried); some pass a signal on.
So the signal is sent past them, once, to the program that they run. A program that only filters the worker's
output (`worker | tee log`) is not signalled either: it ends by itself when its input ends.

The selection is pure: it looks only at the table that `read_process_table` makes. For Python 3.8 and newer;
it runs in the guard and imports little.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os

from reloader.guard.system import began_at, children_of

# Programs that are not the worker where they read from a pipe. Any other program there may be the worker.
FILTERS = frozenset(
    {
        *("tee", "cat", "grep", "egrep", "fgrep", "rg", "sed", "awk", "gawk", "mawk", "tail", "head", "less"),
        *(
            "more",
            "sort",
            "uniq",
            "cut",
            "tr",
            "ts",
            "jq",
            "pv",
            "ccze",
            "lnav",
            "logger",
            "multilog",
            "fold",
        ),
        *("column", "humanlog", "pino-pretty", "bunyan", "yes"),
    }
)
# Programs that run a script, whose name identifies the process better than their own.
INTERPRETERS = ("python", "pypy", "node", "ruby", "perl", "bun", "deno", "php")
# Programs that stop themselves when the command that they run is stopped, as documented for job control.
STOP_WITH_THEIR_CHILD = frozenset({"script", "sudo", "su", "doas", "runuser"})


class Process:
    """What the selection needs to know of one live process."""

    def __init__(
        self,
        pid: int,
        parent: int = 0,
        words: tuple[str, ...] = (),
        names: frozenset[str] = frozenset(),
        reads: str = "",
        writes: frozenset[str] = frozenset(),
        ignored: int = 0,
        caught: int = 0,
        began: int | None = None,
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.words = words
        """Its command line."""
        self.names = names
        """The names of its executable, of itself as a process, and of the script that it interprets."""
        self.reads = reads
        """The pipe that is its standard input; empty where standard input is no pipe."""
        self.writes = writes
        """The pipes that are its standard output and error."""
        self.ignored = ignored
        """The signals that it ignores, as the bit mask of proc(5)."""
        self.caught = caught
        """The signals that it has a handler for, as such a mask."""
        self.began = began
        """When it began, which no later process with this pid did; None where the system does not tell."""
        self.has_children = False

    @property
    def title(self) -> str:
        """How messages name it: the program and its first argument, without options."""
        words = [word for word in self.words if word and not word.startswith("-")]
        return " ".join([os.path.basename(words[0]), *words[1:2]]) if words else min(self.names, default="?")

    def ignores(self, number: int) -> bool:
        """Whether it ignores this signal."""
        return bool(self.ignored >> (number - 1) & 1)

    def catches(self, number: int) -> bool:
        """Whether it has a handler for this signal."""
        return bool(self.caught >> (number - 1) & 1)


class Selection:
    """The result: which processes get the signal, and what the others are."""

    def __init__(self) -> None:
        self.targets: list[Process] = []
        """The processes that get the signal."""
        self.fronts: list[Process] = []
        """The programs in front of the targets; they get no signal while the targets drain."""
        self.filters: list[Process] = []
        """The programs that read the targets' output."""
        self.others: list[Process] = []
        """Processes that may be the worker too: the drain lasts until they have ended as well."""
        self.sequences: list[Process] = []
        """The fronts that would run their next command when the current one ends."""
        self.is_sure = False
        """Whether the targets are the program that the command names."""
        self.is_doubtful = False
        """Whether there are several candidates and it is unknown which of them is the worker."""


class Selector:
    """Selects among the processes of a table, by pid.

    `words` is the command line of the worker's program, empty where it is not known. `fronts` are the names
    of programs that run another one; `shells` are those that run one after the other.
    """

    def __init__(
        self, table: dict[int, Process], words: list[str], fronts: frozenset[str], shells: frozenset[str]
    ) -> None:
        self.table = table
        self.words = tuple(words)
        self.front_names = fronts | shells
        self.shells = shells
        self.children: dict[int, list[Process]] = {}
        for process in table.values():
            self.children.setdefault(process.parent, []).append(process)
            process.has_children = False
        for pid in self.children.keys() & table.keys():
            table[pid].has_children = True

    def select(self, pids: list[int], target: str, number: int) -> Selection:
        """Select among these processes and their descendants; `target` is the value of a StopTarget."""
        chosen = Selection()
        roots = [self.table[pid] for pid in pids if pid in self.table]
        if target == "leader":
            chosen.targets = roots
        elif target == "tree":
            chosen.targets = [process for root in roots for process in self._all_below(root)]
        else:
            for root in roots:
                self._see_through(root, number, chosen)
            shells = [front for front in chosen.fronts if not front.names.isdisjoint(self.shells)]
            chosen.sequences = [shell for shell in shells if self.children.get(shell.pid)]
        return chosen

    def _see_through(self, process: Process, number: int, chosen: Selection) -> None:
        children = self.children.get(process.pid, [])
        if self.is_worker(process):
            chosen.is_sure = True
            chosen.targets.append(process)
        elif self._names_worker(process):
            chosen.fronts.append(process)
            inside = [child for child in children if self._has_worker(child)]
            outside = [child for child in children if child not in inside]
            chosen.filters += [child for child in outside if self._reads_from_another(child, children)]
            for child in inside:
                self._see_through(child, number, chosen)
        elif not children or process.names.isdisjoint(self.front_names):
            chosen.targets.append(process)
            if len(children) > 1 and not self._is_interpreted(process):
                chosen.is_doubtful = True
                chosen.others += children
        elif self._has_trap(process, number):
            chosen.targets.append(process)
        else:
            self._see_through_front(process, children, number, chosen)

    def _see_through_front(
        self, process: Process, children: list[Process], number: int, chosen: Selection
    ) -> None:
        """A front may run several programs at once: a pipeline, or commands in the background."""
        chosen.fronts.append(process)
        piped = [child for child in children if self._reads_from_another(child, children)]
        workers = [child for child in children if child not in piped or child.names.isdisjoint(FILTERS)]
        if len(workers) > 1:
            # `yes | worker`, `tail -f events | worker`: a program that only feeds another is no worker.
            feeding = [child for child in workers if self._is_read(child, children)]
            workers = [
                child for child in workers if child not in feeding or child.names.isdisjoint(FILTERS)
            ] or workers
        chosen.filters += [child for child in children if child not in workers]
        behind = [child for child in workers if child in piped] if len(workers) > 1 else []
        chosen.others += behind
        signalled = [child for child in workers if child not in behind] or workers
        chosen.is_doubtful = chosen.is_doubtful or len(signalled) > 1
        for child in signalled:
            self._see_through(child, number, chosen)

    def is_worker(self, process: Process) -> bool:
        """Whether its command line is the worker's program, whatever started it."""
        words, own = self.words, process.words
        if not words or len(own) < len(words) or not process.names.isdisjoint(self.front_names):
            return False
        program = os.path.basename(words[0])
        if program.startswith(("python", "pypy")):
            # A runner in front of it may have chosen another interpreter.
            return own[1:] == words[1:] and os.path.basename(own[0]).startswith(("python", "pypy"))
        rest = len(own) - len(words)
        # The kernel puts the interpreter in front of a script, and one option where the first line has some.
        return rest <= 2 and own[rest + 1 :] == words[1:] and os.path.basename(own[rest]) == program

    def _names_worker(self, process: Process) -> bool:
        """Whether the worker is among its descendants."""
        return any(self._has_worker(child) for child in self.children.get(process.pid, ()))

    def _has_worker(self, process: Process) -> bool:
        return any(self.is_worker(one) for one in self._all_below(process))

    def _all_below(self, process: Process) -> list[Process]:
        found = [process]
        for one in found:
            found += self.children.get(one.pid, [])
        return found

    def _has_trap(self, process: Process, number: int) -> bool:
        """Whether it is a shell with a trap for the signal, which then decides how the worker is stopped.

        Every shell that waits for a command catches SIGINT, whether it has a trap or not.
        """
        is_shell = not process.names.isdisjoint(self.shells)
        return is_shell and number != signal.SIGINT and process.catches(number)

    def _is_interpreted(self, process: Process) -> bool:
        return any(name.startswith(INTERPRETERS) for name in process.names)

    def _reads_from_another(self, process: Process, siblings: list[Process]) -> bool:
        others = [sibling for sibling in siblings if sibling is not process]
        return bool(process.reads) and any(
            process.reads in below.writes for sibling in others for below in self._all_below(sibling)
        )

    def _is_read(self, process: Process, siblings: list[Process]) -> bool:
        writes = {pipe for below in self._all_below(process) for pipe in below.writes}
        return any(
            sibling.reads in writes for sibling in siblings if sibling is not process and sibling.reads
        )


def pids_and_titles(processes: list[Process]) -> list[tuple[int, str]]:
    """The processes as they are reported to the supervisor."""
    return [(process.pid, process.title) for process in processes]


# --- the table ------------------------------------------------------------------------------------


def read_process_table(roots: list[int]) -> dict[int, Process]:
    """These processes and all their descendants, by pid, from proc(5), without zombies.

    Processes without a parent in the table have the parent 0: the roots, and the children of a root that has
    ended.
    """
    table: dict[int, Process] = {}
    todo = [(pid, 0) for pid in roots]
    while todo:
        pid, parent = todo.pop()
        children = children_of(pid) or ()
        try:
            process = _read(pid, parent)
        except (OSError, ValueError):
            # It has ended, or there is no /proc.
            process = None if parent or os.path.exists("/proc/self/status") else Process(pid)
        if process is not None:
            table[pid] = process
        todo += [(child, pid if process is not None or parent else 0) for child in children]
    return table


def _read(pid: int, parent: int) -> Process | None:
    name = ""
    began = began_at(pid)
    masks = {"SigIgn": 0, "SigCgt": 0}
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key in masks:
                masks[key] = int(value, 16)
            elif key == "State" and value.split()[0] in "ZX":
                return None
            elif key == "Name":
                name = value.strip()
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = tuple(os.fsdecode(word) for word in file.read().split(b"\0")[:-1])
    pipes = [_pipe_of(pid, fd) for fd in range(3)]
    return Process(
        *(pid, parent, words, _names(pid, name, words)),
        *(pipes[0], frozenset(filter(None, pipes[1:])), masks["SigIgn"], masks["SigCgt"]),
        began=began,
    )


def _names(pid: int, name: str, words: tuple[str, ...]) -> frozenset[str]:
    names = {name.split(" ")[0]}
    try:
        names.add(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
    except OSError:
        pass  # another user's
    if words:
        names.add(os.path.basename(words[0]).lstrip("-"))
    if any(one.startswith(INTERPRETERS) for one in names):
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        # The name keeps its extension: `python script.py` is not script(1).
        names.add(os.path.basename(script))
        # A Node program is known by its package, whatever its script is called: node_modules/NAME/...
        _, found, rest = script.rpartition("node_modules/")
        if found:
            names.add(rest.split("/")[0])
    return frozenset(names - {""})


def _pipe_of(pid: int, fd: int) -> str:
    """The identifier of the pipe behind a descriptor; empty where it is no pipe."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return ""
    return link if link.startswith("pipe:") else ""
