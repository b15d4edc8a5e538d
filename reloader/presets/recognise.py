"""What a command line is: a Python program or not, which known worker, and how to call it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reloader.presets.table import PRESETS, Preset

_PYTHON = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?(?:\.exe)?")
# The word that names a Python interpreter: in quotes, where installers write it so, or bare.
_PROGRAM = rb"(?:python|pypy)[\d.]*t?"
_NAMES_PYTHON = re.compile(
    rb"\"((?:[^\"]*/)?%s)\"|'((?:[^']*/)?%s)'|(?<![^\s])((?:[^\s'\"]*/)?%s)(?![^\s])" % ((_PROGRAM,) * 3)
)
_PROJECT_PYTHON = os.path.join(".venv", "bin", "python")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
# Programs that run another one: the words before it, and the options that take a value.
_WRAPPERS: dict[tuple[str, ...], frozenset[str]] = {
    ("env",): frozenset({"-u", "--unset", "-C", "--chdir"}),
    ("exec",): frozenset(),
    ("nice",): frozenset({"-n", "--adjustment"}),
    ("time",): frozenset({"-f", "-o"}),
    ("uv", "run"): frozenset(
        {"--with", "--with-editable", "--with-requirements", "--extra", "--group", "--env-file", "--package"}
        | {"--directory", "--project", "-p", "--python"}
    ),
    ("poetry", "run"): frozenset({"-C", "--directory", "-P", "--project"}),
    ("pdm", "run"): frozenset({"-p", "--project"}),
    ("hatch", "run"): frozenset(),
    ("pipenv", "run"): frozenset(),
    ("rye", "run"): frozenset(),
}
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
# What a shell gives a meaning of its own; quotes and backslashes are understood as it does.
_SPECIAL = frozenset("$`;&|<>(){}*?[]~#!\n")
# Options of the interpreter that take a value of their own.
_PYTHON_VALUES = frozenset({"-W", "-X", "--check-hash-based-pycs"})
# Runners of one kind that set up nothing but a Python environment: what they run is Python unless told.
_OF_PYTHON = frozenset({"uv", "poetry", "pdm", "hatch", "pipenv", "rye"})


@dataclass(frozen=True)
class Recognised:
    """What could be told from the command alone."""

    name: str
    python: bool
    preset: Preset | None
    program: tuple[str, ...] = ()
    """The command without what stands in front of it."""
    interpreter: str | None = None
    """The program that interprets it, where the command or a first line of a script names one."""


def recognise(command: Sequence[str]) -> Recognised:
    """Look at a command as given after `--`; nothing is run."""
    inner, python, project = _unwrap(list(command))
    if not inner:
        return Recognised(_stem(command[0]), python, None, tuple(command))
    program = inner[0]
    arguments = inner[1:]
    interpreter: str | None = None
    if _PYTHON.fullmatch(os.path.basename(program)):
        python = True
        interpreter = program
        name, arguments = _python_target(arguments)
    else:
        interpreter = _interpreter_of(program)
        python = python or program.endswith(".py") or interpreter is not None
        name = _stem(program)
    if project and not os.path.isabs(interpreter or ""):
        # The runner puts its own environment first; most keep it in the project.
        interpreter = _PROJECT_PYTHON if os.path.exists(_PROJECT_PYTHON) else None
    if name == "manage" or (name in ("django-admin", "django") and python):
        verb = next((word for word in arguments if not word.startswith("-")), None)
        if verb is not None:
            preset = next((p for p in PRESETS if verb in p.verbs), None)
            return Recognised(verb, True, preset, tuple(inner), interpreter)
    return Recognised(name or _stem(program), python, None, tuple(inner), interpreter)


def _unwrap(words: list[str]) -> tuple[list[str], bool, bool]:
    """The command that wrappers such as `env` or `uv run` run in the end.

    With it: whether it is surely Python, and whether it runs in a project's own environment.
    """
    python = project = False
    while words:
        name = os.path.basename(words[0])
        wrapper = next((w for w in _WRAPPERS if (name, *words[1 : len(w)]) == w), None)
        if wrapper is None:
            inner = _executed_by_shell(words)
            if inner is None:
                break
            words = inner
            continue
        values = _WRAPPERS[wrapper]
        project = project or wrapper[0] in _OF_PYTHON
        rest = words[len(wrapper) :]
        module = False
        while rest:
            word = rest[0]
            if word in values:
                rest = rest[2:]
            elif wrapper[0] == "uv" and word in ("-m", "--module"):
                module = True
                rest = rest[1:]
            elif word == "--":
                rest = rest[1:]
                break
            elif word.startswith("-") or _ASSIGNMENT.fullmatch(word):
                rest = rest[1:]
            else:
                break
        words = ["python", "-m", *rest] if module else rest
        python = python or module or (wrapper[0] in _OF_PYTHON and bool(rest) and rest[0].endswith(".py"))
    return words, python, project


def _executed_by_shell(words: Sequence[str]) -> list[str] | None:
    """The one command that the shell becomes; None where it is no shell, stays, or does anything else."""
    if len(words) != 3 or os.path.basename(words[0]) not in _SHELLS or words[1] != "-c":
        return None
    if _SPECIAL.intersection(words[2]):
        return None
    import shlex

    try:
        inner = shlex.split(words[2])
    except ValueError:
        return None
    return inner[1:] if inner[:1] == ["exec"] and inner[1:] else None


def _python_target(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The name of what the interpreter runs, and the arguments after it."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("-m") and (word != "-m" or rest):
            module = word[2:] or rest.pop(0)
            return module.removesuffix(".__main__").rpartition(".")[2], rest
        if word.startswith("-c"):
            return "", []
        if word in _PYTHON_VALUES:
            del rest[:1]
        elif word == "-" or not word.startswith("-"):
            return ("" if word == "-" else _stem(word)), rest
    return "", []


def _interpreter_of(program: str) -> str | None:
    """The Python interpreter that the first line of the script names; None if it is no such script."""
    path = program
    if not os.path.dirname(program):
        import shutil

        path = shutil.which(program) or ""
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except (OSError, ValueError):
        return None
    first, _, rest = start.partition(b"\n")
    if not first.startswith(b"#!"):
        return None
    # Installers write a shell header, which is a string to Python, where the interpreter's path is too
    # long or has spaces.
    second = rest.partition(b"\n")[0]
    header = second.removeprefix(b"'''exec'") if second.startswith(b"'''exec'") else b""
    found = _NAMES_PYTHON.search(first[2:]) or _NAMES_PYTHON.search(header)
    return os.fsdecode(next(word for word in found.groups() if word)) if found is not None else None


def _stem(program: str) -> str:
    base = os.path.basename(program.rstrip("/"))
    stem, extension = os.path.splitext(base)
    if stem == "__main__":
        return os.path.basename(os.path.dirname(os.path.abspath(program)))
    return stem if extension in (".py", ".sh", ".exe", ".js", ".rb", ".pl") else base
