"""Patterns of .gitignore files against names and paths, in a time that grows with both and no faster.

Pure. The signs mean what they mean to wildmatch in Git's sources, with WM_PATHNAME. A piece between two
asterisks has a fixed length, so the first place where it fits is as good as any later one, and nothing is
tried twice; so it is with the names between two `**`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}

_Character = tuple[str, bool]
"""A character itself (True), or an expression for one."""


class Name:
    """A pattern of a name."""

    def __init__(self, pieces: Sequence[Sequence[_Character]]) -> None:
        """`pieces` are what stands between its asterisks."""
        self.least = sum(map(len, pieces))
        """How many characters a name that fits has at least."""
        made = [_piece(piece) for piece in pieces]
        self.first, *self._middle = made
        self.last = self._middle.pop() if self._middle else None
        """What a name begins and ends with; the latter is None without an asterisk."""
        self._last_length = len(pieces[-1])

    @property
    def literal(self) -> str | None:
        """The only name that fits; None where others may."""
        return self.first if isinstance(self.first, str) and self.last is None else None

    @property
    def ending(self) -> str | None:
        """That with which a name ends, if every name fits that does."""
        is_ending = isinstance(self.last, str) and not self.first and not self._middle
        return self.last if is_ending and isinstance(self.last, str) and self.last else None

    def fits(self, name: str) -> bool:
        """Whether the whole name does."""
        if self.last is None:
            return len(name) == self.least and _stands(self.first, name, 0)
        at, end = self.least - self._last_length, len(name) - self._last_length
        if at > end or not _stands(self.first, name, 0) or not _stands(self.last, name, end):
            return False
        at = _length(self.first)
        for piece in self._middle:
            at = _end_of(piece, name, at, end)
            if at < 0:
                return False
        return True


class _Expression(NamedTuple):
    """A piece that is not the same text everywhere."""

    pattern: re.Pattern[str]
    length: int


def _piece(characters: Sequence[_Character]) -> str | _Expression:
    if all(is_itself for _, is_itself in characters):
        return "".join(text for text, _ in characters)
    text = "".join(re.escape(text) if is_itself else text for text, is_itself in characters)
    return _Expression(re.compile(text, re.DOTALL), len(characters))


def _length(piece: str | _Expression) -> int:
    return len(piece) if isinstance(piece, str) else piece.length


def _stands(piece: str | _Expression, name: str, at: int) -> bool:
    return name.startswith(piece, at) if isinstance(piece, str) else bool(piece.pattern.match(name, at))


def _end_of(piece: str | _Expression, name: str, at: int, end: int) -> int:
    """Where the piece ends that stands first between these places; -1 for nowhere."""
    if isinstance(piece, str):
        found = name.find(piece, at, end)
        return found + len(piece) if found >= 0 else -1
    match = piece.pattern.search(name, at, end)
    return match.end() if match else -1


class _Run(NamedTuple):
    """Names that follow each other."""

    gap: int
    """So many others stand before them."""
    is_open: bool
    """Whether more may."""
    names: tuple[Name, ...]


class Glob:
    """A pattern of a path, by its names."""

    def __init__(self, runs: Sequence[_Run]) -> None:
        self._runs = runs
        self.least = sum(run.gap + len(run.names) for run in runs)
        """How many names a path that fits has at least."""
        self.most = None if any(run.is_open for run in runs) else self.least
        """How many it has at most; None for any number."""

    @property
    def ends_open(self) -> bool:
        """Whether it ends with `**`, and so says nothing of the last name of a path."""
        return self._runs[-1].is_open and not self._runs[-1].names

    @property
    def start(self) -> tuple[str, ...]:
        """The names of the folders that a path that fits begins with, as far as each can be only one."""
        first = self._runs[0]
        found: list[str] = []
        for name in first.names[: self.least - 1] if not first.is_open else ():
            if name.literal is None:
                break
            found.append(name.literal)
        return tuple(found)

    @property
    def name(self) -> Name:
        """The pattern of the first name."""
        return self._runs[0].names[0]

    def fits(self, path: Sequence[str]) -> bool:
        """Whether the whole path does."""
        at = 0
        for run in self._runs:
            start = at + run.gap
            if run.is_open and run is self._runs[-1]:
                at, start = start, len(path) - len(run.names)
                return start >= at and _follow(run.names, path, start)
            while not _follow(run.names, path, start):
                start += 1
                if not run.is_open or start + len(run.names) > len(path):
                    return False
            at = start + len(run.names)
        return at == len(path)

    def leads_through(self, folder: Sequence[str]) -> bool:
        """Whether something below the folder may fit; what begins with `**` leads nowhere."""
        at = 0
        for run in self._runs:
            if run.is_open:
                return at > 0
            for name in run.names:
                if at == len(folder):
                    return True
                if not name.fits(folder[at]):
                    return False
                at += 1
        return False


def _follow(names: Sequence[Name], path: Sequence[str], start: int) -> bool:
    """Whether these names stand in the path from there on."""
    if start + len(names) > len(path):
        return False
    return all(name.fits(path[at]) for at, name in enumerate(names, start))


def parse(text: str) -> Glob | None:
    """The pattern, without a slash at its start or end; None if it is malformed and fits nothing."""
    runs: list[_Run] = []
    gap, is_open = 0, False
    names: list[Name] = []
    pieces: list[list[_Character]] = [[]]
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        stars = at
        while at < end and text[at] == "*":
            at += 1
        if at > stars:
            begins = stars == 0 or text[stars - 1] == "/"
            ends = at == end or text.startswith(("/", "\\/"), at)
            if at - stars < 2 or not (begins and ends):
                pieces.append([])
                continue
            if names:
                runs.append(_Run(gap, is_open, tuple(names)))
                gap, names = 0, []
            is_open = True
            if at == end:
                return Glob([*runs, _Run(gap + 1, True, ())])
            # A slash that is quoted has a name before it, another one need not.
            is_quoted = text[at] == "\\"
            gap += is_quoted
            at += 1 + is_quoted
        elif char == "/" or text.startswith("\\/", at):
            names.append(Name(pieces))
            pieces = [[]]
            at += 1 if char == "/" else 2
        elif char == "?":
            pieces[-1].append((".", False))
            at += 1
        elif char == "[":
            bracket = _bracket(text, at)
            if bracket is None:
                return None
            expression, at = bracket
            pieces[-1].append((expression, False))
        else:
            at += char == "\\"
            if at == end:
                return None
            pieces[-1].append((text[at], True))
            at += 1
    return Glob([*runs, _Run(gap, is_open, (*names, Name(pieces)))])


def _bracket(glob: str, start: int) -> tuple[str, int] | None:
    """The bracket expression at `start` as a regular expression, and where it ends."""
    i = start + 1
    inverted = i < len(glob) and glob[i] in "!^"
    if inverted:
        i += 1
    members: list[str] = []
    first = True
    previous: str | None = None
    while True:
        if i >= len(glob):
            return None
        char = glob[i]
        if char == "]" and not first:
            break
        first = False
        if char == "[" and glob[i + 1 : i + 2] == ":":
            close = glob.find(":]", i + 2)
            if close < 0:
                return None
            name = glob[i + 2 : close]
            if name not in _CLASSES:
                return None
            members.append(_CLASSES[name])
            previous = None
            i = close + 2
            continue
        if char == "-" and previous is not None and glob[i + 1 : i + 2] not in ("", "]"):
            i += 1
            last = glob[i]
            if last == "\\":
                i += 1
                if i >= len(glob):
                    return None
                last = glob[i]
            if previous <= last:
                members.append(f"{re.escape(previous)}-{re.escape(last)}")
            previous = None
            i += 1
            continue
        if char == "\\":
            i += 1
            if i >= len(glob):
                return None
            char = glob[i]
        members.append(re.escape(char))
        previous = char
        i += 1
    inside = "".join(members)
    if inverted:
        return f"[^/{inside}]", i + 1
    return (f"(?!/)[{inside}]" if inside else "(?!)"), i + 1
