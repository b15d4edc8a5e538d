"""Tells from a command line whether the worker is a Python program, which preset fits, and its name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from reloader.common.files import read_start
from reloader.common.lazy_pattern import lazy_pattern
from reloader.common.run_folder import absolute
from reloader.messages.base import Message
from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS
from reloader.presets.unwrap import Unwrapped, python_target, unwrap
from reloader.presets.wrappers import SHELLS

_PYTHON = lazy_pattern(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?(?:\.exe)?")
# A word that names a Python interpreter, bare or in quotes, as some installers write it.
_PROGRAM = rb"(?:python|pypy)[\d.]*t?"
_NAMES_PYTHON = lazy_pattern(
    rb"\"((?:[^\"]*/)?%s)\"|'((?:[^']*/)?%s)'|(?<![^\s])((?:[^\s'\"]*/)?%s)(?![^\s])" % ((_PROGRAM,) * 3)
)
_PROJECT_PYTHON = os.path.join(".venv", "bin", "python")
# Programs whose first operand is the script that they run; the worker is named after that.
_INTERPRETERS = frozenset({"node", "nodejs", "bun", "deno", "tsx", "ts-node", "ruby", "perl", "php"})
# The name is the prefix of every line, so it must be short.
_LONGEST = 24
_EXTENSIONS = (".py", ".sh", ".exe", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php")


class Detected(Message):
    """What the command line tells about the worker."""

    name: str
    python: bool
    preset: Preset | None
    interpreter: str | None = None
    """The Python interpreter, if the command or the first line of a script names one."""
    arguments: tuple[str, ...] = ()
    """The arguments of the program."""
    environment: Mapping[str, str] = {}
    """The variables that the command sets for the worker."""
    words: tuple[str, ...] = ()
    """The command line of the worker's process, without the programs in front of it."""
    is_sure: bool = False
    """A process with these words is the worker; otherwise they may be of a program that hides it."""
    fits: bool = False
    """The words match the preset; otherwise the preset is only what the user has chosen."""
    folder: str = ""
    """The folder that it runs in, relative to where the command is run."""
    why_cold: str = ""
    """Why it cannot be started warm, because of what is in front of it."""
    no_overlap_reason: str = ""
    """Why two of it cannot run at once, because of what is in front of it."""
    is_alone: bool = True
    """No other command that may be the worker runs beside it."""
    scripts: tuple[str, ...] = ()
    """The files that it is started from, relative to where the command is run: a script or a binary."""


class _Program(Message):
    """The program that runs in the end."""

    name: str
    known_as: tuple[str, ...]
    """The names that a preset may have for it."""
    arguments: tuple[str, ...]

    @property
    def is_django(self) -> bool:
        """Whether a management command follows."""
        return not {"manage", "manage.py", "django-admin", "django"}.isdisjoint((self.name, *self.known_as))


def recognise(
    command: Sequence[str], presets: Sequence[Preset] = PRESETS, wanted: Preset | None = None
) -> Detected:
    """Look at the command after `--`, without running it.

    If presets match equally well, the first wins. The `wanted` preset needs no match.
    """
    found = [_look_at(inner, presets, wanted) for inner in unwrap(command)]
    fitting = [one for one in found if one.fits]
    best = (fitting or found)[0]
    name = _as_prefix(_stem(command[0]))
    if best.is_alone or len(fitting) == 1:
        return best if best.name else best.but(name=name)
    # Several commands run side by side, and nothing tells which is the worker.
    python = wanted is not None and bool(wanted.python)
    scripts = tuple(script for one in found for script in one.scripts)
    return Detected((wanted and wanted.name) or name, python, wanted, words=tuple(command), scripts=scripts)


def _look_at(inner: Unwrapped, presets: Sequence[Preset], wanted: Preset | None) -> Detected:
    if not inner.words:
        return Detected("", inner.python, wanted, is_alone=inner.is_alone)
    word, *rest = inner.words
    python = inner.python
    if _PYTHON.fullmatch(os.path.basename(word)):
        python = True
        program = _python_program(rest)
        kind, target, _ = python_target(rest)
        script = target if kind == "file" else None
    else:
        script = _script(word, rest, inner)
        python = python or word.endswith(".py") or _interpreter_of(word, inner) is not None
        program = _file(word, rest)
    preset = wanted or _best_match(program, presets)
    fits = preset is not None and _best_match(program, (preset,)) is not None
    is_sure = inner.is_known and (python or fits or program.name in _INTERPRETERS)
    name = (
        _stem(inner.task)
        or _name_of(program, python, preset.value_options if preset is not None else ())
        or _stem(word)
    )
    if preset is not None:
        name = preset.name or name
        python = python if preset.python is None else preset.python
    return Detected(
        _as_prefix(name),
        python,
        preset,
        _interpreter(inner),
        program.arguments,
        inner.environment,
        tuple(inner.process),
        is_sure,
        fits,
        inner.folder,
        inner.why_cold,
        inner.no_overlap_reason,
        inner.is_alone,
        (os.path.join(inner.folder, script),) if script else (),
    )


def _interpreter(inner: Unwrapped) -> str | None:
    """The Python interpreter that runs it, if that is known."""
    word = inner.process[0]
    found: str | None = word if _PYTHON.fullmatch(os.path.basename(word)) else _interpreter_of(word, inner)
    if inner.project and not os.path.isabs(found or ""):
        # Tools such as uv put the project's environment first in PATH; most keep it in `.venv`.
        inside = os.path.join(inner.folder, _PROJECT_PYTHON)
        return inside if os.path.exists(inside) else None
    if found is None or os.path.isabs(found):
        return found
    if os.path.dirname(found):
        return os.path.join(inner.folder, found)
    inside = os.path.join(inner.programs, found)
    return inside if inner.programs and os.path.exists(inside) else found


def _as_prefix(name: str) -> str:
    """The name in a form that can stand in front of every line."""
    name = "".join(char if char.isprintable() else "?" for char in name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _best_match(program: _Program, presets: Sequence[Preset]) -> Preset | None:
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
    operands = _operands(program.arguments, preset.value_options)
    return all(next(operands, None) == word for word in words[1:])


def _operands(arguments: Sequence[str], value_options: Sequence[str]) -> Iterator[str]:
    """The arguments that are neither options nor the values of options."""
    rest = iter(arguments)
    for word in rest:
        if word in value_options:
            next(rest, None)
        elif not word.startswith("-"):
            yield word


def _name_of(program: _Program, python: bool, value_options: Sequence[str]) -> str:
    is_command = program.is_django and (python or program.name != "django")
    if is_command or program.name in _INTERPRETERS | SHELLS:
        script = next(_operands(program.arguments, value_options), None)
        if script is not None and "-c" not in program.arguments:
            return _stem(script)
    return program.name


def _file(path: str, arguments: Sequence[str]) -> _Program:
    names = (os.path.basename(path).removesuffix(".exe"), os.path.normpath(path))
    return _Program(_stem(path), names, tuple(arguments))


def _python_program(arguments: Sequence[str]) -> _Program:
    """The program that the interpreter runs."""
    kind, target, rest = python_target(arguments)
    if kind == "file":
        return _file(target, rest)
    return _Program(target.rpartition(".")[2], (target,) if target else (), tuple(rest))


def _script(program: str, arguments: Sequence[str], inner: Unwrapped) -> str | None:
    """The file that the program runs, or that it is, relative to the worker's folder; None if not known."""
    name = os.path.basename(program)
    if name == "java":
        return next((word for option, word in pairwise(arguments) if option == "-jar"), None)
    if name in _INTERPRETERS | SHELLS:
        words = (word for word in arguments if not word.startswith("-"))
        return next((word for word in words if os.path.isfile(os.path.join(inner.folder, word))), None)
    return program if os.path.dirname(program) else _found(program, inner)


def _found(program: str, inner: Unwrapped) -> str | None:
    """The path at which a bare name is found."""
    import shutil

    folders = os.environ.get("PATH", os.defpath)
    return shutil.which(program, path=os.pathsep.join(filter(None, (inner.programs, folders))))


def _interpreter_of(program: str, inner: Unwrapped) -> str | None:
    """The Python interpreter that the script's first line names; None if it is no Python script."""
    path = os.path.join(inner.folder, program) if os.path.dirname(program) else _found(program, inner)
    try:
        start = read_start(path or "", 1024)
    except OSError:
        return None
    first, _, rest = start.partition(b"\n")
    if not first.startswith(b"#!"):
        return None
    # If the interpreter's path is too long or has spaces, installers write lines for sh that are a string
    # for Python.
    second = rest.partition(b"\n")[0]
    header = second.removeprefix(b"'''exec'") if second.startswith(b"'''exec'") else b""
    found = _NAMES_PYTHON.search(first[2:]) or _NAMES_PYTHON.search(header)
    return os.fsdecode(next(word for word in found.groups() if word)) if found is not None else None


def _stem(program: str) -> str:
    base = os.path.basename(program.rstrip("/"))
    stem, extension = os.path.splitext(base)
    if stem == "__main__":
        return os.path.basename(os.path.dirname(absolute(program)))
    return stem if extension in _EXTENSIONS else base
