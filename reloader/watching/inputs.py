"""What counts whatever the rules say: what the worker has imported, or what Git has in its index."""

from __future__ import annotations

from reloader.settings import Settings, Trigger
from reloader.watching.elsewhere import beside
from reloader.watching.imported import Imported, Recording, imported
from reloader.watching.tree import Tree


class Inputs:
    """Makes them count in the tree. The recording of the newest worker is read again when it has grown."""

    def __init__(self, settings: Settings, tree: Tree) -> None:
        self._settings = settings
        self._tree = tree
        self._recording: Recording | None = None
        self._imports: Imported | None = None
        self._size = 0
        """How many bytes of the recording have been read."""
        self._counted_size = 0
        """How many of them have been counted."""
        self._told: frozenset[str] = frozenset()

    @property
    def are_tracked(self) -> bool:
        """Whether imports are not recorded, so that Git's index has to tell."""
        return not self._settings.learns

    def use(self, recording: Recording | None) -> None:
        """From now on this is what the newest worker tells."""
        if recording != self._recording:
            self._recording, self._imports = recording, None
            self._size = self._counted_size = 0

    def imports(self) -> Imported | None:
        """What the worker has imported so far; None where that is not known."""
        if self._recording is None:
            return None
        size = self._recording.size()
        if size != self._size:
            self._imports = imported(*self._recording.own_modules(), self._settings.program)
            self._size = size
        return self._imports

    def writes(self) -> frozenset[str] | None:
        """The real paths that the worker has written; None where that is not noted."""
        return None if self._recording is None else self._recording.writes()

    def have_grown(self) -> bool:
        """Whether the worker has imported more than has been counted."""
        return self._recording is not None and self._recording.size() != self._counted_size

    def count(self) -> list[str]:
        """Count what rules leave out although it is an input; a survey has to follow where that is new."""
        if self.are_tracked:
            return self._tree.count_tracked()
        imports = self.imports()
        self._counted_size = self._size
        return [] if imports is None else self._tree.count_imported(imports.files)

    def beside(self) -> frozenset[str]:
        """The folders beside the tree that the worker imports from, each once; none where all are watched."""
        if self._imports is None or self._settings.trigger is Trigger.LOADED:
            return frozenset()
        new = beside(self._imports.modules, self._tree.roots, self._tree.single) - self._told
        self._told |= new
        return new
