"""Control sequences in a worker's bytes: where one is cut, and which attributes a line leaves on. Pure."""

from __future__ import annotations

import functools

from reloader.common.lazy_pattern import lazy_pattern

RESET = b"\x1b[0m"

# Sequences longer than this, in bytes, are not waited for. Hyperlinks (OSC 8) are shorter.
LONGEST = 4096
# The beginning of a sequence (ECMA-48, section 5.4 and 8.3) or of a UTF-8 character, at the end of the data.
_CUT = lazy_pattern(
    rb"(?:\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b\n]*\x1b?|[ -/]*)"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)

# The attributes of characters (SGR, ECMA-48 section 8.3.117).
ATTRIBUTES = lazy_pattern(rb"\x1b\[([0-9;:]{0,64})m")
ONLY_ATTRIBUTES = lazy_pattern(rb"(?:\x1b\[[0-9;:]{0,64}m)*")
_ATTRIBUTES_OR_LINE_END = lazy_pattern(rb"\x1b\[([0-9;:]{0,64})m|\n")
# Each attribute, with the number that turns it off.
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
    """How many bytes can be shown without cutting a sequence or a character."""
    found = _CUT.search(data, max(0, len(data) - LONGEST))
    return len(data) if found is None else found.start()


def close_lines(data: bytes, is_open: frozenset[int]) -> tuple[bytes, frozenset[int]]:
    """The data with a reset at the end of every line that leaves attributes on, and what is on at its end."""
    pieces = []
    done = 0
    for mark in _ATTRIBUTES_OR_LINE_END.finditer(data):
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
    """The attributes that are on after a sequence with these parameters, each as the number that ends it."""
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
            # Skip the colour: a number of the palette, or red, green and blue.
            position += {5: 2, 2: 4}.get(numbers[position + 1], 0)
        position += 1
    return frozenset(found)
