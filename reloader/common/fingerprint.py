"""A short name for a long text, the same in every process.

hashlib would load OpenSSL for it: 4 MB, and 5 ms of every start.
"""

from __future__ import annotations

# FNV-1a of 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/.
_BASIS, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def fingerprint(text: bytes) -> str:
    """16 hexadecimal digits. No two of somebody's projects share them but by a chance that nobody meets."""
    value = _BASIS
    for byte in text:
        value = (value ^ byte) * _PRIME & _MASK
    return f"{value:016x}"
