"""Programs that run another one: which words are theirs, and where the other's begin. Nothing is run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
# What makes more of a shell's text than one simple command, and tokens that do.
_NOT_SIMPLE = re.compile(r"[`\n]|\$\(|\\$")
_OPERATORS = "();<>|&"
# Options of Python's that take a value of their own.
PYTHON_VALUES = frozenset({"-W", "-X", "--check-hash-based-pycs"})


class Wrapper(NamedTuple):
    """A program that runs another one, whose command line follows its own words and options."""

    valued: frozenset[str] = frozenset()
    """Its options that take a value of their own."""
    project: bool = False
    """It sets up the Python environment of a project first."""
    dashes: bool = False
    """The command stands behind `--`, and nowhere else."""


def _wrapper(valued: str = "", *, project: bool = False, dashes: bool = False) -> Wrapper:
    return Wrapper(frozenset(valued.split()), project, dashes)


# By the words that begin it, the longest first where one begins with another.
WRAPPERS: Mapping[tuple[str, ...], Wrapper] = {
    ("env",): _wrapper("-u --unset -C --chdir"),
    ("exec",): _wrapper("-a"),
    ("nice",): _wrapper("-n --adjustment"),
    ("ionice",): _wrapper("-c --class -n --classdata"),
    ("chrt",): _wrapper(),
    ("time",): _wrapper("-f --format -o --output"),
    ("nohup",): _wrapper(),
    ("setsid",): _wrapper(),
    ("stdbuf",): _wrapper("-i --input -o --output -e --error"),
    ("uv", "run"): _wrapper(
        "--with --with-editable --with-requirements --extra --group --only-group --no-group --env-file "
        "--package --directory --project -p --python --index --default-index --refresh-package",
        project=True,
    ),
    ("poetry", "run"): _wrapper("-C --directory -P --project", project=True),
    ("pdm", "run"): _wrapper("-p --project", project=True),
    ("hatch", "run"): _wrapper(project=True),
    ("pipenv", "run"): _wrapper(project=True),
    ("rye", "run"): _wrapper(project=True),
    ("pixi", "run"): _wrapper("-e --environment --manifest-path", project=True),
    # These send Python on its way with something added.
    ("ddtrace-run",): _wrapper(),
    ("opentelemetry-instrument",): _wrapper(),
    ("newrelic-admin", "run-program"): _wrapper(),
    ("npx",): _wrapper("-p --package"),
    # Secrets and variables.
    ("dotenv", "run"): _wrapper(),
    ("dotenvx", "run"): _wrapper("-f --env-file", dashes=True),
    ("doppler", "run"): _wrapper(dashes=True),
    ("op", "run"): _wrapper(dashes=True),
    ("infisical", "run"): _wrapper(dashes=True),
    ("aws-vault", "exec"): _wrapper(dashes=True),
    ("chamber", "exec"): _wrapper(dashes=True),
    ("teller", "run"): _wrapper(dashes=True),
    ("direnv", "exec"): _wrapper(),
}
# Options that may stand between a wrapper's first word and its second.
_GLOBAL = {"dotenv": frozenset({"-f", "--file", "-q", "--quote", "-e", "--export"})}
# Words of its own, which come before the command.
_OPERANDS = {"chrt": 1, "direnv": 1}


class Unwrapped:
    """The command line that is run in the end, and what was on the way to it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.python = False
        """It is surely Python."""
        self.project = False
        """It runs in a project's own environment."""
        self.environment: dict[str, str] = {}
        """Variables that are set for it."""


def unwrap(command: Sequence[str]) -> Unwrapped:
    """Look through everything that runs something else."""
    found = Unwrapped(list(command))
    while found.words:
        name = os.path.basename(found.words[0])
        if name in _SHELLS:
            inner = _shell_command(found.words[1:])
            if inner is None:
                break
            found.words = inner
            continue
        taken = _wrapper_of(name, found.words)
        if taken is None:
            break
        wrapper, rest = taken
        found.project = found.project or wrapper.project
        if wrapper.dashes:
            if "--" not in rest:
                break
            found.words = rest[rest.index("--") + 1 :]
        else:
            _take_options(found, name, wrapper, rest)
    return found


def _wrapper_of(name: str, words: list[str]) -> tuple[Wrapper, list[str]] | None:
    rest = words[1:]
    while rest and rest[0].startswith("-") and name in _GLOBAL:
        rest = rest[2:] if rest[0] in _GLOBAL[name] else rest[1:]
    for length in (1, 0):
        wrapper = WRAPPERS.get((name, *rest[:length]))
        if wrapper is not None:
            return wrapper, rest[length:]
    return None


def _take_options(found: Unwrapped, name: str, wrapper: Wrapper, rest: list[str]) -> None:
    """Leave out the wrapper's options; what it sets and runs is noted in `found`."""
    module = False
    operands = _OPERANDS.get(name, 0)
    while rest:
        word = rest[0]
        if word in wrapper.valued:
            rest = rest[2:]
        elif name == "uv" and word in ("-m", "--module"):
            module = True
            rest = rest[1:]
        elif word == "--":
            rest = rest[1:]
            break
        elif _ASSIGNMENT.fullmatch(word) and not word.startswith("-"):
            variable, _, value = word.partition("=")
            found.environment[variable] = value
            rest = rest[1:]
        elif word.startswith("-"):
            rest = rest[1:]
        elif operands:
            operands -= 1
            rest = rest[1:]
        else:
            break
    found.words = ["python", "-m", *rest] if module else rest
    is_script = wrapper.project and bool(rest) and rest[0].endswith(".py")
    found.python = found.python or module or is_script


def _shell_command(arguments: list[str]) -> list[str] | None:
    """The words of `sh -c TEXT` where the text is one simple command; None where it is anything else."""
    rest = list(arguments)
    wanted = False
    while rest and rest[0][:1] in ("-", "+") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word in ("-o", "+o", "-O", "+O") and rest:
            rest.pop(0)
        elif not word.startswith("--"):
            wanted = wanted or "c" in word
    if not wanted or not rest or _NOT_SIMPLE.search(rest[0].strip()):
        return None
    lexer = shlex.shlex(rest[0], posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return None  # a quote is not closed
    if not words or any(word and not word.strip(_OPERATORS) for word in words):
        return None
    return ["env", *words] if _ASSIGNMENT.fullmatch(words[0]) else words
