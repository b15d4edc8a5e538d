"""Which events deserve a look. The scanner's thread, which alone reads the tree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from reloader.messages import events
from reloader.watching.event_source import GATHER
from reloader.watching.ignored_log import IgnoredLog
from reloader.watching.tree import Tree

# No event is told later than this, in seconds.
OLDEST = GATHER / 1000
# More paths than this at once are not asked when they changed.
FEW = 100


class Hints:
    """Posts TreeTouched for events at paths that may count; the others are told where the user wants it."""

    def __init__(self, tree: Tree, tells_ignored: bool, post: Callable[[events.Event], None]) -> None:
        self._tree = tree
        self._post = post
        self._log = IgnoredLog(tree, post) if tells_ignored else None

    def heard(self, paths: Collection[str]) -> None:
        """There were events at these paths."""
        touched = frozenset(filter(self._tree.may_count, paths))
        if touched:
            self._post(events.TreeTouched(touched, _age(touched)))
        if self._log is not None and len(touched) < len(paths):
            self._log.note(set(paths) - touched)


def _age(paths: Collection[str]) -> float:
    """How many seconds ago the last of these paths changed, as far as their status tells.

    A time stamp lies up to a tick of the kernel's clock behind; the quiet period is so much shorter.
    """
    newest = 0
    for path in paths if len(paths) <= FEW else ():
        try:
            newest = max(newest, os.lstat(path).st_ctime_ns)
        except (OSError, ValueError):
            pass  # it is gone
    seconds = (time.time_ns() - newest) / 1e9
    # Times of another machine's clock, or of a file that was long there, tell nothing.
    return max(seconds, 0.0) if seconds <= OLDEST else 0.0
