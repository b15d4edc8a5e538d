"""What a command line runs in the end, behind shells and the programs of wrappers.py. Nothing is run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from reloader.presets.shell_syntax import ASSIGNMENT, Command, simple_commands
from reloader.presets.wrappers import PYTHON_VALUES, SHELLS, WRAPPERS, Wrapper

# Commands that change the shell itself. The worker inherits the effect, even if it is started again without
# the shell.
_SETTING = frozenset({"cd", "pushd", "export", "set", "unset", "shopt", "umask", "ulimit", ":", "true"})
_SOURCING = frozenset({".", "source"})
# Commands that are not the worker as long as there is another one.
_NO_WORKERS = (
    _SETTING
    | _SOURCING
    | {"trap", "wait", "exit", "return", "sleep", "echo", "printf", "test", "[", "false", "eval", "kill"}
    | {"cat", "tee", "grep", "egrep", "sed", "awk", "head", "tail", "sort", "uniq", "tr", "cut", "ts", "jq"}
    | {"mkdir", "rm", "cp", "mv", "ln", "touch", "chmod", "chown", "yes", "date", "read", "alias", "hash"}
)
_DOES_MORE = "the shell does more than start it"


class Unwrapped:
    """A command line that is run in the end, and what the programs in front of it do for it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        """The program and its arguments."""
        self.process = words
        """The command line of its process, which starts with the debugger where one runs the program."""
        self.python = False
        """It is certainly Python."""
        self.project = False
        """It runs in the environment of a Python project."""
        self.environment: dict[str, str] = {}
        """The variables that are set for it."""
        self.folder = ""
        """The folder that it runs in, relative to where the command line is run."""
        self.programs = ""
        """The `bin` folder of an activated environment, relative to the same."""
        self.is_known = True
        """The words are the worker's own; otherwise they are of a program that hides it, such as `make`."""
        self.task = ""
        """The name that the hiding program has for it."""
        self.is_alone = True
        """No other command that may be the worker runs beside it."""
        self.why_cold = ""
        """Why it cannot be started warm, because of what is in front of it."""
        self.forks = False
        """A program in front of it (setsid) forks and ends at once, if it leads its process group."""
        self.no_overlap_reason = ""
        """Why two of it cannot run at once, because of what is in front of it."""

    def copy(self) -> Unwrapped:
        """Another one of the same, to be changed."""
        other = Unwrapped(self.words)
        vars(other).update(vars(self))
        return other


def unwrap(command: Sequence[str]) -> list[Unwrapped]:
    """Look through every program that only runs another one.

    Of the commands of a shell several may be the worker: the likeliest comes first.
    """
    return _look_through(Unwrapped(list(command)))


def _look_through(found: Unwrapped) -> list[Unwrapped]:
    in_tool = False
    while found.words:
        if (shell := _shell_of(found.words)) and not in_tool:
            return _in_shell(found, shell)
        taken = _wrapper_of(found.words)
        if taken is None or (in_tool and not taken[1].python):
            break
        name, wrapper, rest = taken
        if name == "runuser" and not {"-u", "--user"}.intersection(rest):
            wrapper = WRAPPERS["su",]
        found.why_cold = found.why_cold or wrapper.cold.format(name)
        found.no_overlap_reason = found.no_overlap_reason or wrapper.no_overlap_reason
        found.project = found.project or wrapper.project
        own = _WrapperWords(wrapper, rest)
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


def python_target(arguments: Sequence[str]) -> tuple[str, str, list[str]]:
    """What the Python interpreter runs with these arguments, and what follows.

    ("-m", MODULE, rest), ("file", PATH, rest) or ("-", "", rest); ("", "", []) for anything else.
    """
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("-m") and (word != "-m" or rest):
            return "-m", (word[2:] or rest.pop(0)).removesuffix(".__main__"), rest
        if word.startswith("-c"):
            break
        if word == "-":
            return "-", "", rest
        if word in PYTHON_VALUES:
            del rest[:1]
        elif not word.startswith("-"):
            return "file", word, rest
    return "", "", []


# --- programs of the table ----------------------------------------------------------------------------


def _wrapper_of(words: list[str]) -> tuple[str, Wrapper, list[str]] | None:
    """The program of the table that these words call, and the words that follow its own."""
    name, rest = os.path.basename(words[0]).removesuffix(".exe"), words[1:]
    if name.startswith(("python", "pypy")):
        kind, name, rest = python_target(rest)
        if kind != "-m":
            return None
    value_options = {
        option for key, one in WRAPPERS.items() if key[0] == name for option in one.value_options
    }
    behind = rest
    while behind and behind[0].startswith("-") and behind[0] != "--":
        behind = behind[2 if behind[0] in value_options else 1 :]
    if behind and (name, behind[0]) in WRAPPERS:
        between = rest[: len(rest) - len(behind)]
        return name, WRAPPERS[name, behind[0]], [*between, *behind[1:]]
    return (name, WRAPPERS[name,], rest) if (name,) in WRAPPERS else None


class _WrapperWords:
    """The words of a wrapper up to the command that it runs, read as getopt(3) reads them."""

    def __init__(self, wrapper: Wrapper, rest: list[str]) -> None:
        self.rest = rest
        """The command."""
        self.operands: list[str] = []
        self.options: set[str] = set()
        """The options that are given."""
        self.environment: dict[str, str] = {}
        self.folder = ""
        self.text: str | None = None
        """The text that a shell runs in place of a command."""
        self.dashes = self.module = False
        """Whether there is a `--`, and whether a Python module follows."""
        self._wrapper = wrapper
        self._read()

    def _read(self) -> None:
        wrapper = self._wrapper
        reads_all = wrapper.dashes or wrapper.task
        while self.rest and self.text is None:
            word = self.rest[0]
            is_option = word.startswith("-") and word not in ("-", "--")
            is_own = is_option and word not in wrapper.value_options
            if is_own and wrapper.python and word in ("-m", "-c"):
                return  # these are Python's own options
            self.module = is_own and wrapper.project and word in ("-m", "--module")
            self.dashes = word == "--"
            is_operand = not is_option and not ASSIGNMENT.fullmatch(word)
            if is_operand and not self.dashes and not reads_all and len(self.operands) == wrapper.operands:
                return
            del self.rest[0]
            if self.dashes or self.module:
                return
            if is_option:
                self._take_option(word)
            elif is_operand:
                self.operands.append(word)
            else:
                name, _, self.environment[name] = word.partition("=")

    def _take_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if word.startswith("--") or name in self._wrapper.value_options:
            if name in self._wrapper.value_options:
                self._note(name, value if equals else self._next())
            self.options.add(name)
            return
        # A group of letters: what follows the first one that takes a value is its value.
        for index, letter in enumerate(word[1:], 2):
            if f"-{letter}" in self._wrapper.value_options:
                self._note(f"-{letter}", word[index:] or self._next())
                return
            self.options.add(f"-{letter}")

    def _next(self) -> str:
        return self.rest.pop(0) if self.rest else ""

    def _note(self, option: str, value: str) -> None:
        if option in self._wrapper.texts:
            self.text = value
        elif option in self._wrapper.folders:
            self.folder = value


def _split(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError:
        return []  # a quote is not closed


# --- shells -------------------------------------------------------------------------------------------


def _shell_of(words: list[str]) -> list[str] | None:
    """The words from the shell's name on, if they call a shell; `busybox` may stand in front."""
    if os.path.basename(words[0]) == "busybox":
        words = words[1:]
    return words if words and os.path.basename(words[0]) in SHELLS else None


def _in_shell(found: Unwrapped, words: list[str]) -> list[Unwrapped]:
    """What the shell runs; the shell itself, which hides the worker, if its text cannot be read."""
    text, arguments = _text_of(words[1:])
    commands = None if text is None else simple_commands(text, arguments)
    candidates = _candidates(found, commands or [])
    if not candidates:
        found.is_known = False
    return candidates or [found]


def _text_of(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The text of `sh -c TEXT NAME ARGUMENTS`, and the arguments that `"$@"` stands for in it."""
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
    """The commands that may be the worker, the likeliest first."""
    workers = [index for index, one in enumerate(commands) if one.words and not _is_no_worker(one)]
    # If none looks like a worker, any but those that only set something may be: `sh -c 'tail -f log'`.
    workers = workers or [index for index, one in enumerate(commands) if one.words and not _sets(one)]
    is_plain = len(workers) == 1 and workers[0] == len(commands) - 1 and all(map(_is_plain, commands[:-1]))
    is_alone = len(workers) == 1 or all(one.after != "&" for one in commands)
    candidates = []
    outer = found
    for index, command in enumerate(commands):
        if index not in workers:
            outer = _after(outer, command)
            continue
        one = outer.copy()
        first, *rest = command.words
        if not command.literal and first.startswith(("$", "`")):
            # The value is unknown, but the text may tell: `${PYTHON:-python3}`.
            first = "python" if "python" in first.lower() else _shell_name(found)
        one.words = one.process = [first, *rest]
        one.environment = outer.environment | command.environment
        one.is_known = outer.is_known and command.literal
        one.is_alone = outer.is_alone and is_alone
        if not is_plain or command.redirected or command.in_group or command.after:
            one.why_cold = one.why_cold or _DOES_MORE
            one.no_overlap_reason = one.no_overlap_reason or _DOES_MORE
        candidates.append((_rank(commands, index), one))
    candidates.sort(key=lambda ranked: ranked[0])
    return [inner for _, one in candidates for inner in _look_through(one)]


def _rank(commands: list[Command], index: int) -> tuple[bool, int, int]:
    """The last of a list is the likeliest worker, the first of a pipeline, and the first of alternatives."""
    first = index
    while commands[first].before in ("|", "|&"):
        first -= 1
    return commands[first].before == "||", -first, index


def _shell_name(found: Unwrapped) -> str:
    names = map(os.path.basename, found.words[:2])
    return next((name for name in names if name in SHELLS), "sh")


def _is_no_worker(command: Command) -> bool:
    return os.path.basename(command.words[0]) in _NO_WORKERS


def _sets(command: Command) -> bool:
    return command.words[0] in _SETTING | _SOURCING


def _is_plain(command: Command) -> bool:
    """Whether it has no effect but those that a worker inherits."""
    if command.redirected or command.in_group or command.after not in ("&&", ";"):
        return False
    if not command.words:
        return True
    if command.words[0] in _SOURCING:
        # These files only set variables, and a start without the shell gets the same ones.
        name = os.path.basename((command.words[1:] or [""])[0])
        return name == "activate" or name.startswith(".env") or name.endswith(".env")
    return command.words[0] in _SETTING


def _after(found: Unwrapped, command: Command) -> Unwrapped:
    """How things stand once this command was run."""
    found = found.copy()
    word, *rest = command.words or [""]
    if word in ("cd", "pushd"):
        target = next((one for one in rest if not one.startswith("-")), "~")
        found.folder = os.path.join(found.folder, os.path.expanduser(target))
    elif word == "export":
        exported = dict(one.split("=", 1) for one in rest if ASSIGNMENT.fullmatch(one))
        found.environment = found.environment | exported if command.literal else found.environment
    elif word in _SOURCING and rest and os.path.basename(rest[0]) == "activate":
        found.programs = os.path.join(found.folder, os.path.dirname(rest[0]))
    return found
