"""The thread around watchfiles' RustNotify: the system's events become hints.

Every folder is watched by itself, never recursively, so that an ignored folder costs nothing. What an
event says is not relied upon; only that there was one, and where.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from reloader.events import Event, TreeTouched, WatchingFailed

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

# RustNotify wakes up once a step, in milliseconds, and tells a change that is one to two steps old. The
# quiet period counts from the change itself and hides most of that. Waking up is nearly all of what an
# idle supervisor costs: steps of 10 ms would take most of a percent of a core.
STEP = 32
# While changes never pause, they are told this often, in milliseconds.
GATHER = 200
IN_ATTRIB = 4  # inotify(7)
# More paths than this at once are not asked when they changed.
FEW = 100
# How often the tree is looked at, in seconds, while the system brings no events.
INTERVAL = 1.0
# A watch that fails at once again is not renewed more often than this, in seconds.
RENEWAL = 0.1


class Watcher:
    """Posts TreeTouched for events at paths of which `may_count` is true."""

    def __init__(self, may_count: Callable[[str], bool], post: Callable[[Event], None]) -> None:
        self._may_count = may_count
        self._post = post
        self._wanted: frozenset[tuple[str, int, int]] = frozenset()
        self._rearm = threading.Event()
        self._closed = False
        self._failing = False

    # --- from other threads -----------------------------------------------------------------------

    def watch(self, folders: frozenset[tuple[str, int, int]]) -> None:
        """Watch exactly these folders from now on."""
        self._wanted = folders
        self._rearm.set()

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self._rearm.set()

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed."""
        self._rearm.wait()
        watch: _Watch | None = None
        while not self._closed:
            self._rearm.clear()
            wanted = self._wanted
            known = watch.folders if watch is not None else frozenset()
            try:
                renewed = _Watch(wanted)
            except Exception as error:
                self._look_at_intervals(error)
                continue
            self._failing = False
            if watch is not None:
                # Events up to the moment the new watch stood are in the old one.
                self._pass_on(watch.rest())
                watch.close()
            watch = renewed
            # What was written into these folders before they were watched has no event.
            self._post(TreeTouched(frozenset(path for path, _, _ in wanted - known)))
            began = time.monotonic()
            try:
                while not self._rearm.is_set():
                    self._pass_on(watch.wait(self._rearm))
            except Exception:
                self._post(TreeTouched(None))
                watch.close()
                watch = None
                if time.monotonic() - began < RENEWAL:
                    self._rearm.wait(RENEWAL)
        if watch is not None:
            watch.close()

    def _pass_on(self, paths: Iterable[str]) -> None:
        touched = frozenset(path for path in paths if self._may_count(path))
        if touched:
            self._post(TreeTouched(touched, _age(touched)))

    def _look_at_intervals(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            self._post(WatchingFailed(str(error), INTERVAL))
        self._post(TreeTouched(None))
        self._rearm.wait(INTERVAL)


def _age(paths: Collection[str]) -> float:
    """How many seconds ago the last of these paths changed, as far as their status tells.

    A time stamp lies up to a tick of the kernel's clock behind; the quiet period is so much shorter.
    """
    newest = 0
    for path in paths if len(paths) <= FEW else ():
        try:
            newest = max(newest, os.lstat(path).st_ctime_ns)
        except (OSError, ValueError):
            pass  # it is gone
    seconds = (time.time_ns() - newest) / 1e9
    # Times of another machine's clock, or of a file that was long there, tell nothing.
    return max(seconds, 0.0) if seconds <= 2 * STEP / 1000 else STEP / 1000


def _must_hold(wanted: int) -> None:
    """Raise OSError when the system has refused one of the watches, which RustNotify does not tell."""
    if _is_full() and not _holds(wanted):
        raise OSError("the watch limit is reached")


def _is_full() -> bool:
    """Whether the system refuses a watch more (ENOSPC)."""
    if sys.platform != "linux":
        return False
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    fd = system.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return False  # the limit of instances, which RustNotify does tell
    try:
        refused: bool = system.inotify_add_watch(fd, b"/", IN_ATTRIB) < 0
        return refused and ctypes.get_errno() == errno.ENOSPC
    finally:
        os.close(fd)


def _holds(wanted: int) -> bool:
    """Whether one of our inotify instances holds as many watches as that."""
    try:
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify":
                    with open(f"/proc/self/fdinfo/{name}") as file:
                        if sum(line.startswith("inotify wd:") for line in file) >= wanted:
                            return True
            except OSError:
                continue  # it was closed meanwhile
    except OSError:
        return True  # there is no /proc to ask
    return False


class _Watch:
    """One RustNotify, which cannot be changed after it was made."""

    def __init__(self, folders: frozenset[tuple[str, int, int]]) -> None:
        from watchfiles._rust_notify import RustNotify

        self.folders = folders
        self._aliases: dict[str, str] = {}
        self._handles: list[int] = []
        names = [self._name(path) for path, _, _ in folders]
        try:
            self._notify: RustNotify = self._make(RustNotify, [n for n in names if n is not None])
            _must_hold(len({(device, inode) for _, device, inode in folders}))
        except BaseException:
            self._close_handles()
            raise

    @staticmethod
    def _make(make: type[RustNotify], names: list[str]) -> RustNotify:
        while True:
            try:
                return make(names, False, False, 0, False, True)
            except FileNotFoundError:
                # Folders come and go; the surveyor will see that one has gone.
                there = [name for name in names if os.path.isdir(name)]
                if len(there) == len(names):
                    raise
                names = there

    def _name(self, path: str) -> str | None:
        """A name for the folder that is UTF-8, which is all that RustNotify takes."""
        try:
            path.encode()
        except UnicodeEncodeError:
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                return None
            self._handles.append(handle)
            alias = f"/proc/self/fd/{handle}"
            self._aliases[alias] = path
            return alias
        return path

    def wait(self, stop: threading.Event) -> set[str]:
        """The paths of the next events; empty when there was none for long or `stop` was set."""
        return self._paths(self._notify.watch(GATHER, STEP, 60_000, stop))

    def rest(self) -> set[str]:
        """The paths of the events that have come already."""
        try:
            return self._paths(self._notify.watch(1, 1, 1, None))
        except Exception:
            return set()

    def _paths(self, raw: object) -> set[str]:
        if not isinstance(raw, set):
            return set()
        return {self._real(path) for _, path in raw}

    def _real(self, path: str) -> str:
        if self._aliases:
            folder, name = os.path.split(path)
            if folder in self._aliases:
                return os.path.join(self._aliases[folder], name)
            return self._aliases.get(path, path)
        return path

    def close(self) -> None:
        """Give the watches back to the system."""
        self._notify.close()
        self._close_handles()

    def _close_handles(self) -> None:
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()
