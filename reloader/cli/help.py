"""The texts of `-h`, one line an option, and of `--help`, with everything; made from the options."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from reloader.settings import Settings

if TYPE_CHECKING:
    from reloader.cli.options import Option

# The least width of the text, in columns.
_NARROWEST = 20

USAGE = """\
Usage: reloader [OPTIONS] [--] COMMAND [ARGS]...
       reloader [OPTIONS] -m MODULE [ARGS]...
       reloader why [OPTIONS] PATH... [-- COMMAND]
       reloader doctor [OPTIONS] [-- COMMAND]
       reloader status [--json]
       reloader presets [NAME]"""

EPILOG = """\
Examples:
  reloader -- python manage.py qcluster
  reloader -w src -w settings.toml -- python -m myproject.worker
  reloader --include '*.proto' -s TERM -t 2m -n jobs -- ./run-jobs --fast

Without a worker:
  reloader why PATH... says whether each path counts, and by which rule of which file and line; the
  status is 0 if all of them do, else 1. reloader doctor counts what would be watched and left out, tries
  a write, and ends with 1 if something would go wrong. Both take the options of "Watching"; COMMAND is
  the worker's, since for Python less counts. reloader presets lists the workers that are known by name,
  and tells everything of one. A program of such a name is run by reloader -- why.

While workers run:
  reloader status tells of every run in this folder, or else in the nearest one above it that has some: what
  its generations do, since when, started warm or cold and why, the last start and its cause, what waits.
  --json prints one line for each. The status is 0 if one answers, else 1.

Durations:
  200ms, 5s, 2m, 1h, none; a bare number is seconds.

Settings, from the weakest to the strongest:
  defaults, what is known of the worker, [tool.reloader] in pyproject.toml or reloader.toml (the
  nearest one upwards, within the repository or the home folder), environment variables, options.
  Every option has a key of its name (stop-timeout = "2m") and a variable (RELOADER_STOP_TIMEOUT=2m;
  several values in RELOADER_WATCH, RELOADER_IGNORE and RELOADER_INCLUDE are separated by ':').
  Settings and ignore files of other users (root excepted) are not followed, unless RELOADER_TRUST names
  a folder that they lie in ('/srv/app:/srv/lib'; '*' for all).

In the worker's environment:
  RELOADER=1, RELOADER_GENERATION (1 at the first start), and for Python PYTHONUNBUFFERED=1 unless set.

Ending:
  The first Ctrl-C or SIGTERM drains the worker, the second kills it; SIGHUP drains. While the worker
  waits for input at its terminal, Ctrl-C goes to it, and ends all when it comes twice within a second.

Exit status:
  0    asked to stop, and everything has been drained
  1    a fault of reloader, or the worker had to be killed at the end of the stop timeout
  2    a mistake in options, settings or watched paths
  126  the command is not executable, 127  it was not found (at the first start)
  With --on-exit quit the worker's own; when a second signal killed the worker, that signal."""


class Section(enum.Enum):
    """The sections of the help, in their order."""

    WATCHING = "Watching"
    RESTARTING = "Restarting"
    OUTPUT = "Output"
    CONTROL = "Control"


def short_help(command: click.Command) -> str:
    """The text of `-h`."""
    lines = [USAGE, "", command.help or ""]
    for section in Section:
        lines += ["", f"{section.value}:"]
        lines += [f"  {_names(option):<34} {_line(option)}" for option in _options(command, section)]
    return "\n".join(lines)


def long_help(command: click.Command, columns: int | None = None) -> str:
    """The text of `--help`, for `columns`, or for as many as the terminal has, up to 100."""
    import shutil
    import textwrap

    width = max(_NARROWEST, (columns or min(shutil.get_terminal_size().columns, 100)) - 2)
    lines = [USAGE, "", command.help or ""]
    for section in Section:
        lines += ["", f"{section.value}:"]
        for option in _options(command, section):
            text = f"{_line(option)} {option.details}"
            lines += [f"  {_names(option)}"]
            lines += textwrap.wrap(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join([*lines, "", command.epilog or ""])


def _options(command: click.Command, section: Section) -> Iterator[Option]:
    for param in command.params:
        if getattr(param, "section", None) is section:
            yield param  # type: ignore[misc]  # a parameter with a section is an Option


def _line(option: Option) -> str:
    """The help of an option, with its default."""
    default = option.computed or _shown(getattr(Settings, str(option.name), None))
    return f"{option.help} [default: {default}]" if default else str(option.help)


def _shown(default: object) -> str:
    """A default of Settings as a user writes it; empty where there is none."""
    if isinstance(default, enum.Enum):
        return str(default.value)
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, float):
        return f"{default:g}s" if default >= 1 else f"{default * 1000:g}ms"
    if isinstance(default, tuple):
        return " ".join(default)
    return "" if default is None else str(default)


def _names(option: Option) -> str:
    short = [name for name in option.opts if not name.startswith("--")]
    long = [name for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]
    value = (
        "" if option.is_flag or option.count else f" {option.make_metavar(click.Context(click.Command('')))}"
    )
    start = f"{short[0]}, " if short and long else short[0] if short else "    "
    return f"{start}{' / '.join(long)}{value}"
