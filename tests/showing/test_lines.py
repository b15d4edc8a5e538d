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


def shown(chunks: list[bytes], prefix: bytes = PREFIX, *, at_terminal: bool = False) -> bytes:
    """What is shown of a stream that comes in these chunks."""
    prefixer = Prefixer(lambda: prefix, at_terminal)
    return b"".join(prefixer.feed(chunk) for chunk in chunks)


def lines_of(data: bytes, *, at_terminal: bool) -> list[bytes]:
    """The pieces that begin a line on the screen, each with its end.

    At a terminal a return begins one too, unless a newline follows; whether one does is not known of the last.
    """
    end = rb"\n|\r(?!\n)" if at_terminal else rb"\n"
    starts = [0, *(found.end() for found in re.finditer(end, data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(starts) if start < stop]


def closed(line: bytes, *, at_terminal: bool) -> bytes:
    """The line with a reset before its end if it leaves bold letters or a colour open."""
    end = next((end for end in (b"\r\n", b"\n", b"\r") if at_terminal and line.endswith(end)), b"")
    end = end or (b"\n" if line.endswith(b"\n") else b"")
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


def model(data: bytes, prefix: bytes = PREFIX, *, at_terminal: bool = False) -> bytes:
    """What is to be shown of it, line by line."""
    lines = lines_of(data, at_terminal=at_terminal)
    return b"".join(prefix + closed(line, at_terminal=at_terminal) for line in lines)


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
    assert bare.replace(b"\x1b[0m", b"") == data


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
    expected = model(data, prefix, at_terminal=at_terminal)
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
    prefixer = Prefixer(lambda: b"", at_terminal)
    assert [prefixer.feed(chunk) for chunk in cut[1]] == cut[1]


@settings(max_examples=200, deadline=None)
@given(before=_cut(), after=_cut(), at_terminal=st.booleans())
def test_after_a_broken_line_what_follows_begins_a_new_one(
    before: tuple[bytes, list[bytes]], after: tuple[bytes, list[bytes]], at_terminal: bool
) -> None:
    prefixer = Prefixer(lambda: PREFIX, at_terminal)
    for chunk in before[1]:
        prefixer.feed(chunk)
    assert prefixer.break_line() in (b"\n", b"\x1b[0m\n")
    continued = b"".join(prefixer.feed(chunk) for chunk in after[1])
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
    prefixes = iter([b"1 ", b"2 ", b"3 "])
    prefixer = Prefixer(lambda: next(prefixes), at_terminal=False)
    assert prefixer.feed(b"one\ntw") == b"1 one\n1 tw"
    assert prefixer.feed(b"o\n") == b"o\n"
    assert prefixer.feed(b"three\n") == b"3 three\n"


def test_a_line_of_megabytes_has_one_prefix() -> None:
    out = shown([b"x" * (1 << 22), b"y" * (1 << 22), b"\n"])
    assert len(out) == len(PREFIX) + (1 << 23) + 1


def test_a_line_that_another_writer_ends_leaves_no_colour_open() -> None:
    prefixer = Prefixer(lambda: b"> ", at_terminal=False)
    assert prefixer.feed(b"\x1b[31mred\nand \x1b[1") == b"> \x1b[31mred\x1b[0m\n> and \x1b[1"
    assert prefixer.feed(b"mbold") == b"mbold"
    assert prefixer.break_line() == b"\x1b[0m\n"
    assert prefixer.feed(b"plain\n") == b"> plain\n"


@pytest.mark.parametrize(
    "prefix", [PREFIX, b"\x1b[0;2m12:34:56.789\x1b[0m \x1b[0;32mworker   |\x1b[0m ", b"x" * 4000]
)
def test_what_is_rendered_at_once_is_never_large(prefix: bytes) -> None:
    prefixer = Prefixer(lambda: prefix, at_terminal=True)
    for line in (b"\n", b"\r", b"\x1b[1m\n"):
        chunk = (line * (1 << 17))[: 1 << 17]
        most = prefixer.most(chunk)
        assert most > 0
        assert len(prefixer.feed(chunk[:most])) <= 2 << 20
