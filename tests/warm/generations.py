"""Two generations of one program, the second after a save: cold, or forked from a template."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Run, save

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
    run: Run


def write_project(folder: Path) -> None:
    """A program as a script, as a package, and as a module of it, and a module that is saved."""
    for name in ("probe.py", "pkg/__main__.py", "pkg/mod.py"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROBE.read_text().replace("USED = (", "import work; USED = (work, "))
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "work.py").write_text("VERSION = 1\n")


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
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    if warm:
        warmed(run)
    how = next_start(run, folder / "work.py")
    run.out.wait_for("ready 2")
    run.stop()
    first, second = (json.loads(Path(f"{dump}.{number}").read_text()) for number in (1, 2))
    return Two(first, second, how, run)


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
