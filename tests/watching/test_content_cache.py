"""What is kept of the files, within its budget, and which differences are none."""

from __future__ import annotations

import ast
import os
import zlib
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.messages import events
from reloader.watching.content_cache import ENTRY, LEVEL, ContentCache, same_syntax
from reloader.watching.folder import FORGOTTEN, Stat, stat_of
from reloader.watching.tree import Snapshot


def status(path: Path) -> Stat:
    return stat_of(os.stat(path))


def snapshot(folder: Path) -> Snapshot:
    return {str(folder): {path.name: status(path) for path in folder.iterdir()}}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a = 1\n", "# one\na  =  (1)\n\n", True),
        ('def f():\n    """Doc."""\n', 'def f():\n    """Other."""\n', False),
        ("a = 1\n", "a = 1.0\n", False),
        ("a = 0.0\n", "a = -0.0\n", False),
        ("a = True\n", "a = 1\n", False),
        ("a = b'x'\n", "a = 'x'\n", False),
        ("x = 1; y = 2\n", "x = 1\ny = 2\n", True),
        ("a = (\n", "a = (\n", False),
        ("# -*- coding: latin-1 -*-\na = 'é'\n", "a = 'é'\n", False),
    ],
)
def test_the_syntax_tree_decides(old: str, new: str, same: bool) -> None:
    assert same_syntax(old.encode(), new.encode()) is same


_NAMES = st.sampled_from(["a", "b", "cé"])
_EXPRESSIONS = st.recursive(
    _NAMES | st.integers(0, 3).map(str) | st.sampled_from(["'x'", "b'x'", "1.0", "None", "True"]),
    lambda inner: st.tuples(inner, inner).map(lambda pair: f"f({pair[0]}, [{pair[1]}])"),
    max_leaves=6,
)
_SOURCES = st.lists(
    st.tuples(_NAMES, _EXPRESSIONS).map(lambda pair: f"{pair[0]} = {pair[1]}"), max_size=4
).map("\n".join)


@settings(max_examples=200, deadline=None)
@given(old=_SOURCES, new=_SOURCES)
def test_two_sources_are_the_same_as_their_dumped_trees_are(old: str, new: str) -> None:
    expected = ast.dump(ast.parse(old)) == ast.dump(ast.parse(new))
    assert same_syntax(old.encode(), new.encode()) is expected


def test_what_is_not_known_differs(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a = 1\n")
    inbox: SimpleQueue[events.Event] = SimpleQueue()
    contents = ContentCache(inbox.put)
    then = status(path)
    assert contents.sameness(str(path), then, then) is None
    contents.read_all(snapshot(tmp_path))
    assert inbox.get_nowait() == events.ContentsKnown(1, ENTRY + len(zlib.compress(b"a = 1\n", LEVEL)))
    os.utime(path, ns=(1, 1))
    assert contents.sameness(str(path), FORGOTTEN, status(path)) is None
    assert contents.sameness(str(path), then, status(path)) is events.Sameness.BYTES
    assert contents.sameness(str(path), (1, *then[1:]), (2, 2, 2, 2)) is None


def test_the_budget_is_kept_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"m{number:02}.py").write_bytes(b"x = '" + os.urandom(500).hex().encode() + b"'\n")
    inbox: SimpleQueue[events.Event] = SimpleQueue()
    contents = ContentCache(inbox.put, budget=10_000)
    contents.read_all(snapshot(tmp_path))
    known = inbox.get_nowait()
    assert isinstance(known, events.ContentsKnown)
    assert 10_000 - ENTRY < known.kept <= 10_000
    contents.read_all({})
    assert inbox.get_nowait() == events.ContentsKnown(0, 0)
