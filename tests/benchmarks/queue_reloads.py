"""From a save to the first task done by the new code, with a real django-q2 cluster, idle and at a long task.

The project is that of the warm starts. A process of it queues a numbered task every 50 ms all the while, so
that whoever runs the new code gets one at once. Tasks that have begun and never ended were cut; processes that
outlive the tool are counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peers import PYTHON, Tool, kill_all, marked, with_option
from playground import Late
from report import against
from warm import GROWN, Shop

LIMIT = 30.0
# A goal: the part of the best peer's time.
PART = 8
COMMAND = (PYTHON, "manage.py", "qcluster")

TASKS = """\
import time

VERSION = {version}


def note(number, seconds):
    with open("notes", "a") as file:
        file.write(f"began {{number}} {{VERSION}} {{time.monotonic_ns()}}\\n")
    time.sleep(seconds)
    with open("notes", "a") as file:
        file.write(f"ended {{number}} {{VERSION}} {{time.monotonic_ns()}}\\n")
"""
FEEDER = """
import os, time
from django_q.tasks import async_task
number = 0
while not os.path.exists("enough"):
    if os.path.exists("long"):
        seconds = float(open("long").read())
        os.unlink("long")
        async_task("work.note", -1 - number, seconds)
    async_task("work.note", number, 0.0)
    number += 1
    time.sleep(0.05)
"""


@dataclass
class Queue:
    """What came of one tool. Times are in milliseconds."""

    name: str
    times: list[float] = field(default_factory=list)
    cut: int = 0
    """Tasks that began and never ended."""
    left: int = 0
    """Processes that outlived the tool."""
    gave_up: str = ""


def queue_tools(found: Sequence[Tool]) -> list[Tool]:
    """The tools as they are called around a qcluster; reloader as it is by itself, and without overlap."""
    tools = []
    for tool in found:
        words = list(tool.command)
        joined = " ".join(COMMAND)
        if tool.name == "hupper":
            words = [*words[: words.index("-m")], "-m", "manage", "qcluster"]
        else:
            words = [word.replace(f"{PYTHON} worker.py", joined) for word in words]
            if words[-2:] == [PYTHON, "worker.py"]:
                words[-2:] = COMMAND
        tools.append(Tool(tool.name, tool.version, tuple(words)))
        if tool.name == "reloader":
            tools.append(with_option(tools[-1], "--no-overlap"))
    return tools


def queue_reloads(
    tools: Sequence[Tool], base: Path, saves: int, long: float, say: Callable[[str], None]
) -> list[Queue]:
    """Reload each tool's cluster so often; `long` is how many seconds a task takes that is in flight, 0 for none."""
    results = []
    for tool in tools:
        say(f"{tool.name}, {f'a task of {long:g} s' if long else 'idle'}")
        results.append(_measure(tool, base / f"queue-{len(os.listdir(base))}", saves, long))
    return results


def _measure(tool: Tool, folder: Path, saves: int, long: float) -> Queue:
    result = Queue(tool.name)
    # What another tool has left, here or in another section, is not this one's.
    kill_all()
    shop = Shop(folder.parent, folder.name)
    site = _Site(folder)
    site.save(0)
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            tool.command,
            cwd=folder,
            env=shop.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        feeder = subprocess.Popen([PYTHON, "manage.py", "shell", "-c", FEEDER], cwd=folder, stdout=log)
    try:
        site.first_of(0)
        # Once more, since a tool may not watch yet, and what is warm is warm only after a while.
        time.sleep(3.0)
        site.save(1)
        site.first_of(1)
        for version in range(2, 2 + saves):
            time.sleep(1.0)
            if long:
                (folder / "long.new").write_text(str(long))
                (folder / "long.new").rename(folder / "long")
                site.long_one_begins()
            began = site.save(version)
            result.times.append((site.first_of(version) - began) / 1e6)
    except Late as late:
        result.gave_up = str(late)
    finally:
        (folder / "enough").touch()
        feeder.wait(LIMIT)
    process.send_signal(2)
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    result.left = len(marked())
    kill_all()
    words = [line.split() for line in site.notes.read_text().splitlines()]
    begun = [word[1] for word in words if word[0] == "began"]
    ended = [word[1] for word in words if word[0] == "ended"]
    result.cut = len(begun) - len(ended)
    return result


class _Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.notes.touch()

    def save(self, version: int) -> int:
        """Save this version; when, in nanoseconds. Every one has another size: see Playground.save."""
        began = time.monotonic_ns()
        (self.folder / "work.py").write_text(TASKS.format(version=version) + "#" * version)
        return began

    def first_of(self, version: int) -> int:
        """When the first task was done by this version. Raises Late."""
        return self._wait(
            lambda words: words[0] == "ended" and words[2] == str(version), f"version {version}"
        )

    def long_one_begins(self) -> None:
        """Wait until one more long task is in flight. Raises Late."""
        before = self._count()
        deadline = time.monotonic() + LIMIT
        while self._count() <= before:
            if time.monotonic() > deadline:
                raise Late("the long task does not begin")
            time.sleep(0.01)

    def _count(self) -> int:
        return self.notes.read_text().count("began -")

    def _wait(self, wanted: Callable[[list[str]], bool], what: str) -> int:
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for line in self.notes.read_text().splitlines():
                words = line.split()
                if len(words) == 4 and wanted(words):
                    return int(words[3])
            time.sleep(0.005)
        raise Late(f"no task was done by {what}")


def queue_section(idle: Sequence[Queue], busy: Sequence[Queue], long: float) -> str:
    """Both as one table, then the goals."""
    lines = [
        "## From a save to the first task done by the new code",
        "",
        f"django-q2 on SQLite, with the project of the warm starts ({GROWN}). A task of no length is queued every"
        f" 50 ms; the time is that from the save to the end of the first one on the new code, {len(idle[0].times)}"
        f" saves while nothing else is to do, and {len(busy[0].times)} while a task of {long:g} s is in flight."
        " Each tool as it is called in the table at the top; hupper allows a worker one second to end, watchfiles"
        " five, then they kill. *Cut* is a task that has begun and never ended, *left* a process that outlives the"
        f" tool. Measured in one run on {time.strftime('%Y-%m-%d')}, on {os.cpu_count()} CPUs.",
        "",
        f"| median, slowest | idle | at a task of {long:g} s | tasks cut | processes left |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for one, other in zip(idle, busy, strict=True):
        cells = [_times(one), _times(other), str(one.cut + other.cut), str(one.left + other.left)]
        lines.append(f"| {one.name} | {' | '.join(cells)} |")
    if any(one.name == "entr" and one.gave_up for one in (*idle, *busy)):
        lines += [
            "",
            "entr sends SIGTERM to the worker's whole process group; a cluster then waits for ever, and no new one starts.",
        ]
    lines += ["", "| reloader | measured | target | |", "| --- | ---: | ---: | --- |"]
    for what, queues in (("idle", idle), (f"at a task of {long:g} s", busy)):
        fair = [
            statistics.median(one.times)
            for one, both in zip(queues, zip(idle, busy, strict=True), strict=True)
            if not (one.name.startswith("reloader") or any(q.cut or q.left or q.gave_up for q in both))
        ]
        if fair and queues[0].times:
            part = statistics.median(queues[0].times) / min(fair)
            words = f"{what}, of the best peer that cuts no task and leaves no process"
            lines.append(against(words, part, 1 / PART, "times", 3))
    return "\n".join(lines)


def _times(queue: Queue) -> str:
    told = f"{statistics.median(queue.times):.0f}, {max(queue.times):.0f} ms" if queue.times else ""
    return ", ".join(filter(None, (told, f"given up: {queue.gave_up}" if queue.gave_up else "")))
