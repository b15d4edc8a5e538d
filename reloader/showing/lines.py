"""Bytes in, the same bytes with a prefix before every line out. Pure, and in bulk: no loop over lines."""

from __future__ import annotations

import re

_LONE_RETURN = re.compile(rb"\r(?!\n)")


class Prefixer:
    """Prefixes one stream. Nothing but the prefixes is added, and nothing is taken away.

    At a terminal a carriage return starts the line over, so the prefix is written again after it;
    elsewhere it is a byte like any other.
    """

    def __init__(self, at_terminal: bool) -> None:
        self._at_terminal = at_terminal
        self._due = True
        self._returned = False

    def feed(self, chunk: bytes, prefix: bytes) -> bytes:
        """The chunk as it is shown."""
        if not chunk or not prefix:
            return chunk
        start = self._due or (self._returned and not chunk.startswith(b"\n"))
        self._due = chunk.endswith(b"\n")
        self._returned = self._at_terminal and chunk.endswith(b"\r")
        # A newline, or a return of which the next byte is not known yet, has no line after it so far.
        tail = b"\r\n" if chunk.endswith(b"\r\n") else chunk[-1:] if self._due or self._returned else b""
        inner = chunk[: len(chunk) - len(tail)]
        if self._at_terminal and b"\r" in inner:
            inner = _LONE_RETURN.sub(lambda _: b"\r" + prefix, inner)
        shown = inner.replace(b"\n", b"\n" + prefix) + tail
        return prefix + shown if start else shown

    def break_line(self) -> None:
        """Another writer has ended our unfinished line: what comes next begins a new one."""
        self._due = True
        self._returned = False
