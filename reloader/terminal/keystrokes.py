"""What a terminal sends, split into units: a character, or a whole escape sequence. Pure.

A sequence may arrive in any number of pieces, and none of its bytes is ever a character of its own.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

# How long a lone Esc may be the beginning of a sequence, in seconds, and how long the rest of one is awaited.
ESCAPE = 0.05
REST = 1.0
# How long the rest of a paste is, in seconds.
PASTE = 10.0
# A sequence or a piece of a paste is not collected beyond this, in bytes.
LONGEST = 1 << 16


class UnitKind(enum.Enum):
    """What a unit is."""

    CHARACTER = "character"
    ANSWER = "answer"
    """Of the terminal, to a question that was printed."""
    OTHER = "other"
    """A function key, a combination with Alt, a mouse report, a paste, what nobody knows."""


class Unit(NamedTuple):
    """Bytes that belong together."""

    data: bytes
    kind: UnitKind


_PASTE, _PASTED = b"\x1b[200~", b"\x1b[201~"
_CHARACTER = rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^\x1b])"
_IN_STRING = rb"[^\x07\x18\x1a\x1b]*"
# From the first that fits (ECMA-48, section 5.4 and 8.3; XTerm's control sequences).
_WHOLE = {
    # OSC, DCS, APC, PM, SOS, until their end.
    "string": rb"\x1b[\]P_^X]" + _IN_STRING + rb"(?:\x07|\x18|\x1a|\x1b\\)",
    # Of the X10 protocol: a button, a column and a row, each one byte of any value.
    "mouse": rb"\x1b\x1b?\[M.{3}",
    # F1 to F5 of the Linux console.
    "console": rb"\x1b\x1b?\[\[.",
    "answer": rb"\x1b\[(?:[?>=]?[0-9;:]*(?:[cnRtx]|\$y)|\?[0-9]+u)",
    # Some send Alt as an Esc before the sequence.
    "control": rb"\x1b\x1b?\[(?![M\[])[0-?]*[ -/]*[@-~]",
    "shifted": rb"\x1b\x1b?O[0-9;]*[ -:<-~]",
    # What nobody knows, up to where it breaks off.
    "broken": rb"\x1b\x1b?[\[O][0-?]*[ -/]*|\x1b[\]P_^X]" + _IN_STRING,
    "alt": rb"\x1b" + _CHARACTER,
    "escape": rb"\x1b",
    "character": _CHARACTER,
}
_UNIT = re.compile(b"|".join(b"(?P<%s>%s)" % (k.encode(), v) for k, v in _WHOLE.items()), re.DOTALL)
# What may go on, at the end of what has come.
_PARTIAL = re.compile(
    rb"(?:\x1b\x1b?|\x1b\x1b?\[(?:M.{0,2}|\[|[0-?]*[ -/]*)|\x1b\x1b?O[0-9;]*"
    rb"|\x1b[\]P_^X]" + _IN_STRING + rb"\x1b?"
    rb"|\x1b?(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2}))\Z",
    re.DOTALL,
)
_KINDS = {
    **dict.fromkeys(("character", "escape"), UnitKind.CHARACTER),
    **dict.fromkeys(("string", "answer"), UnitKind.ANSWER),
}
# What makes a sequence of an Esc that came some time before it.
_INTRODUCERS = b"[O]P_^X"


class Keystrokes:
    """Collects what comes. Where `patience` is not None, `expire` follows if nothing came for so long."""

    def __init__(self) -> None:
        self._pending = b""
        self._pasting = False
        self._escaped = False
        """Whether a lone Esc was handed out a moment ago, of which a sequence may yet follow."""
        self._late = False
        """Whether the Esc that the pending bytes begin with was handed out."""

    @property
    def patience(self) -> float | None:
        """How long more is awaited, in seconds; None for ever."""
        if self._pasting:
            return PASTE
        if self._pending == b"\x1b":
            return ESCAPE
        return REST if self._pending or self._escaped else None

    def feed(self, data: bytes) -> list[Unit]:
        """The units that are whole now."""
        if self._escaped and data:
            self._escaped = False
            if data[0] in _INTRODUCERS:
                self._pending, self._late = b"\x1b", True
        self._pending += data
        units = []
        while self._pending and (unit := self._next()) is not None:
            units.append(self._take(unit))
        return units

    def expire(self) -> list[Unit]:
        """Nothing came for as long as `patience`: what has come is all there will be."""
        pending, pasting = self._pending, self._pasting
        self._escaped = pending == b"\x1b" and not pasting
        self._pasting = False
        kind = UnitKind.CHARACTER if self._escaped else UnitKind.OTHER
        return [self._take(Unit(pending, kind))] if pending else []

    def _next(self) -> Unit | None:
        """The first unit of what is pending; None where it is not whole."""
        pending = self._pending
        if self._pasting or pending.startswith(_PASTE):
            end = pending.find(_PASTED)
            self._pasting = end < 0
            if end >= 0:
                return Unit(pending[: end + len(_PASTED)], UnitKind.OTHER)
            # Its end may be cut.
            return Unit(pending[: 1 - len(_PASTED)], UnitKind.OTHER) if len(pending) > LONGEST else None
        if len(pending) < LONGEST and _PARTIAL.match(pending):
            return None
        found = _UNIT.match(pending)
        assert found is not None, "every byte is a character, if nothing else"
        assert found.lastgroup is not None
        return Unit(found[0], _KINDS.get(found.lastgroup, UnitKind.OTHER))

    def _take(self, unit: Unit) -> Unit:
        self._pending = self._pending[len(unit.data) :]
        late, self._late = self._late, False
        return unit._replace(data=unit.data[1:]) if late else unit
