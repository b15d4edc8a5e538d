"""The supervisor's side of the template: when it is built, and what environment makes a start recorded.

A thread builds it, and hands over a nursery that is ready. Times are in seconds.
"""

from __future__ import annotations

import _socket
import marshal
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BufferedReader
from queue import Empty, SimpleQueue

from reloader.events import Event, TemplateBuilt, TemplateFailed
from reloader.running import wire
from reloader.running.nursery import Nursery
from reloader.running.warm import modules
from reloader.running.warm.boot import Boot, end_group
from reloader.running.warm.modules import Record
from reloader.running.warm.seed import ORDER
from reloader.settings import Settings, Trigger

_HERE = os.path.dirname(os.path.abspath(__file__))
HOOK = os.path.join(_HERE, "hook")
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))
# What must be left out shows in a fresh process only after what was left out before is refused there.
PASSES = 8
# At the end, the thread that builds gets this long, in seconds.
PATIENCE = 5.0
# So many new modules, or a tenth of those that are preloaded, are worth a new template.
WORTH = 20

# The first line of a record is looked for this often, in seconds.
LOOK = 0.05

Places = dict[str, tuple[str, ...]]
Spawn = Callable[[str, Callable[[], None]], threading.Thread]


class Template:
    """Learns from each generation, and has a nursery of warm workers when it knows enough."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        folder: str,
        terminals: tuple[bool, bool],
        post: Callable[[Event], None],
    ) -> None:
        """`environment` is that of a worker, which runs in the folder.

        `terminals` tell whether it has a terminal, or else reads from one.
        """
        self._settings = settings
        self._environment = environment
        self._terminals = terminals
        self._folder = folder
        self._post = post
        self._path = modules.path_for(settings.program, folder, environment)
        self._record: BufferedReader | None = None
        self._learned = Record()
        """What all generations have told since the last template was discarded."""
        self._known: Places = {}
        """The names that the last template was built from, or is, and their places."""
        self._built: SimpleQueue[Nursery] = SimpleQueue()
        self._nursery: Nursery | None = None
        self._thread: threading.Thread | None = None
        self._control: _socket.socket | None = None
        self._may_build = threading.Event()
        self._closing = False
        self.why_cold = "no template yet"
        """Why the next start is not warm, should it not be."""

    # --- the main thread --------------------------------------------------------------------------

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment in which the coming start is recorded."""
        # As a file object it is closed once nobody reads it any more.
        self._record = open(os.memfd_create("reloader-record"), "rb")  # noqa: SIM115
        return self._with_order(base, self._record.fileno(), None)

    def nursery(self) -> Nursery | None:
        """What makes warm workers; None while there is none."""
        self.hold()
        with suppress(Empty):
            while True:
                new = self._built.get_nowait()
                _end(self._nursery)
                self._nursery = new
        if self._nursery is not None and not self._nursery.is_alive():
            self.discard("the template has ended")
        return self._nursery

    def discard(self, why: str) -> None:
        """What it has loaded is not what a worker would load now, or it is gone."""
        _end(self._nursery)
        self._nursery = None
        self._known = {}
        self._learned = Record()
        self.why_cold = why
        with suppress(OSError):
            os.unlink(self._path)

    def hold(self) -> None:
        """Somebody else needs the machine: building it waits."""
        self._may_build.clear()
        self._tell(wire.HOLD)

    def go_on(self, spawn: Spawn) -> None:
        """The worker is ready: build a template, or a better one, if there is something to gain."""
        self._may_build.set()
        self._tell(wire.GO)
        if self._thread is not None and self._thread.is_alive():
            return
        self._learned = self._learned.grown_by(modules.read(self.recorded()))
        never = modules.why_never(self._learned)
        if never is not None:
            self.discard(never)
            return
        if not self._learned.places and not self._known:
            self.why_cold = "its interpreter cannot be looked into"
        names = self._preloadable(self._learned)
        new = [name for name, places in names.items() if self._known.get(name) != places]
        if len(new) > (max(WORTH, len(self._known) / 10) if self._known else 0):
            self._begin(self._learned, spawn)

    def begin_from_cache(self, spawn: Spawn) -> None:
        """Before anything is known of this run: build what the last one would have built."""
        record = modules.load(self._path).record
        if record.imported and not self._known and (os.cpu_count() or 1) > 1:
            self._may_build.set()
            self._begin(record, spawn)

    def _begin(self, record: Record, spawn: Spawn) -> None:
        if self._nursery is None:
            self.why_cold = "no template yet"
        self._known = self._preloadable(record)
        self._thread = spawn("template", lambda: self._build_or_tell(record))

    def _preloadable(self, record: Record) -> Places:
        return modules.preloadable(record, self._settings.program, self._tree())

    def _tree(self) -> list[str]:
        return sorted({self._folder, *map(os.path.abspath, self._settings.watch)})

    def close(self) -> None:
        """End every template."""
        if self._settings.trigger is Trigger.LOADED:
            path = modules.path_for(self._settings.program, self._folder, self._environment, "own")
            modules.save_own(path, modules.read(self.recorded()))
        self._closing = True
        self._may_build.set()
        self._hang_up()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        self.nursery()
        _end(self._nursery)

    def _hang_up(self) -> None:
        control = self._control
        if control is not None:
            with suppress(OSError):
                control.shutdown(_socket.SHUT_RDWR)

    def _tell(self, word: int) -> None:
        control = self._control
        if control is not None:
            with suppress(OSError):
                wire.send(control, (word,))

    def recorded(self) -> bytes:
        """What the recorder has told of the newest generation so far; from any thread."""
        record = self._record
        return b"" if record is None else os.pread(record.fileno(), os.fstat(record.fileno()).st_size, 0)

    def _with_order(self, base: Mapping[str, str], record: int, control: str | None) -> dict[str, str]:
        path, status = base.get("PYTHONPATH"), os.fstat(record)
        order = {
            "words": list(self._settings.program),
            "path": path,
            # With its identity: a worker may live longer than the number means this file.
            "record": (f"/proc/{os.getpid()}/fd/{record}", status.st_dev, status.st_ino),
            "control": control,
            "package": PACKAGE,
        }
        # Version 2 of marshal's format is read by every Python 3.
        return {
            **base,
            "PYTHONPATH": os.pathsep.join(filter(None, (HOOK, path))),
            ORDER: marshal.dumps(order, 2).hex(),
        }

    def _is_closing(self) -> bool:
        return self._closing

    # --- the thread that builds -------------------------------------------------------------------

    def _build_or_tell(self, record: Record) -> None:
        try:
            why = self._build(record)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
        if why is not None:
            self.why_cold = why
            self._post(TemplateFailed(why))

    def _build(self, record: Record) -> str | None:
        """Why there is none; None where there is one, or nobody wants it any more."""
        began = time.monotonic()
        kept = modules.load(self._path)
        refused = {
            name: why
            for name, why in kept.left_out.items()
            if kept.record.places.get(name) == record.places.get(name)
        }
        for _ in range(PASSES):
            self._may_build.wait()
            while not self.recorded() and not self._is_closing():
                # A way in that is closed would make the template another worker.
                time.sleep(LOOK)
            if self._is_closing():
                return None
            progress = os.memfd_create("reloader-progress")
            try:
                nursery, answer = self._try(record, refused, progress)
                if nursery is None or answer is None:
                    _end(nursery)
                    last = os.pread(progress, 1 << 20, 0).decode(errors="replace").splitlines()
                    if self._is_closing():
                        return None
                    if not last or last[-1] in refused:
                        return "the template ended before it was built"
                    refused[last[-1]] = "its import does not end, or ends the interpreter"
                    continue
            finally:
                os.close(progress)
            _, count, left_out = answer
            if not left_out:
                modules.save(self._path, modules.Kept(record, refused))
                self._built.put(nursery)
                self._post(TemplateBuilt(count, time.monotonic() - began))
                return None
            refused.update(left_out)
            _end(nursery)
        return "modules to leave out are found again and again"

    def _try(
        self, record: Record, refused: Mapping[str, str], progress: int
    ) -> tuple[Nursery | None, tuple[int, int, dict[str, str]] | None]:
        """Boot a template; what it answers, None when it does not."""
        name = f"reloader-{os.urandom(16).hex()}"
        environment = self._with_order(self._environment, progress, name)
        boot = Boot(self._settings.command, environment, name, *self._terminals)
        self._control = boot.listener
        if self._is_closing():
            self._hang_up()
        nursery = boot.nursery()
        if nursery is None:
            return None, None
        self._control = nursery.control
        if self._is_closing():
            self._hang_up()
        request = (
            *(list(self._preloadable(record)), {name: list(record.places[name]) for name in record.places}),
            *(list(record.missing), list(record.changed), list(refused), self._tree()),
            modules.program_folders(record, self._folder),
        )
        files = modules.deciding_files(self._settings.command, self._settings.program, self._folder)
        received = None
        with suppress(OSError):
            wire.send(nursery.control, (wire.PRELOAD, request, files))
            # Whoever wanted to hold it before may not have reached it.
            if not self._may_build.is_set():
                self._tell(wire.HOLD)
            received = wire.receive(nursery.control)
        self._control = None
        return nursery, None if received is None else received[0]


def _end(nursery: Nursery | None) -> None:
    """End a template; the guards that it has made go on."""
    if nursery is not None:
        if nursery.is_alive():
            end_group(nursery.pid)
        nursery.close()
