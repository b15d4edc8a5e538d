"""From the command line to a run: Settings are built, errors become a line or two and a status.

Whatever a run needs is imported only when one begins.
"""

from __future__ import annotations

import math
import os
import sys
from typing import Any, NoReturn

import click

from reloader import config
from reloader.errors import ExitCode, ReloaderError
from reloader.help import EPILOG, Section
from reloader.options import PARAMS, Option
from reloader.presets.recognise import recognise
from reloader.settings import Color, OnExit, RestartOn, Settings, Tty, parse_signal

# A first word that is one of these is no command to run; behind `--` it is.
VERBS = ("why", "doctor")


class Reloader(click.Command):
    """The command; our options end where the worker's command or module begins."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, but `-m MODULE` ends our options as the first word of a command does."""
        takes_value = {
            name for p in self.params if isinstance(p, Option) and not p.is_flag for name in p.opts
        }
        takes_value -= {name for p in self.params if isinstance(p, Option) and p.count for name in p.opts}
        position = 0
        while position < len(args) and args[position].startswith("-") and args[position] not in ("-", "--"):
            word = args[position]
            if word in ("-m", "--module"):
                args = [*args[: position + 2], "--", *args[position + 2 :]]
                break
            position += 2 if word in takes_value else 1
        return super().parse_args(ctx, args)


def _run(**given: Any) -> int:
    settings = build(given)
    from reloader.running.booting import boot, ensure_standard_files

    ensure_standard_files()
    try:
        booted = boot()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReloaderError(f"cannot start the guard ({sys.executable}): {reason}", "") from error
    # What follows takes as long as the guard takes to be there.
    from reloader.app import run

    return run(settings, os.environ, booted)


COMMAND = Reloader(
    "reloader",
    params=PARAMS,
    callback=_run,
    help="Keep a worker running the code that was just saved.",
    epilog=EPILOG,
    add_help_option=False,
    context_settings={"allow_interspersed_args": False, "auto_envvar_prefix": "RELOADER"},
)


def build(given: dict[str, Any]) -> Settings:
    """Settings from the options and the environment, then a file, then a preset, then defaults.

    Raises ReloaderError for what cannot be.
    """
    command = tuple(given["command"])
    if given["module"]:
        command = (_interpreter(), "-m", given["module"], *command)
    if not command:
        raise ReloaderError("no command given", "reloader -- python manage.py qcluster")
    recognised = recognise(command)
    preset = recognised.preset
    values: dict[str, Any] = {
        "name": recognised.name,
        "python": recognised.python,
        "interpreter": recognised.interpreter,
        "program": recognised.program,
        "warm": recognised.python,
        "stop_signal": parse_signal("INT" if recognised.python else "TERM"),
    }
    if preset is not None:
        values |= {
            "ready": preset.ready,
            "stop_signal": preset.stop_signal,
            "stop_timeout": preset.stop_timeout,
        }
    values |= {key: value for key, value in given.items() if value not in (None, ())}
    for key in ("command", "module", "verbose", "quiet"):
        values.pop(key, None)
    # By its documented rules it would work elsewhere; it has not been tried there.
    values["warm"] = values["warm"] and recognised.python and sys.platform == "linux"
    values["on_exit"] = OnExit(values.get("on_exit", "wait"))
    values["restart_on"] = RestartOn(values.get("restart_on", "change"))
    values["color"] = Color(values.get("color", "auto"))
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


def _defaults_from_file() -> dict[str, Any]:
    try:
        here = os.getcwd()
    except FileNotFoundError as error:
        raise ReloaderError("the current folder does not exist any more", "cd to one that does") from error
    path = config.find(here)
    if path is None:
        return {}
    options = {
        str(param.name): param
        for param in PARAMS
        if isinstance(param, Option) and param.expose_value and param.name not in (None, "module")
    }
    kinds: dict[str, type] = {
        name: list if option.multiple else bool if option.is_flag and not option.count else str
        for name, option in options.items()
    }
    found = config.check(config.read(path), path, kinds)
    context = click.Context(COMMAND)
    for name, value in found.items():
        try:
            options[name].type_cast_value(context, value)
        except click.BadParameter as error:
            key = name.replace("_", "-")
            raise ReloaderError(
                f"{os.path.relpath(path)}: {key}: {error.message}", f"reloader -h tells what --{key} takes"
            ) from error
    if "watch" in found:
        found["watch"] = [
            os.path.relpath(os.path.join(os.path.dirname(path), item)) for item in found["watch"]
        ]
    return found


def _verb(name: str, arguments: list[str]) -> int:
    """`reloader why [OPTIONS] PATH... [-- COMMAND]`, `reloader doctor [OPTIONS] [-- COMMAND]`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    words, worker = arguments[:place], arguments[place + 1 :]
    params = [
        p for p in PARAMS if isinstance(p, Option) and (p.section is Section.WATCHING or not p.expose_value)
    ]
    verb = click.Command(
        name,
        params=[*params, click.Argument(["paths"], nargs=-1, required=True)] if name == "why" else [*params],
        callback=lambda **given: given,
        add_help_option=False,
        context_settings={"auto_envvar_prefix": "RELOADER"},
    )
    known = {param.name for param in params}
    defaults = {key: value for key, value in _defaults_from_file().items() if key in known}
    given = verb.main(words, prog_name=f"reloader {name}", standalone_mode=False, default_map=defaults)
    if not isinstance(given, dict):
        return int(given or 0)  # a help was shown
    from reloader import verbs

    paths = given.pop("paths", ())
    # Without a command the worker is taken for a Python program.
    settings = build({"command": worker or ("python",), "module": None, "verbose": 0, "quiet": 0, **given})
    return verbs.why(settings, paths) if name == "why" else verbs.doctor(settings)


def _complain(what: str, remedy: str) -> None:
    click.echo(f"reloader: {what}", err=True)
    if remedy:
        click.echo(f"hint: {remedy}", err=True)


def main() -> NoReturn:
    """The entry point: every error that a user can cause is a line or two and an exit status."""
    try:
        if sys.argv[1:2] and sys.argv[1] in VERBS:
            code = _verb(sys.argv[1], sys.argv[2:])
        else:
            code = COMMAND.main(
                prog_name="reloader", standalone_mode=False, default_map=_defaults_from_file()
            )
    except ReloaderError as error:
        _complain(error.what, error.remedy)
        code = error.exit_code
    except click.UsageError as error:
        _complain(error.format_message(), "reloader -h shows the options")
        code = ExitCode.USAGE
    sys.exit(int(code or ExitCode.OK))
