"""What a worker has imported, and what of it can be preloaded; pure, but for the list that is kept on disk.

The list is kept between runs as names alone, in the user's cache folder, so that even the first start of a
day can preload while the worker boots. No value of any variable is kept.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from reloader.fingerprint import fingerprint
from reloader.running.warm.stamps import is_installed

# Whoever imports one of these replaces parts of the standard library before anything else uses them.
PATCHING = ("gevent.monkey", "eventlet.patcher")


class Record(NamedTuple):
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

    def grown_by(self, other: Record) -> Record:
        """This and what another generation has told later."""
        places = {**self.places, **other.places}
        return Record(
            _both(self.imported, other.imported),
            places,
            tuple(name for name in _both(self.missing, other.missing) if name not in places),
            _both(self.path, other.path),
            _both(self.changed, other.changed),
            _both(self.standard, other.standard),
        )


def _both(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *new)))


def read(data: bytes) -> Record:
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
    return Record(tuple(told["i"]), places, missing, *(tuple(told[kind]) for kind in "pes"))


def preloadable(record: Record, program: Sequence[str], folders: Sequence[str]) -> dict[str, tuple[str, ...]]:
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


def program_folders(record: Record, folder: str) -> list[str]:
    """Where the program looks for modules that are its own; it runs in the folder."""
    places = [os.path.join(folder, place) for place in record.path]
    return [place for place in places if not is_installed((place,), (), record.standard)]


def own_places(record: Record) -> dict[str, tuple[str, ...]]:
    """Where those modules were found that are not installed, but of somebody's own."""
    return {
        name: found for name, found in record.places.items() if not is_installed(found, (), record.standard)
    }


def why_never(record: Record) -> str | None:
    """Why a worker that imports this is never started warm; None where it can be."""
    for name in PATCHING:
        if name in record.imported:
            return f"{name.partition('.')[0]} patches the standard library"
    return None


# What says which packages are to be installed, for whom a runner in front of the worker may look first.
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pyproject.toml", ".python-version")
# From where something in front of the worker may take its variables.
_VARIABLES = (".env", ".env.local", ".envrc", "mise.toml", ".mise.toml", ".tool-versions")
_SOURCED = re.compile(r"(?:^|[\s;&|({])(?:\.|source)\s+([^\s;&|]+)")


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


class Kept(NamedTuple):
    """What is kept between runs."""

    record: Record = Record()
    left_out: Mapping[str, str] = {}
    """Why each of these is not preloaded."""


def load(path: str) -> Kept:
    """What was kept in the file; nothing where there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = json.load(file)
        imported, places, *others = found["record"]
        record = Record(
            tuple(imported),
            {name: tuple(places[name]) for name in places},
            *map(tuple, others),
        )
        return Kept(record, dict(found["left_out"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Kept()


def save(path: str, kept: Kept) -> None:
    """Keep it in the file, for its owner alone; it is no fault where that cannot be."""
    _write(path, {"record": kept.record, "left_out": dict(kept.left_out)})


def _write(path: str, value: object) -> None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        new = f"{path}.{os.getpid()}"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(new, path)
    except OSError:
        pass


def save_own(path: str, record: Record) -> None:
    """Keep what `reloader why` is asked about: where somebody's own modules were found, and what was not."""
    _write(path, {"places": own_places(record), "missing": sorted(record.missing)})


def load_own(path: str) -> Record:
    """What `save_own` has kept; nothing where there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = json.load(file)
        places = {str(name): tuple(map(str, where)) for name, where in found["places"].items()}
        return Record(places=places, missing=tuple(map(str, found["missing"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()


def path_for(
    program: Sequence[str], folder: str, environment: Mapping[str, str], kind: str = "preload"
) -> str:
    """Where what is kept of this program in this folder lies: `preload`, or `own`."""
    base = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", "/"), ".cache")
    key = "\0".join((*program, folder, environment.get("VIRTUAL_ENV", ""), environment.get("PATH", "")))
    return os.path.join(base, "reloader", f"{kind}-{fingerprint(os.fsencode(key))}.json")
