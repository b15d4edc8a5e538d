"""Two generations of one program, the second after a save: cold, or forked from a template."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Run, Stream, eventually, save

PROBE = Path(__file__).with_name("probe.py")
PYTHON = sys.executable
Start = Callable[..., Run]
Dump = dict[str, Any]


@dataclass
class Two:
    """What two generations have told, and how the second was started."""

    first: Dump
    second: Dump
    how: str


def write_project(folder: Path) -> None:
    """A program as a script, as a package, and as a module of it, and a module that is saved."""
    for name in ("probe.py", "pkg/__main__.py", "pkg/mod.py"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROBE.read_text().replace("USED = (", "import work; USED = (work, "))
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "work.py").write_text("VERSION = 1\n")


def comes(stream: Stream, text: str) -> None:
    """Wait until the text is somewhere in what has come; unlike a match, it may have been passed over."""
    eventually(lambda: text in stream.text, f"{text!r} comes in:\n{stream.text}")


def warmed(run: Run) -> None:
    """Wait until the next start is warm."""
    run.err.wait_for(r"modules? preloaded in")


def next_start(run: Run, work: Path, text: str = "") -> str:
    """Save, wait for the next generation to start; `warm`, or why it was cold."""
    seen = len(run.err.text)
    save(work, text or f"VERSION = {os.urandom(4).hex()!r}\n")
    found = run.err.wait_for(r"(?:started|ready) in \S+ s \(detect .*?(?:, (warm)|, cold: (.*))?\)$")
    assert len(run.err.text) > seen
    return (found[1] or found[2] or b"").decode()


def run_twice(
    start: Start,
    folder: Path,
    command: Sequence[str],
    *,
    warm: bool,
    env: dict[str, str] | None = None,
    work: Path | None = None,
    **options: Any,
) -> Two:
    """Run it; both generations have ended when this returns."""
    dump = folder / "dumps" / "dump"
    dump.parent.mkdir(exist_ok=True)
    for old in dump.parent.iterdir():
        old.unlink()
    environment = {"DUMP": str(dump), "XDG_CACHE_HOME": str(folder / ".cache")} | (env or {})
    arguments = [
        "-v",
        "--warm" if warm else "--cold",
        "--ready",
        "^ready",
        "-w",
        str(folder),
        "--ignore",
        "dumps/",
    ]
    run = start(*arguments, "--", *command, folder=folder, env=environment, **options)
    # In any order, since both streams may be one.
    for text in ("ready 1", "watching", "ready in", *(["preloaded in"] if warm else [])):
        comes(run.out if text == "ready 1" else run.err, text)
    how = next_start(run, work or folder / "work.py")
    comes(run.out, "ready 2")
    run.stop()
    first, second = (json.loads(Path(f"{dump}.{number}").read_text()) for number in (1, 2))
    return Two(first, second, how)


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Every place in which the two are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for key in sorted(one.keys() | other.keys()):
            found += differences(one.get(key, "missing"), other.get(key, "missing"), f"{where}.{key}")
        return found
    if isinstance(one, list) and isinstance(other, list):
        both = [part for part in one if part in other]
        one, other = ([part for part in each if part not in both] or each for each in (one, other))
    return [] if one == other else [f"{where}: {_short(one)} / {_short(other)}"]


def _short(anything: Any) -> str:
    return re.sub(r"\s+", " ", repr(anything))[:400]


# --- a program in an environment of its own -------------------------------------------------------

WORKER = """
import os, sys, time
{imports}
import work

print("ready", os.environ["RELOADER_GENERATION"], *work.tell(sys.modules), flush=True)
while True:
    time.sleep(60)
"""
# So that there is always something to preload.
TELL = "import json\ndef tell(modules):\n    return [m.VERSION for m in modules.values() if hasattr(m, 'VERSION')]\n"


class Environment:
    """An environment in the program's folder, with modules that are written there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
        self.python = str(folder / ".venv" / "bin" / "python")
        self.site = next((folder / ".venv" / "lib").glob("python*")) / "site-packages"
        self.work = folder / "work.py"
        self.cache = folder / ".cache"

    def install(self, **modules: str) -> None:
        """Put modules or packages there."""
        for name, text in modules.items():
            write(self.site / f"{name}.py", text)

    def begin(
        self,
        start: Start,
        imports: str,
        *options: str,
        env: dict[str, str] | None = None,
        command: Sequence[str] = (),
        **others: Any,
    ) -> Run:
        """Start a program that has these lines first."""
        write(self.folder / "worker.py", WORKER.format(imports=imports))
        write(self.work, TELL)
        words = ["-v", "--ready", "^ready", *options, "--", *(command or (self.python, "worker.py"))]
        variables = {"XDG_CACHE_HOME": str(self.cache)} | (env or {})
        run = start(*words, folder=self.folder, env=variables, **others)
        run.err.wait_for("watching")
        return run

    def again(self, run: Run) -> str:
        """Save, and wait for the next generation to be ready; how it was started."""
        return next_start(
            run, self.work, f"{TELL}# {os.urandom(4).hex()}\nUNUSED = {os.urandom(4).hex()!r}\n"
        )

    def left_out(self) -> dict[str, str]:
        """What is not preloaded, and why, as it is kept between runs."""
        (kept,) = (self.cache / "reloader").glob("preload-*.json")
        found: dict[str, str] = json.loads(kept.read_text())["left_out"]
        return found

    def preloaded(self, run: Run) -> set[str]:
        """What the last worker had at its first line, as its template was kept."""
        (kept,) = (self.cache / "reloader").glob("preload-*.json")
        found = json.loads(kept.read_text())
        return set(found["record"][0]) - set(found["left_out"])


def write(path: Path, text: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
