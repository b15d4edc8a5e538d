"""Bytes in, the same bytes with a prefix before every line out. Pure, and in bulk: no loop over lines."""

from __future__ import annotations

from collections.abc import Callable

from reloader.showing.sequences import Attributes
from reloader.showing.sink import Writer

# So many bytes may come of what is rendered at once, however many lines it has.
LIMIT = 1 << 20


class Prefixer(Writer):
    """Prefixes one stream. Nothing is taken away, and nothing but the prefixes is added, except a reset where
    a line leaves colours open.

    `prefix` makes the prefix of the moment; where it is empty the bytes pass as they are.
    """

    patience = 0.08

    def __init__(self, prefix: Callable[[], bytes]) -> None:
        self._prefix = prefix
        self._attributes = Attributes()
        self._due = True

    @property
    def is_unfinished(self) -> bool:
        """Whether another writer's line would land inside one of ours."""
        return not self._due

    def most(self, _chunk: bytes) -> int:
        """How many of these bytes to render at once at most."""
        return max(1, LIMIT // (len(self._prefix()) + 1))

    def feed(self, chunk: bytes) -> bytes:
        """The chunk as it is shown."""
        if not chunk:
            return chunk
        prefix = self._prefix()
        start, self._due = self._due, chunk.endswith(b"\n")
        if not prefix:
            return chunk
        # A newline has no line after it so far.
        tail = b"\n" if self._due else b""
        shown = self._attributes.close(chunk)
        inner = shown[: len(shown) - len(tail)].replace(b"\n", b"\n" + prefix)
        return b"".join((prefix, inner, tail)) if start else inner + tail

    def break_line(self) -> bytes:
        """What ends our unfinished line for another writer; what comes next begins a new one."""
        self._due = True
        return self._attributes.end() + b"\n"
