"""Whom a stop signal is for: the worker, which may be several programs behind the first process.

A shell that waits for a command, `uv run`, `npm run` or `timeout` stay in front of the worker. Most of them
do nothing on SIGINT, or end on SIGTERM and leave the worker alone (each was tried); some pass a signal on. So
they are seen through, and the signal goes to what they run: once, whatever they would do. What only filters
the worker's output (`worker | tee log`) lives until its input ends.

The choice is pure: it looks at the table of processes that `look` makes. For Python 3.8 and newer; it runs in
the guard and imports little.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os

from reloader.guard.system import began_at, children_of

# What stands behind a pipe without being a worker. Others behind a pipe may be one.
FILTERS = frozenset(
    {
        "tee",
        "cat",
        "grep",
        "egrep",
        "fgrep",
        "rg",
        "sed",
        "awk",
        "gawk",
        "mawk",
        "tail",
        "head",
        "less",
        "more",
    }
    | {"sort", "uniq", "cut", "tr", "ts", "jq", "pv", "ccze", "lnav", "logger", "multilog", "fold", "column"}
    | {"humanlog", "pino-pretty", "bunyan", "yes"}
)
# Programs that run a script: its name says more than theirs.
INTERPRETERS = ("python", "pypy", "node", "ruby", "perl", "bun", "deno", "php")
# These stop themselves when the command that they run is stopped, as documented for job control.
STOP_WITH_THEIR_CHILD = frozenset({"script", "sudo", "su", "doas", "runuser"})


class Process:
    """One live process, as much of it as matters here."""

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
        """The program, what it calls itself, and the script that it interprets."""
        self.reads = reads
        """The pipe that is its standard input; empty where that is none."""
        self.writes = writes
        """The pipes that are its standard output and error."""
        self.ignored = ignored
        """The signals that it ignores, a bit each, as in proc(5)."""
        self.caught = caught
        """The signals that it has a handler for."""
        self.began = began
        """When it began, by which it is told from a later one with its pid; None where nobody tells."""
        self.has_children = False

    @property
    def title(self) -> str:
        """By what a user knows it: the program and what it was told to do, without its options."""
        words = [word for word in self.words if word and not word.startswith("-")]
        return " ".join([os.path.basename(words[0]), *words[1:2]]) if words else min(self.names, default="?")

    def ignores(self, number: int) -> bool:
        """Whether this signal does nothing to it."""
        return bool(self.ignored >> (number - 1) & 1)

    def catches(self, number: int) -> bool:
        """Whether it has a handler for this signal."""
        return bool(self.caught >> (number - 1) & 1)


class Aim:
    """What was chosen."""

    def __init__(self) -> None:
        self.targets: list[Process] = []
        """Who gets the signal."""
        self.fronts: list[Process] = []
        """What stands in front of them, which gets none while they drain."""
        self.filters: list[Process] = []
        """What reads their output."""
        self.others: list[Process] = []
        """Who may be the worker as well: the drain lasts until they have ended too."""
        self.sequences: list[Process] = []
        """The fronts that would go on with their next command."""
        self.is_sure = False
        """Whether the targets are what the command names."""
        self.is_doubtful = False
        """Whether there are several of which nobody knows which is the worker."""


class Choice:
    """Chooses within a table of processes, by pid.

    `words` are those of the worker's program; none where they are not known. `fronts` are the names of
    programs that run another one, of which `shells` run one after the other.
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

    def aim(self, firsts: list[int], target: str, number: int) -> Aim:
        """Choose below and among these processes; `target` is the value of a StopTarget."""
        chosen = Aim()
        roots = [self.table[pid] for pid in firsts if pid in self.table]
        if target == "leader":
            chosen.targets = roots
        elif target == "tree":
            chosen.targets = [process for root in roots for process in self._all_below(root)]
        else:
            for root in roots:
                self._see_through(root, number, chosen)
            ways = [front for front in chosen.fronts if not front.names.isdisjoint(self.shells)]
            chosen.sequences = [shell for shell in ways if self.children.get(shell.pid)]
        return chosen

    def _see_through(self, process: Process, number: int, chosen: Aim) -> None:
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

    def _see_through_front(self, process: Process, children: list[Process], number: int, chosen: Aim) -> None:
        """A front of which several may run: commands of a pipeline, or in the background."""
        chosen.fronts.append(process)
        piped = [child for child in children if self._reads_from_another(child, children)]
        filters = [child for child in piped if not child.names.isdisjoint(FILTERS)]
        workers = [child for child in children if child not in filters]
        sources = [child for child in workers if self._is_read(child, children)]
        if len(workers) > 1:
            # `yes | worker`, `tail -f events | worker`: what only feeds another one is no worker.
            workers = [
                child for child in workers if not (child in sources and not child.names.isdisjoint(FILTERS))
            ] or workers
        chosen.filters += [child for child in children if child not in workers]
        behind = [child for child in workers if child in piped] if len(workers) > 1 else []
        chosen.others += behind
        heard = [child for child in workers if child not in behind] or workers
        chosen.is_doubtful = chosen.is_doubtful or len(heard) > 1
        for child in heard:
            self._see_through(child, number, chosen)

    def is_worker(self, process: Process) -> bool:
        """Whether its command line is the program that the user wants to run, however it was started."""
        words, own = self.words, process.words
        if not words or len(own) < len(words) or not process.names.isdisjoint(self.front_names):
            return False
        program = os.path.basename(words[0])
        if program.startswith(("python", "pypy")):
            # What stands in front may have chosen another interpreter.
            return own[1:] == words[1:] and os.path.basename(own[0]).startswith(("python", "pypy"))
        rest = len(own) - len(words)
        # The kernel puts the interpreter in front of a script, and one option where the first line has some.
        return rest <= 2 and own[rest + 1 :] == words[1:] and os.path.basename(own[rest]) == program

    def _names_worker(self, process: Process) -> bool:
        """Whether the worker is somewhere below."""
        return bool(self.words) and any(
            self._has_worker(child) for child in self.children.get(process.pid, ())
        )

    def _has_worker(self, process: Process) -> bool:
        return any(self.is_worker(one) for one in self._all_below(process))

    def _all_below(self, process: Process) -> list[Process]:
        found = [process]
        for one in found:
            found += self.children.get(one.pid, [])
        return found

    def _has_trap(self, process: Process, number: int) -> bool:
        """Whether it is a shell that has a trap for the signal, which then is its own way to stop.

        SIGINT is caught by a shell that waits for a command, whether it has a trap or not.
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


def told(processes: list[Process]) -> list[tuple[int, str]]:
    """Pids and names, as the user is told of them."""
    return [(process.pid, process.title) for process in processes]


# --- the table ------------------------------------------------------------------------------------


def look(firsts: list[int]) -> dict[int, Process]:
    """These processes and all that descends from them, by pid, as proc(5) tells; zombies left out.

    The children of one of these that has ended stand in its place, without a parent, as they do.
    """
    table: dict[int, Process] = {}
    todo = [(pid, 0) for pid in firsts]
    while todo:
        pid, parent = todo.pop()
        children = children_of(pid) or ()
        try:
            process = _read(pid, parent)
        except (OSError, ValueError):
            # It has ended, or the system does not tell.
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
        # With its extension: `python script.py` is not script(1).
        names.add(os.path.basename(script))
        names |= _packages(script)
    return frozenset(names - {""})


def _packages(script: str) -> set[str]:
    """The package of a Node program, whose script may be called anything: node_modules/NAME/..."""
    _, found, rest = script.rpartition("node_modules/")
    return {rest.split("/")[0]} if found else set()


def _pipe_of(pid: int, fd: int) -> str:
    """By what a pipe is told from others; empty where the descriptor leads elsewhere."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return ""
    return link if link.startswith("pipe:") else ""
