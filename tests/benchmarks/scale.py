"""Large trees, and saves that change nothing: what they cost and what they cause, tool by tool."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measure import SETTLE, cpu_time, memory_of, pause
from peers import Running, Tool
from playground import Late, Playground

# Folders and files of both large trees, the playground's own left out; of the first most are ignored.
FOLDERS = 20_000
FILES_EACH = 5
KEPT = 400
# Events in an ignored folder, and how long after the last of them the CPU time is still counted, in seconds.
BURST = 50_000
AFTER = 2.0
# A tool that has not stopped the worker after this, in seconds, does not restart for what was done.
PATIENCE = 4.0
# How long an idle tool is looked at, in seconds.
IDLE = 10.0
# What a tool does after a start, such as reading files in the background, is done after this, in seconds.
REST = 30.0
# The files whose contents are kept: how many, and how large each is, in bytes.
SOURCES = 10_000
SOURCE_SIZE = 10_000


@dataclass
class Scale:
    """What one tool made of one tree. Times are in seconds from the worker's first statement."""

    noticed: float | None = None
    """Until the stop signal for a save made right after the start; None if that save was missed."""
    stood: float | None = None
    """Until as many watches stand as will; None where there are none or their number is unknown."""
    watches: int = 0
    idle: float = 0.0
    """CPU, in percent of a core."""
    burst: float = 0.0
    """CPU time for the events in an ignored folder, in seconds."""
    memory: float = 0.0
    """PSS in megabytes."""


@dataclass
class Saves:
    """Whether a tool restarts for a save that changes nothing."""

    causes: dict[str, bool] = field(default_factory=dict)


def large_trees(
    tools: Sequence[Tool], base: Path, report: Callable[[str], None]
) -> tuple[dict[str, Scale], dict[str, Scale]]:
    """A tree of which most is ignored, and one that is all kept."""
    pruned, kept = Playground(base, "pruned"), Playground(base, "kept")
    _fill(pruned.folder, KEPT)
    _fill(kept.folder, FOLDERS)
    found = []
    for playground, folders in ((pruned, KEPT), (kept, FOLDERS)):
        figures: dict[str, Scale] = {}
        for tool in tools:
            report(f"{playground.folder.name} tree: {tool.name}")
            figures[tool.name] = _one(tool, playground, folders, burst=playground is pruned)
        found.append(figures)
        playground.close()
        shutil.rmtree(playground.folder)
    return found[0], found[1]


def _fill(folder: Path, kept: int) -> None:
    """20,000 folders of five files; as many as are not kept lie in ignored folders."""
    tops = itertools.cycle(("node_modules", ".venv/lib/site-packages", ".git/modules"))
    places: Iterator[Path] = (
        folder / "source" / f"part_{n // 100:03}" / f"m_{n % 100:02}" for n in range(kept)
    )
    ignored = (folder / next(tops) / f"part_{n // 100:03}" / f"m_{n % 100:02}" for n in range(FOLDERS - kept))
    for place in itertools.chain(places, ignored):
        place.mkdir(parents=True)
        for number in range(FILES_EACH):
            (place / f"f_{number}.py").write_text("VALUE = 1\n")
    if kept < FOLDERS:
        (folder / ".venv" / "pyvenv.cfg").touch()


def _one(tool: Tool, playground: Playground, folders: int, burst: bool) -> Scale:
    found = Scale()
    pause()
    try:
        running = Running(tool, playground)
    except Late:
        return found
    try:
        saved = playground.save()
        try:
            found.noticed = (running.wait("stop", 3 * PATIENCE).when - saved) / 1e9
            running.wait_for_new_code()
        except Late:
            pass
        _await_rest(running)
        found.watches = _watches(running)
        before, began = cpu_time(running), time.monotonic_ns()
        time.sleep(IDLE)
        found.idle = 100 * (cpu_time(running) - before) / (time.monotonic_ns() - began)
        if burst:
            before = cpu_time(running)
            noise = playground.folder / "node_modules" / "noise"
            noise.mkdir()
            for number in range(BURST):
                (noise / str(number % 100)).touch()
            time.sleep(AFTER)
            found.burst = max(0.0, (cpu_time(running) - before) / 1e9 - found.idle / 100 * AFTER)
            shutil.rmtree(noise)
        found.memory = sum(memory_of(pid)[0] for pid in running.own_processes())
    finally:
        running.stop()
    if found.watches:
        try:
            found.stood = _until_watches(tool, playground, found.watches)
        except Late:
            pass  # it could not start once more
    return found


def _until_watches(tool: Tool, playground: Playground, wanted: int) -> float | None:
    """Seconds from the worker's first statement until that many watches stand."""
    pause()
    running = Running(tool, playground)
    try:
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            if _watches(running) >= wanted:
                return max(0.0, (time.monotonic_ns() - running.up.when) / 1e9)
            # To count 20,000 watches takes the kernel long, and keeps others from adding some.
            time.sleep(0.01 if wanted < 2_000 else 0.05)
        return None
    finally:
        running.stop()


def _watches(running: Running) -> int:
    """How many watches of inotify the tool's own processes hold."""
    held = 0
    for pid in running.own_processes():
        try:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(link) == "anon_inode:inotify":
                    held += Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().count("inotify wd:")
        except OSError:
            continue  # it has ended
    return held


# --- saves that change nothing --------------------------------------------------------------------


def _touch(path: Path) -> None:
    path.touch()


def _same(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def _mode(path: Path) -> None:
    path.chmod(path.stat().st_mode ^ 0o100)


def _comment(path: Path) -> None:
    path.write_text(path.read_text() + f"# seen {time.monotonic_ns()}\n")


def _formatted(path: Path) -> None:
    path.write_text(path.read_text().replace("return 2 * number", "return  2  *  number"))


def _broken(path: Path) -> None:
    path.write_text(path.read_text() + "def half(\n")


WAYS: dict[str, Callable[[Path], None]] = {
    "touch": _touch,
    "the same bytes": _same,
    "chmod": _mode,
    "a comment": _comment,
    "formatting": _formatted,
    "a syntax error": _broken,
}


def idle_saves(tools: Sequence[Tool], base: Path, report: Callable[[str], None]) -> dict[str, Saves]:
    """Which saves that change nothing, or break everything, stop a worker."""
    found = {}
    for tool in tools:
        report(f"saves that change nothing: {tool.name}")
        playground = Playground(base, f"saves-{tool.name}")
        found[tool.name] = Saves()
        running = Running(tool, playground)
        try:
            running.warm_up()
        except Late as late:
            report(str(late))
            running.stop()
            continue
        time.sleep(SETTLE)
        saved = playground.folder / "package_07" / "module_3.py"
        for name, way in WAYS.items():
            playground.forget()
            way(saved)
            try:
                running.wait("stop", PATIENCE)
            except Late:
                found[tool.name].causes[name] = False
                continue
            found[tool.name].causes[name] = True
            time.sleep(PATIENCE)
        running.stop()
        playground.close()
    return found


# --- contents -------------------------------------------------------------------------------------


def contents(tool: Tool, base: Path, report: Callable[[str], None]) -> tuple[float, float]:
    """Memory (PSS, in megabytes) with 10,000 files of 10 KB: with their contents kept, and without.

    The files are made of the standard library's own sources, no two of them alike.
    """
    playground = Playground(base, "contents")
    _fill_with_sources(playground.folder / "source")
    found = []
    for words in ((), ("--restart-on", "any")):
        report(f"contents of {SOURCES:,} files {' '.join(words)}")
        at = tool.command.index("--")
        running = Running(
            Tool(tool.name, tool.version, (*tool.command[:at], *words, *tool.command[at:])), playground
        )
        _await_rest(running)
        found.append(sum(memory_of(pid)[0] for pid in running.own_processes()))
        running.stop()
    playground.close()
    shutil.rmtree(playground.folder)
    return found[0], found[1]


def _await_rest(running: Running) -> None:
    """Wait until it has used no CPU worth mentioning for a while; some never rest."""
    used = -1
    deadline = time.monotonic() + REST
    while (now := cpu_time(running)) - used > 10_000_000 and time.monotonic() < deadline:
        used = now
        time.sleep(SETTLE)


def _fill_with_sources(folder: Path) -> None:
    library = Path(os.__file__).parent
    text = "".join(
        path.read_text("utf-8", "replace")
        for path in sorted(library.glob("*.py")) + sorted(library.glob("*/*.py"))
        if "site-packages" not in path.parts
    )
    step = max(1, (len(text) - SOURCE_SIZE) // SOURCES)
    for number in range(SOURCES):
        place = folder / f"part_{number // 100:03}"
        place.mkdir(parents=True, exist_ok=True)
        piece = text[number * step : number * step + SOURCE_SIZE]
        (place / f"m_{number % 100:02}.py").write_text(piece, "utf-8", "replace")
