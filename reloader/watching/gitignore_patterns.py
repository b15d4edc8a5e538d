"""The language of .gitignore files: lines become rules, and the last rule that matches decides.

Pure. The language is that of gitignore(5) and of wildmatch in Git's sources: `*` and `?` stay within
one path component, `**` as a whole component crosses them, a slash at the start or in the middle
anchors the pattern to the folder of its file, one at the end matches folders only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reloader.watching.globs import Glob, Name
from reloader.watching.globs import parse as parse_glob

# How many names a layer remembers its answer for.
REMEMBERED = 20_000


@dataclass(frozen=True)
class Rule:
    """One pattern and where it was written."""

    text: str
    source: str
    """The file, or what else the pattern came from, as it is told to the user."""
    line: int
    negated: bool
    folders_only: bool
    anchored: bool
    glob: Glob = field(compare=False, repr=False)
    """The pattern without its marks: no `!`, no slash at the start or the end."""


# Fits every name.
_ANY = Name([[], []])


def parse(text: str, source: str, line: int) -> Rule | None:
    """The rule in one line; None for a blank line, a comment, or a pattern that can match nothing."""
    pattern = _strip_spaces(text.removesuffix("\r"))
    if not pattern or pattern.startswith("#"):
        return None
    negated = pattern.startswith("!")
    if negated:
        pattern = pattern[1:]
    folders_only = pattern.endswith("/")  # which no backslash quotes
    if folders_only:
        pattern = pattern[:-1]
    anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    glob = parse_glob(pattern) if pattern else None
    return None if glob is None else Rule(text, source, line, negated, folders_only, anchored, glob)


def _strip_spaces(line: str) -> str:
    """Without the spaces at the end, except one behind a backslash."""
    end = len(line.rstrip(" "))
    backslashes = end - len(line[:end].rstrip("\\"))
    return line[: end + backslashes % 2]


class Layer:
    """The rules of one file or option list, relative to one folder, in their order.

    Rules are found by what they say literally: a name, its ending or its beginning, the folders that a path
    begins with. What they say of a name is remembered, since the same names stand in many folders.
    """

    def __init__(self, base: str, rules: Iterable[Rule]) -> None:
        self.base = base.rstrip("/")
        self.rules = tuple(rules)
        self._names: dict[str, list[int]] = {}
        self._endings: dict[str, list[int]] = {}
        self._wild: dict[str, list[tuple[Name, int]]] = {}
        """By what a name that fits begins with."""
        self._paths: dict[tuple[str, ...], list[tuple[Glob, int]]] = {}
        """Of anchored rules, by the folders that they begin with."""
        for index, rule in enumerate(self.rules):
            glob = rule.glob
            if rule.anchored:
                self._paths.setdefault(glob.start, []).append((glob, index))
            elif glob.most is None:
                self._wild.setdefault("", []).append((_ANY, index))
            else:
                self._file(glob.name, index)
        self._end_lengths = {len(ending) for ending in self._endings}
        self._start_lengths = {len(start) for start in self._wild}
        self._known: dict[tuple[str, bool], int] = {}

    def _file(self, name: Name, index: int) -> None:
        if name.literal is not None:
            self._names.setdefault(name.literal, []).append(index)
        elif name.ending is not None:
            self._endings.setdefault(name.ending, []).append(index)
        else:
            first = name.first if isinstance(name.first, str) else ""
            self._wild.setdefault(first, []).append((name, index))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def match(self, path: str, name: str, is_folder: bool) -> Rule | None:
        """The last rule that matches the absolute `path`, which ends in `name`."""
        best = self._known.get((name, is_folder))
        if best is None:
            best = self._of_name(name, is_folder)
        if self._paths:
            parts = path[len(self.base) + 1 :].split("/")
            for glob, index in self._near(parts):
                if index > best and self._holds(index, is_folder) and glob.fits(parts):
                    best = index
        return self.rules[best] if best >= 0 else None

    def _of_name(self, name: str, is_folder: bool) -> int:
        """The last rule without a path that matches the name; -1 for none."""
        hits = list(self._names.get(name, ()))
        for length in self._end_lengths:
            hits += self._endings.get(name[-length:], ())
        for length in self._start_lengths:
            if length <= len(name):
                wild = self._wild.get(name[:length], ())
                hits += [index for pattern, index in wild if pattern.fits(name)]
        best = max((index for index in hits if self._holds(index, is_folder)), default=-1)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name, is_folder] = best
        return best

    def _near(self, parts: list[str]) -> Iterator[tuple[Glob, int]]:
        """The anchored rules that begin as the path does."""
        for depth in range(len(parts)):
            yield from self._paths.get(tuple(parts[:depth]), ())

    def _holds(self, index: int, is_folder: bool) -> bool:
        return is_folder or not self.rules[index].folders_only

    @property
    def anchored(self) -> bool:
        """Whether any of the rules is about a path."""
        return bool(self._paths)

    def asks_for_paths(self, folder: str) -> bool:
        """Whether more than an entry's name may matter right inside this folder."""
        if not self._paths:
            return False
        inside = folder[len(self.base) + 1 :]
        parts = [*inside.split("/"), ""] if inside else [""]
        depth = len(parts)
        return any(
            glob.least <= depth
            and (glob.most is None or depth <= glob.most)
            and (not glob.ends_open or glob.fits(parts))
            for glob, _ in self._near(parts)
        )

    def leads_through(self, path: str) -> bool:
        """Whether an anchored rule may match something below the folder `path`."""
        parts = path[len(self.base) + 1 :].split("/")
        return any(
            glob.leads_through(parts)
            for globs in self._paths.values()
            for glob, index in globs
            if not self.rules[index].negated
        )
