"""The options, with both lengths of their help."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from reloader import __version__
from reloader.cli.help import Section, long_help, short_help
from reloader.cli.param_types import Choice, Parsed
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
    parse_count,
    parse_duration,
    parse_pattern,
    parse_signal,
)


class Option(click.Option):
    """An option with its section of the help, `help` for `-h` and `details` besides for `--help`."""

    def __init__(
        self,
        *args: Any,
        section: Section = Section.CONTROL,
        details: str = "",
        computed: str = "",
        **kwargs: Any,
    ) -> None:
        """`computed` says in the help how the default is found, where it is not the one of Settings."""
        super().__init__(*args, **kwargs)
        self.section = section
        self.details = details
        self.computed = computed


class ModuleOption(Option):
    """`-m MODULE`: the words behind it are the module's, whatever form it is given in."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add it as click does, and let the parser go on as behind `--` once it was met."""
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


PARAMS: list[Option] = [
    Option(
        ["-w", "--watch"],
        section=Section.WATCHING,
        multiple=True,
        type=Parsed(str, "PATH"),
        help="A folder or file to watch; repeatable.",
        details="Folders are watched with everything below them that is not ignored. A file named here counts "
        "whatever the rules say. A path in a settings file is relative to that file.",
    ),
    Option(
        ["-i", "--ignore"],
        section=Section.WATCHING,
        multiple=True,
        type=Parsed(str, "PATTERN"),
        help="Ignore what matches, in gitignore syntax; repeatable.",
        details="Relative to each watched folder; the last rule that matches wins, and these come after the "
        "built-in rules and those of Git, so --ignore '!generated.py' takes an ignore back. An ignored folder "
        "is not entered and costs nothing.",
    ),
    Option(
        ["--include"],
        section=Section.WATCHING,
        multiple=True,
        type=Parsed(str, "PATTERN"),
        help="Count what matches, whatever else says no; repeatable.",
        details="In gitignore syntax, and stronger than every ignore. It widens what counts: by default, for a "
        "Python command, that is code and configuration (*.py, *.toml, *.yaml, *.ini, *.cfg, .env*, templates, "
        "*.mo, extension modules), and for any other command every file that is not ignored. A pattern with a "
        "slash leads into ignored folders: --include 'build/gen/*.py'.",
    ),
    Option(
        ["--gitignore/--no-gitignore"],
        section=Section.WATCHING,
        help="Follow Git's ignore files or not.",
        details="These are .gitignore in every folder, .git/info/exclude and core.excludesFile.",
    ),
    Option(
        ["--debounce"],
        section=Section.WATCHING,
        type=Parsed(parse_duration, "DURATION"),
        help="Quiet period before changes are acted upon.",
        details="Counted from the last change that matters. It grows to a second while each restart comes within a "
        f"second of the last. After {Settings.max_wait:g} s, or twice the period, of changes without a pause they are "
        "acted upon all the same.",
    ),
    Option(
        ["--poll"],
        section=Section.WATCHING,
        type=Parsed(parse_duration, "DURATION"),
        help="Look at the files this often instead of waiting for events.",
        details="Network file systems and folders shared with a host (NFS, SMB, 9p, virtiofs, FUSE ...) are looked "
        "at every second without being asked, since their events do not tell what others change.",
    ),
    Option(
        ["--trigger"],
        section=Section.WATCHING,
        type=Choice(Trigger),
        help="Which Python files restart.",
        details="tree: all that count. loaded: only those that the worker, or a fork of it, has imported, and files "
        "of a name that it has looked for; configuration always. What it imports from beside the watched folders, "
        "such as an editable install, is watched as well. For Python workers on Linux.",
    ),
    Option(
        ["--restart-on"],
        section=Section.RESTARTING,
        type=Choice(RestartOn),
        help="Which saves restart.",
        details="change: one after which a file holds something else; of a Python file comments, blank lines and "
        "formatting are nothing else, docstrings are. any: every save, and touch.",
    ),
    Option(
        ["--hold/--no-hold"],
        section=Section.RESTARTING,
        help="Keep a working worker while the new code is broken.",
        details="Changed Python files are compiled by the worker's interpreter before it is stopped. If one cannot "
        "be, the error is shown and the worker goes on with the last good code until a save mends it.",
    ),
    Option(
        ["--check"],
        section=Section.RESTARTING,
        type=Parsed(str, "COMMAND"),
        help="Must succeed before a working worker is stopped.",
        details="A command line for the shell, for example --check 'python manage.py check', run after the files "
        "were compiled and given up when another change comes. With --no-hold it is not run.",
    ),
    Option(
        ["-s", "--stop-signal"],
        section=Section.RESTARTING,
        type=Parsed(parse_signal, "NAME"),
        help="Signal that drains the worker.",
        computed="INT for Python, else TERM",
        details="Sent once, to the worker alone. Known workers have their own default.",
    ),
    Option(
        ["--stop-target"],
        section=Section.RESTARTING,
        type=Choice(StopTarget),
        help="Who gets the stop signal.",
        details="worker: the first process, or what that runs, where it is a shell or a runner that stays in front "
        "(uv run, npm run, make, timeout ...); these get nothing while it drains, but for a shell that traps the "
        "signal. leader: the first process, whatever it is. tree: every process, for a worker whose first "
        "process does not pass it on. Known workers have their own default.",
    ),
    Option(
        ["--sudo-kill/--no-sudo-kill"],
        section=Section.RESTARTING,
        help="Let sudo signal a worker that runs as another user.",
        details="For `reloader -- sudo -u other ./worker`, which the system does not let us signal: what it "
        "refuses is asked of `sudo -n kill`, which needs a rule that asks for no password.",
    ),
    Option(
        ["-t", "--stop-timeout"],
        section=Section.RESTARTING,
        type=Parsed(parse_duration, "DURATION"),
        help="SIGKILL to the whole tree after this; none for never.",
        details="How long a task in flight may take to end. For most of the known workers the default is "
        f"{FOR_TASKS:g}s.",
    ),
    Option(
        ["--on-exit"],
        section=Section.RESTARTING,
        type=Choice(OnExit),
        help="When the worker ends by itself.",
        details="wait: for the next change. restart: start it again after 0.5 s, then 1 s, 2 s, up to 30 s; a "
        "change starts it at once. quit: end with the worker's exit status.",
    ),
    Option(
        ["--ready"],
        section=Section.RESTARTING,
        type=Parsed(parse_pattern, "PATTERN"),
        help="Regular expression for the line by which the worker is ready.",
        details="Known workers have their own. Without one, a worker is ready when it has lived for a second.",
    ),
    Option(
        ["--start-timeout"],
        section=Section.RESTARTING,
        type=Parsed(parse_duration, "DURATION"),
        help="How long the ready line is awaited.",
        computed=f"{START_TIMEOUT:g}s; {ALIVE_IS_READY:g}s without one",
        details="After that the worker is taken as ready; with --overlap, and another one at work, it is ended "
        "instead. Without a ready line: how long it must have lived.",
    ),
    Option(
        ["--overlap/--no-overlap"],
        section=Section.RESTARTING,
        help="Start the new code first, then drain the old.",
        computed="as known",
        details="The old worker goes on until the new one is ready, and is drained then, for as long as it needs; "
        "if the new one is not, the old one was never touched. It is on for those known workers that take tasks from "
        "a queue and were tried with it (reloader presets NAME), and off for all others: schedulers, and whatever has "
        "a port, a pid file or a lock. With -v the first line tells which, and why.",
    ),
    Option(
        ["--max-draining"],
        section=Section.RESTARTING,
        type=Parsed(parse_count, "NUMBER"),
        help="How many old workers may drain at once.",
        details="With --overlap and tasks that take longer than the time between two saves; the next restart "
        "waits for one of them to end.",
    ),
    Option(
        ["--warm/--cold"],
        section=Section.RESTARTING,
        help="Fork workers from a process that has their packages imported.",
        computed="warm",
        details="For Python workers on Linux. What is installed and does not change is imported once, in the "
        "background; nothing of the watched tree is. Where it is not possible a start is cold, and the line "
        "about the restart says why.",
    ),
    Option(
        ["--preset"],
        section=Section.RESTARTING,
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
    Option(
        ["-n", "--name"],
        section=Section.OUTPUT,
        type=Parsed(str, "NAME"),
        help="Prefix of the worker's lines.",
        computed="from the command",
        details="The name also chooses the colour.",
    ),
    Option(
        ["--prefix/--no-prefix"],
        section=Section.OUTPUT,
        help="Prefix the worker's lines or not.",
        details="Without it the worker's bytes are passed on as they are. That is the default below honcho, foreman, "
        "overmind and process-compose, which prefix them themselves.",
    ),
    Option(
        ["--timestamps/--no-timestamps"],
        section=Section.OUTPUT,
        help="Begin every line with the time.",
        details="The local time with milliseconds.",
    ),
    Option(
        ["--log-format"],
        section=Section.OUTPUT,
        type=Choice(LogFormat),
        help="One JSON object a line, for machines.",
        details="With time, worker, stream (stdout, stderr, terminal, or reloader for our own lines), generation and "
        "text, and of our own lines the level: debug, info or notice. A byte that is no UTF-8 is told as \\xff. The "
        "worker then gets no pseudo-terminal, unless --tty always is given.",
    ),
    Option(
        ["--color"],
        section=Section.OUTPUT,
        type=Choice(Color),
        help="Colour prefixes and our own lines.",
        details="auto: at a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR colours elsewhere too. "
        "The worker's own colours are never touched.",
    ),
    Option(
        ["--tty"],
        section=Section.OUTPUT,
        type=Choice(Tty),
        help="Give the worker a pseudo-terminal.",
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
HELP: list[Option] = [
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
