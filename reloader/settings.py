"""Everything that can be set, as one frozen value, and the parsers of durations and signal names.

Nothing here reads files, options or the environment: `config.py` and `cli.py` do, and hand over text.
"""

from __future__ import annotations

import enum
import re
import signal
from dataclasses import dataclass

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|)")

# Ready is assumed after this long, in seconds, when no line tells it.
ALIVE_IS_READY = 1.0
# How long a ready line is awaited, in seconds, before the worker is taken as ready without it.
START_TIMEOUT = 30.0


# Where the number of the generation stands in a command; no word of a command can have it.
NUMBER = "\0"
# How often the tree is looked at, in seconds, where no events come.
POLL_INTERVAL = 1.0


class OnExit(enum.Enum):
    """What to do when the worker ends by itself."""

    WAIT = "wait"
    RESTART = "restart"
    QUIT = "quit"


class Color(enum.Enum):
    """Whether our prefix and lines are coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Tty(enum.Enum):
    """Whether the worker gets a pseudo-terminal."""

    AUTO = "auto"
    """When standard output and standard error are one terminal; to read from, when only standard error is."""
    ALWAYS = "always"
    NEVER = "never"


class LogFormat(enum.Enum):
    """How lines are shown."""

    TEXT = "text"
    JSON = "json"


class Trigger(enum.Enum):
    """Which Python files restart the worker."""

    TREE = "tree"
    """All that count."""
    LOADED = "loaded"
    """Those of them that the worker has imported, and such beside the tree."""


class RestartOn(enum.Enum):
    """Which saves restart the worker."""

    CHANGE = "change"
    ANY = "any"


class StopTarget(enum.Enum):
    """Who gets the stop signal."""

    WORKER = "worker"
    """The first process; what that runs, where it is a shell or a runner such as `uv run`."""
    LEADER = "leader"
    """The first process, whatever it is."""
    TREE = "tree"
    """Every process of the tree."""


@dataclass(frozen=True)
class Settings:
    """One run of `reloader`. Times are in seconds."""

    command: tuple[str, ...]
    name: str = "worker"
    python: bool = False
    """The worker is a Python program: code and configuration count, and its output is unbuffered."""
    program: tuple[str, ...] = ()
    """The command line of the worker's own process, without what stands in front of it.

    Empty where that is not known for certain, as behind `make worker`.
    """
    folder: str = ""
    """Where the program runs, seen from where the command does; empty for the same."""
    later: tuple[str, ...] = ()
    """The command of generations but the first, with NUMBER where theirs goes; empty where it is the same."""
    warm: bool = False
    """Fork workers from a process that has imported what does not change, where that is possible."""
    why_cold: str | None = None
    """Why no start is ever warm, where none is."""
    interpreter: str | None = None
    """The program whose syntax the worker's code is in; None for our own Python's."""
    preset: str | None = None
    """The known worker that it is."""
    cautions: tuple[tuple[str, str], ...] = ()
    """What the user is to know of this worker from the start, each with what to do about it."""
    hurried: tuple[tuple[float, str, str], ...] = ()
    """What the user is to know where restarts come this soon, in seconds, each with what to do about it."""
    watch: tuple[str, ...] = (".",)
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    gitignore: bool = True
    debounce: float = 0.05
    max_wait: float = 2.0
    restart_on: RestartOn = RestartOn.CHANGE
    trigger: Trigger = Trigger.TREE
    hold: bool = True
    """Broken code does not stop a working worker."""
    poll: float | None = None
    """Look at the tree this often, in seconds, instead of waiting for events; None where events come."""
    check: str | None = None
    """A command line for the shell that must succeed before a working worker is stopped."""
    stop_signal: int = signal.SIGTERM
    stop_target: StopTarget = StopTarget.WORKER
    sudo_kill: bool = False
    stop_timeout: float | None = 10.0
    """Seconds from the stop signal to SIGKILL; None waits for ever."""
    killed: str = ""
    """What becomes of a task that is killed, where that is known: a sentence without its end."""
    kill_timeout: float = 5.0
    overlap: bool = False
    """Start the new code beside the old, which is drained once the new one is ready."""
    apart: str = ""
    """Why generations do not overlap, where that is known."""
    max_draining: int = 3
    """With `overlap`, so many generations may drain at once."""
    start_timeout: float | None = None
    """Seconds after which a start is over, one way or the other; None for what `ready_within` says."""
    on_exit: OnExit = OnExit.WAIT
    ready: str | None = None
    """A regular expression for the output line by which the worker is ready."""
    prefix: bool = True
    timestamps: bool = False
    color: Color = Color.AUTO
    tty: Tty = Tty.NEVER
    log_format: LogFormat = LogFormat.TEXT
    verbosity: int = 0
    """Below 0: only what needs the user's attention; above: why things were done or not."""

    def command_of(self, generation: int) -> tuple[str, ...]:
        """The command that this generation runs."""
        if generation <= 1 or not self.later:
            return self.command
        return tuple(word.replace(NUMBER, str(generation)) for word in self.later)

    def program_of(self, generation: int) -> tuple[str, ...]:
        """Its `program`."""
        if generation <= 1 or not self.later:
            return self.program
        return self.command_of(generation)[len(self.command) - len(self.program) :]

    @property
    def learns(self) -> bool:
        """Whether it is to be known what the worker imports."""
        return self.warm or (self.trigger is Trigger.LOADED and self.python and bool(self.program))

    @property
    def interval(self) -> float:
        """Seconds between two looks where no events come."""
        return POLL_INTERVAL if self.poll is None else self.poll

    @property
    def room(self) -> int:
        """How many generations may still be there when the next one starts."""
        return self.max_draining if self.overlap else 0

    @property
    def ready_within(self) -> float:
        """Seconds after which a started worker is taken as ready, or for one that will not be."""
        if self.start_timeout is not None:
            return self.start_timeout
        return START_TIMEOUT if self.ready else ALIVE_IS_READY


# Of a duration, in seconds: no system call takes any length of time.
LONGEST = 366 * 86400.0


def parse_duration(text: str) -> float | None:
    """Seconds of `200ms`, `5s`, `2m`, `1h` or a bare number of seconds; None for `none`.

    Raises ValueError with a sentence for the user.
    """
    cleaned = text.strip().lower()
    if cleaned == "none":
        return None
    match = _DURATION.fullmatch(cleaned)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write for example 200ms, 5s, 2m or none")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST:
        shown = text if len(text) <= 20 else f"{text[:20]}..."
        raise ValueError(f"{shown!r} is longer than a year; write none for no limit")
    return seconds


def parse_signal(text: str) -> int:
    """The number of a signal given as `INT`, `SIGINT` or `2`.

    Raises ValueError with a sentence for the user.
    """
    cleaned = text.strip().upper()
    known = {member.name.removeprefix("SIG"): member.value for member in signal.Signals}
    if cleaned.isdecimal() and len(cleaned) < 4 and int(cleaned) in known.values():
        return int(cleaned)
    name = cleaned.removeprefix("SIG")
    if name in known:
        return known[name]
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    suggestion = f"did you mean {close[0]}?" if close else "write for example INT, TERM or HUP"
    raise ValueError(f"{text!r} is not a signal; {suggestion}")


def signal_name(number: int) -> str:
    """`SIGINT` for 2; `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
