"""Renews what the docs take from elsewhere: the two helps, the known workers, the folders and what they
import, the tables of states, the figures.

Each stands between `<!-- NAME -->` and `<!-- end of NAME -->`. `python docs/refresh.py` writes them anew;
a test fails where one is stale.
"""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reloader.cli.help import long_help, short_help
from reloader.cli.options import PARAMS, Option
from reloader.cli.parsing import RUN
from reloader.deciding.transitions import GENERATION_TABLE, WORKER_TABLE
from reloader.presets import describe
from reloader.presets.table import PRESETS

ROOT = Path(__file__).parent.parent
# How the steps of the tables are said to a reader.
STEPS = {
    "stay": "–",
    "ignore": "–",
    "impossible": "impossible",
    "ask": "WAITING or PREPARING",
    "seek_room": "PREPARING, where there is room",
    "start_again": "WAITING or PREPARING",
    "retry": "WAITING or PREPARING",
    "replace": "WAITING, without overlap behind a stop; or PREPARING",
    "start_over": "if nobody else is on the way, as restart",
    "fall_back": "HELD, or follow `--on-exit`",
    "make_room": "all are stopped: WAITING",
    "bridge": "–, or follow `--on-exit quit`",
    "bridge_and_seek_room": "PREPARING, or follow `--on-exit quit`",
    "launch": "RUNNING",
    "rest": "all are stopped: STOPPED",
    "force": "all are killed; once more: finished",
    "follow_on_exit": "follow `--on-exit`",
    "run": "STARTING",
    "launch_again": "asked for again, at most 5 times; else ENDED",
    "abandon_launch": "told, what was asked is killed",
    "drain_started": "–, with the whole stop timeout",
    "drain": "DRAINING",
    "kill": "KILLING",
    "be_ready": "READY",
    "assume_ready_or_give_up": "READY (assumed); DRAINING where another is at work",
    "end": "ENDED",
    "wait_or_kill": "KILLING",
    "complain": "told, killed again",
}
# The width, in columns, of the long help in the docs.
WIDTH = 100


def _block(text: str) -> str:
    return f"```\n{text.rstrip()}\n```"


def _drawn(name: str, table: Mapping[Any, Mapping[Any, str]]) -> str:
    """A table of states, in Markdown."""
    head = [name, *(happening.value for happening in next(iter(table.values())))]
    rows = [head, ["---"] * len(head)]
    rows += [[state.name, *(STEPS[step] for step in row.values())] for state, row in table.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shape() -> Any:
    """The test that knows which folder may import which."""
    path = ROOT / "tests" / "test_shape.py"
    spec = importlib.util.spec_from_file_location("shape", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folders() -> str:
    """The folders of the package with their files, and the files beside them."""
    package = ROOT / "reloader"
    lines = ["reloader/"]
    for path in sorted(package.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if path.suffix == ".py":
            lines.append(f"  {path.name}")
        elif (path / "__init__.py").exists():
            names = [str(file.relative_to(path))[: -len(".py")] for file in sorted(path.rglob("*.py"))]
            text = ", ".join(name for name in names if name != "__init__")
            head = f"  {path.name}/".ljust(16)
            lines += textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    return _block("\n".join(lines))


def arrows() -> str:
    """Who imports whom, from those that everybody may import to the command line."""
    shape = _shape()
    left: dict[str, set[str]] = {
        name: targets | shape.LATE.get(name, set()) for name, targets in shape.ARROWS.items()
    }
    lines = [
        "| floor | part | imports as it is loaded | imports once it is needed |",
        "| ---: | --- | --- | --- |",
    ]
    floor = 0
    while left:
        free = sorted(name for name, targets in left.items() if not targets & left.keys())
        if not free:
            raise SystemExit(f"these import each other: {', '.join(sorted(left))}")
        for name in free:
            cells = (_parts(shape.ARROWS[name]), _parts(shape.LATE.get(name, set())))
            lines.append(f"| {floor} | {_parts({name})} | {' | '.join(cells)} |")
            del left[name]
        floor += 1
    return "\n".join(lines)


def _parts(names: set[str]) -> str:
    """Parts of the package by their names: folders, and files beside them."""
    package = ROOT / "reloader"
    shown = (f"`{name}/`" if (package / name).is_dir() else f"`{name}.py`" for name in sorted(names))
    return ", ".join(shown) or "–"


# A bar that is quoted stands in a cell.
_CELLS = re.compile(r"(?<!\\)\|")


def comparison() -> str:
    """The first lines of the benchmark, as one table."""
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    rows: dict[str, list[str]] = {}
    for line in page.splitlines():
        if line.startswith("| ") and (cells := [cell.strip() for cell in _CELLS.split(line.strip("|"))]):
            rows.setdefault(cells[0], []).extend(cells[1:])
    head = (
        *("median", "save → stop signal", "save → new code", "added to a start"),
        *("idle CPU", "memory (PSS)"),
    )
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for tool in ("reloader", "watchfiles", "hupper", "watchmedo", "nodemon", "entr"):
        _version, _command, stop, _, new, _, _signal, _, _, added, _, cpu, memory, *_ = rows[tool]
        times = (f"{ms} ms" for ms in (stop, new, added))
        lines.append(f"| {tool} | {' | '.join([*times, cpu, memory])} |")
    return "\n".join(lines)


def workers() -> str:
    """The known workers, as one table."""
    head = ("preset", "recognised by", "stop", "at most", "ready line", "overlap", "a task that is killed")
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for preset in PRESETS:
        cells = (
            f"`{preset.key}`",
            ", ".join(f"`{way}`" for way in preset.match) or f"`--preset {preset.key}`",
            describe.stop_of(preset),
            describe.timeout_of(preset),
            f"`{preset.ready}`" if preset.ready else "none",
            describe.overlap_of(preset),
            preset.killed_task_outcome,
        )
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def settings_keys() -> str:
    """The keys of settings files, by the kind of their value, in the order of the help."""
    kinds: dict[str, list[str]] = {
        "a string or a list of strings": [],
        "`true` or `false`": [],
        "a string, or a number (of seconds, where it is a time)": [],
        "how often the option would be given": [],
    }
    lists, switches, texts, counts = kinds.values()
    for param in PARAMS:
        if isinstance(param, Option) and param.name != "module":
            some = (
                lists if param.multiple else counts if param.count else switches if param.is_flag else texts
            )
            some.append(f"`{str(param.name).replace('_', '-')}`")
    lines = ["| keys | value |", "| --- | --- |"]
    lines += [f"| {', '.join(keys)} | {value} |" for value, keys in kinds.items()]
    return "\n".join(lines)


def reloads() -> str:
    """What many reloads under a stream of tasks came to, system by system, as one table."""
    lines = [
        "| system | overlap | lost | doubled | left | killed | reloads | tasks | a task in flight at a save |"
        " new code has one: median, slowest |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for system, one in _stored("workers").items():
        if " behind " in system:
            continue
        lost = f"{one['lost']} ({one['kept']} put aside)" if one["kept"] else one["lost"]
        numbers = (lost, one["doubled"], one["left"], one["killed"], one["reloads"], one["tasks"])
        overlap = "yes" if one.get("overlap") else "no"
        times = one["serves"]
        soon = f"{statistics.median(times):.2f}, {max(times):.2f} s" if times else "–"
        cells = [overlap, *map(str, numbers), one["in flight"], soon]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _stored(name: str) -> Any:
    """What a measurement has left in `docs`; nothing before the first one."""
    file = ROOT / "docs" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def fronts() -> str:
    """Who gets the stop signal behind what stands in front of the worker, as the tests have seen it."""

    def heard(row: Mapping[str, Any] | None) -> str:
        if row is None:
            return "not tried"
        numbers = {
            name: " and ".join(one.removeprefix("SIG") for one in all_) for name, all_ in row["heard"].items()
        }
        if not any(numbers.values()):
            return "nobody it could help, which is told"
        who = "the worker" if len(numbers) == 1 else "each of them"
        told = "; what to do is told" if row["told"] else ""
        return f"{who}: {', '.join(sorted(set(numbers.values())))}{told}"

    def meanwhile(rows: Mapping[str, Mapping[str, Any]]) -> str:
        ended = {name for row in rows.values() for name in row["ended"]}
        waiting = {name for row in rows.values() for name in row["in front"]} - ended
        told = [f"{_words(ended)} ends, the worker goes on"] if ended else []
        return "; ".join(told + ([f"{_words(waiting)} waits"] if waiting else [])) or "becomes the worker"

    lines = [
        "| in front | typed behind `reloader --` | at a terminal | in pipes | what is in front |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, rows in _stored("fronts").items():
        command = next(iter(rows.values()))["command"]
        for word, short in (
            ("{WORKER}", "WORKER"),
            ("{QUOTED}", "WORKER"),
            ("{PYTHON}", "python"),
            ("{USER}", "USER"),
        ):
            command = command.replace(word, short)
        typed = "`" + command.replace("|", "\\|") + "`"
        cells = (name, typed, heard(rows.get("terminal")), heard(rows.get("pipes")), meanwhile(rows))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(names: set[str]) -> str:
    return " and ".join(f"`{name}`" for name in sorted(names))


def behind() -> str:
    """What the reloads of real queues behind such fronts came to."""
    lines = ["| system | lost | doubled | left | killed | reloads | tasks |", f"| --- |{' ---: |' * 6}"]
    for system, one in _stored("workers").items():
        if " behind " in system:
            cells = (one[key] for key in ("lost", "doubled", "left", "killed", "reloads", "tasks"))
            lines.append(f"| {' | '.join([system, *map(str, cells)])} |")
    return "\n".join(lines)


def schedules() -> str:
    """What many reloads did to what fires by time, system by system, as one table."""
    head = (
        *("system", "overlap", "due times", "every", "due", "fired", "doubled", "once more at a start"),
        *("skipped", "latest"),
    )
    lines = [f"| {' | '.join(head)} |", f"| --- | --- | --- |{' ---: |' * (len(head) - 3)}"]
    for system, one in _stored("schedules").items():
        cells = (
            *(system, "yes" if one["overlap"] else "no", one["due_is"], f"{one['every']:g} s"),
            *(one[key] for key in ("due", "fired", "doubled", "again", "skipped")),
            f"{one['latest']:.1f} s",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def warm_figure() -> str:
    """The first figure of the benchmark's section about warm starts, in a sentence."""
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    section = page.partition("## Warm starts")[2]
    if not section:
        return "`python tests/benchmarks/run.py --only warm` measures how much sooner it is ready."
    row = section.partition("\n| ---: ")[2].splitlines()[1]
    cold, warm = (cell.strip() for cell in row.strip("| ").split("|")[-2:])
    return (
        "A django-q2 worker of a project with Django REST framework, celery, requests and pandas is ready"
        f" {warm} s\nafter its start, {cold} s where that is cold;"
        " `python tests/benchmarks/run.py --only warm` measures it."
    )


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "reloader -h"): lambda: _block(short_help(RUN)),
    ("README.md", "comparison"): comparison,
    ("README.md", "warm figure"): warm_figure,
    ("README.md", "workers"): reloads,
    ("docs/workers.md", "schedules"): schedules,
    ("docs/reference.md", "reloader --help"): lambda: _block(long_help(RUN, WIDTH)),
    ("docs/architecture.md", "folders"): folders,
    ("docs/architecture.md", "arrows"): arrows,
    ("docs/architecture.md", "table of a generation"): lambda: _drawn("generation", GENERATION_TABLE),
    ("docs/architecture.md", "table of the worker"): lambda: _drawn("worker", WORKER_TABLE),
    ("docs/reference.md", "settings keys"): settings_keys,
    ("docs/reference.md", "known workers"): workers,
    ("docs/concepts/stopping.md", "fronts"): fronts,
    ("docs/concepts/stopping.md", "queues behind fronts"): behind,
}


def renewed(file: str) -> str:
    """The file's text with its parts as they should be."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for (of, name), make in PARTS.items():
        if of == file:
            start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
            pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
            found = pattern.search(text)
            if found is None:
                raise SystemExit(f"{file} has no place for {name}")
            text = f"{text[: found.start()]}{start}\n{make()}\n{end}{text[found.end() :]}"
    return text


if __name__ == "__main__":
    for file in sorted({file for file, _ in PARTS}):
        (ROOT / file).write_text(renewed(file), encoding="utf-8")
