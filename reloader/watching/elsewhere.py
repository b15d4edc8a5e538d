"""What is watched outside of the folders that are entered: where links lead, mounts, rules and settings."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Mapping

from reloader.common.files import upwards
from reloader.watching.folder import INSTALLED, VENV_MARK, Folder, identity_of
from reloader.watching.gitignore_files import GITIGNORE, GitRules


class Elsewhere:
    """Knows these paths, after each look."""

    def __init__(self, git_rules: GitRules) -> None:
        self._git_rules = git_rules
        self._targets: dict[str, set[str]] = {}
        """The links to files that count, by the paths that they lead through or to."""
        self.mounted: frozenset[str] = frozenset()
        """Files that are mount points: the folder brings no event of what is written to such a file."""
        self.settings: frozenset[str] = frozenset()
        """The files that the settings of the run come from, or would."""

    def note(self, folders: Mapping[str, Folder]) -> None:
        """Take over the links in these folders."""
        targets: dict[str, set[str]] = {}
        for folder, known in folders.items():
            for name, hops in known.links.items():
                for hop in hops:
                    targets.setdefault(hop, set()).add(os.path.join(folder, name))
        self._targets = targets

    def concerns(self, path: str) -> bool:
        """Whether an event at this path deserves a look."""
        return path in self._targets or path in self.mounted or self._is_rule(path)

    def _is_rule(self, path: str) -> bool:
        return path in self.settings or path in self._git_rules.outside

    def to_look_at(self, paths: set[str], folders: Container[str]) -> set[str]:
        """The paths without those that lie in none of the folders, and with the links that lead to any."""
        links = {link for path in paths for link in self._targets.get(path, ())}
        outside = {
            path
            for path in paths
            if path not in folders
            and os.path.dirname(path) not in folders
            and (path in self._targets or self._is_rule(path))
        }
        return (paths - outside) | links

    def to_watch(self, known: Container[str], tops: Iterable[str]) -> set[tuple[str, int, int]]:
        """The folders of the `tops` and of what links lead through, and the files, with device and inode.

        Folders that are known already are left out.

        Rules and settings outside are watched file by file, since they mostly lie in folders where much else
        happens. Only a .gitignore that comes is told by its folder.
        """
        files = self.mounted | self.settings | self._git_rules.outside.keys()
        beside = (path for path in files if os.path.basename(path) == GITIGNORE)
        folders = {os.path.dirname(path) for path in (*tops, *self._targets, *beside)}
        found = set()
        for paths, kind in (
            ({path for path in folders if path not in known}, stat.S_IFDIR),
            (files, stat.S_IFREG),
        ):
            for path in paths:
                identity = identity_of(path, kind)
                if identity is not None:
                    found.add((path, *identity))
        return found


def beside(
    files: Iterable[str], roots: Iterable[str], single: Mapping[str, Container[str]]
) -> frozenset[str]:
    """The folders of packages, and of other modules, that hold some of these real paths and are not watched.

    `single` are the names of files that are watched by themselves, by folder. What is installed is left out:
    it changes by installing.
    """
    watched = tuple(os.path.realpath(root).rstrip(os.sep) + os.sep for root in roots)
    found = set()
    for file in files:
        folder, name = os.path.split(file)
        if not file.startswith(watched) and name not in single.get(folder, ()):
            while os.path.lexists(os.path.join(os.path.dirname(folder), "__init__.py")):
                folder = os.path.dirname(folder)
            found.add(folder)
    return frozenset(folder for folder in found if not _is_installed(folder))


def _is_installed(folder: str) -> bool:
    return any(
        os.path.basename(path) in INSTALLED or os.path.lexists(os.path.join(path, VENV_MARK))
        for path in upwards(folder)
    )
