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
        return min(self._last + self.quiet_period, self._first + self.max_wait)

    def touch(self, now: float, paths: frozenset[str] | None, age: float = 0.0) -> None:
        """Take a hint that is `age` seconds old. None stands for any path."""
        happened = now - age
        if self._first is None:
            self._first = self._last = happened
        self._last = max(self._last, happened)
        if self._paths is None or paths is None:
            self._paths = None
        else:
            self._paths |= paths

    def settle(self) -> frozenset[str] | None:
        """Hand over the paths of all hints and begin anew."""
        paths, self._paths, self._first = self._paths, frozenset(), None
        return paths
