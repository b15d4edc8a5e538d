"""A project in a fresh folder, its broker, somebody who queues tasks, and what became of them."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import queue
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psutil
from fronts import FRONTS
from harness import LIMIT, Run, eventually
from systems import System

ROOT = Path(__file__).parents[2]
PROJECTS = Path(__file__).with_name("projects")
MODULES = ROOT / ".node-queues" / "node_modules"
# With and without a line of its own by which the worker is ready.
READY = r"^reloader +\| (?:(?:\S+ )?ready in \d|\S+ started)"
# The new one has taken the place of the old one, where generations overlap.
HANDED_OVER = r"is at work → draining \S+"
# A worker's start on a busy machine, and a drain.
LONG = 4 * LIMIT
# How long a task of a stream takes, in seconds; one that shall be in flight at a save; and one that certainly
# is, since it takes so long from the stop signal on.
QUICK = 0.02
LONGER = 1.2
HELD = -0.5
# How often a task is queued, in seconds, where it is measured how soon the new code has one.
DENSE = 0.05


def programs(environment: str) -> Path:
    """Where the programs of an environment lie."""
    return ROOT / f".venv-{environment}" / "bin"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock against other processes of this run of the tests."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Servers:
    """The connection to the servers, which are shared by the processes of a run of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        address = folder / "servers"
        self._connection = socket.socket(socket.AF_UNIX)
        with locked(folder / "servers.lock"):
            try:
                self._connection.connect(address.read_text())
            except OSError:
                command = [programs("queues") / "python", Path(__file__).with_name("servers.py")]
                with (folder / "servers.log").open("ab") as log:
                    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=True)
                self._connection.connect(made.stdout.strip())
                address.write_text(made.stdout.strip())
        self._file = self._connection.makefile("rw")

    def ask(self, *request: object) -> Any:
        """One request, as `servers.py` describes them."""
        self._file.write(json.dumps(request) + "\n")
        self._file.flush()
        answer = self._file.readline()
        assert answer, f"the servers failed: {(self.folder / 'servers.log').read_text()}"
        return json.loads(answer)

    def close(self) -> None:
        """We need them no longer."""
        self._file.close()
        self._connection.close()


@dataclass(frozen=True)
class Note:
    """What a task has said of itself."""

    number: int
    what: str
    version: int
    pid: int
    generation: int = 0
    """That of the worker it ran in; 0 where it does not tell."""


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one with its number."""

    pid: int
    born: float

    @staticmethod
    def all_of(pids: Sequence[int]) -> set[Process]:
        """Those of them that are still there."""
        found = set()
        for pid in pids:
            try:
                found.add(Process(pid, psutil.Process(pid).create_time()))
            except psutil.NoSuchProcess:
                continue
        return found


class Workshop:
    """One system at work. Everything it writes at run time lies beside the project, not in it."""

    def __init__(self, system: System, folder: Path, servers: Servers, start: Callable[..., Run]) -> None:
        self.system = system
        self.folder = folder / "site"
        self._start = start
        self._notes = folder / "notes"
        self._feeder: Feeder | None = None
        for project in system.projects:
            shutil.copytree(
                PROJECTS / project,
                self.folder,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        self.environment = {
            "PATH": f"{programs(system.environment)}:{os.environ['PATH']}",
            "NOTES": str(self._notes),
            "INBOX": str(folder / "inbox"),
            "SQLITE": str(folder / "db.sqlite3"),
            "NODE_PATH": str(MODULES),
        } | dict(system.env)
        if "redis" in system.broker:
            port, database = servers.ask("redis")
            self.environment |= {"REDIS_URL": f"redis://127.0.0.1:{port}/{database}"}
        name = f"{os.getpid()}-{folder.parent.name}-{folder.name}"[-60:]
        template = self._prepare(servers)
        if "postgres" in system.broker:
            place = servers.ask("postgres", name, template)
            self.environment |= {"PGHOST": str(place), "PGDATABASE": name, "PGUSER": "postgres"}

    def _prepare(self, servers: Servers) -> str | None:
        """Make the tables once for all tests, and take a copy; the name of the database to copy."""
        system = self.system
        if not system.prepare:
            return None
        laid = "-".join(system.projects).replace("/", "-")
        key = f"prepared-{laid}-{'postgres' if 'postgres' in system.broker else 'sqlite'}"
        prepared = servers.folder / key
        with locked(servers.folder / f"{key}.lock"):
            if not prepared.exists():
                environment = dict(self.environment)
                if "postgres" in system.broker:
                    place = servers.ask("postgres", key, None)
                    environment |= {"PGHOST": str(place), "PGDATABASE": key, "PGUSER": "postgres"}
                for command in system.prepare:
                    self.run(*command, environment=environment)
                if "postgres" in system.broker:
                    prepared.touch()
                else:
                    shutil.copyfile(self.environment["SQLITE"], prepared)
            elif "postgres" not in system.broker:
                shutil.copyfile(prepared, self.environment["SQLITE"])
        return key if "postgres" in system.broker else None

    def run(self, *command: str, environment: dict[str, str] | None = None) -> str:
        """Run a command of the project to its end; what it printed."""
        made = subprocess.run(
            [self._program(command[0]), *command[1:]],
            cwd=self.folder,
            env={**os.environ, **(environment or self.environment)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert made.returncode == 0, f"{command}:\n{made.stdout}{made.stderr}"
        return made.stdout

    def _program(self, name: str) -> str:
        return shutil.which(name, path=self.environment["PATH"]) or name

    def start(self, *options: str, command: Sequence[str] | None = None) -> Run:
        """Start the worker under reloader, and somebody who queues beside it. Raises MissingError of its front."""
        words = command or self.system.command
        if self.system.front:
            words = FRONTS[self.system.front].lay(self.folder, shlex.join(words))
            options = ("--tty", "always", *options)
        run = self._start(
            *options,
            "--",
            *words,
            folder=self.folder,
            env=self.environment,
        )
        if os.path.exists(self.folder / "feeding.py") or "node" in self.system.feeder:
            _ = self.feeder
        return run

    @cached_property
    def feeder(self) -> Feeder:
        """Who queues the tasks."""
        command = [self._program(self.system.feeder[0]), *self.system.feeder[1:]]
        # It keeps to the code that it began with, as a web server would that nobody restarts.
        self._feeder = Feeder(command, self.folder, {**os.environ, **self.environment})
        return self._feeder

    def queue(self, number: int, seconds: float = 0.0) -> None:
        """Queue one task; returns once the broker has it."""
        self.feeder.queue(number, seconds)

    def release(self, number: int) -> None:
        """Let a task end that is held."""
        Path(f"{self._notes}.{number}").touch()

    def save(self, version: int) -> None:
        """Save the tasks with another version, whole, as editors do that write a new file and rename it.

        In a file that is written in place there is nothing for a moment, and a worker that imports it just
        then fails the task: several import a module at its first task.
        """
        path = self.folder / self.system.source
        text = re.sub(r"(VERSION ?= ?)\d+", rf"\g<1>{version}", path.read_text(), count=1)
        fresh = path.with_name(f".{path.name}.swp")
        fresh.write_text(text)
        shutil.copymode(path, fresh)
        fresh.replace(path)

    @property
    def notes(self) -> list[Note]:
        """What all tasks have said, in order."""
        try:
            lines = self._notes.read_text().splitlines()
        except FileNotFoundError:
            return []
        fields = (line.split() for line in lines)
        return [Note(int(number), what, *map(int, rest)) for number, what, *rest in fields]

    def of(self, number: int) -> list[tuple[str, int]]:
        """What became of one task: words and versions."""
        return [(note.what, note.version) for note in self.notes if note.number == number]

    def has_run(self, version: int) -> bool:
        """Whether a task has begun on this version."""
        return any(note.version == version for note in self.notes)

    def serves(self, version: int) -> bool:
        """Whether the generation that this version was saved for has begun a task, with that version.

        An older one may import a module at its first task, or for each, and so have the new version too.
        """
        return any((note.version, note.generation) == (version, version) for note in self.notes)

    def await_begin(self, number: int) -> None:
        """Wait until the task has begun."""
        eventually(lambda: self.of(number), f"task {number} has begun", LONG)

    def await_end(self, number: int) -> None:
        """Wait until the task has ended."""
        ended = lambda: any(what == "ended" for what, _ in self.of(number))  # noqa: E731
        eventually(ended, f"task {number} has ended", LONG)

    def kept(self) -> frozenset[int]:
        """The tasks that the system has put aside."""
        return frozenset(map(int, self.run(*self.system.kept).split())) if self.system.kept else frozenset()

    def close(self) -> None:
        """Whoever queued goes home."""
        if self._feeder is not None:
            self._feeder.close()


class Feeder:
    """A process of the application that queues tasks."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr.fileno() if hasattr(sys.stderr, "fileno") else None,
            text=True,
        )
        self._is_open = False

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "whoever queues tasks has failed"
        return line

    def queue(self, number: int, seconds: float) -> None:
        """Queue one task; returns once the broker has it."""
        if not self._is_open:
            assert self._answer() == "open"
            self._is_open = True
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number} {seconds}\n")
        self._process.stdin.flush()
        assert self._answer() == f"queued {number}"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class Outcome:
    """What a stream of tasks under reloads came to."""

    reloads: int
    tasks: int
    lost: list[int]
    """Neither done nor put aside."""
    kept: list[int]
    """Not done, but the system knows of them: it has put them aside."""
    doubled: list[int]
    left: list[Process]
    killed: int
    """How often the stop timeout was reached."""
    versions: int
    """How many versions of the code have run a task."""


def await_ends(run: Run, number: int) -> None:
    """Wait until so many generations have ended because another one was at work."""

    def have_ended() -> bool:
        return run.err.text.count(" ended after ") + run.err.text.count("→ SIGKILL") >= number

    try:
        eventually(have_ended, "all that were replaced have ended", 2 * LONG)
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{run.err.text}\n{run.out.text}") from None


def saves_at_a_long_task(
    workshop: Workshop,
    run: Run,
    saves: int,
    seconds: float,
    alone: AbstractContextManager[object] | None = None,
    settled: bool = False,
) -> list[float]:
    """Save so often while one task takes so long, or as long as that takes; the seconds from each save until the
    new code had a task. `alone` is entered while that is measured. With `settled` a save comes once all have ended
    that have been replaced, but for the one with the long task; else it may find as many draining as are allowed.

    The worker is ready before. Returns once all is done; raises AssertionError where a task was lost, cut or
    done twice.
    """
    system = workshop.system
    counter = itertools.count(2)
    workshop.queue(0)
    workshop.await_end(0)
    workshop.queue(1, HELD)
    workshop.await_begin(1)
    ends_at = time.monotonic() + seconds
    pause = threading.Event()
    times = []
    with alone or nullcontext():
        for version in range(2, saves + 2):
            # See System.always; the first generation is at the long task already.
            held = [next(counter) for _ in range(system.busy - (version == 2) if system.always else 0)]
            for number in held:
                workshop.queue(number, HELD)
            for number in held:
                workshop.await_begin(number)
            began = time.monotonic()
            workshop.save(version)
            while not workshop.serves(version):
                assert time.monotonic() - began < LONG, f"version {version} never serves:\n{run.err.text}"
                workshop.queue(next(counter))
                until = time.monotonic() + DENSE
                while time.monotonic() < until and not workshop.serves(version):
                    pause.wait(0.005)
            times.append(time.monotonic() - began)
            run.err.wait_for(HANDED_OVER, LONG)
            for number in held:
                workshop.release(number)
            if settled:
                await_ends(run, version - 2)
    assert workshop.of(1) == [("began", 1)], "the long task is in flight all the while"
    pause.wait(max(0.0, ends_at + HELD - time.monotonic()))
    workshop.release(1)
    for number in (queued := range(next(counter))):
        if workshop.of(number) or not system.calm:
            workshop.await_end(number)
    await_ends(run, saves)
    assert workshop.of(1) == [("began", 1), ("ended", 1)]
    for number in queued:
        told = [what for what, _ in workshop.of(number)]
        assert told == ["began", "ended"] or (system.calm and not told)
    return times


def stream(workshop: Workshop, run: Run, reloads: int, overlap: bool = False) -> Outcome:
    """Reload so many times while numbered tasks come steadily; the worker is ready before and after.

    With overlap the next save comes as soon as the new code serves, whether or not the old one has ended.
    """
    system = workshop.system
    over = threading.Event()
    turn = threading.Lock()
    failed: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    queued: list[int] = []

    def add(seconds: float) -> int:
        with turn:
            queued.append(len(queued) + 1)
            workshop.queue(queued[-1], seconds)
            return queued[-1]

    def feed() -> None:
        try:
            while not over.wait(system.pace):
                add(QUICK)
        except BaseException as error:
            failed.put(error)

    feeding = threading.Thread(target=feed)
    feeding.start()
    left: list[Process] = []
    old: set[Process] = set()
    try:
        for version in range(2, reloads + 2):
            before = Process.all_of(run.workers())
            longer = []
            if system.always or version % 2 == 0:
                longer = [add(HELD if system.always else LONGER) for _ in range(system.busy)]
                try:
                    for number in longer:
                        workshop.await_begin(number)
                except AssertionError:
                    # What a system loses is counted in the end; one that does nothing any more is seen below.
                    pass
            with turn if system.calm else nullcontext():
                workshop.save(version)
                run.err.wait_for(HANDED_OVER if overlap else r"→ draining", LONG)
                for number in longer:
                    workshop.release(number)
                if not overlap:
                    run.err.wait_for(READY, LONG)
                elif system.calm:
                    await_ends(run, version - 1)
            if overlap:
                old |= before
                eventually(partial(workshop.serves, version), f"generation {version} runs a task", LONG)
                continue
            left += before & Process.all_of(run.workers())
            eventually(partial(workshop.has_run, version), f"version {version} runs a task", LONG)
        if overlap:
            await_ends(run, reloads)
            left += old & Process.all_of(run.workers())
    finally:
        over.set()
        feeding.join()
    if not failed.empty():
        raise failed.get()
    missing = frozenset(queued)
    patience = time.monotonic() + LONG
    pause = threading.Event()
    while missing and time.monotonic() < patience:
        pause.wait(0.05)
        left_over = frozenset(queued) - {note.number for note in workshop.notes if note.what == "ended"}
        if left_over < missing:
            missing, patience = left_over, time.monotonic() + LIMIT
    kept = missing & workshop.kept() if missing else frozenset()
    began = Counter(note.number for note in workshop.notes if note.what == "began")
    return Outcome(
        reloads,
        len(queued),
        sorted(missing - kept),
        sorted(kept),
        sorted(number for number, times in began.items() if times > 1),
        left,
        run.err.text.count("→ SIGKILL"),
        len({note.version for note in workshop.notes}),
    )
