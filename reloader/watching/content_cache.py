"""What the files held when the running generation started, so that a real change is told from a touch.

Python sources are kept compressed, since only two sources can be compared by their meaning; of other
files a digest is kept. A thread of low priority reads them, so no start waits for it; a file that it
has not read yet counts as changed when its status differs.
"""

from __future__ import annotations

import ast
import os
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import NamedTuple

from reloader.common.files import open_regular
from reloader.messages import events
from reloader.watching.folder import Stat, stat_of
from reloader.watching.tree import Snapshot

# All that is kept takes less than this, in bytes, what Python needs for each entry included.
BUDGET = 30_000_000
ENTRY = 400
# Of zlib: a tenth smaller than the quickest, for a third more time.
LEVEL = 4
# Larger files, in bytes, are judged by their status alone; larger Python files by their bytes alone.
MOST = 16_000_000
MOST_SOURCE = 300_000
# A small tree is read at once; what takes longer than this, in seconds, gives way to everything else.
AT_ONCE = 0.1
NICENESS = 19


class Kept(NamedTuple):
    """One file as it was read: nothing is known of it once its status is another."""

    seen: Stat
    digest: int
    """Python's own hash, of 64 bits: the chance that it misses a change is not worth OpenSSL's 4 MB."""
    source: bytes | None
    """A Python file's bytes, compressed."""


class ContentCache:
    """Other threads ask; the one of `run` reads."""

    def __init__(self, post: Callable[[events.Event], None], budget: int = BUDGET) -> None:
        self._post = post
        self._budget = budget
        self._kept: dict[str, Kept] = {}
        self._size = 0
        self._wanted: SimpleQueue[Snapshot] = SimpleQueue()

    def keep(self, snapshot: Snapshot) -> None:
        """Read, in time, what these files hold, and forget every other."""
        self._wanted.put(snapshot)

    def sameness(self, path: str, then: Stat, now: Stat, syntax: bool = True) -> events.Sameness | None:
        """How the file, of status `now`, is still what it was; None if it differs or nothing is known.

        Without `syntax` only bytes are compared.
        """
        kept = self._kept.get(path)
        if kept is None or kept.seen != then:
            return None
        if now[1] != then[1] and not (syntax and _is_source(path, now[1])):
            return None
        content = read(path, now)
        if content is None:
            return None
        if hash(content) == kept.digest:
            self._kept[path] = kept._replace(seen=now)
            return events.Sameness.BYTES
        if syntax and kept.source is not None and same_syntax(zlib.decompress(kept.source), content):
            return events.Sameness.SYNTAX
        return None

    def is_known_to_differ(self, path: str, then: Stat, now: Stat) -> bool:
        """Whether the file, of status `now`, holds other bytes than those that were read of it."""
        kept = self._kept.get(path)
        content = read(path, now) if kept is not None and kept.seen == then else None
        return kept is not None and content is not None and hash(content) != kept.digest

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Work for ever."""
        while True:
            self.read_all(self._wanted.get())

    def read_all(self, snapshot: Snapshot) -> None:
        """Bring what is kept up to date with the snapshot, or begin it and leave it to a newer one."""
        began, polite = time.monotonic(), False
        for path in list(self._kept):
            folder, name = os.path.split(path)
            if name not in snapshot.get(folder, ()):
                self._forget(path)
        for folder, files in snapshot.items():
            for name, seen in files.items():
                path = os.path.join(folder, name)
                kept = self._kept.get(path)
                if kept is not None and kept.seen == seen:
                    continue
                if not self._wanted.empty():
                    return
                if not polite and time.monotonic() - began > AT_ONCE:
                    polite = True
                    _lower_priority()
                self._read(path, seen)
        self._post(events.ContentsKnown(len(self._kept), self._size))

    def _read(self, path: str, seen: Stat) -> None:
        self._forget(path)
        if self._size + ENTRY > self._budget:
            return
        content = read(path, seen)
        if content is None:
            return
        source = zlib.compress(content, LEVEL) if _is_source(path, len(content)) else None
        if source is not None and self._size + ENTRY + len(source) > self._budget:
            source = None
        self._kept[path] = Kept(seen, hash(content), source)
        self._size += ENTRY + len(source or b"")

    def _forget(self, path: str) -> None:
        kept = self._kept.pop(path, None)
        if kept is not None:
            self._size -= ENTRY + len(kept.source or b"")


def _lower_priority() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def _is_source(path: str, size: int) -> bool:
    return path.endswith(".py") and size <= MOST_SOURCE


def read(path: str, seen: Stat) -> bytes | None:
    """What the file holds; None unless its status is `seen` before and after, or if it is too large."""
    if seen[1] > MOST:
        return None
    try:
        with open(open_regular(path), "rb", buffering=0) as file:
            if _status(file.fileno()) != seen:
                return None
            content = file.read()
            return content if _status(file.fileno()) == seen and len(content) == seen[1] else None
    except OSError:
        return None


def _status(fd: int) -> Stat:
    return stat_of(os.fstat(fd))


def same_syntax(old: bytes, new: bytes) -> bool:
    """Whether both are Python sources with the same syntax tree. Docstrings are part of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _equal(ast.parse(old), ast.parse(new))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _equal(old: ast.AST, new: ast.AST) -> bool:
    """Whether two trees are the same but for their positions; without recursion, which has a limit."""
    pairs: list[tuple[object, object]] = [(old, new)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, ast.AST) and isinstance(other, ast.AST):
            pairs.extend(zip(_fields(one), _fields(other), strict=True))
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        # 0.0 equals -0.0 and is another constant; nan equals nothing and is the same.
        elif one != other if isinstance(one, str | bytes) else repr(one) != repr(other):
            return False
    return True


def _fields(node: ast.AST) -> Iterable[object]:
    return [getattr(node, name, None) for name in node._fields]
