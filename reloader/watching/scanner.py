"""The thread that looks at the tree: it compares, takes baselines, and looks by itself at a heartbeat.

The baseline is the snapshot of the last start, the latest is what was seen last; both live here and
nowhere else. Requests are answered in their order.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from queue import Empty, SimpleQueue

from reloader.common.run_folder import absolute, relative
from reloader.messages import events
from reloader.settings import RestartOn, Settings, SettingsSource, Trigger
from reloader.watching import git_activity
from reloader.watching.content_cache import ContentCache
from reloader.watching.folder import FORGOTTEN, identity_of
from reloader.watching.half_written import HalfWritten
from reloader.watching.hints import Hints
from reloader.watching.imported import Recording, by_writer
from reloader.watching.inputs import Inputs
from reloader.watching.mounts import mounted_files, mounts, silent_places
from reloader.watching.own_settings import OwnSettings
from reloader.watching.scan_requests import Compare, CountImported, Heard, Poll, RenewBaseline, Request
from reloader.watching.snapshot import accept, adopt, compare, remove_cached_bytecode, seen
from reloader.watching.tree import Snapshot, Tree

# The tree is looked at without a hint this often, in seconds, or less often when that would take more
# than a five-hundredth of the time.
HEARTBEAT = 10.0
HEARTBEAT_SHARE = 500
# The same where no events come and the tree is polled: at most a fiftieth.
POLL_SHARE = 50
# A survey that is quicker than this, in seconds, is made before every start instead of a look at the
# hinted paths alone.
QUICK = 0.05
# Two writes within one tick of the kernel's clock leave the same modification time. A snapshot is
# final once this time, in nanoseconds, lies between the last write and it.
TICK_NS = 20_000_000
# Syntax trees are compared for so long, in seconds, in one look; then every change is taken for one.
SYNTAX_BUDGET = 0.3


class Scanner:
    """Answers with TreeCompared, BaselineTaken, TreeBusy, FilesUnfinished, FoldersChanged.

    Of its own accord it tells TreeTouched.

    Files whose status changed at or after `since_ns` (wall clock, nanoseconds) count as changed since
    the first start.
    """

    def __init__(
        self,
        settings: Settings,
        since_ns: int,
        post: Callable[[events.Event], None],
        source: SettingsSource | None = None,
    ) -> None:
        self.tree = Tree(
            settings,
            lambda path, reason: post(events.PathUnreadable(path, reason)),
            lambda path, owner: post(events.RulesRefused(path, owner)),
        )
        self._inputs = Inputs(settings, self.tree)
        self.tree.lister.since_ns = since_ns
        self._settings = settings
        self._own_settings = OwnSettings(settings, source, since_ns, post)
        self.tree.elsewhere.settings = self._own_settings.paths
        self._post = post
        self.contents = ContentCache(post) if settings.restart_on is RestartOn.CHANGE else None
        self._requests: SimpleQueue[Request] = SimpleQueue()
        self._latest: Snapshot = {}
        self._baseline: Snapshot = {}
        self._watched: frozenset[tuple[str, int, int]] = frozenset()
        self._survey_took = 0.0
        self._interval = settings.interval
        self._silent: list[str] = []
        self._home = absolute(settings.folder or os.curdir)
        """Where the worker runs."""
        self._home_then = identity_of(self._home)
        """What that was when it was started last."""
        self._stand = threading.Event()
        self._polls = settings.poll is not None
        self._surveyed = 0.0
        self._poll_took = 0.0
        self._state: tuple[object, ...] = ()
        self._states = 0
        self._hints = Hints(self.tree, settings.verbosity > 0, post)
        self._half_written = HalfWritten(self._tells_of_writers)

    # --- from other threads -----------------------------------------------------------------------

    def compare(
        self, paths: frozenset[str] | None, at_once: bool = True, recording: Recording | None = None
    ) -> None:
        """Look at these paths or everything (None); TreeCompared follows.

        While Git is at work TreeBusy follows instead, and where files look half written FilesUnfinished,
        unless it is wanted `at_once`. The recording is that of the newest worker.
        """
        self._requests.put(Compare(paths, at_once, recording))

    def take_baseline(self, generation: int, paths: frozenset[str] | None, at_once: bool = True) -> None:
        """Look, make what is seen the baseline and clear stale bytecode; BaselineTaken follows.

        While Git is at work TreeBusy follows instead, and where files look half written FilesUnfinished,
        unless it is wanted `at_once`.
        """
        self._requests.put(RenewBaseline(generation, paths, at_once))

    def count_imported(self, recording: Recording) -> None:
        """Count what the worker has imported, whatever a rule says, from now on."""
        self._requests.put(CountImported(recording))

    def heard(self, paths: Collection[str]) -> None:
        """There were events at these paths; TreeTouched follows for those that may count."""
        self._requests.put(Heard(paths))

    def standing(self, complete: bool) -> None:
        """The watches stand. Where these are not `complete` everything is looked at, at intervals."""
        self._stand.set()
        self._requests.put(Poll(not complete))

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Work for ever."""
        self.tree.count_scripts()
        if self._settings.poll is None:
            # The folders first: a watch that stands sooner leaves less to be compared.
            self.tree.survey(files=False)
            self._tell_folders()
            if self._watched:
                self._stand.wait()
        self._look(None)
        self._post(events.TreeKnown(sum(map(len, self._latest.values())), len(self._latest)))
        # What was written since the start may have been there before: rather changed than added.
        self._baseline = adopt({}, self._latest, self.tree.lister.recent, FORGOTTEN)
        if compare(self._baseline, self._latest):
            self._post(events.TreeTouched(frozenset()))
        self._remember()
        self._tell_idle_patterns()
        self._find_silent()
        if self._inputs.are_tracked:
            self._count_also(self._inputs.count(), is_tracked=True)
        looked = time.monotonic()
        while True:
            try:
                request = self._requests.get(timeout=max(0.0, looked + self._patience - time.monotonic()))
            except Empty:
                self._look_without_a_hint()
                looked = time.monotonic()
                continue
            if isinstance(request, Heard):
                self._hints.heard(request.paths)
                continue
            looked = time.monotonic()
            if isinstance(request, Poll):
                self._polls = request.needed
            elif isinstance(request, CountImported):
                self._inputs.use(request.recording)
                self._count_imported()
            elif not request.at_once and (git := self._git_at_work()):
                coming = request.generation if isinstance(request, RenewBaseline) else None
                self._post(events.TreeBusy(git.operation, coming, git.step))
            elif isinstance(request, Compare):
                self._inputs.use(request.recording)
                self._look(request.paths)
                self._tell_what_differs(request.at_once)
            else:
                self._renew_baseline(request)

    def _tell_idle_patterns(self) -> None:
        for option in ("ignore", "include"):
            for pattern in self.tree.idle(option):
                self._post(events.PatternIdle(self._settings.origin(option)[0], pattern))

    @property
    def _patience(self) -> float:
        """Seconds until the tree is looked at without a hint."""
        if self._polls or self._silent:
            return max(self._interval, POLL_SHARE * self._poll_took)
        return self._heartbeat

    @property
    def _heartbeat(self) -> float:
        """Seconds until everything is looked at, whatever the events told."""
        return max(HEARTBEAT, HEARTBEAT_SHARE * self._survey_took)

    def _find_silent(self) -> None:
        """Find the folders of which events do not tell everything; each is told."""
        known = mounts()
        for place, mount in silent_places(self.tree.places, known):
            if place in self.tree.folders:
                self._silent.append(place)
                self._post(events.WatchingFailed(f"{relative(place)} lies on {mount.kind}", self._interval))
        self.tree.elsewhere.mounted = mounted_files(self.tree.places, known)
        self._tell_folders()

    def _git_at_work(self) -> git_activity.Activity | None:
        tops = sorted(self.tree.repositories())
        return next((found for top in tops if (found := git_activity.under_way(top))), None)

    def _tell_what_differs(self, at_once: bool) -> None:
        changes = self._without_mere_status(compare(self._baseline, self._latest))
        unchanged: list[events.Unchanged] = []
        if changes and self.contents is not None:
            unchanged = self._sift(changes, self.contents)
            if unchanged:
                changes = compare(self._baseline, self._latest)
        imports = self._inputs.imports() if changes and self._settings.trigger is Trigger.LOADED else None
        if imports is not None:
            unconcerning = [change for change in changes if not imports.concerns(change)]
            remove_cached_bytecode(unconcerning, self.tree.places)
            for change in unconcerning:
                unchanged.append(events.Unchanged(change.path, events.Sameness.NOT_LOADED))
                accept(self._baseline, self._latest, change.path)
            changes = tuple(change for change in changes if change not in unconcerning)
        if self._awaits_writers(changes, at_once):
            return
        if self._is_home_replaced():
            changes = (*changes, events.Change(self._home, events.Kind.REPLACED))
        changes = self._own_settings.among(changes)
        state = tuple((change.path, change.kind, seen(self._latest, change.path)) for change in changes)
        if state != self._state:
            self._state = state
            self._states += 1
            remove_cached_bytecode(changes, self.tree.places)  # a check may have left it
        own, foreign = by_writer(changes, self._inputs.writes() if changes else None)
        is_source = any(change.path.endswith(".py") for change in changes)
        imports = self._inputs.imports() if is_source else None
        unread = imports.unread(changes, self._baseline) if imports is not None else frozenset()
        self._post(events.TreeCompared(changes, tuple(unchanged), self._states, own, foreign, unread))

    def _awaits_writers(
        self, changes: tuple[events.Change, ...], at_once: bool, coming: int | None = None
    ) -> bool:
        """Whether some of these files look half written, which is told then; `coming` is put off by it."""
        is_gone = any(change.kind is events.Kind.DELETED for change in changes)
        imports = self._inputs.imports() if is_gone else None
        snapshots = self._baseline, self._latest
        found = self._half_written.found(changes, *snapshots, imports, at_once, time.monotonic())
        if not found:
            return False
        how = next(how for how in events.Unfinished if how in found.values())
        paths = tuple(path for path, one in found.items() if one is how)
        self._post(events.FilesUnfinished(paths, how, coming))
        return True

    def _tells_of_writers(self, path: str) -> bool:
        return not path.startswith(tuple(place.rstrip(os.sep) + os.sep for place in self._silent))

    def _without_mere_status(self, changes: tuple[events.Change, ...]) -> tuple[events.Change, ...]:
        """The changes without those of a mode, an owner or a link count, which are taken into the baseline.

        They leave the same time of change as a write whose modification time was put back (an archive that is
        unpacked with fixed times, a generator), which only the content tells from them.
        """
        mere = []
        for change in changes:
            then, now = seen(self._baseline, change.path), seen(self._latest, change.path)
            if then is None or now is None or then[:3] != now[:3]:
                continue
            if self.contents is None or not self.contents.is_known_to_differ(change.path, then, now):
                mere.append(change)
        for change in mere:
            accept(self._baseline, self._latest, change.path)
        if not mere:
            return changes
        self._remember()
        return tuple(change for change in changes if change not in mere)

    def _is_home_replaced(self) -> bool:
        """Whether the worker runs in a folder that is there no more, while another one has its name."""
        return identity_of(self._home) not in (None, self._home_then)

    def _sift(self, changes: tuple[events.Change, ...], contents: ContentCache) -> list[events.Unchanged]:
        """Which of the changed files are what they were; these become part of the baseline as they are."""
        self._await_final(changes)
        unchanged: list[events.Unchanged] = []
        until = time.monotonic() + SYNTAX_BUDGET
        for change in changes:
            then, now = seen(self._baseline, change.path), seen(self._latest, change.path)
            if change.kind is not events.Kind.CHANGED or then is None or now is None:
                continue
            how = contents.sameness(change.path, then, now, syntax=time.monotonic() < until)
            if how is not None:
                unchanged.append(events.Unchanged(change.path, how))
                accept(self._baseline, self._latest, change.path)
        reformatted = [file.path for file in unchanged if file.how is events.Sameness.SYNTAX]
        remove_cached_bytecode(
            [events.Change(path, events.Kind.CHANGED) for path in reformatted], self.tree.places
        )
        if unchanged:
            self._remember()
        return unchanged

    def _count_imported(self) -> None:
        """Count what the worker has imported, also since it was ready."""
        if not self._inputs.have_grown():
            return
        self._count_also(self._inputs.count(), is_tracked=False)
        if found := self._inputs.beside():
            self._post(events.ImportedBeside(tuple(sorted(found))))

    def _count_also(self, new: Sequence[str], is_tracked: bool) -> None:
        """Look at these files for the first time: they were there before, unless they have changed since."""
        if not new:
            return
        self._look(None)
        self._baseline = adopt(self._baseline, self._latest, self.tree.lister.recent, FORGOTTEN)
        self._remember()
        self._post(events.AlsoWatched(tuple(sorted(new)), is_tracked))
        if compare(self._baseline, self._latest):
            self._post(events.TreeTouched(frozenset(new)))

    def _remember(self) -> None:
        if self.contents is not None:
            self.contents.keep(dict(self._baseline))

    def _await_final(self, changes: tuple[events.Change, ...]) -> bool:
        """Wait until another write to these files would leave another time stamp; whether it had to."""
        stats = (seen(self._latest, change.path) for change in changes)
        newest = max((seen[0] for seen in stats if seen is not None), default=0)
        wait = newest + TICK_NS - time.time_ns()
        if not 0 < wait <= TICK_NS:
            return False
        time.sleep(wait / 1e9)
        return True

    def _renew_baseline(self, request: RenewBaseline) -> None:
        paths = None if self._survey_took < QUICK else request.paths
        while True:
            since = time.time_ns()
            self._look(paths)
            changes = compare(self._baseline, self._latest)
            if not self._await_final(changes):
                break
            paths = frozenset(change.path for change in changes)
        if self._awaits_writers(changes, request.at_once, request.generation):
            return
        remove_cached_bytecode(changes, self.tree.places)
        self._baseline = dict(self._latest)
        self._half_written.started()
        self._home_then = identity_of(self._home)
        self._remember()
        self.tree.lister.since_ns = since - TICK_NS
        self.tree.lister.recent.clear()
        self._post(events.BaselineTaken(request.generation))
        if self._own_settings.change():
            self._post(events.TreeTouched(frozenset()))

    def _look_without_a_hint(self) -> None:
        self._count_imported()
        before = self._latest
        began = time.monotonic()
        if self._silent and not self._polls and began < self._surveyed + self._heartbeat:
            self._look(below=self._silent)
        else:
            self._look(None)
        self._poll_took = time.monotonic() - began
        missed = compare(before, self._latest)
        if missed:
            self._post(events.TreeTouched(frozenset(change.path for change in missed)))
        elif self._is_home_replaced() or self._own_settings.change():
            self._post(events.TreeTouched(frozenset()))

    def _look(self, paths: frozenset[str] | None = None, below: Sequence[str] = ()) -> None:
        began = time.monotonic()
        if below:
            self.tree.look_below(below)
        elif paths is None:
            self.tree.survey()
            self._surveyed = time.monotonic()
            self._survey_took = self._surveyed - began
        elif paths:
            self.tree.look(paths)
        self._latest = self.tree.snapshot()
        if self.tree.lister.rules_changed:
            self.tree.forget_rules()
            self.tree.survey()
            if self._inputs.count():
                self.tree.survey()
            self._latest = self.tree.snapshot()
            self._baseline = adopt(self._baseline, self._latest, self.tree.lister.recent)
        self._tell_folders()

    def _tell_folders(self) -> None:
        watched = self.tree.to_watch()
        if watched != self._watched:
            self._watched = watched
            self._post(events.FoldersChanged(watched))
