"""What a command line is: a Python program or not, which known worker, and how to call it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS
from reloader.presets.wrappers import PYTHON_VALUES, unwrap

_PYTHON = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?(?:\.exe)?")
# The word that names a Python interpreter: in quotes, where installers write it so, or bare.
_PROGRAM = rb"(?:python|pypy)[\d.]*t?"
_NAMES_PYTHON = re.compile(
    rb"\"((?:[^\"]*/)?%s)\"|'((?:[^']*/)?%s)'|(?<![^\s])((?:[^\s'\"]*/)?%s)(?![^\s])" % ((_PROGRAM,) * 3)
)
_PROJECT_PYTHON = os.path.join(".venv", "bin", "python")
# Programs whose first word is the script that they run; its name says more than theirs.
_INTERPRETERS = frozenset(
    {"node", "nodejs", "bun", "deno", "tsx", "ts-node", "ruby", "perl", "php"} | {"sh", "bash", "dash", "zsh"}
)
_EXTENSIONS = (".py", ".sh", ".exe", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php")


class Recognised(NamedTuple):
    """What could be told from the command alone."""

    name: str
    python: bool
    preset: Preset | None
    interpreter: str | None = None
    """The program that interprets it, where the command or a first line of a script names one."""
    arguments: tuple[str, ...] = ()
    """What follows the program."""
    environment: Mapping[str, str] = {}
    """Variables that the command sets for itself."""
    words: tuple[str, ...] = ()
    """The program and its arguments, without what stands in front of them."""
    fits: bool = False
    """These are of the preset's program; else the user has said only that this is run in the end."""


class _Program(NamedTuple):
    """What is run in the end."""

    name: str
    known_as: tuple[str, ...]
    """The names by which a preset may call it."""
    arguments: tuple[str, ...]

    @property
    def is_django(self) -> bool:
        """Whether a management command follows."""
        return not {"manage", "manage.py", "django-admin", "django"}.isdisjoint((self.name, *self.known_as))


def recognise(
    command: Sequence[str], presets: Sequence[Preset] = PRESETS, wanted: Preset | None = None
) -> Recognised:
    """Look at a command as given after `--`; nothing is run.

    Of presets that match equally well the first is taken; the wanted one needs no match.
    """
    inner = unwrap(command)
    if not inner.words:
        return Recognised(_stem(command[0]), inner.python, wanted)
    word, *rest = inner.words
    python = inner.python
    interpreter: str | None
    if _PYTHON.fullmatch(os.path.basename(word)):
        python, interpreter = True, word
        program = _python_program(rest)
    else:
        interpreter = _interpreter_of(word)
        python = python or word.endswith(".py") or interpreter is not None
        program = _file(word, rest)
    if inner.project and not os.path.isabs(interpreter or ""):
        # The runner puts its own environment first; most keep it in the project.
        interpreter = _PROJECT_PYTHON if os.path.exists(_PROJECT_PYTHON) else None
    preset = wanted or _known(program, presets)
    name = _name_of(program, python, preset.valued if preset is not None else ()) or _stem(word)
    if preset is not None:
        name = preset.name or name
        python = python if preset.python is None else preset.python
    return Recognised(
        name,
        python,
        preset,
        interpreter,
        program.arguments,
        inner.environment,
        tuple(inner.words),
        preset is not None and _known(program, (preset,)) is not None,
    )


def _known(program: _Program, presets: Sequence[Preset]) -> Preset | None:
    """The preset that matches with the most words."""
    best: tuple[int, Preset | None] = (0, None)
    for preset in presets:
        for pattern in preset.match:
            words = pattern.split()
            if len(words) > best[0] and _matches(program, words, preset):
                best = (len(words), preset)
    return best[1]


def _matches(program: _Program, words: Sequence[str], preset: Preset) -> bool:
    if words[0] not in (("manage.py",) if program.is_django else program.known_as):
        return False
    operands = _operands(program.arguments, preset.valued)
    return all(next(operands, None) == word for word in words[1:])


def _operands(arguments: Sequence[str], valued: Sequence[str]) -> Iterator[str]:
    """The arguments that are no options, nor values of those."""
    rest = iter(arguments)
    for word in rest:
        if word in valued:
            next(rest, None)
        elif not word.startswith("-"):
            yield word


def _name_of(program: _Program, python: bool, valued: Sequence[str]) -> str:
    is_command = program.is_django and (python or program.name != "django")
    if is_command or program.name in _INTERPRETERS:
        script = next(_operands(program.arguments, valued), None)
        if script is not None and "-c" not in program.arguments:
            return _stem(script)
    return program.name


def _file(path: str, arguments: Sequence[str]) -> _Program:
    names = (os.path.basename(path).removesuffix(".exe"), os.path.normpath(path))
    return _Program(_stem(path), names, tuple(arguments))


def _python_program(arguments: Sequence[str]) -> _Program:
    """What the interpreter runs."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("-m") and (word != "-m" or rest):
            module = (word[2:] or rest.pop(0)).removesuffix(".__main__")
            return _Program(module.rpartition(".")[2], (module,), tuple(rest))
        if word.startswith("-c"):
            break
        if word in PYTHON_VALUES:
            del rest[:1]
        elif word == "-" or not word.startswith("-"):
            return _Program("", (), tuple(rest)) if word == "-" else _file(word, rest)
    return _Program("", (), ())


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
    return stem if extension in _EXTENSIONS else base
