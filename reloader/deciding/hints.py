"""Hints that something was saved: collected until they settle, and again while Git is at work."""

from __future__ import annotations

from reloader.deciding.debouncer import Debouncer
from reloader.effects import Effect, Tell
from reloader.notices import Pending, Wait, WaitingForGit

# While Git is at work, the tree is asked for again this often, in seconds, until nothing has changed
# for the patience: it may be waiting for somebody's editor.
GIT_PAUSE = 0.1
GIT_PATIENCE = 3.0


class Hints:
    """What was touched and not looked at yet, and when the first of it happened. Times are in seconds."""

    def __init__(self, debouncer: Debouncer) -> None:
        self._debouncer = debouncer
        self.noticed_at = 0.0
        """When the first of the hints happened that were looked at last."""
        self._asked_for: frozenset[str] | None = frozenset()
        self._last = 0.0
        self._told = False
        self._at_once = False

    def touch(self, paths: frozenset[str] | None, age: float, now: float) -> None:
        """Take a hint that is `age` seconds old."""
        self._last = now - age
        self._debouncer.touch(now, paths, age)

    def settle(self, now: float) -> tuple[frozenset[str] | None, bool]:
        """The paths of the hints, and whether they are to be looked at even while Git is at work."""
        first = self._debouncer.first
        self.noticed_at = now if first is None else first
        self._asked_for = self._debouncer.settle()
        at_once, self._at_once = self._at_once, False
        return self._asked_for, at_once

    def looked_at(self) -> None:
        """The answer came: Git is not at work."""
        self._told = False

    @property
    def pending(self) -> Pending | None:
        """What was touched and not looked at yet."""
        if not self._debouncer.pending:
            return None
        return Pending(Wait.GIT if self._told else Wait.LOOK)

    def wait_for_git(self, operation: str, now: float) -> list[Effect]:
        """Look again soon."""
        self._at_once = now - self._last >= GIT_PATIENCE
        until = now if self._at_once else now + GIT_PAUSE
        self._debouncer.put_back(self._asked_for, self.noticed_at, until)
        if self._told or self._at_once:
            return []
        self._told = True
        return [Tell(WaitingForGit(operation))]
