"""Building one template, in a thread of its own, which posts what became of it.

Rule: the thread works on what it was given at its beginning; what it has built may be looked at once it has
posted so. Until then it is told to wait, to go on or to give up, and nothing else. Times are in seconds.
"""

from __future__ import annotations

import _socket
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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

# What must be left out shows in a fresh process only after what was left out before is refused there.
PASSES = 8
# At the end, the thread gets this long, in seconds.
PATIENCE = 5.0
# The first line of a record is looked for this often, in seconds.
LOOK = 0.05


class BuildRequest(NamedTuple):
    """What is to be built."""

    command: Sequence[str]
    program: Sequence[str]
    folder: str
    """Where the worker runs."""
    tree: Sequence[str]
    """The folders whose modules are never loaded."""
    terminals: tuple[bool, bool]
    """Whether the worker has one, or else reads from one."""
    record: ImportRecord
    path: str | None
    """Where it is kept between runs what was preloaded and what was left out."""
    conditions: str
    """Under which what is left out is left out."""


class Builder:
    """One template in the making. `run` is the thread; the other methods are called from the main one."""

    def __init__(
        self,
        plan: BuildRequest,
        environment: Callable[[BufferedReader, str], Mapping[str, str]],
        may_begin: Callable[[], bool],
        post: Callable[[events.Event], None],
    ) -> None:
        """`environment` makes a template's, of a file to record to and a name to connect to.

        `may_begin` says whether the worker's own start has come past the place where a template is made.
        """
        self._plan = plan
        self._environment = environment
        self._may_begin = may_begin
        self._post = post
        self._may_build = threading.Event()
        self._may_build.set()
        self._control: _socket.socket | None = None
        self._closing = False
        self.forkserver: ForkserverClient | None = None
        """What it has built, once it has posted TemplateBuilt."""

    # --- from the main thread ---------------------------------------------------------------------

    def hold(self) -> None:
        """Somebody else needs the machine."""
        self._may_build.clear()
        self._tell("hold")

    def go_on(self) -> None:
        """Nobody does any more."""
        self._may_build.set()
        self._tell("go")

    def give_up(self, thread: threading.Thread) -> None:
        """Nobody wants it any more; returns when nothing of it is left, or the patience is over."""
        self._closing = True
        self._may_build.set()
        self._hang_up()
        thread.join(PATIENCE)
        end(self.forkserver)

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
        """Build it; posts TemplateBuilt or TemplateFailed, or nothing when nobody wants it any more."""
        try:
            answer = self._build()
        except OSError as error:
            answer = events.TemplateFailed((error.strerror or str(error)).lower())
        if answer is not None:
            self._post(answer)

    def _build(self) -> events.TemplateBuilt | events.TemplateFailed | None:
        began = time.monotonic()
        record = self._plan.record
        before = cache.load(self._plan.path)
        refused = {
            name: why
            for name, why in before.left_out.items()
            if before.conditions == self._plan.conditions
            and before.record.places.get(name) == record.places.get(name)
        }
        for _ in range(PASSES):
            self._may_build.wait()
            while not self._may_begin() and not self._is_closing():
                # A way in that is closed would make the template another worker.
                time.sleep(LOOK)
            if self._is_closing():
                return None
            with make_unnamed("reloader-progress") as progress:
                forkserver, answer = self._try(refused, progress)
                if forkserver is None or answer is None:
                    end(forkserver)
                    last = os.pread(progress.fileno(), 1 << 20, 0).decode(errors="replace").splitlines()
                    if self._is_closing():
                        return None
                    if not last or last[-1] in refused:
                        return events.TemplateFailed("the template ended before it was built")
                    refused[last[-1]] = "its import does not end, or ends the interpreter"
                    continue
            if not (left_out := answer["left_out"]):
                cache.save(self._plan.path, cache.Cache(record, refused, self._plan.conditions))
                self.forkserver = forkserver
                return events.TemplateBuilt(answer["modules"], time.monotonic() - began)
            refused.update(left_out)
            end(forkserver)
        return events.TemplateFailed("modules to leave out are found again and again")

    def _try(
        self, refused: Mapping[str, str], progress: BufferedReader
    ) -> tuple[ForkserverClient | None, wire.Received | None]:
        """Boot a template; what it answers, None when it does not."""
        plan, record = self._plan, self._plan.record
        name = f"reloader-{os.urandom(16).hex()}"
        boot = TemplateLaunch(plan.command, self._environment(progress, name), name, *plan.terminals)
        self._control = boot.listener
        if self._is_closing():
            self._hang_up()
        forkserver = boot.forkserver()
        if forkserver is None:
            return None, None
        self._control = forkserver.control
        if self._is_closing():
            self._hang_up()
        names = import_record.preloadable(record, plan.program, plan.tree)
        request: dict[str, Any] = {
            "names": list(names),
            "places": {name: list(record.places[name]) for name in record.places},
            "missing": list(record.missing),
            "changed": list(record.changed),
            "refused": list(refused),
            "tree": list(plan.tree),
            "program_folders": import_record.program_folders(record, plan.folder),
        }
        files = import_record.deciding_files(plan.command, plan.program, plan.folder)
        received = None
        with suppress(OSError):
            wire.send(forkserver.control, "preload", **request, deciding_files=files)
            # Whoever wanted to hold it before may not have reached it.
            if not self._may_build.is_set():
                self._tell("hold")
            received = wire.receive(forkserver.control)
        self._control = None
        return forkserver, received

    def _is_closing(self) -> bool:
        return self._closing


def end(forkserver: ForkserverClient | None) -> None:
    """End a template, with what stands in front of it; the guards that it has made go on."""
    if forkserver is not None:
        forkserver.close()
