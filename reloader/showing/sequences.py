"""Control sequences in a worker's bytes: where one is cut, and which attributes a line leaves open. Pure."""

from __future__ import annotations

import functools

from reloader.common.lazy_pattern import lazy_pattern

RESET = b"\x1b[0m"

# Longer ones are not waited for, in bytes: hyperlinks (OSC 8) stay below it.
LONGEST = 4096
# What may be the beginning of a sequence (ECMA-48, section 5.4 and 8.3) or of a character in UTF-8.
_CUT = lazy_pattern(
    rb"(?:\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b\n]*\x1b?|[ -/]*)"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)

# Which attributes of a character are set (SGR, ECMA-48 section 8.3.117), and where lines end.
_MARKS = lazy_pattern(rb"\x1b\[([0-9;:]{0,64})m|\n")
_CUT_SGR = lazy_pattern(rb"\x1b(?:\[[0-9;:]{0,64})?\Z")
# Each attribute by the number that ends it.
_ENDED_BY = {
    **dict.fromkeys((1, 2), 22),
    **{number: number + 20 for number in (3, 4, 5, 7, 8, 9)},
    6: 25,
    21: 24,
    **dict.fromkeys((*range(30, 39), *range(90, 98)), 39),
    **dict.fromkeys((*range(40, 49), *range(100, 108)), 49),
    58: 59,
}


def whole_until(data: bytes) -> int:
    """How many bytes can be shown so that no sequence and no character is cut."""
    start = max(0, len(data) - LONGEST)
    found = _CUT.search(data, start)
    return len(data) if found is None else found.start()


class Attributes:
    """Closes what a line leaves open, so that nothing leaks into what comes after it."""

    def __init__(self) -> None:
        self._open: frozenset[int] = frozenset()
        self._cut = b""

    def close(self, chunk: bytes) -> bytes:
        """The chunk with a reset before the end of every line that leaves something open."""
        if not (self._open or self._cut) and b"\x1b" not in chunk:
            return chunk
        cut = len(self._cut)
        data = self._cut + chunk
        shown, self._open = close_lines(data, self._open)
        rest = _CUT_SGR.search(data, max(0, len(data) - LONGEST))
        self._cut = b"" if rest is None else rest[0]
        return shown[cut:]

    def end(self) -> bytes:
        """What is to be written where the line ends here."""
        self._cut = b""
        if not self._open:
            return b""
        self._open = frozenset()
        return RESET


def close_lines(data: bytes, is_open: frozenset[int]) -> tuple[bytes, frozenset[int]]:
    """The data with a reset before the end of every line that leaves some open; what is open at its end."""
    pieces = []
    done = 0
    for mark in _MARKS.finditer(data):
        if mark[1] is not None:
            is_open = attributes_after(is_open, mark[1])
        elif is_open:
            is_open = frozenset()
            pieces += [data[done : mark.start()], RESET]
            done = mark.start()
    pieces.append(data[done:])
    return b"".join(pieces), is_open


@functools.lru_cache(maxsize=256)
def attributes_after(is_open: frozenset[int], parameters: bytes) -> frozenset[int]:
    """What is open after a sequence with these parameters; each by the number that ends it."""
    found = set(is_open)
    numbers = [int(number.partition(b":")[0] or 0) for number in parameters.split(b";")]
    position = 0
    while position < len(numbers):
        number = numbers[position]
        if number == 0:
            found.clear()
        elif number in _ENDED_BY:
            found.add(_ENDED_BY[number])
        else:
            found.discard(number)
        if number in (38, 48, 58) and position + 1 < len(numbers):
            # A colour by its number in the palette, or by red, green and blue.
            position += {5: 2, 2: 4}.get(numbers[position + 1], 0)
        position += 1
    return frozenset(found)
