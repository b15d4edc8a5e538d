"""What may have changed, collected until nothing more comes for a moment, and again while Git is at work."""

from __future__ import annotations

from reloader.messages import effects, notices

# While Git is at work, the tree is asked for again this often, in seconds, until nothing has changed
# for the patience: it may be waiting for somebody's editor.
GIT_PAUSE = 0.1
GIT_PATIENCE = 3.0


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


class PendingChanges:
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
    def pending(self) -> notices.Pending | None:
        """What was touched and not looked at yet."""
        if not self._debouncer.pending:
            return None
        return notices.Pending(notices.Wait.GIT if self._told else notices.Wait.LOOK)

    def wait_for_git(self, operation: str, now: float) -> list[effects.Effect]:
        """Look again soon."""
        self._at_once = now - self._last >= GIT_PATIENCE
        until = now if self._at_once else now + GIT_PAUSE
        self._debouncer.put_back(self._asked_for, self.noticed_at, until)
        if self._told or self._at_once:
            return []
        self._told = True
        return [effects.Tell(notices.WaitingForGit(operation))]
