"""What a worker has imported, and what of it can be preloaded.

It is kept between runs (see `kept`): even the first start of a day can preload while the worker boots.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from io import BufferedReader
from typing import NamedTuple

from reloader.common.lazy_pattern import lazy_pattern
from reloader.in_worker.staleness import is_installed

# Whoever imports one of these replaces parts of the standard library before anything else uses them.
PATCHING = ("gevent.monkey", "eventlet.patcher")


class ImportRecord(NamedTuple):
    """What the recorder has told, each in its order."""

    imported: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, ...]] = {}
    """Where each module was found."""
    missing: tuple[str, ...] = ()
    """What was looked for and not found."""
    path: tuple[str, ...] = ()
    """Where modules were looked for."""
    changed: tuple[str, ...] = ()
    """The variables of the environment that were set or changed."""
    standard: tuple[str, ...] = ()
    """Where the standard library lies."""

    def grown_by(self, other: ImportRecord) -> ImportRecord:
        """This and what another generation has told later."""
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
    """What one generation tells of its imports, while it tells it; to be read from any thread."""

    file: BufferedReader | None
    earlier: ImportRecord
    """What earlier generations have told: what a preloaded module has looked for was told by one of them."""

    def size(self) -> int:
        """Bytes told so far."""
        return 0 if self.file is None else os.fstat(self.file.fileno()).st_size

    def told(self) -> bytes:
        """The recorder's lines so far."""
        return b"" if self.file is None else os.pread(self.file.fileno(), self.size(), 0)

    def read(self) -> ImportRecord:
        """What has been imported so far, and what all generations have looked for and not found."""
        record = read(self.told())
        return record._replace(missing=self.earlier.grown_by(record).missing)

    def own_modules(self) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """Where its modules were found that are not installed, and the names that were not found."""
        record = self.read()
        return own_origins(record), record.missing


def _both(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *new)))


def read(data: bytes) -> ImportRecord:
    """Understand the recorder's lines; an unfinished last one does not count."""
    told: dict[str, dict[str, None]] = {kind: {} for kind in "impes"}
    places: dict[str, tuple[str, ...]] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        kind, _, rest = line.partition(" ")
        if kind == "f":
            name, *found = rest.split("\t")
            places[name] = tuple(found)
        elif kind in told:
            told[kind][rest] = None
    missing = tuple(name for name in told["m"] if name not in places)
    return ImportRecord(tuple(told["i"]), places, missing, *(tuple(told[kind]) for kind in "pes"))


def preloadable(
    record: ImportRecord, program: Sequence[str], folders: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The installed modules that were imported, and where they were found; the folders are the tree's.

    In the order in which their imports began: one that imports another in a circle, or catches its failure,
    must come before that as it did then. What is run itself must not be there before.
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
    """Where the program looks for modules that are its own; it runs in the folder."""
    places = [os.path.join(folder, place) for place in record.path]
    return [place for place in places if not is_installed((place,), (), record.standard)]


def own_origins(record: ImportRecord) -> dict[str, tuple[str, ...]]:
    """Where those modules were found that are not installed, but of somebody's own."""
    return {
        name: found for name, found in record.places.items() if not is_installed(found, (), record.standard)
    }


def why_never(record: ImportRecord) -> str | None:
    """Why a worker that imports this is never started warm; None where it can be."""
    for name in PATCHING:
        if name in record.imported:
            return f"{name.partition('.')[0]} patches the standard library"
    return None


# What says which packages are to be installed, for whom a runner in front of the worker may look first.
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pyproject.toml", ".python-version")
# From where something in front of the worker may take its variables.
_VARIABLES = (".env", ".env.local", ".envrc", "mise.toml", ".mise.toml", ".tool-versions")
_SOURCED = lazy_pattern(r"(?:^|[\s;&|({])(?:\.|source)\s+([^\s;&|]+)")


def deciding_files(command: Sequence[str], program: Sequence[str], folder: str) -> list[str]:
    """The files by which it is decided what runs the worker and with which packages, there or not."""
    found = []
    parent = folder
    is_last = list(command[len(command) - len(program) :]) == list(program)
    in_front = command[: len(command) - len(program)] if is_last else command
    # A shell runs these within itself: `source .venv/bin/activate && ...`.
    sourced = [name for word in in_front for name in _SOURCED.findall(word)]
    names = (*_LOCKS, *(_VARIABLES if in_front else ()), *sourced)
    while True:
        found += [os.path.join(parent, name) for name in names]
        if parent == os.path.dirname(parent):
            break
        parent = os.path.dirname(parent)
    try:
        lists = [one for one in os.listdir(folder) if one.startswith("requirements") and one.endswith(".txt")]
    except OSError:
        lists = []
    own = [os.path.join(folder, one) for one in (*sorted(lists), *in_front)]
    # A folder, as in `direnv exec .`, changes with every save.
    return [*found, *(path for path in own if not os.path.isdir(path))]
