"""Where a control sequence or a character is cut, so that it is shown in one piece."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.showing.lines import Prefixer
from reloader.showing.sequences import LONGEST, whole_until

WHOLE = [
    *(b"\x1b[31m", b"\x1b[38;2;1;2;3m", b"\x1b[?25l", b"\x1b[2K", b"\x1b[ q", b"\x1b(B", b"\x1b=", b"\x1bM"),
    *(b"\x1b]8;;http://x/y\x1b\\", b"\x1b]0;title\x07", b"\x1bPq\x1b\\"),
    *("é".encode(), "→".encode(), "🎉".encode()),
]


@pytest.mark.parametrize("sequence", WHOLE)
def test_a_sequence_or_character_is_not_cut(sequence: bytes) -> None:
    assert whole_until(b"text " + sequence) == len(b"text " + sequence)
    assert whole_until(b"text " + sequence + b"more") == len(b"text " + sequence + b"more")
    for length in range(1, len(sequence)):
        assert whole_until(b"text " + sequence[:length]) == len(b"text ")


@pytest.mark.parametrize("data", [b"", b"text", b"100 %\r", b"a\xff", b"\x80", b"\xf5", b"line\n"])
def test_all_else_is_shown_at_once(data: bytes) -> None:
    assert whole_until(data) == len(data)


def test_a_sequence_that_never_ends_is_not_waited_for() -> None:
    data = b"\x1b]8;;" + b"x" * LONGEST
    assert whole_until(data) == len(data)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=40) | st.lists(st.sampled_from(WHOLE)).map(b"".join))
def test_little_is_held_back_and_nothing_of_a_line_that_has_ended(data: bytes) -> None:
    end = whole_until(data)
    assert 0 <= end <= len(data)
    assert b"\n" not in data[end:]


@pytest.mark.parametrize(
    ("line", "is_open"),
    [
        (b"\x1b[31mred", True),
        (b"\x1b[31mred\x1b[39m", False),
        (b"\x1b[1m\x1b[31mred\x1b[39m", True),
        (b"\x1b[1m\x1b[31mred\x1b[39;22m", False),
        (b"\x1b[38;5;1mred", True),
        (b"\x1b[0;38;5;0m", True),
        (b"\x1b[48;2;0;0;0mblack\x1b[49m", False),
        (b"\x1b[4:3mcurly", True),
        (b"\x1b[0m\x1b[K", False),
        (b"\x1b[31m\x1b[K\x1b[m", False),
        (b"\x1b[;m", False),
        (b"\x1b[31;0m", False),
        (b"\x1b[97;41;7;9m\x1b[29;27;49;39m", False),
    ],
)
def test_what_a_line_leaves_open_is_closed(line: bytes, is_open: bool) -> None:
    prefixer = Prefixer(lambda: b"> ")
    assert prefixer.feed(line + b"\n") == b"> " + line + (b"\x1b[0m" if is_open else b"") + b"\n"
    assert prefixer.feed(b"plain\n") == b"> plain\n"
