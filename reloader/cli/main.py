"""From the command line to a run: Settings are built, errors become a line or two and a status.

Whatever a run needs is imported only when one begins.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from reloader.cli import settings_file
from reloader.cli.help import EPILOG, Section
from reloader.cli.options import HELP, PARAMS, WORKER, Option
from reloader.cli.resolve import build
from reloader.common import trust
from reloader.common.run_folder import relative, run_folder
from reloader.errors import ExitCode, ReloaderError
from reloader.presets.table import PRESETS

# Where the words behind `--` are kept, for a command that takes others before it.
_BEHIND = "reloader.behind"


class Command(click.Command):
    """A command whose options may be set in the environment and in the settings file."""

    def __init__(
        self, name: str, params: list[click.Parameter], reads_file: bool = True, **given: Any
    ) -> None:
        self._reads_file = reads_file
        super().__init__(
            name,
            params=[*params, *HELP],
            add_help_option=False,
            context_settings={"allow_interspersed_args": False, "auto_envvar_prefix": "RELOADER"},
            **given,
        )

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse, with defaults from the settings file, all of which is in `obj`. Raises ReloaderError."""
        found = settings_from_file() if self._reads_file else {}
        names = {param.name for param in self.params if isinstance(param, Option)}
        extra["default_map"] = {name: value for name, value in found.items() if name in names}
        return super().make_context(info_name, args, parent, obj=found, **extra)


class Question(Command):
    """A command whose options may stand anywhere, and behind whose `--` the worker's command may follow."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before `--`."""
        ctx.allow_interspersed_args = True
        if "--" in args:
            place = args.index("--")
            args, ctx.meta[_BEHIND] = args[:place], tuple(args[place + 1 :])
        return super().parse_args(ctx, args)


class Commands(click.Group):
    """`reloader VERB`; any other first word belongs to the default command."""

    def __init__(self, default: click.Command, *others: click.Command) -> None:
        super().__init__("reloader", commands=[default, *others], add_help_option=False)
        self._default = str(default.name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with the default command in front where no verb is."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else [self._default, *args])


# --- the commands ---------------------------------------------------------------------------------


def _run(**given: Any) -> int:
    settings = build(given, _presets_in_force())
    from reloader.processes.launch import ensure_standard_files, launch

    ensure_standard_files()
    try:
        booted = launch()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReloaderError(f"cannot start the guard ({sys.executable}): {reason}", "") from error
    # What follows takes as long as the guard takes to be there.
    from reloader.app.main_loop import run

    return run(settings, os.environ, booted)


def _why(paths: tuple[str, ...], **given: Any) -> int:
    from reloader.cli import commands

    return commands.why(_settings_to_watch_by(given), paths)


def _doctor(**given: Any) -> int:
    from reloader.cli import commands

    return commands.doctor(_settings_to_watch_by(given))


def _presets(name: str | None) -> int:
    from reloader.cli import commands

    return commands.presets(_presets_in_force(), name)


def _status(json: bool) -> int:
    from reloader.cli import ask_runs

    return ask_runs.status(json)


# Its name is empty, so that no program to run has it.
RUN = Command(
    "",
    [*PARAMS, WORKER],
    callback=_run,
    help="Keep a worker running the code that was just saved.",
    epilog=EPILOG,
)
_OF_WATCHING: list[click.Parameter] = [
    param for param in PARAMS if isinstance(param, Option) and param.section is Section.WATCHING
]
_COMMANDS = Commands(
    RUN,
    Question("why", [*_OF_WATCHING, click.Argument(["paths"], nargs=-1, required=True)], callback=_why),
    Question("doctor", _OF_WATCHING, callback=_doctor),
    Question("presets", [click.Argument(["name"], required=False)], callback=_presets),
    Question("status", [click.Option(["--json"], is_flag=True)], reads_file=False, callback=_status),
)


def _presets_in_force() -> Any:
    return click.get_current_context().obj.get("presets", PRESETS)


def _settings_to_watch_by(given: dict[str, Any]) -> Any:
    context = click.get_current_context()
    # Without a command the worker is taken for a Python program.
    worker = context.meta.get(_BEHIND) or ("python",)
    command = {"command": worker, "module": None, "preset": context.obj.get("preset")}
    return build({**command, "verbose": 0, "quiet": 0, **given}, _presets_in_force())


# --- the settings file ----------------------------------------------------------------------------


def settings_from_file() -> dict[str, Any]:
    """The options that the nearest settings file sets, by name, and `presets` where it changes these.

    Raises ReloaderError for a mistake in it.
    """
    path = settings_file.find(run_folder(), _refuse)
    if path is None:
        return {}
    options = {
        str(param.name): param for param in PARAMS if isinstance(param, Option) and param.name != "module"
    }
    kinds: dict[str, type] = {
        name: list if option.multiple else bool if option.is_flag and not option.count else str
        for name, option in options.items()
    }
    content = dict(settings_file.read(path))
    tables = content.pop("presets", None)
    found = settings_file.check(content, path, kinds)
    context = click.Context(click.Command(""))
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

        checked = settings_file.check_tables(tables, path, "presets", custom.KEYS)
        found["presets"] = custom.merged(checked, path)
    return found


# --- the entry point ------------------------------------------------------------------------------


def main() -> NoReturn:
    """Run a command; every error that a user can cause is a line or two and an exit status."""
    try:
        code = _COMMANDS.main(prog_name="reloader", standalone_mode=False)
    except ReloaderError as error:
        _complain(error.what, error.remedy)
        code = error.exit_code
    except click.UsageError as error:
        _complain(error.format_message(), "reloader -h shows the options")
        code = ExitCode.USAGE
    except BrokenPipeError:
        # Whoever asked has read enough. The interpreter would try to write the rest, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = ExitCode.FAILED
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _complain(f"cannot go on{where}: {(error.strerror or str(error)).lower()}", "")
        code = ExitCode.FAILED
    sys.exit(int(code or ExitCode.OK))


def _refuse(path: str, owner: str) -> None:
    """Tell of settings that are not followed."""
    _complain(f"does not follow {relative(path)}: it belongs to {owner}", trust.remedy(path))


def _complain(what: str, remedy: str) -> None:
    from reloader.showing.console import printable

    # Both may hold what stands in a file. Where nobody can be told, the exit status says enough.
    with suppress(OSError):
        click.echo(f"reloader: {printable(what)}", err=True)
        if remedy:
            click.echo(f"hint: {printable(remedy)}", err=True)
