"""The output of `reloader presets`: a table of all presets, and the details of one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from reloader.presets.generation_command import later_command
from reloader.presets.preset import Case, Preset
from reloader.settings import ALIVE_IS_READY, NUMBER, StopTarget, signal_name

WIDTH = 100
_ALIVE = f"alive for {ALIVE_IS_READY:g} s"


def overview(presets: Sequence[Preset]) -> str:
    """A table with one line for each preset."""
    rows = [("NAME", "RECOGNISED BY", "STOP", "AT MOST", "OVERLAP", "READY AT")]
    rows += [
        (
            preset.key,
            ", ".join(preset.match[:2]) + (", ..." if len(preset.match) > 2 else "") or "--preset",
            stop_of(preset),
            timeout_of(preset),
            overlap_of(preset),
            preset.ready or _ALIVE,
        )
        for preset in presets
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    return "\n".join([*lines, "", "reloader presets NAME shows everything about one."])


def details(preset: Preset) -> str:
    """Everything about one preset."""
    lines: list[str] = []
    for name, text in _fields(preset):
        lines += textwrap.wrap(
            text, WIDTH, initial_indent=f"{name:<14}", subsequent_indent=" " * 14, break_long_words=False
        )
    return "\n".join(lines)


def _fields(preset: Preset) -> Iterator[tuple[str, str]]:
    yield "preset", preset.key
    yield "recognised by", ", ".join(preset.match) or f"--preset {preset.key} only"
    yield "name", preset.name or "of the command"
    counts = {True: "Python's code and configuration", False: "every file", None: "what the command is"}
    yield "counts", counts[preset.python]
    yield "stop", stop_of(preset)
    yield "at most", timeout_of(preset)
    yield "ready at", preset.ready or _ALIVE
    reason = preset.no_overlap_reason
    yield "overlap", f"no: {reason}" if reason else "yes: the new one starts beside the old"
    if preset.named_by:
        yield "named by", " or ".join(preset.named_by) + _numbers(preset)
    if preset.later_options:
        options = " ".join(preset.later_options)
        yield "later", f"with overlap every generation but the first is started with {options} as well"
    if preset.killed_task_outcome:
        yield "if killed", preset.killed_task_outcome
    for case in preset.cases:
        yield "but", f"{_condition(case)}: {_consequence(case)}"
    if preset.notes:
        yield "notes", preset.notes


def overlap_of(preset: Preset) -> str:
    """Whether generations overlap: yes, no, or only with an option."""
    if preset.overlap:
        return "yes"
    options = next((case.has for case in preset.cases if case.no_overlap_reason == ""), ())
    return f"with {options[-1]}" if options else "no"


def _numbers(preset: Preset) -> str:
    text = "; with overlap the name gets the generation's number, as w1.2"
    if not preset.own_name:
        return text
    _, *words = later_command(("",), ("",), 0, preset.but(later_options=())) or ()
    return f"{text}; if there is no name, {' '.join(words).replace(NUMBER, '2')} is added"


def stop_of(preset: Preset) -> str:
    """The stop signal, and whether the whole tree gets it."""
    signal = preset.stop_signal
    short = "INT or TERM" if signal is None else signal_name(signal).removeprefix("SIG")
    return f"{short} to the whole tree" if preset.stop_target is StopTarget.TREE else short


def timeout_of(preset: Preset) -> str:
    """The stop timeout."""
    return "no limit" if preset.stop_timeout is None else f"{preset.stop_timeout:g} s"


def _condition(case: Case) -> str:
    parts = []
    if case.has:
        parts.append(f"with {' or '.join(map(_option, case.has))}")
    if case.lacks:
        parts.append(f"without {' or '.join(map(_option, case.lacks))}")
    if case.env:
        parts.append(f"with {case.env} set")
    if case.overlaps is not None:
        parts.append("with overlap" if case.overlaps else "without overlap")
    if case.stop_signal is not None:
        parts.append(f"stopped by {signal_name(case.stop_signal)}")
    return " and ".join(parts)


def _option(option: str) -> str:
    name, equals, value = option.partition("=")
    return option if name.startswith("--") or not equals else f"{name} {value}"


def _consequence(case: Case) -> str:
    parts = []
    if case.ready is not None:
        parts.append(f"ready at {case.ready}" if case.ready else f"ready when {_ALIVE}")
    if case.no_overlap_reason is not None:
        parts.append(f"no overlap: {case.no_overlap_reason}" if case.no_overlap_reason else "overlap")
    if case.caution:
        when = f"where restarts come within {case.within:g} s of each other, " if case.within else ""
        parts.append(f"{when}{case.caution}")
    return "; ".join(parts)
