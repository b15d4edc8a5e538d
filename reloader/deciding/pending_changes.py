"""What may have changed, collected until nothing more comes for a moment, and again while Git is at work."""

from __future__ import annotations

from reloader.messages import effects, events, notices

# While Git is at work, the tree is looked at again this often, in seconds, until nothing has changed
# for the patience: Git may be waiting for somebody's editor. Then it is not waited for until it goes on.
GIT_PAUSE = 0.1
GIT_PATIENCE = 3.0
# Saves in a row: a restart within this time, in seconds, of the last one lengthens the quiet period by the
# factor, up to the longest, in seconds. As long without a touch puts it back.
CALM = 1.0
FACTOR = 3.0
LONGEST = 1.0


class PendingChanges:
    """Paths that were touched and not looked at yet.

    They are settled once nothing was touched for a quiet period: `shortest` seconds, and more while restarts
    follow each other closely (autosave, files that a generator writes one by one). `max_wait`, in seconds, or
    twice the shortest, bounds how long touches that never pause can keep the first one waiting.
    """

    def __init__(self, shortest: float, max_wait: float) -> None:
        self._shortest = self._quiet_period = shortest
        self._max_wait = max(max_wait, 2 * shortest)
        self._restarted_at: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._not_before: float | None = None
        self._paths: frozenset[str] | None = frozenset()
        self.noticed_at = 0.0
        """When the first of those was touched that were looked at last."""
        self._looked_at: frozenset[str] | None = frozenset()
        self._told_of_git = False
        self._at_once = False
        self._waits_itself: str | None = None
        """The step at which Git was waited for in vain."""

    @property
    def deadline(self) -> float | None:
        """When they will be settled if nothing else is touched; None when there are none."""
        if self._first is None:
            return None
        settled = min(self._last + self._quiet_period, self._first + self._max_wait)
        return settled if self._not_before is None else max(settled, self._not_before)

    @property
    def pending(self) -> notices.Pending | None:
        """What the user is told of them; None when there are none."""
        if self._first is None:
            return None
        return notices.Pending(notices.Wait.GIT if self._told_of_git else notices.Wait.LOOK)

    def touch(self, now: float, paths: frozenset[str] | None, age: float = 0.0) -> None:
        """These paths, or any (None), were touched `age` seconds ago."""
        happened = now - age
        if self._first is None:
            if self._restarted_at is None or happened - max(self._restarted_at, self._last) > CALM:
                self._quiet_period = self._shortest
            self._first = self._last = happened
        self._last = max(self._last, happened)
        self._add(paths)

    def settle(self, now: float) -> tuple[frozenset[str] | None, bool]:
        """Hand over all paths, to be looked at; and whether that is due even while Git is at work."""
        self.noticed_at = now if self._first is None else self._first
        paths, self._paths, self._first, self._not_before = self._paths, frozenset(), None, None
        self._looked_at = paths
        at_once, self._at_once = self._at_once, False
        return paths, at_once

    def restarted(self, now: float) -> None:
        """What was looked at has caused a restart."""
        if self._restarted_at is not None and now - self._restarted_at <= CALM:
            self._quiet_period = max(self._shortest, min(self._quiet_period * FACTOR, LONGEST))
        self._restarted_at = now

    def looked_at(self) -> None:
        """The answer came: Git is not at work."""
        self._told_of_git = False

    def wait_for_git(self, git: events.TreeBusy, now: float) -> list[effects.Effect]:
        """Git was at work: look at the same paths again soon, or at once where Git itself waits."""
        self._at_once = git.step == self._waits_itself or now - self._last >= GIT_PATIENCE
        self._waits_itself = git.step if self._at_once else None
        self._first = self.noticed_at if self._first is None else min(self._first, self.noticed_at)
        self._not_before = now if self._at_once else now + GIT_PAUSE
        self._add(self._looked_at)
        if self._told_of_git or self._at_once:
            return []
        self._told_of_git = True
        return [effects.Tell(notices.WaitingForGit(git.operation))]

    def _add(self, paths: frozenset[str] | None) -> None:
        self._paths = None if self._paths is None or paths is None else self._paths | paths
