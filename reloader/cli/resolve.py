"""From what was given by options, environment and files to the settings of a run."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import Any

from reloader.errors import ReloaderError
from reloader.presets.cases import applied, cautions, hurried
from reloader.presets.detect import Detected, recognise
from reloader.presets.generation_command import later_command
from reloader.presets.preset import SET_SO, Preset
from reloader.presets.table import PRESETS
from reloader.presets.whole_command import startable
from reloader.settings import (
    Color,
    LogFormat,
    OnExit,
    RestartOn,
    Settings,
    StopTarget,
    Trigger,
    Tty,
    parse_signal,
)


def build(given: dict[str, Any], presets: Sequence[Preset] = PRESETS) -> Settings:
    """Settings from the options, the environment and a file, all of them given; then a preset, then defaults.

    Raises ReloaderError for what cannot be.
    """
    command = tuple(given["command"])
    if given["module"]:
        command = (_interpreter(), "-m", given["module"], *command)
    if not command:
        raise ReloaderError("no command given", "reloader -- python manage.py qcluster")
    command = startable(command)
    recognised = _recognised(command, given.get("preset"), presets)
    environment = {**os.environ, **recognised.environment}
    preset = recognised.preset
    if preset is not None:
        preset = applied(preset, recognised.arguments, environment)
    values = _known_of(recognised, preset)
    values |= {key: value for key, value in given.items() if value not in (None, (), "")}
    for key in ("command", "module", "verbose", "quiet"):
        values.pop(key, None)
    values["preset"] = preset.key if preset is not None else None
    values |= _beside(command, recognised, preset, given.get("overlap"))
    if preset is not None:
        values["cautions"] += cautions(
            *(preset, recognised.arguments, environment, values["stop_signal"], values["overlap"])
        )
        values["hurried"] = hurried(preset, recognised.arguments, environment)
    values["why_cold"] = _why_cold(values["warm"], recognised)
    values["warm"] = values["why_cold"] is None
    values["trigger"] = Trigger(values.get("trigger", "tree"))
    values["stop_target"] = StopTarget(values.get("stop_target", "worker"))
    values["on_exit"] = OnExit(values.get("on_exit", "wait"))
    values["restart_on"] = RestartOn(values.get("restart_on", "change"))
    values["color"] = Color(values.get("color", "auto"))
    values["log_format"] = LogFormat(values.get("log_format", "text"))
    values["tty"] = Tty(values.get("tty", "auto"))
    if values.get("stop_timeout") == math.inf:
        values["stop_timeout"] = None
    if values.get("poll") in (0, math.inf):
        raise ReloaderError("--poll needs a time between two looks", "write for example --poll 1s")
    if values.get("start_timeout") in (0, math.inf):
        raise ReloaderError(
            "--start-timeout needs a time after which a start is over", "write for example --start-timeout 2m"
        )
    if values.get("debounce") == math.inf:
        raise ReloaderError("--debounce none would never restart", "write for example --debounce 50ms")
    settings = Settings(command=command, verbosity=given["verbose"] - given["quiet"], **values)
    for path in settings.watch:
        _must_be_watchable(path)
    return settings


def _why_cold(wanted: bool, recognised: Detected) -> str | None:
    """Why no start of such a worker is warm; None where that can be."""
    if not recognised.python:
        return "not a Python program, as far as can be seen"
    if not wanted:
        return "warm starts are turned off"
    if recognised.why_cold:
        return recognised.why_cold
    if not recognised.is_sure:
        return "what starts the worker does not tell how"
    # By its documented rules it would work elsewhere; it has not been tried there.
    return None if sys.platform == "linux" else "warm starts are tried on Linux alone"


def _recognised(command: Sequence[str], choice: str | None, presets: Sequence[Preset]) -> Detected:
    if choice is None:
        return recognise(command, presets)
    if choice == "none":
        return recognise(command, ())
    from reloader.presets.custom import named

    return recognise(command, presets, named(choice, presets))


def _beside(
    command: Sequence[str], recognised: Detected, preset: Preset | None, wanted: bool | None
) -> dict[str, Any]:
    """Whether the new generation starts beside the old one, and by which command; or why it does not.

    It does where the user wants it, or says nothing and the preset, whose cases are applied, knows that it
    is safe.
    """
    if wanted is False or preset is None:
        return {"overlap": bool(wanted), "apart": SET_SO if wanted is False else "", "cautions": ()}
    apart = preset.apart or recognised.apart
    program, arguments = (recognised.words, len(recognised.arguments)) if recognised.fits else ((), 0)
    later = later_command(command, program, arguments, preset)
    if later is None:
        apart = apart or "its name cannot be given a number within this command"
    told = ((f"{preset.key}: {apart}", "--no-overlap drains first"),) if wanted and apart else ()
    overlap = wanted or not apart
    return {
        "overlap": overlap,
        "apart": apart,
        "later": later or () if overlap else (),
        "cautions": told,
    }


def _known_of(recognised: Detected, preset: Preset | None) -> dict[str, Any]:
    """The settings that follow from the command; the preset's cases are applied."""
    from reloader.showing.managers import is_below_manager

    values: dict[str, Any] = {
        "prefix": not is_below_manager(os.environ),
        "name": recognised.name,
        "python": recognised.python,
        "interpreter": recognised.interpreter,
        "program": recognised.words if recognised.is_sure else (),
        "folder": recognised.folder,
        "warm": recognised.python,
        "stop_signal": parse_signal("INT" if recognised.python else "TERM"),
    }
    if preset is not None:
        values |= {
            "ready": preset.ready,
            "stop_target": preset.stop_target,
            "stop_timeout": preset.stop_timeout,
            "killed": preset.killed,
        }
        if preset.stop_signal is not None:
            values["stop_signal"] = preset.stop_signal
    return values


def _interpreter() -> str:
    environment = os.environ.get("VIRTUAL_ENV")
    inside = os.path.join(environment, "bin", "python") if environment else ""
    return inside if inside and os.path.exists(inside) else sys.executable


def _must_be_watchable(path: str) -> None:
    from reloader.showing.phrases import path_shown

    shown = path_shown(path)
    try:
        os.stat(path)
        if os.path.isdir(path):
            os.listdir(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = "check the path after --watch; it is relative to the current folder"
        if isinstance(error, PermissionError):
            remedy = f"ls -ld {shown}"
        raise ReloaderError(f"cannot watch {shown}: {reason}", remedy) from error
