"""Recognises that the worker is ready: a line of its output matches a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable

from reloader.common.lazy_pattern import lazy_pattern

# Colours and other control sequences (ECMA-48), which are removed before a line is matched.
_SEQUENCE = lazy_pattern(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# How many bytes of an unfinished line are kept.
_LONGEST = 65536


class Readiness:
    """Reads one stream of the worker's output until a line matches, then calls `ready` once."""

    def __init__(self, pattern: str, ready: Callable[[], None]) -> None:
        self._pattern = re.compile(pattern.encode())
        self._ready = ready
        self._line = b""
        self._done = False

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the stream."""
        if self._done:
            return
        *whole, rest = (self._line + chunk).split(b"\n")
        self._line = rest[-_LONGEST:]
        if any(self._pattern.search(_SEQUENCE.sub(b"", line)) for line in (*whole, rest)):
            self._done = True
            self._line = b""
            self._ready()
