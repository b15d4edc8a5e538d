"""What can be known of a worker: the fields of a preset, each explained. The data stand in table.py."""

from __future__ import annotations

import signal

from reloader.messages.base import Message
from reloader.settings import StopTarget

# How long a task in flight may take, in seconds, where nothing else is known.
FOR_TASKS = 60.0
# Why generations do not overlap where the user has said so.
SET_SO = "it is set so"


class Case(Message):
    """What differs from the preset, or is worth a word, for some command lines or environments.

    It holds when everything holds that it names. An option is written `--name` or `--name=value`, and a
    command line has it in whatever form it takes: `-l=info` is there in `-l info` and in `-linfo`.
    """

    has: tuple[str, ...] = ()
    """One of these options is given."""
    lacks: tuple[str, ...] = ()
    """None of these options is given."""
    env: str = ""
    """The environment has this NAME=VALUE."""
    stop_signal: int | None = None
    """This is the stop signal."""
    ready: str | None = None
    """The ready line then; an empty one where there is none."""
    apart: str | None = None
    """Why generations must not overlap then; an empty one where they may."""
    overlaps: bool | None = None
    """Generations do overlap, or do not. It decides nothing but what the user is told."""
    caution: str = ""
    """What the user is told once: at the start, or as `within` says."""
    within: float = 0.0
    """It is told where restarts come this soon, in seconds, after each other; 0 for the start."""
    hint: str = ""
    """What to do about that."""


class Preset(Message):
    """How a known worker behaves. Times are in seconds."""

    key: str
    """By this it is called: `--preset KEY`, `[tool.reloader.presets.KEY]`, `reloader presets KEY`."""
    match: tuple[str, ...] = ()
    """How it is recognised, each a program and the words that follow it, options left out.

    `manage.py VERB` is a management command however Django is called. Any other program is a console
    script, a file or what stands behind `python -m`. Of several that match, the longest is taken.
    """
    valued: tuple[str, ...] = ()
    """Options that take a value of their own and may stand before those words."""
    name: str = ""
    """The prefix of its lines; empty for the name of the management command or the program."""
    python: bool | None = True
    """What counts: code and configuration of Python, or everything; None leaves it to the command."""
    ready: str | None = None
    """A regular expression for the line by which it is ready.

    Where each of its processes prints one, the first is enough: a task that comes then finds somebody new.
    """
    stop_signal: int | None = signal.SIGINT
    """What drains it; None for INT where it is Python, and TERM where it is not."""
    stop_target: StopTarget = StopTarget.WORKER
    """Who gets it: the whole tree, where the first process does not pass it on."""
    stop_timeout: float | None = FOR_TASKS
    """How long a task in flight may take; None for as long as it wants."""
    apart: str = "two of it at once are not known to be safe"
    """Why a new generation must not start before the old one has drained; empty where it does.

    Empty only where that was tried: a broker that gives a task to one of two, and a ready line.
    """
    named_by: tuple[str, ...] = ()
    """The options by which it is given its own name, of which there cannot be two at once.

    With overlap every generation but the first has its number in that name, before an `@`, else at the end.
    """
    own_name: str = ""
    """What it is called without them; empty where it makes up another name at every start."""
    later_options: tuple[str, ...] = ()
    """Options that, with overlap, every generation but the first is given as well, unless it has them.

    For what makes it ready sooner: at a save somebody waits for that.
    """
    killed: str = ""
    """What becomes of a task that is killed at the stop timeout."""
    notes: str = ""
    """What else a user should know, in sentences."""
    cases: tuple[Case, ...] = ()

    @property
    def overlap(self) -> bool:
        """Whether the new generation starts beside the old one, unless the user says something else."""
        return not self.apart
