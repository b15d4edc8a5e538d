"""One JSON object a line: every byte is in one, however the bytes come in, and nothing grows large."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reloader.showing.json_lines import JsonLines, ending_with, head_of

_bytes = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b'"', b"\\", b"\\n", b"\xff", b"\x00", b"\x1b[1m", b"\x7f"])
    | st.sampled_from(["é", "→", "🎉", "\u2028", "\ufeff"]).map(str.encode)
    | st.binary(max_size=3),
    max_size=20,
).map(b"".join)


@st.composite
def _chunks(draw: st.DrawFn) -> list[bytes]:
    data = draw(_bytes)
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def objects(chunks: list[bytes]) -> list[dict[str, object]]:
    """What comes of a stream in these chunks, each line parsed by itself."""
    rendering = JsonLines(lambda: head_of(stream="stdout", generation=1))
    out = b"".join(rendering.feed(chunk) for chunk in chunks)
    assert out == b"" or out.endswith(b"\n")
    return [json.loads(line) for line in out.split(b"\n")[:-1]]


def said(data: bytes) -> str:
    """The bytes as text, as Python tells those that are none."""
    return data.decode("utf-8", "backslashreplace")


@settings(max_examples=500, deadline=None)
@given(chunks=_chunks())
@example(chunks=[b"a\n", b"b"])
@example(chunks=[b"\n\n"])
@example(chunks=[b"\\n", b"\n"])
def test_every_piece_of_a_line_is_an_object(chunks: list[bytes]) -> None:
    expected = []
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        head = {"stream": "stdout", "generation": 1}
        expected += [{**head, "text": said(line)} for line in whole]
        expected += [{**head, "text": said(rest), "partial": True}] if rest else []
    assert objects(chunks) == expected


@settings(max_examples=200, deadline=None)
@given(chunks=_chunks())
def test_the_pieces_make_the_lines(chunks: list[bytes]) -> None:
    joined = ""
    for found in objects(chunks):
        joined += f"{found['text']}" + ("" if found.get("partial") else "\n")
    # A character that was cut is told byte by byte; the pump cuts none.
    assert joined == "".join(map(said, chunks))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\\xe9"),
        (b"\x00\x1b[31mred", "\x00\x1b[31mred"),
        (b"10%\r20%\r", "10%\r20%\r"),
        (b'say "hi" \\o/', 'say "hi" \\o/'),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ],
)
def test_texts(data: bytes, text: str) -> None:
    assert objects([data + b"\n"]) == [{"stream": "stdout", "generation": 1, "text": text}]


def test_our_own_lines() -> None:
    line = head_of(worker='a"b', level="notice") + ending_with('two\nlines → "quoted"')
    assert json.loads(line) == {"worker": 'a"b', "level": "notice", "text": 'two\nlines → "quoted"'}
    assert line.count(b"\n") == 1


@pytest.mark.parametrize("line", [b"\n", b"\x00", b'"', b"\xff", b"x", b"\xff\n"])
def test_what_is_rendered_at_once_is_never_large(line: bytes) -> None:
    rendering = JsonLines(
        lambda: head_of(time="2026-01-01T00:00:00.000+00:00", worker="w" * 50, stream="stdout")
    )
    chunk = (line * (1 << 17))[: 1 << 17]
    most = rendering.most(chunk)
    assert most > 0
    assert len(rendering.feed(chunk[:most])) <= 2 << 20
