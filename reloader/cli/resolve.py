"""Builds the settings of a run from what the user has set, the preset of the worker, and the defaults."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence

from reloader.errors import ReloaderError
from reloader.presets.detect import Detected, recognise
from reloader.presets.generation_command import later_command
from reloader.presets.preset import SET_SO, Preset, applied, cautions, hurried
from reloader.presets.table import PRESETS
from reloader.presets.whole_command import startable
from reloader.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a user may set that is no setting by itself.
_NO_SETTINGS = ("command", "module", "preset", "presets", "verbose", "quiet")


def build(given: Mapping[str, Any]) -> Settings:
    """The settings: the user's values come first, then the preset's, then the defaults.

    `given` has the options that the user has set, by name, the `command`, and `presets`, the known workers of
    a settings file. Raises ReloaderError for mistakes.
    """
    given = {key: value for key, value in given.items() if value not in ((), "")}
    command: tuple[str, ...] = tuple(given.get("command", ()))
    if "module" in given:
        command = (_interpreter(), "-m", given["module"], *command)
    if not command:
        raise ReloaderError("no command given", "reloader -- python manage.py qcluster")
    command = startable(command)
    recognised = _recognised(command, given.get("preset"), given.get("presets", PRESETS))
    environment = {**os.environ, **recognised.environment}
    preset = recognised.preset
    if preset is not None:
        preset = applied(preset, recognised.arguments, environment)
    values = _from_preset(recognised, preset)
    values |= {key: value for key, value in given.items() if key not in _NO_SETTINGS}
    values |= _overlap(command, recognised, preset, given.get("overlap"))
    if preset is not None:
        values["preset"] = preset.key
        values["cautions"] += cautions(
            *(preset, recognised.arguments, environment, values["stop_signal"], values["overlap"])
        )
        values["hurried"] = hurried(preset, recognised.arguments, environment)
    values["why_cold"] = _why_cold(given.get("warm", True), recognised)
    values["warm"] = values["why_cold"] is None
    _check_durations(given)
    verbosity = given.get("verbose", 0) - given.get("quiet", 0)
    settings = Settings(command=command, verbosity=verbosity, **values)
    for path in settings.watch:
        _must_be_watchable(path)
    return settings


def _check_durations(given: Mapping[str, Any]) -> None:
    """Raise ReloaderError where an option does not take `0` or `none`."""
    if given.get("poll", 1) in (0, None):
        raise ReloaderError("--poll needs a time between two looks", "write for example --poll 1s")
    if given.get("start_timeout", 1) in (0, None):
        raise ReloaderError(
            "--start-timeout needs a time after which a start is over", "write for example --start-timeout 2m"
        )
    if given.get("debounce", 1) is None:
        raise ReloaderError("--debounce none would never restart", "write for example --debounce 50ms")


def _why_cold(wanted: bool, recognised: Detected) -> str | None:
    """Why no start of this worker can be warm; None where it can."""
    if not recognised.python:
        return "not a Python program, as far as can be seen"
    if not wanted:
        return "warm starts are turned off"
    if recognised.why_cold:
        return recognised.why_cold
    if not recognised.is_sure:
        return "what starts the worker does not tell how"
    # It should work on other systems, but has not been tried there.
    return None if sys.platform == "linux" else "warm starts are tried on Linux alone"


def _recognised(command: Sequence[str], choice: str | None, presets: Sequence[Preset]) -> Detected:
    if choice is None:
        return recognise(command, presets)
    if choice == "none":
        return recognise(command, ())
    from reloader.presets.custom import named

    return recognise(command, presets, named(choice, presets))


def _overlap(
    command: Sequence[str], recognised: Detected, preset: Preset | None, wanted: bool | None
) -> dict[str, Any]:
    """The settings about overlap: whether, by which command of later generations, or why not.

    Generations overlap where the user wants it, or has not set it and the preset says that it is safe.
    """
    if wanted is False or preset is None:
        return {"overlap": bool(wanted), "apart": SET_SO if wanted is False else "", "cautions": ()}
    apart = preset.no_overlap_reason or recognised.no_overlap_reason
    program, arguments = (recognised.words, len(recognised.arguments)) if recognised.fits else ((), 0)
    later = later_command(command, program, arguments, preset)
    if later is None:
        apart = apart or "its name cannot be given a number within this command"
    warnings = ((f"{preset.key}: {apart}", "--no-overlap drains first"),) if wanted and apart else ()
    overlap = wanted or not apart
    return {
        "overlap": overlap,
        "apart": apart,
        "later": later or () if overlap else (),
        "cautions": warnings,
    }


def _from_preset(recognised: Detected, preset: Preset | None) -> dict[str, Any]:
    """The settings that follow from the command and from the preset, whose cases are applied already."""
    from reloader.showing.managers import is_below_manager

    values: dict[str, Any] = {
        "prefix": not is_below_manager(os.environ),
        "name": recognised.name,
        "python": recognised.python,
        "interpreter": recognised.interpreter,
        "program": recognised.words if recognised.is_sure else (),
        "scripts": recognised.scripts,
        "folder": recognised.folder,
        "stop_signal": signal.SIGINT if recognised.python else signal.SIGTERM,
    }
    if preset is not None:
        values |= {
            "ready": preset.ready,
            "stop_target": preset.stop_target,
            "stop_timeout": preset.stop_timeout,
            "killed": preset.killed_task_outcome,
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
