"""What was ignored and why, for a user who wants to know."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from reloader.messages import events
from reloader.watching.explain import reason_in
from reloader.watching.tree import Tree

# A path is told once; when so many have been, they are forgotten.
REMEMBERED = 10_000


class IgnoredLog:
    """Posts PathsIgnored for paths whose events do not count, by the reason, and each path once."""

    def __init__(self, tree: Tree, post: Callable[[events.Event], None]) -> None:
        self._tree = tree
        self._post = post
        self._told: set[str] = set()

    def note(self, paths: Collection[str]) -> None:
        """There were events at these paths, and they do not count."""
        if len(self._told) > REMEMBERED:
            self._told.clear()
        found: dict[tuple[str, str, int], list[str]] = {}
        for path in sorted(set(paths) - self._told):
            folder, name = os.path.split(path)
            known = self._tree.folders.get(folder)
            if known is None:
                continue  # a neighbour of a root, which nobody asked to be watched
            self._told.add(path)
            reason = reason_in(known.view, path, name, os.path.isdir(path))
            rule = reason.rule
            key = (reason.why, "", 0) if rule is None else (rule.text, rule.source, rule.line)
            found.setdefault(key, []).append(path)
        for (why, source, line), together in found.items():
            self._post(events.PathsIgnored(tuple(together), why, source, line))
