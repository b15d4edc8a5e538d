"""The language of .gitignore files: each rule of gitignore(5) by example, and Git itself as the judge."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from reloader.settings import Settings
from reloader.watching import gitignore_files
from reloader.watching.gitignore_patterns import Layer, Rule, parse
from reloader.watching.rules import BUILT_IN_IGNORES, View, layer
from reloader.watching.tree import Tree

# --- helpers --------------------------------------------------------------------------------------


def deciding_rule(root: str, path: str) -> Rule | None:
    """The rule of the .gitignore files from `root` down that has the last word on `path`.

    As Git does: in a folder that is ignored, no further rule is asked.
    """
    nothing = Layer(root, ())
    layers: tuple[Layer, ...] = ()
    folder = root
    rule: Rule | None = None
    for name in os.path.relpath(path, root).split(os.sep):
        layers += gitignore_files.GitRules(lambda _path, _owner: None).layer_of(folder)
        folder = os.path.join(folder, name)
        rule = View(nothing, layers, nothing, None, nothing).deciding(folder, name, os.path.isdir(folder))
        if rule is not None and not rule.negated:
            return rule
    return rule


class Git:
    """One `git check-ignore` that answers for the whole session of tests."""

    def __init__(self, top: Path) -> None:
        self.top = str(top)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.top,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        subprocess.run(["git", "init", "-q", self.top], check=True, env=self.environment)
        self._process = subprocess.Popen(
            ["git", "check-ignore", "--no-index", "-v", "-n", "-z", "--stdin"],
            cwd=self.top,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        self._numbers = count()

    def fresh_folder(self) -> str:
        """A folder that Git has not seen yet: what it has read of others stays in its memory."""
        folder = os.path.join(self.top, f"t{next(self._numbers)}")
        os.mkdir(folder)
        return folder

    def deciding(self, path: str) -> tuple[str, int, bool] | None:
        """File, line and negation of the pattern that decides on the path; None if no pattern matches."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(os.fsencode(os.path.relpath(path, self.top)) + b"\0")
        self._process.stdin.flush()
        answer = b""
        while answer.count(b"\0") < 4:
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            assert chunk, "git has ended"
            answer += chunk
        source, line, pattern, _ = os.fsdecode(answer).split("\0", 3)
        if not source:
            return None
        return os.path.join(self.top, source), int(line), pattern.startswith("!")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Git]:
    """A repository, and Git's own answers about it."""
    judge = Git(tmp_path_factory.mktemp("judged"))
    yield judge
    judge.close()


def write(folder: str, files: Mapping[str, str]) -> None:
    """Make the files, with their folders; a name that ends in a slash is an empty folder."""
    for name, text in files.items():
        path = os.path.join(folder, name)
        if name.endswith("/"):
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)


# --- gitignore(5), rule by rule -------------------------------------------------------------------

# Lines of the root's .gitignore; a path, with a slash at the end for a folder; whether it is ignored.
CASES: list[tuple[str, str, str, bool]] = [
    # A blank line matches no files, so it can serve as a separator for readability.
    ("a blank line matches nothing", "\n\n", "a", False),
    ("a line of spaces matches nothing", "   \n", "   ", False),
    # A line starting with # serves as a comment.
    ("a comment matches nothing", "#a\n", "#a", False),
    ("a comment matches not even what follows its mark", "#a\n", "a", False),
    ("a hash behind a backslash is itself", "\\#a\n", "#a", True),
    ("a hash that is not first is itself", "a#b\n", "a#b", True),
    ("a hash behind a space is no comment", " #a\n", " #a", True),
    # Trailing spaces are ignored unless they are quoted with backslash.
    ("trailing spaces are stripped", "a  \n", "a", True),
    ("a name that ends in a space is not meant by one without", "a  \n", "a  ", False),
    ("a quoted trailing space stays", "a\\ \n", "a ", True),
    ("a quoted trailing space is asked for", "a\\ \n", "a", False),
    ("only the quoted one of two trailing spaces stays", "a\\  \n", "a ", True),
    ("a backslash that is quoted itself quotes no space", "a\\\\ \n", "a\\", True),
    ("a leading space stays", " a\n", " a", True),
    ("a leading space is asked for", " a\n", "a", False),
    ("a tab at the end is not stripped", "a\t\n", "a", False),
    ("a carriage return before the newline is stripped", "a\r\n", "a", True),
    ("spaces before a carriage return are stripped", "a  \r\n", "a", True),
    ("the last line needs no newline", "a", "a", True),
    # An optional prefix "!" negates the pattern.
    ("a later negation takes back", "a\n!a\n", "a", False),
    ("a later pattern wins over a negation", "!a\na\n", "a", True),
    ("a negation alone ignores nothing", "!a\n", "a", False),
    ("a negation spares one of many", "*.a\n!b.a\n", "b.a", False),
    ("a negation spares no other", "*.a\n!b.a\n", "c.a", True),
    ("a negation reaches not into an ignored folder", "a\n!a/b\n", "a/b", True),
    ("a folder that is taken back can be looked into", "/*\n!/a\n/a/*\n!/a/b\n", "a/b", False),
    ("the rest of a folder that is taken back stays ignored", "/*\n!/a\n/a/*\n!/a/b\n", "a/c", True),
    ("an exclamation mark behind a backslash is itself", "\\!a\n", "!a", True),
    ("an exclamation mark that is not first is itself", "a!\n", "a!", True),
    ("an exclamation mark alone matches nothing", "*\n!\n", "!", True),
    # A separator at the beginning or middle: relative to the folder of the .gitignore file.
    ("a name matches at the root", "a\n", "a", True),
    ("a name matches at any depth", "a\n", "b/c/a", True),
    ("a leading slash anchors", "/a\n", "a", True),
    ("an anchored pattern matches at no depth", "/a\n", "b/a", False),
    ("a slash in the middle anchors", "a/b\n", "a/b", True),
    ("a slash in the middle matches at no depth", "a/b\n", "c/a/b", False),
    ("a pattern is for the whole name", "a\n", "ab", False),
    ("a pattern is for the name from its start", "a\n", "ba", False),
    ("a path that goes on below an anchored file is not meant", "/a/b\n", "a/bc", False),
    # A separator at the end: folders only.
    ("a slash at the end means folders", "a/\n", "a/", True),
    ("a slash at the end means no files", "a/\n", "a", False),
    ("a slash at the end alone does not anchor", "a/\n", "b/a/", True),
    ("what lies in an ignored folder is ignored", "a/\n", "a/b/c", True),
    ("a slash in the middle and one at the end", "/a/b/\n", "a/b/", True),
    ("a pattern without a slash at the end means folders too", "a\n", "a/", True),
    ("a slash behind a quoted backslash means folders", "a\\\\/\n", "a\\/", True),
    ("a slash behind a quoted backslash means no files", "a\\\\/\n", "a\\", False),
    ("a slash at the end cannot be quoted", "a\\/\n", "a/", False),
    ("a slash alone matches nothing", "/\n", "a/", False),
    ("two slashes match nothing", "//\n", "a/", False),
    ("two slashes at the start match nothing", "//a\n", "a", False),
    # An asterisk matches anything except a slash; a question mark any one character except "/".
    ("an asterisk matches any name", "*\n", "abc", True),
    ("an asterisk matches nothing at all as well", "a*\n", "a", True),
    ("an asterisk stands for an ending", "*.b\n", "a.b", True),
    ("an asterisk matches a dot at the start", "*.b\n", ".b", True),
    ("an ending is looked for at the end", "*.b\n", "a.bc", False),
    ("an asterisk in the middle", "a*c\n", "abbc", True),
    ("two asterisks apart", "*b*\n", "abc", True),
    ("an asterisk crosses no slash", "/a*d\n", "ab/cd", False),
    ("an asterisk between slashes is one folder", "a/*/c\n", "a/b/c", True),
    ("an asterisk between slashes is not two folders", "a/*/d\n", "a/b/c/d", False),
    ("an asterisk between slashes is not none", "a/*/b\n", "a/b", False),
    ("a question mark is one character", "a?\n", "ab", True),
    ("a question mark is not none", "a?\n", "a", False),
    ("a question mark is not two", "a?\n", "abc", False),
    ("a question mark is no slash", "/a?b\n", "a/b", False),
    # The range notation, e.g. [a-zA-Z].
    ("brackets match one of their members", "[ab]\n", "b", True),
    ("brackets match none but their members", "[ab]\n", "c", False),
    ("brackets match a range", "[a-c]\n", "b", True),
    ("a range has an end", "[a-c]\n", "d", False),
    ("a range that runs backwards is empty", "[c-a]\n", "b", False),
    ("a hyphen at the start is itself", "[-a]\n", "-", True),
    ("a hyphen at the end is itself", "[a-]\n", "-", True),
    ("an exclamation mark inverts", "[!a]\n", "b", True),
    ("an inverted bracket spares its members", "[!a]\n", "a", False),
    ("a caret inverts", "x[^a]\n", "xb", True),
    ("a caret that is not first is itself", "[a^]\n", "^", True),
    ("a closing bracket at the start is itself", "[]a]\n", "]", True),
    ("a closing bracket after the inversion is itself", "x[!]a]\n", "xb", True),
    ("an inverted bracket spares a closing bracket at its start", "x[!]a]\n", "x]", False),
    ("an opening bracket in brackets is itself", "[[]\n", "[", True),
    ("brackets match no slash", "/a[/]b\n", "a/b", False),
    ("an inverted bracket matches no slash", "/a[!x]b\n", "a/b", False),
    ("a range matches no slash", "/a[+-9]b\n", "a/b", False),
    ("a class is all of its characters", "a[[:digit:]]\n", "a7", True),
    ("a class is none but its characters", "a[[:digit:]]\n", "ab", False),
    ("an inverted class", "a[^[:digit:]]\n", "ab", True),
    ("a class among others", "[x[:upper:]]\n", "A", True),
    ("a member beside a class", "[x[:upper:]]\n", "x", True),
    ("an unknown class matches nothing", "[[:nope:]]\n", "n", False),
    ("a bracket that is never closed matches nothing", "[a\n", "a", False),
    ("a bracket that is never closed is not itself", "[a\n", "[a", False),
    ("an asterisk in brackets is itself", "[*]\n", "*", True),
    ("an asterisk in brackets matches nothing else", "[*]\n", "a", False),
    ("a backslash in brackets quotes", "[\\]]\n", "]", True),
    ("a quoted hyphen makes no range", "[a\\-c]\n", "b", False),
    ("a quoted end of a range", "[a-\\c]\n", "b", True),
    # A leading "**" followed by a slash means match in all directories.
    ("leading asterisks match at the root", "**/a\n", "a", True),
    ("leading asterisks match at any depth", "**/a\n", "b/c/a", True),
    ("leading asterisks before two names", "**/a/b\n", "c/a/b", True),
    ("leading asterisks match whole components", "**/a\n", "ba", False),
    ("leading asterisks behind an anchor", "/**/a\n", "b/a", True),
    # A trailing "/**" matches everything inside.
    ("trailing asterisks match what is inside", "a/**\n", "a/b", True),
    ("trailing asterisks match at infinite depth", "a/**\n", "a/b/c/d", True),
    ("trailing asterisks match not the folder itself", "a/**\n", "a/", False),
    ("trailing asterisks are anchored", "a/**\n", "b/a/c", False),
    # A slash followed by two consecutive asterisks then a slash matches zero or more directories.
    ("asterisks in the middle match no folder", "a/**/b\n", "a/b", True),
    ("asterisks in the middle match one folder", "a/**/b\n", "a/x/b", True),
    ("asterisks in the middle match two folders", "a/**/b\n", "a/x/y/b", True),
    ("asterisks in the middle match whole components", "a/**/b\n", "a/xb", False),
    ("three asterisks are as good as two", "a/***/b\n", "a/x/y/b", True),
    # Other consecutive asterisks are considered regular asterisks.
    ("asterisks within a name are one asterisk", "a**b\n", "axb", True),
    ("asterisks at the end of a name cross no slash", "/x/*a**\n", "x/ba/c.d", True),
    ("asterisks at the start of a name cross no slash", "/x/?**b\n", "x/a/b", False),
    ("two asterisks alone are one asterisk", "**\n", "a", True),
    ("two asterisks and a slash are every folder", "**/\n", "a/", True),
    ("two asterisks and a slash are no files", "**/\n", "a", False),
    # A backslash quotes the next character.
    ("a quoted asterisk is itself", "\\*\n", "*", True),
    ("a quoted asterisk is nothing else", "\\*\n", "a", False),
    ("a quoted question mark is itself", "a\\?\n", "a?", True),
    ("a quoted bracket is itself", "\\[a]\n", "[a]", True),
    ("a quoted letter is the letter", "\\a\n", "a", True),
    ("a quoted backslash is a backslash", "a\\\\b\n", "a\\b", True),
    ("a quoted slash is a slash", "a\\/b\n", "a/b", True),
    ("asterisks before a quoted slash match at any depth", "**\\/a\n", "b/c/a", True),
    ("asterisks before a quoted slash match not at the root", "**\\/a\n", "a", False),
    ("a backslash at the end matches nothing", "a\\\n", "a", False),
    ("a backslash at the end is not itself", "a\\\n", "a\\", False),
    ("a closing bracket alone is itself", "a]\n", "a]", True),
    ("the byte order mark of a file is no part of its first line", "\ufeffa\n", "a", True),
]

_BY_TITLE = pytest.mark.parametrize(
    ("lines", "path", "ignored"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


def _placed(folder: str, lines: str, path: str) -> str:
    write(folder, {".gitignore": lines, path: ""})
    return os.path.join(folder, path.rstrip("/"))


@_BY_TITLE
def test_a_rule_of_gitignore_holds(tmp_path: Path, lines: str, path: str, ignored: bool) -> None:
    placed = _placed(str(tmp_path), lines, path)
    rule = deciding_rule(str(tmp_path), placed)
    assert (rule is not None and not rule.negated) is ignored


@_BY_TITLE
def test_git_itself_agrees_with_the_examples(git: Git, lines: str, path: str, ignored: bool) -> None:
    decided = git.deciding(_placed(git.fresh_folder(), lines, path))
    assert (decided is not None and not decided[2]) is ignored


# Git before 2.52 matches the part before the first wildcard by itself and then takes the asterisks
# after it for leading ones. These follow the manual, as Git does since.
@pytest.mark.parametrize(
    ("line", "path", "ignored"),
    [
        ("a**/b", "ac/b", True),
        ("a**/b", "ac/d/b", False),
        ("/a**", "a/b", True),  # the folder itself is what matches
        ("x/a**/b", "x/ac/d/b", False),
    ],
)
def test_asterisks_behind_a_plain_start_are_one_asterisk(
    tmp_path: Path, line: str, path: str, ignored: bool
) -> None:
    placed = _placed(str(tmp_path), line, path)
    assert (deciding_rule(str(tmp_path), placed) is not None) is ignored


# Where several .gitignore files speak: their lines by folder, a path, whether it is ignored.
NESTED: list[tuple[str, dict[str, str], str, bool]] = [
    ("a file in a folder is relative to that folder", {"x": "/a\n"}, "x/a", True),
    ("a file in a folder says nothing outside of it", {"x": "a\n"}, "a", False),
    ("a file in a folder holds further down", {"x": "a\n"}, "x/y/a", True),
    ("a lower file takes back what a higher one ignores", {"": "a\n", "x": "!a\n"}, "x/a", False),
    ("elsewhere the higher file holds on", {"": "a\n", "x": "!a\n"}, "y/a", True),
    ("a lower file ignores what a higher one takes back", {"": "!a\n", "x": "a\n"}, "x/a", True),
    ("a lower file wins whatever the order of the lines", {"": "a\n!a\na\n", "x": "!a\n"}, "x/a", False),
    ("a file in an ignored folder is not read", {"": "x/\n", "x": "!*\n!a\n"}, "x/a", True),
    ("a file in a folder of an ignored folder is not read", {"": "x/\n", "x/y": "!a\n"}, "x/y/a", True),
    ("a higher anchored pattern reaches down", {"": "/x/a\n", "x": "b\n"}, "x/a", True),
    ("a lower file may ignore its own folder's files", {"x": "*\n"}, "x/.gitignore", True),
    ("a lower file does not ignore its own folder", {"x": "/\n*/\n"}, "x/", False),
    ("the last of several levels wins", {"": "a\n", "x": "!a\n", "x/y": "a\n"}, "x/y/a", True),
]


@pytest.mark.parametrize(
    ("files", "path", "ignored"), [case[1:] for case in NESTED], ids=[case[0] for case in NESTED]
)
def test_rules_of_nested_files_and_git_agrees(
    git: Git, files: dict[str, str], path: str, ignored: bool
) -> None:
    folder = git.fresh_folder()
    write(folder, {path: ""})
    write(folder, {os.path.join(where, ".gitignore"): lines for where, lines in files.items()})
    placed = os.path.join(folder, path.rstrip("/"))
    rule = deciding_rule(folder, placed)
    decided = git.deciding(placed)
    assert (rule is not None and not rule.negated) is ignored
    assert (decided is not None and not decided[2]) is ignored


# --- what a rule tells of itself ------------------------------------------------------------------


def test_a_rule_knows_where_it_was_written() -> None:
    found = layer("/p", ["# first", "", "*.a", "!b.a"], "/p/.gitignore")
    rule = found.match("/p/b.a", "b.a", False)
    assert rule is not None
    assert (rule.source, rule.line, rule.text, rule.negated) == ("/p/.gitignore", 4, "!b.a", True)


@pytest.mark.parametrize(
    "line", ["", " ", "#", "# a", "!", "/", "!/", "[", "a\\", "[[:nope:]]", "[a-", "x[]"]
)
def test_a_line_that_can_match_nothing_is_no_rule(line: str) -> None:
    assert parse(line, "test", 1) is None


def test_a_layer_without_rules_is_false() -> None:
    assert not layer("/p", ["", "# a"], "test")
    assert layer("/p", ["a"], "test")


def test_a_layer_at_the_root_of_the_file_system_matches() -> None:
    found = layer("/", ["/a", "b/c"], "test")
    assert found.match("/a", "a", False)
    assert found.match("/b/c", "c", False)
    assert not found.match("/d/a", "a", False)


@pytest.mark.parametrize(
    ("line", "folder", "leads"),
    [
        ("/a/b", "/p/a", True),
        ("/a/b", "/p/a/b", False),
        ("/a/b", "/p/b", False),
        ("a/b/c", "/p/a/b", True),
        ("a/b/c", "/p/a/x", False),
        ("a/*/c", "/p/a/x", True),
        ("a/*/c", "/p/a/x/c", False),
        ("a?/c", "/p/ab", True),
        ("a/**", "/p/a", True),
        ("a/**", "/p/a/x/y", True),
        ("a/**/c", "/p/a/x/y", True),
        ("a/b/", "/p/a", True),
        ("b", "/p/a", False),
        ("*.b", "/p/a", False),
        ("**/b", "/p/a", False),
        ("!/a/b", "/p/a", False),
    ],
)
def test_only_an_anchored_pattern_leads_through_folders(line: str, folder: str, leads: bool) -> None:
    assert layer("/p", [line], "test").leads_through(folder) is leads


# --- Git as the judge -----------------------------------------------------------------------------

_NAME_CHARACTERS = "ab.-!#\\ *?[]^"
_BUILT_IN = layer("/", BUILT_IN_IGNORES, "built-in")


def _may_be_a_name(name: str) -> bool:
    return name not in (".", "..") and _BUILT_IN.match("/" + name, name, True) is None


_names = st.text(_NAME_CHARACTERS, min_size=1, max_size=3).filter(_may_be_a_name)
# A folder is a dictionary, a file is None.
_Entries = dict[str, "_Entries | None"]
_entries: st.SearchStrategy[_Entries] = st.recursive(
    st.dictionaries(_names, st.none(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(_names, st.none() | inner, min_size=1, max_size=3),
    max_leaves=5,
)
_CHARACTERS = st.sampled_from(_NAME_CHARACTERS + "/")
_PIECES = st.sampled_from(
    ["/", "**", "**/", "/**", "[!", "[^", "[a-", "[]", "[[:alpha:]]", "[[:punct:]]", "[[:bad:]]", "\\"],
)
_wild_text = st.lists(_PIECES | _CHARACTERS, max_size=7).map("".join)


def _folders_of(entries: _Entries, at: str = "") -> Iterator[tuple[str, _Entries]]:
    yield at, entries
    for name, inner in entries.items():
        if inner is not None:
            yield from _folders_of(inner, os.path.join(at, name))


def _paths_of(entries: _Entries, at: str = "") -> Iterator[str]:
    for name, inner in entries.items():
        yield os.path.join(at, name)
        if inner is not None:
            yield from _paths_of(inner, os.path.join(at, name))


@st.composite
def _close_to(draw: st.DrawFn, path: str) -> str:
    """A pattern that is made from a path, so that it is likely to match it or to miss it narrowly."""
    parts = path.split("/")
    parts = parts[draw(st.integers(0, len(parts) - 1)) :]
    parts = ["".join(draw(_disguised(char)) for char in part) for part in parts]
    for position, part in enumerate(parts):
        shape = draw(st.sampled_from(["as is"] * 6 + ["**", "*", "start", "end", "middle"]))
        parts[position] = {
            "**": "**",
            "*": "*",
            "start": part[: len(part) // 2] + "*",
            "end": "*" + part[len(part) // 2 :],
            "middle": part[: len(part) // 2] + "**" + part[(len(part) + 1) // 2 :],
        }.get(shape, part)
    start = draw(st.sampled_from(["", "", "", "/", "!", "!/", "**/", "\\"]))
    end = draw(st.sampled_from(["", "", "", "", "/", "/*", "/**", " ", "\r", "\t"]))
    slash = draw(st.sampled_from(["/"] * 9 + ["\\/"]))
    return start + slash.join(parts) + end


def _disguised(char: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        [char, char, char, char, "\\" + char, "?", f"[{char}]", f"[a{char}]", f"[!{char}]", f"[{char}-b]"]
    )


@st.composite
def _trees(draw: st.DrawFn) -> tuple[_Entries, dict[str, str]]:
    """Entries, and .gitignore files by folder."""
    entries = draw(_entries)
    ignores: dict[str, str] = {}
    for folder, inside in _folders_of(entries):
        if folder == "" or draw(st.booleans()):
            near = [_close_to(path) for path in _paths_of(inside)]
            lines = draw(st.lists(st.one_of(*near, _wild_text), min_size=1, max_size=4))
            ignores[folder] = "\n".join(lines)
    return entries, ignores


def _differs_between_gits(line: str) -> bool:
    """Asterisks behind a plain start, see above: the manual and old Gits disagree."""
    start, stars, _ = line.removesuffix("\r").removeprefix("!").removeprefix("/").partition("**")
    return bool(stars and start) and not start.endswith("/") and not set(start) & set("*?[\\")


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(tree=_trees())
def test_every_path_is_decided_by_the_rule_that_decides_for_git(
    git: Git, tree: tuple[_Entries, dict[str, str]]
) -> None:
    entries, ignores = tree
    assume(not any(_differs_between_gits(line) for text in ignores.values() for line in text.split("\n")))
    folder = git.fresh_folder()
    for path in _paths_of(entries):
        is_folder = any(path == where for where, _ in _folders_of(entries))
        write(folder, {path + "/" if is_folder else path: ""})
    write(folder, {os.path.join(where, ".gitignore"): text for where, text in ignores.items()})
    git_ignores = set()
    for where, below, files in os.walk(folder):
        for name in (*below, *files):
            path = os.path.join(where, name)
            rule = deciding_rule(folder, path)
            ours = None if rule is None else (rule.source, rule.line, rule.negated)
            decided = git.deciding(path)
            assert ours == decided, f"{os.path.relpath(path, folder)!r} with {ignores!r}"
            if decided is not None and not decided[2]:
                git_ignores.add(path)
    assert _counted_by_tree(folder) == {
        os.path.join(where, name)
        for where, _, files in os.walk(folder)
        for name in files
        if os.path.join(where, name) not in git_ignores
    }


def _counted_by_tree(folder: str) -> set[str]:
    """What counts for a command that is not Python, with Git's rules of the folder and its insides."""
    unreadable: list[str] = []
    tree = Tree(Settings(command=("worker",), watch=(folder,)), lambda path, _: unreadable.append(path))
    tree.survey()
    assert not unreadable
    return {os.path.join(where, name) for where, files in tree.snapshot().items() for name in files}


# CPU seconds: a hundred times what any of these takes, and a hundredth of what one takes that tries all ways.
_BOUND = 2.0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pattern=st.lists(
        st.sampled_from(["*a", "*", "**/", "a", "?", "[ab]", "b", "/", "a/**/", "\\/"]), max_size=40
    ),
    path=st.lists(st.text("ab", min_size=1, max_size=60), min_size=1, max_size=40),
)
@example(pattern=["*a"] * 12 + ["*b"], path=["a" * 200])
@example(pattern=["[ab]", "*"] * 40, path=["a" * 200 + "c"])
@example(pattern=["**/a/"] * 8 + ["b"], path=["a"] * 40)
@example(pattern=["**/*a*/"] * 8 + ["b"], path=["aaa"] * 40)
def test_no_pattern_takes_long_and_git_agrees(git: Git, pattern: list[str], path: list[str]) -> None:
    line = "".join(pattern)
    assume(not _differs_between_gits(line))
    began = time.thread_time()
    found = layer("/p", [line], "test").match("/p/" + "/".join(path), path[-1], False)
    assert time.thread_time() - began < _BOUND
    folder = git.fresh_folder()
    write(folder, {".gitignore": f"{line}\n"})
    if not any(
        layer("/p", [line], "test").match("/p/" + "/".join(path[:n]), path[n - 1], True)
        for n in range(1, len(path))
    ):
        decided = git.deciding(os.path.join(folder, *path))
        assert (found is not None) is (decided is not None)


@pytest.mark.parametrize(
    "rules",
    [
        [f"src/part{n}/made_*.py" for n in range(20_000)],
        [f"made_{n}_*.py" for n in range(20_000)],
        [f"*.end{n}" for n in range(20_000)],
        ["a" + " " * 1_000_000],
        ["a\\" + " " * 1_000_000],
    ],
    ids=["paths", "names", "endings", "spaces", "spaces behind a backslash"],
)
def test_many_rules_and_long_lines_take_no_time(rules: list[str]) -> None:
    """Seen to fail where all rules became one expression, and where each space was a copy of the line."""
    began = time.thread_time()
    many = layer("/p", rules, "test")
    for number in range(100):
        many.match(f"/p/src/part{number}/made_{number}.py", f"made_{number}.py", False)
    assert time.thread_time() - began < _BOUND


@settings(max_examples=500, deadline=None)
@given(line=st.text(_NAME_CHARACTERS + "/:\t\r\x1b\xe9\udcff", max_size=12))
def test_any_line_is_a_rule_or_none_and_never_an_error(line: str) -> None:
    rule = parse(line, "test", 1)
    if rule is not None:
        Layer("/p", [rule]).match("/p/a", "a", False)
        Layer("/p", [rule]).leads_through("/p/a")


@settings(max_examples=500, deadline=None)
@given(data=st.data(), parts=st.lists(_names, min_size=1, max_size=4))
def test_where_a_rule_about_paths_matches_paths_are_asked_for(data: st.DataObject, parts: list[str]) -> None:
    path = "/".join(parts)
    rule = parse(data.draw(_close_to(path)), "test", 1)
    assume(rule is not None and rule.anchored)
    layer = Layer("/p", [rule] if rule is not None else [])
    for is_folder in (False, True):
        if layer.match(f"/p/{path}", parts[-1], is_folder) is not None:
            assert layer.asks_for_paths(os.path.dirname(f"/p/{path}"))


@pytest.mark.parametrize("stars", ["**", "***"])
@pytest.mark.parametrize(("glob", "folder"), [("a/{}", "/p/a/b"), ("{}/c", "/p/a/b"), ("a/{}/c", "/p/a/b")])
def test_two_stars_or_more_cross_folders(glob: str, folder: str, stars: str) -> None:
    rule = parse(glob.format(stars), "test", 1)
    assert rule is not None
    layer = Layer("/p", [rule])
    assert layer.match(f"{folder}/c", "c", False) is rule
    assert layer.asks_for_paths(folder)
