"""Control sequences that move the cursor or erase, and the lines that a worker redraws with them. Pure.

The sequences are those of ECMA-48, of the manual of the VT510 and of "XTerm Control Sequences".
"""

from __future__ import annotations

import enum
import re
from collections import deque

# A chunk without any of these bytes is plain text and newlines.
BEGINNINGS = (b"\x1b", b"\r", b"\x0e", b"\x0f")
# Everything but text, newlines and attributes. Each alternative begins with one of few bytes, which makes the
# search fast.
TOKEN = re.compile(
    rb"[\x0e\x0f\r\x1b](?:(?<=[\x0e\x0f\r])|(?<=\x1b)(?:"
    rb"\[(?![0-9;:]{0,64}m)([0-?]*)([ -/]*[@-~])"
    rb"|(?:\]([0-9]*)(?![0-9]|\Z)|[P^_X])()"
    rb"|[ -/]*[0-OQ-WYZ\\`-~]))"
)
# The beginning of a token, at the end of the data.
CUT = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][0-9]*|[ -/]*)\Z")
# The end of a control string: ST, or what cancels it (CAN, SUB, another sequence); for an OSC also BEL.
STRING_END = re.compile(rb"\x1b\\|[\x18\x1a]|(?=\x1b[^\\])")
COMMAND_END = re.compile(rb"\x1b\\|[\x07\x18\x1a]|(?=\x1b[^\\])")


class Move(enum.Enum):
    """What a sequence does to the cursor, or to the text on the line."""

    UP, DOWN, NEXT, PREVIOUS, BACK, TO_ROW, TO_COLUMN, TO_PLACE = range(8)
    REGION, LINES, ERASE, SAVE, RESTORE = range(8, 13)


# By the final byte of a control sequence.
MOVES = {
    b"A": Move.UP,  # CUU
    **dict.fromkeys((b"B", b"e"), Move.DOWN),  # CUD, VPR
    b"D": Move.BACK,  # CUB
    b"E": Move.NEXT,  # CNL
    b"F": Move.PREVIOUS,  # CPL
    b"d": Move.TO_ROW,  # VPA
    **dict.fromkeys((b"G", b"`"), Move.TO_COLUMN),  # CHA, HPA
    **dict.fromkeys((b"H", b"f"), Move.TO_PLACE),  # CUP, HVP
    b"r": Move.REGION,  # DECSTBM
    **dict.fromkeys((b"L", b"M"), Move.LINES),  # IL, DL
    **dict.fromkeys((b"J", b"K"), Move.ERASE),  # ED, EL
    b"s": Move.SAVE,  # SCOSC
    b"u": Move.RESTORE,  # SCORC
}
# By the byte after ESC: DECSC, DECRC, IND, NEL, RI.
ESCAPES = {b"7": Move.SAVE, b"8": Move.RESTORE, b"D": Move.DOWN, b"E": Move.NEXT, b"M": Move.UP}
# A program that redraws lines uses one of these.
DRAWING = frozenset({Move.UP, Move.PREVIOUS, Move.TO_ROW, Move.TO_PLACE, Move.RESTORE})
# Sequences without effect at the cursor (modes, keys, the window, questions): by the first byte of their
# parameters, or by the first byte after the parameters.
PRIVATE = frozenset({b"<", b"=", b">", b"?"})
QUIET = frozenset({b"h", b"l", b"t", b"n", b"c", b" ", b"!", b"$", b'"', b"'"})


def numbers(parameters: bytes) -> tuple[int, int]:
    """The first two parameters; 1, the default of counts and positions, for each that is missing."""
    row, _, rest = parameters.partition(b";")
    return _number(row), _number(rest.partition(b";")[0])


def _number(digits: bytes) -> int:
    return max(1, int(digits)) if digits.isdigit() and len(digits) < 6 else 1


# --- redrawn lines --------------------------------------------------------------------------------

# After these moves the row of the cursor is unknown.
_UNKNOWN_ROW = frozenset({Move.TO_ROW, Move.TO_PLACE, Move.REGION, Move.SAVE, Move.RESTORE})
# The top is the topmost of so many last moves up, as not every line is redrawn each time.
_RISES = 32
# When the cursor is so many rows below the top, the drawing is taken as over.
_FAR_BELOW = 100


class Block:
    """The block of lines that a worker redraws by moving the cursor up. Rows count from any origin."""

    def __init__(self) -> None:
        self._row = self._bottom = 0
        self._tops: deque[int] = deque(maxlen=_RISES)
        """The rows that the cursor went up to lately."""
        self._is_row_unknown = False

    @property
    def is_drawn(self) -> bool:
        """Whether the cursor has gone up."""
        return bool(self._tops)

    def go_down(self, rows: int) -> None:
        """The cursor goes down, by a newline or a sequence."""
        self._row += rows
        self._bottom = max(self._bottom, self._row)
        if self._tops and self._row > self._tops[-1] + _FAR_BELOW:
            self._row = self._bottom = 0
            self._tops.clear()
            self._is_row_unknown = False

    def move(self, move: Move, rows: int) -> None:
        """The cursor moves; `rows` counts if it goes up or down."""
        if move in (Move.DOWN, Move.NEXT):
            self.go_down(rows)
        elif move in (Move.UP, Move.PREVIOUS):
            if not self._tops:
                self._bottom = self._row
            self._row -= rows
            self._tops.append(self._row)
        elif move in _UNKNOWN_ROW:
            self._is_row_unknown = True

    def above(self, rows: int, screen: int) -> tuple[bytes, bytes] | None:
        """What to write before and after `rows` lines of another writer, so that they stand above the block.

        The cursor ends where it was. None if that is impossible on a screen of `screen` rows.
        """
        up, down = self._row - min(self._tops, default=self._row), self._bottom - self._row
        if self._is_row_unknown or up + down + rows >= screen:
            return None
        # Make room below with IND, which scrolls the screen if needed and keeps the column.
        room = _go(down, b"B") + b"\x1bD" * rows + _go(rows + down, b"A")
        lines = b"\x1b[0m\r" + _go(up, b"A") + _go(rows, b"L")
        return room + b"\x1b7" + lines, b"\x1b8" + _go(rows, b"B")


def _go(rows: int, final: bytes) -> bytes:
    return b"\x1b[%d%b" % (rows, final) if rows else b""
