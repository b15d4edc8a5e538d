"""What the worker has imported.

It counts whatever a rule says, and with `--trigger loaded` no other code does.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from reloader.common.run_folder import absolute
from reloader.messages import events

# What Python imports: sources, and extension modules.
_CODE = (".py", ".so", ".pyd")


class Recording(Protocol):
    """What the running worker tells of its imports; a thread may read it at any time, and it grows."""

    def size(self) -> int:
        """Bytes told so far."""

    def own_modules(self) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """Where its modules were found that are not installed, and the names that were not found."""

    def writes(self) -> frozenset[str] | None:
        """The real paths of what it has written, moved or removed; None where that is not noted."""


class Imported(NamedTuple):
    """What was imported, and what was looked for."""

    files: frozenset[str]
    """Their real paths."""
    names: frozenset[str]
    """The last parts of all module names: a new file of such a name may be found in another's place."""
    folders: frozenset[str]
    """The folders that the files lie in."""
    modules: frozenset[str]
    """Those of the files that are modules, and not the program."""

    def concerns(self, change: events.Change) -> bool:
        """Whether the worker would be another one with this change. Only code can be of no concern."""
        path = change.path
        if not path.endswith(_CODE) or os.path.realpath(path) in self.files:
            return True
        return change.kind is events.Kind.ADDED and module_name(path) in self.names

    def unread(self, changes: Iterable[events.Change], baseline: Mapping[str, object]) -> frozenset[str]:
        """The changed Python files that the worker has not imported, nor may when it starts again.

        It may import any file beside one that it has imported, and a package that is not in the baseline.
        """
        return frozenset(
            change.path
            for change in changes
            if change.kind is not events.Kind.DELETED
            and change.path.endswith(".py")
            and not self._may_read(change.path, not baseline.get(os.path.dirname(change.path)))
        )

    def _may_read(self, path: str, is_in_new_folder: bool) -> bool:
        real = os.path.realpath(path)
        if real in self.files or os.path.dirname(real) in self.folders:
            return True
        return is_in_new_folder and os.path.lexists(os.path.join(os.path.dirname(path), "__init__.py"))


def by_writer(
    changes: Iterable[events.Change], written: Collection[str] | None
) -> tuple[frozenset[str], frozenset[str]]:
    """The changed paths that are among the real paths `written`, and the others; none where unknown."""
    if written is None:
        return frozenset(), frozenset()
    paths = frozenset(change.path for change in changes)
    own = frozenset(path for path in paths if os.path.realpath(path) in written)
    return own, paths - own


def module_name(path: str) -> str:
    """The last part of the name of the module that the file holds; a package's is that of its folder."""
    folder, name = os.path.split(path)
    stem = name.partition(".")[0]
    return os.path.basename(folder) if stem == "__init__" else stem


def imported(
    places: Mapping[str, tuple[str, ...]], missing: Iterable[str], program: Iterable[str]
) -> Imported | None:
    """From where modules were found, what was not found, and the words of the program.

    None where nothing is known: then everything is of concern.
    """
    if not places:
        return None
    modules = {os.path.realpath(absolute(place)) for found in places.values() for place in found}
    files = modules | {
        os.path.realpath(absolute(word)) for word in program if word.endswith(_CODE) or os.sep in word
    }
    return Imported(
        frozenset(files),
        frozenset(name.rpartition(".")[2] for name in (*places, *missing)),
        frozenset(map(os.path.dirname, files)),
        frozenset(modules),
    )
