"""What a worker has imported, and which of it can be preloaded.

It is kept between runs (cache.py), so that a template can be built while the first worker starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from io import BufferedReader
from typing import NamedTuple

from reloader.common.files import upwards
from reloader.common.lazy_pattern import lazy_pattern
from reloader.in_worker.staleness import is_installed

# Modules that replace parts of the standard library, which must happen before anything else uses them.
PATCHING = ("gevent.monkey", "eventlet.patcher")


class ImportRecord(NamedTuple):
    """What the recorder (in_worker/bootstrap.py) has written, each part in its order."""

    imported: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, ...]] = {}
    """Where each module was found."""
    missing: tuple[str, ...] = ()
    """The names that were looked for and not found."""
    path: tuple[str, ...] = ()
    """The entries of sys.path."""
    changed: tuple[str, ...] = ()
    """The variables of the environment that were set or changed."""
    standard: tuple[str, ...] = ()
    """The folders of the standard library."""

    def grown_by(self, other: ImportRecord) -> ImportRecord:
        """This record and the one of a later generation, joined."""
        places = {**self.places, **other.places}
        return ImportRecord(
            _both(self.imported, other.imported),
            places,
            tuple(name for name in _both(self.missing, other.missing) if name not in places),
            _both(self.path, other.path),
            _both(self.changed, other.changed),
            _both(self.standard, other.standard),
        )


class Recording(NamedTuple):
    """The recorder's file of one generation, which grows while the worker runs. Read from any thread."""

    file: BufferedReader | None
    earlier: ImportRecord
    """The record of earlier generations: names that preloaded modules have looked for are only in there."""

    def size(self) -> int:
        """The size of the file, in bytes."""
        return 0 if self.file is None else os.fstat(self.file.fileno()).st_size

    def own_record(self) -> ImportRecord:
        """The record of this generation alone, so far."""
        return read(b"" if self.file is None else os.pread(self.file.fileno(), self.size(), 0))

    def read(self) -> ImportRecord:
        """The record of this generation so far, with the missing names of all generations."""
        record = self.own_record()
        return record._replace(missing=self.earlier.grown_by(record).missing)

    def own_modules(self) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """Where modules that are not installed were found, and the names that were not found."""
        record = self.read()
        return own_origins(record), record.missing

    def writes(self) -> frozenset[str] | None:
        """The real paths of what it has written, moved or removed; None where that is not noted."""
        data = b"" if self.file is None else os.pread(self.file.fileno(), self.size(), 0)
        written = [line[2:] for line in data.split(b"\n")[:-1] if line.startswith(b"w ")]
        return frozenset(os.path.realpath(os.fsdecode(path)) for path in written if path) if written else None


def _both(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *new)))


def read(data: bytes) -> ImportRecord:
    """Parse the recorder's lines, without the last one if that is unfinished."""
    values: dict[str, dict[str, None]] = {kind: {} for kind in "impes"}
    places: dict[str, tuple[str, ...]] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        kind, _, rest = line.partition(" ")
        if kind == "f":
            name, *found = rest.split("\t")
            places[name] = tuple(found)
        elif kind in values:
            values[kind][rest] = None
    missing = tuple(name for name in values["m"] if name not in places)
    return ImportRecord(tuple(values["i"]), places, missing, *(tuple(values[kind]) for kind in "pes"))


def preloadable(
    record: ImportRecord, program: Sequence[str], folders: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The installed modules that were imported, and where they were found; `folders` are the watched ones.

    They are in the order in which their imports began: a module that imports another in a circle, or catches
    the failure of its import, must come before it again. The module that the program runs (`-m`) is left out.
    """
    runs = _run_as_main(program)
    imported = frozenset(record.imported)
    return {
        name: places
        for name, places in record.places.items()
        if name in imported
        and name != runs
        and not name.endswith("__main__")
        and is_installed(places, folders, record.standard)
    }


def _run_as_main(program: Sequence[str]) -> str | None:
    for word, following in zip(program, (*program[1:], None), strict=True):
        if word == "-m":
            return following
        if word.startswith("-m"):
            return word[2:]
    return None


def program_folders(record: ImportRecord, folder: str) -> list[str]:
    """The entries of sys.path with the program's own modules; relative ones are below `folder`."""
    places = [os.path.join(folder, place) for place in record.path]
    return [place for place in places if not is_installed((place,), (), record.standard)]


def own_origins(record: ImportRecord) -> dict[str, tuple[str, ...]]:
    """Where the modules that are not installed were found."""
    return {
        name: found for name, found in record.places.items() if not is_installed(found, (), record.standard)
    }


def why_never(record: ImportRecord) -> str | None:
    """Why a worker with these imports can never be started warm; None where it can."""
    for name in PATCHING:
        if name in record.imported:
            return f"{name.partition('.')[0]} patches the standard library"
    return None


# Files that say which packages are to be installed; a runner in front of the worker may install them first.
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pyproject.toml", ".python-version")
# Files that a program in front of the worker may read variables from.
_VARIABLES = (".env", ".env.local", ".envrc", "mise.toml", ".mise.toml", ".tool-versions")
_SOURCED = lazy_pattern(r"(?:^|[\s;&|({])(?:\.|source)\s+([^\s;&|]+)")


def deciding_files(command: Sequence[str], program: Sequence[str], folder: str) -> list[str]:
    """The files that decide which interpreter and packages run the worker, whether they exist or not."""
    is_last = list(command[len(command) - len(program) :]) == list(program)
    in_front = command[: len(command) - len(program)] if is_last else command
    # A shell runs these within itself: `source .venv/bin/activate && ...`.
    sourced = [name for word in in_front for name in _SOURCED.findall(word)]
    names = (*_LOCKS, *(_VARIABLES if in_front else ()), *sourced)
    found = [os.path.join(parent, name) for parent in upwards(folder) for name in names]
    try:
        lists = [one for one in os.listdir(folder) if one.startswith("requirements") and one.endswith(".txt")]
    except OSError:
        lists = []
    own = [os.path.join(folder, one) for one in (*sorted(lists), *in_front)]
    # Not folders, as in `direnv exec .`, which change with every save.
    return [*found, *(path for path in own if not os.path.isdir(path))]
