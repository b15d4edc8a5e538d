"""When hints have settled: none came for the quiet period, or the first of them waits too long."""

from __future__ import annotations


class Debouncer:
    """Collects hints until they are settled.

    Both times are in seconds. `max_wait` bounds how long a stream of hints that never pauses can
    keep the first one waiting.
    """

    def __init__(self, quiet_period: float, max_wait: float) -> None:
        self.quiet_period = quiet_period
        self.max_wait = max_wait
        self._first: float | None = None
        self._last = 0.0
        self._not_before: float | None = None
        self._paths: frozenset[str] | None = frozenset()

    @property
    def pending(self) -> bool:
        """Whether hints wait to be settled."""
        return self._first is not None

    @property
    def deadline(self) -> float | None:
        """When the hints will be settled if no other comes; None when there are none."""
        if self._first is None:
            return None
        settled = min(self._last + self.quiet_period, self._first + self.max_wait)
        return settled if self._not_before is None else max(settled, self._not_before)

    @property
    def first(self) -> float | None:
        """When the first of the hints happened; None when there are none."""
        return self._first

    def touch(self, now: float, paths: frozenset[str] | None, age: float = 0.0) -> None:
        """Take a hint that is `age` seconds old. None stands for any path."""
        happened = now - age
        if self._first is None:
            self._first = self._last = happened
        self._last = max(self._last, happened)
        self._add(paths)

    def put_back(self, paths: frozenset[str] | None, first: float, until: float) -> None:
        """Take settled hints again, the first of which happened then; they settle not before `until`."""
        self._first = first if self._first is None else min(self._first, first)
        self._last = max(self._last, first)
        self._not_before = until
        self._add(paths)

    def settle(self) -> frozenset[str] | None:
        """Hand over the paths of all hints and begin anew."""
        paths, self._paths, self._first, self._not_before = self._paths, frozenset(), None, None
        return paths

    def _add(self, paths: frozenset[str] | None) -> None:
        self._paths = None if self._paths is None or paths is None else self._paths | paths
