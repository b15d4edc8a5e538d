"""watchfiles' RustNotify, the source of events on every system but Linux.

It cannot be changed once it is made: it is built anew, and the old one asked a last time.
"""

from __future__ import annotations

import contextlib
import os
import threading

from watchfiles._rust_notify import RustNotify

from reloader.watching.sources import Place

# It wakes up once a step, in milliseconds, and tells a change that is one to two steps old. The quiet
# period counts from the change itself and hides most of that.
STEP = 32
# While changes never pause, they are told this often, in milliseconds.
GATHER = 200


class WatchfilesSource:
    """A RustNotify for every set of folders that is to be watched."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._notify: RustNotify | None = None
        self._watched: frozenset[Place] = frozenset()
        self._rest: set[str] = set()

    def watch(self, wanted: frozenset[Place]) -> set[str]:
        """Watch exactly these folders; returns those whose watch is new. Raises OSError when it cannot."""
        try:
            renewed = self._make([path for path, _, _ in wanted])
        except Exception as error:
            raise OSError(str(error)) from error
        if self._notify is not None:
            # Events up to the moment the new one stood are in the old one.
            with contextlib.suppress(Exception):
                self._rest |= _paths(self._notify.watch(1, 1, 1, None))
            self._notify.close()
        new = {path for path, _, _ in wanted - self._watched}
        self._notify, self._watched = renewed, wanted
        return new

    @staticmethod
    def _make(paths: list[str]) -> RustNotify:
        while True:
            try:
                return RustNotify(paths, False, False, 0, False, True)
            except FileNotFoundError:
                # Folders come and go; the surveyor will see that one has gone.
                there = [path for path in paths if os.path.isdir(path)]
                if len(there) == len(paths):
                    raise
                paths = there

    def wait(self, timeout: float | None) -> set[str] | None:
        """The paths of the next events, of none after `timeout` seconds or when woken up; None: any path.

        Raises OSError when it has failed and must be made anew.
        """
        if self._rest:
            rest, self._rest = self._rest, set()
            return rest
        try:
            if self._notify is None:
                self._stop.wait(timeout)
                return set()
            return _paths(self._notify.watch(GATHER, STEP, int((timeout or 0) * 1000), self._stop))
        except Exception as error:
            # An error stays: a name that is not UTF-8 is one.
            raise OSError(str(error)) from error
        finally:
            self._stop.clear()

    def wake(self) -> None:
        """Let `wait` return; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Give the watches back to the system."""
        if self._notify is not None:
            self._notify.close()


def _paths(raw: object) -> set[str]:
    return {path for _, path in raw} if isinstance(raw, set) else set()
