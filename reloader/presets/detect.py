"""What a command line is: a Python program or not, which known worker, and how to call it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from reloader.common.files import read_start
from reloader.common.lazy_pattern import lazy_pattern
from reloader.common.run_folder import absolute
from reloader.messages.base import Message
from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS
from reloader.presets.unwrap import Unwrapped, unwrap
from reloader.presets.wrappers import PYTHON_VALUES, SHELLS

_PYTHON = lazy_pattern(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?(?:\.exe)?")
# The word that names a Python interpreter: in quotes, where installers write it so, or bare.
_PROGRAM = rb"(?:python|pypy)[\d.]*t?"
_NAMES_PYTHON = lazy_pattern(
    rb"\"((?:[^\"]*/)?%s)\"|'((?:[^']*/)?%s)'|(?<![^\s])((?:[^\s'\"]*/)?%s)(?![^\s])" % ((_PROGRAM,) * 3)
)
_PROJECT_PYTHON = os.path.join(".venv", "bin", "python")
# Programs whose first word is the script that they run; its name says more than theirs.
_INTERPRETERS = frozenset({"node", "nodejs", "bun", "deno", "tsx", "ts-node", "ruby", "perl", "php"})
# A name is the prefix of every line.
_LONGEST = 24
_EXTENSIONS = (".py", ".sh", ".exe", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php")


class Detected(Message):
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
    """The command line of the worker's process, without what stands in front of that."""
    is_sure: bool = False
    """A process with these words is the worker; else they may be of something that hides it."""
    fits: bool = False
    """These are of the preset's program; else the user has said only that this is run in the end."""
    folder: str = ""
    """Where it runs, seen from where the command is run."""
    why_cold: str = ""
    """Why it cannot be started warm, where what stands in front of it is why."""
    apart: str = ""
    """Why two of it cannot be there at once, where what stands in front of it is why."""
    is_alone: bool = True
    """Nothing else runs beside it that may be the worker as well."""


class _Program(Message):
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
) -> Detected:
    """Look at a command as given after `--`; nothing is run.

    Of presets that match equally well the first is taken; the wanted one needs no match.
    """
    found = [_look_at(inner, presets, wanted) for inner in unwrap(command)]
    fitting = [one for one in found if one.fits]
    best = (fitting or found)[0]
    if not best.is_alone and len(fitting) != 1:
        return _several(command, wanted)
    return best if best.name else best.but(name=_shown(_stem(command[0])))


def _several(command: Sequence[str], wanted: Preset | None) -> Detected:
    """Of what runs side by side nothing is known to be the worker."""
    python = wanted is not None and bool(wanted.python)
    name = wanted.name if wanted is not None else ""
    return Detected(name or _shown(_stem(command[0])), python, wanted, words=tuple(command))


def _look_at(inner: Unwrapped, presets: Sequence[Preset], wanted: Preset | None) -> Detected:
    if not inner.words:
        return Detected("", inner.python, wanted, is_alone=inner.is_alone)
    word, *rest = inner.words
    python = inner.python
    if _PYTHON.fullmatch(os.path.basename(word)):
        python = True
        program = _python_program(rest)
    else:
        python = python or word.endswith(".py") or _interpreter_of(word, inner) is not None
        program = _file(word, rest)
    preset = wanted or _known(program, presets)
    fits = preset is not None and _known(program, (preset,)) is not None
    is_sure = inner.is_known and (python or fits or program.name in _INTERPRETERS)
    name = (
        _stem(inner.task)
        or _name_of(program, python, preset.valued if preset is not None else ())
        or _stem(word)
    )
    if preset is not None:
        name = preset.name or name
        python = python if preset.python is None else preset.python
    return Detected(
        _shown(name),
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
        inner.apart,
        inner.is_alone,
    )


def _interpreter(inner: Unwrapped) -> str | None:
    """The Python that interprets it, where that can be told."""
    word = inner.process[0]
    found: str | None = word if _PYTHON.fullmatch(os.path.basename(word)) else _interpreter_of(word, inner)
    if inner.project and not os.path.isabs(found or ""):
        # The runner puts its own environment first; most keep it in the project.
        inside = os.path.join(inner.folder, _PROJECT_PYTHON)
        return inside if os.path.exists(inside) else None
    if found is None or os.path.isabs(found):
        return found
    if os.path.dirname(found):
        return os.path.join(inner.folder, found)
    inside = os.path.join(inner.programs, found)
    return inside if inner.programs and os.path.exists(inside) else found


def _shown(name: str) -> str:
    """As it can stand in front of every line."""
    name = "".join(char if char.isprintable() else "?" for char in name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


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
    if is_command or program.name in _INTERPRETERS | SHELLS:
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


def _interpreter_of(program: str, inner: Unwrapped) -> str | None:
    """The Python interpreter that the first line of the script names; None if it is no such script."""
    path = os.path.join(inner.folder, program)
    if not os.path.dirname(program):
        import shutil

        places = os.environ.get("PATH", os.defpath)
        path = shutil.which(program, path=os.pathsep.join(filter(None, (inner.programs, places)))) or ""
    try:
        start = read_start(path, 1024)
    except OSError:
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
        return os.path.basename(os.path.dirname(absolute(program)))
    return stem if extension in _EXTENSIONS else base
