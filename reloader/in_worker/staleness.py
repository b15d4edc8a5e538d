"""Whether what a template has loaded is still what a worker would load. For Python 3.8 and newer."""

from __future__ import annotations

import marshal
import os
import sys

from reloader.in_worker.folder_watch import FolderWatch

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

INSTALLED = ("site-packages", "dist-packages")
_LIBRARIES = [os.path.dirname(os.__file__)]


class Staleness:
    """What all that is loaded came from, as it was before it was loaded."""

    def __init__(self, files: Iterable[str]) -> None:
        """Before anything is preloaded. `files` say what is to be installed: lock files and the like."""
        self.folders: list[str] = []
        """Those of the program itself, in which it looks for modules as well."""
        self.names: dict[str, bool] = {}
        """What was preloaded, or looked for in vain; and whether a plain folder would be a part of it."""
        self._files: dict[str, tuple[int, int, int] | None] = {}
        self._unheard: dict[str, tuple[int, int, int] | None] = {}
        """Those of whose changes the system does not tell us."""
        self._folders = FolderWatch()
        self._compared = False
        """Whether all files were compared since something was heard."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                self.see(file)
        for file in (*files, sys.executable, os.path.join(sys.prefix, "pyvenv.cfg")):
            self.see(file)
        for folder in sys.path:
            if os.path.basename(folder) in INSTALLED and os.path.isdir(folder):
                self.see(folder)
                for entry in os.listdir(folder):
                    if entry.endswith(".pth"):
                        self.see(os.path.join(folder, entry))

    def see(self, file: str) -> None:
        """It is about to be loaded."""
        if file not in self._files:
            self._files[file] = _stamp(file)

    def settle(self) -> None:
        """All is loaded. From now on the system tells of changes where the modules lie."""
        unheard = {file: stamp for file, stamp in self._files.items() if not self._hear(file)}
        # What will be compared lies side by side from now on: in a process that forks, each page that is
        # touched is copied.
        self._files = marshal.loads(marshal.dumps(self._files))
        self._unheard = marshal.loads(marshal.dumps(unheard))

    def _hear(self, file: str) -> bool:
        """Whether changes of this very file are heard of from now on.

        The folders of a project are not quiet enough for that.
        """
        is_itself = os.path.isfile(file) and not os.path.islink(file)
        installed = _lies_with_installed(file, _LIBRARIES)
        return is_itself and installed and self._folders.add(os.path.dirname(file))

    def close(self) -> None:
        """Hear of nothing any more, in a process that was forked."""
        self._folders.close()

    def shadow_of(self, names: Iterable[str]) -> str | None:
        """What lies in the program's folders and has the name of one of these."""
        wanted = set(names)
        for folder in self.folders:
            try:
                entries = os.listdir(folder)
            except OSError:
                continue
            for entry in entries:
                name, _, extension = entry.partition(".")
                path = os.path.join(folder, entry)
                if name not in wanted or extension.rpartition(".")[2] not in ("", "py", "pyc", "so"):
                    continue
                if extension or os.path.isfile(os.path.join(path, "__init__.py")):
                    return path
                if self.names.get(name) and os.path.isdir(path):
                    return path
        return None

    def why_stale(self) -> str | None:
        """What has changed since; None when nothing has."""
        # Before they are looked at, so that what happens meanwhile is heard the next time.
        self._compared = self._folders.are_quiet() and self._compared
        for file, stamp in (self._unheard if self._compared else self._files).items():
            if _stamp(file) != stamp:
                return f"{file} has changed"
        self._compared = True
        shadow = self.shadow_of(self.names)
        return None if shadow is None else f"{shadow} has come"


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What tells one state of a file from another: of the archive, where it lies in one."""
    while True:
        try:
            status = os.stat(path)
        except NotADirectoryError:
            path = os.path.dirname(path)
        except OSError:
            return None
        else:
            return status.st_mtime_ns, status.st_size, status.st_ino


def is_installed(places: Iterable[str], folders: Iterable[str], standard: Iterable[str]) -> bool:
    """Whether a module is of the interpreter, or installed for it, and does not belong to these folders.

    `standard` is where the interpreter's library lies.
    """
    found, libraries, own = list(places), list(standard), list(folders)
    return bool(found) and all(_is_installed(place, own, libraries) for place in found)


def _is_installed(place: str, folders: list[str], standard: list[str]) -> bool:
    if not _lies_with_installed(place, standard):
        return False
    for folder in folders:
        if place.startswith(folder.rstrip(os.sep) + os.sep) and _lies_with_installed(folder, standard):
            # A package that is worked on where it is installed is no less the program's own.
            return any(part in INSTALLED for part in place[len(folder) :].split(os.sep))
    return True


def _lies_with_installed(path: str, standard: list[str]) -> bool:
    if any((path + os.sep).startswith(folder + os.sep) for folder in standard):
        return True
    return any(part in INSTALLED for part in path.split(os.sep))
