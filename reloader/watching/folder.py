"""One folder: its listing, judged by the rules, with the stat of every file in it that counts."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from reloader.watching import gitignore_files
from reloader.watching.gitignore_patterns import Layer
from reloader.watching.rules import Verdict, Verdicts, View

Stat = tuple[int, int, int, int]
"""Modification time in nanoseconds, size in bytes, inode, time of the last status change in nanoseconds."""
Files = dict[str, Stat]
"""The files of one folder that count, by name."""
Identity = tuple[int, int]
"""Device and inode of a folder: a folder made anew at the same path is another one."""

# Folders of what is installed.
INSTALLED = frozenset({"site-packages", "node_modules"})
VENV_MARK = "pyvenv.cfg"
# Linux follows so many links on the way to a file: path_resolution(7).
MOST_HOPS = 40
# What no file has: stands for a .gitignore file that must be read again, and for a file that has changed.
FORGOTTEN: Stat = (0, 0, -1, 0)


@dataclass(frozen=True)
class Folder:
    """A folder that is entered, as it was when last listed."""

    view: View
    identity: Identity
    files: Files
    subfolders: dict[str, tuple[int, Verdict]]
    """Inode (negative for a symbolic link) and verdict of every subfolder that is to be entered."""
    gitignore: Stat | None = None
    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The paths that every file that is a symbolic link leads through, and to."""
    verdicts: Verdicts = field(default_factory=dict)


class Lister:
    """Lists folders. `named` are the paths that are entered whatever they hold.

    `report_unreadable(path, reason)` is called once for every path that cannot be read, `refuse(path, owner)`
    for every ignore file that is not followed since it belongs to another user.
    """

    def __init__(
        self,
        named: Container[str],
        single: dict[str, set[str]],
        follow_git: bool,
        report_unreadable: Callable[[str, str], None],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._named = named
        self._single = single
        self._follow_git = follow_git
        self._report = report_unreadable
        self._refuse = refuse
        self.git_rules = gitignore_files.GitRules(self._refuse_once)
        self._reported: set[str] = set()
        self.files = True
        """Whether files are looked at; else only which folders there are."""
        self.since_ns = 0
        self.recent: set[str] = set()
        """Files not seen before whose status changed at or after `since_ns`."""
        self.repositories: set[str] = set()
        """Entered folders that are the top of a work tree of Git."""
        self.rules_changed = False
        """A .gitignore file is not what it was."""

    def list(self, path: str, outer: View, known: Folder | None) -> Folder | None:
        """List one folder; None if it is not there, a virtual environment or a work tree inside another.

        `outer` holds the rules from above; those of `known` are used again while they hold.
        """
        identity = known.identity if known is not None else None
        try:
            found = os.stat(path)
            identity = (found.st_dev, found.st_ino)
            with os.scandir(path) as entries:
                listed = {entry.name: entry for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._unreadable(path, error)
            # What cannot be seen is not taken for deleted.
            return known or (Folder(outer, identity, {}, {}) if identity is not None else None)
        # Where nothing but single files counts, it does not matter what else the folder holds.
        is_named = path in self._named or (outer.passing and path in self._single)
        if VENV_MARK in listed and not is_named:
            return None
        if ".git" in listed and gitignore_files.is_top(path):
            # One that was entered before it became a work tree goes on to count.
            if known is None and not is_named and gitignore_files.is_nested(path):
                return None
            self.repositories.add(path)
        else:
            self.repositories.discard(path)
        ignoring = self._stat(listed.get(gitignore_files.GITIGNORE)) if self._follow_git else None
        if known is not None and known.gitignore == ignoring:
            view, verdicts = known.view, known.verdicts
        else:
            self.rules_changed = self.rules_changed or (known is not None and known.gitignore != FORGOTTEN)
            view = self._view_inside(path, outer, listed)
            verdicts = view.verdicts(path)
        files: Files = {}
        links: dict[str, tuple[str, ...]] = {}
        subfolders: dict[str, tuple[int, Verdict]] = {}
        before = known.files if known is not None else {}
        inside = path if path.endswith("/") else path + "/"
        for name, entry in listed.items():
            is_folder = _is_folder(entry)
            if not is_folder and not self.files:
                continue
            verdict = verdicts.get((name, is_folder))
            if verdict is None:
                below = inside + name
                verdict = view.folder(below, name) if is_folder else view.file(below, name)
                verdicts[name, is_folder] = verdict
            if verdict is Verdict.SKIP:
                continue
            if is_folder:
                subfolders[name] = (-entry.inode() if entry.is_symlink() else entry.inode(), verdict)
            else:
                if entry.is_symlink():
                    links[name] = hops(inside + name)
                try:
                    self._take(files, path, name, before, entry.stat())
                except OSError as error:
                    self._untakable(path, name, entry.is_symlink(), error)
        for name in self._single.get(path, ()) if self.files else ():
            way = hops(inside + name, os.sep)
            if len(way) > 1:
                links[name] = way
            try:
                self._take(files, path, name, before, os.stat(inside + name))
            except OSError as error:
                self._untakable(path, name, False, error)
        if files == before:
            files = before
        return Folder(view, identity, files, subfolders, ignoring, links, verdicts)

    def _take(self, files: Files, path: str, name: str, before: Files, found: os.stat_result) -> None:
        if stat.S_ISREG(found.st_mode):
            files[name] = stat_of(found)
            if found.st_ctime_ns >= self.since_ns and name not in before:
                self.recent.add(os.path.join(path, name))

    def _untakable(self, path: str, name: str, is_link: bool, error: OSError) -> None:
        """Tell of a file that cannot be read; one that has gone, or a dead link, is just not there."""
        if isinstance(error, PermissionError):
            self._unreadable(os.path.join(path, name) if is_link else path, error)

    def _unreadable(self, path: str, error: OSError) -> None:
        if path not in self._reported:
            self._reported.add(path)
            self._report(path, error.strerror or str(error))

    def _refuse_once(self, path: str, owner: str) -> None:
        if path not in self._reported:
            self._reported.add(path)
            self._refuse(path, owner)

    @staticmethod
    def _stat(entry: os.DirEntry[str] | None) -> Stat | None:
        try:
            found = entry.stat() if entry is not None else None
        except OSError:
            return None
        return stat_of(found) if found is not None else None

    def _view_inside(self, path: str, outer: View, listed: dict[str, os.DirEntry[str]]) -> View:
        if not self._follow_git:
            return outer
        git: tuple[Layer, ...] = outer.git
        if path in self.repositories and path not in self._named:
            git = self.git_rules.repository_layers(path)
        if gitignore_files.GITIGNORE in listed:
            git += self.git_rules.layer_of(path)
        return outer if git is outer.git else outer.with_git(git)


def stat_of(found: os.stat_result) -> Stat:
    """What is compared of a file's status."""
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def hops(path: str, start: str | None = None) -> tuple[str, ...]:
    """The links on the way to a file, each by its own path, and what they lead to in the end.

    They are looked for below the folder `start`; without one below that of the file, by its real path.
    """
    found: list[str] = []
    here = start or os.path.realpath(os.path.dirname(path))
    left = path.split(os.sep)[::-1] if start else [os.path.basename(path)]
    while left and len(found) < MOST_HOPS:
        name = left.pop()
        if name in ("", os.curdir):
            continue
        if name == os.pardir:
            here = os.path.dirname(here)
            continue
        below = os.path.join(here, name)
        try:
            target = os.readlink(below)
        except OSError:
            here = below  # no link, or not there
            continue
        found.append(below)
        left += target.split(os.sep)[::-1]
        if target.startswith(os.sep):
            here = os.sep
    return (*found, here)


def names_in(path: str) -> list[tuple[str, bool]]:
    """The entries of a folder, and of each whether it is a folder; none if it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return [(entry.name, _is_folder(entry)) for entry in entries]
    except OSError:
        return []


def identity_of(path: str, kind: int = stat.S_IFDIR) -> Identity | None:
    """Device and inode of a folder, or what else is of this kind (of `stat`); None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_IFMT(found.st_mode) == kind else None
