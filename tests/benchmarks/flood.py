"""The log path: how fast a worker's lines reach a reader through a tool, how soon one does, and whether all do."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from measure import Sample
from peers import PYTHON, Tool, environment, parent_of, program
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

# A line at a time, each with the moment before it was written.
DROPS = f"""\
import os
import sys
import time

for _ in range(int(sys.argv[1])):
    time.sleep(0.005)
    line = b"@%d@" % time.monotonic_ns()
    os.write(1, line + b"x" * ({LINE - 2} - len(line)) + b"#\\n")
"""
DROPS_EACH = 200
# The CPU time of a tool's processes is looked at this often, in seconds: it may end with the last line.
LOOK = 0.02
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass
class Flood:
    """What came of it: megabytes (10^6 bytes) of the worker's own bytes in a second, once a round.

    `cpu` is the time that the tool itself used for it, in seconds for a million lines, `latency` the
    milliseconds from before a single line was written until it was read.
    """

    tool: Tool
    lines: int
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    latency: Sample = field(default_factory=Sample)
    prefix: int = 0
    """How many bytes the tool puts before every line."""


@dataclass
class _Way:
    tool: Tool
    lines: int
    drops: Tool
    talks: bool = False
    """It mixes lines of its own with the worker's, so only the worker's lines can be counted."""


def floods(base: Path, lines: int, rounds: int, report: Callable[[str], None]) -> list[Flood]:
    """Every way once a round. Raises Late when bytes are missing, AssertionError when there are more."""
    folder = base / "flood"
    folder.mkdir()
    (folder / "flood.py").write_text(FLOOD)
    (folder / "drops.py").write_text(DROPS)
    ways = _ways(folder, lines)
    found = [Flood(way.tool, way.lines) for way in ways]
    for number in range(1, rounds + 1):
        report(f"log path {number} of {rounds}")
        for way, flood in zip(ways, found, strict=True):
            _run(way, flood, folder)
            _drop(way, flood, folder)
    return found


def _ways(folder: Path, lines: int) -> list[_Way]:
    flood = (PYTHON, "flood.py", str(lines))
    drops = (PYTHON, "drops.py", str(DROPS_EACH))
    reloader = program("reloader")
    start = (reloader,) if reloader else (PYTHON, "-m", "reloader")
    ways = [
        _Way(Tool("pipe, nothing between", "", flood), lines, Tool("pipe", "", drops)),
        _Way(Tool("cat", "", _through_cat(flood)), lines, Tool("cat", "", _through_cat(drops))),
    ]
    for options in ((), ("--no-prefix",), ("--log-format", "json")):
        name = " ".join(("reloader", *options))
        tool, dropping = (Tool(name, "", (*start, *options, "--", *command)) for command in (flood, drops))
        ways.append(_Way(tool, lines, dropping))
    fewer = max(500, lines // 50)
    (folder / "Procfile").write_text(
        f"worker: {PYTHON} flood.py {fewer}\ndrops: {PYTHON} drops.py {DROPS_EACH}\n"
    )
    for name in ("honcho", "foreman"):
        found = program(name)
        if found:
            printed = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout
            tool, dropping = (
                Tool(name, printed.split()[-1], (found, "start", kind)) for kind in ("worker", "drops")
            )
            ways.append(_Way(tool, fewer, dropping, talks=True))
    return ways


def _through_cat(command: tuple[str, ...]) -> tuple[str, ...]:
    return "sh", "-c", f"{' '.join(command)} | cat"


def _run(way: _Way, flood: Flood, folder: Path) -> None:
    with _Started(way.tool, folder) as started:
        taken, marks, first, seconds, cpu = _take(started, way)
        started.process.terminate()
        taken += _rest(started.out, way)
    assert marks == way.lines, f"{way.tool.name}: {marks} lines of {way.lines}"
    flood.prefix = len(first) - LINE
    if not way.talks:
        expected = way.lines * len(first)
        assert taken == expected, f"{way.tool.name}: {taken} bytes, not {expected}"
    flood.rates.append(way.lines * LINE / 1e6 / seconds)
    flood.cpu.append(cpu * 1e6 / way.lines)


def _drop(way: _Way, flood: Flood, folder: Path) -> None:
    """Take one line after the other."""
    taken = 0
    rest = b""
    deadline = time.monotonic() + LIMIT
    with _Started(way.drops, folder) as started:
        while taken < DROPS_EACH:
            chunk = _read(started.out, deadline, way)
            now = time.monotonic_ns()
            if not chunk:
                raise Late(f"{way.tool.name}: ended after {taken} of {DROPS_EACH} lines")
            *whole, rest = (rest + chunk).split(b"\n")
            for moment in re.findall(rb"@(\d+)@x*#", b"\n".join(whole)):
                flood.latency.values.append((now - int(moment)) / 1e6)
                taken += 1


class _Started:
    """A tool at work, whose output is read from `out`; ended on leaving."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.process = subprocess.Popen(
            tool.command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout.fileno()
        self._cpu: dict[int, tuple[float, float]] | None = None
        self._looked = 0.0

    def __enter__(self) -> _Started:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def look(self, *, at_once: bool = False) -> float:
        """The CPU time in seconds that the tool's processes, without the worker, have used since the first look."""
        now = time.monotonic()
        if self._cpu is None:
            parents = {int(entry): parent_of(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
            pids = [self.process.pid]
            for pid in pids:
                pids += [child for child, parent in parents.items() if parent == pid]
            self._cpu = {pid: (used, used) for pid in pids if (used := _used(pid)) is not None}
        elif at_once or now - self._looked >= LOOK:
            self._looked = now
            for pid, (first, _) in self._cpu.items():
                if (used := _used(pid)) is not None:
                    self._cpu[pid] = (first, used)
        return sum(last - first for first, last in self._cpu.values())


def _used(pid: int) -> float | None:
    """Seconds of CPU time of a process; None of a worker, and of one that is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[1:2] == [b"flood.py"] else (int(fields[11]) + int(fields[12])) * _TICK


def _take(started: _Started, way: _Way) -> tuple[int, int, bytes, float, float]:
    """Read until every line has come: bytes, lines, one line, and the seconds and CPU time since the first byte."""
    fd = started.out
    taken = marks = 0
    first = b""
    began = 0.0
    deadline = time.monotonic() + 3 * LIMIT
    while marks < way.lines:
        chunk = _read(fd, deadline, way)
        if not chunk:
            raise Late(f"{way.tool.name}: ended after {marks} of {way.lines} lines")
        if not first and b"#" in chunk and (end := chunk.find(b"\n", mark := chunk.index(b"#"))) > 0:
            first = chunk[chunk.rfind(b"\n", 0, mark) + 1 : end + 1]
        started.look()
        began = began or time.monotonic()
        taken += len(chunk)
        marks += chunk.count(b"#")
    seconds = time.monotonic() - began
    return taken, marks, first, seconds, started.look(at_once=True)


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
