"""The supervisor's side of the template: what it is built from, and when it is built and discarded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BufferedReader

from reloader.common.run_folder import absolute
from reloader.guard import wire
from reloader.messages import events
from reloader.processes.forkserver_client import ForkserverClient
from reloader.settings import Settings
from reloader.warm import cache, import_record
from reloader.warm.builder import Builder, BuildRequest
from reloader.warm.hook import BLIND, Hook, make_unnamed
from reloader.warm.import_record import ImportRecord, Recording

# How many new modules are worth a new template; more where a tenth of the preloaded ones is more.
WORTH = 20

# How many starts a template's build waits for at most. A user who saves so often that the worker is hardly
# ever ready would never get one otherwise; it is built at low priority.
STARTS = 3

NOT_YET = "no template yet"

Places = dict[str, tuple[str, ...]]
Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class Template:
    """Learns from each generation, and owns the process that workers are forked from. Main thread."""

    def __init__(
        self,
        settings: Settings,
        hook: Hook,
        environment: Mapping[str, str],
        folder: str,
        terminals: tuple[bool, bool],
        post: Callable[[events.Event], None],
    ) -> None:
        """`environment` and `folder` are a worker's.

        `terminals`: whether it has a pseudo-terminal, or else reads from one.
        """
        self._settings = settings
        self._hook = hook
        self._environment = environment
        self._terminals = terminals
        self._folder = folder
        self._post = post
        self._path = cache.path_for(settings.program, folder, environment)
        self._own_path = cache.path_for(settings.program, folder, environment, "own")
        # File objects, which are closed when the last reference to them goes.
        self._record: BufferedReader | None = None
        """The recorder's file of the newest generation."""
        self._orders: dict[str, BufferedReader] = {}
        """The newest orders of a worker and of a template, which must stay open."""
        self._learned = ImportRecord()
        """The records of all generations since the last template was discarded, joined."""
        self._known: Places = {}
        """The modules that the newest template is, or is being, built from."""
        self.forkserver: ForkserverClient | None = None
        """The template, as far as is known; `usable_forkserver` checks it before a start."""
        self._starts = 0
        """How many workers were started since the build began."""
        self.next_notes_writes = False
        """Whether the next worker notes what it writes; that takes time at each file that it opens."""
        self._is_warm = False
        """Whether the newest worker was started warm."""
        self._is_unread = False
        """Whether the record of the newest worker was not read yet."""
        self._building: tuple[Builder, threading.Thread] | None = None
        self.why_cold = NOT_YET
        """Why there is no template."""

    def environment(self, base: Mapping[str, str], generation: int) -> dict[str, str]:
        """`base` with the hook and an order that records this generation's imports. Raises OSError."""
        self._record = make_unnamed("reloader-record")
        self._is_unread = True
        words = self._settings.program_of(generation)
        writes, self.next_notes_writes = self.next_notes_writes, False
        ordered, self._orders["worker"] = self._hook.environment(base, words, self._record, writes=writes)
        return ordered

    def usable_forkserver(self) -> ForkserverClient | None:
        """The template for the worker that is about to be started; None where there is none."""
        self._starts += 1
        self.hold()
        if self.forkserver is not None and not self.forkserver.is_alive():
            self.discard("the template has ended")
        if self.forkserver is not None and self._is_unread:
            # The last worker was never ready, perhaps because it was started warm.
            never = import_record.why_never(self.recording().own_record())
            if never is not None:
                self.discard(never)
        self._is_warm = self.forkserver is not None
        return self.forkserver

    def prefork(self, files: Sequence[int]) -> None:
        """Let the template fork the next worker ahead; `files` is that worker's terminal, if any."""
        self._send("prefork", files)

    def _send(self, kind: str, files: Sequence[int] = ()) -> None:
        """Send a message to the template, where there is one."""
        if self.forkserver is not None:
            with suppress(OSError):
                wire.send(self.forkserver.control, kind, files, wait=False)

    def _end_forkserver(self) -> None:
        if self.forkserver is not None:
            self.forkserver.close()
        self.forkserver = None

    def discard(self, why: str, too_late: bool = False) -> None:
        """End the template, which is gone or stale, and forget its modules; posts TemplateLost.

        `too_late` tells that a worker that was forked from it is at work already.
        """
        self._end_forkserver()
        self._known = {}
        self._learned = ImportRecord()
        self.why_cold = why
        self._post(events.TemplateLost(why, too_late))
        cache.forget(self._path)

    def hold(self) -> None:
        """Pause the build, since a start needs the machine, unless STARTS have come meanwhile."""
        if self._building is not None:
            builder, _ = self._building
            if self._starts < STARTS:
                builder.hold()
            else:
                builder.go_on()

    def go_on(self, spawn: Spawn) -> None:
        """The worker is ready: learn its imports, and build a new template where that is worth it."""
        self._send("learn")
        self._is_unread = False
        self._learned = self._learned.grown_by(self.recording().own_record())
        never = import_record.why_never(self._learned)
        if never is not None:
            self.discard(never, self._is_warm)
            return
        spawn("imports", partial(cache.save_own, self._own_path, self.recording().read()))
        if self._building is not None:
            self._building[0].go_on()
            return
        names = self._preloadable(self._learned)
        if not names and not self._known:
            nothing = "there is nothing to preload"
            self.why_cold = nothing if self._learned.places else BLIND
            self._post(events.TemplateLost(self.why_cold))
        new = [name for name, places in names.items() if self._known.get(name) != places]
        if len(new) > (max(WORTH, len(self._known) / 10) if self._known else 0):
            self._begin(self._learned, spawn)

    def begin_from_cache(self, spawn: Spawn) -> None:
        """Start building from the cache of earlier runs, while the first worker starts."""
        path = self._path or ""
        record = cache.load(path, lambda why: self._post(events.CacheIgnored(path, why))).record
        if record.imported and not self._known and (os.cpu_count() or 1) > 1:
            self._begin(record, spawn)

    def _begin(self, record: ImportRecord, spawn: Spawn) -> None:
        """Start a build; posts TemplateBegun, and in the end TemplateBuilt or TemplateFailed."""
        self._starts = 0
        if self.forkserver is None:
            self.why_cold = NOT_YET
        self._known = self._preloadable(record)
        settings = self._settings
        request = BuildRequest(
            *(settings.command, settings.program, self._folder, self._tree()),
            *(self._terminals, record, self._path),
            cache.conditions(self._environment),
        )

        def environment(progress: BufferedReader, name: str) -> Mapping[str, str]:
            base, words = self._environment, settings.program
            ordered, self._orders["template"] = self._hook.environment(base, words, progress, name)
            return ordered

        builder = Builder(request, environment, lambda: self.recording().size() > 0, self._post)
        self._post(events.TemplateBegun())
        self._building = builder, spawn("template", builder.run)

    def take(self, why: str | None) -> None:
        """The build has ended: use the new template, or note why it could not be built."""
        assert self._building is not None
        builder, _ = self._building
        self._building = None
        if why is not None:
            self.why_cold = why
        else:
            self._end_forkserver()
            self.forkserver = builder.forkserver

    def _preloadable(self, record: ImportRecord) -> Places:
        return import_record.preloadable(record, self._settings.program, self._tree())

    def _tree(self) -> list[str]:
        return sorted({self._folder, *map(absolute, self._settings.watch)})

    def close(self) -> None:
        """Save the cache and end the template, and the one that is being built."""
        cache.save_own(self._own_path, self.recording().read())
        if self._building is not None:
            builder, thread = self._building
            builder.give_up(thread)
        self._end_forkserver()

    def recording(self) -> Recording:
        """The record of the newest generation."""
        return Recording(self._record, self._learned)
