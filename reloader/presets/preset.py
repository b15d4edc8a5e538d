"""The fields of a preset, and what its cases change for one command line. The presets are in table.py."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from reloader.messages.base import Message
from reloader.settings import StopTarget

# How long a task in flight may take, in seconds, where nothing else is known.
FOR_TASKS = 60.0
# The reason for no overlap when the user has turned it off.
SET_SO = "it is set so"


class Case(Message):
    """A change to the preset, or a warning, for some command lines or environments.

    It applies when all of its conditions (`has` to `overlaps`) hold. An option is written `--name` or
    `--name=value` and matches every spelling: `-l=info` matches `-l info` and `-linfo`.
    """

    has: tuple[str, ...] = ()
    """One of these options is given."""
    lacks: tuple[str, ...] = ()
    """None of these options is given."""
    env: str = ""
    """The environment has this NAME=VALUE."""
    stop_signal: int | None = None
    """This is the stop signal."""
    ready: str | None = None
    """The pattern of the ready line in this case; empty if there is no such line."""
    no_overlap_reason: str | None = None
    """Why generations must not overlap in this case; empty if they may."""
    overlaps: bool | None = None
    """Generations overlap, or do not. Only for cases that warn the user and change nothing."""
    caution: str = ""
    """The warning. It is shown once: at the start, or as `within` says."""
    within: float = 0.0
    """Show the warning when two restarts are at most this many seconds apart; 0 shows it at the start."""
    hint: str = ""
    """What the user can do about it."""


class Preset(Message):
    """How a known worker behaves. Times are in seconds."""

    key: str
    """The name in `--preset KEY`, `[tool.reloader.presets.KEY]` and `reloader presets KEY`."""
    match: tuple[str, ...] = ()
    """The command lines that it matches: a program and the words that follow, without options.

    `manage.py VERB` matches a management command however Django is called. Any other program is a console
    script, a file, or a module after `python -m`. If several presets match, the one with the most words wins.
    """
    value_options: tuple[str, ...] = ()
    """Options with a separate value that may stand before those words."""
    name: str = ""
    """The prefix of its lines; empty for the name of the management command or the program."""
    python: bool | None = True
    """Which files count: Python code and configuration (True) or all; None decides by the command."""
    ready: str | None = None
    """A regular expression for the line that says that the worker is ready.

    If each of its processes prints one, the first is enough: from then on the new code takes tasks.
    """
    stop_signal: int | None = signal.SIGINT
    """The signal that drains it; None for INT if it is a Python program, and TERM if not."""
    stop_target: StopTarget = StopTarget.WORKER
    """Who gets the signal: the whole tree if the first process does not pass it on."""
    stop_timeout: float | None = FOR_TASKS
    """How long a task in flight may take; None for no limit."""
    no_overlap_reason: str = "two of it at once are not known to be safe"
    """Why a new generation must not start before the old one has drained; empty if it may.

    Empty only where overlap was tried: the broker gives a task to one of the two, and there is a ready line.
    """
    named_by: tuple[str, ...] = ()
    """The options that set the worker's own name, which two workers cannot share.

    With overlap, every generation but the first gets its number in the name: before an `@`, else at the end.
    """
    own_name: str = ""
    """The worker's name without these options; empty if it makes up a new one at every start."""
    later_options: tuple[str, ...] = ()
    """Options that are added to every generation but the first when generations overlap.

    They make it ready sooner, since somebody who has just saved waits for it.
    """
    killed_task_outcome: str = ""
    """What happens to a task that is killed at the stop timeout."""
    notes: str = ""
    """What else a user should know, in sentences."""
    cases: tuple[Case, ...] = ()

    @property
    def overlap(self) -> bool:
        """Whether the new generation starts beside the old one, unless the user says something else."""
        return not self.no_overlap_reason


def applied(preset: Preset, arguments: Sequence[str], environment: Mapping[str, str]) -> Preset:
    """The preset as its cases change it for these arguments of the program."""
    for case in preset.cases:
        if case.stop_signal is None and _applies(case, arguments, environment):
            if case.ready is not None:
                preset = preset.but(ready=case.ready or None)
            if case.no_overlap_reason is not None:
                preset = preset.but(no_overlap_reason=case.no_overlap_reason)
    return preset


def cautions(
    preset: Preset,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stop_signal: int,
    overlap: bool = False,
) -> tuple[tuple[str, str], ...]:
    """The warnings to show at the start, each with its hint."""
    return tuple(
        (f"{preset.key}: {case.caution}", case.hint)
        for case in preset.cases
        if case.caution
        and not case.within
        and case.stop_signal in (None, stop_signal)
        and case.overlaps in (None, overlap)
        and _applies(case, arguments, environment)
    )


def hurried(
    preset: Preset, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[tuple[float, str, str], ...]:
    """The warnings for restarts at most so many seconds apart: these seconds, the warning and its hint."""
    return tuple(
        (case.within, f"{preset.key}: {case.caution}", case.hint)
        for case in preset.cases
        if case.within and _applies(case, arguments, environment)
    )


def _applies(case: Case, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    variable, _, value = case.env.partition("=")
    if variable and environment.get(variable) != value:
        return False
    if case.has and not any(_is_given(option, arguments) for option in case.has):
        return False
    return not any(_is_given(option, arguments) for option in case.lacks)


def _is_given(option: str, arguments: Sequence[str]) -> bool:
    """Whether `--name` or `--name=value` is among the arguments, in any spelling."""
    name, wants_value, value = option.partition("=")
    for index, word in enumerate(arguments):
        if word == "--":
            break
        start, equals, rest = word.partition("=")
        if start == name:
            following = arguments[index + 1] if index + 1 < len(arguments) else ""
            if not wants_value or (rest if equals else following).lower() == value:
                return True
        elif wants_value and not name.startswith("--") and word.lower() == f"{name}{value}":
            return True
    return False
