"""What was measured, as the page that `make bench` writes. No figure is rounded in anybody's favour."""

from __future__ import annotations

import os
import platform
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from flood import LINE, Flood
from measure import CALM, PAUSE, Reloads, Sample
from peers import DIRECT, Tool
from scale import BURST, FILES_EACH, FOLDERS, IDLE, KEPT, PATIENCE, SOURCE_SIZE, SOURCES, WAYS, Saves, Scale

# The quiet period that reloader waits by default after a save, in milliseconds.
QUIET = 50.0


@dataclass
class Results:
    """One run. CPU is in percent of a core, memory in megabytes: PSS, and what nobody shares."""

    tools: Sequence[Tool]
    files: int
    load: float
    reloads: dict[str, Reloads]
    starts: dict[str, Sample]
    beyond: dict[str, Sample]
    cpu: dict[str, float]
    idle_for: float
    memory: dict[str, tuple[float, float]]
    idle_saves: dict[str, Saves]
    pruned: dict[str, Scale]
    kept: dict[str, Scale]
    contents: tuple[float, float]
    floods: list[Flood]
    took: float


def page(results: Results) -> str:
    """The whole page."""
    sections = (_head, _machine, _saves, _starts, _idle, _idle_saves, _scale, _contents, _floods)
    return "\n".join(line for section in sections for line in section(results))


def _head(results: Results) -> list[str]:
    return [
        "# Benchmarks",
        "",
        "`make bench` measures all of this anew and writes this page"
        f" (this time in {ceil(results.took)} s); `python tests/benchmarks/run.py --quick` is a short try.",
        "The tools take turns, save by save and start by start, so that whatever else the machine does"
        " strikes all of them alike.",
        "Times and sizes are rounded up, rates down. p95 is the value that 95 % of the measured ones do not"
        " exceed.",
        "",
    ]


def _machine(results: Results) -> list[str]:
    cpus = len(os.sched_getaffinity(0))
    kernel = ".".join(platform.release().split(".")[:2])
    lines = [
        "## What was measured",
        "",
        f"Date {time.strftime('%Y-%m-%d')}, {cpus} CPUs, {platform.system()} {kernel},"
        f" Python {platform.python_version()}, load average {results.load:.2f} when it began.",
        f"The project has {results.files} files, in a Git repository where Git is installed."
        " Its worker imports one module, waits, and ends at SIGINT or SIGTERM.",
        "",
        "| tool | version | command |",
        "| --- | --- | --- |",
    ]
    rows = [f"| {tool.name} | {tool.version} | `{tool.shown}` |" for tool in (*results.tools, DIRECT)]
    return [*lines, *rows, ""]


def _saves(results: Results) -> list[str]:
    rounds = len(results.reloads["reloader"].to_stop.values)
    beyond = results.reloads["reloader"].to_stop.beyond(QUIET)
    lines = [
        "## From a save to the stop signal, and to the new code",
        "",
        f"{rounds} saves a tool, each {PAUSE[0]:g} to {PAUSE[1]:g} s after the worker told that it was up, and more"
        f" than {CALM:g} s after the last: for saves in a row reloader waits longer (docs/concepts/watching.md)."
        " The time begins before the file is opened for writing.",
        "It ends when the old worker's handler is entered (the stop signal), and when the first statement of"
        " the worker runs that then has the new code (the new code).",
        f"reloader waits {QUIET:g} ms after the last event by default (`--debounce`), so that a formatter's"
        " second save is not a second restart. watchfiles waits 50 ms."
        " hupper looks at the files once a second, unless watchdog or watchman is installed,"
        " and starts the new worker a second after the old one's end.",
        "",
        "| ms | stop signal: median | p95 | new code: median | p95 | signal |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, figures in results.reloads.items():
        signals = ", ".join(sorted(signal.Signals(number).name for number in figures.signals))
        lines.append(f"| {name} | {_both(figures.to_stop)} | {_both(figures.to_start)} | {signals} |")
    return [
        *lines,
        "",
        "| reloader, stop signal beyond the quiet period | measured | target | |",
        "| --- | ---: | ---: | --- |",
        against("median", beyond.median, 20, "ms"),
        against("p95", beyond.p95, 40, "ms"),
        "",
    ]


def _starts(results: Results) -> list[str]:
    rounds = len(results.starts[DIRECT.name].values)
    lines = [
        "## From exec to the worker's first statement",
        "",
        f"{rounds} starts a tool. What it adds is the difference to the direct start in the same round.",
        "",
        "| ms | whole: median | p95 | added: median | p95 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, sample in results.starts.items():
        added = _both(results.beyond[name]) if name in results.beyond else " | "
        lines.append(f"| {name} | {_both(sample)} | {added} |")
    return [
        *lines,
        "",
        "| reloader, added | measured | target | |",
        "| --- | ---: | ---: | --- |",
        against("median", results.beyond["reloader"].median, 100, "ms"),
        against("p95", results.beyond["reloader"].p95, 100, "ms"),
        "",
    ]


def _idle(results: Results) -> list[str]:
    lines = [
        "## While nothing happens",
        "",
        f"CPU time of the tool's own processes, not the worker's, over {results.idle_for:g} s after the saves"
        " above, in percent of one core.",
        "Memory of the same processes after a start and a reload, one tool at a time:"
        " PSS counts a page that several processes share in parts. It is shared with the worker and with the"
        " benchmark, both Python. Private is what is shared with nobody.",
        "",
        "| | CPU | PSS | private |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, cpu in results.cpu.items():
        pss, private = results.memory[name]
        lines.append(f"| {name} | {_up(cpu, 3)} % | {_up(pss)} MB | {_up(private)} MB |")
    return [
        *lines,
        "",
        "| reloader | measured | target | |",
        "| --- | ---: | ---: | --- |",
        against("CPU", results.cpu["reloader"], 0.3, "%", 3),
        against("PSS with `--cold`, so without a template", results.memory["reloader --cold"][0], 25, "MB"),
        "",
    ]


def _idle_saves(results: Results) -> list[str]:
    lines = [
        "## Saves that change nothing, and code that is broken",
        "",
        f"Whether the worker was stopped within {PATIENCE:g} s of it. The last save leaves a file that cannot be"
        " compiled.",
        "",
        f"| | {' | '.join(WAYS)} |",
        f"| --- |{' --- |' * len(WAYS)}",
    ]
    for name, saves in results.idle_saves.items():
        stopped = [saves.causes.get(way) for way in WAYS]
        told = ("not measured" if one is None else "stopped" if one else "left alone" for one in stopped)
        lines.append(f"| {name} | {' | '.join(told)} |")
    return [*lines, ""]


def _scale(results: Results) -> list[str]:
    lines = [
        "## Large trees",
        "",
        f"{FOLDERS:,} folders of {FILES_EACH} files each. In the first tree all but {KEPT} folders lie in"
        " node_modules, .venv and .git; in the second all are kept.",
        "A save is made the moment that the worker is up; the time is that until the worker's stop signal."
        " Watches stand: from the worker's first statement, in another start, until as many watches of inotify"
        f" are there as there will be. Idle: CPU over {IDLE:g} s, in percent of a core. Events: CPU time for"
        f" {BURST:,} events in node_modules.",
        "",
    ]
    for title, figures in (("Most is ignored", results.pruned), ("All is kept", results.kept)):
        lines += [
            f"| {title} | save noticed | watches | watches stand | idle | events | PSS |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, one in figures.items():
            noticed = f"{_up(one.noticed, 2)} s" if one.noticed is not None else "missed"
            stood = f"{_up(one.stood, 2)} s" if one.stood is not None else "-"
            burst = f"{_up(one.burst, 2)} s" if figures is results.pruned else "-"
            figure = f"{one.watches:,} | {stood} | {_up(one.idle, 2)} % | {burst} | {_up(one.memory)} MB"
            lines.append(f"| {name} | {noticed} | {figure} |")
        lines.append("")
    pruned, kept = results.pruned["reloader"], results.kept["reloader"]
    return [
        *lines,
        "| reloader | measured | target | |",
        "| --- | ---: | ---: | --- |",
        against("most ignored: watches stand", pruned.stood or 99.0, 0.3, "s", 2),
        against("most ignored: CPU for the events", pruned.burst, 0.01, "s", 3),
        against("all kept: watches stand", kept.stood or 99.0, 1.0, "s", 2),
        against("all kept: idle", kept.idle, 1.0, "%", 2),
        "",
    ]


def _contents(results: Results) -> list[str]:
    kept, without = results.contents
    return [
        "## What the running code is compared with",
        "",
        f"PSS of reloader in a tree of {SOURCES:,} Python files of {SOURCE_SIZE / 1000:g} KB, with what the worker was"
        " started from kept in memory, and without (`--restart-on any`).",
        "",
        "| reloader | measured | target | |",
        "| --- | ---: | ---: | --- |",
        f"| PSS | {_up(kept)} MB | | |",
        f"| PSS without | {_up(without)} MB | | |",
        against("difference", kept - without, 32, "MB"),
        "",
    ]


def _floods(results: Results) -> list[str]:
    return log_path(results.floods)


def log_path(floods: Sequence[Flood]) -> list[str]:
    """The section about the log path."""
    by_name = {flood.tool.name: flood for flood in floods}
    ours = statistics.median(by_name["reloader"].rates)
    cat = statistics.median(by_name["cat"].rates) / ours
    cpus = len(os.sched_getaffinity(0))
    lines = [
        "## The log path",
        "",
        f"The worker writes lines of {LINE} bytes as fast as it can, {len(floods[0].rates)} times;"
        " a reader takes them from a pipe and counts them."
        " Every line arrived each time, and not a byte too many, or there would be no page."
        " Only the worker's own bytes make the rate, not the prefixes."
        " The CPU time is that of the tool alone, for a million lines."
        f" For the latency the worker writes one such line every 5 ms, {len(floods[0].latency.values)} in all; it"
        " ends when the reader has it.",
        f"Measured in one run on {time.strftime('%Y-%m-%d')}, on {cpus} CPUs, which worker, tool and reader share.",
        "",
        "| | lines | before a line | MB/s: median | lowest | CPU | one line: median | p95 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for flood in floods:
        median = _down(statistics.median(flood.rates))
        prefix = f"{flood.prefix} bytes" if flood.prefix else "none"
        name = f"{flood.tool.name} {flood.tool.version}".strip()
        cpu = f"{_up(statistics.median(flood.cpu), 2)} s" if any(flood.cpu) else "-"
        soon = f"{_up(flood.latency.median, 2)} ms | {_up(flood.latency.p95, 2)} ms"
        row = f"{flood.lines:,} | {prefix} | {median} | {_down(min(flood.rates))} | {cpu} | {soon}"
        lines.append(f"| {name} | {row} |")
    missing = [name for name in ("honcho", "foreman") if name not in by_name]
    if missing:
        lines += ["", f"Not installed: {', '.join(missing)}."]
    lines += ["", "| reloader | measured | target | |", "| --- | ---: | ---: | --- |"]
    lines.append(f"| rate | {_down(ours)} MB/s | ≥ 200 MB/s | {'met' if ours >= 200 else '**missed**'} |")
    lines.append(f"| below cat | {_up(cat)} × | ≤ 3 × | {'met' if cat <= 3 else '**missed**'} |")
    if "honcho" in by_name:
        times = ours / statistics.median(by_name["honcho"].rates)
        met = "met" if times >= 10 else "**missed**"
        lines.append(f"| over honcho | {_down(times, 1)} × | ≥ 10 × | {met} |")
    lines.append(against("one line, median", by_name["reloader"].latency.median, 2, "ms", 2))
    return [*lines, ""]


def against(what: str, value: float, target: float, unit: str, digits: int = 1) -> str:
    """The row of a figure that is to be at most the target."""
    met = "met" if value <= target else "**missed**"
    return f"| {what} | {_up(value, digits)} {unit} | ≤ {target:g} {unit} | {met} |"


def _both(sample: Sample) -> str:
    return f"{_up(sample.median)} | {_up(sample.p95)}"


def _up(value: float, digits: int = 1) -> str:
    return f"{ceil(value * 10**digits) / 10**digits:.{digits}f}"


def _down(value: float, digits: int = 0) -> str:
    return f"{floor(value * 10**digits) / 10**digits:.{digits}f}"
