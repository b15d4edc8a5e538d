"""The log path: how fast a worker's lines reach a reader through a tool, and whether all of them do."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from peers import PYTHON, Tool, environment, program
from playground import LIMIT, Late

LINE = 100
# Bytes that the reader takes at once; its pipe is left at the system's default size, as a terminal's is.
CHUNK = 1 << 20

FLOOD = f"""\
import os
import sys

block = (b"x" * {LINE - 2} + b"#\\n") * 500
for _ in range(int(sys.argv[1]) // 500):
    rest = block
    while rest:
        rest = rest[os.write(1, rest):]
"""


@dataclass
class Flood:
    """What came of it: megabytes (10^6 bytes) of the worker's own bytes in a second, once a round."""

    tool: Tool
    lines: int
    rates: list[float] = field(default_factory=list)
    prefix: int = 0
    """How many bytes the tool puts before every line."""


@dataclass
class _Way:
    tool: Tool
    lines: int
    talks: bool = False
    """It mixes lines of its own with the worker's, so only the worker's lines can be counted."""


def floods(base: Path, lines: int, rounds: int, report: Callable[[str], None]) -> list[Flood]:
    """Every way once a round. Raises Late when bytes are missing, AssertionError when there are more."""
    folder = base / "flood"
    folder.mkdir()
    (folder / "flood.py").write_text(FLOOD)
    ways = _ways(folder, lines)
    found = [Flood(way.tool, way.lines) for way in ways]
    for number in range(1, rounds + 1):
        report(f"log path {number} of {rounds}")
        for way, flood in zip(ways, found, strict=True):
            _run(way, flood, folder)
    return found


def _ways(folder: Path, lines: int) -> list[_Way]:
    flood = (PYTHON, "flood.py", str(lines))
    shown = " ".join(flood)
    reloader = program("reloader")
    start = (reloader,) if reloader else (PYTHON, "-m", "reloader")
    ways = [
        _Way(Tool("pipe, nothing between", "", flood), lines),
        _Way(Tool("cat", "", ("sh", "-c", f"{shown} | cat")), lines),
        _Way(Tool("reloader", "", (*start, "--", *flood)), lines),
    ]
    honcho = program("honcho")
    if honcho:
        fewer = max(500, lines // 50)
        (folder / "Procfile").write_text(f"worker: {PYTHON} flood.py {fewer}\n")
        version = subprocess.run([honcho, "version"], capture_output=True, text=True, check=True).stdout
        ways.append(_Way(Tool("honcho", version.split()[-1], (honcho, "start")), fewer, talks=True))
    return ways


def _run(way: _Way, flood: Flood, folder: Path) -> None:
    process = subprocess.Popen(
        way.tool.command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as out:
        try:
            taken, marks, first, seconds = _take(out.fileno(), way)
            process.terminate()
            taken += _rest(out.fileno(), way)
        finally:
            process.kill()
            process.wait()
    assert marks == way.lines, f"{way.tool.name}: {marks} lines of {way.lines}"
    flood.prefix = len(first) - LINE
    if not way.talks:
        expected = way.lines * len(first)
        assert taken == expected, f"{way.tool.name}: {taken} bytes, not {expected}"
    flood.rates.append(way.lines * LINE / 1e6 / seconds)


def _take(fd: int, way: _Way) -> tuple[int, int, bytes, float]:
    """Read until every line has come: bytes, lines, one line, and the seconds since the first byte."""
    taken = marks = 0
    first = b""
    began = 0.0
    deadline = time.monotonic() + 3 * LIMIT
    while marks < way.lines:
        chunk = _read(fd, deadline, way)
        if not chunk:
            raise Late(f"{way.tool.name}: ended after {marks} of {way.lines} lines")
        if not first and b"#\n" in chunk:
            first = chunk[: chunk.index(b"#\n") + 1].rpartition(b"\n")[2] + b"\n"
        began = began or time.monotonic()
        taken += len(chunk)
        marks += chunk.count(b"#")
    return taken, marks, first, time.monotonic() - began


def _rest(fd: int, way: _Way) -> int:
    """How many bytes come after the last line, until nobody can write any more."""
    taken = 0
    deadline = time.monotonic() + LIMIT
    while chunk := _read(fd, deadline, way):
        taken += len(chunk)
    return taken


def _read(fd: int, deadline: float, way: _Way) -> bytes:
    if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
        raise Late(f"{way.tool.name}: its lines, or its end, do not come")
    return os.read(fd, CHUNK)
