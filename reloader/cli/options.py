"""The options, with both lengths of their help."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from reloader import __version__
from reloader.cli.help import Section, long_help, short_help
from reloader.cli.param_types import Count, Duration, Pattern, SignalName, Text
from reloader.settings import Color, LogFormat, OnExit, RestartOn, StopTarget, Trigger, Tty


class Option(click.Option):
    """An option with its section of the help, one line for `-h` and more for `--help`."""

    def __init__(
        self, *args: Any, section: Section = Section.CONTROL, details: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        self.details = details


class ModuleOption(Option):
    """`-m MODULE` ends our options, in every form of it, as the first word of a command does."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """As click does; then what follows is for the module."""
        super().add_to_parser(parser, ctx)
        entry = parser._short_opt[self.opts[0]]
        process = entry.process

        def process_and_end(value: Any, state: Any) -> None:
            process(value, state)
            state.rargs.insert(0, "--")

        entry.process = process_and_end


def _print_and_exit(render: Callable[[click.Command], str]) -> Callable[..., None]:
    def callback(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            click.echo(render(ctx.command))
            ctx.exit()

    return callback


def _version(_command: click.Command) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"reloader {__version__} (Python {python})"


PARAMS: list[click.Parameter] = [
    Option(
        ["-w", "--watch"],
        section=Section.WATCHING,
        metavar="PATH",
        multiple=True,
        type=Text(),
        help="A folder or file to watch; repeatable. [default: .]",
        details="Folders are watched with everything below them that is not ignored. A file named here counts "
        "whatever the rules say. A path in a settings file is relative to that file.",
    ),
    Option(
        ["-i", "--ignore"],
        section=Section.WATCHING,
        metavar="PATTERN",
        multiple=True,
        type=Text(),
        help="Ignore what matches, in gitignore syntax; repeatable.",
        details="Relative to each watched folder; the last rule that matches wins, and these come after the "
        "built-in rules and those of Git, so --ignore '!generated.py' takes an ignore back. An ignored folder "
        "is not entered and costs nothing.",
    ),
    Option(
        ["--include"],
        section=Section.WATCHING,
        metavar="PATTERN",
        multiple=True,
        type=Text(),
        help="Count what matches, whatever else says no; repeatable.",
        details="In gitignore syntax, and stronger than every ignore. It widens what counts: by default, for a "
        "Python command, that is code and configuration (*.py, *.toml, *.yaml, *.ini, *.cfg, .env*, templates, "
        "*.mo, extension modules), and for any other command every file that is not ignored. A pattern with a "
        "slash leads into ignored folders: --include 'build/gen/*.py'.",
    ),
    Option(
        ["--gitignore/--no-gitignore"],
        section=Section.WATCHING,
        default=None,
        help="Follow Git's ignore files or not. [default: follow]",
        details="These are .gitignore in every folder, .git/info/exclude and core.excludesFile.",
    ),
    Option(
        ["--debounce"],
        section=Section.WATCHING,
        metavar="DURATION",
        type=Duration(),
        help="Quiet period before changes are acted upon. [default: 50ms]",
        details="Counted from the last change that matters; after 2 s of changes without a pause they are acted "
        "upon all the same.",
    ),
    Option(
        ["--poll"],
        section=Section.WATCHING,
        metavar="DURATION",
        type=Duration(),
        help="Look at the files this often instead of waiting for events.",
        details="Network file systems and folders shared with a host (NFS, SMB, 9p, virtiofs, FUSE ...) are looked "
        "at every second without being asked, since their events do not tell what others change.",
    ),
    Option(
        ["--trigger"],
        section=Section.WATCHING,
        metavar="tree|loaded",
        type=click.Choice([choice.value for choice in Trigger]),
        help="Which Python files restart. [default: tree]",
        details="tree: all that count. loaded: only those that the worker, or a fork of it, has imported, and files "
        "of a name that it has looked for; configuration always. What it imports from beside the watched folders, "
        "such as an editable install, is watched as well. For Python workers on Linux.",
    ),
    Option(
        ["--restart-on"],
        section=Section.RESTARTING,
        metavar="change|any",
        type=click.Choice([choice.value for choice in RestartOn]),
        help="Which saves restart. [default: change]",
        details="change: one after which a file holds something else; of a Python file comments, blank lines and "
        "formatting are nothing else, docstrings are. any: every save, and touch.",
    ),
    Option(
        ["--hold/--no-hold"],
        section=Section.RESTARTING,
        default=None,
        help="Keep a working worker while the new code is broken. [default: hold]",
        details="Changed Python files are compiled by the worker's interpreter before it is stopped. If one cannot "
        "be, the error is shown and the worker goes on with the last good code until a save mends it.",
    ),
    Option(
        ["--check"],
        section=Section.RESTARTING,
        metavar="COMMAND",
        type=Text(),
        help="Must succeed before a working worker is stopped.",
        details="A command line for the shell, for example --check 'python manage.py check', run after the files "
        "were compiled and given up when another change comes. With --no-hold it is not run.",
    ),
    Option(
        ["-s", "--stop-signal"],
        section=Section.RESTARTING,
        metavar="NAME",
        type=SignalName(),
        help="Signal that drains the worker. [default: INT for Python, else TERM]",
        details="Sent once, to the worker alone. Known workers have their own default.",
    ),
    Option(
        ["--stop-target"],
        section=Section.RESTARTING,
        metavar="worker|leader|tree",
        type=click.Choice([choice.value for choice in StopTarget]),
        help="Who gets the stop signal. [default: worker]",
        details="worker: the first process, or what that runs, where it is a shell or a runner that stays in front "
        "(uv run, npm run, make, timeout ...); these get nothing while it drains, but for a shell that traps the "
        "signal. leader: the first process, whatever it is. tree: every process, for a worker whose first "
        "process does not pass it on. Known workers have their own default.",
    ),
    Option(
        ["--sudo-kill/--no-sudo-kill"],
        section=Section.RESTARTING,
        default=None,
        help="Let sudo signal a worker that runs as another user. [default: no]",
        details="For `reloader -- sudo -u other ./worker`, which the system does not let us signal: what it "
        "refuses is asked of `sudo -n kill`, which needs a rule that asks for no password.",
    ),
    Option(
        ["-t", "--stop-timeout"],
        section=Section.RESTARTING,
        metavar="DURATION",
        type=Duration(),
        help="SIGKILL to the whole tree after this; none for never. [default: 10s]",
        details="How long a task in flight may take to end. For most of the known workers the default is 60s.",
    ),
    Option(
        ["--on-exit"],
        metavar="wait|restart|quit",
        section=Section.RESTARTING,
        type=click.Choice([choice.value for choice in OnExit]),
        help="When the worker ends by itself. [default: wait]",
        details="wait: for the next change. restart: start it again after 0.5 s, then 1 s, 2 s, up to 30 s; a "
        "change starts it at once. quit: end with the worker's exit status.",
    ),
    Option(
        ["--ready"],
        section=Section.RESTARTING,
        metavar="PATTERN",
        type=Pattern(),
        help="Regular expression for the line by which the worker is ready.",
        details="Known workers have their own. Without one, a worker is ready when it has lived for a second.",
    ),
    Option(
        ["--start-timeout"],
        section=Section.RESTARTING,
        metavar="DURATION",
        type=Duration(),
        help="How long the ready line is awaited. [default: 30s; 1s without one]",
        details="After that the worker is taken as ready; with --overlap, and another one at work, it is ended "
        "instead. Without a ready line: how long it must have lived.",
    ),
    Option(
        ["--overlap/--no-overlap"],
        section=Section.RESTARTING,
        default=None,
        help="Start the new code first, then drain the old. [default: as known]",
        details="The old worker goes on until the new one is ready, and is drained then, for as long as it needs; "
        "if the new one is not, the old one was never touched. It is on for those known workers that take tasks from "
        "a queue and were tried with it (reloader presets NAME), and off for all others: schedulers, and whatever has "
        "a port, a pid file or a lock. With -v the first line tells which, and why.",
    ),
    Option(
        ["--max-draining"],
        section=Section.RESTARTING,
        metavar="NUMBER",
        type=Count(),
        help="How many old workers may drain at once. [default: 3]",
        details="With --overlap and tasks that take longer than the time between two saves; the next restart "
        "waits for one of them to end.",
    ),
    Option(
        ["--warm/--cold"],
        section=Section.RESTARTING,
        default=None,
        help="Fork workers from a process that has their packages imported. [default: warm]",
        details="For Python workers on Linux. What is installed and does not change is imported once, in the "
        "background; nothing of the watched tree is. Where it is not possible a start is cold, and the line "
        "about the restart says why.",
    ),
    Option(
        ["--preset"],
        section=Section.RESTARTING,
        metavar="NAME",
        type=Text(),
        help="Take the worker for this known one, or none. [default: from the command]",
        details="reloader presets lists the known workers and what follows from each; settings files can change "
        "them and add others.",
    ),
    ModuleOption(
        ["-m", "--module"],
        section=Section.RESTARTING,
        metavar="MODULE",
        type=Text(),
        help="Run this Python module; the rest are its arguments.",
        details="As python -m, with the interpreter of the active virtual environment.",
    ),
    Option(
        ["-n", "--name"],
        section=Section.OUTPUT,
        metavar="NAME",
        type=Text(),
        help="Prefix of the worker's lines. [default: from the command]",
        details="The name also chooses the colour.",
    ),
    Option(
        ["--prefix/--no-prefix"],
        section=Section.OUTPUT,
        default=None,
        help="Prefix the worker's lines or not. [default: prefix]",
        details="Without it the worker's bytes are passed on as they are. That is the default below honcho, foreman, "
        "overmind and process-compose, which prefix them themselves.",
    ),
    Option(
        ["--timestamps/--no-timestamps"],
        section=Section.OUTPUT,
        default=None,
        help="Begin every line with the time. [default: no]",
        details="The local time with milliseconds.",
    ),
    Option(
        ["--log-format"],
        metavar="text|json",
        section=Section.OUTPUT,
        type=click.Choice([choice.value for choice in LogFormat]),
        help="One JSON object a line, for machines. [default: text]",
        details="With time, worker, stream (stdout, stderr, terminal, or reloader for our own lines), generation and "
        "text, and of our own lines the level: debug, info or notice. A byte that is no UTF-8 is told as \\xff. The "
        "worker then gets no pseudo-terminal, unless --tty always is given.",
    ),
    Option(
        ["--color"],
        metavar="auto|always|never",
        section=Section.OUTPUT,
        type=click.Choice([choice.value for choice in Color]),
        help="Colour prefixes and our own lines. [default: auto]",
        details="auto: at a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR colours elsewhere too. "
        "The worker's own colours are never touched.",
    ),
    Option(
        ["--tty"],
        metavar="auto|always|never",
        section=Section.OUTPUT,
        type=click.Choice([choice.value for choice in Tty]),
        help="Give the worker a pseudo-terminal. [default: auto]",
        details="auto: when standard output and standard error are one terminal. The worker then prints in colour "
        "and line by line, as by hand, and both of its streams are one. Where only standard output goes elsewhere, "
        "it still reads what is typed.",
    ),
    Option(
        ["-v", "--verbose"],
        section=Section.OUTPUT,
        count=True,
        help="Say more.",
        details="Also says what is known of the worker, what was ignored, and when files were looked at and nothing "
        "that counts had changed.",
    ),
    Option(
        ["-q", "--quiet"],
        section=Section.OUTPUT,
        count=True,
        help="Say less.",
        details="Only restarts and trouble. The worker's lines are never left out.",
    ),
]
HELP: list[click.Parameter] = [
    Option(
        ["-V", "--version"],
        section=Section.CONTROL,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        allow_from_autoenv=False,
        callback=_print_and_exit(_version),
        help="Show the version.",
        details="With that of Python.",
    ),
    Option(
        ["-h", "short_help"],
        section=Section.CONTROL,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        allow_from_autoenv=False,
        callback=_print_and_exit(short_help),
        help="Show this, one line an option.",
        details="The short form of this text.",
    ),
    Option(
        ["--help", "long_help"],
        section=Section.CONTROL,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        allow_from_autoenv=False,
        callback=_print_and_exit(long_help),
        help="Show everything: details, files, environment, exit codes.",
        details="The text that you are reading.",
    ),
]
WORKER = click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)
