"""Which native libraries are loaded, and which environment variables they may read. Python 3.8 and newer."""

from __future__ import annotations

import mmap
import os
import struct

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Parts of the names by which a library reads the environment (getenv, qgetenv, secure_getenv, __environ,
# /proc/self/environ), or has it set, as Go does (setenv).
_WAYS = (b"getenv", b"environ", b"setenv")
# elf(5): the magic number of 64-bit, little-endian files, and the type and flags of sections.
_ELF = b"\x7fELF\x02\x01"
_PROGBITS, _ALLOC, _EXECINSTR = 1, 2, 4


def loaded() -> set[str]:
    """The files whose code is mapped into this process."""
    with open("/proc/self/maps", "rb") as file:
        lines = [line.split(None, 5) for line in file]
    return {os.fsdecode(words[5].rstrip(b"\n")) for words in lines if len(words) > 5 and b"x" in words[1]}


def named_in(path: str, names: Iterable[str]) -> list[str]:
    """Those of the variables that the library may read: it can read variables, and contains this name."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if all(data.find(way) < 0 for way in _WAYS):
                return []
            parts = _constants(data)
            return [
                name
                for name in names
                if any(data.find(os.fsencode(name) + b"\0", *part) >= 0 for part in parts)
            ]
    except (OSError, ValueError):
        return []


def _constants(data: mmap.mmap) -> list[tuple[int, int]]:
    """The ranges of the file that can hold texts; the whole file where its format is not known.

    Elsewhere, in machine code, relocations and debugging data, a short name would be found by chance.
    """
    whole = [(0, len(data))]
    if data[: len(_ELF)] != _ELF:
        return whole
    try:
        (start,) = struct.unpack_from("<Q", data, 0x28)
        size, count = struct.unpack_from("<HH", data, 0x3A)
        parts = []
        for at in range(start, start + size * count, size or 1):
            kind, flags, _address, offset, length = struct.unpack_from("<IQQQQ", data, at + 4)
            if kind == _PROGBITS and flags & _ALLOC and not flags & _EXECINSTR:
                parts.append((offset, offset + length))
    except struct.error:
        return whole
    return parts or whole
