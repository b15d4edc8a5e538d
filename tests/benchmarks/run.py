"""`make bench`: measure reloader beside its peers and write docs/benchmarks.md. Linux only."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import warm
from blocked import blocked
from blocked import section as blocked_section
from flood import Flood, floods
from measure import memory, reloads, starts
from peers import kill_all, tools
from playground import Late, Playground
from queue_reloads import queue_reloads, queue_section, queue_tools
from report import Results, log_path, page
from scale import contents, idle_saves, large_trees

# The title of the first section that is measured on its own.
BEHIND_FIRST = "## While nobody reads"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short try; the page is shown, not written")
    parser.add_argument("--only", choices=list(SECTIONS), help="measure this alone, and renew its section")
    given = parser.parse_args()
    quick = given.quick
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as base:
            try:
                text = _renewed(given.only, Path(base), quick) if given.only else _all(Path(base), quick)
            finally:
                kill_all()
    except Late as late:
        print(f"given up: {late}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if quick:
        print(text)
    else:
        PAGE.write_text(text)
        print(f"written: {os.path.relpath(PAGE)}")
    return 0


def _all(base: Path, quick: bool) -> str:
    sections = (SECTIONS[name](base, quick) for name in ("blocked", "warm", "queue"))
    return "\n".join([page(_measure(base, quick)), *sections])


def _renewed(name: str, base: Path, quick: bool) -> str:
    """The page as it is, with one section measured anew; that alone at a short try."""
    section = SECTIONS[name](base, quick).rstrip() + "\n"
    if quick:
        return section
    text = PAGE.read_text()
    if name == "first":
        behind = text[text.index("\n" + BEHIND_FIRST) :]
        return section.rstrip() + "\n" + behind
    head, title, rest = text.partition(section.split("\n", 1)[0] + "\n")
    if not title:
        return f"{text.rstrip()}\n\n{section}"
    _, mark, behind = rest.partition("\n## ")
    return head + section + mark + behind


def _log(base: Path, quick: bool) -> str:
    return "\n".join(log_path(_floods(base, quick)))


def _blocked(base: Path, quick: bool) -> str:
    load = os.getloadavg()[0]
    return "\n".join(blocked_section(*blocked(base, 2 if quick else 16, _say), load))


def _warm(base: Path, quick: bool) -> str:
    return "\n".join(warm.section(warm.measure(base, 3 if quick else 8, _say)))


def _queue(base: Path, quick: bool) -> str:
    """Reloads of a real cluster, idle and at a long task."""
    found, long = queue_tools(tools()), 4.0 if quick else 10.0
    idle = queue_reloads(found, base, 2 if quick else 5, 0.0, _say)
    busy = queue_reloads(found, base, 1 if quick else 3, long, _say)
    return queue_section(idle, busy, long)


def _first(base: Path, quick: bool) -> str:
    """All that is in the page before what is measured on its own."""
    return page(_measure(base, quick))


SECTIONS = {"first": _first, "log": _log, "blocked": _blocked, "warm": _warm, "queue": _queue}


def _floods(base: Path, quick: bool) -> list[Flood]:
    return floods(base, 100_000 if quick else 1_000_000, 1 if quick else 5, _say)


def _measure(base: Path, quick: bool) -> Results:
    began = time.monotonic()
    load = os.getloadavg()[0]
    found = tools()
    idle_for = 5.0 if quick else 20.0
    whole, beyond = starts(found, base, 3 if quick else 16, _say)
    reloaded, cpu = reloads(found, base, 5 if quick else 40, idle_for, _say)
    used = memory(found, base, _say)
    idle_saved = idle_saves(found, base, _say)
    pruned, kept = large_trees(found, base, _say)
    kept_contents = contents(found[0], base, _say)
    flooded = _floods(base, quick)
    sample = Playground(base, "sample")
    sample.close()
    return Results(
        tools=found,
        files=sample.files,
        load=load,
        reloads=reloaded,
        starts=whole,
        beyond=beyond,
        cpu=cpu,
        idle_for=idle_for,
        memory=used,
        idle_saves=idle_saved,
        pruned=pruned,
        kept=kept,
        contents=kept_contents,
        floods=flooded,
        took=time.monotonic() - began,
    )


def _say(text: str) -> None:
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{text:<40}", end=end, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
