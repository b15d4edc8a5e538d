"""Whether a template is stale: whether a worker would load something else now. For Python 3.8 and newer."""

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
    """The state of all files that a template was loaded from, and whether they have changed since."""

    def __init__(self, files: Iterable[str]) -> None:
        """Called before anything is preloaded. `files` are the deciding files (warm/import_record.py)."""
        self.folders: list[str] = []
        """The folders with the program's own modules."""
        self.names: dict[str, bool] = {}
        """Top-level modules that were loaded or not found, and whether a plain folder would change that."""
        self._files: dict[str, tuple[int, int, int] | None] = {}
        """The stamp of each file before it was loaded."""
        self._unwatched: dict[str, tuple[int, int, int] | None] = {}
        """The files that are not in a folder that is watched."""
        self._folders = FolderWatch()
        self._compared = False
        """Whether all files were compared since the last change in a watched folder."""
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
        """Note the state of a file that is about to be loaded."""
        if file not in self._files:
            self._files[file] = _stamp(file)

    def settle(self) -> None:
        """Everything is loaded: begin to watch the folders of the modules."""
        unwatched = {file: stamp for file, stamp in self._files.items() if not self._watch(file)}
        # Copied, so that they lie side by side in memory: comparing them touches few pages, and each touched
        # page is copied in a process that forks.
        self._files = marshal.loads(marshal.dumps(self._files))
        self._unwatched = marshal.loads(marshal.dumps(unwatched))

    def _watch(self, file: str) -> bool:
        """Watch the folder of an installed file; False where that would not report its changes.

        The folders of a project are not watched: too much happens there.
        """
        is_itself = os.path.isfile(file) and not os.path.islink(file)
        installed = _lies_with_installed(file, _LIBRARIES)
        return is_itself and installed and self._folders.add(os.path.dirname(file))

    def close(self) -> None:
        """Stop watching, in a forked process."""
        self._folders.close()

    def shadow_of(self, names: Iterable[str]) -> str | None:
        """A file or folder in the program's folders that would be imported as one of these, if any."""
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
        """What has changed since; None where nothing has."""
        # Asked before the files are compared, so that a change meanwhile is noticed the next time.
        self._compared = self._folders.are_quiet() and self._compared
        for file, stamp in (self._unwatched if self._compared else self._files).items():
            if _stamp(file) != stamp:
                return f"{file} has changed"
        self._compared = True
        shadow = self.shadow_of(self.names)
        return None if shadow is None else f"{shadow} has come"


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What tells one state of a file from another; for a module in a zip archive, that of the archive."""
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
    """Whether a module is the interpreter's, or installed for it, and does not belong to these folders.

    `standard` are the folders of the interpreter's library.
    """
    found, libraries, own = list(places), list(standard), list(folders)
    return bool(found) and all(_is_installed(place, own, libraries) for place in found)


def _is_installed(place: str, folders: list[str], standard: list[str]) -> bool:
    if not _lies_with_installed(place, standard):
        return False
    for folder in folders:
        if place.startswith(folder.rstrip(os.sep) + os.sep) and _lies_with_installed(folder, standard):
            # A watched folder within site-packages: the package in it is the program's own.
            return any(part in INSTALLED for part in place[len(folder) :].split(os.sep))
    return True


def _lies_with_installed(path: str, standard: list[str]) -> bool:
    if any((path + os.sep).startswith(folder + os.sep) for folder in standard):
        return True
    return any(part in INSTALLED for part in path.split(os.sep))
