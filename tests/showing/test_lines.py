"""Prefixes before every line: nothing else is added, nothing is lost, however the bytes come in."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reloader.showing.lines import Prefixer

PREFIX = b"worker | "

# Bytes in which line ends of every kind are likely, and chunks of them.
_data = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b" ", PREFIX, b"\x1b[1m", b"\xff", b"\x00"])
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


def shown(chunks: list[bytes], prefix: bytes = PREFIX, *, at_terminal: bool = False) -> bytes:
    """What is shown of a stream that comes in these chunks."""
    prefixer = Prefixer(at_terminal)
    return b"".join(prefixer.feed(chunk, prefix) for chunk in chunks)


def lines_of(data: bytes, *, at_terminal: bool) -> list[bytes]:
    """The pieces that begin a line on the screen, each with its end.

    At a terminal a return begins one too, unless a newline follows; whether one does is not known of the last.
    """
    end = rb"\n|\r(?!\n)" if at_terminal else rb"\n"
    starts = [0, *(found.end() for found in re.finditer(end, data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(starts) if start < stop]


# --- for any bytes, cut in any way ----------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(cut=_cut(), prefix=_prefixes)
def test_without_the_prefixes_the_output_is_the_input(cut: tuple[bytes, list[bytes]], prefix: bytes) -> None:
    data, chunks = cut
    out = shown(chunks, prefix)
    assert out.endswith(b"\n") == data.endswith(b"\n")
    bare = b""
    for line in lines_of(out, at_terminal=False):
        assert line.startswith(prefix)
        bare += line.removeprefix(prefix)
    assert bare == data


@settings(max_examples=500, deadline=None)
@given(cut=_cut(), prefix=_prefixes, at_terminal=st.booleans())
@example(cut=(b"a\r\nb", [b"a\r", b"\nb"]), prefix=PREFIX, at_terminal=True)
@example(cut=(b"a\r\r\n", [b"a\r", b"\r", b"\n"]), prefix=PREFIX, at_terminal=True)
@example(cut=(b"\r", [b"", b"\r", b""]), prefix=PREFIX, at_terminal=True)
@example(cut=(b"\n\r\n\r", [b"\n\r\n\r"]), prefix=PREFIX, at_terminal=True)
def test_every_line_has_exactly_one_prefix(
    cut: tuple[bytes, list[bytes]], prefix: bytes, at_terminal: bool
) -> None:
    data, chunks = cut
    expected = b"".join(prefix + line for line in lines_of(data, at_terminal=at_terminal))
    assert shown(chunks, prefix, at_terminal=at_terminal) == expected


@settings(max_examples=300, deadline=None)
@given(cut=_cut(), at_terminal=st.booleans())
def test_what_is_shown_does_not_depend_on_how_the_bytes_are_cut(
    cut: tuple[bytes, list[bytes]], at_terminal: bool
) -> None:
    data, chunks = cut
    whole = shown([data], at_terminal=at_terminal)
    assert shown(chunks, at_terminal=at_terminal) == whole
    assert shown([bytes([byte]) for byte in data], at_terminal=at_terminal) == whole


@settings(max_examples=200, deadline=None)
@given(cut=_cut(), at_terminal=st.booleans())
def test_without_a_prefix_the_chunks_pass_as_they_are(
    cut: tuple[bytes, list[bytes]], at_terminal: bool
) -> None:
    prefixer = Prefixer(at_terminal)
    assert [prefixer.feed(chunk, b"") for chunk in cut[1]] == cut[1]


@settings(max_examples=200, deadline=None)
@given(before=_cut(), after=_cut(), at_terminal=st.booleans())
def test_after_a_broken_line_what_follows_begins_a_new_one(
    before: tuple[bytes, list[bytes]], after: tuple[bytes, list[bytes]], at_terminal: bool
) -> None:
    prefixer = Prefixer(at_terminal)
    for chunk in before[1]:
        prefixer.feed(chunk, PREFIX)
    prefixer.break_line()
    continued = b"".join(prefixer.feed(chunk, PREFIX) for chunk in after[1])
    assert continued == shown(after[1], at_terminal=at_terminal)


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


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"10%\r20%\r", b"30%\n"], b"> 10%\r> 20%\r> 30%\n"),
        ([b"dos\r", b"\nline\r\n"], b"> dos\r\n> line\r\n"),
        ([b"a\r"], b"> a\r"),
        ([b"\ra"], b"> \r> a"),
        ([b"a\n\rb"], b"> a\n> \r> b"),
    ],
)
def test_at_a_terminal_a_return_writes_the_prefix_again(chunks: list[bytes], expected: bytes) -> None:
    assert shown(chunks, b"> ", at_terminal=True) == expected


def test_a_line_has_the_prefix_of_the_moment_it_begins() -> None:
    prefixer = Prefixer(at_terminal=False)
    assert prefixer.feed(b"one\ntw", b"1 ") == b"1 one\n1 tw"
    assert prefixer.feed(b"o\n", b"2 ") == b"o\n"
    assert prefixer.feed(b"three\n", b"3 ") == b"3 three\n"


def test_a_line_of_megabytes_has_one_prefix() -> None:
    out = shown([b"x" * (1 << 22), b"y" * (1 << 22), b"\n"])
    assert len(out) == len(PREFIX) + (1 << 23) + 1
