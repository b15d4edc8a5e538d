"""The thread that turns the system's events into hints.

Every folder is watched by itself, never recursively, so that an ignored folder costs nothing. What an
event says is not relied upon; only that there was one, and where.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection

from reloader.messages import events
from reloader.settings import POLL_INTERVAL
from reloader.watching.event_source import GATHER, EventSource, Place, WatchRefusedError

# No event is told later than this, in seconds.
OLDEST = GATHER / 1000
# More paths than this at once are not asked when they changed.
FEW = 100
# Watches that were refused, or a source that cannot be had, are tried again after this, in seconds.
RETRY = 10.0
# A source that failed is not made anew more often than this, in seconds, and not for more than this share of
# the time.
RENEWAL = 0.1
RENEWAL_SHARE = 1 / 20


class Watcher:
    """Posts TreeTouched for events at paths of which `may_count` is true, and WatchingFailed.

    `standing` is called whenever watches have been set, with whether all events can be had now. What was
    written into a folder before its watch stood has no event: whoever asks for the first watches looks
    once they stand; for later ones TreeTouched tells the folder. `ignored` is given the paths of all
    other events.
    """

    def __init__(
        self,
        may_count: Callable[[str], bool],
        post: Callable[[events.Event], None],
        standing: Callable[[bool], None],
        ignored: Callable[[Collection[str]], None] = lambda _paths: None,
    ) -> None:
        self._may_count = may_count
        self._post = post
        self._standing = standing
        self._stood = False
        self._ignored = ignored
        self._source: EventSource | None = None
        self._wanted: frozenset[Place] = frozenset()
        self._rearm = threading.Event()
        self._closed = False
        self._at_source = threading.Lock()
        self._reason = ""
        """Why not all events can be had; empty when they can."""
        self._told: set[str] = set()
        self._armed = 0.0
        """When watches were last set, by time.monotonic()."""
        self._took = 0.0
        """How many seconds that took."""

    # --- from other threads -----------------------------------------------------------------------

    def watch(self, folders: frozenset[Place]) -> None:
        """Watch exactly these folders from now on."""
        self._wanted = folders
        self._wake()

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._rearm.set()
        with self._at_source:
            if self._source is not None:
                self._source.wake()

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed."""
        self._rearm.wait()
        while not self._closed:
            began = time.monotonic()
            try:
                self._source = EventSource()
                self._follow(self._source)
            except OSError as error:
                self._lack(error.strerror or str(error))
                self._stand()
            finally:
                with self._at_source:
                    if self._source is not None:
                        self._source.close()
                    self._source = None
            if not self._closed:
                self._post(events.TreeTouched(None))
                self._rearm.clear()
                self._rearm.wait(RETRY if self._reason else max(0.0, began + RENEWAL - time.monotonic()))

    def _follow(self, source: EventSource) -> None:
        """Pass on events until closed. Raises OSError when the source fails."""
        self._arm(source)
        while not self._closed:
            paths = source.wait(RETRY if self._reason else None)
            if source.has_failed:
                # A name that is written again and again must not keep us at making sources.
                pause = self._armed + max(RENEWAL, self._took / RENEWAL_SHARE) - time.monotonic()
                self._rearm.wait(max(0.0, pause))
            elif paths is not None:
                self._pass_on(paths)
            if self._rearm.is_set() or source.is_stale or (self._reason and not paths):
                self._arm(source)
            if paths is None:
                self._post(events.TreeTouched(None))

    def _arm(self, source: EventSource) -> None:
        self._rearm.clear()
        began = time.monotonic()
        try:
            added = source.watch(self._wanted)
            self._lack("")
        except WatchRefusedError as refused:
            added = refused.added
            self._lack(str(refused))
        self._armed = time.monotonic()
        self._took = self._armed - began
        if added and self._stood:
            self._post(events.TreeTouched(frozenset(added)))
        self._stand()

    def _stand(self) -> None:
        self._stood = True
        self._standing(not self._reason)

    def _lack(self, reason: str) -> None:
        if reason and reason not in self._told:
            self._told.add(reason)
            self._post(events.WatchingFailed(reason, POLL_INTERVAL))
        self._reason = reason

    def _pass_on(self, paths: Collection[str]) -> None:
        touched = frozenset(path for path in paths if self._may_count(path))
        if touched:
            self._post(events.TreeTouched(touched, _age(touched)))
        if len(touched) < len(paths):
            self._ignored(set(paths) - touched)


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
    return max(seconds, 0.0) if seconds <= OLDEST else 0.0
