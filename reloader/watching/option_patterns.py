"""The user's own patterns (`ignore`, `include`): gitignore syntax, and paths and braces as a shell has them.

A pattern with a slash is relative to the folder that it was written in: that of the settings file, or the
current folder; on the command line and in the environment to every watched folder as well. What begins with
`./`, `../` or `~/`, and an absolute path to or into one of these folders, is a path. `{a,b}` stands for `a`
and for `b`, which gitignore(5) does not know.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reloader.common.run_folder import run_folder
from reloader.settings import Settings
from reloader.watching.gitignore_patterns import Layer, Rule, parse

# A pattern with braces stands for this many at most; more of them are taken as they are written.
MOST = 100


def option_layer(settings: Settings, option: str, root: str, patterns: Sequence[str] | None = None) -> Layer:
    """The rules of `ignore` or `include` in this watched folder; of these patterns alone where given.

    Raises ReloaderError where there is no current folder.
    """
    source, folder = settings.origin(option)
    folders = (folder,) if folder else (root, run_folder())
    if patterns is None:
        patterns = getattr(settings, option)
    return Layer("/", [rule for one in patterns for rule in _rules(one, source, root, folders)])


def _rules(pattern: str, source: str, root: str, folders: Sequence[str]) -> Iterator[Rule]:
    for text in expanded(pattern):
        for placed in dict.fromkeys(_placed(text, root, folders)):
            rule = parse(placed, source, 0)
            if rule is not None:
                yield replace(rule, text=pattern)


def _placed(text: str, root: str, folders: Sequence[str]) -> Iterator[str]:
    """The pattern relative to the root of the file system, where it is about a path."""
    mark = "!" if text.startswith("!") else ""
    body = text.removeprefix("!")
    if body.startswith("~/"):
        body = _quoted(os.path.expanduser("~")) + body[1:]
        yield mark + body
    elif body in (".", "..") or body.startswith(("./", "../")):
        # On the command line these are paths as a shell takes them.
        yield mark + _joined(folders[-1], body)
    elif any(_is_in(body, folder) for folder in (root, *folders)) or body.startswith("**/"):
        yield mark + body
    elif "/" in body[:-1]:
        for folder in folders:
            yield mark + _joined(folder, body)
    else:
        yield text


def _is_in(path: str, folder: str) -> bool:
    return path.rstrip("/") == folder or (path.startswith(folder.rstrip("/") + "/") and folder != "/")


def _joined(folder: str, body: str) -> str:
    """The pattern of a path relative to the folder, from the root of the file system on."""
    parts = body.split("/")
    while parts and parts[0] in ("", ".", ".."):
        if parts.pop(0) == "..":
            folder = os.path.dirname(folder)
    return "/".join([_quoted(folder).rstrip("/"), *parts])


def _quoted(path: str) -> str:
    """A pattern that fits this path alone."""
    return "".join("\\" + char if char in "*?[\\" else char for char in path)


def expanded(pattern: str) -> list[str]:
    """The patterns that one with `{a,b}` stands for, in the order of a shell; others are returned alone."""
    found = [pattern]
    while len(found) < MOST:
        for index, text in enumerate(found):
            if (braces := _first_braces(text)) is not None:
                begin, end, choices = braces
                found[index : index + 1] = [text[:begin] + one + text[end:] for one in choices]
                break
        else:
            return found
    return [pattern]


def _first_braces(text: str) -> tuple[int, int, list[str]] | None:
    """Where the first braces around a comma begin and end, and what stands between their commas."""
    for begin in _signs(text, "{"):
        depth, pieces, last = 0, [], begin + 1
        for at in _signs(text, "{,}"):
            if at < begin:
                continue
            depth += (text[at] == "{") - (text[at] == "}")
            if (text[at] == "," and depth == 1) or depth == 0:
                pieces.append(text[last:at])
                last = at + 1
            if depth == 0:
                if len(pieces) > 1:
                    return begin, at + 1, pieces
                break
    return None


def bare_comma(pattern: str) -> bool:
    """Whether a comma stands outside of braces and brackets, and no backslash before it."""
    return any(list(_signs(one, ",")) for one in expanded(pattern))


def _signs(text: str, signs: str) -> Iterator[int]:
    """Where these signs stand, neither quoted by a backslash nor in brackets."""
    at, in_brackets = 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif in_brackets:
            in_brackets = char != "]"
        elif char == "[" and "]" in text[at:]:
            in_brackets = True
        elif char in signs:
            yield at
        at += 1
