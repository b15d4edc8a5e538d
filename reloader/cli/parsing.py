"""Parsing by click: a group of commands, of which the run is the default."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.core import ParameterSource

from reloader.cli import settings_file
from reloader.cli.help import EPILOG
from reloader.cli.options import HELP, PARAMS, WORKER
from reloader.cli.resolve import build
from reloader.cli.run import run
from reloader.common.run_folder import relative, run_folder
from reloader.errors import ReloaderError
from reloader.settings import Settings

Refuse = Callable[[str, str], None]
# The key of a context's words, those after the name of the command.
WORDS = "reloader.words"
# The options that a settings file may set, by name.
_OPTIONS = {str(option.name): option for option in PARAMS if option.name != "module"}


class Command(click.Command):
    """A command whose options may also be set in the environment and in the settings file.

    The callback gets only the options that the user has set: in the file, over that in the environment, over
    that on the command line; and `presets`, where the file changes them.
    """

    def __init__(
        self, name: str, params: Sequence[click.Parameter], reads_file: bool = True, **more: Any
    ) -> None:
        self._reads_file = reads_file
        more.setdefault("context_settings", {})["auto_envvar_prefix"] = "RELOADER"
        super().__init__(name, params=[*params, *HELP], add_help_option=False, **more)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse, with the settings of the file in `obj`. Raises ReloaderError for a mistake in the file."""
        refuse: Refuse = parent.obj if parent is not None else lambda _path, _owner: None
        settings = settings_from_file(refuse) if self._reads_file else {}
        words = tuple(args)
        context = super().make_context(info_name, args, parent, obj=settings, **extra)
        context.meta[WORDS] = words
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Call the callback with the options that the user has set."""
        assert self.callback is not None
        return ctx.invoke(self.callback, **given(ctx))


class Question(Command):
    """A command about a worker, whose own command may follow after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words before `--`; those after it are the worker's command."""
        end = args.index("--") if "--" in args else len(args)
        # Without a command, a Python program is assumed.
        ctx.params["command"] = tuple(args[end + 1 :]) or ("python",)
        return super().parse_args(ctx, args[:end])


def given(ctx: click.Context) -> dict[str, Any]:
    """The values that the user has set, by the names of the parameters."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    here = {name: value for name, value in ctx.params.items() if sources[name] != ParameterSource.DEFAULT}
    variables = {
        name: (f"RELOADER_{name.upper()}", "")
        for name, source in sources.items()
        if source == ParameterSource.ENVIRONMENT
    }
    from_file = dict(ctx.obj)
    origins = {name: origin for name, origin in from_file.pop("origins", {}).items() if name not in here}
    origins |= variables
    return {**from_file, **here} | ({"origins": origins} if origins else {})


def _run(**given: Any) -> int:
    words = click.get_current_context().meta[WORDS]
    return run(given, lambda: settings_anew(words))


RUN = Command(
    "",  # no program has this name
    [*PARAMS, WORKER],
    callback=_run,
    context_settings={"allow_interspersed_args": False},
    help="Keep a worker running the code that was just saved.",
    epilog=EPILOG,
)


class Commands(click.Group):
    """The group: `reloader VERB ...`; where the first word is no verb, the run is the command."""

    def __init__(self, verbs: Sequence[str]) -> None:
        super().__init__("reloader", add_help_option=False)
        self._verbs = verbs

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, after adding the name of the run where the first word is no verb."""
        return super().parse_args(ctx, args if args and args[0] in self._verbs else [str(RUN.name), *args])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name == RUN.name:
            return RUN
        # A run does not need these imports.
        from reloader.cli import commands

        command: click.Command = getattr(commands, cmd_name)
        return command


def parse_and_call(words: Sequence[str], verbs: Sequence[str], refuse: Refuse) -> int:
    """Parse the words and call the command; returns the exit status.

    `refuse(path, owner)` is called for settings files of other users. Raises ReloaderError, also for mistakes
    in the words.
    """
    try:
        code = Commands(verbs).main(list(words), prog_name="reloader", standalone_mode=False, obj=refuse)
    except click.UsageError as error:
        raise ReloaderError(error.format_message(), "reloader -h shows the options") from error
    return int(code or 0)


def settings_anew(words: Sequence[str]) -> Settings:
    """The settings of a run with these words, as the files are now; raises ReloaderError for a mistake."""
    with RUN.make_context("reloader", list(words)) as context:
        return build(given(context))


def settings_from_file(refuse: Refuse = lambda _path, _owner: None) -> dict[str, Any]:
    """The values that the nearest settings file sets, by option, and `presets` where it changes them.

    `origins` has for each option what the user knows it by, and the folder of the file.

    Raises ReloaderError for a mistake in the file.
    """
    path = settings_file.find(run_folder(), refuse)
    if path is None:
        return {}
    kinds: dict[str, type] = {
        name: list if option.multiple else bool if option.is_flag and not option.count else str
        for name, option in _OPTIONS.items()
    }
    content = dict(settings_file.read(path))
    tables = content.pop("presets", None)
    context = click.Context(RUN)
    values: dict[str, Any] = {}
    for name, value in settings_file.check(content, path, kinds).items():
        try:
            values[name] = _OPTIONS[name].type_cast_value(context, value)
        except click.BadParameter as error:
            key = name.replace("_", "-")
            raise ReloaderError(
                f"{relative(path)}: {key}: {error.message}", f"reloader -h tells what --{key} takes"
            ) from error
    folder = os.path.dirname(path)
    values["origins"] = {name: (f"{name.replace('_', '-')} in {relative(path)}", folder) for name in values}
    if "watch" in values:
        values["watch"] = tuple(relative(os.path.join(folder, item)) for item in values["watch"])
    if tables is not None:
        from reloader.presets import custom

        values["presets"] = custom.merged(
            settings_file.check_tables(tables, path, "presets", custom.KEYS), path
        )
    return values
