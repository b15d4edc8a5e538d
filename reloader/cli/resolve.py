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
from reloader.settings import Settings, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a user may set that is no setting by itself.
_NO_SETTINGS = ("command", "module", "preset", "presets", "origins", "verbose", "quiet")


def build(given: Mapping[str, Any]) -> Settings:
    """The settings: the user's values come first, then the preset's, then the defaults.

    `given` has the options that the user has set, by name, the `command`, `presets`, the known workers of
    a settings file, and `origins`, as parsing.given returns them. Raises ReloaderError for mistakes.
    """
    given = {key: value for key, value in given.items() if value not in ((), "")}
    origins = _Origins(given.get("origins", {}))
    command: tuple[str, ...] = tuple(given.get("command", ()))
    if command and "module" not in given:
        _must_be_quoted(command, given, origins)
    if "module" in given:
        command = (_interpreter(), "-m", given["module"], *command)
    if not command:
        raise ReloaderError("no command given", "reloader -- python manage.py qcluster")
    command = startable(command)
    recognised = _recognised(command, given.get("preset"), given.get("presets", PRESETS), origins)
    environment = {**os.environ, **recognised.environment}
    preset = recognised.preset
    if preset is not None:
        preset = applied(preset, recognised.arguments, environment)
    values = _from_preset(recognised, preset)
    values |= {key: value for key, value in given.items() if key not in _NO_SETTINGS}
    values |= _overlap(command, recognised, preset, given.get("overlap"), origins)
    if preset is not None:
        values["preset"] = preset.key
        values["cautions"] += cautions(
            *(preset, recognised.arguments, environment, values["stop_signal"], values["overlap"])
        )
        values["hurried"] = hurried(preset, recognised.arguments, environment)
    values["why_cold"] = _why_cold(given.get("warm", True), recognised)
    values["warm"] = values["why_cold"] is None
    _check_durations(given, origins)
    for option in ("ignore", "include"):
        _check_patterns(option, given.get(option, ()), origins)
    verbosity = given.get("verbose", 0) - given.get("quiet", 0)
    settings = Settings(command=command, verbosity=verbosity, origins=origins.listed, **values)
    for path in settings.watch:
        _must_be_watchable(path, origins)
    return settings


class _Origins:
    """The names of options in errors and hints, as the user has set them."""

    def __init__(self, origins: Mapping[str, tuple[str, str]]) -> None:
        self.listed = tuple((name, *origin) for name, origin in sorted(origins.items()))

    def name(self, option: str) -> str:
        """The option's name, see `settings.origin_of`."""
        return origin_of(self.listed, option)[0]

    def is_elsewhere(self, option: str) -> bool:
        """Whether a settings file or a variable has set it."""
        return any(name == option for name, _, _ in self.listed)

    def is_in_file(self, option: str) -> bool:
        """Whether a settings file has set it."""
        return bool(origin_of(self.listed, option)[1])

    def example(self, option: str, *values: str) -> str:
        """How the option is written with these values, in the place where the user has set it."""
        import shlex

        name, folder = origin_of(self.listed, option)
        if folder:
            quoted = [f'"{value}"' for value in values]
            listed = f"[{', '.join(quoted)}]" if len(values) > 1 else quoted[0]
            return f"{option.replace('_', '-')} = {listed}"
        if self.is_elsewhere(option):
            return f"{name}={shlex.quote(os.pathsep.join(values))}"
        return " ".join(f"{name} {shlex.quote(value)}" for value in values)


def _check_durations(given: Mapping[str, Any], origins: _Origins) -> None:
    """Raise ReloaderError where an option does not take `0` or `none`."""
    for option, refused, need, value in (
        ("poll", (0, None), "needs a time between two looks", "1s"),
        ("start_timeout", (0, None), "needs a time after which a start is over", "2m"),
        ("debounce", (None,), "must not be none: nothing would ever restart", "50ms"),
    ):
        if given.get(option, 1) in refused:
            raise ReloaderError(
                f"{origins.name(option)} {need}", f"write for example {origins.example(option, value)}"
            )


def _check_patterns(option: str, patterns: Sequence[str], origins: _Origins) -> None:
    """Raise ReloaderError for several patterns in one."""
    if not any("," in pattern for pattern in patterns):
        return
    from reloader.watching.option_patterns import bare_comma

    for pattern in filter(bare_comma, patterns):
        several = [piece.strip() for piece in pattern.split(",") if piece.strip()]
        raise ReloaderError(
            f"{origins.name(option)}: commas do not separate patterns: {pattern}",
            f"{origins.example(option, *several)}; a comma in a name is written as \\,",
        )


def _must_be_quoted(command: Sequence[str], given: Mapping[str, Any], origins: _Origins) -> None:
    """Raise ReloaderError where the shell has made several words of a pattern.

    Then a path that the option takes is followed by others like it, up to `--`, or one at least.
    """
    first = command[0]
    if not os.path.lexists(first) or (os.path.isfile(first) and os.access(first, os.X_OK)):
        return
    import shutil

    words = command[: command.index("--")] if "--" in command else ()
    for option in ("ignore", "include", "watch"):
        if not given.get(option) or origins.is_elsewhere(option) or shutil.which(first) is not None:
            continue
        before = given[option][-1]
        is_beside = os.path.lexists(before) and os.path.dirname(before) == os.path.dirname(first)
        is_alike = _ending(before) == _ending(first)
        # Who has only left out the interpreter has a path there too.
        if not is_beside or not (
            all(map(os.path.lexists, words)) if words else is_alike and option != "watch"
        ):
            continue
        remedy = f"repeat --watch for each of them: {origins.example(option, before, first)}"
        if option != "watch":
            pattern = os.path.join(os.path.dirname(first), "*" + (_ending(first) if is_alike else ""))
            remedy = f"quote it: --{option} '{pattern}'"
        what = f"the shell has made several words of what follows --{option}: {first} is one"
        raise ReloaderError(what, remedy)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1]


def _why_cold(wanted: bool, recognised: Detected) -> str | None:
    """Why no start of this worker can be warm; None where it can."""
    if not recognised.python:
        return "not a Python program, as far as can be seen"
    if not wanted:
        return "warm starts are turned off"
    if recognised.why_cold:
        return recognised.why_cold
    for name in ("PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"):
        if os.environ.get(name):
            return f"{name} shows each import"
    if not recognised.is_sure:
        return "what starts the worker does not tell how"
    # It should work on other systems, but has not been tried there.
    return None if sys.platform == "linux" else "warm starts are tried on Linux alone"


def _recognised(
    command: Sequence[str], choice: str | None, presets: Sequence[Preset], origins: _Origins
) -> Detected:
    if choice is None:
        return recognise(command, presets)
    if choice == "none":
        return recognise(command, ())
    from reloader.presets.custom import named

    try:
        preset = named(choice, presets)
    except ReloaderError as error:
        where = f"{origins.name('preset')}: " if origins.is_elsewhere("preset") else ""
        raise ReloaderError(where + error.what, error.remedy) from error
    return recognise(command, presets, preset)


def _overlap(
    command: Sequence[str],
    recognised: Detected,
    preset: Preset | None,
    wanted: bool | None,
    origins: _Origins,
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
    remedy = "--no-overlap drains first"
    if origins.is_elsewhere("overlap"):
        remedy = f"without {origins.name('overlap')} the old one drains first"
    warnings = ((f"{preset.key}: {apart}", remedy),) if wanted and apart else ()
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


def _must_be_watchable(path: str, origins: _Origins) -> None:
    from reloader.showing.phrases import path_shown

    shown = path_shown(path)
    try:
        os.stat(path)
        if os.path.isdir(path):
            os.listdir(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        name = origins.name("watch")
        base = "that file" if origins.is_in_file("watch") else "the current folder"
        remedy = f"check {name if origins.is_elsewhere('watch') else 'the path after --watch'}"
        remedy = f"{remedy}; it is relative to {base}"
        if any(sign in path for sign in "*?[{,"):
            remedy = f"{name} takes paths, not patterns: {origins.example('watch', 'one', 'another')}"
        if isinstance(error, PermissionError):
            remedy = f"ls -ld {shown}"
        raise ReloaderError(f"cannot watch {shown}: {reason}", remedy) from error
