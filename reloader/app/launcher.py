"""Chooses what starts a worker: the forkserver, or the template where starts are warm. Main thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence

from reloader.common.run_folder import run_folder
from reloader.messages import events
from reloader.processes.forkserver_client import ForkserverClient
from reloader.processes.launch import Launched, launch
from reloader.processes.order import worker_environment
from reloader.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader

    from reloader.warm.hook import Hook
    from reloader.warm.import_record import Recording
    from reloader.warm.template import Template

Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class Launcher:
    """Owns the forkserver and the template, and makes the environment of each worker."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        terminals: tuple[bool, bool],
        launched: Launched,
        post: Callable[[events.Event], None],
        spawn: Spawn,
    ) -> None:
        """`terminals`: whether workers print to a pseudo-terminal, and whether they only read from one."""
        self._settings = settings
        self._environment = environment
        self._terminals = terminals
        self._launched: Launched | None = launched
        self._post = post
        self._spawn = spawn
        self.folder = run_folder()
        self._forkserver: ForkserverClient | None = None
        self._last: ForkserverClient | None = None
        """The forkserver or template that the newest worker was started by."""
        self._hook = self._make_hook()
        self._order: BufferedReader | None = None
        """The hook's order for the newest worker, which has to stay open; a template keeps its own."""
        self._template = self._make_template()

    def choose(self) -> tuple[ForkserverClient, events.StartKind | None]:
        """The template, where there is one, or else the forkserver, to start the next worker by.

        A forkserver that has ended is replaced. Raises OSError when none can be started.
        """
        kind: events.StartKind | None = None
        if self._template is not None:
            if (warm := self._template.usable_forkserver()) is not None:
                self._last = warm
                return warm, events.WarmStart()
            if self._settings.warm:
                kind = events.ColdStart(self._template.why_cold)
        elif self._settings.warm:
            from reloader.warm.hook import BLIND

            kind = events.ColdStart(BLIND)
        if self._forkserver is not None and not self._forkserver.is_alive():
            self._forkserver.close()
            self._forkserver = None
        if self._forkserver is None:
            launched, self._launched = self._launched or launch(), None
            self._forkserver = ForkserverClient(launched)
        self._last = self._forkserver
        return self._forkserver, kind

    def environment(self, generation: int) -> Mapping[str, str]:
        """The environment of the next worker. Raises OSError."""
        environment = worker_environment(self._environment, generation, self._settings.python)
        if self._template is not None:
            return self._template.environment(environment, generation)
        if self._hook is None:
            return environment
        # The hook finds the worker among the processes of the command by its command line.
        if words := self._settings.program_of(generation):
            environment, self._order = self._hook.environment(environment, words)
            return environment
        return self._hook.without_order(environment)

    def lost(self, why: str) -> None:
        """The start of the newest worker was lost: where a template was to make it, that is discarded."""
        if self._template is not None and self._last is self._template.forkserver is not None:
            self._template.discard(why)

    def abandon(self) -> None:
        """Kill the forkserver or template that was to start the newest worker: it does not answer."""
        if self._last is not None:
            self._last.kill()

    def started(self, generation: int) -> None:
        """A worker is being started; at the first one, a template is built from the cache of earlier runs."""
        if self._template is not None and generation == 1 and self._settings.warm:
            self._template.begin_from_cache(self._spawn)

    def hold(self) -> None:
        """Pause the building of a template: a restart needs the machine now."""
        if self._template is not None:
            self._template.hold()

    @property
    def template(self) -> ForkserverClient | None:
        """The template that would make the next worker, if there is one."""
        return None if self._template is None else self._template.forkserver

    def prefork(self, files: Sequence[int]) -> None:
        """Let the template fork the next worker ahead; `files` is its terminal, if any."""
        if self._template is not None:
            self._template.prefork(files)

    def learn(self) -> None:
        """The worker is ready: learn its imports, and build a template where that is worth it."""
        if self._template is not None and self._settings.warm:
            self._template.go_on(self._spawn)

    def note_writes(self) -> None:
        """Let the next worker note which files it writes, where it can."""
        if self._template is not None:
            self._template.next_notes_writes = True

    def take_template(self, why: str | None) -> None:
        """A template was built, or could not be (then `why` says the reason)."""
        if self._template is not None:
            self._template.take(why)

    def recording(self) -> Recording | None:
        """The record of the newest worker's imports; None where imports are not recorded."""
        return None if self._template is None else self._template.recording()

    def close(self) -> None:
        """End the forkserver and the templates. The guards that they have forked go on."""
        if self._template is not None:
            self._template.close()
        if self._forkserver is not None:
            self._forkserver.close()

    def _make_hook(self) -> Hook | None:
        if not self._settings.python:
            return None
        from reloader.warm.hook import Hook

        hook = Hook(self._settings, self._environment)
        learns = self._settings.learns and self._settings.program
        return hook if hook.is_possible and (hook.lines or learns) else None

    def _make_template(self) -> Template | None:
        if not self._settings.learns or not self._settings.program or self._hook is None:
            return None
        from reloader.warm.template import Template

        environment = worker_environment(self._environment, 0, self._settings.python)
        folder = os.path.normpath(os.path.join(self.folder, self._settings.folder))
        return Template(self._settings, self._hook, environment, folder, self._terminals, self._post)
