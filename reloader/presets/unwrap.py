"""What a command line runs in the end, behind shells and the programs of wrappers.py. Nothing is run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from reloader.presets.shell_syntax import ASSIGNMENT, Command, simple_commands
from reloader.presets.wrapper_words import WrapperWords, wrapper_of
from reloader.presets.wrappers import SHELLS, WRAPPERS

# What a shell does within itself, and the worker inherits, whether the shell is there at its start or not.
_SETTING = frozenset({"cd", "pushd", "export", "set", "unset", "shopt", "umask", "ulimit", ":", "true"})
_SOURCING = frozenset({".", "source"})
# What is no worker, whatever it is run for.
_NO_WORKERS = (
    _SETTING
    | _SOURCING
    | {"trap", "wait", "exit", "return", "sleep", "echo", "printf", "test", "[", "false", "eval", "kill"}
    | {"cat", "tee", "grep", "egrep", "sed", "awk", "head", "tail", "sort", "uniq", "tr", "cut", "ts", "jq"}
    | {"mkdir", "rm", "cp", "mv", "ln", "touch", "chmod", "chown", "yes", "date", "read", "alias", "hash"}
)
_DOES_MORE = "the shell does more than start it"


class Unwrapped:
    """A command line that is run in the end, and what was on the way to it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        """The program and its arguments."""
        self.process = words
        """The command line of its process, which begins earlier where a debugger runs it within its own."""
        self.python = False
        """It is surely Python."""
        self.project = False
        """It runs in a project's own environment."""
        self.environment: dict[str, str] = {}
        """Variables that are set for it."""
        self.folder = ""
        """Where it runs, seen from where the command line is run."""
        self.programs = ""
        """The folder of an environment's programs that was put first in PATH, seen from there as well."""
        self.is_known = True
        """The words are what it is called with; else they are of a program that hides it."""
        self.task = ""
        """What the hidden one is called there."""
        self.is_alone = True
        """Nothing else runs beside it that may be the worker as well."""
        self.why_cold = ""
        """Why it cannot be started warm, where what is in front of it is why."""
        self.forks = False
        """A program in front of it ends at once and leaves it alone, where that leads its process group."""
        self.apart = ""
        """Why two of it cannot be there at once, where what is in front of it is why."""

    def copy(self) -> Unwrapped:
        """Another one of the same, to be changed."""
        other = Unwrapped(self.words)
        vars(other).update(vars(self))
        return other


def unwrap(command: Sequence[str]) -> list[Unwrapped]:
    """Look through everything that runs something else.

    Of the commands of a shell there may be several that are the worker: the likelier first.
    """
    return _look_through(Unwrapped(list(command)))


def _look_through(found: Unwrapped) -> list[Unwrapped]:
    in_tool = False
    while found.words:
        if (shell := _shell_of(found.words)) and not in_tool:
            return _in_shell(found, shell)
        taken = wrapper_of(found.words)
        if taken is None or (in_tool and not taken[1].python):
            break
        name, wrapper, rest = taken
        if name == "runuser" and not {"-u", "--user"}.intersection(rest):
            wrapper = WRAPPERS["su",]
        found.why_cold = found.why_cold or wrapper.cold.format(name)
        found.apart = found.apart or wrapper.apart
        found.project = found.project or wrapper.project
        own = WrapperWords(wrapper, rest)
        found.environment = found.environment | own.environment
        if own.folder:
            found.folder = os.path.join(found.folder, own.folder)
        if name == "setsid":
            found.forks = not own.options & {"-w", "--wait"}
        if wrapper.task:
            found.is_known = False
            found.task = next(iter(own.operands), "") if wrapper.operands else ""
            break
        if own.text is not None and name == "env":
            found.words = ["env", *_split(own.text), *own.rest]
        elif own.text is not None:
            return _in_shell(found, ["sh", "-c", own.text])
        elif wrapper.dashes and not own.dashes:
            found.is_known = False
            break
        elif wrapper.is_text:
            return _in_shell(found, ["sh", "-c", *own.rest])
        elif wrapper.python:
            in_tool = found.python = True
            found.words = ["python", *own.rest]
        else:
            is_script = wrapper.project and own.rest[:1] != [] and own.rest[0].endswith(".py")
            found.python = found.python or own.module or is_script
            found.words = ["python", "-m", *own.rest] if own.module else own.rest
        if not in_tool:
            found.process = found.words
    return [found]


# --- shells -------------------------------------------------------------------------------------------


def _shell_of(words: list[str]) -> list[str] | None:
    """The words without `busybox` in front, where a shell is called."""
    is_busybox = os.path.basename(words[0]) == "busybox"
    words = words[1:] if is_busybox else words
    return words if words and os.path.basename(words[0]) in SHELLS else None


def _in_shell(found: Unwrapped, words: list[str]) -> list[Unwrapped]:
    """What the shell runs; the shell, with its worker hidden, where that cannot be told."""
    text, arguments = _text_of(words[1:])
    commands = None if text is None else simple_commands(text, arguments)
    candidates = _candidates(found, commands or [])
    if candidates:
        return candidates
    found.is_known = False
    return [found]


def _text_of(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The text of `sh -c TEXT NAME ARGUMENTS`, and what `"$@"` stands for in it."""
    rest = list(arguments)
    wanted = False
    while rest and rest[0][:1] in ("-", "+") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word in ("-o", "+o", "-O", "+O") and rest:
            rest.pop(0)
        elif not word.startswith("--"):
            wanted = wanted or "c" in word
    return (rest[0], rest[2:]) if wanted and rest else (None, [])


def _candidates(found: Unwrapped, commands: list[Command]) -> list[Unwrapped]:
    """The commands that may be the worker, the likelier first."""
    workers = [place for place, one in enumerate(commands) if one.words and not _is_no_worker(one)]
    # Where all are such, one of them is it: `sh -c 'tail -f log'`.
    workers = workers or [place for place, one in enumerate(commands) if one.words and not _sets(one)]
    is_plain = len(workers) == 1 and workers[0] == len(commands) - 1 and all(map(_is_plain, commands[:-1]))
    is_alone = len(workers) == 1 or all(one.after != "&" for one in commands)
    candidates = []
    outer = found
    for place, command in enumerate(commands):
        if place not in workers:
            outer = _after(outer, command)
            continue
        one = outer.copy()
        first, *rest = command.words
        if not command.literal and first.startswith(("$", "`")):
            # What it stands for is not known, but it may say so: `${PYTHON:-python3}`.
            first = "python" if "python" in first.lower() else _shell_name(found)
        one.words = one.process = [first, *rest]
        one.environment = outer.environment | command.environment
        one.is_known = outer.is_known and command.literal
        one.is_alone = outer.is_alone and is_alone
        if not is_plain or command.redirected or command.in_group or command.after:
            one.why_cold = one.why_cold or _DOES_MORE
            one.apart = one.apart or _DOES_MORE
        candidates.append((_rank(commands, place), one))
    candidates.sort(key=lambda ranked: ranked[0])
    return [inner for _, one in candidates for inner in _look_through(one)]


def _rank(commands: list[Command], place: int) -> tuple[int, int, int]:
    """The last of a list is the likeliest worker, the first of a pipeline, and the first of alternatives."""
    first = place
    while commands[first].before in ("|", "|&"):
        first -= 1
    return int(commands[first].before == "||"), -first, place


def _shell_name(found: Unwrapped) -> str:
    return next(
        (os.path.basename(word) for word in found.words[:2] if os.path.basename(word) in SHELLS), "sh"
    )


def _is_no_worker(command: Command) -> bool:
    return os.path.basename(command.words[0]) in _NO_WORKERS


def _sets(command: Command) -> bool:
    return command.words[0] in _SETTING | _SOURCING


def _is_plain(command: Command) -> bool:
    """Whether it does nothing but what a worker inherits."""
    if command.redirected or command.in_group or command.after not in ("&&", ";"):
        return False
    if not command.words:
        return True
    if command.words[0] in _SOURCING:
        # They set variables; whoever starts again without the shell has them.
        name = os.path.basename((command.words[1:] or [""])[0])
        return name == "activate" or name.startswith(".env") or name.endswith(".env")
    return command.words[0] in _SETTING


def _after(found: Unwrapped, command: Command) -> Unwrapped:
    """How it stands once this was done."""
    found = found.copy()
    word, *rest = command.words or [""]
    if word in ("cd", "pushd"):
        target = next((one for one in rest if not one.startswith("-")), "~")
        found.folder = os.path.join(found.folder, os.path.expanduser(target))
    elif word == "export":
        set_here = dict(one.split("=", 1) for one in rest if ASSIGNMENT.fullmatch(one))
        found.environment = found.environment | set_here if command.literal else found.environment
    elif word in _SOURCING and rest and os.path.basename(rest[0]) == "activate":
        found.programs = os.path.join(found.folder, os.path.dirname(rest[0]))
    return found


def _split(text: str) -> list[str]:
    try:
        import shlex

        return shlex.split(text)
    except ValueError:
        return []  # a quote is not closed
