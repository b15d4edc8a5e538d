"""The options of the command line, with the types of their values and the texts of their help."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from reloader import __version__
from reloader.cli.help import Section, long_help, short_help
from reloader.presets.preset import FOR_TASKS
from reloader.settings import (
    ALIVE_IS_READY,
    START_TIMEOUT,
    Color,
    LogFormat,
    OnExit,
    RestartOn,
    Settings,
    StopTarget,
    Trigger,
    Tty,
    parse_choice,
    parse_count,
    parse_duration,
    parse_pattern,
    parse_signal,
)


class Parsed(click.ParamType[Any]):
    """A type whose values a function makes of the text; it raises ValueError where it cannot."""

    # In an environment variable, several values are separated by `:`, as paths are.
    envvar_list_splitter = os.pathsep

    def __init__(self, parse: Callable[[str], Any], metavar: str) -> None:
        self.name = metavar
        self._parse = parse

    def get_metavar(self, *_args: object, **_kwargs: object) -> str:
        """The placeholder of the value in the help."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value that the text stands for."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _choice(kind: type[enum.Enum]) -> Parsed:
    """The type of a member of an enumeration, given by its value."""
    return Parsed(partial(parse_choice, kind), "|".join(one.value for one in kind))


class Option(click.Option):
    """An option with its section of the help; `-h` shows `help`, `--help` also `details`."""

    def __init__(
        self,
        *args: Any,
        section: Section = Section.CONTROL,
        details: str = "",
        computed: str = "",
        **kwargs: Any,
    ) -> None:
        """`computed` is the default as the help shows it, where Settings does not have it."""
        super().__init__(*args, **kwargs)
        self.section = section
        self.details = details
        self.computed = computed


class ModuleOption(Option):
    """`-m MODULE`, in every form: all words after it are arguments of the module."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser go on as after `--` once it has read the option."""
        super().add_to_parser(parser, ctx)
        entry = parser._short_opt[self.opts[0]]
        process = entry.process

        def process_and_end(value: Any, state: Any) -> None:
            process(value, state)
            state.rargs.insert(0, "--")

        entry.process = process_and_end


def _printing(names: list[str], render: Callable[[click.Command], str], line: str, details: str) -> Option:
    """An option that prints what `render` returns for the command, and exits."""

    def callback(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            click.echo(render(ctx.command))
            ctx.exit()

    flags: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
    return Option(names, **flags, allow_from_autoenv=False, callback=callback, help=line, details=details)


def _version(_command: click.Command) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"reloader {__version__} (Python {python})"


# The options of one section.
_watching = partial(Option, section=Section.WATCHING)
_restarting = partial(Option, section=Section.RESTARTING)
_output = partial(Option, section=Section.OUTPUT)

PARAMS: list[Option] = [
    _watching(
        ["-w", "--watch"],
        multiple=True,
        type=Parsed(str, "PATH"),
        help="A folder or file to watch; repeatable.",
        details="Folders are watched with everything below them that is not ignored. A file named here counts "
        "whatever the rules say. A path in a settings file is relative to that file.",
    ),
    _watching(
        ["-i", "--ignore"],
        multiple=True,
        type=Parsed(str, "PATTERN"),
        help="Ignore what matches, in gitignore syntax; repeatable.",
        details="A path is relative to the current folder and to each watched one, in a settings file to that file; "
        "./x, ../x, ~/x and absolute paths are understood, and so is '*.{html,css}'. The last rule that matches wins, "
        "and these come after the built-in rules and those of Git, so --ignore '!generated.py' takes an ignore back. "
        "An ignored folder is not entered and costs nothing.",
    ),
    _watching(
        ["--include"],
        multiple=True,
        type=Parsed(str, "PATTERN"),
        help="Count what matches, whatever else says no; repeatable.",
        details="In the syntax of --ignore, and stronger than every ignore. It widens what counts: by default, for a "
        "Python command, that is code and configuration (*.py, *.toml, *.yaml, *.ini, *.cfg, .env*, templates, "
        "*.mo, extension modules), and for any other command every file that is not ignored. A pattern with a "
        "slash leads into ignored folders: --include 'build/gen/*.py'.",
    ),
    _watching(
        ["--gitignore/--no-gitignore"],
        help="Follow Git's ignore files or not.",
        details="These are .gitignore in every folder, .git/info/exclude and core.excludesFile.",
    ),
    _watching(
        ["--debounce"],
        type=Parsed(parse_duration, "DURATION"),
        help="Quiet period before changes are acted upon.",
        details="Counted from the last change that matters. It grows to a second while each restart comes within a "
        f"second of the last. After {Settings.max_wait:g} s, or twice the period, of changes without a pause they are "
        "acted upon all the same.",
    ),
    _watching(
        ["--poll"],
        type=Parsed(parse_duration, "DURATION"),
        help="Look at the files this often instead of waiting for events.",
        details="Network file systems and folders shared with a host (NFS, SMB, 9p, virtiofs, FUSE ...) are looked "
        "at every second without being asked, since their events do not tell what others change.",
    ),
    _watching(
        ["--trigger"],
        type=_choice(Trigger),
        help="Which Python files restart.",
        details="tree: all that count. loaded: only those that the worker, or a fork of it, has imported, and files "
        "of a name that it has looked for; configuration always. What it imports from beside the watched folders, "
        "such as an editable install, is watched as well. For Python workers on Linux.",
    ),
    _restarting(
        ["--restart-on"],
        type=_choice(RestartOn),
        help="Which saves restart.",
        details="change: one after which a file holds something else; of a Python file comments, blank lines and "
        "formatting are nothing else, docstrings are. any: every save, and touch.",
    ),
    _restarting(
        ["--hold/--no-hold"],
        help="Keep a working worker while the new code is broken.",
        details="Changed Python files are compiled by the worker's interpreter before it is stopped. If one cannot "
        "be, the error is shown and the worker goes on with the last good code until a save mends it.",
    ),
    _restarting(
        ["--check"],
        type=Parsed(str, "COMMAND"),
        help="Must succeed before a working worker is stopped.",
        details="A command line for the shell, for example --check 'python manage.py check', run after the files "
        "were compiled and given up when another change comes. With --no-hold it is not run.",
    ),
    _restarting(
        ["-s", "--stop-signal"],
        type=Parsed(parse_signal, "NAME"),
        help="Signal that drains the worker.",
        computed="INT for Python, else TERM",
        details="Sent once, to the worker alone. Known workers have their own default.",
    ),
    _restarting(
        ["--stop-target"],
        type=_choice(StopTarget),
        help="Who gets the stop signal.",
        details="worker: the first process, or what that runs, where it is a shell or a runner that stays in front "
        "(uv run, npm run, make, timeout ...); these get nothing while it drains, but for a shell that traps the "
        "signal. leader: the first process, whatever it is. tree: every process, for a worker whose first "
        "process does not pass it on. Known workers have their own default.",
    ),
    _restarting(
        ["--sudo-kill/--no-sudo-kill"],
        help="Let sudo signal a worker that runs as another user.",
        details="For `reloader -- sudo -u other ./worker`, which the system does not let us signal: what it "
        "refuses is asked of `sudo -n kill`, which needs a rule that asks for no password.",
    ),
    _restarting(
        ["-t", "--stop-timeout"],
        type=Parsed(parse_duration, "DURATION"),
        help="SIGKILL to the whole tree after this; none for never.",
        details="How long a task in flight may take to end. For most of the known workers the default is "
        f"{FOR_TASKS:g}s.",
    ),
    _restarting(
        ["--on-exit"],
        type=_choice(OnExit),
        help="When the worker ends by itself.",
        details="wait: for the next change. restart: start it again after 0.5 s, then 1 s, 2 s, up to 30 s; a "
        "change starts it at once. quit: end with the worker's exit status.",
    ),
    _restarting(
        ["--ready"],
        type=Parsed(parse_pattern, "PATTERN"),
        help="Regular expression for the line by which the worker is ready.",
        details="Known workers have their own. Without one, a worker is ready when it has lived for a second.",
    ),
    _restarting(
        ["--start-timeout"],
        type=Parsed(parse_duration, "DURATION"),
        help="How long the ready line is awaited.",
        computed=f"{START_TIMEOUT:g}s; {ALIVE_IS_READY:g}s without one",
        details="After that the worker is taken as ready; with --overlap, and another one at work, it is ended "
        "instead. Without a ready line: how long it must have lived.",
    ),
    _restarting(
        ["--overlap/--no-overlap"],
        help="Start the new code first, then drain the old.",
        computed="as known",
        details="The old worker goes on until the new one is ready, and is drained then, for as long as it needs; "
        "if the new one is not, the old one was never touched. It is on for those known workers that take tasks from "
        "a queue and were tried with it (reloader presets NAME), and off for all others: schedulers, and whatever has "
        "a port, a pid file or a lock. With -v the first line tells which, and why.",
    ),
    _restarting(
        ["--max-draining"],
        type=Parsed(parse_count, "NUMBER"),
        help="How many old workers may drain at once.",
        details="With --overlap and tasks that take longer than the time between two saves; the next restart "
        "waits for one of them to end.",
    ),
    _restarting(
        ["--warm/--cold"],
        help="Fork workers from a process that has their packages imported.",
        computed="warm",
        details="For Python workers on Linux. What is installed and does not change is imported once, in the "
        "background; nothing of the watched tree is. Where it is not possible a start is cold, and the line "
        "about the restart says why.",
    ),
    _restarting(
        ["--preset"],
        type=Parsed(str, "NAME"),
        help="Take the worker for this known one, or none.",
        computed="from the command",
        details="reloader presets lists the known workers and what follows from each; settings files can change "
        "them and add others.",
    ),
    ModuleOption(
        ["-m", "--module"],
        section=Section.RESTARTING,
        type=Parsed(str, "MODULE"),
        help="Run this Python module; the rest are its arguments.",
        details="As python -m, with the interpreter of the active virtual environment.",
    ),
    _output(
        ["-n", "--name"],
        type=Parsed(str, "NAME"),
        help="Prefix of the worker's lines.",
        computed="from the command",
        details="The name also chooses the colour.",
    ),
    _output(
        ["--prefix/--no-prefix"],
        help="Prefix the worker's lines or not.",
        details="Without it the worker's bytes are passed on as they are. That is the default below honcho, foreman, "
        "overmind and process-compose, which prefix them themselves.",
    ),
    _output(
        ["--timestamps/--no-timestamps"],
        help="Begin every line with the time.",
        details="The local time with milliseconds.",
    ),
    _output(
        ["--log-format"],
        type=_choice(LogFormat),
        help="One JSON object a line, for machines.",
        details="With time, worker, stream (stdout, stderr, terminal, or reloader for our own lines), generation and "
        "text, and of our own lines the level: debug, info or notice. A byte that is no UTF-8 is told as \\xff. The "
        "worker then gets no pseudo-terminal, unless --tty always is given.",
    ),
    _output(
        ["--color"],
        type=_choice(Color),
        help="Colour prefixes and our own lines.",
        details="auto: at a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR colours elsewhere too. "
        "The worker's own colours are never touched.",
    ),
    _output(
        ["--tty"],
        type=_choice(Tty),
        help="Give the worker a pseudo-terminal.",
        details="auto: when standard output and standard error are one terminal. The worker then prints in colour "
        "and line by line, as by hand, and both of its streams are one. Where only standard output goes elsewhere, "
        "it still reads what is typed.",
    ),
    _output(
        ["-v", "--verbose"],
        count=True,
        help="Say more.",
        details="Also says what is known of the worker, what was ignored, and when files were looked at and nothing "
        "that counts had changed.",
    ),
    _output(
        ["-q", "--quiet"],
        count=True,
        help="Say less.",
        details="Only restarts and trouble. The worker's lines are never left out.",
    ),
]
HELP: list[Option] = [
    _printing(["-V", "--version"], _version, "Show the version.", "With that of Python."),
    _printing(
        ["-h", "short_help"], short_help, "Show this, one line an option.", "The short form of this text."
    ),
    _printing(
        ["--help", "long_help"],
        long_help,
        "Show everything: details, files, environment, exit codes.",
        "The text that you are reading.",
    ),
]
WORKER = click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)
