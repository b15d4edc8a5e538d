"""The language of .gitignore files: lines become rules, and the last rule that matches decides.

Pure. The language is that of gitignore(5) and of wildmatch in Git's sources: `*` and `?` stay within
one path component, `**` as a whole component crosses them, a slash at the start or in the middle
anchors the pattern to the folder of its file, one at the end matches folders only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

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
_WILD = frozenset("*?[\\")
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
    glob: str
    """The pattern without its marks: no `!`, no slash at the start or the end."""


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
    if not pattern or translate(pattern) is None:
        return None
    return Rule(text, source, line, negated, folders_only, anchored, pattern)


def _strip_spaces(line: str) -> str:
    """Without the spaces at the end, except those behind a backslash."""
    end = len(line)
    while end and line[end - 1] == " ":
        backslashes = len(line[: end - 1]) - len(line[: end - 1].rstrip("\\"))
        if backslashes % 2:
            break
        end -= 1
    return line[:end]


def translate(glob: str) -> str | None:
    """A regular expression for the whole path; None if the pattern is malformed and matches nothing."""
    parts: list[str] = []
    i, end = 0, len(glob)
    while i < end:
        char = glob[i]
        if char == "*":
            stars = i
            while i < end and glob[i] == "*":
                i += 1
            whole = (stars == 0 or glob[stars - 1] == "/") and (i == end or glob.startswith(("/", "\\/"), i))
            if i - stars < 2 or not whole:
                parts.append("[^/]*")
            elif i == end or glob[i] == "\\":
                parts.append(".*")
            else:
                parts.append("(?:.*/)?")
                i += 1
        elif char == "?":
            parts.append("[^/]")
            i += 1
        elif char == "[":
            bracket = _bracket(glob, i)
            if bracket is None:
                return None
            text, i = bracket
            parts.append(text)
        else:
            if char == "\\":
                i += 1
                if i == end:
                    return None
            parts.append(re.escape(glob[i]))
            i += 1
    return "".join(parts)


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


class Layer:
    """The rules of one file or option list, relative to one folder, in their order.

    Most patterns are a plain name or `*` and an ending; these are looked up, not matched. What they say of
    a name is remembered, since the same names stand in many folders.
    """

    def __init__(self, base: str, rules: Iterable[Rule]) -> None:
        self.base = base.rstrip("/")
        self.rules = tuple(rules)
        self._names: dict[str, list[int]] = {}
        self._endings: list[tuple[str, int]] = []
        self._basenames: list[tuple[re.Pattern[str], int]] = []
        self._paths: list[tuple[re.Pattern[str], int]] = []
        for index, rule in enumerate(self.rules):
            self._file(index, rule)
        self._any_path = _any_of([pattern for pattern, _ in self._paths])
        self._any_place = _any_of([_place_of(rule.glob) for rule in self.rules if rule.anchored])
        self._known: dict[tuple[str, bool], int] = {}

    def _file(self, index: int, rule: Rule) -> None:
        if rule.anchored:
            self._paths.append((_compile(rule.glob), index))
        elif not _WILD & set(rule.glob):
            self._names.setdefault(rule.glob, []).append(index)
        elif rule.glob[0] == "*" and len(rule.glob) > 1 and not _WILD & set(rule.glob[1:]):
            self._endings.append((rule.glob[1:], index))
        else:
            self._basenames.append((_compile(rule.glob), index))

    def __bool__(self) -> bool:
        return bool(self.rules)

    def match(self, path: str, name: str, is_folder: bool) -> Rule | None:
        """The last rule that matches the absolute `path`, which ends in `name`."""
        best = self._known.get((name, is_folder))
        if best is None:
            best = self._of_name(name, is_folder)
        if self._any_path is not None:
            relative = path[len(self.base) + 1 :]
            if self._any_path.fullmatch(relative):
                hits = [index for pattern, index in self._paths if pattern.fullmatch(relative)]
                best = max(best, *(index for index in hits if self._holds(index, is_folder)), -1)
        return self.rules[best] if best >= 0 else None

    def _of_name(self, name: str, is_folder: bool) -> int:
        """The last rule without a path that matches the name; -1 for none."""
        hits = list(self._names.get(name, ()))
        hits += [index for ending, index in self._endings if name.endswith(ending)]
        hits += [index for pattern, index in self._basenames if pattern.fullmatch(name)]
        best = max((index for index in hits if self._holds(index, is_folder)), default=-1)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name, is_folder] = best
        return best

    def _holds(self, index: int, is_folder: bool) -> bool:
        return is_folder or not self.rules[index].folders_only

    @property
    def anchored(self) -> bool:
        """Whether any of the rules is about a path."""
        return bool(self._paths)

    def asks_for_paths(self, folder: str) -> bool:
        """Whether more than an entry's name may matter right inside this folder."""
        return self._any_place is not None and bool(self._any_place.fullmatch(folder[len(self.base) + 1 :]))

    def leads_through(self, path: str) -> bool:
        """Whether an anchored rule may match something below the folder `path`."""
        parts = path[len(self.base) + 1 :].split("/")
        return any(_leads(rule, parts) for rule in self.rules if rule.anchored and not rule.negated)


def _any_of(patterns: list[re.Pattern[str]]) -> re.Pattern[str] | None:
    """One expression for what any of these matches: most paths match none."""
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{pattern.pattern})" for pattern in patterns), re.DOTALL)


def _place_of(glob: str) -> re.Pattern[str]:
    """What the folder of an entry must look like for this anchored pattern to match the entry."""
    above, _, last = glob.rpartition("/")
    inside = _crosses(last)
    higher, _, parent = above.rpartition("/")
    if _crosses(parent):
        above, inside = higher, True
    text = translate(above) if above else ".*" if inside else ""
    # A slash that is quoted or stands in brackets is not where the pattern's last component begins.
    return re.compile(".*" if text is None else f"{text}(?:/.*)?" if inside else text, re.DOTALL)


def _crosses(component: str) -> bool:
    """Whether this component stands for any number of them."""
    return len(component) > 1 and not component.strip("*")


def _compile(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob) or "(?!)", re.DOTALL)


def _leads(rule: Rule, parts: list[str]) -> bool:
    segments = rule.glob.split("/")
    for position, part in enumerate(parts):
        if position >= len(segments):
            return False
        if _crosses(segments[position]):
            # A pattern that begins with ** would lead through every ignored folder there is.
            return position > 0
        if not _compile(segments[position]).fullmatch(part):
            return False
    return len(parts) < len(segments)
