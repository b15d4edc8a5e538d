"""The tools that are measured: how each is called, started, looked at from outside and ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from playground import LIMIT, Late, Playground, Stamp

PYTHON = sys.executable
# Every process of a run carries this in its environment, so that none is left behind.
MARK = f"BENCHMARK_MARK={uuid.uuid4().hex}"


@dataclass(frozen=True)
class Tool:
    """One tool, or none: the worker started directly."""

    name: str
    version: str
    command: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The command as a user writes it."""
        words = [os.path.basename(self.command[0]), *self.command[1:]]
        shown = " ".join(f"'{w}'" if " " in w or "*" in w else w for w in words).replace(PYTHON, "python")
        return (
            shown.replace(os.path.dirname(PYTHON) + os.sep, "").replace("/usr/bin/", "").replace("|", "\\|")
        )


def with_option(tool: Tool, option: str) -> Tool:
    """reloader, called with one more option."""
    at = tool.command.index("--")
    return Tool(f"{tool.name} {option}", tool.version, (*tool.command[:at], option, *tool.command[at:]))


def program(name: str) -> str | None:
    """The path of a command of this environment or, failing that, of PATH."""
    return shutil.which(name, path=os.path.dirname(PYTHON)) or shutil.which(name)


DIRECT = Tool("direct start", sys.version.split()[0], (PYTHON, "worker.py"))


def tools() -> list[Tool]:
    """reloader, and every peer that is installed."""
    from reloader import __version__

    reloader = program("reloader")
    start = (reloader,) if reloader else (PYTHON, "-m", "reloader")
    found = [Tool("reloader", __version__, (*start, "--", PYTHON, "worker.py"))]
    arguments: tuple[str, ...]
    watchfiles = program("watchfiles")
    if watchfiles:
        arguments = ("--filter", "python", f"{PYTHON} worker.py", ".")
        found.append(Tool("watchfiles", metadata.version("watchfiles"), (watchfiles, *arguments)))
    hupper = program("hupper")
    if hupper:
        arguments = ("-w", "**/*.py", "-m", "worker")
        # As it is installed by itself: watchdog is here for watchmedo, and would change how it watches.
        monitor = "HUPPER_DEFAULT_MONITOR=hupper.polling.PollingFileMonitor"
        found.append(Tool("hupper", metadata.version("hupper"), ("env", monitor, hupper, *arguments)))
    watchmedo = program("watchmedo")
    if watchmedo:
        arguments = ("auto-restart", "--recursive", "--patterns", "**/*.py", "--", PYTHON, "worker.py")
        found.append(Tool("watchmedo", metadata.version("watchdog"), (watchmedo, *arguments)))
    nodemon = program("nodemon")
    if nodemon:
        arguments = ("--quiet", "--ext", "py", "--signal", "SIGINT", "--exec", f"{PYTHON} worker.py")
        found.append(Tool("nodemon", _version(nodemon, "--version"), (nodemon, *arguments)))
    entr = program("entr")
    if entr:
        listing = "find . -name node_modules -prune -o -name .venv -prune -o -name .git -prune -o -name '*.py' -print"
        # As the process that is told to end: behind a pipe of the shell's it would not hear of it.
        script = f"{listing} > ../files && exec {entr} -n -r {PYTHON} worker.py < ../files"
        found.append(Tool("entr", _version(entr, "-h"), ("sh", "-c", script)))
    return found


def _version(*command: str) -> str:
    """The first version number in what the command prints."""
    printed = subprocess.run(command, capture_output=True, text=True)
    number = re.search(r"\d+(?:\.\d+)+", printed.stdout + printed.stderr)
    return number[0] if number is not None else "?"


def environment() -> dict[str, str]:
    """Ours without what would change a tool's behaviour, and with the mark.

    With PYTHONDONTWRITEBYTECODE a tool that runs from its sources would be compiled at every start, and
    one that was installed with its bytecode would not.
    """
    changing = ("RELOADER", "WATCHFILES", "HUPPER", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(changing)}
    name, _, value = MARK.partition("=")
    return kept | {name: value}


class Running:
    """A tool at work in a playground. `exec_at` is when its start began, `up` its first worker's stamp."""

    def __init__(self, tool: Tool, playground: Playground) -> None:
        self.tool = tool
        self.playground = playground
        self._log = playground.folder.parent / f"{playground.folder.name}.log"
        playground.forget()
        with self._log.open("wb") as log:
            self.exec_at = time.monotonic_ns()
            self.process = subprocess.Popen(
                tool.command,
                cwd=playground.folder,
                env=environment() | {"BENCHMARK_STAMPS": str(playground.stamps)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.up = self.wait("up")
        self.worker = self.up.pid

    def wait(self, kind: str, limit: float = LIMIT) -> Stamp:
        """The worker's next stamp of this kind. Raises Late, with what the tool has printed."""
        try:
            stamp = self.playground.wait(kind, limit)
        except Late as late:
            raise Late(f"{self.tool.name}: {late}; it printed:\n{self._log.read_text()}") from None
        if kind == "up":
            self.worker = stamp.pid
        return stamp

    def wait_for_new_code(self) -> Stamp:
        """The stamp of the first worker that runs what was saved last."""
        while (stamp := self.wait("up")).detail != self.playground.version:
            pass
        return stamp

    def warm_up(self) -> None:
        """Save until a save is noticed: a tool may not watch yet when its first worker is up."""
        for _ in range(10):
            self.playground.save()
            try:
                self.wait("stop", LIMIT / 8)
            except Late:
                continue
            self.wait_for_new_code()
            return
        raise Late(f"{self.tool.name} notices no save")

    def own_processes(self) -> list[int]:
        """The pids of the tool itself: what it started, without the worker and what that started."""
        parents = {int(entry): parent_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
        own = [self.process.pid]
        for pid in own:
            own += [child for child, parent in parents.items() if parent == pid and child != self.worker]
        return own

    def stop(self) -> None:
        """End it as a process manager does, by force where that is not heard."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def parent_of(pid: int) -> int:
    """The pid of a process's parent; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill_all() -> None:
    """End every process that carries the mark; whoever was its parent collects it."""
    while alive := marked():
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def marked() -> list[int]:
    """The processes that carry the mark."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            # A zombie has no environment any more.
            if entry.isdigit() and MARK.encode() in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found
