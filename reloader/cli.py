"""From the command line to a run: Settings are built, errors become a line or two and a status.

Whatever a run needs is imported only when one begins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from reloader import config, trust
from reloader.building import build
from reloader.errors import ExitCode, ReloaderError
from reloader.folder import relative, run_folder
from reloader.help import EPILOG, Section
from reloader.options import PARAMS, Option
from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS

# A first word that is one of these is no command to run; behind `--` it is.
VERBS = ("why", "doctor", "presets", "status")


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
    settings = build(given, click.get_current_context().obj)
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


def _defaults_from_file() -> dict[str, Any]:
    path = config.find(run_folder(), _refuse)
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
    content = dict(config.read(path))
    tables = content.pop("presets", None)
    found = config.check(content, path, kinds)
    context = click.Context(COMMAND)
    for name, value in found.items():
        try:
            options[name].type_cast_value(context, value)
        except click.BadParameter as error:
            key = name.replace("_", "-")
            raise ReloaderError(
                f"{relative(path)}: {key}: {error.message}", f"reloader -h tells what --{key} takes"
            ) from error
    if "watch" in found:
        found["watch"] = [relative(os.path.join(os.path.dirname(path), item)) for item in found["watch"]]
    if tables is not None:
        from reloader.presets import custom

        checked = config.check_tables(tables, path, "presets", custom.KEYS)
        found["presets"] = custom.merged(checked, path)
    return found


def _refuse(path: str, owner: str) -> None:
    """Tell of settings that are not followed."""
    _complain(f"does not follow {relative(path)}: it belongs to {owner}", trust.remedy(path))


def _split(found: dict[str, Any]) -> tuple[dict[str, Any], Sequence[Preset]]:
    """The defaults of the options, and the presets that hold with the file."""
    return {key: value for key, value in found.items() if key != "presets"}, found.get("presets", PRESETS)


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
    from_file, presets = _split(_defaults_from_file())
    defaults = {key: value for key, value in from_file.items() if key in known}
    given = verb.main(words, prog_name=f"reloader {name}", standalone_mode=False, default_map=defaults)
    if not isinstance(given, dict):
        return int(given or 0)  # a help was shown
    from reloader import verbs

    paths = given.pop("paths", ())
    # Without a command the worker is taken for a Python program.
    command = {"command": worker or ("python",), "module": None, "preset": from_file.get("preset")}
    settings = build({**command, "verbose": 0, "quiet": 0, **given}, presets)
    return verbs.why(settings, paths) if name == "why" else verbs.doctor(settings)


def _presets(arguments: list[str]) -> int:
    """`reloader presets [NAME]`."""
    verb = click.Command(
        "presets",
        params=[
            *(p for p in PARAMS if isinstance(p, Option) and not p.expose_value),
            click.Argument(["name"], required=False),
        ],
        callback=lambda **given: given,
        add_help_option=False,
    )
    given = verb.main(arguments, prog_name="reloader presets", standalone_mode=False)
    if not isinstance(given, dict):
        return int(given or 0)  # a help was shown
    from reloader import verbs

    _, presets = _split(_defaults_from_file())
    return verbs.presets(presets, given["name"])


def _status(arguments: list[str]) -> int:
    """`reloader status [--json]`."""
    verb = click.Command(
        "status",
        params=[
            *(p for p in PARAMS if isinstance(p, Option) and not p.expose_value),
            click.Option(["--json"], is_flag=True),
        ],
        callback=lambda **given: given,
        add_help_option=False,
    )
    given = verb.main(arguments, prog_name="reloader status", standalone_mode=False)
    if not isinstance(given, dict):
        return int(given or 0)  # a help was shown
    from reloader import asking

    return asking.status(given["json"])


def _complain(what: str, remedy: str) -> None:
    click.echo(f"reloader: {what}", err=True)
    if remedy:
        click.echo(f"hint: {remedy}", err=True)


def main() -> NoReturn:
    """The entry point: every error that a user can cause is a line or two and an exit status."""
    try:
        if sys.argv[1:2] == ["presets"]:
            code = _presets(sys.argv[2:])
        elif sys.argv[1:2] == ["status"]:
            code = _status(sys.argv[2:])
        elif sys.argv[1:2] and sys.argv[1] in VERBS:
            code = _verb(sys.argv[1], sys.argv[2:])
        else:
            defaults, presets = _split(_defaults_from_file())
            code = COMMAND.main(
                prog_name="reloader", standalone_mode=False, default_map=defaults, obj=presets
            )
    except ReloaderError as error:
        _complain(error.what, error.remedy)
        code = error.exit_code
    except click.UsageError as error:
        _complain(error.format_message(), "reloader -h shows the options")
        code = ExitCode.USAGE
    sys.exit(int(code or ExitCode.OK))
