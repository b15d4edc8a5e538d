"""Importing modules before the program that needs them, so that it cannot tell. Python 3.8 and newer.

A module is left out, and with it every module that was being imported at that moment, when its import
- raises, or catches that a module which the program did import cannot be imported yet;
- asks for a module of the tree, or for Django's settings, which are one;
- prints, since that would be seen once and not at every start;
- leaves a thread running, since threads do not survive a fork (numpy's are known to come back in the child).
What was left out once is refused the next time, in a fresh process: a failed import may have left traces.
"""

from __future__ import annotations

import os
import sys

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

# No module has this name: whoever asks for Django's settings asks for it, and is found out.
SETTINGS = "reloader_refuses_settings"
# Their threads are made anew in a forked child (OpenBLAS does so by pthread_atfork).
RETHREAD = ("numpy", "scipy")
_INSTALLED = ("site-packages", "dist-packages")


class Preload:
    """One pass over names, in their order. `tell` hears of each before its import.

    `may_go_on` is called now and then, and may block.
    """

    def __init__(
        self,
        names: Iterable[str],
        refused: Iterable[str],
        tell: Callable[[str], None],
        may_go_on: Callable[[], None],
    ) -> None:
        self.names = list(names)
        self.wanted = frozenset(self.names)
        self.refused = frozenset(refused)
        self.left_out: dict[str, str] = {}
        self.loaded: list[str] = []
        self._tell = tell
        self._may_go_on = may_go_on
        self._asked: list[str] = []

    def run(self) -> dict[str, str]:
        """Import what can be; returns what must be left out, and why."""
        had_settings = os.environ.get("DJANGO_SETTINGS_MODULE")
        os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
        sys.meta_path.insert(0, self)
        before = [os.dup(fd) for fd in (1, 2)]
        # Of the same kind: a module may ask at its import whether it prints to a terminal.
        printed, printing = os.openpty() if os.isatty(1) else os.pipe()
        os.set_blocking(printed, False)
        try:
            for fd in (1, 2):
                os.dup2(printing, fd)
            for name in self.names:
                if name not in self.refused and name not in self.left_out and name not in sys.modules:
                    self._import(name, printed)
        finally:
            for fd, saved in zip((1, 2), before):  # noqa: B905 - Python 3.8 knows no strictness
                os.dup2(saved, fd)
                os.close(saved)
            os.close(printing)
            os.close(printed)
            sys.meta_path.remove(self)
            if had_settings is None:
                del os.environ["DJANGO_SETTINGS_MODULE"]
            else:
                os.environ["DJANGO_SETTINGS_MODULE"] = had_settings
        return self.left_out

    def _import(self, name: str, printed: int) -> None:
        self._tell(name + "\n")
        _take(printed)
        threads = _threads()
        self._asked = []
        try:
            __import__(name)
        except BaseException as error:
            self._leave_out([name, *_importing(error)], f"{type(error).__name__}: {error}")
            return
        for asked in self._asked:
            if asked in self.wanted and asked not in sys.modules:
                self._leave_out([name], f"goes on without {asked}")
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        if _take(printed):
            self._leave_out([name], "prints")
        elif _threads() > threads and name.partition(".")[0] not in RETHREAD:
            self._leave_out([name], "leaves a thread running")
        else:
            self.loaded.append(name)

    def _leave_out(self, names: Iterable[str], why: str) -> None:
        for name in names:
            if name in self.wanted:
                self.left_out.setdefault(name, why)

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """As a finder before all others: see what is asked for, and refuse what must not be loaded."""
        self._may_go_on()
        self._asked.append(name)
        if name == SETTINGS or name in self.refused or name in self.left_out:
            self._refuse(name)
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                if not is_installed(spec.origin, spec.submodule_search_locations):
                    self._refuse(name)
                return spec
        return None

    def _refuse(self, name: str) -> None:
        self._leave_out([name, *_importing_now()], f"asks for {name}")
        raise ModuleNotFoundError(f"{name} is not loaded here", name=name)


def is_installed(origin: str | None, locations: Iterable[str] | None) -> bool:
    """Whether a module belongs to the interpreter or to what is installed for it, and to no project."""
    if origin in ("built-in", "frozen"):
        return True
    places = [origin] if origin else list(locations or ())
    standard = os.path.dirname(os.__file__)
    return bool(places) and all(
        (place.startswith(standard + os.sep) or any(part in _INSTALLED for part in place.split(os.sep)))
        for place in places
    )


def _take(printed: int) -> bytes:
    """What was printed since; without end were it more than a pipe holds, which nobody prints at an import."""
    try:
        return os.read(printed, 1 << 20)
    except BlockingIOError:
        return b""


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _importing_now() -> list[str]:
    """The modules whose code is being run as they are imported."""
    found = []
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            found.append(str(frame.f_globals.get("__name__")))
        frame = frame.f_back
    return found


def _importing(error: BaseException) -> list[str]:
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "<module>":
            found.append(str(traceback.tb_frame.f_globals.get("__name__")))
        traceback = traceback.tb_next
    return found


class Stamps:
    """What all loaded modules came from, as it was. `folders` are those in which a program's own lie."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = list(folders)
        self._files = {}
        self._names = {name.partition(".")[0] for name in sys.modules}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                self._files[file] = _stamp(file)
        for place in (*self._places(), sys.executable, os.path.join(sys.prefix, "pyvenv.cfg")):
            self._files[place] = _stamp(place)
        self._shadows = self._find_shadows()

    def _places(self) -> list[str]:
        return [entry for entry in sys.path if os.path.basename(entry) in _INSTALLED]

    def _find_shadows(self) -> set[str]:
        """What lies in the program's folders and has the name of something that is loaded."""
        found = set()
        for folder in self._folders:
            try:
                entries = os.listdir(folder)
            except OSError:
                continue
            found |= {os.path.join(folder, one) for one in entries if one.partition(".")[0] in self._names}
        return found

    def why_stale(self) -> str | None:
        """What has changed since; None when nothing has."""
        for file, stamp in self._files.items():
            if _stamp(file) != stamp:
                return f"{file} has changed"
        for shadow in self._find_shadows() - self._shadows:
            return f"{shadow} has come"
        return None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
