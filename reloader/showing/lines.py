"""Bytes in, the same bytes with a prefix before every line out. Pure, and in bulk: no loop over lines."""

from __future__ import annotations

import re
from collections.abc import Callable

from reloader.showing.sequences import Attributes

_LONE_RETURN = re.compile(rb"\r(?!\n)")
# So many bytes may come of what is rendered at once, however many lines it has.
LIMIT = 1 << 20


class Prefixer:
    """Prefixes one stream. Nothing is taken away, and nothing but the prefixes is added, except a reset where
    a line leaves colours open.

    `prefix` makes the prefix of the moment; where it is empty the bytes pass as they are. At a terminal a
    carriage return starts the line over, so the prefix is written again after it; elsewhere it is a byte
    like any other.
    """

    patience = 0.08
    """How long the rest of an unfinished line is awaited, in seconds, before its beginning is shown."""

    def __init__(self, prefix: Callable[[], bytes], at_terminal: bool) -> None:
        self._prefix = prefix
        self._at_terminal = at_terminal
        self._attributes = Attributes(at_terminal)
        self._due = True
        self._returned = False

    def most(self, _chunk: bytes) -> int:
        """How many of these bytes to render at once at most."""
        return max(1, LIMIT // (len(self._prefix()) + 1))

    def feed(self, chunk: bytes) -> bytes:
        """The chunk as it is shown."""
        prefix = self._prefix()
        if not chunk or not prefix:
            return chunk
        start = self._due or (self._returned and not chunk.startswith(b"\n"))
        self._due = chunk.endswith(b"\n")
        self._returned = self._at_terminal and chunk.endswith(b"\r")
        # A newline, or a return of which the next byte is not known yet, has no line after it so far.
        tail = chunk[-1:] if self._due or self._returned else b""
        if self._at_terminal and chunk.endswith(b"\r\n"):
            tail = b"\r\n"
        shown = self._attributes.close(chunk)
        inner = shown[: len(shown) - len(tail)]
        if self._at_terminal and b"\r" in inner:
            inner = _LONE_RETURN.sub(lambda _: b"\r" + prefix, inner)
        inner = inner.replace(b"\n", b"\n" + prefix)
        return b"".join((prefix, inner, tail)) if start else inner + tail

    def break_line(self) -> bytes:
        """What ends our unfinished line for another writer; what comes next begins a new one."""
        self._due = True
        self._returned = False
        return self._attributes.end() + b"\n"
