"""Building one template, in a thread of its own, which posts the result.

Rule: the thread is given all that it needs at its beginning. Until it has posted the result, the main thread
only tells it to wait, to go on or to give up. Times are in seconds.
"""

from __future__ import annotations

import _socket
import os
import threading
import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from io import BufferedReader
from typing import Any, NamedTuple

from reloader.guard import wire
from reloader.messages import events
from reloader.processes.forkserver_client import ForkserverClient
from reloader.warm import cache, import_record
from reloader.warm.hook import make_unnamed
from reloader.warm.import_record import ImportRecord
from reloader.warm.launch import TemplateLaunch

# How many templates are tried, where one ends or cannot fork. Each leaves out what those before have found.
PASSES = 8
# How long the end of the run waits for the thread.
PATIENCE = 5.0
# How the reason begins for which a module is left out that another one stands behind.
ASKS = "asks for "
# How often the thread asks whether it may begin.
LOOK = 0.05


# What was left out is tried again after this, in seconds of the wall clock: its reason may have gone.
TRIED_AGAIN = 7 * 86400.0


class BuildRequest(NamedTuple):
    """What a template is built from."""

    command: Sequence[str]
    program: Sequence[str]
    folder: str
    """The folder in which the worker runs."""
    tree: Sequence[str]
    """The folders whose modules are never loaded."""
    terminals: tuple[bool, bool]
    """Whether the worker has a pseudo-terminal, or else reads from one."""
    record: ImportRecord
    path: str | None
    """The cache file for the record and for what was left out."""
    conditions: str
    """The conditions under which modules are left out, see `cache.conditions`."""


class Builder:
    """Builds one template. `run` is the thread; the main thread calls the other methods."""

    def __init__(
        self,
        request: BuildRequest,
        environment: Callable[[BufferedReader, str], Mapping[str, str]],
        may_begin: Callable[[], bool],
        post: Callable[[events.Event], None],
    ) -> None:
        """`environment` makes a template's environment from a file to record to and a name to connect to.

        `may_begin` tells whether the hook has run in the worker. Before that it is not known whether the
        hook works there, and a template in which it does not would be another worker.
        """
        self._request = request
        self._environment = environment
        self._may_begin = may_begin
        self._post = post
        self._may_build = threading.Event()
        self._may_build.set()
        self._control: _socket.socket | None = None
        """The socket of the template that is being built; at first, the one that it connects to."""
        self._closing = False
        self._trusted: list[str] = []
        """The modules whose imports have left no traces in an earlier run."""
        self.forkserver: ForkserverClient | None = None
        """The template, once TemplateBuilt was posted."""

    # --- the main thread --------------------------------------------------------------------------

    def hold(self) -> None:
        """Pause: a restart needs the machine."""
        self._may_build.clear()
        self._tell("hold")

    def go_on(self) -> None:
        """Go on after `hold`."""
        self._may_build.set()
        self._tell("go")

    def give_up(self, thread: threading.Thread) -> None:
        """End the template; returns when the thread has ended, at the latest after PATIENCE."""
        self._closing = True
        self._may_build.set()
        self._hang_up()
        thread.join(PATIENCE)
        if self.forkserver is not None:
            self.forkserver.close()

    def _tell(self, kind: str) -> None:
        control = self._control
        if control is not None:
            with suppress(OSError):
                wire.send(control, kind, wait=False)

    def _hang_up(self) -> None:
        control = self._control
        if control is not None:
            with suppress(OSError):
                control.shutdown(_socket.SHUT_RDWR)

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Build the template; posts TemplateBuilt or TemplateFailed, or nothing after `give_up`."""
        try:
            answer = self._build()
        except OSError as error:
            answer = events.TemplateFailed((error.strerror or str(error)).lower())
        if answer is not None:
            self._post(answer)

    def _build(self) -> events.TemplateBuilt | events.TemplateFailed | None:
        began = time.monotonic()
        record, path, conditions = self._request.record, self._request.path, self._request.conditions
        before = cache.load(path)
        refused: dict[str, str] = {}
        tried = time.time()
        if before.conditions == conditions and 0 <= tried - before.tried < TRIED_AGAIN:
            same = {name for name, found in before.record.places.items() if record.places.get(name) == found}
            refused = still_left_out(before.left_out, same)
            self._trusted = sorted(same - refused.keys())
            tried = before.tried
        for _ in range(PASSES):
            self._may_build.wait()
            while not self._may_begin() and not self._closing:
                time.sleep(LOOK)
            with make_unnamed("reloader-progress") as progress:
                built = None if self._closing else self._try(refused, progress)
                if self._closing:
                    if built is not None:
                        built[0].close()
                    return None
                if built is None:
                    names = os.pread(progress.fileno(), 1 << 20, 0).decode(errors="replace").splitlines()
                    if not names or names[-1] in refused:
                        return events.TemplateFailed("the template ended before it was built")
                    refused[names[-1]] = "its import does not end, or ends the interpreter"
                    continue
            forkserver, answer = built
            refused.update(answer["left_out"])
            if answer["is_clean"]:
                forkserver.collect_members()
                cache.save(path, cache.Cache(record, refused, conditions, tried))
                self.forkserver = forkserver
                return events.TemplateBuilt(answer["modules"], time.monotonic() - began)
            forkserver.close()
        return events.TemplateFailed("modules to leave out are found again and again")

    def _try(
        self, refused: Mapping[str, str], progress: BufferedReader
    ) -> tuple[ForkserverClient, wire.Received] | None:
        """Launch a template and let it preload; it and its answer, or None where it ends before."""
        request, record = self._request, self._request.record
        name = f"reloader-{os.urandom(16).hex()}"
        launch = TemplateLaunch(request.command, self._environment(progress, name), name, *request.terminals)
        self._control = launch.listener
        if self._closing:
            self._hang_up()
        forkserver = launch.forkserver()
        if forkserver is None:
            return None
        self._control = forkserver.control
        if self._closing:
            self._hang_up()
        fields: dict[str, Any] = {
            "names": list(import_record.preloadable(record, request.program, request.tree)),
            "places": {name: list(places) for name, places in record.places.items()},
            "missing": list(record.missing),
            "changed": list(record.changed),
            "refused": list(refused),
            "trusted": [name for name in self._trusted if name not in refused],
            "tree": list(request.tree),
            "program_folders": import_record.program_folders(record, request.folder),
            "deciding_files": import_record.deciding_files(request.command, request.program, request.folder),
        }
        received = None
        with suppress(OSError):
            wire.send(forkserver.control, "preload", **fields)
            # An earlier "hold" may not have reached it.
            if not self._may_build.is_set():
                self._tell("hold")
            received = wire.receive(forkserver.control)
        self._control = None
        if received is None:
            forkserver.close()
            return None
        return forkserver, received


def still_left_out(left_out: Mapping[str, str], names: Container[str]) -> dict[str, str]:
    """Those modules, among these names, that are left out for reasons that still hold.

    Where one asks for another that is left out no more, that reason is gone.
    """
    kept = {name: why for name, why in left_out.items() if name in names}
    while True:
        asked = {name: why[len(ASKS) :] for name, why in kept.items() if why.startswith(ASKS)}
        back = [name for name, other in asked.items() if other in left_out and other not in kept]
        if not back:
            return kept
        for name in back:
            del kept[name]
