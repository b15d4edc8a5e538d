"""The supervisor's side of the template: from what it is built, and when, and when it is thrown away."""

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
from reloader.warm.builder import Builder, BuildRequest, end
from reloader.warm.hook import BLIND, Hook, make_unnamed
from reloader.warm.import_record import ImportRecord, Recording

# So many new modules, or a tenth of those that are preloaded, are worth a new template.
WORTH = 20

# So many starts make the building of one template wait; who saves so often that the worker is hardly ever
# ready would never have one else. It is done at low priority.
STARTS = 3

NOT_YET = "no template yet"

Places = dict[str, tuple[str, ...]]
Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class Template:
    """Learns from each generation, and has a forkserver of warm workers when it knows enough."""

    def __init__(
        self,
        settings: Settings,
        hook: Hook,
        environment: Mapping[str, str],
        folder: str,
        terminals: tuple[bool, bool],
        post: Callable[[events.Event], None],
    ) -> None:
        """`environment` is that of a worker, which runs in the folder.

        `terminals` tell whether it has a terminal, or else reads from one.
        """
        self._settings = settings
        self._hook = hook
        self._environment = environment
        self._terminals = terminals
        self._folder = folder
        self._post = post
        self._path = cache.path_for(settings.program, folder, environment)
        self._own_path = cache.path_for(settings.program, folder, environment, "own")
        # As file objects they are closed once nobody needs them any more.
        self._record: BufferedReader | None = None
        self._orders: dict[str, BufferedReader] = {}
        """The last order of a worker, and of a template."""
        self._learned = ImportRecord()
        """What all generations have told since the last template was discarded."""
        self._known: Places = {}
        """The names that the last template was built from, or is, and their places."""
        self._forkserver: ForkserverClient | None = None
        self._starts = 0
        """How many have come since the building began."""
        self._is_warm = False
        """Whether the last one was."""
        self._is_untold = False
        """Whether nobody has looked at what it imports."""
        self._building: tuple[Builder, threading.Thread] | None = None
        self.why_cold = NOT_YET
        """Why the next start is not warm, should it not be."""

    def environment(self, base: Mapping[str, str], generation: int) -> dict[str, str]:
        """The environment in which the coming start, that of this generation, is recorded. Raises OSError."""
        self._record = make_unnamed("reloader-record")
        self._is_untold = True
        words = self._settings.program_of(generation)
        ordered, self._orders["worker"] = self._hook.environment(base, words, self._record)
        return ordered

    def forkserver(self) -> ForkserverClient | None:
        """What makes warm workers; None while there is none."""
        self._starts += 1
        self.hold()
        if self._forkserver is not None and not self._forkserver.is_alive():
            self.discard("the template has ended")
        if self._forkserver is not None and self._is_untold:
            # The last one was never ready; perhaps because it was warm.
            never = import_record.why_never(import_record.read(self._recorded()))
            if never is not None:
                self.discard(never)
        self._is_warm = self._forkserver is not None
        return self._forkserver

    @property
    def current(self) -> ForkserverClient | None:
        """What would make the next worker; `forkserver` makes sure that it can."""
        return self._forkserver

    def prefork(self, files: Sequence[int]) -> None:
        """A start is likely to follow: fork ahead what does not depend on it.

        `files` is the terminal that the worker will have, if any.
        """
        self._say("prefork", files)

    def _say(self, kind: str, files: Sequence[int] = ()) -> None:
        """To the template, where there is one."""
        if self._forkserver is not None:
            with suppress(OSError):
                wire.send(self._forkserver.control, kind, files, wait=False)

    def discard(self, why: str, too_late: bool = False) -> None:
        """What it has loaded is not what a worker would load now, or it is gone; posts TemplateLost.

        `too_late` tells that a worker is at work already that was made from it.
        """
        end(self._forkserver)
        self._forkserver = None
        self._known = {}
        self._learned = ImportRecord()
        self.why_cold = why
        self._post(events.TemplateLost(why, too_late))
        cache.forget(self._path)

    def hold(self) -> None:
        """Somebody else needs the machine: building it waits, if it has not waited often enough."""
        if self._building is not None:
            builder, _ = self._building
            if self._starts < STARTS:
                builder.hold()
            else:
                builder.go_on()

    def go_on(self, spawn: Spawn) -> None:
        """The worker is ready: build a template, or a better one, if there is something to gain."""
        self._say("learn")
        self._is_untold = False
        self._learned = self._learned.grown_by(import_record.read(self._recorded()))
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
        """Before anything is known of this run: build what the last one would have built."""
        path = self._path or ""
        record = cache.load(path, lambda why: self._post(events.CacheIgnored(path, why))).record
        if record.imported and not self._known and (os.cpu_count() or 1) > 1:
            self._begin(record, spawn)

    def _begin(self, record: ImportRecord, spawn: Spawn) -> None:
        """Start building; posts TemplateBegun, and in the end TemplateBuilt or TemplateFailed."""
        self._starts = 0
        if self._forkserver is None:
            self.why_cold = NOT_YET
        self._known = self._preloadable(record)
        settings = self._settings
        plan = BuildRequest(
            *(settings.command, settings.program, self._folder, self._tree()),
            *(self._terminals, record, self._path),
            cache.conditions(self._environment),
        )

        def environment(progress: BufferedReader, name: str) -> Mapping[str, str]:
            base, words = self._environment, settings.program
            ordered, self._orders["template"] = self._hook.environment(base, words, progress, name)
            return ordered

        builder = Builder(plan, environment, lambda: bool(self._recorded()), self._post)
        self._post(events.TemplateBegun())
        self._building = builder, spawn("template", builder.run)

    def take(self, why: str | None) -> None:
        """It has been built, or (why not) could not be."""
        assert self._building is not None
        builder, _ = self._building
        self._building = None
        if why is not None:
            self.why_cold = why
        else:
            end(self._forkserver)
            self._forkserver = builder.forkserver

    def _preloadable(self, record: ImportRecord) -> Places:
        return import_record.preloadable(record, self._settings.program, self._tree())

    def _tree(self) -> list[str]:
        return sorted({self._folder, *map(absolute, self._settings.watch)})

    def close(self) -> None:
        """End every template."""
        cache.save_own(self._own_path, self.recording().read())
        if self._building is not None:
            builder, thread = self._building
            builder.give_up(thread)
        end(self._forkserver)

    def recording(self) -> Recording:
        """What the newest generation tells."""
        return Recording(self._record, self._learned)

    def _recorded(self) -> bytes:
        return self.recording().told()
