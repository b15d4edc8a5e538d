"""A worker that writes into its own watched tree must not restart itself for ever, and nobody else waits.

What is counted is the cause of a restart: a file that changed, or all files of one folder and ending that
came or went. A cause that the worker is known to write itself is set aside at its fourth restart within a
minute. Where the writer is not known, that is so at the tenth; for a source, which people save often and
workers hardly ever write, and for what somebody else is known to write, at the 61st within 90 seconds: each
restart waits for a longer quiet period by then.

Whoever is not known to be the worker may be a person: the first time, the cause is awaited until it has been
left alone for a moment, so that the last version runs. Then it is set aside for a minute, and each further
time twice as long; where it is not the worker that writes, the moment alone becomes longer. A minute without
a change after a restart ends all that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from reloader.messages import events, notices

# Restarts by one cause in a row, within the window in seconds: written by the worker, of an unknown writer,
# and of program text or another writer.
MOST_OF_OWN = 3
MOST = 9
MOST_OF_SOURCE = 60
SOURCES = (
    *(".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".rb", ".go", ".rs", ".java", ".kt", ".php"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".ex", ".exs", ".lua", ".pl", ".sh"),
    *(".html", ".css", ".scss"),
)
WINDOW = 60.0
WINDOW_OF_SOURCE = 90.0
# How long, in seconds, the cause must be left alone before the next one.
MOMENT = 2.0


def cause_of(change: events.Change) -> str:
    """The path of a changed file; of one that came or went a pattern for all of its folder and ending."""
    if change.kind not in (events.Kind.ADDED, events.Kind.DELETED):
        return change.path
    folder, slash, name = change.path.rpartition("/")
    _, dot, ending = name.rpartition(".")
    return folder + slash + "*" + (dot + ending if dot else "")


class _Cause:
    def __init__(self) -> None:
        self.restarts: deque[float] = deque(maxlen=MOST_OF_SOURCE)
        self.until: float | None = None
        self.calm: float | None = None
        """How many seconds it must be left alone while it is set aside; None where that does not matter."""
        self.times = 0
        """How often it was set aside."""
        self.pardoned = False
        """It may cause one restart more."""

    def has_caused(self, restarts: int, window: float, now: float) -> bool:
        """Whether it has caused so many within so many seconds."""
        return len(self.restarts) >= restarts and now - self.restarts[-restarts] < window


class RestartLimit:
    """Counts restarts by cause. Times are in seconds."""

    def __init__(self) -> None:
        self._causes: dict[str, _Cause] = {}

    @property
    def deadline(self) -> float | None:
        """When a cause that is set aside is to be looked at again."""
        return min((one.until for one in self._causes.values() if one.until is not None), default=None)

    def due(self, now: float) -> frozenset[str]:
        """The causes that are set aside no longer: paths to be looked at. Each is told once."""
        found = {path for path, one in self._causes.items() if one.until is not None and now >= one.until}
        for path in found:
            self._causes[path].until = None
            self._causes[path].pardoned = True
        return frozenset(found)

    def is_aside(self, change: events.Change) -> bool:
        """Whether the change causes no restart now."""
        one = self._causes.get(cause_of(change))
        return one is not None and one.until is not None

    def set_aside(
        self,
        changes: Iterable[events.Change],
        now: float,
        own: frozenset[str] = frozenset(),
        foreign: frozenset[str] = frozenset(),
    ) -> list[notices.SetAside]:
        """Set aside what has caused too many restarts among these changes; returns what is new of it.

        `own` are the paths that the worker has written, `foreign` those that it has not.
        """
        paths: dict[str, list[str]] = {}
        for change in changes:
            paths.setdefault(cause_of(change), []).append(change.path)
        found = []
        for cause, written in paths.items():
            one = self._causes.get(cause)
            if one is None:
                continue
            if one.until is not None:
                if one.calm is not None:
                    one.until = now + one.calm
            elif one.pardoned:
                one.pardoned = False
            elif now - one.restarts[-1] >= WINDOW:
                del self._causes[cause]
            else:
                is_own, is_foreign = not own.isdisjoint(written), foreign.issuperset(written)
                most, window = MOST, WINDOW
                if is_own:
                    most = MOST_OF_OWN
                elif is_foreign or cause.endswith(SOURCES):
                    most, window = MOST_OF_SOURCE, WINDOW_OF_SOURCE
                if one.times or one.has_caused(most, window, now):
                    seconds = self._set_aside(one, now, is_own, is_foreign)
                    found.append(notices.SetAside(cause, most, window, seconds, is_own))
        return found

    def _set_aside(self, one: _Cause, now: float, is_own: bool, is_foreign: bool) -> float:
        # Where the writer is not known, a moment comes before the first minute.
        doublings = one.times if is_own or is_foreign else max(0, one.times - 1)
        is_moment = is_foreign or not (is_own or one.times)
        seconds = (MOMENT if is_moment else WINDOW) * 2.0**doublings
        one.calm = seconds if is_moment else None
        one.times += 1
        one.until = now + seconds
        return seconds

    def restarted(self, changes: Iterable[events.Change], now: float) -> bool:
        """These changes have caused a restart; returns whether one of them has done so a moment ago, too."""
        is_again = False
        for cause in {cause_of(change) for change in changes}:
            one = self._causes.setdefault(cause, _Cause())
            one.restarts.append(now)
            is_again = is_again or one.has_caused(2, WINDOW, now)
        return is_again
