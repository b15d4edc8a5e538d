"""The thread that turns the system's events into hints.

Every folder is watched by itself, never recursively, so that an ignored folder costs nothing. What an
event says is not relied upon; only that there was one, and where.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from reloader.messages import events
from reloader.settings import POLL_INTERVAL
from reloader.watching.event_source import EventSource, Place, WatchRefusedError

# Watches that were refused, or a source that cannot be had, are tried again after this, in seconds.
RETRY = 10.0
# A source that failed is not made anew more often than this, in seconds, and not for more than this share of
# the time.
RENEWAL = 0.1
RENEWAL_SHARE = 1 / 20


class Watcher:
    """Hands the paths of all events to `heard`, and posts WatchingFailed.

    `standing` is called whenever watches have been set, with whether all events can be had now. What was
    written into a folder before its watch stood has no event: whoever asks for the first watches looks
    once they stand; for later ones TreeTouched tells the folder.
    """

    def __init__(
        self,
        heard: Callable[[Collection[str]], None],
        post: Callable[[events.Event], None],
        standing: Callable[[bool], None],
    ) -> None:
        self._heard = heard
        self._post = post
        self._standing = standing
        self._stood = False
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
                self._heard(paths)
            # After so long without an event, what was refused may be had.
            is_over = paths is not None and not paths
            if self._rearm.is_set() or source.is_stale or (self._reason and is_over):
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
