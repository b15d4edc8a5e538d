"""The watched folders and the files in them that count: a pruned walk, kept up to date.

The truth about a file is its modification time, size and inode. The scanner's thread alone reads and writes
the tree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from reloader.common.run_folder import absolute
from reloader.settings import Settings, Trigger
from reloader.watching import gitignore_files
from reloader.watching.elsewhere import Elsewhere
from reloader.watching.folder import (
    FORGOTTEN,
    INSTALLED,
    VENV_MARK,
    Files,
    Folder,
    Identity,
    Lister,
    identity_of,
    names_in,
)
from reloader.watching.gitignore_patterns import Layer
from reloader.watching.option_patterns import option_layer
from reloader.watching.rules import BUILT_IN_IGNORES, COUNTED_FOR_PYTHON, Verdict, View, layer

Snapshot = dict[str, Files]
"""The files that count, by folder. Not to be changed: folders share it."""

Todo = list[tuple[str, View]]
"""Folders to be entered, each with the rules from above."""

# Hints at more folders than this make a full survey the cheaper way to look.
MANY = 64


class Tree:
    """Everything that is watched for one worker.

    `report_unreadable(path, reason)` is called once for every path that cannot be read, `refuse(path, owner)`
    for every ignore file that is not followed since it belongs to another user.
    """

    def __init__(
        self,
        settings: Settings,
        report_unreadable: Callable[[str, str], None],
        refuse: Callable[[str, str], None] = lambda _path, _owner: None,
    ) -> None:
        self._settings = settings
        paths = sorted({absolute(given) for given in settings.watch})
        self.roots = [path for path in paths if os.path.isdir(path)]
        self.single: dict[str, set[str]] = {}
        """Files watched by their own name, by folder."""
        self.packages: set[str] = set()
        """Packages that the worker has imported, and other work trees of Git that it has imported from: they
        are entered although a rule ignores them."""
        for path in paths:
            if path not in self.roots:
                self.single.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))
        self._named = {*self.roots, *self.single}
        """Folders that are entered whatever they hold: named by the user, or imported from."""
        self.lister = Lister(self._named, self.single, settings.gitignore, report_unreadable, refuse)
        self.folders: dict[str, Folder] = {}
        self._views: dict[str, View] = {}
        self._has_links = False
        self.elsewhere = Elsewhere(self.lister.git_rules)

    @property
    def places(self) -> list[str]:
        """The roots, and the folders of the files that are watched by their own name."""
        return [*self.roots, *self.single]

    def count_scripts(self) -> None:
        """Count what the worker is started from, inside a root, as if imported. A survey has to follow."""
        for path in map(absolute, self._settings.scripts):
            inside = (root for root in self.roots if path.startswith(root.rstrip(os.sep) + os.sep))
            root = max(inside, key=len, default=None)
            if root is not None and not os.path.isdir(path) and not self._stays_out(root, path):
                self._add_single(path)

    def count_imported(self, files: Iterable[str]) -> list[str]:
        """Count these real paths, which the worker has imported; returns those that did not count yet.

        The user's own `ignore` stands above, and what lies in a virtual environment stays out. Files beside
        the roots count where imports alone decide. A survey has to follow.
        """
        real = {os.path.realpath(root).rstrip(os.sep) + os.sep: root for root in self.roots}
        new = []
        for file in files:
            place = max((place for place in real if file.startswith(place)), key=len, default=None)
            if place is not None:
                root = real[place]
                path = os.path.join(root, file.removeprefix(place))
                if not self._counts(path) and not self._stays_out(root, path) and self._add_single(path):
                    new.append(path)
                    self._enter(root, path)
            elif self._settings.trigger is Trigger.LOADED and self._add_single(file):
                new.append(file)
        return new

    def _enter(self, root: str, path: str) -> None:
        """Enter the package that this imported file begins, and the work tree that it lies in."""
        folder, name = os.path.split(path)
        entered = {folder} if name == "__init__.py" else set()
        top = gitignore_files.repository_of(folder)
        if top is not None and top.startswith(root.rstrip(os.sep) + os.sep):
            entered.add(top)
        self.packages |= entered
        self._named |= entered

    def count_tracked(self) -> list[str]:
        """Count what is in Git's index although a rule matches its place; returns what did not count yet.

        The user's own `ignore` stands above, and so does what is built-in of a file's name: a database may be
        in the index. A survey has to follow.
        """
        new = []
        for root in self.roots if self._settings.gitignore else ():
            view = self.view_of_root(root)
            for path in gitignore_files.tracked(root):
                name = os.path.basename(path)
                if (
                    not self._counts(path)
                    and (view.counted is None or view.counted.match(path, name, False))
                    and not view.built_in.match(path, name, False)
                    and not self._stays_out(root, path)
                    and self._add_single(path)
                ):
                    new.append(path)
        return new

    def _add_single(self, path: str) -> bool:
        """Watch this file by its own name as well; whether that is new."""
        folder, name = os.path.split(path)
        names = self.single.get(folder, set())
        # Replaced, since other threads read it.
        self.single[folder] = names | {name}
        return name not in names

    def _counts(self, path: str) -> bool:
        folder, name = os.path.split(path)
        return folder in self.folders and name in self.folders[folder].files

    def _stays_out(self, root: str, path: str) -> bool:
        """Whether the file stays out although the worker uses it: by the user's `ignore`, or installed."""
        options = self.view_of_root(root).options
        is_folder = False
        while path != root:
            name = os.path.basename(path)
            rule = options.match(path, name, is_folder)
            if rule is not None and not rule.negated:
                return True
            if is_folder and (name in INSTALLED or os.path.lexists(os.path.join(path, VENV_MARK))):
                return True
            path, is_folder = os.path.dirname(path), True
        return False

    # --- events -----------------------------------------------------------------------------------

    def may_count(self, path: str) -> bool:
        """Whether an event at this path deserves a look. Errs on the side of looking."""
        if path in self.folders or path in self.roots or path in self.packages:
            return True
        if self.elsewhere.concerns(path):
            return True
        folder, name = os.path.split(path)
        if name in self.single.get(folder, ()):
            return True
        known = self.folders.get(folder)
        if known is None:
            return False  # the parent of a root is watched for that root alone
        if name == VENV_MARK or (name == gitignore_files.GITIGNORE and self._settings.gitignore):
            return True
        if known.view.file(path, name) is not Verdict.SKIP:
            return True
        if known.view.folder(path, name) is Verdict.SKIP:
            return False
        return name in known.subfolders or os.path.isdir(path)

    # --- what is there ----------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The files that count, as last seen."""
        return {path: folder.files for path, folder in self.folders.items()}

    def to_watch(self) -> frozenset[tuple[str, int, int]]:
        """The folders and files whose events matter, with device and inode.

        A root's parent is among them, and an imported package's: nothing else tells that one is moved away or
        comes back.
        """
        watched = {(path, *folder.identity) for path, folder in self.folders.items()}
        tops = (*self.roots, *self.packages)
        return frozenset(watched | self.elsewhere.to_watch(self.folders, tops))

    def repositories(self) -> set[str]:
        """The tops of Git's work trees in which the roots lie, or that lie in them."""
        above = {gitignore_files.repository_of(folder) for folder in self.places}
        return {top for top in above if top is not None} | (self.lister.repositories & self.folders.keys())

    def entries(self, inside: str | None = None) -> Iterator[tuple[str, str, bool]]:
        """Folder, name and whether it is a folder of everything that stands in the folders entered.

        What is ignored is among it. With `inside`, only what lies at or below that folder.
        """
        for path in list(self.folders):
            if inside is None or path == inside or path.startswith(inside.rstrip(os.sep) + os.sep):
                for name, is_folder in names_in(path):
                    yield path, name, is_folder

    def idle(self, option: str) -> list[str]:
        """Those patterns of `ignore` or `include` that match nothing in the folders that are entered."""
        left = list(dict.fromkeys(getattr(self._settings, option)))
        for root in self.roots:
            layers = {pattern: option_layer(self._settings, option, root, [pattern]) for pattern in left}
            for folder, name, is_folder in self.entries(root) if left else ():
                path = os.path.join(folder, name)
                left = [pattern for pattern in left if not layers[pattern].match(path, name, is_folder)]
                if not left:
                    break
        return left

    # --- looking ----------------------------------------------------------------------------------

    def survey(self, files: bool = True) -> None:
        """Look at everything, or at the folders alone."""
        self.lister.files = files
        fresh: dict[str, Folder] = {}
        links: Todo = []
        for top in (*self.roots, *sorted(self.packages)):
            if top not in fresh:
                links += self._walk([(top, self.view_of_root(top))], fresh)
        self._has_links = bool(links)
        self._follow(links, fresh)
        for path in self.single.keys() - fresh.keys():
            lone = self.lister.list(path, _nothing_counts(path), self.folders.get(path))
            if lone is not None:
                fresh[path] = lone
        self.folders = fresh
        self.lister.files = True
        self._note_looked()

    def look(self, paths: Iterable[str]) -> None:
        """Look at what is hinted at only: list the nearest known folder of every path again."""
        paths = self.elsewhere.to_look_at(set(paths), self.folders)
        folders: set[str] = set()
        for path in paths:
            nearest = self._nearest(path)
            if nearest is None or len(folders) > MANY:
                self.survey()
                return
            folders.add(nearest)
            if path in self.folders:
                folders.add(path)
        if not all(self._list_again(path) for path in sorted(folders)):
            self.survey()
        self._note_looked()

    def _note_looked(self) -> None:
        """Bring up to date what is known of what lies elsewhere."""
        self.elsewhere.note(self.folders)
        if self.lister.git_rules.have_changed():
            self.lister.rules_changed = True

    def look_below(self, places: Sequence[str]) -> None:
        """Look at all that is entered at and below these folders."""
        inside = tuple(place.rstrip(os.sep) + os.sep for place in places)
        below = sorted(path for path in self.folders if path in places or path.startswith(inside))
        if not all(self._list_again(path) for path in below):
            self.survey()
        self._note_looked()

    def forget_rules(self) -> None:
        """Let the next survey read the rules anew."""
        self._views.clear()
        self.lister.git_rules.outside.clear()
        self.lister.rules_changed = False
        self.folders = {
            path: Folder(known.view, known.identity, known.files, {}, FORGOTTEN)
            for path, known in self.folders.items()
        }

    def _nearest(self, path: str) -> str | None:
        """The nearest known folder above `path`; None when only a survey can tell."""
        if path in self.roots or path in self.packages:
            return None
        parent = os.path.dirname(path)
        while parent not in self.folders:
            if parent == os.path.dirname(parent):
                return None
            parent = os.path.dirname(parent)
        return parent

    def _list_again(self, path: str) -> bool:
        """List one folder, enter what is new in it; False when only a survey can tell what that is.

        Where there are links to folders, what comes or goes at one place may be entered at another.
        """
        known = self.folders.get(path)
        if known is None:
            return True  # it went away with a folder that was listed before it
        listed = self.lister.list(path, known.view, known)
        if listed is None:
            self._drop(path)
            return not self._has_links
        self.folders[path] = listed
        todo: Todo = []
        gone = [name for name in known.subfolders if listed.subfolders.get(name) != known.subfolders[name]]
        for name in gone:
            self._drop(os.path.join(path, name))
        came = listed.subfolders.keys() - known.subfolders.keys()
        for below, is_link, view in _subfolders(path, listed):
            # A virtual environment that has become a folder like others was listed before, not entered.
            if is_link:
                self._has_links = True
            elif below not in self.folders:
                todo.append((below, view))
        if self._walk(todo, self.folders):
            self._has_links = True
        return not (self._has_links and (gone or came))

    def _drop(self, path: str) -> None:
        inside = path + os.sep
        for gone in [p for p in self.folders if p == path or p.startswith(inside)]:
            del self.folders[gone]

    def _walk(self, todo: Todo, into: dict[str, Folder], seen: set[Identity] | None = None) -> Todo:
        """Enter these folders, and everything kept below them that is not `seen`.

        What is entered is added to both. Returns the symbolic links to folders, which are put off.
        """
        links: Todo = []
        while todo:
            path, outer = todo.pop()
            if path in into:
                continue
            folder = self.lister.list(path, outer, self.folders.get(path))
            if folder is None:
                continue
            if seen is not None:
                if folder.identity in seen:
                    continue
                seen.add(folder.identity)
            into[path] = folder
            for below, is_link, view in _subfolders(path, folder):
                (links if is_link else todo).append((below, view))
        return links

    def _follow(self, links: Todo, into: dict[str, Folder]) -> None:
        """Enter linked folders, each real folder once, and none that a root lies in."""
        if not links:
            return
        seen = {folder.identity for folder in into.values()}
        for root in self.roots:
            parent = root
            while parent != os.path.dirname(parent):
                parent = os.path.dirname(parent)
                seen.add(identity_of(parent) or (0, 0))
        while links:
            links += self._walk([links.pop()], into, seen)

    # --- rules ------------------------------------------------------------------------------------

    def view_of_root(self, root: str) -> View:
        """The rules that hold in this root, or imported package below one, from outside of it."""
        if root not in self._views:
            settings = self._settings
            base = root if root in self.roots else self._root_above(root)
            counted = layer(base, COUNTED_FOR_PYTHON, "what counts for Python") if settings.python else None
            self._views[root] = View(
                built_in=layer(base, BUILT_IN_IGNORES, "built-in"),
                git=self.lister.git_rules.layers_above(root) if settings.gitignore else (),
                options=option_layer(settings, "ignore", base),
                counted=counted,
                include=option_layer(settings, "include", base),
            )
        return self._views[root]

    def _root_above(self, path: str) -> str:
        above = (root for root in self.roots if path.startswith(root.rstrip(os.sep) + os.sep))
        return max(above, key=len)


def _subfolders(path: str, folder: Folder) -> Iterator[tuple[str, bool, View]]:
    """Path, whether it is a link, and the rules, of every subfolder that is to be entered."""
    for name, (inode, verdict) in folder.subfolders.items():
        yield os.path.join(path, name), inode < 0, folder.view.inside(verdict)


def _nothing_counts(path: str) -> View:
    """The rules of a folder that is watched for single files in it."""
    nothing = Layer(path, ())
    return View(nothing, (), nothing, None, nothing, passing=True)
