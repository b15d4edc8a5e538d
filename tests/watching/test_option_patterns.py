"""The user's own patterns: where they are relative to, and what a shell would understand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloader.settings import Settings
from reloader.watching.option_patterns import bare_comma, expanded, option_layer


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reloader.common.run_folder._started_in", "/home/me/shop")
    monkeypatch.setenv("HOME", "/home/me")


def ignores(pattern: str, path: str, root: str = "/home/me/shop", folder: str = "") -> bool:
    """Whether the pattern, given on the command line or in a file of this folder, fits the path."""
    origins = (("ignore", "ignore in reloader.toml", folder),) if folder else ()
    settings = Settings(("x",), ignore=(pattern,), origins=origins)
    rule = option_layer(settings, "ignore", root).match(path, os.path.basename(path), False)
    assert rule is None or rule.text == pattern
    return rule is not None and not rule.negated


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*.html", ["a.html", "b/a.html"], ["a.htm"]),
        ("media/*.html", ["media/a.html"], ["b/media/a.html", "media/b/a.html"]),
        ("/media", ["media"], ["b/media"]),
        ("./media/*.html", ["media/a.html"], ["b/media/a.html"]),
        ("../shop/media", ["media"], ["b/media"]),
        ("~/shop/media", ["media"], ["b/media"]),
        ("/home/me/shop/media/*.html", ["media/a.html"], ["b/media/a.html"]),
        ("**/media/*.html", ["media/a.html", "b/media/a.html"], ["media/b/a.html"]),
        ("*.{html,css}", ["a.html", "b/a.css"], ["a.js"]),
        ("{media,static}/*.{html,css}", ["media/a.html", "static/a.css"], ["b/media/a.html", "a.css"]),
        ("a,b", ["a,b"], ["a", "b"]),
        ("{a}", ["{a}"], ["a"]),
    ],
)
def test_on_the_command_line(pattern: str, fitting: list[str], others: list[str]) -> None:
    for name in fitting:
        assert ignores(pattern, "/home/me/shop/" + name)
    for name in others:
        assert not ignores(pattern, "/home/me/shop/" + name)


def test_on_the_command_line_a_path_is_relative_to_here_and_to_each_watched_folder() -> None:
    assert ignores("src/gen", "/home/me/shop/src/gen", root="/home/me/shop/src")
    assert ignores("/gen", "/home/me/shop/src/gen", root="/home/me/shop/src")
    assert not ignores("./gen", "/home/me/shop/src/gen", root="/home/me/shop/src")
    assert ignores("./src/gen", "/home/me/shop/src/gen", root="/home/me/shop/src")


def test_in_a_file_a_path_is_relative_to_it() -> None:
    """Seen to fail before: the folder that is watched was it."""
    root = "/home/me/shop/src"
    assert ignores("src/gen", "/home/me/shop/src/gen", root, "/home/me/shop")
    assert not ignores("gen/a", "/home/me/shop/src/gen/a", root, "/home/me/shop")
    assert ignores("../lib/gen", "/home/me/lib/gen", "/home/me/lib", "/home/me/shop")
    assert ignores("*.gen", "/home/me/lib/a.gen", "/home/me/lib", "/home/me/shop")
    assert ignores("/home/me/lib/gen", "/home/me/lib/gen", "/home/me/lib", "/home/me/shop")


def test_signs_in_the_folders_own_name_are_no_pattern() -> None:
    assert ignores("./a/*.py", "/we[i]rd*/a/b.py", "/we[i]rd*", "/we[i]rd*")
    assert not ignores("./a/*.py", "/weird/a/b.py", "/we[i]rd*", "/we[i]rd*")


def test_an_ignore_is_taken_back() -> None:
    assert not ignores("!./media/a.html", "/home/me/shop/media/a.html")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a", ["a"]),
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y{c,d}", ["xayc", "xayd", "xbyc", "xbyd"]),
        ("{a,{b,c}}", ["a", "b", "c"]),
        ("{a,}", ["a", ""]),
        ("\\{a,b}", ["\\{a,b}"]),
        ("[{a,b}]", ["[{a,b}]"]),
        ("{a,b", ["{a,b"]),
        ("{{a,b}", ["{a", "{b"]),
        ("{a\\,b,c}", ["a\\,b", "c"]),
    ],
)
def test_braces(pattern: str, found: list[str]) -> None:
    assert expanded(pattern) == found


def test_more_than_anybody_means_is_taken_as_it_stands() -> None:
    pattern = "{a,b}" * 20
    assert expanded(pattern) == [pattern]


@pytest.mark.parametrize(
    ("pattern", "is_bare"),
    [("a,b", True), ("{a,b}", False), ("{a,b},c", True), ("a\\,b", False), ("[,]", False), ("[a,b", True)],
)
def test_commas(pattern: str, is_bare: bool) -> None:
    assert bare_comma(pattern) is is_bare


@given(st.text("ab/{},\\[]!*", max_size=30))
def test_any_text_is_taken(text: str) -> None:
    assert expanded(text)
    assert isinstance(bare_comma(text), bool)
    assert isinstance(ignores(text, "/home/me/shop/a/b"), bool)


@given(st.lists(st.sampled_from(["a", "b,c", "*.d", "e/f"]), min_size=1, max_size=4))
def test_braces_around_any_choices(choices: list[str]) -> None:
    pieces = [piece.replace(",", "\\,") for piece in choices]
    assert expanded("x{" + ",".join([*pieces, "z"]) + "}") == ["x" + piece for piece in [*pieces, "z"]]


def test_a_project_in_a_folder_whose_name_has_signs(tmp_path: Path) -> None:
    root = tmp_path / "{a,b}"
    assert ignores("./c", str(root / "c"), str(root), str(root))
