"""The system's file events, from watchfiles: one watch for every folder, never recursive.

watchfiles' own `watch` and `awatch` watch whole trees, which would cost a watch for every ignored folder and
wake up for all that happens there, and the set of folders cannot change. So its RustNotify is used, as
they use it. It is made anew for every set of folders, which takes 12 microseconds a folder (no other thread
runs meanwhile), and the old one is asked a last time, so that nothing is missed in between.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any, Protocol

Place = tuple[str, int, int]
"""The path of a folder or file, its device and its inode: one made anew at the same path is another one."""

# RustNotify wakes up once a step, in milliseconds, and tells a change that is one to two steps old. The quiet
# period counts from the change itself and hides most of that.
STEP = 30
# For so long, in milliseconds, a RustNotify that is replaced is asked for its last events. A thread of its
# own reads them, which a busy machine lets run late; what comes later still is found without a hint.
LAST = 50
# While changes never pause, they are told this often, in milliseconds.
GATHER = 200
# More paths than this at once may be what is left of a full queue, which watchfiles does not tell.
SUSPICIOUS = 4096
# A RustNotify that is closed gives its watches back after one of these times, in seconds.
RELEASE = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
_LIMIT = "the watch limit is reached"
# So many watches are made on one processor.
MANY = 500
_THREADS = "/proc/self/task"
# How RustNotify numbers what happened.
_ADDED, _DELETED = 1, 3


class WatchRefusedError(Exception):
    """Some folders cannot be watched, for the reason that is the text; `added` are those newly watched."""

    def __init__(self, reason: str, added: set[str]) -> None:
        super().__init__(reason)
        self.added = added


class _Notify(Protocol):
    """What is used of watchfiles' RustNotify."""

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: threading.Event | None
    ) -> set[tuple[int, str]] | str:
        """The next changes, or why there are none: "timeout", "stop" or "signal"."""

    def close(self) -> None:
        """Give the watches back."""


class EventSource:
    """Events of exactly the folders that were asked for last. Raises OSError when there can be none."""

    def __init__(self) -> None:
        self._make_notify = _load()
        self._stop = threading.Event()
        self._notify: _Notify | None = None
        self._held: frozenset[Place] = frozenset()
        self._paths: set[str] = set()
        self._same: dict[str, list[str]] = {}
        """Other paths of a watched folder: the system knows one watch for it, and tells one path."""
        self._rest: set[str] = set()
        self._missed = False
        self.is_stale = False
        """A watched folder came or went, and its watch with it: `watch` must be called again."""
        self.has_failed = False
        """watchfiles met a name that is not UTF-8 and tells nothing more: `watch` must be called again."""

    def watch(self, wanted: frozenset[Place]) -> set[str]:
        """Watch exactly these folders; returns those whose watch is new.

        A folder that is not there (any more) is watched as soon as it comes back. Raises WatchRefusedError
        when some cannot be watched; OSError when none can.
        """
        self.is_stale = self.has_failed = False
        self._paths = {path for path, _, _ in wanted}
        by_identity: dict[tuple[int, int], list[str]] = {}
        for path, device, inode in sorted(wanted):
            by_identity.setdefault((device, inode), []).append(path)
        same = {paths[0]: paths[1:] for paths in by_identity.values() if len(paths) > 1}
        # Those above come first: were there too few watches, these tell the most.
        first = [paths[0] for paths in by_identity.values()]
        renewed, watched, reason = self._make(first)
        old, self._notify, self._same = self._notify, renewed, same
        if old is not None:
            # Events up to the moment the new one stood are in the old one.
            with suppress(Exception):
                self._rest |= self._told(old.watch(1, 1, LAST, None))
            old.close()
        if old is not None and reason == _LIMIT:
            # Both together were too many. What happens until the next one stands is told by none.
            self._missed = True
            for pause in RELEASE:
                self._notify.close()
                time.sleep(pause)
                self._notify, watched, reason = self._make(first)
                if reason != _LIMIT:
                    break
        held = frozenset(
            (path, *identity)
            for identity, paths in by_identity.items()
            if paths[0] in watched
            for path in paths
        )
        added = {path for path, _, _ in held - self._held}
        self._held = held
        if reason:
            raise WatchRefusedError(reason, added)
        return added

    def _make(self, paths: list[str]) -> tuple[_Notify, set[str], str]:
        """One that watches these folders, those that it does watch, and why it does not watch others."""
        reason = ""
        encodable = [path for path in paths if _is_utf8(path)]
        if len(encodable) < len(paths):
            paths, reason = encodable, "there are folders whose names are not UTF-8"
        while True:
            try:
                with _on_one_processor(len(paths)):
                    return self._make_notify(paths, False, False, 0, False, False), set(paths), reason
            except Exception as error:
                text = str(error)
                if "watch limit" in text:
                    paths, reason = _before_refused(paths, text), _LIMIT
                    continue
                # Folders come and go, and what cannot be read is told by those who list it.
                usable = [path for path in paths if os.access(path, os.R_OK)]
                if len(usable) == len(paths):
                    raise _as_os_error(text) from error
                paths = usable

    def wait(self, timeout: float | None) -> set[str] | None:
        """The paths of the next events, of none after `timeout` seconds or when woken up; None: any path."""
        if self._missed:
            self._missed = False
            return None
        if self._rest:
            rest, self._rest = self._rest, set()
            return rest
        if self._notify is None:
            self._stop.wait(timeout)
            self._stop.clear()
            return set()
        try:
            raw = self._notify.watch(GATHER, STEP, int((timeout or 0) * 1000), self._stop)
        except Exception:
            self.is_stale = self.has_failed = True
            return None
        finally:
            self._stop.clear()
        if raw == "stop":
            # What it had gathered when it was woken up is dropped by it.
            self._missed = True
        if isinstance(raw, set):
            gone = {path for kind, path in raw if kind == _DELETED} & self._paths
            # Made anew a folder may have the same inode, and its watch is new all the same.
            self._held = frozenset(place for place in self._held if place[0] not in gone)
            self.is_stale = bool(gone) or any(kind == _ADDED and path in self._paths for kind, path in raw)
        touched = self._told(raw)
        return None if len(touched) > SUSPICIOUS else touched

    def _told(self, raw: set[tuple[int, str]] | str) -> set[str]:
        if not isinstance(raw, set):
            return set()
        paths = {path for _, path in raw}
        for path in list(paths) if self._same else ():
            folder, name = os.path.split(path)
            paths.update(os.path.join(other, name) for other in self._same.get(folder, ()))
        return paths

    def wake(self) -> None:
        """Let `wait` return; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Give the watches back to the system."""
        if self._notify is not None:
            self._notify.close()


@contextmanager
def _on_one_processor(count: int) -> Iterator[None]:
    """Keep this thread, and those that it starts, on one processor, where so many watches are worth that.

    RustNotify hands each folder to its thread and waits for the answer. For 20,000 folders that takes a
    quarter of the time where no other processor has to be woken up for it.
    """
    if sys.platform != "linux" or count < MANY:
        yield
        return
    try:
        before = os.sched_getaffinity(0)
        threads = set(os.listdir(_THREADS))
        os.sched_setaffinity(0, {min(before)})
    except OSError:
        yield  # a sandbox refuses it
        return
    try:
        yield
    finally:
        for thread in {"0", *os.listdir(_THREADS)} - threads:
            with suppress(OSError):
                os.sched_setaffinity(int(thread), before)


def _load() -> Any:
    """RustNotify, without what the package imports for its other users: anyio and asyncio cost 10 MB.

    Raises OSError when watchfiles is not there.
    """
    package = find_spec("watchfiles")
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec("_rust_notify", folders) if folders is not None else None
    if spec is None or spec.loader is None:
        raise OSError("watchfiles is not installed")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.RustNotify


def _before_refused(paths: list[str], text: str) -> list[str]:
    """The folders before the one that the error names; the first half where it names none of them."""
    refused = next((index for index, path in enumerate(paths) if f'"{path}"' in text), len(paths) // 2)
    return paths[:refused]


def _as_os_error(text: str) -> OSError:
    found = re.search(r"\(os error (\d+)\)", text)
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else OSError(text)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
