"""What may have changed, collected until nothing more comes for a moment, and Git and writers are done."""

from __future__ import annotations

from reloader.messages import effects, events, notices

# While Git is at work, the tree is looked at again this often, in seconds, until nothing has changed
# for the patience: Git may be waiting for somebody's editor. Then it is not waited for until it goes on.
GIT_PAUSE = 0.1
GIT_PATIENCE = 3.0
# Files that look half written are looked at again this often, in seconds, until they do not, for at most so
# many seconds: the first for those that grow from look to look.
FILES_PAUSE = 0.2
FILES_GROW = 10.0
FILES_PATIENCE = 2.0
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
        self._unfinished_since: float | None = None
        """Since when files look half written."""
        self._grown_at = 0.0
        """When one of them was seen to grow last."""
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
        if self._unfinished_since is not None:
            self._not_before = None
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
        """The answer came: Git is not at work, and nothing looks half written."""
        self._told_of_git = False
        self._unfinished_since = None

    def wait_for_git(self, git: events.TreeBusy, now: float) -> list[effects.Effect]:
        """Git was at work: look at the same paths again soon, or at once where Git itself waits."""
        is_known = git.step != "" and git.step == self._waits_itself
        waits_itself = is_known or now - self._last >= GIT_PATIENCE
        self._waits_itself = git.step if waits_itself else None
        self._put_off(now, None if waits_itself else GIT_PAUSE)
        if self._told_of_git or waits_itself:
            return []
        self._told_of_git = True
        return [effects.Tell(notices.WaitingForGit(git.operation))]

    def wait_for_files(self, files: events.FilesUnfinished, now: float) -> list[effects.Effect]:
        """Files look half written: look at the same paths again soon, or at once after a while."""
        is_first = self._unfinished_since is None
        since = self._unfinished_since = now if self._unfinished_since is None else self._unfinished_since
        if files.how is events.Unfinished.GROWS:
            self._grown_at = now
            limit, is_over = FILES_GROW, now - since >= FILES_GROW
        else:
            limit, is_over = FILES_PATIENCE, now - max(since, self._grown_at) >= FILES_PATIENCE
        self._put_off(now, None if is_over else FILES_PAUSE)
        # What may be whole is looked at once more, which nobody notices.
        if not is_first or files.how is events.Unfinished.IN_BLOCKS:
            return []
        return [effects.Tell(notices.WaitingForFiles(files.paths, files.how, limit))]

    def _put_off(self, now: float, pause: float | None) -> None:
        """What was looked at last is looked at again after so many seconds; None for at once, whatever is."""
        self._at_once = pause is None
        self._first = self.noticed_at if self._first is None else min(self._first, self.noticed_at)
        self._not_before = now + (pause or 0.0)
        self._add(self._looked_at)

    def _add(self, paths: frozenset[str] | None) -> None:
        self._paths = None if self._paths is None or paths is None else self._paths | paths
