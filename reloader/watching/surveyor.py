"""The thread that looks at the tree: it compares, takes baselines, and looks by itself at a heartbeat.

The baseline is the snapshot of the last start, the latest is what was seen last; both live here and
nowhere else. Requests are answered in their order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from reloader.events import (
    BaselineTaken,
    Event,
    FoldersChanged,
    PathUnreadable,
    TreeCompared,
    TreeTouched,
)
from reloader.settings import Settings
from reloader.watching.listing import FORGOTTEN, Stat
from reloader.watching.snapshot import compare, remove_cached_bytecode
from reloader.watching.tree import Snapshot, Tree

# The tree is looked at without a hint this often, in seconds, or less often when that would take more
# than a five-hundredth of the time.
HEARTBEAT = 10.0
HEARTBEAT_SHARE = 500
# A survey that is quicker than this, in seconds, is made before every start instead of a look at the
# hinted paths alone.
QUICK = 0.05
# Two writes within one tick of the kernel's clock leave the same modification time. A snapshot is
# final once this time, in nanoseconds, lies between the last write and it.
TICK_NS = 20_000_000


@dataclass(frozen=True)
class _Compare:
    paths: frozenset[str] | None


@dataclass(frozen=True)
class _TakeBaseline:
    generation: int
    paths: frozenset[str] | None


class Surveyor:
    """Answers with TreeCompared, BaselineTaken, FoldersChanged and, of its own accord, TreeTouched.

    Files whose status changed at or after `since_ns` (wall clock, nanoseconds) count as changed since
    the first start.
    """

    def __init__(self, settings: Settings, since_ns: int, post: Callable[[Event], None]) -> None:
        self.tree = Tree(settings, lambda path, reason: post(PathUnreadable(path, reason)))
        self.tree.lister.since_ns = since_ns
        self._post = post
        self._requests: SimpleQueue[_Compare | _TakeBaseline] = SimpleQueue()
        self._latest: Snapshot = {}
        self._baseline: Snapshot = {}
        self._watched: frozenset[tuple[str, int, int]] = frozenset()
        self._survey_took = 0.0

    # --- from other threads -----------------------------------------------------------------------

    def compare(self, paths: frozenset[str] | None) -> None:
        """Look at these paths or everything (None); TreeCompared follows."""
        self._requests.put(_Compare(paths))

    def take_baseline(self, generation: int, paths: frozenset[str] | None) -> None:
        """Look, make what is seen the baseline and clear stale bytecode; BaselineTaken follows."""
        self._requests.put(_TakeBaseline(generation, paths))

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Work for ever."""
        self._look(None)
        # What was written since the start may have been there before: rather changed than added.
        self._baseline = self._adopt({}, recent=FORGOTTEN)
        if compare(self._baseline, self._latest):
            self._post(TreeTouched(frozenset()))
        while True:
            try:
                request = self._requests.get(timeout=max(HEARTBEAT, HEARTBEAT_SHARE * self._survey_took))
            except Empty:
                self._look_without_a_hint()
                continue
            if isinstance(request, _Compare):
                self._look(request.paths)
                self._post(TreeCompared(compare(self._baseline, self._latest)))
            else:
                self._renew_baseline(request)

    def _renew_baseline(self, request: _TakeBaseline) -> None:
        paths = None if self._survey_took < QUICK else request.paths
        while True:
            since = time.time_ns()
            self._look(paths)
            changes = compare(self._baseline, self._latest)
            newest = max((self._mtime(change.path) for change in changes), default=0)
            wait = newest + TICK_NS - time.time_ns()
            if not 0 < wait <= TICK_NS:
                break
            time.sleep(wait / 1e9)
            paths = frozenset(change.path for change in changes)
        remove_cached_bytecode(changes)
        self._baseline = self._latest
        self.tree.lister.since_ns = since - TICK_NS
        self.tree.lister.recent.clear()
        self._post(BaselineTaken(request.generation))

    def _mtime(self, path: str) -> int:
        folder, name = os.path.split(path)
        return self._latest.get(folder, {}).get(name, (0, 0, 0))[0]

    def _look_without_a_hint(self) -> None:
        before = self._latest
        self._look(None)
        missed = compare(before, self._latest)
        if missed:
            self._post(TreeTouched(frozenset(change.path for change in missed)))

    def _look(self, paths: frozenset[str] | None) -> None:
        began = time.monotonic()
        if paths is None:
            self.tree.survey()
            self._survey_took = time.monotonic() - began
        elif paths:
            self.tree.look(paths)
        self._latest = self.tree.snapshot()
        if self.tree.lister.rules_changed:
            self.tree.forget_rules()
            self.tree.survey()
            self._latest = self.tree.snapshot()
            self._baseline = self._adopt(self._baseline)
        watched = self.tree.to_watch()
        if watched != self._watched:
            self._watched = watched
            files = sum(map(len, self._latest.values()))
            self._post(FoldersChanged(watched, files, len(self._latest)))

    def _adopt(self, baseline: Snapshot, recent: Stat | None = None) -> Snapshot:
        """The baseline by the rules of today.

        What counts only now was there at the last start all the same, unless its status changed since:
        then it is noted as `recent`, or not at all. What counts no longer can no longer differ.
        """
        adopted: Snapshot = {}
        for folder, files in self._latest.items():
            before = baseline.get(folder, {})
            noted = {
                name: recent if os.path.join(folder, name) in self.tree.lister.recent else seen
                for name, seen in files.items()
                if name not in before
            }
            adopted[folder] = {name: seen for name, seen in noted.items() if seen is not None}
            adopted[folder] |= {name: before[name] for name in files if name in before}
            if adopted[folder] == files:
                adopted[folder] = files
        for folder, files in baseline.items():
            gone = {
                name: seen
                for name, seen in files.items()
                if name not in self._latest.get(folder, {})
                and not os.path.lexists(os.path.join(folder, name))
            }
            if gone:
                adopted[folder] = adopted.get(folder, {}) | gone
        return adopted
