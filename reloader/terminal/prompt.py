"""Tells whether a generation's output ends in a prompt, and whether it has sent its terminal a query.

A prompt is an unfinished line with visible text, or a whole line that ends as a question does. A line editor
may print newlines and move the cursor up again. A full-screen program shows no prompt, nor does one that has
hidden the cursor, as progress displays do.
"""

from __future__ import annotations

import time

from reloader.common.lazy_pattern import lazy_pattern

# The terminal answers a query within this time, in seconds, even over a slow connection.
ANSWERED = 5.0
# How many last bytes may belong to a sequence that the next chunk continues.
_CARRIED = 32
# How many last bytes of an unfinished line are examined, and of a whole line.
_UNFINISHED = 4096
_ENDING = 256

# The modes that matter, by number: the alternate screens, and the visible cursor.
_MODE = lazy_pattern(rb"\x1b\[\?([0-9;]+)([hl])")
_SCREENS, _CURSOR = {b"47", b"1047", b"1049"}, b"25"
# Queries that a terminal answers: DA, DSR, DECRQM, XTVERSION, window reports, kitty's keyboard; OSC with a
# question mark; DCS for capabilities and settings.
_QUERY = lazy_pattern(
    rb"\x1b(?:\[(?:[>=]?[0-9;]*c|\??[0-9;]*n|\??[0-9;]+\$p|>[0-9]*q|[0-9;]+t|\?u|[01]?x)"
    rb"|\][0-9;]*[^\x07\x1b\n]{0,64};?\?|P[+$]q)"
)
_SEQUENCE = lazy_pattern(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\|\Z)|[ -/]*[0-~]|\Z)|[\x00-\x20\x7f]"
)
# How a whole line that is a question ends.
_ENDS_OF_QUESTIONS = (b"?", b":", b">", b")", b"]", b".")
# The cursor moves up or to a position: the text before it may be the prompt.
_MOVED = lazy_pattern(rb"\x1b\[[0-9;]*[AFHfd]")


class Prompt:
    """The output of one generation. The pumps' threads feed it; other threads read its properties."""

    def __init__(self) -> None:
        self._ending: dict[str, bytes] = {}
        """The last bytes of each stream."""
        self._lines: dict[str, bytes] = {}
        """The unfinished line of each stream."""
        self._cut: dict[str, bytes] = {}
        """The sequence at the end of each stream, which may go on in the next chunk."""
        self._on_alternate_screen = False
        self._is_cursor_hidden = False
        self._queried_at = float("-inf")

    def feed(self, stream: str, chunk: bytes) -> None:
        """Note what the generation has printed to a stream."""
        self._ending[stream] = (self._ending.get(stream, b"") + chunk[-_ENDING:])[-_ENDING:]
        line = chunk.rpartition(b"\n")[2]
        before = b"" if len(line) < len(chunk) else self._lines.get(stream, b"")
        self._lines[stream] = (before + line)[-_UNFINISHED:]
        carried = self._cut.get(stream, b"")
        if carried or b"\x1b" in chunk:
            data = carried + chunk
            self._look_for_sequences(data, len(carried))
            start = data.rfind(b"\x1b", -_CARRIED)
            self._cut[stream] = data[start:] if start >= 0 else b""

    def _look_for_sequences(self, data: bytes, seen: int) -> None:
        for modes, letter in _MODE.findall(data):
            for mode in modes.split(b";"):
                if mode in _SCREENS:
                    self._on_alternate_screen = letter == b"h"
                elif mode == _CURSOR:
                    self._is_cursor_hidden = letter == b"l"
        if any(found.end() > seen for found in _QUERY.finditer(data)):
            self._queried_at = time.monotonic()

    def answered(self) -> None:
        """The user has typed a line, which answers the prompt."""
        self._lines.clear()

    @property
    def fills_screen(self) -> bool:
        """Whether it shows the alternate screen."""
        return self._on_alternate_screen

    @property
    def stands(self) -> bool:
        """Whether a prompt is on the screen."""
        if self._on_alternate_screen or self._is_cursor_hidden:
            return False
        lines = list(self._lines.values())
        return any(_MOVED.search(line) or _SEQUENCE.sub(b"", line) for line in lines)

    @property
    def is_redrawn(self) -> bool:
        """Whether every unfinished line has a carriage return, as the line of a progress display does."""
        return all(b"\r" in line for line in self._lines.values() if line)

    @property
    def may_have_asked(self) -> bool:
        """Whether the output ends as a question does, even with a newline."""
        texts = [_SEQUENCE.sub(b" ", ending).rstrip() for ending in list(self._ending.values())]
        return any(text.endswith(_ENDS_OF_QUESTIONS) for text in texts)

    @property
    def awaits_answer(self) -> bool:
        """Whether the terminal's answer to a query may still come."""
        return time.monotonic() - self._queried_at < ANSWERED
