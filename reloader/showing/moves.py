"""Which control sequences a terminal knows, as far as they move the cursor, erase, or begin a string.

They are those of ECMA-48, of the manual of the VT510 and of "XTerm Control Sequences".
"""

from __future__ import annotations

import enum
import re

# Without any of these bytes a chunk is text and newlines.
BEGINNINGS = (b"\x1b", b"\r", b"\x0e", b"\x0f")
# All else than text, newlines and attributes. That each begins with one of few bytes makes the search fast.
TOKEN = re.compile(
    rb"[\x0e\x0f\r\x1b](?:(?<=[\x0e\x0f\r])|(?<=\x1b)(?:"
    rb"\[(?![0-9;:]{0,64}m)([0-?]*)([ -/]*[@-~])"
    rb"|(?:\]([0-9]*)(?![0-9]|\Z)|[P^_X])()"
    rb"|[ -/]*[0-OQ-WYZ\\`-~]))"
)
# The beginning of one, at the end.
CUT = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][0-9]*|[ -/]*)\Z")
# What ends a control string: ST, or what cancels it (CAN, SUB, another sequence); BEL one of OSC.
STRING_END = re.compile(rb"\x1b\\|[\x18\x1a]|(?=\x1b[^\\])")
COMMAND_END = re.compile(rb"\x1b\\|[\x07\x18\x1a]|(?=\x1b[^\\])")


class Move(enum.Enum):
    """What a sequence does to the cursor, or to what is on the line."""

    UP, DOWN, NEXT, PREVIOUS, BACK, TO_ROW, TO_COLUMN, TO_PLACE = range(8)
    REGION, LINES, ERASE, SAVE, RESTORE = range(8, 13)


# By the byte that ends a control sequence.
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
# By what comes after ESC: DECSC, DECRC, IND, NEL, RI.
ESCAPES = {b"7": Move.SAVE, b"8": Move.RESTORE, b"D": Move.DOWN, b"E": Move.NEXT, b"M": Move.UP}
# Whoever draws lines again goes up, or to a place.
DRAWING = frozenset({Move.UP, Move.PREVIOUS, Move.TO_ROW, Move.TO_PLACE, Move.RESTORE})
# What neither shows nor acts where the cursor is, by the first byte of its parameters or by what comes after
# these: modes, keys, the window, questions.
PRIVATE = frozenset({b"<", b"=", b">", b"?"})
QUIET = frozenset({b"h", b"l", b"t", b"n", b"c", b" ", b"!", b"$", b'"', b"'"})
# The attributes of characters (SGR).
ATTRIBUTES = re.compile(rb"\x1b\[([0-9;:]{0,64})m")
ONLY_ATTRIBUTES = re.compile(rb"(?:\x1b\[[0-9;:]{0,64}m)*")


def numbers(parameters: bytes) -> tuple[int, int]:
    """The first two parameters; 1 where there is none, as for whatever counts or names a place."""
    row, _, rest = parameters.partition(b";")
    return _number(row), _number(rest.partition(b";")[0])


def _number(digits: bytes) -> int:
    return max(1, int(digits)) if digits.isdigit() and len(digits) < 6 else 1
