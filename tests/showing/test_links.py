"""Paths as hyperlinks: what is shown stays the same, and where it leads is the file."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloader.showing.console import printable
from reloader.showing.links import are_known, linked, rendered

PATHS = (st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode)).map(
    lambda name: "/" + os.fsdecode(name.replace(b"\0", b""))
)


@given(PATHS, st.none() | st.integers(1, 9999))
def test_what_is_shown_is_the_text(path: str, line: int | None) -> None:
    text = printable(path)
    assert rendered(f"{linked(text, path, line)} changed") == f"{text} changed"


@given(PATHS, st.none() | st.integers(1, 9999))
def test_a_link_leads_to_the_file_and_its_line(path: str, line: int | None) -> None:
    text = printable(path)
    opened, target, shown, closed, rest = rendered(f"{linked(text, path, line)} changed", True).split("\x1b")
    assert (opened, shown, closed, rest) == ("", f"\\{text}", "]8;;", "\\ changed")
    assert target.startswith("]8;;")
    assert target.isascii()
    url = urlsplit(target.removeprefix("]8;;"))
    assert (url.scheme, url.netloc) == ("file", os.uname().nodename)
    assert unquote_to_bytes(url.path) == os.fsencode(path)
    assert url.fragment == ("" if line is None else str(line))


def test_each_of_several_is_a_link() -> None:
    text = f"{linked('a', '/x/a')} and {linked('b', '/x/b', 3)} changed"
    assert rendered(text) == "a and b changed"
    assert rendered(text, True).count("\x1b]8;;file://") == 2


@pytest.mark.parametrize(
    ("terminal", "known"),
    [
        ("xterm-256color", True),
        ("tmux-256color", True),
        ("xterm-kitty", True),
        ("linux", False),
        ("dumb", False),
        ("vt220", False),
        ("", False),
    ],
)
def test_old_terminals_get_none(terminal: str, known: bool) -> None:
    assert are_known({"TERM": terminal}) is known
    assert not are_known({})
