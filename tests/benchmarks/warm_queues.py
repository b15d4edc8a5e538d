"""Real workers of other queues, with real brokers, started cold and warm: those of the integration tests."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers import MARK
from playground import Late

if TYPE_CHECKING:
    from harness import Run
    from workshop import Servers

TESTS = Path(__file__).parents[1]
SYSTEMS = ("celery (prefork)", "rqworker", "django-dramatiq", "procrastinate (Django)", "procrastinate")
# What reloader says of a restart; with --cold it does not tell how.
RESTARTED = r"ready in [\d.]+ s \(detect [\d.]+, drain [\d.]+, start ([\d.]+)(?:, (warm|cold: .*))?\)"
# What reloader tells is rounded to that many seconds.
STEP = 0.01
# A worker is left alone so long before a save, in seconds.
SETTLE = 1.0


@dataclass
class Starts:
    """Seconds from the start to the ready line."""

    name: str
    command: str
    cold: list[float]
    warm: list[float]


def median(seconds: list[float]) -> float:
    """That of what was rounded."""
    return statistics.median_grouped(seconds, STEP)


def starts(base: Path, rounds: int, say: Callable[[str], None]) -> list[Starts]:
    """Every system; one whose worker does not come is left out, and said to be."""
    sys.path[:0] = [str(TESTS), str(TESTS / "integration")]
    from workshop import ROOT, Servers, programs

    if not (programs("queues") / "python").exists():
        subprocess.run(["make", "queues"], cwd=ROOT, check=True)
    base.mkdir()
    servers = Servers(base)
    found = []
    try:
        for name in SYSTEMS:
            try:
                found.append(_starts(name, base, servers, rounds, say))
            except (AssertionError, Late) as error:
                say(f"{name} is left out: {error}")
    finally:
        servers.close()
    return found


def _starts(name: str, base: Path, servers: Servers, rounds: int, say: Callable[[str], None]) -> Starts:
    from systems import SYSTEMS as KNOWN

    took = {
        option: _restarts(name, option, base, servers, rounds, lambda text: say(f"{name}: {text}"))
        for option in ("--cold", "--warm")
    }
    return Starts(name, " ".join(KNOWN[name].command), took["--cold"], took["--warm"])


def _restarts(
    name: str, option: str, base: Path, servers: Servers, rounds: int, say: Callable[[str], None]
) -> list[float]:
    """What the starts took, one of them after each save."""
    from harness import Run
    from systems import SYSTEMS as KNOWN
    from workshop import LONG, READY, Workshop

    runs: list[Run] = []

    def start(*arguments: str | bytes, **options: Any) -> Run:
        runs.append(Run(options.pop("folder"), *arguments, **options))
        return runs[-1]

    folder = base / f"{list(KNOWN).index(name)}{option}"
    folder.mkdir()
    mark, _, value = MARK.partition("=")
    # Bytecode is kept, as by hand.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    shop = Workshop(KNOWN[name], folder, servers, start)
    shop.environment |= {mark: value, "XDG_CACHE_HOME": str(folder / "cache")}
    try:
        run = shop.start("-v", "--no-overlap", option)
        run.err.wait_for(READY, LONG)
        if option == "--warm":
            run.err.wait_for("the next start is warm", LONG)
        took = []
        for number in range(rounds):
            say(f"{option[2:]} start {number + 1} of {rounds}")
            time.sleep(SETTLE)
            shop.save(number + 2)
            found = run.err.wait_for(RESTARTED, LONG)
            how = (found[2] or b"cold").decode()
            if how != option[2:]:
                raise Late(f"a start was {how}")
            took.append(float(found[1]))
        return took
    finally:
        shop.close()
        for one in runs:
            one.close()
        shutil.rmtree(folder)


def table(found: list[Starts]) -> list[str]:
    """Its part of the page."""
    return [
        "The workers of other queues, each with a small project and a real broker (`tests/integration`), from"
        f" start to ready line, medians of {max((len(one.warm) for one in found), default=0)}, in seconds.",
        "",
        "| | cold | warm | warm over cold |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| `{one.command}` | {median(one.cold):.2f} | {median(one.warm):.2f} "
            f"| {median(one.warm) / median(one.cold):.2f} |"
            for one in found
        ),
    ]
