"""A real Django worker, started cold and warm, and restarted by a save beside the peers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from peers import MARK, PYTHON, program
from playground import Late
from warm_queues import RESTARTED, Starts, median, starts, table

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "qcluster"
# What the example is grown by: packages that many projects have.
GROWN = "celery, django-q2, djangorestframework, pandas, requests"
APPS = """\
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        import celery  # noqa: F401
        import pandas  # noqa: F401
        import requests  # noqa: F401
        from rest_framework import serializers, viewsets  # noqa: F401
"""
LIMIT = 30.0
# So many restarts of each other queue are enough.
QUEUE_ROUNDS = 4
READY, STOPPING, STOPPED = r"Q Cluster .+ running\.", r"Q Cluster .+ stopping\.", r"has stopped\."
WORKER = f"{PYTHON} manage.py qcluster"


@dataclass
class Restarts:
    """Of one tool. Seconds from the save to the ready line, less what the worker took to drain."""

    name: str
    command: str
    took: list[float] = field(default_factory=list)
    less_drain: list[float] = field(default_factory=list)


@dataclass
class Warm:
    """Seconds from the start to the ready line, and megabytes (PSS)."""

    by_hand: list[float]
    first: list[float]
    """First starts, with nothing that is recorded."""
    recorded: list[float]
    """First starts from which is learned."""
    cold: list[float]
    warm: list[float]
    restarts: list[Restarts]
    cold_worker: float
    warm_worker: float
    template: float
    queues: list[Starts]


class Shop:
    """The example, grown, in a folder of its own."""

    def __init__(self, base: Path, name: str) -> None:
        self.folder = base / name
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns("*.sqlite3*", "__pycache__"))
        settings = self.folder / "project" / "settings.py"
        settings.write_text(settings.read_text() + 'INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework"]\n')
        (self.folder / "shop" / "apps.py").write_text(APPS)
        self.version = 0
        subprocess.run(
            [PYTHON, "manage.py", "migrate", "-v0"], cwd=self.folder, check=True, env=self.environment()
        )

    def environment(self) -> dict[str, str]:
        """Without what would change how anything is started."""
        name, _, value = MARK.partition("=")
        kept = {key: text for key, text in os.environ.items() if not key.startswith(("RELOADER", "DJANGO"))}
        # Bytecode is kept, as by hand.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept | {
            name: value,
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "PYTHONUNBUFFERED": "1",
        }

    def save(self) -> float:
        """Save a task; when."""
        self.version += 1
        path = self.folder / "shop" / "tasks.py"
        text = re.sub(r"\nVERSION = .*", "", path.read_text())
        began = time.monotonic()
        path.write_text(f"{text}\nVERSION = {self.version}\n")
        return began


class Run:
    """A tool at work; its lines with the time at which each came."""

    def __init__(self, shop: Shop, command: list[str]) -> None:
        self.lines: list[tuple[float, str]] = []
        self.seen = 0
        self.changed = threading.Condition()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=shop.folder,
            env=shop.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.lines.append((time.monotonic(), line))
                self.changed.notify_all()

    def wait(self, pattern: str, anywhere: bool = False) -> tuple[float, re.Match[str]]:
        """The next line that matches, after the last one that was waited for, and when it came.

        One that is found `anywhere` counts as none that was waited for.
        """
        deadline = time.monotonic() + LIMIT
        with self.changed:
            while True:
                for number in range(0 if anywhere else self.seen, len(self.lines)):
                    when, line = self.lines[number]
                    found = re.search(pattern, line)
                    if found:
                        self.seen = self.seen if anywhere else number + 1
                        return when, found
                if not self.changed.wait(deadline - time.monotonic()):
                    text = "".join(line for _, line in self.lines[-20:])
                    raise Late(f"{self.process.args!r}: no {pattern} in\n{text}")

    def close(self) -> None:
        """Ask for the end, and see to it; whoever is left may hold the pipe."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for one in below:
            # By its start time another one of that number is told from it.
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


def tools() -> list[tuple[str, list[str]]]:
    """Each tool in front of the worker, as far as it is installed."""
    listing = "find . -name '*.py' -print"
    entr = program("entr")
    ways = [
        ("reloader", [program("reloader") or "reloader", "-v", "--no-overlap", "--", *WORKER.split()]),
        ("watchfiles", [program("watchfiles") or "", "--filter", "python", WORKER, "."]),
        (
            "hupper",
            [
                program("hupper") or "",
                "-w",
                "**/*.py",
                "--shutdown-interval",
                "10",
                "-m",
                "manage",
                "qcluster",
            ],
        ),
        (
            "watchmedo",
            [program("watchmedo") or "", "auto-restart", "-R", "-p", "**/*.py", "--", *WORKER.split()],
        ),
        (
            "entr",
            ["sh", "-c", f"{listing} > ../files && exec {entr} -n -r {WORKER} < ../files"] if entr else [""],
        ),
    ]
    return [(name, command) for name, command in ways if command[0]]


def measure(base: Path, rounds: int, say: Callable[[str], None]) -> Warm:
    """Everything, the tools in turns. Raises Late when a line does not come."""
    shop = Shop(base, "shop")
    by_hand: list[float] = []
    for number in range(rounds):
        say(f"start by hand {number + 1} of {rounds}")
        run = Run(shop, WORKER.split())
        by_hand.append(run.wait(READY)[0] - run.began)
        run.close()
    reloader = tools()[0][1]
    as_ever = [*reloader[:2], "--cold", *reloader[2:]]
    first: list[float] = []
    recorded: list[float] = []
    # In turns, and in either order, as what is to be seen is small.
    both = ((as_ever, first), (reloader, recorded))
    for number in range(3 * rounds):
        say(f"first start {number + 1} of {3 * rounds}")
        for command, found in both if number % 2 else both[::-1]:
            shutil.rmtree(shop.folder.parent / "cache", ignore_errors=True)
            run = Run(shop, command)
            run.wait("ready in")
            found.append(_last_start(shop, command[0]))
            run.close()
    cold, cold_worker, _ = _starts(shop, as_ever, rounds, say)
    warm, warm_worker, template = _starts(shop, reloader, rounds, say)
    restarts = [Restarts(name, " ".join(command)) for name, command in tools()]
    for (name, command), tool in zip(tools(), restarts, strict=True):
        mine = Shop(base, f"shop-{name}")
        run = Run(mine, command)
        run.wait(READY)
        if name == "reloader":
            run.wait("the next start is warm", anywhere=True)
        for number in range(rounds):
            say(f"{name}: save {number + 1} of {rounds}")
            time.sleep(2.0)
            saved = mine.save()
            try:
                stopping, _ = run.wait(STOPPING)
                stopped, _ = run.wait(STOPPED)
                ready, _ = run.wait(READY)
            except Late:
                say(f"{name}: a restart did not come")
                break
            tool.took.append(ready - saved)
            tool.less_drain.append(ready - saved - (stopped - stopping))
        run.close()
    queues = starts(base / "queues", min(rounds, QUEUE_ROUNDS), say)
    return Warm(by_hand, first, recorded, cold, warm, restarts, cold_worker, warm_worker, template, queues)


def _starts(
    shop: Shop, command: list[str], rounds: int, say: Callable[[str], None]
) -> tuple[list[float], float, float]:
    """Seconds of restarts; megabytes of worker and template."""
    run = Run(shop, command)
    run.wait(READY)
    if "--cold" not in command:
        run.wait("the next start is warm", anywhere=True)
    took = []
    for number in range(rounds):
        say(f"{'cold' if '--cold' in command else 'warm'} start {number + 1} of {rounds}")
        time.sleep(1.0)
        shop.save()
        _, restart = run.wait(RESTARTED)
        if (restart[2] != "warm") != ("--cold" in command):
            raise Late(f"a start was {restart[2]}")
        took.append(_last_start(shop, command[0]))
    worker, template = _memory(run.process.pid)
    run.close()
    return took, worker, template


def _last_start(shop: Shop, program: str) -> float:
    """What the last one took, in seconds, to the millisecond, as it is told in no line."""
    asked = subprocess.run(
        [program, "status", "--json"],
        cwd=shop.folder,
        env=shop.environment(),
        check=True,
        capture_output=True,
    )
    return float(json.loads(asked.stdout)["status"]["last_start"]["start"])


def _memory(supervisor: int) -> tuple[float, float]:
    """PSS, in megabytes, of the worker's tree and of the template."""
    import psutil

    worker = template = 0.0
    for process in psutil.Process(supervisor).children(recursive=True):
        pss = process.memory_full_info().pss / 1e6
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        if os.getsid(process.pid) != os.getsid(supervisor):
            worker += pss
        elif not name.startswith("reloader"):
            template += pss
    return worker, template


def section(found: Warm) -> list[str]:
    """Its part of the page."""

    def cell(times: list[float]) -> str:
        return f"{statistics.median(times):.2f}" if times else "-"

    cold, warm = median(found.cold), median(found.warm)
    first, recorded = median(found.first), median(found.recorded)
    ours = next(one for one in found.restarts if one.name == "reloader")
    theirs = [one for one in found.restarts if one.name != "reloader" and one.less_drain]
    best = min((statistics.median(one.less_drain) for one in theirs), default=float("nan"))
    mine = statistics.median(ours.less_drain)
    ratio = (found.template + found.warm_worker) / found.cold_worker
    lines = [
        "## Warm starts",
        "",
        f"The project of `docs/examples/qcluster`, grown by what its worker imports besides: {GROWN}. Seconds,"
        f" medians of {len(found.warm)}, of the first starts of {len(found.first)}, from the start of the process to"
        " the worker's ready line.",
        "",
        "| by hand | first start, `--cold` | first start, recorded | restart, `--cold` | restart, warm |",
        "| ---: | ---: | ---: | ---: | ---: |",
        f"| {median(found.by_hand):.3f} | {first:.3f} | {recorded:.3f} | {cold:.3f} | {warm:.3f} |",
        "",
        "From a save to the ready line of the new code, and the same less the time that the old worker took to"
        " drain (between its own two lines about that).",
        "",
        "| | saves | save → ready | less the drain |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.name} | {len(one.took)} | {cell(one.took)} | {cell(one.less_drain)} |"
        for one in found.restarts
    ]
    lines += [
        "",
        *table(found.queues),
        "",
        f"Memory (PSS): the worker's tree started cold {found.cold_worker:.0f} MB; warm {found.warm_worker:.0f} MB"
        f" and the template {found.template:.0f} MB.",
        "",
        "| reloader | measured | target | |",
        "| --- | ---: | ---: | --- |",
        _row("start → ready, warm over cold", warm / cold, 1 / 8, 3),
        _row("start → ready, recorded over not recorded", recorded / first, 1.03, 3),
        _row("save → ready less the drain, over the best peer", mine / best, 0.3, 2),
        _row("template and warm worker over a cold worker, PSS", ratio, 1.3, 2),
        "",
    ]
    return lines


def _row(what: str, value: float, target: float, digits: int) -> str:
    met = "met" if value <= target else "**missed**"
    return f"| {what} | {value:.{digits}f} | ≤ {target:.{digits}f} | {met} |"
