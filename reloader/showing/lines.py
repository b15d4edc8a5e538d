"""Puts a prefix in front of every line, where the output is not a terminal. Pure; never loops over lines."""

from __future__ import annotations

from collections.abc import Callable

from reloader.common.lazy_pattern import lazy_pattern
from reloader.showing.sequences import LONGEST, RESET, close_lines
from reloader.showing.sink import Writer

# The result of rendering a piece at once is at most about this large, in bytes, however many lines it has.
LIMIT = 1 << 20
# A sequence of attributes that is cut at the end of the data.
_CUT_ATTRIBUTES = lazy_pattern(rb"\x1b(?:\[[0-9;:]{0,64})?\Z")


class Prefixer(Writer):
    """Prefixes one stream. Besides the prefixes it adds only a reset where a line leaves attributes on.

    `prefix` returns the prefix for now; if it is empty, the bytes pass unchanged.
    """

    patience = 0.08

    def __init__(self, prefix: Callable[[], bytes]) -> None:
        self._prefix = prefix
        self._open: frozenset[int] = frozenset()
        """The attributes that are on."""
        self._cut = b""
        """The cut sequence of attributes that the last chunk ended with. It was shown."""
        self._due = True
        """The next byte begins a line."""

    @property
    def is_unfinished(self) -> bool:
        return not self._due

    def most(self, _chunk: bytes) -> int:
        return max(1, LIMIT // (len(self._prefix()) + 1))

    def feed(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        prefix = self._prefix()
        start, self._due = self._due, chunk.endswith(b"\n")
        if not prefix:
            return chunk
        if self._open or self._cut or b"\x1b" in chunk:
            chunk = self._close_attributes(chunk)
        # A last newline gets no prefix: no line has begun after it.
        tail = b"\n" if self._due else b""
        inner = chunk[: len(chunk) - len(tail)].replace(b"\n", b"\n" + prefix)
        return b"".join((prefix, inner, tail)) if start else inner + tail

    def _close_attributes(self, chunk: bytes) -> bytes:
        """The chunk with a reset at the end of every line that leaves attributes on."""
        shown = len(self._cut)
        data = self._cut + chunk
        closed, self._open = close_lines(data, self._open)
        cut = _CUT_ATTRIBUTES.search(data, max(0, len(data) - LONGEST))
        self._cut = b"" if cut is None else cut[0]
        return closed[shown:]

    def break_line(self) -> bytes:
        reset = RESET if self._open else b""
        self._due, self._open, self._cut = True, frozenset(), b""
        return reset + b"\n"
