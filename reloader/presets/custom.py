"""Presets from a settings file: `[tool.reloader.presets.NAME]` adds a preset or changes a known one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reloader.common.run_folder import relative
from reloader.errors import ReloaderError
from reloader.presets.preset import SET_SO, Preset
from reloader.presets.table import PRESETS
from reloader.settings import StopTarget, parse_choice, parse_duration, parse_pattern, parse_signal

_COUNTS = {"python": True, "everything": False}
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*t?")
_DJANGO = frozenset({"manage", "manage.py", "django-admin"})


def merged(tables: Mapping[str, Mapping[str, Any]], path: str) -> tuple[Preset, ...]:
    """The presets of the file at `path`, then the known ones that it does not change.

    `tables` maps each preset's key to its table, whose keys and types were checked against KEYS. Raises
    ReloaderError for an invalid value.
    """
    shown = relative(path)
    own = tuple(_preset(key, table, shown) for key, table in tables.items())
    return (*own, *(preset for preset in PRESETS if preset.key not in tables))


def named(key: str, presets: Sequence[Preset]) -> Preset:
    """The preset with this key; raises ReloaderError if there is none."""
    for preset in presets:
        if preset.key == key:
            return preset
    raise ReloaderError(f"no preset is called {key!r}", _similar(key, presets, "reloader presets lists them"))


def _similar(key: str, presets: Sequence[Preset], otherwise: str) -> str:
    """A hint that names a preset with a similar key; `otherwise` if there is none."""
    import difflib

    close = difflib.get_close_matches(key, [preset.key for preset in presets], n=1)
    return f"did you mean {close[0]}?" if close else otherwise


def _preset(key: str, table: Mapping[str, Any], shown: str) -> Preset:
    preset = next((preset for preset in PRESETS if preset.key == key), None)
    if preset is None and not table.get("match"):
        remedy = _similar(key, PRESETS, 'write for example match = ["manage.py myworker"]')
        raise ReloaderError(f"{shown}: presets.{key} is no known worker and has no match", remedy)
    preset = preset or Preset(key, python=None, stop_signal=None)
    for name, value in table.items():
        try:
            _, change = _FIELDS[name]
            preset = change(preset, value)
        except ValueError as error:
            raise ReloaderError(
                f"{shown}: presets.{key}.{name.replace('_', '-')}: {error}", "reloader presets shows examples"
            ) from error
    if preset.own_name and not preset.named_by:
        raise ReloaderError(
            f"{shown}: presets.{key}: an own-name needs named-by", 'write for example named-by = ["--name"]'
        )
    return preset


def _match(preset: Preset, values: list[str]) -> Preset:
    patterns = []
    for value in values:
        words = value.split()
        # `python` and `-m` in front are left out: presets match what Python runs.
        if words and _PYTHON.fullmatch(words[0]):
            words = words[2:] if words[1:2] == ["-m"] else words[1:]
        if not words:
            raise ValueError(f"{value!r} names no program")
        if os.path.basename(words[0]) in _DJANGO:
            words[0] = "manage.py"
            if len(words) == 1:
                raise ValueError(f"{value!r} names no management command")
        patterns.append(" ".join(words))
    return preset.but(match=(*patterns, *preset.match))


def _counts(preset: Preset, value: str) -> Preset:
    if value not in _COUNTS:
        raise ValueError(f"{value!r} is not one of 'python', 'everything'")
    return preset.but(python=_COUNTS[value])


def _ready(preset: Preset, value: str) -> Preset:
    parse_pattern(value)
    # The user's pattern holds in every case.
    cases = tuple(
        case
        if case.ready is None
        else case.but(ready=None, no_overlap_reason=None if case.ready == "" else case.no_overlap_reason)
        for case in preset.cases
    )
    return preset.but(ready=value or None, cases=cases)


def _overlap(preset: Preset, value: bool) -> Preset:
    cases = tuple(case.but(no_overlap_reason=None) for case in preset.cases)
    return preset.but(no_overlap_reason="" if value else SET_SO, cases=cases)


def _options(values: list[str]) -> tuple[str, ...]:
    for value in values:
        if not value.startswith("-"):
            raise ValueError(f"{value!r} is no option")
    return tuple(values)


# Each key of such a table: the type of its value, and what it changes in a preset.
_FIELDS: Mapping[str, tuple[type, Callable[[Preset, Any], Preset]]] = {
    "match": (list, _match),
    "value_options": (list, lambda preset, value: preset.but(value_options=(*preset.value_options, *value))),
    "name": (str, lambda preset, value: preset.but(name=value)),
    "counts": (str, _counts),
    "ready": (str, _ready),
    "stop_signal": (str, lambda preset, value: preset.but(stop_signal=parse_signal(value))),
    "stop_target": (str, lambda preset, value: preset.but(stop_target=parse_choice(StopTarget, value))),
    "stop_timeout": (str, lambda preset, value: preset.but(stop_timeout=parse_duration(value))),
    "overlap": (bool, _overlap),
    "named_by": (list, lambda preset, value: preset.but(named_by=_options(value))),
    "own_name": (str, lambda preset, value: preset.but(own_name=value)),
    "later_options": (list, lambda preset, value: preset.but(later_options=_options(value))),
    "killed": (str, lambda preset, value: preset.but(killed_task_outcome=value.rstrip("."))),
    "notes": (str, lambda preset, value: preset.but(notes=value)),
}
KEYS: Mapping[str, type] = {key: kind for key, (kind, _) in _FIELDS.items()}
