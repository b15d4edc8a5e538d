"""A small project to be watched, and the worker in it that tells when what happens to it.

All times are of CLOCK_MONOTONIC in nanoseconds, which is the same clock in every process.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PACKAGES = 20
MODULES = 9
# Whatever must happen has happened after this, in seconds, or the run is given up.
LIMIT = 20.0

WORKER = """\
import time

FIRST = time.monotonic_ns()

import os
import signal

STAMPS = os.open(os.environ["BENCHMARK_STAMPS"], os.O_WRONLY)


def tell(kind, when, detail):
    os.write(STAMPS, f"{kind} {when} {os.getpid()} {detail}\\n".encode())


def stop(number, frame):
    tell("stop", time.monotonic_ns(), number)
    raise SystemExit


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)

from package_07.module_3 import VERSION

tell("up", FIRST, VERSION)
while True:
    signal.pause()
"""

MODULE = """\
VERSION = {version}


def double(number):
    return 2 * number


def greet(name):
    return f"Hello, {{name}}"
"""


class Late(Exception):  # noqa: N818 - what happened
    """Something that must happen did not, in LIMIT."""


@dataclass(frozen=True)
class Stamp:
    """What a worker told.

    `up`, once it can be stopped: when its first statement ran and, as detail, which version it runs.
    `stop`: when its handler was entered and, as detail, by which signal.
    """

    kind: str
    when: int
    pid: int
    detail: int


class Playground:
    """The project, in a new folder below `base`, and the pipe that its worker writes to."""

    def __init__(self, base: Path, name: str) -> None:
        self.folder = base / name
        self.version = 0
        self._saved = self.folder / "package_07" / "module_3.py"
        self._make()
        self.stamps = base / f"{name}.stamps"
        os.mkfifo(self.stamps)
        # Open for writing too: without a writer the pipe would be at its end between two workers.
        self._pipe = os.open(self.stamps, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""
        self._waiting: list[Stamp] = []

    def _make(self) -> None:
        for package in range(PACKAGES):
            folder = self.folder / f"package_{package:02}"
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
            for module in range(MODULES):
                (folder / f"module_{module}.py").write_text(MODULE.format(version=0))
        (self.folder / "worker.py").write_text(WORKER)
        (self.folder / "pyproject.toml").write_text('[project]\nname = "playground"\nversion = "1"\n')
        (self.folder / ".gitignore").write_text("__pycache__/\n*.py[cod]\n.venv/\n/build/\n")
        if shutil.which("git"):
            subprocess.run(["git", "init", "--quiet"], cwd=self.folder, check=True)

    @property
    def files(self) -> int:
        """How many files a watcher of Python code has to know, those of version control left out."""
        return sum(1 for path in self.folder.rglob("*.*") if ".git" not in path.parts and path.is_file())

    def save(self) -> int:
        """Save the next version of a module in place, as most editors do; when the saving began.

        Every version has another size: Python takes cached bytecode as fresh when a file was saved twice
        within a second without it, and runs the old code under a tool that does not mind.
        """
        self.version += 1
        text = MODULE.format(version=self.version) + "#" * self.version
        began = time.monotonic_ns()
        self._saved.write_text(text)
        return began

    def wait(self, kind: str, limit: float = LIMIT) -> Stamp:
        """The next stamp of this kind; others before it are dropped. Raises Late."""
        deadline = time.monotonic() + limit
        while True:
            while self._waiting:
                stamp = self._waiting.pop(0)
                if stamp.kind == kind:
                    return stamp
            self._read(deadline, kind)

    def _read(self, deadline: float, kind: str) -> None:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._pipe], [], [], left)[0]:
            raise Late(f"no {kind!r} from the worker in {self.folder.name}")
        *lines, self._rest = (self._rest + os.read(self._pipe, 1 << 16)).split(b"\n")
        for line in lines:
            word, when, pid, detail = line.decode().split()
            self._waiting.append(Stamp(word, int(when), int(pid), int(detail)))

    def forget(self) -> None:
        """Drop what was told and not waited for."""
        while select.select([self._pipe], [], [], 0)[0]:
            os.read(self._pipe, 1 << 16)
        self._waiting.clear()
        self._rest = b""

    def close(self) -> None:
        """Close the pipe; the folder belongs to whoever made its base."""
        os.close(self._pipe)
