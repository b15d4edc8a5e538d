"""Starting, reloading and idling, measured tool by tool in turn so that noise strikes all alike."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from peers import DIRECT, Running, Tool, with_option
from playground import Playground

# The pause before every save or start, in seconds, so that none keeps step with a tool's own clock.
PAUSE = (0.2, 0.5)
# Saves of which the last was longer ago than this, in seconds, are no saves in a row, for which reloader waits longer.
CALM = 1.1
# How long a tool is left alone before its memory is read, in seconds.
SETTLE = 2.0


@dataclass
class Sample:
    """Values of one thing, measured again and again, in milliseconds."""

    values: list[float] = field(default_factory=list)

    def add(self, nanoseconds: int) -> None:
        """Take one more."""
        self.values.append(nanoseconds / 1e6)

    @property
    def median(self) -> float:
        """In milliseconds."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """In milliseconds; a value that was measured (nearest rank), never one between two."""
        return sorted(self.values)[ceil(0.95 * len(self.values)) - 1]

    def beyond(self, milliseconds: float) -> Sample:
        """What is left of every value after that."""
        return Sample([value - milliseconds for value in self.values])


@dataclass
class Reloads:
    """From the beginning of a save to the old worker's signal, and to the new worker's first statement."""

    to_stop: Sample = field(default_factory=Sample)
    to_start: Sample = field(default_factory=Sample)
    signals: set[int] = field(default_factory=set)


def pause() -> None:
    """Wait for a random time: the one wait that is not for something that happens."""
    time.sleep(random.uniform(*PAUSE))


def starts(
    tools: Sequence[Tool], base: Path, rounds: int, report: Callable[[str], None]
) -> tuple[dict[str, Sample], dict[str, Sample]]:
    """From exec to the worker's first statement: as it is, and beyond the direct start of the same round."""
    whole = {tool.name: Sample() for tool in (DIRECT, *tools)}
    beyond = {tool.name: Sample() for tool in tools}
    playground = Playground(base, "starts")
    for number in range(rounds + 1):
        report(f"start {number} of {rounds}")
        took: dict[str, int] = {}
        for tool in (DIRECT, *random.sample(tools, len(tools))):
            pause()
            running = Running(tool, playground)
            took[tool.name] = running.up.when - running.exec_at
            running.stop()
        if number:  # the first round fills caches, of bytecode too, and does not count
            for name, value in took.items():
                whole[name].add(value)
                if name in beyond:
                    beyond[name].add(value - took[DIRECT.name])
    playground.close()
    return whole, beyond


def reloads(
    tools: Sequence[Tool], base: Path, rounds: int, idle_for: float, report: Callable[[str], None]
) -> tuple[dict[str, Reloads], dict[str, float]]:
    """Save after save in turn; then the CPU that each takes while nothing happens, in percent of a core."""
    found = {tool.name: Reloads() for tool in tools}
    with ExitStack() as end:
        running = []
        for tool in tools:
            playground = Playground(base, f"reloads-{tool.name}")
            end.callback(playground.close)
            one = Running(tool, playground)
            end.callback(one.stop)
            one.warm_up()
            running.append(one)
        for number in range(1, rounds + 1):
            report(f"save {number} of {rounds}")
            time.sleep(CALM)
            for one in random.sample(running, len(running)):
                pause()
                figures = found[one.tool.name]
                began = one.playground.save()
                stopped = one.wait("stop")
                figures.to_stop.add(stopped.when - began)
                figures.signals.add(stopped.detail)
                figures.to_start.add(one.wait_for_new_code().when - began)
        report(f"idle for {idle_for:g} s")
        time.sleep(SETTLE)
        began = time.monotonic_ns()
        before = {one.tool.name: cpu_time(one) for one in running}
        time.sleep(idle_for)
        after = {one.tool.name: cpu_time(one) for one in running}
        took = time.monotonic_ns() - began
        return found, {name: 100 * (after[name] - before[name]) / took for name in before}


def memory(
    tools: Sequence[Tool], base: Path, report: Callable[[str], None]
) -> dict[str, tuple[float, float]]:
    """PSS, and what of it is shared with nobody, in megabytes. One tool runs at a time.

    Shared pages are shared with the worker and with this program, which are Python processes too. reloader is
    measured with `--cold` too, which has no template.
    """
    found = {}
    for tool in [*tools, *(with_option(tool, "--cold") for tool in tools if tool.name == "reloader")]:
        report(f"memory of {tool.name}")
        playground = Playground(base, f"memory-{tool.name}")
        running = Running(tool, playground)
        running.warm_up()
        time.sleep(SETTLE)
        sums = [memory_of(pid) for pid in running.own_processes()]
        found[tool.name] = (sum(pss for pss, _ in sums), sum(private for _, private in sums))
        running.stop()
        playground.close()
    return found


def cpu_time(running: Running) -> int:
    """CPU time of the tool's own processes with all their threads, in nanoseconds.

    A process's CPU clock is what utime and stime in /proc/PID/stat are, without rounding to 10 ms.
    """
    # CLOCK_PROCESS_CPUTIME_ID of another process, as clock_getcpuclockid(3) makes it on Linux.
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in running.own_processes())


def memory_of(pid: int) -> tuple[float, float]:
    """PSS of one process, and what of it is shared with nobody, in megabytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return kilobytes["Pss"] * 1024 / 1e6, private * 1024 / 1e6
