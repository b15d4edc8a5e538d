"""Splits what a terminal sends into units: characters and whole escape sequences. Pure.

A sequence may arrive in any number of pieces. None of its bytes is taken for a character.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

# How long to wait after a lone Esc, which may begin a sequence, and for the rest of a sequence, in seconds.
ESCAPE = 0.05
REST = 1.0
# How long to wait for the rest of a paste, in seconds.
PASTE = 10.0
# A sequence or a piece of a paste is cut after so many bytes.
LONGEST = 1 << 16


class UnitKind(enum.Enum):
    """What a unit is."""

    CHARACTER = "character"
    ANSWER = "answer"
    """The terminal's answer to a query that the worker has printed."""
    OTHER = "other"
    """A function key, a combination with Alt, a mouse report, a paste, or an unknown sequence."""


class Unit(NamedTuple):
    """The bytes of one character or sequence, or several bytes of a paste."""

    data: bytes
    kind: UnitKind


_PASTE, _PASTED = b"\x1b[200~", b"\x1b[201~"
_CHARACTER = rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^\x1b])"
_IN_STRING = rb"[^\x07\x18\x1a\x1b]*"
# Whole units; the first that matches wins (ECMA-48, section 5.4 and 8.3; "XTerm Control Sequences").
_WHOLE = {
    # OSC, DCS, APC, PM and SOS, up to their end.
    "string": rb"\x1b[\]P_^X]" + _IN_STRING + rb"(?:\x07|\x18|\x1a|\x1b\\)",
    # A mouse report of the X10 protocol: a button, a column and a row, each one byte of any value.
    "mouse": rb"\x1b\x1b?\[M.{3}",
    # F1 to F5 of the Linux console.
    "console": rb"\x1b\x1b?\[\[.",
    "answer": rb"\x1b\[(?:[?>=]?[0-9;:]*(?:[cnRtx]|\$y)|\?[0-9]+u)",
    # Some terminals send Alt as an Esc before the sequence.
    "control": rb"\x1b\x1b?\[(?![M\[])[0-?]*[ -/]*[@-~]",
    "shifted": rb"\x1b\x1b?O[0-9;]*[ -:<-~]",
    # An unknown sequence, up to the first byte that does not fit.
    "broken": rb"\x1b\x1b?[\[O][0-?]*[ -/]*|\x1b[\]P_^X]" + _IN_STRING,
    "alt": rb"\x1b" + _CHARACTER,
    "escape": rb"\x1b",
    "character": _CHARACTER,
}
_UNIT = re.compile(b"|".join(b"(?P<%s>%s)" % (k.encode(), v) for k, v in _WHOLE.items()), re.DOTALL)
# Pending bytes that may be continued.
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
# The bytes that may continue an Esc that came some time before them.
_INTRODUCERS = b"[O]P_^X"


class Keystrokes:
    """Collects bytes and returns units. Call `expire` if nothing comes for `patience` seconds."""

    def __init__(self) -> None:
        self._pending = b""
        self._pasting = False
        self._escaped = False
        """A lone Esc was returned a moment ago; the rest of a sequence may still follow."""
        self._late = False
        """The Esc at the beginning of the pending bytes was returned already."""

    @property
    def patience(self) -> float | None:
        """How long to wait for more, in seconds; None for no limit."""
        if self._pasting:
            return PASTE
        if self._pending == b"\x1b":
            return ESCAPE
        return REST if self._pending or self._escaped else None

    def feed(self, data: bytes) -> list[Unit]:
        """The units that are complete now."""
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
        """Nothing came for `patience` seconds: return the pending bytes as they are."""
        pending, pasting = self._pending, self._pasting
        self._escaped = pending == b"\x1b" and not pasting
        self._pasting = False
        kind = UnitKind.CHARACTER if self._escaped else UnitKind.OTHER
        return [self._take(Unit(pending, kind))] if pending else []

    def _next(self) -> Unit | None:
        """The first unit of the pending bytes; None if it is not complete."""
        pending = self._pending
        if self._pasting or pending.startswith(_PASTE):
            end = pending.find(_PASTED)
            self._pasting = end < 0
            if end >= 0:
                return Unit(pending[: end + len(_PASTED)], UnitKind.OTHER)
            # The last bytes may be the beginning of the paste's end.
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
