"""What people put in front of a worker, as a table, and a folder in which each of them runs one.

The worker is `cli/fronts/worker.py`, or `worker.sh`: it has one task in flight, and notes what happens to it.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import RELOADER, eventually

FILES = Path(__file__).parent / "cli" / "fronts"
ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
# Where a row of the table in the docs goes for each front that was tried; empty to keep none.
ROWS = os.environ.get("RELOADER_FRONTS", "")
# How long a task lasts from its first stop signal on, in seconds; and one that outlasts what a leftover that is
# surely not the worker is given.
HOLD, LONGER = 0.6, 2.6


class MissingError(Exception):
    """The front needs a program that is not here."""


@dataclass(frozen=True)
class Front:
    """One way to run a worker. In `command` and `files` a word {NAME} is replaced: see `lay`."""

    name: str
    command: str
    """As it is typed behind `reloader --`."""
    files: dict[str, str] = field(default_factory=dict)
    """What it needs in the folder."""
    copies: tuple[str, ...] = ()
    """Files of `cli/fronts` that it needs there besides the worker."""
    workers: tuple[str, ...] = ("worker",)
    """The names of the workers that it runs, as they note them."""
    hold: float = HOLD
    waits: bool = True
    """All that stands in front of the worker is there until that has ended; else it ends at a stop signal."""
    quiet: bool = False
    """It sleeps while the worker drains, so that it can be seen whether it was signalled."""
    tells: bool = False
    """It cannot be known who is the worker: a line names --stop-target."""
    swallows: bool = False
    """It does not pass a signal on, and nobody can know that: it is seen through, or a line names --stop-target."""
    filters: bool = False
    """`filter.py` stands behind the worker."""
    log: str = ""
    """A file beside the folder that must hold all that the worker has printed."""

    def lay(self, folder: Path, worker: str, below: str = "") -> list[str]:
        """Write its files into the folder; the command that runs this worker. Raises MissingError.

        `below` is what {RELOADER} and {COMMAND} stand for.
        """
        words = {
            "WORKER": worker,
            "QUOTED": shlex.quote(worker),
            "PYTHON": PYTHON,
            "RELOADER": below,
            "COMMAND": shlex.quote(below),
            "USER": pwd.getpwuid(os.getuid()).pw_name,
        }

        def filled(text: str) -> str:
            return re.sub(r"\{([A-Z]+)\}", lambda found: words[found[1]], text)

        for name, text in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(filled(text))
            if text.startswith("#!"):
                file.chmod(0o755)
        program, *rest = shlex.split(filled(self.command))
        return [_found(program), *rest]


def _shell(name: str, text: str, *others: str, **options: object) -> Front:
    return Front(name, f"{others[0] if others else 'sh'} -c {shlex.quote(text)}", quiet=True, **options)  # type: ignore[arg-type]


_C = ("runner.c",)
_PY = ("runner.py",)
_RECIPE = {"Makefile": "work:\n\t@{WORKER}\n", "justfile": "work:\n    @{WORKER}\n"}
_PROCFILE = {"Procfile": "worker: {WORKER}\n"}
_PACKAGE = {"package.json": '{"private": true, "scripts": {"work": "{WORKER}"}}\n'}

_ALL = (
    # Shells.
    _shell("a list", "true && {WORKER}"),
    _shell("a sequence", "{WORKER}; true"),
    _shell("a list of bash", "true && {WORKER} && true", "bash"),
    _shell("a login shell", "cd . && {WORKER}; true", "bash -l"),
    _shell("a shell in a shell", 'sh -c "true; {WORKER}; true"; true'),
    _shell("a shell worker behind a list", "true && ./worker.sh && true"),
    Front(
        "a script that passes signals on",
        "./entry.sh",
        {
            "entry.sh": '#!/bin/sh\ntrap \'kill -INT "$child"\' INT TERM\n{WORKER} &\nchild=$!\nwhile kill -0 "$child" 2>/dev/null; do wait "$child"; done\n'
        },
    ),
    # Pipelines.
    _shell("a pipeline to tee", "{WORKER} | tee -a ../log", log="log"),
    _shell("a pipeline to grep", "{WORKER} | grep --line-buffered . | tee -a ../log", log="log"),
    _shell("a pipeline with standard error", "{WORKER} 2>&1 | cat >>../log", log="log"),
    _shell(
        "a pipeline to a filter of one's own",
        "{WORKER} | {PYTHON} filter.py",
        copies=("filter.py",),
        filters=True,
    ),
    _shell("a shell worker in a pipeline", "./worker.sh | tee -a ../log", log="log"),
    # Several.
    _shell(
        "two workers of a shell", "{WORKER} one & {WORKER} two & wait", workers=("one", "two"), tells=True
    ),
    _shell("a process beside the worker", "sleep 600 & {WORKER}; kill $!"),
    # Runners of tasks.
    Front("npm run", "npm run --silent work", _PACKAGE),
    Front(
        "npm run, a shell worker",
        "npm run --silent work",
        {"package.json": _PACKAGE["package.json"].replace("{WORKER}", "./worker.sh")},
    ),
    Front("npx", "npx --no work", {"node_modules/.bin/work": "#!/bin/sh\n{WORKER}\n"}),
    Front("make", "make --silent work", _RECIPE, quiet=True),
    Front(
        "make, a shell worker",
        "make --silent work",
        {"Makefile": "work:\n\t@./worker.sh; true\n"},
        quiet=True,
    ),
    Front("just", "just work", _RECIPE),
    Front(
        "poe",
        "poe --quiet work",
        {"pyproject.toml": '[tool.poe]\nexecutor.type = "simple"\n[tool.poe.tasks]\nwork = "{WORKER}"\n'},
    ),
    Front("go run", "go run main.go {WORKER}", copies=("main.go",), hold=LONGER, waits=False),
    # Programs that run another one.
    Front("env", "env A=b {WORKER}"),
    Front("nice", "nice -n 1 {WORKER}"),
    Front("flock", "flock ../lock {WORKER}", quiet=True),
    Front("timeout", "timeout 600 {WORKER}", quiet=True),
    Front("timeout, a shell worker", "timeout 600 ./worker.sh", quiet=True),
    Front("script", "script -qec {QUOTED} /dev/null"),
    Front("setsid", "setsid --wait {WORKER}", quiet=True),
    Front("sudo", "sudo --non-interactive --user {USER} --preserve-env=MARK {WORKER}"),
    Front("xvfb-run", "xvfb-run --auto-servernum {WORKER}"),
    Front("uv run", "uv run --no-project --offline {WORKER}"),
    Front("dotenv run", "dotenv -f .env run -- {WORKER}", {".env": "A=b\n"}),
    Front("honcho run", "honcho run {WORKER}"),
    # Process managers.
    Front("honcho start", "honcho start", _PROCFILE),
    Front("concurrently", "concurrently --raw {QUOTED}"),
    # Runners that nobody knows.
    *(
        Front(
            f"an unknown runner, {kind}, that {does}",
            f"{command} {mode} {{WORKER}}",
            copies=copies,
            **options,
        )
        for kind, command, copies in (("compiled", "./runner", _C), ("of Python", "{PYTHON} runner.py", _PY))
        for does, mode, options in (
            ("forwards", "forward", {}),
            ("swallows", "swallow", {"swallows": True}),
            ("dies", "die", {"hold": LONGER, "waits": False}),
        )
    ),
)
FRONTS = {front.name: front for front in _ALL}

# Process managers and runners with the command itself below them, by what is typed at the terminal. {RELOADER} is
# `reloader -- WORKER`, {COMMAND} the same as one word.
MANAGERS = {
    front.name: front
    for front in (
        Front("no manager", "{RELOADER}"),
        Front("sh", "sh -c {COMMAND}'; true'"),
        Front("concurrently", "concurrently --raw {COMMAND}"),
        Front(
            "npm run",
            "npm run --silent work",
            {"package.json": '{"private": true, "scripts": {"work": "{RELOADER}"}}\n'},
        ),
        Front("make", "make --silent work", {"Makefile": "work:\n\t@{RELOADER}\n"}),
        Front("just", "just work", {"justfile": "work:\n    @{RELOADER}\n"}),
        Front(
            "poe",
            "poe --quiet work",
            {
                "pyproject.toml": '[tool.poe]\nexecutor.type = "simple"\n[tool.poe.tasks]\nwork = "{RELOADER}"\n'
            },
            hold=1.5,  # it sends the signal once more after 0.8 s
        ),
        Front("honcho start", "honcho start", {"Procfile": "worker: {RELOADER}\n"}),
        Front("honcho run", "honcho run {RELOADER}"),
        Front("uv run", "uv run --no-project --offline {RELOADER}"),
        Front("foreman", "foreman start", {"Procfile": "worker: {RELOADER}\n"}),
    )
}


class Place:
    """A folder with a worker behind this front, and what that has noted."""

    def __init__(
        self, folder: Path, front: Front, below: str = f"{RELOADER} --cold -- {PYTHON} worker.py"
    ) -> None:
        """`below` is what {RELOADER} stands for. Raises MissingError."""
        self.front = front
        self.folder = folder / "site"
        self.notes = folder / "notes"
        self.log = folder / front.log
        self.folder.mkdir(parents=True)
        (folder / "hold").write_text(f"{front.hold}\n")
        for name in ("worker.py", "worker.sh", *front.copies):
            shutil.copy(FILES / name, self.folder / name)
        self.save(1)
        self.command = front.lay(self.folder, f"{PYTHON} worker.py", below)
        if front.command.startswith("sudo"):
            tried = subprocess.run([*self.command[:4], "true"], capture_output=True, check=False)
            if tried.returncode:
                raise MissingError("sudo asks for a password")
        if "runner.c" in front.copies:
            compiler = _found("cc")
            subprocess.run([compiler, "-o", "runner", "runner.c"], cwd=self.folder, check=True)

    def save(self, version: int) -> None:
        """Save the code as a new version."""
        (self.folder / "task.py").write_text(f"VERSION = {version}\n")

    def of(self, version: int, name: str = "worker") -> list[list[str]]:
        """What somebody has noted of a version: the words of each line."""
        try:
            lines = [line.split() for line in self.notes.read_text().splitlines()]
        except FileNotFoundError:
            return []
        return [words for number, who, *words in lines if (number, who) == (str(version), name)]

    def await_note(self, version: int, what: str, shown: Callable[[], str]) -> None:
        """Wait until every worker of this version has noted it."""

        def noted() -> bool:
            return all([what] in self.of(version, name) for name in self.front.workers)

        try:
            eventually(noted, f"{what} by version {version}")
        except AssertionError as error:
            noted_so_far = self.notes.read_text() if self.notes.exists() else ""
            raise AssertionError(f"{error}:\n{noted_so_far}\n{shown()}") from None

    def behind(self, version: int) -> dict[int, str]:
        """Who stands in front of the first worker: pids and names, the nearest first."""
        return {int(words[1]): words[2] for words in self._first(version) if words[0] == "behind"}

    def sleeps(self, version: int) -> dict[int, str]:
        """How often each of those has gone to sleep until now."""
        return {pid: switches_of(pid) for pid in self.behind(version)}

    def slept(self, version: int) -> dict[int, str]:
        """The same as the worker saw it at its end; empty for one that had ended."""
        lines = [words[1:] for words in self._first(version) if words[0] == "front"]
        return {int(pid): times[0] if times else "" for pid, _, *times in lines}

    def _first(self, version: int) -> list[list[str]]:
        return self.of(version, self.front.workers[0])

    def heard(self, version: int, name: str) -> list[str]:
        """The signals that somebody got."""
        return [words[1] for words in self.of(version, name) if words[0] == "signal"]


def keep(front: str, place: str, row: dict[str, object]) -> None:
    """Put a row into the table of the docs, if one is being made; tests run side by side."""
    if not ROWS:
        return
    with open(f"{ROWS}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = json.loads(Path(ROWS).read_text()) if os.path.exists(ROWS) else {}
        rows.setdefault(front, {})[place] = row
        ordered = {name: rows[name] for name in FRONTS if name in rows}
        Path(ROWS).write_text(json.dumps(ordered, indent=2) + "\n")


def switches_of(pid: int) -> str:
    """How often the process has gone to sleep, by proc(5); empty once it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)
    return found[1] if found else ""


def _found(program: str) -> str:
    """The program's path, from our environment, from that of Node, or from the system. Raises MissingError."""
    if "/" in program:
        return program
    own = (str(Path(PYTHON).parent), str(ROOT / ".node-fronts" / "node_modules" / ".bin"))
    path = shutil.which(program, path=os.pathsep.join((*own, os.environ["PATH"])))
    if path is None:
        raise MissingError(f"{program} is not installed")
    return path
