"""The settings of a run, as one frozen value with all defaults, and the parsers of their values.

Nothing here reads files, options or the environment; `cli/` does, and calls the parsers.
"""

from __future__ import annotations

import enum
import signal

from reloader.messages.base import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Choice = TypeVar("Choice", bound=enum.Enum)

# A worker without a ready line is taken as ready after so many seconds.
ALIVE_IS_READY = 1.0
# A worker with a ready line that does not come is taken as ready after so many seconds.
START_TIMEOUT = 30.0
# Seconds between two looks at the files where no events come.
POLL_INTERVAL = 1.0
# Stands for the generation's number in the words of a command, which cannot hold NUL.
NUMBER = "\0"
# The longest duration that is taken, in seconds: system calls do not take every length of time.
LONGEST = 366 * 86400.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class OnExit(enum.Enum):
    """What to do when the worker ends by itself."""

    WAIT = "wait"
    RESTART = "restart"
    QUIT = "quit"


class Color(enum.Enum):
    """Whether prefixes and our own lines are coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Tty(enum.Enum):
    """Whether the worker gets a pseudo-terminal."""

    AUTO = "auto"
    """When standard output and error are one terminal; only for input, when just standard error is one."""
    ALWAYS = "always"
    NEVER = "never"


class LogFormat(enum.Enum):
    """How lines are written."""

    TEXT = "text"
    JSON = "json"


class Trigger(enum.Enum):
    """Which Python files restart the worker."""

    TREE = "tree"
    """Every file that counts."""
    LOADED = "loaded"
    """Of these the ones that the worker has imported, and imported files outside of the watched folders."""


class RestartOn(enum.Enum):
    """Which saves restart the worker."""

    CHANGE = "change"
    ANY = "any"


class StopTarget(enum.Enum):
    """Which processes get the stop signal."""

    WORKER = "worker"
    """The first process, or the one that it runs where it is a shell or a runner such as `uv run`."""
    LEADER = "leader"
    """The first process, whatever it is."""
    TREE = "tree"
    """Every process of the tree."""


class Settings(Message):
    """The settings of one run. Times are in seconds; the values here are the defaults."""

    command: tuple[str, ...]
    name: str = "worker"
    python: bool = False
    """The worker is a Python program: only code and configuration count, and its output is unbuffered."""
    program: tuple[str, ...] = ()
    """The command line of the worker's own process, without wrappers such as `uv run`.

    Empty where it cannot be told for certain, as behind `make worker`.
    """
    scripts: tuple[str, ...] = ()
    """The files that the program is started from, relative to the folder of the command."""
    folder: str = ""
    """The program's folder, relative to that of the command; empty for the same."""
    later: tuple[str, ...] = ()
    """The command of the second and later generations, with NUMBER for theirs; empty for the same command."""
    warm: bool = False
    """Fork workers from a process that has imported what does not change, where that is possible."""
    why_cold: str | None = None
    """The reason why no start can be warm; None where they can."""
    interpreter: str | None = None
    """The worker's Python interpreter, which checks the syntax of its code; None for our own."""
    preset: str | None = None
    """The key of the preset that was recognised or chosen."""
    cautions: tuple[tuple[str, str], ...] = ()
    """What the user is warned of at the start: pairs of a sentence and a remedy."""
    hurried: tuple[tuple[float, str, str], ...] = ()
    """What the user is warned of when restarts follow within so many seconds: seconds, sentence, remedy."""
    watch: tuple[str, ...] = (".",)
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    origins: tuple[tuple[str, str, str], ...] = ()
    """Of options that were not set on the command line: the name, what the user knows it by, and the folder
    of the settings file (empty for a variable)."""
    gitignore: bool = True
    debounce: float = 0.05
    max_wait: float = 2.0
    """Changes that keep coming are acted upon after so long."""
    restart_on: RestartOn = RestartOn.CHANGE
    trigger: Trigger = Trigger.TREE
    hold: bool = True
    """Broken code does not stop a working worker."""
    poll: float | None = None
    """Look at the files this often instead of waiting for events; None waits for events where they come."""
    check: str | None = None
    """A shell command that must succeed before a working worker is stopped."""
    stop_signal: int = signal.SIGTERM
    stop_target: StopTarget = StopTarget.WORKER
    sudo_kill: bool = False
    stop_timeout: float | None = 10.0
    """Seconds from the stop signal to SIGKILL; None waits for ever."""
    killed: str = ""
    """What becomes of a task that is killed, where that is known: a sentence without its full stop."""
    kill_timeout: float = 5.0
    """Seconds after which a worker that SIGKILL did not end is told of."""
    overlap: bool = False
    """Start the new code beside the old, which is drained once the new one is ready."""
    apart: str = ""
    """The reason why generations do not overlap, where that is known."""
    max_draining: int = 3
    """With `overlap`, how many generations may drain at once."""
    start_timeout: float | None = None
    """Seconds after which a starting worker is taken as ready or given up; None: see `ready_within`."""
    on_exit: OnExit = OnExit.WAIT
    ready: str | None = None
    """A regular expression for the output line by which the worker is ready."""
    prefix: bool = True
    timestamps: bool = False
    color: Color = Color.AUTO
    tty: Tty = Tty.AUTO
    log_format: LogFormat = LogFormat.TEXT
    verbosity: int = 0
    """Below 0: only what needs the user's attention; above 0: also why things were done or not."""

    def command_of(self, generation: int) -> tuple[str, ...]:
        """The command that this generation runs."""
        if generation <= 1 or not self.later:
            return self.command
        return tuple(word.replace(NUMBER, str(generation)) for word in self.later)

    def program_of(self, generation: int) -> tuple[str, ...]:
        """The `program` of this generation."""
        if generation <= 1 or not self.later:
            return self.program
        return self.command_of(generation)[len(self.command) - len(self.program) :]

    def origin(self, option: str) -> tuple[str, str]:
        """See `origin_of`."""
        return origin_of(self.origins, option)

    @property
    def learns(self) -> bool:
        """Whether the worker's imports must be recorded."""
        return self.warm or (self.trigger is Trigger.LOADED and self.python and bool(self.program))

    @property
    def interval(self) -> float:
        """Seconds between two looks at the files where no events come."""
        return POLL_INTERVAL if self.poll is None else self.poll

    @property
    def room(self) -> int:
        """How many generations may still drain when the next one starts."""
        return self.max_draining if self.overlap else 0

    @property
    def ready_within(self) -> float:
        """Seconds after which a starting worker is taken as ready, or given up."""
        if self.start_timeout is not None:
            return self.start_timeout
        return START_TIMEOUT if self.ready else ALIVE_IS_READY


def origin_of(origins: tuple[tuple[str, str, str], ...], option: str) -> tuple[str, str]:
    """What the user knows this option by, and the folder of the settings file that sets it (else empty).

    It is `--poll`, `RELOADER_POLL` or `poll in reloader.toml`. `origins` are as in Settings.
    """
    for name, shown, folder in origins:
        if name == option:
            return shown, folder
    return "--" + option.replace("_", "-"), ""


class SettingsSource(Message):
    """Where the settings of a run come from."""

    paths: tuple[str, ...]
    """The absolute paths of all files that are settings files or would be, the nearest first."""
    read: Callable[[], Settings]
    """Builds the settings anew; raises ReloaderError for a mistake in a file."""


def parse_duration(text: str) -> float | None:
    """Seconds of `200ms`, `5s`, `2m`, `1h` or a bare number of seconds; None for `none`.

    Raises ValueError with a sentence for the user.
    """
    import re

    cleaned = text.strip().lower()
    if cleaned == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|)", cleaned)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write for example 200ms, 5s, 2m or none")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > LONGEST:
        raise ValueError(f"{_short(text)!r} is longer than a year; write none for no limit")
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


def parse_count(text: str) -> int:
    """A number of things, one at least.

    Raises ValueError with a sentence for the user.
    """
    cleaned = text.strip()
    if not (cleaned.isascii() and cleaned.isdecimal() and len(cleaned) < 10 and int(cleaned)):
        raise ValueError(f"{_short(text)!r} is not a number of at least 1")
    return int(cleaned)


def parse_pattern(text: str) -> str:
    """The text, if it is a regular expression for bytes.

    Raises ValueError with a sentence for the user.
    """
    import re

    try:
        re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def parse_choice(kind: type[Choice], text: str) -> Choice:
    """The member of the enumeration that has this value.

    Raises ValueError with a sentence for the user.
    """
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is not one of {', '.join(repr(one.value) for one in kind)}") from None


def _short(text: str) -> str:
    """The text as it can be shown in one line."""
    return text if len(text) <= 40 else f"{text[:40]}..."


def signal_name(number: int) -> str:
    """`SIGINT` for 2; `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
