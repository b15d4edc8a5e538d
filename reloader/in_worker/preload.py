"""Importing modules before the program that needs them, so that it cannot tell. Python 3.8 and newer.

Only modules that the program itself has imported are loaded, and only from where it found them. A module is
left out, and with it every module that was being imported at that moment, when its import
- raises, or imports a module that the program has found elsewhere (in the tree), or has not looked for;
- reads a variable of the environment that the program changes, or loads a native library that names one (of
  five letters or more);
- prints, since that would be seen once and not at every start;
- leaves a thread, an open descriptor or a child: threads do not survive a fork (those of numpy and pyarrow
  are known to come back in the child), the others would be shared;
- ends the interpreter, or does not end.
A failed import may leave traces. So what is not known to leave none is imported in a fork, which goes on as
the template where that is so, and else ends: the process before it goes on without these modules.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import sys
from time import monotonic

from reloader.guard.child_status import is_childless
from reloader.in_worker import native_libraries
from reloader.in_worker.bootstrap import find_by_others, places_of
from reloader.in_worker.checkpoints import Checkpoints
from reloader.in_worker.staleness import Staleness, is_installed

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# Packages whose threads are created anew in a forked child: OpenBLAS and Arrow use pthread_atfork.
RETHREAD = ("numpy", "scipy", "pyarrow")
# A shorter name among the constants of a library is no evidence that it reads the variable: `TZ`, which every
# Django project sets, stands in any text about time. The C library reads that one again with tzset(3), which
# Django calls.
TELLING = 5
NO_END = "its import does not end, or ends the interpreter"
# The least time between two checkpoints, in seconds: so much is done again where something is at fault.
BATCH = 0.05
STANDARD = (os.path.dirname(os.__file__),)


class Preload:
    """Imports the modules that a program has imported before.

    `request` has the fields of "preload": `names` to import, in their order; `places`, where the program
    found each; `missing`, names that it did not find; `changed`, environment variables that it changes;
    `refused`, names never to import; `trusted`, names whose imports left no traces before; `tree`, watched
    folders; `program_folders`, where the program's own modules are (`deciding_files` is used by
    template_process.py). `note` is called with each name before its import; `may_go_on` is called before each
    import, and may block.
    """

    def __init__(
        self,
        request: dict,  # type: ignore[type-arg]
        staleness: Staleness,
        note: Callable[[str], None],
        may_go_on: Callable[[], None],
    ) -> None:
        self.names: list[str] = request["names"]
        self.places: dict[str, list[str]] = request["places"]
        self.folders: list[str] = request["tree"]
        staleness.folders = request["program_folders"]
        self.wanted = frozenset(self.names)
        self.missing = frozenset(request["missing"])
        self.changed = frozenset(request["changed"])
        self._telling = frozenset(name for name in self.changed if len(name) >= TELLING)
        self.refused = set(request["refused"])
        self.left_out: dict[str, str] = {}
        """What is at fault since the last checkpoint, and why."""
        self.found: dict[str, str] = {}
        """What was at fault before that checkpoint, and why."""
        self._trusted = set(request["trusted"])
        self._checkpoints = Checkpoints()
        self._done: list[str] = []
        """The modules that were imported since the last checkpoint."""
        self._forked_at = 0.0
        self._staleness = staleness
        self._note = note
        self._may_go_on = may_go_on
        self._printed = -1  # the reading end of what imports print
        self._count = 0
        self._traces: tuple[set[str], set[str], bool, int] = (set(), set(), False, 0)
        self._libraries: set[str] = set()

    def run(self) -> dict[str, str]:
        """Import the modules; returns those that were left out, and why. Returns in the template alone."""
        before = [os.dup(fd) for fd in (1, 2)]
        # Of the same kind as before: a module may ask at its import whether output is a terminal.
        self._printed, printing = os.openpty() if os.isatty(1) else os.pipe()
        os.set_blocking(self._printed, False)
        read, iterate = os._Environ.__getitem__, os._Environ.__iter__
        # The function that loads every module that was found, also for the import statement.
        bootstrap: Any = sys.modules["_frozen_importlib"]
        load = bootstrap._load_unlocked

        def note_read(environment: Any, name: Any) -> Any:
            self._reads((os.fsdecode(name),))
            return read(environment, name)

        def note_all(environment: Any) -> Any:
            self._reads(self.changed)
            return iterate(environment)

        def load_and_look(spec: Any) -> Any:
            module = load(spec)
            self._look([spec.name, *_importing_now()])
            return module

        try:
            for fd in (1, 2):
                os.dup2(printing, fd)
            self._traces = self._look_for_traces()
            self._libraries = native_libraries.loaded()
            sys.meta_path.insert(0, self)
            bootstrap._load_unlocked = load_and_look
            os._Environ.__getitem__, os._Environ.__iter__ = note_read, note_all  # type: ignore[method-assign]
            self._checkpoint()
            for name in self.names:
                if name not in self.refused and name not in sys.modules:
                    if name not in self._trusted and monotonic() - self._forked_at > BATCH:
                        self._checkpoint()
                        if name in self.refused:
                            continue
                    self._import(name)
            self._checkpoints.finish()
        finally:
            os._Environ.__getitem__, os._Environ.__iter__ = read, iterate  # type: ignore[method-assign]
            bootstrap._load_unlocked = load
            sys.meta_path.remove(self)
            for fd, saved in zip((1, 2), before):  # noqa: B905 - Python 3.8 knows no strictness
                os.dup2(saved, fd)
                os.close(saved)
            os.close(printing)
            os.close(self._printed)
        return self.found

    def _checkpoint(self) -> None:
        """Fork, and go on in the child; once one has given up, in another one without what was at fault."""
        while True:
            signal.alarm(0)
            try:
                verdict = self._checkpoints.fork()
            except OSError:
                verdict = None  # then there is nothing to fall back on
            self._forked_at = monotonic()
            self._done.clear()
            self._traces = self._look_for_traces()
            if verdict is None:
                return
            self._may_go_on()  # it may have ended since the supervisor has
            at_fault = verdict.left_out
            if at_fault is None:
                at_fault = dict.fromkeys(verdict.begun[-1:], NO_END)
            if not at_fault:
                os._exit(1)
            self.refused.update(at_fault)
            self.found.update(at_fault)
            self._trusted.update(verdict.done)

    def _import(self, name: str) -> None:
        self._note(name + "\n")
        self._checkpoints.begin(name)
        try:
            __import__(name)
        except BaseException as error:
            self._leave_out([name, *_importing(error)], f"{type(error).__name__}: {error}")
        if self.left_out:
            self._checkpoints.give_up(self._done, self.left_out)
        self._done.append(name)

    def _leave_out(self, names: Iterable[str], why: str) -> None:
        for name in names:
            if name in self.wanted and name not in self.refused:
                self.left_out.setdefault(name, why)

    def _reads(self, names: Iterable[str]) -> None:
        for name in self.changed.intersection(names):
            self._leave_out(_importing_now(), f"reads {name}, which the program sets")

    # --- what an import leaves behind -------------------------------------------------------------

    def _look(self, importing: list[str]) -> None:
        """Leave out the modules that are being imported, innermost first, if there are new traces of them."""
        threads, files, child, printed = before = self._traces
        after = self._look_for_traces()
        if not importing:
            return
        if after != before:
            self._traces = after
            if after[3] > printed:
                self._leave_out(importing, "prints")
            if after[0] - threads and importing[0].partition(".")[0] not in RETHREAD:
                self._leave_out(importing, "leaves a thread running")
            if after[1] - files:
                self._leave_out(importing, "leaves a descriptor open")
            if after[2] and not child:
                self._leave_out(importing, "leaves a child running")
        if self._telling and any(".so" in place for place in self.places.get(importing[0], ())):
            new = native_libraries.loaded() - self._libraries
            self._libraries |= new
            for path in sorted(new):
                for name in native_libraries.named_in(path, self._telling):
                    self._leave_out(importing, f"loads a library that knows {name}, which the program sets")

    def _look_for_traces(self) -> tuple[set[str], set[str], bool, int]:
        """Threads, descriptors, whether there is a child, and how many bytes were printed."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        # Without the descriptor of the listing itself, which is closed by now.
        files = {name for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fdinfo/" + name)}
        try:
            self._count += len(os.read(self._printed, 1 << 20))
        except BlockingIOError:
            pass
        return set(os.listdir("/proc/self/task")), files, not is_childless(), self._count

    # --- what an import looks for -----------------------------------------------------------------

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """The finder before all others: refuses modules that must not be loaded."""
        self._may_go_on()
        self._look(_importing_now())
        if name in self.refused or name in self.left_out:
            self._refuse(name)
        spec = find_by_others(self, name, path, target)
        if spec is not None:
            self._check(name, spec)
        elif name not in self.missing:
            self._refuse(name)
        elif "." not in name:
            # If it appears, even as a plain folder, the modules that look for it may do something else.
            self._staleness.names[name] = True
        return spec

    def _check(self, name: str, spec: Any) -> None:
        if spec.origin in ("built-in", "frozen"):
            return
        places = places_of(spec)
        if places != self.places.get(name) or not is_installed(places, self.folders, STANDARD):
            self._refuse(name)
        if "." not in name:
            self._staleness.names[name] = spec.origin is None
            if self._staleness.shadow_of([name]) is not None:
                self._refuse(name)
        for place in places:
            self._staleness.see(place)

    def _refuse(self, name: str) -> None:
        self._leave_out([name, *_importing_now()], f"asks for {name}")
        raise ModuleNotFoundError(f"{name} is not loaded here", name=name)


def _importing_now() -> list[str]:
    """The names of the modules that are being imported, the innermost first."""
    found = []
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            found.append(str(frame.f_globals.get("__name__")))
        frame = frame.f_back
    return found


def _importing(error: BaseException) -> list[str]:
    """The names of the modules that were being imported when this was raised."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "<module>":
            found.append(str(traceback.tb_frame.f_globals.get("__name__")))
        traceback = traceback.tb_next
    return found
