"""What a worker has imported, and what of it can be preloaded; pure, but for the list that is kept on disk.

The list is kept between runs as names alone, in the user's cache folder, so that even the first start of a
day can preload while the worker boots.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reloader.running.warm.preload import is_installed

# Whoever imports one of these replaces parts of the standard library before anything else uses them.
PATCHING = ("gevent.monkey", "eventlet.patcher")


class Record(NamedTuple):
    """What the recorder has told, in its order."""

    imported: tuple[str, ...]
    places: Mapping[str, tuple[str, ...]]
    """Where each module was found."""
    missing: frozenset[str]
    """What was looked for and not found."""


def read(data: bytes) -> Record:
    """Understand the recorder's lines; an unfinished last one does not count."""
    imported: dict[str, None] = {}
    places: dict[str, tuple[str, ...]] = {}
    missing: set[str] = set()
    for line in data.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        kind, _, rest = line.partition(" ")
        if kind == "i":
            imported[rest] = None
        elif kind == "m":
            missing.add(rest)
        elif kind == "f":
            name, *found = rest.split("\t")
            places[name] = tuple(found)
    return Record(tuple(imported), places, frozenset(missing - places.keys()))


def preloadable(record: Record, program: Sequence[str]) -> list[str]:
    """The installed modules that were imported, but what is run itself: that must not be there before."""
    runs = _run_as_main(program)
    return [
        name
        for name in record.imported
        if name != runs
        and not name.endswith("__main__")
        and (found := record.places.get(name)) is not None
        and is_installed(None, found)
    ]


def _run_as_main(program: Sequence[str]) -> str | None:
    for word, following in zip(program, (*program[1:], None), strict=True):
        if word == "-m":
            return following
        if word.startswith("-m"):
            return word[2:]
    return None


def why_never(record: Record) -> str | None:
    """Why a worker that imports this is never started warm; None where it can be."""
    for name in PATCHING:
        if name in record.imported:
            return f"{name.partition('.')[0]} patches the standard library"
    return None


class Kept(NamedTuple):
    """What is kept between runs."""

    names: tuple[str, ...] = ()
    left_out: Mapping[str, str] = {}
    """Why each of these is not preloaded."""


def load(path: str) -> Kept:
    """What was kept in the file; nothing where there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return Kept(tuple(map(str, found["names"])), dict(found["left_out"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Kept()


def save(path: str, kept: Kept) -> None:
    """Keep it in the file, for its owner alone; it is no fault where that cannot be."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        new = f"{path}.{os.getpid()}"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({"names": kept.names, "left_out": dict(kept.left_out)}, file)
        os.replace(new, path)
    except OSError:
        pass


def path_for(program: Sequence[str], folder: str, environment: Mapping[str, str]) -> str:
    """Where the list of this program in this folder is kept."""
    base = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", "/"), ".cache")
    key = "\0".join((*program, folder, environment.get("VIRTUAL_ENV", ""), environment.get("PATH", "")))
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
    return os.path.join(base, "reloader", f"preload-{digest}.json")
