"""Bytes in, one JSON object a line out, for machines. Pure, and in bulk: no loop over lines.

A byte that is no UTF-8 becomes the four characters `\\xff`, as Python's "backslashreplace" writes it. A line
that is too long, or that pauses for long, comes in pieces: all but the last have `"partial": true`. So has
what no newline follows at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from reloader.showing.lines import LIMIT
from reloader.showing.sink import Writer

# What a string must not hold as it is (RFC 8259, section 7); quotes and backslashes are seen to before.
_CONTROL = re.compile(rb"[\x00-\x1f]")
_ESCAPES = {bytes([code]): json.dumps(chr(code))[1:-1].encode() for code in range(0x20)}
_CONTROLS = bytes(code for code in range(0x20) if code != 0x0A)


# So many bytes are rendered at once where they hold many lines.
_FEW = 4096


class JsonLines(Writer):
    """Renders one stream. `head` makes the beginning of the objects of the moment, see `head_of`."""

    patience = 1.0

    def __init__(self, head: Callable[[], bytes]) -> None:
        self._head = head

    def most(self, chunk: bytes) -> int:
        """How many of these bytes to render at once at most."""
        much = chunk.count(b"\n") * (len(self._head()) + len(_TAIL)) > LIMIT
        return _FEW if much else len(chunk)

    def feed(self, chunk: bytes) -> bytes:
        """The chunk as objects, each with its newline."""
        if not chunk:
            return b""
        head = self._head()
        text = escaped(chunk)
        whole = text.endswith(b"\n")
        inner = (text[:-1] if whole else text).replace(b"\n", _TAIL + head)
        return b"".join((head, inner, _TAIL if whole else _PARTIAL_TAIL))


_TAIL = b'"}\n'
_PARTIAL_TAIL = b'", "partial": true}\n'


def escaped(chunk: bytes) -> bytes:
    """The bytes as they stand in a string, newlines left alone."""
    if not chunk.isascii():
        try:
            chunk.decode()
        except UnicodeDecodeError:
            chunk = chunk.decode("utf-8", "backslashreplace").encode()
    if b"\\" in chunk:
        chunk = chunk.replace(b"\\", b"\\\\")
    if b'"' in chunk:
        chunk = chunk.replace(b'"', b'\\"')
    if len(chunk.translate(None, _CONTROLS)) < len(chunk):
        chunk = _CONTROL.sub(_escape, chunk)
    return chunk


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\n" if found[0] == b"\n" else _ESCAPES[found[0]]


def head_of(**fields: object) -> bytes:
    """An object up to its text: the first fields, and `"text": "`."""
    return f'{json.dumps(fields, ensure_ascii=False)[:-1]}, "text": "'.encode("utf-8", "backslashreplace")


def ending_with(text: str) -> bytes:
    """The rest of an object whose text, of any number of lines, is known as a whole."""
    return json.dumps(text, ensure_ascii=False)[1:].encode("utf-8", "backslashreplace") + b"}\n"
