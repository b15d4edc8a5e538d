"""How long to wait before a worker that ended by itself is started again."""

from __future__ import annotations


class Backoff:
    """Delays in seconds: `first`, doubling up to `longest`."""

    def __init__(self, first: float = 0.5, longest: float = 30.0) -> None:
        self.first = first
        self.longest = longest
        self._next = first

    def next(self) -> float:
        """The delay before the coming start; the one after it will be longer."""
        delay = self._next
        self._next = min(delay * 2, self.longest)
        return delay

    def reset(self) -> None:
        """Begin again with the first delay: the code changed, or the worker ran well for long."""
        self._next = self.first
