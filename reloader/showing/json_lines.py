"""Turns a stream into JSON, one object per line, for machines. Pure; never loops over lines.

A byte that is not UTF-8 becomes the four characters `\\xff`, as with Python's "backslashreplace". A line that
is too long, or pauses for long, comes in pieces: all but the last have `"partial": true`. So has a last line
without a newline.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from reloader.showing.lines import LIMIT
from reloader.showing.sink import Writer

# The control characters that a JSON string must not contain (RFC 8259, section 7), without the newline.
_CONTROLS = bytes(code for code in range(0x20) if code != 0x0A)
_ESCAPES = {bytes([code]): json.dumps(chr(code))[1:-1].encode() for code in _CONTROLS}
_TAIL = b'"}\n'
_PARTIAL_TAIL = b'", "partial": true}\n'
# How many bytes are rendered at once if they contain many lines.
_FEW = 4096


class JsonLines(Writer):
    """Renders one stream. `head` returns the beginning of the objects for now, see `head_of`."""

    patience = 1.0

    def __init__(self, head: Callable[[], bytes]) -> None:
        self._head = head

    def most(self, chunk: bytes) -> int:
        is_large = chunk.count(b"\n") * (len(self._head()) + len(_TAIL)) > LIMIT
        return _FEW if is_large else len(chunk)

    def feed(self, chunk: bytes) -> bytes:
        """The chunk as objects, each on a line."""
        if not chunk:
            return b""
        head = self._head()
        text = _escaped(chunk)
        whole = text.endswith(b"\n")
        inner = (text[:-1] if whole else text).replace(b"\n", _TAIL + head)
        return b"".join((head, inner, _TAIL if whole else _PARTIAL_TAIL))


def _escaped(chunk: bytes) -> bytes:
    """The bytes as the contents of a JSON string; newlines are left alone."""
    if not chunk.isascii():
        try:
            chunk.decode()
        except UnicodeDecodeError:
            chunk = chunk.decode("utf-8", "backslashreplace").encode()
    # Most chunks have none of these, and looking is faster than replacing.
    if b"\\" in chunk:
        chunk = chunk.replace(b"\\", b"\\\\")
    if b'"' in chunk:
        chunk = chunk.replace(b'"', b'\\"')
    if len(chunk.translate(None, _CONTROLS)) < len(chunk):
        for control, escape in _ESCAPES.items():
            chunk = chunk.replace(control, escape)
    return chunk


def head_of(**fields: object) -> bytes:
    """The beginning of an object: these fields, and `"text": "`."""
    return f'{json.dumps(fields, ensure_ascii=False)[:-1]}, "text": "'.encode("utf-8", "backslashreplace")


def ending_with(text: str) -> bytes:
    """The rest of an object after `head_of`, with this text, which may have several lines."""
    return json.dumps(text, ensure_ascii=False)[1:].encode("utf-8", "backslashreplace") + b"}\n"
