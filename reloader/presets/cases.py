"""What follows from a preset for one command line: its cases, and what the user is to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reloader.presets.preset import Case, Preset


def applied(preset: Preset, arguments: Sequence[str], environment: Mapping[str, str]) -> Preset:
    """The preset with what its cases change for these arguments of the program."""
    for case in preset.cases:
        if case.stop_signal is None and _holds(case, arguments, environment):
            if case.ready is not None:
                preset = preset.but(ready=case.ready or None)
            if case.apart is not None:
                preset = preset.but(apart=case.apart)
    return preset


def cautions(
    preset: Preset,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stop_signal: int,
    overlap: bool = False,
) -> tuple[tuple[str, str], ...]:
    """What to tell at the start, each with what to do about it."""
    return tuple(
        (f"{preset.key}: {case.caution}", case.hint)
        for case in preset.cases
        if case.caution
        and not case.within
        and case.stop_signal in (None, stop_signal)
        and case.overlaps in (None, overlap)
        and _holds(case, arguments, environment)
    )


def hurried(
    preset: Preset, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[tuple[float, str, str], ...]:
    """What to tell where restarts come this soon, in seconds, after each other, with what to do about it."""
    return tuple(
        (case.within, f"{preset.key}: {case.caution}", case.hint)
        for case in preset.cases
        if case.within and _holds(case, arguments, environment)
    )


def _holds(case: Case, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    variable, _, value = case.env.partition("=")
    if variable and environment.get(variable) != value:
        return False
    if case.has and not any(_given(option, arguments) for option in case.has):
        return False
    return not any(_given(option, arguments) for option in case.lacks)


def _given(option: str, arguments: Sequence[str]) -> bool:
    """Whether `--name` or `--name=value` is among the arguments, in whatever form it takes."""
    name, wants_value, value = option.partition("=")
    is_long = name.startswith("--")
    for place, word in enumerate(arguments):
        if word == "--":
            break
        start, equals, rest = word.partition("=")
        if start == name:
            following = arguments[place + 1] if place + 1 < len(arguments) else ""
            if not wants_value or (rest if equals else following).lower() == value:
                return True
        elif not is_long and wants_value and word.lower() == f"{name}{value}":
            return True
    return False
