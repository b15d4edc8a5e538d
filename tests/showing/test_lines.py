"""Prefixes before every line: nothing else is added, nothing is lost, however the bytes come in."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.showing.lines import Prefixer

PREFIX = b"worker | "

# Bytes in which line ends of every kind are likely, and chunks of them.
_data = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b" ", PREFIX, b"\xff", b"\x00"])
    | st.sampled_from(
        [b"\x1b[1m", b"\x1b[31m", b"\x1b[1;44m", b"\x1b[m", b"\x1b[39m", b"\x1b[22m", b"\x1b[K"]
    )
    | st.binary(max_size=3),
    max_size=20,
).map(b"".join)
_prefixes = st.sampled_from([PREFIX, b"\x1b[0;32mq |\x1b[0m ", b"\\1\\g<0> ", b"\xff ", b"$1"])


@st.composite
def _cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Bytes, and a way to cut them into chunks, some of which may be empty."""
    data = draw(_data)
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return data, [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def shown(chunks: list[bytes], prefix: bytes = PREFIX) -> bytes:
    """What is shown of a stream that comes in these chunks."""
    prefixer = Prefixer(lambda: prefix)
    return b"".join(prefixer.feed(chunk) for chunk in chunks)


def closed(line: bytes) -> bytes:
    """The line with a reset before its end if it leaves bold letters or a colour open."""
    end = b"\n" if line.endswith(b"\n") else b""
    bold = colour = background = False
    for sequence in re.findall(rb"\x1b\[([0-9;:]*)m", line):
        for number in sequence.split(b";"):
            if number in (b"", b"0"):
                bold = colour = background = False
            bold = number == b"1" or (bold and number != b"22")
            colour = number == b"31" or (colour and number != b"39")
            background = number == b"44" or (background and number != b"49")
    is_open = end and (bold or colour or background)
    return line[: len(line) - len(end)] + (b"\x1b[0m" if is_open else b"") + end


def model(data: bytes, prefix: bytes = PREFIX) -> bytes:
    """What is to be shown of it, line by line."""
    return b"".join(prefix + closed(line) for line in re.findall(rb"[^\n]*\n|[^\n]+", data))


# --- for any bytes, cut in any way ----------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(cut=_cut(), prefix=_prefixes)
def test_without_the_prefixes_the_output_is_the_input(cut: tuple[bytes, list[bytes]], prefix: bytes) -> None:
    data, chunks = cut
    out = shown(chunks, prefix)
    assert out.endswith(b"\n") == data.endswith(b"\n")
    bare = b""
    for line in re.findall(rb"[^\n]*\n|[^\n]+", out):
        assert line.startswith(prefix)
        bare += line.removeprefix(prefix)
    assert bare.replace(b"\x1b[0m", b"") == data


@settings(max_examples=500, deadline=None)
@given(cut=_cut(), prefix=_prefixes)
def test_every_line_has_exactly_one_prefix(cut: tuple[bytes, list[bytes]], prefix: bytes) -> None:
    data, chunks = cut
    assert shown(chunks, prefix) == model(data, prefix)


@settings(max_examples=300, deadline=None)
@given(cut=_cut())
def test_what_is_shown_does_not_depend_on_how_the_bytes_are_cut(cut: tuple[bytes, list[bytes]]) -> None:
    data, chunks = cut
    whole = shown([data])
    assert shown(chunks) == whole
    assert shown([bytes([byte]) for byte in data]) == whole


@settings(max_examples=200, deadline=None)
@given(cut=_cut())
def test_without_a_prefix_the_chunks_pass_as_they_are(cut: tuple[bytes, list[bytes]]) -> None:
    prefixer = Prefixer(lambda: b"")
    assert [prefixer.feed(chunk) for chunk in cut[1]] == cut[1]


@settings(max_examples=200, deadline=None)
@given(before=_cut(), after=_cut())
def test_after_a_broken_line_what_follows_begins_a_new_one(
    before: tuple[bytes, list[bytes]], after: tuple[bytes, list[bytes]]
) -> None:
    prefixer = Prefixer(lambda: PREFIX)
    for chunk in before[1]:
        prefixer.feed(chunk)
    assert prefixer.is_unfinished == (before[0] != b"" and not before[0].endswith(b"\n"))
    assert prefixer.break_line() in (b"\n", b"\x1b[0m\n")
    continued = b"".join(prefixer.feed(chunk) for chunk in after[1])
    assert continued == shown(after[1])


# --- by example -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"one\ntwo\n"], b"> one\n> two\n"),
        ([b"one", b" more\n"], b"> one more\n"),
        ([b"one\n", b"two"], b"> one\n> two"),
        ([b"\n\n"], b"> \n> \n"),
        ([b"10%\r20%\r", b"30%\n"], b"> 10%\r20%\r30%\n"),
        ([b"dos\r\n", b"line\r\n"], b"> dos\r\n> line\r\n"),
        ([], b""),
        ([b""], b""),
    ],
)
def test_lines_elsewhere_than_at_a_terminal(chunks: list[bytes], expected: bytes) -> None:
    assert shown(chunks, b"> ") == expected


def test_a_line_has_the_prefix_of_the_moment_it_begins() -> None:
    prefixes = iter([b"1 ", b"2 ", b"3 "])
    prefixer = Prefixer(lambda: next(prefixes))
    assert prefixer.feed(b"one\ntw") == b"1 one\n1 tw"
    assert prefixer.feed(b"o\n") == b"o\n"
    assert prefixer.feed(b"three\n") == b"3 three\n"


def test_a_line_of_megabytes_has_one_prefix() -> None:
    out = shown([b"x" * (1 << 22), b"y" * (1 << 22), b"\n"])
    assert len(out) == len(PREFIX) + (1 << 23) + 1


def test_a_line_that_another_writer_ends_leaves_no_colour_open() -> None:
    prefixer = Prefixer(lambda: b"> ")
    assert prefixer.feed(b"\x1b[31mred\nand \x1b[1") == b"> \x1b[31mred\x1b[0m\n> and \x1b[1"
    assert prefixer.feed(b"mbold") == b"mbold"
    assert prefixer.break_line() == b"\x1b[0m\n"
    assert prefixer.feed(b"plain\n") == b"> plain\n"


@pytest.mark.parametrize(
    "prefix", [PREFIX, b"\x1b[0;2m12:34:56.789\x1b[0m \x1b[0;32mworker   |\x1b[0m ", b"x" * 4000]
)
def test_what_is_rendered_at_once_is_never_large(prefix: bytes) -> None:
    prefixer = Prefixer(lambda: prefix)
    for line in (b"\n", b"\x1b[1m\n"):
        chunk = (line * (1 << 17))[: 1 << 17]
        most = prefixer.most(chunk)
        assert most > 0
        assert len(prefixer.feed(chunk[:most])) <= 2 << 20
