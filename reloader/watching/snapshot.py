"""What differs between two snapshots, and what must go before changed Python files run again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from reloader.common.run_folder import absolute
from reloader.messages import events
from reloader.watching.folder import Stat
from reloader.watching.tree import Snapshot

# What follows the module's name: a cache tag and a level of optimization (PEP 488).
_CACHED = re.compile(r"\.[^.]+(?:\.opt-[^.]+)?\.pyc")


def compare(old: Snapshot, new: Snapshot) -> tuple[events.Change, ...]:
    """The differences, sorted by path. Folders that share one dict are equal without a look inside."""
    changes: list[events.Change] = []
    for folder in old.keys() | new.keys():
        before, after = old.get(folder), new.get(folder)
        if before is after:
            continue
        before, after = before or {}, after or {}
        for name in before.keys() | after.keys():
            if before.get(name) == after.get(name):
                continue
            kind = (
                events.Kind.ADDED
                if name not in before
                else events.Kind.DELETED
                if name not in after
                else events.Kind.CHANGED
            )
            changes.append(events.Change(os.path.join(folder, name), kind))
    return tuple(sorted(changes))


def seen(snapshot: Snapshot, path: str) -> Stat | None:
    """What the snapshot says of one file."""
    folder, name = os.path.split(path)
    return snapshot.get(folder, {}).get(name)


def accept(baseline: Snapshot, latest: Snapshot, path: str) -> None:
    """Let the baseline say of one file what the latest snapshot says."""
    folder, name = os.path.split(path)
    files = {other: stat for other, stat in baseline.get(folder, {}).items() if other != name}
    now = seen(latest, path)
    baseline[folder] = files if now is None else {**files, name: now}


def adopt(old: Snapshot, new: Snapshot, recent: AbstractSet[str], noted: Stat | None = None) -> Snapshot:
    """The old snapshot by the rules of the new one.

    What counts only now was there before all the same, unless its status changed since (`recent`): then
    it is taken down as `noted`, or not at all. What counts no longer can no longer differ.
    """
    if not old and not recent:
        return dict(new)
    adopted: Snapshot = {}
    for folder, files in new.items():
        before = old.get(folder, {})
        came = {
            name: noted if os.path.join(folder, name) in recent else seen
            for name, seen in files.items()
            if name not in before
        }
        adopted[folder] = {name: seen for name, seen in came.items() if seen is not None}
        adopted[folder] |= {name: before[name] for name in files if name in before}
        if adopted[folder] == files:
            adopted[folder] = files
    for folder, files in old.items():
        gone = {
            name: seen
            for name, seen in files.items()
            if name not in new.get(folder, {}) and not os.path.lexists(os.path.join(folder, name))
        }
        if gone:
            adopted[folder] = adopted.get(folder, {}) | gone
    return adopted


def remove_cached_bytecode(changes: Iterable[events.Change], places: Iterable[str]) -> None:
    """Remove what Python has cached of these files, which lie in these places; no link leads out of them.

    A .pyc is taken as fresh when the whole second of its source's modification time and its size are
    the same (PEP 552): after two saves within a second Python may run the first. Nothing tells which
    of them a .pyc was compiled from, so it goes whenever its source has changed.
    """
    known = [os.path.realpath(place) for place in places]
    caches: dict[str, list[str]] = {}
    for change in changes:
        folder, name = os.path.split(change.path)
        stem, extension = os.path.splitext(name)
        if extension != ".py":
            continue
        if folder not in caches:
            caches[folder] = _cache_folders(folder, known)
        for cache in caches[folder]:
            _remove_of(cache, stem)


def _cache_folders(folder: str, places: Sequence[str]) -> list[str]:
    """Where Python may have cached what lies in the folder, as real paths."""
    real = os.path.realpath(folder)
    found = [os.path.join(real, "__pycache__")] if _is_within(real, places) else []
    prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    if prefix:
        below = os.path.realpath(absolute(prefix))
        mirrored = os.path.realpath(os.path.join(below, folder.lstrip(os.sep)))
        found += [mirrored] if _is_within(mirrored, [below]) else []
    return found


def _is_within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(os.path.join(place, "")) for place in places)


def _remove_of(cache: str, stem: str) -> None:
    try:
        folder = os.open(cache, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # nothing is cached, or behind a link
    try:
        for name in os.listdir(folder):
            if name.startswith(stem + ".") and _CACHED.fullmatch(name, len(stem)):
                with suppress(OSError):  # gone already, or in a place that only others write
                    os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # not for us to read
    finally:
        os.close(folder)
