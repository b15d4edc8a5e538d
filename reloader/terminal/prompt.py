"""Whether what a generation has printed ends in a question, and whether it has asked its terminal something.

A question is a line without an end that holds something to see, or a whole one that ends as questions do. A
line editor may print newlines and move the cursor up again. A full-screen program asks nothing, nor does one
that has hidden the cursor, as a progress display does.
"""

from __future__ import annotations

import time

from reloader.common.lazy_pattern import lazy_pattern

# The terminal answers within this time, in seconds, also through a slow line.
ANSWERED = 5.0
# So much of the end of what was printed may be a sequence that goes on in the next bytes.
_CARRIED = 32
# So much of an unfinished line is looked at.
_LOOKED_AT = 4096
# So much of a whole line.
_ENDING = 256

# Which modes decide, by their number: the alternate screens, and the cursor.
_MODE = lazy_pattern(rb"\x1b\[\?([0-9;]+)([hl])")
_SCREENS, _CURSOR = {b"47", b"1047", b"1049"}, b"25"
# What a terminal answers: DA, DSR, DECRQM, XTVERSION, window reports, kitty's keyboard; OSC with a question
# mark; DCS that ask for capabilities and settings.
_QUESTION = lazy_pattern(
    rb"\x1b(?:\[(?:[>=]?[0-9;]*c|\??[0-9;]*n|\??[0-9;]+\$p|>[0-9]*q|[0-9;]+t|\?u|[01]?x)"
    rb"|\][0-9;]*[^\x07\x1b\n]{0,64};?\?|P[+$]q)"
)
_SEQUENCE = lazy_pattern(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\|\Z)|[ -/]*[0-~]|\Z)|[\x00-\x20\x7f]"
)
# What a whole line of a question ends with.
_ENDS_OF_QUESTIONS = (b"?", b":", b">", b")", b"]", b".")
# The cursor moves up or to a place: what stands before it may be the question.
_MOVED = lazy_pattern(rb"\x1b\[[0-9;]*[AFHfd]")


class Prompt:
    """Fed by the pumps of one generation, each with its stream; asked from other threads."""

    def __init__(self) -> None:
        self._ending: dict[str, bytes] = {}
        """The end of what each stream has printed."""
        self._lines: dict[str, bytes] = {}
        """The unfinished line of each stream."""
        self._ends: dict[str, bytes] = {}
        self._on_other_screen = False
        self._is_hidden = False
        self._asked = float("-inf")

    def feed(self, stream: str, chunk: bytes) -> None:
        """The generation has printed this."""
        self._ending[stream] = (self._ending.get(stream, b"") + chunk[-_ENDING:])[-_ENDING:]
        line = chunk.rpartition(b"\n")[2]
        before = b"" if len(line) < len(chunk) else self._lines.get(stream, b"")
        self._lines[stream] = (before + line)[-_LOOKED_AT:]
        carried = self._ends.get(stream, b"")
        if carried or b"\x1b" in chunk:
            data = carried + chunk
            self._look_for_sequences(data, len(carried))
            start = data.rfind(b"\x1b", -_CARRIED)
            self._ends[stream] = data[start:] if start >= 0 else b""

    def _look_for_sequences(self, data: bytes, seen: int) -> None:
        for modes, letter in _MODE.findall(data):
            for mode in modes.split(b";"):
                if mode in _SCREENS:
                    self._on_other_screen = letter == b"h"
                elif mode == _CURSOR:
                    self._is_hidden = letter == b"l"
        if any(found.end() > seen for found in _QUESTION.finditer(data)):
            self._asked = time.monotonic()

    def answered(self) -> None:
        """Somebody has typed a line: what was asked before is no question any more."""
        self._lines.clear()

    @property
    def fills_screen(self) -> bool:
        """Whether it draws on the alternate screen."""
        return self._on_other_screen

    @property
    def stands(self) -> bool:
        """Whether a question stands on the screen."""
        if self._on_other_screen or self._is_hidden:
            return False
        lines = list(self._lines.values())
        return any(_MOVED.search(line) or _SEQUENCE.sub(b"", line) for line in lines)

    @property
    def is_redrawn(self) -> bool:
        """Whether every unfinished line begins with a carriage return, or was begun anew, as progress is."""
        return all(b"\r" in line for line in self._lines.values() if line)

    @property
    def may_have_asked(self) -> bool:
        """Whether the last that was printed ends as a question does, even if that was a whole line."""
        texts = [_SEQUENCE.sub(b" ", ending).rstrip() for ending in list(self._ending.values())]
        return any(text.endswith(_ENDS_OF_QUESTIONS) for text in texts)

    @property
    def awaits_answer(self) -> bool:
        """Whether the terminal was asked something a moment ago."""
        return time.monotonic() - self._asked < ANSWERED
