"""The walk over real folders: what is entered, what is seen, and that a look sees what a survey sees."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reloader.settings import Settings
from reloader.watching.folder import stat_of
from reloader.watching.tree import MANY, Snapshot, Tree

# --- helpers --------------------------------------------------------------------------------------


def tree_of(*watch: str | Path, unreadable: list[str] | None = None, **given: Any) -> Tree:
    """A tree that has been surveyed once. Unless a list is given, everything must be readable."""

    def report(path: str, reason: str) -> None:
        assert unreadable is not None, f"{path}: {reason}"
        unreadable.append(path)

    chosen = Settings(command=("worker",), watch=tuple(map(str, watch)), **given)
    tree = Tree(chosen, report)
    tree.survey()
    return tree


def paths(snapshot: Snapshot) -> set[str]:
    """The files that count."""
    return {os.path.join(folder, name) for folder, files in snapshot.items() for name in files}


def counted(tree: Tree, below: Path) -> set[str]:
    """The files that count, relative to a folder."""
    return {os.path.relpath(path, below) for path in paths(tree.snapshot())}


def entered(tree: Tree, below: Path) -> set[str]:
    """The folders that are entered, relative to a folder."""
    return {os.path.relpath(path, below) for path in tree.folders}


def look(tree: Tree, touched: Iterable[str | Path]) -> None:
    """Look at these paths, and do after it what the scanner and the watcher do."""
    before = tree.to_watch()
    tree.look([str(path) for path in touched])
    if tree.lister.rules_changed:
        tree.forget_rules()
        tree.survey()
    # Folders that were not watched are hinted at once they are.
    tree.look([path for path, _, _ in tree.to_watch() - before])


def write(folder: Path, *names: str, text: str = "") -> None:
    """Make files, with their folders."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def repository(folder: Path) -> Path:
    """Make the folder the top of a repository."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture(autouse=True)
def _a_user_without_settings_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is watched."""
    folder = tmp_path / "p"
    folder.mkdir()
    return folder


# --- pruning --------------------------------------------------------------------------------------


def test_files_that_count_are_seen_with_time_size_inode_and_change_time(root: Path) -> None:
    write(root, "a.py", "pkg/b.py", text="x = 1\n")
    seen = tree_of(root).snapshot()
    assert set(seen) == {str(root), str(root / "pkg")}
    for path in (root / "a.py", root / "pkg" / "b.py"):
        found = path.stat()
        assert seen[str(path.parent)][path.name] == stat_of(found)


def test_an_ignored_folder_is_neither_listed_nor_watched(root: Path) -> None:
    write(root, "a.py", "pkg/b.py", "pkg/__pycache__/b.pyc", "node_modules/x/y/z.js", ".git/objects/ab/c")
    write(root, "build/lib/c.py", ".venv/lib/d.py", "gen/e.py", "pkg/build/f.py")
    tree = tree_of(root, ignore=("gen/",))
    assert entered(tree, root) == {".", "pkg", "pkg/build"}
    assert {path for path, _, _ in tree.to_watch()} == {*tree.folders, str(root.parent)}
    assert counted(tree, root) == {"a.py", "pkg/b.py", "pkg/build/f.py"}


def test_a_folder_of_a_virtual_environment_is_not_entered_whatever_its_name(root: Path) -> None:
    write(root, "a.py", "env312/pyvenv.cfg", "env312/lib/b.py", "deep/er/pyvenv.cfg", "deep/c.py")
    assert entered(tree_of(root), root) == {".", "deep"}


def test_a_virtual_environment_that_the_user_names_is_entered(root: Path) -> None:
    write(root, "pyvenv.cfg", "a.py")
    assert counted(tree_of(root, python=True), root) == {"pyvenv.cfg", "a.py"}


def test_a_folder_that_becomes_a_virtual_environment_is_left(root: Path) -> None:
    write(root, "env/a.py", "env/lib/b.py")
    tree = tree_of(root)
    write(root, "env/pyvenv.cfg")
    assert tree.may_count(str(root / "env/pyvenv.cfg"))
    look(tree, [root / "env/pyvenv.cfg"])
    assert entered(tree, root) == {"."}


def test_a_virtual_environment_that_is_replaced_by_a_folder_is_entered(root: Path) -> None:
    write(root, "env/pyvenv.cfg", "env/a.py")
    tree = tree_of(root)
    assert entered(tree, root) == {"."}
    # The system may give the new folder the inode of the old one.
    shutil.rmtree(root / "env")
    write(root, "env/a.py")
    look(tree, [root / "env"])
    assert counted(tree, root) == {"env/a.py"}


def test_folders_and_other_things_are_no_files(root: Path) -> None:
    write(root, "a.py")
    (root / "folder.py").mkdir()
    os.mkfifo(root / "pipe.py")
    assert counted(tree_of(root), root) == {"a.py"}


def test_the_walk_goes_no_higher_than_the_watched_folder(root: Path) -> None:
    write(root.parent, "a.py", "q/b.py", "p/c.py")
    assert counted(tree_of(root), root) == {"c.py"}


def test_an_include_enters_only_the_ignored_folders_on_its_way(root: Path) -> None:
    write(root, "build/gen/a.py", "build/gen/a.txt", "build/lib/b.py", "build/c.py", "node_modules/d.py")
    tree = tree_of(root, include=("build/gen/*.py",))
    assert entered(tree, root) == {".", "build", "build/gen"}
    assert counted(tree, root) == {"build/gen/a.py"}


# --- what deserves a look -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", True),
        ("new.py", True),
        ("pkg/b.py", True),
        ("a.txt", False),
        ("pkg/a.log", False),
        ("pkg", True),
        ("newfolder", True),
        ("__pycache__", False),
        ("node_modules", False),
        ("node_modules/a.py", False),
        ("pkg/unknown/c.py", False),
        (".gitignore", True),
        ("pkg/.gitignore", True),
        ("pkg/pyvenv.cfg", True),
        (".", True),
        ("..", False),
        ("../sibling.py", False),
        ("../other", False),
    ],
)
def test_an_event_deserves_a_look_if_something_that_counts_may_have_changed(
    root: Path, path: str, expected: bool
) -> None:
    write(
        root, "a.py", "pkg/b.py", "node_modules/a.py", "__pycache__/a.pyc", "newfolder/x.txt", "../other/y.py"
    )
    tree = tree_of(root, python=True)
    assert tree.may_count(os.path.normpath(root / path)) is expected


def test_a_folder_that_has_gone_deserves_a_look(root: Path) -> None:
    write(root, "pkg/a.py")
    tree = tree_of(root, python=True)
    shutil.rmtree(root / "pkg")
    assert tree.may_count(str(root / "pkg"))


def test_without_git_a_gitignore_file_deserves_no_look(root: Path) -> None:
    write(root, "a.py")
    assert not tree_of(root, python=True, gitignore=False).may_count(str(root / ".gitignore"))


# --- several roots, and roots that come and go ----------------------------------------------------


def test_a_root_inside_another_is_entered_once(root: Path) -> None:
    write(root, "a.py", "pkg/b.py")
    tree = tree_of(root, root / "pkg")
    assert counted(tree, root) == {"a.py", "pkg/b.py"}


def test_a_root_inside_an_ignored_folder_is_entered(root: Path) -> None:
    write(root, "a.py", "node_modules/mine/b.js", "node_modules/other/c.js")
    tree = tree_of(root, root / "node_modules" / "mine")
    assert counted(tree, root) == {"a.py", "node_modules/mine/b.js"}


def test_a_root_is_entered_although_its_name_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, "build/a.py", "build/node_modules/b.js")
    assert counted(tree_of(tmp_path / "build"), tmp_path) == {"build/a.py"}


def test_a_root_that_goes_takes_its_files_along_and_brings_them_back(root: Path) -> None:
    write(root, "a.py", "pkg/b.py")
    tree = tree_of(root)
    root.rename(root.parent / "elsewhere")
    assert tree.may_count(str(root))
    look(tree, [root])
    assert tree.snapshot() == {}
    assert {path for path, _, _ in tree.to_watch()} == {str(root.parent)}
    (root.parent / "elsewhere").rename(root)
    assert tree.may_count(str(root))
    look(tree, [root])
    assert counted(tree, root) == {"a.py", "pkg/b.py"}


def test_a_root_that_is_made_anew_is_watched_anew(root: Path) -> None:
    write(root, "a.py")
    tree = tree_of(root)
    before = tree.to_watch()
    root.rename(root.parent / "old")
    write(root, "b.py")
    look(tree, [root])
    assert counted(tree, root) == {"b.py"}
    assert tree.to_watch() != before


# --- single files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["settings.toml", "notes.txt", "debug.log", "a.pyc", ".git"])
def test_a_file_that_the_user_names_counts_whatever_the_rules_say(root: Path, name: str) -> None:
    write(root, name, "other.py", "other.txt", "pkg/a.py")
    tree = tree_of(root / name, python=True, ignore=("*",))
    assert counted(tree, root) == {name}
    assert {path for path, _, _ in tree.to_watch()} == {str(root)}


def test_nothing_else_in_the_folder_of_a_named_file_deserves_a_look(root: Path) -> None:
    write(root, "a.toml", "b.toml", "pkg/c.py")
    tree = tree_of(root / "a.toml", python=True)
    assert tree.may_count(str(root / "a.toml"))
    assert not tree.may_count(str(root / "b.toml"))
    assert not tree.may_count(str(root / "pkg"))


def test_a_named_file_inside_a_watched_folder_counts_beside_the_others(root: Path) -> None:
    write(root, "a.py", "a.log", "b.log")
    tree = tree_of(root, root / "a.log")
    assert counted(tree, root) == {"a.py", "a.log"}


def test_a_named_file_inside_an_ignored_folder_counts(root: Path) -> None:
    write(root, "a.py", "node_modules/x/package.json", "node_modules/x/b.js")
    tree = tree_of(root, root / "node_modules/x/package.json")
    assert counted(tree, root) == {"a.py", "node_modules/x/package.json"}


def test_a_named_file_is_followed_through_deletion_replacement_and_return(root: Path) -> None:
    path = root / "a.toml"
    write(root, "a.toml", text="1")
    tree = tree_of(path)
    before = tree.snapshot()
    write(root, "a.toml.new", text="2")
    (root / "a.toml.new").replace(path)
    look(tree, [path])
    assert counted(tree, root) == {"a.toml"}
    assert tree.snapshot() != before
    path.unlink()
    look(tree, [path])
    assert paths(tree.snapshot()) == set()
    write(root, "a.toml")
    look(tree, [path])
    assert counted(tree, root) == {"a.toml"}


def test_a_named_file_that_is_not_there_yet_counts_when_it_comes(root: Path) -> None:
    tree = tree_of(root / "later.py")
    assert paths(tree.snapshot()) == set()
    write(root, "later.py")
    assert tree.may_count(str(root / "later.py"))
    look(tree, [root / "later.py"])
    assert counted(tree, root) == {"later.py"}


def test_a_named_file_whose_folder_is_replaced_is_found_again(root: Path) -> None:
    write(root, "conf/a.toml")
    tree = tree_of(root / "conf/a.toml")
    (root / "conf").rename(root / "old")
    look(tree, [root / "conf/a.toml"])
    assert paths(tree.snapshot()) == set()
    write(root, "conf/a.toml")
    look(tree, [root / "conf/a.toml"])
    assert counted(tree, root) == {"conf/a.toml"}


# --- symbolic links -------------------------------------------------------------------------------


def test_a_link_to_a_file_counts_with_the_time_of_what_it_leads_to(root: Path) -> None:
    write(root.parent, "out/a.txt", text="1")
    (root / "a.py").symlink_to(root.parent / "out/a.txt")
    tree = tree_of(root)
    before = tree.snapshot()
    write(root.parent, "out/a.txt", text="22")
    look(tree, [root / "a.py"])
    assert tree.snapshot() != before
    assert counted(tree, root) == {"a.py"}


def test_a_link_that_leads_nowhere_counts_once_it_leads_somewhere(root: Path) -> None:
    (root / "a.py").symlink_to(root.parent / "out.py")
    (root / "self.py").symlink_to("self.py")
    tree = tree_of(root)
    assert counted(tree, root) == set()
    write(root.parent, "out.py")
    look(tree, [root / "a.py"])
    assert counted(tree, root) == {"a.py"}


def test_a_linked_folder_is_entered_under_the_name_of_the_link(root: Path) -> None:
    write(root.parent, "out/lib/a.py")
    (root / "linked").symlink_to(root.parent / "out")
    tree = tree_of(root)
    assert counted(tree, root) == {"linked/lib/a.py"}
    assert str(root / "linked/lib") in {path for path, _, _ in tree.to_watch()}


def test_a_linked_folder_with_an_ignored_name_is_not_entered(root: Path) -> None:
    write(root.parent, "out/a.py")
    (root / "node_modules").symlink_to(root.parent / "out")
    assert entered(tree_of(root), root) == {"."}


@pytest.mark.parametrize("target", [".", "..", "../..", "/", "../pkg/sub"])
def test_a_link_that_makes_a_loop_is_not_entered(root: Path, target: str) -> None:
    write(root, "a.py", "pkg/b.py", "pkg/sub/c.py")
    (root / "pkg" / "loop").symlink_to(target)
    tree = tree_of(root)
    assert counted(tree, root) == {"a.py", "pkg/b.py", "pkg/sub/c.py"}
    assert entered(tree, root) == {".", "pkg", "pkg/sub"}


def test_a_loop_outside_is_entered_once(root: Path) -> None:
    write(root.parent, "out/a.py", "out/deep/b.py")
    (root.parent / "out/deep/back").symlink_to("..")
    (root / "linked").symlink_to(root.parent / "out")
    assert entered(tree_of(root), root) == {".", "linked", "linked/deep"}


def test_a_folder_that_two_links_lead_to_is_entered_once(root: Path) -> None:
    write(root.parent, "out/a.py")
    (root / "one").symlink_to(root.parent / "out")
    (root / "two").symlink_to(root.parent / "out")
    assert len(paths(tree_of(root).snapshot())) == 1


def test_a_link_into_the_watched_tree_is_not_entered_again(root: Path) -> None:
    write(root, "pkg/a.py", "other/b.py")
    (root / "alias").symlink_to("pkg")
    (root / "other/alias").symlink_to("../pkg")
    assert counted(tree_of(root), root) == {"pkg/a.py", "other/b.py"}


def test_a_link_from_one_root_into_another_is_not_entered(root: Path) -> None:
    write(root.parent, "q/a.py", "q/pkg/b.py")
    (root / "linked").symlink_to(root.parent / "q")
    (root / "inner").symlink_to(root.parent / "q/pkg")
    assert counted(tree_of(root, root.parent / "q"), root.parent) == {"q/a.py", "q/pkg/b.py"}


@pytest.mark.parametrize(("one", "two"), [("out", "out/deep"), ("out/deep", "out")])
def test_a_real_folder_is_entered_once_though_links_lead_to_it_and_above_it(
    root: Path, one: str, two: str
) -> None:
    write(root.parent, "out/a.py", "out/deep/b.py")
    (root / "one").symlink_to(root.parent / one)
    (root / "two").symlink_to(root.parent / two)
    tree = tree_of(root)
    identities = [folder.identity for folder in tree.folders.values()]
    assert len(set(identities)) == len(identities)
    assert {os.path.basename(path) for path in paths(tree.snapshot())} == {"a.py", "b.py"}


def test_a_link_that_is_swapped_shows_the_other_folder(root: Path) -> None:
    write(root.parent, "v1/a.py", "v1/old/b.py", "v2/a.py", "v2/new/c.py")
    (root / "current").symlink_to(root.parent / "v1")
    tree = tree_of(root)
    before = tree.snapshot()
    (root / "next").symlink_to(root.parent / "v2")
    (root / "next").replace(root / "current")
    look(tree, [root / "next", root / "current"])
    assert counted(tree, root) == {"current/a.py", "current/new/c.py"}
    assert tree.snapshot()[str(root / "current")] != before[str(root / "current")]


def test_a_root_that_is_a_link_may_be_swapped(root: Path) -> None:
    write(root.parent, "v1/a.py", "v2/b.py")
    link = root.parent / "current"
    link.symlink_to("v1")
    tree = tree_of(link)
    before = tree.to_watch()
    assert counted(tree, link) == {"a.py"}
    link.unlink()
    link.symlink_to("v2")
    look(tree, [link])
    assert counted(tree, link) == {"b.py"}
    assert tree.to_watch() != before


def test_a_link_that_is_moved_to_another_folder_is_entered_there(root: Path) -> None:
    write(root, "a/x.py", "b/y.py")
    write(root.parent, "out/c.py")
    (root / "b/linked").symlink_to(root.parent / "out")
    tree = tree_of(root)
    (root / "b/linked").rename(root / "a/linked")
    look(tree, [root / "b/linked", root / "a/linked"])
    assert counted(tree, root) == {"a/x.py", "b/y.py", "a/linked/c.py"}


def test_of_two_links_to_one_folder_the_other_takes_over(root: Path) -> None:
    write(root, "a/x.py", "b/y.py")
    write(root.parent, "out/c.py")
    (root / "a/linked").symlink_to(root.parent / "out")
    (root / "b/linked").symlink_to(root.parent / "out")
    tree = tree_of(root)
    (taken,) = {path for path in counted(tree, root) if path.endswith("c.py")}
    (root / taken).parent.unlink()
    look(tree, [(root / taken).parent])
    other = "b/linked/c.py" if taken == "a/linked/c.py" else "a/linked/c.py"
    assert counted(tree, root) == {"a/x.py", "b/y.py", other}


# --- names that are no text -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"\xff\xfe", b"new\nline", b"\x1b[31m", b"tab\t", b" ", b"-w", b"\xc3\xa9", b"'\"\\"]
)
def test_a_file_and_a_folder_may_have_any_name(root: Path, name: bytes) -> None:
    text = os.fsdecode(name)
    (root / text).mkdir()
    (root / text / f"{text}.py").write_text("")
    (root / f"{text}.py").write_text("")
    tree = tree_of(root, python=True)
    assert counted(tree, root) == {f"{text}.py", os.path.join(text, f"{text}.py")}
    (root / text / f"{text}.py").unlink()
    assert tree.may_count(str(root / text / f"{text}.py"))
    look(tree, [root / text / f"{text}.py"])
    assert counted(tree, root) == {f"{text}.py"}


def test_a_root_may_have_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"p\xe9")
    write(root, "a.py", "build/b.py")
    assert counted(tree_of(root), root) == {"a.py"}


def test_a_gitignore_file_may_hold_any_bytes(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    write(root, name, "b.txt")
    (root / ".gitignore").write_bytes(b"\xff\xfe\x00\ncaf\xe9.*\n")
    assert counted(tree_of(root), root) == {".gitignore", "b.txt"}


# --- folders that cannot be read ------------------------------------------------------------------


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """Do without the rights by which root reads what nobody may read, in this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    held = (ctypes.c_uint32 * 6)()
    reading = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    if libc.capget(header, held) != 0:
        pytest.skip("the rights of this thread cannot be told")
    given_up = (ctypes.c_uint32 * 6)(*held)
    given_up[0] &= ~reading
    if libc.capset(header, given_up) != 0:
        pytest.skip("the rights of this thread cannot be given up")
    try:
        yield
    finally:
        libc.capset(header, held)


@pytest.fixture
def closed(root: Path) -> Iterator[Callable[[int], Path]]:
    """Make a folder in the tree that has only these permissions."""
    folder = root / "closed"
    write(root, "a.py", "closed/b.py", "closed/sub/c.py")

    def close(mode: int) -> Path:
        folder.chmod(mode)
        with ordinary_rights():
            if os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
                pytest.skip("permissions are not kept here")
        return folder

    yield close
    folder.chmod(0o700)


def test_a_folder_that_cannot_be_read_is_told_once_and_the_rest_is_seen(
    root: Path, closed: Callable[[int], Path]
) -> None:
    folder = closed(0o000)
    unreadable: list[str] = []
    with ordinary_rights():
        tree = tree_of(root, unreadable=unreadable)
        assert counted(tree, root) == {"a.py"}
        tree.survey()
        look(tree, [folder])
    assert unreadable == [str(folder)]


def test_a_folder_whose_files_cannot_be_reached_is_told(root: Path, closed: Callable[[int], Path]) -> None:
    folder = closed(0o400)  # its names can be listed, and that is all
    unreadable: list[str] = []
    with ordinary_rights():
        tree = tree_of(root, unreadable=unreadable)
    assert "a.py" in counted(tree, root)
    assert any(path == str(folder) or path.startswith(f"{folder}/") for path in unreadable)


def test_files_are_not_taken_for_deleted_while_their_folder_cannot_be_read(
    root: Path, closed: Callable[[int], Path]
) -> None:
    unreadable: list[str] = []
    tree = tree_of(root, unreadable=unreadable)
    before = tree.snapshot()
    folder = closed(0o000)
    with ordinary_rights():
        look(tree, [folder])
        assert paths(tree.snapshot()) >= {str(root / "a.py"), str(folder / "b.py")}
    assert unreadable == [str(folder)]
    folder.chmod(0o700)
    look(tree, [folder])
    assert tree.snapshot() == before


def test_a_folder_that_becomes_readable_is_seen(root: Path, closed: Callable[[int], Path]) -> None:
    folder = closed(0o000)
    unreadable: list[str] = []
    with ordinary_rights():
        tree = tree_of(root, unreadable=unreadable)
    folder.chmod(0o700)
    look(tree, [folder])
    assert counted(tree, root) == {"a.py", "closed/b.py", "closed/sub/c.py"}


# --- Git ------------------------------------------------------------------------------------------


def test_gitignore_files_hold_from_their_folder_down(root: Path) -> None:
    write(root, "a.gen", "pkg/b.gen", "pkg/keep/c.gen", "pkg/d.txt", "e.txt")
    write(root, ".gitignore", text="*.gen\n/e.txt\n")
    write(root, "pkg/.gitignore", text="!/keep/c.gen\nd.txt\n")
    assert counted(tree_of(root), root) == {".gitignore", "pkg/.gitignore", "pkg/keep/c.gen"}


def test_without_git_its_files_are_not_followed(root: Path) -> None:
    repository(root)
    write(root, "a.gen", "b.gen")
    write(root, ".gitignore", text="a.gen\n")
    write(root, ".git/info/exclude", text="b.gen\n")
    assert counted(tree_of(root, gitignore=False), root) == {".gitignore", "a.gen", "b.gen"}


def test_the_exclude_file_of_the_repository_holds_and_gitignore_files_win_over_it(root: Path) -> None:
    repository(root)
    write(root, "a.txt", "b.txt", "pkg/a.txt")
    write(root, ".git/info/exclude", text="a.txt\nb.txt\n")
    write(root, ".gitignore", text="!/b.txt\n")
    assert counted(tree_of(root), root) == {".gitignore", "b.txt"}


def test_rules_of_folders_above_the_watched_one_hold(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    write(top, "a/b/x.txt", "a/b/y.txt", "a/b/z.txt", "a/b/w.txt")
    write(top, ".git/info/exclude", text="w.txt\n")
    write(top, ".gitignore", text="x.txt\n/a/b/y.txt\n")
    write(top, "a/.gitignore", text="z.txt\n!x.txt\n")
    assert counted(tree_of(top / "a" / "b"), top) == {"a/b/x.txt"}


def test_rules_above_the_repository_do_not_hold(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", text="*.txt\n")
    top = repository(tmp_path / "top")
    write(top, "a.txt")
    assert counted(tree_of(top), top) == {"a.txt"}


def test_a_watched_folder_may_be_ignored_in_its_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    write(top, "gen/a.py", "gen/b.txt")
    write(top, ".gitignore", text="gen/\n*.txt\n")
    assert counted(tree_of(top / "gen"), top) == {"gen/a.py"}


def test_the_excludes_file_of_the_user_holds_and_the_repository_wins_over_it(root: Path) -> None:
    repository(root)
    write(root, "a.txt", "b.txt")
    excludes = root.parent / "home/.config/git/ignore"
    write(excludes.parent, "ignore", text="*.txt\n")
    write(root, ".git/info/exclude", text="!b.txt\n")
    assert counted(tree_of(root), root) == {"b.txt"}


def test_an_excludes_file_that_git_is_told_of_holds(root: Path) -> None:
    repository(root)
    write(root, "a.txt", "b.txt")
    write(root.parent, "home/my ignores", text="a.txt\n")
    subprocess.run(["git", "-C", str(root), "config", "core.excludesFile", "~/my ignores"], check=True)
    assert counted(tree_of(root), root) == {"b.txt"}


def test_a_submodule_has_rules_of_its_own(root: Path) -> None:
    repository(root)
    inner = repository(root / "vendor")
    modules = root / ".git" / "modules" / "vendor"
    modules.parent.mkdir()
    (inner / ".git").rename(modules)
    (inner / ".git").write_text(f"gitdir: {modules}\n")
    write(root, ".gitignore", text="*.a\n")
    write(root, ".git/info/exclude", text="*.b\n")
    write(inner, ".gitignore", text="*.c\n")
    write(modules, "info/exclude", text="*.d\n")
    write(root, *("x.a", "x.b", "x.c", "x.d"), *("vendor/x.a", "vendor/x.b", "vendor/x.c", "vendor/x.d"))
    expected = {"x.c", "x.d", ".gitignore", "vendor/x.a", "vendor/x.b", "vendor/.gitignore"}
    assert counted(tree_of(root), root) == expected


def test_a_worktree_shares_the_exclude_file_of_its_repository(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(top), *identity, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    subprocess.run(["git", "-C", str(top), "worktree", "add", "-q", str(tmp_path / "tree")], check=True)
    write(top, ".git/info/exclude", text="a.txt\n")
    write(tmp_path / "tree", "a.txt", "b.txt")
    assert (tmp_path / "tree/.git").is_file()
    assert counted(tree_of(tmp_path / "tree"), tmp_path) == {"tree/b.txt"}


@pytest.mark.parametrize("where", ["", "pkg"])
def test_a_gitignore_file_that_comes_changes_and_goes_changes_what_counts(root: Path, where: str) -> None:
    write(root, "pkg/a.txt", "pkg/b.txt")
    tree = tree_of(root)
    ignoring = root / where / ".gitignore"
    for text, expected in (
        ("a.txt\n", {"pkg/b.txt"}),
        ("a.txt\nb.txt\n", set()),
        ("", {"pkg/a.txt", "pkg/b.txt"}),
    ):
        ignoring.write_text(text)
        assert tree.may_count(str(ignoring))
        look(tree, [ignoring])
        assert counted(tree, root) - {os.path.relpath(ignoring, root)} == expected
    ignoring.write_text("a.txt\n")
    look(tree, [ignoring])
    ignoring.unlink()
    look(tree, [ignoring])
    assert counted(tree, root) == {"pkg/a.txt", "pkg/b.txt"}


def test_a_gitignore_file_that_ignores_a_folder_makes_it_left(root: Path) -> None:
    write(root, "pkg/a.py", "pkg/deep/b.py")
    tree = tree_of(root)
    write(root, ".gitignore", text="pkg/\n")
    look(tree, [root / ".gitignore"])
    assert entered(tree, root) == {"."}


# --- a look sees what a survey sees ---------------------------------------------------------------


def test_a_look_at_many_places_sees_them_all(root: Path) -> None:
    names = [f"pkg{number}/a.py" for number in range(MANY + 10)]
    write(root, *names)
    tree = tree_of(root)
    write(root, *names, text="x = 1\n")
    look(tree, [root / name for name in names])
    assert tree.snapshot() == tree_of(root).snapshot()


def test_a_look_lists_nothing_but_the_places_that_were_touched(root: Path) -> None:
    write(root, "a/x.py", "b/y.py")
    tree = tree_of(root)
    kept = tree.folders[str(root / "b")]
    write(root, "a/x.py", "b/y.py", text="x = 1\n")
    look(tree, [root / "a/x.py"])
    assert tree.folders[str(root / "b")] is kept
    assert tree.snapshot()[str(root / "a")] == tree_of(root).snapshot()[str(root / "a")]


def test_a_folder_that_did_not_change_shares_its_files_with_the_last_snapshot(root: Path) -> None:
    write(root, "a/x.py", "b/y.py")
    tree = tree_of(root)
    before = tree.snapshot()
    write(root, "a/x.py", text="x = 1\n")
    tree.survey()
    after = tree.snapshot()
    assert after[str(root / "b")] is before[str(root / "b")]
    assert after[str(root / "a")] is not before[str(root / "a")]


_FOLDERS = ["a", "b", "build", "node_modules", "gen", "linked"]
_FILES = ["m.py", "n.txt", "t.log", ".gitignore", "pyvenv.cfg"]
_IGNORES = ["", "gen/\n", "*.txt\n", "/a\n", "!build/\n", "m.py\n!b/m.py\n"]
_places = st.lists(st.sampled_from(_FOLDERS), max_size=3).map("/".join)
_operations = st.one_of(
    st.tuples(st.just("write"), _places, st.sampled_from(_FILES)),
    st.tuples(st.just("delete"), _places, st.sampled_from(_FILES)),
    st.tuples(st.just("make"), _places, st.just("")),
    st.tuples(st.just("remove"), _places, st.just("")),
    st.tuples(st.just("remake"), _places, st.sampled_from(_FILES)),
    st.tuples(st.just("rename"), _places, _places),
    st.tuples(st.just("move in"), _places, st.sampled_from(_FILES)),
    st.tuples(st.just("move out"), _places, st.just("")),
    st.tuples(st.just("link"), _places, st.sampled_from(["linked", "gen", "l.py"])),
)

_AT_FIRST = [
    *(("make", place, "") for place in ("a/b", "a/build/gen", "b", "build/gen", "node_modules/a", "gen/a")),
    *(("write", place, "m.py") for place in ("", "a", "a/b", "a/build/gen", "b", "build/gen", "gen/a")),
    *(("link", place, "linked") for place in ("a/b", "b")),
]


@dataclass
class Play:
    """Carries out operations in a folder, and tells which of them the system would have told of."""

    root: str
    outside: str
    live: set[str] = field(default_factory=set)
    """The folders that are watched: an event in any other one is not had."""
    told: set[str] = field(default_factory=set)
    number: int = 0

    def perform(self, operation: tuple[str, str, str]) -> None:
        kind, place, more = operation
        folder = os.path.normpath(os.path.join(self.root, place))
        if kind in ("write", "delete", "link"):
            if os.path.isdir(folder):
                self._file(kind, os.path.join(folder, more))
        elif folder == self.root:
            return
        elif kind == "make":
            if not os.path.lexists(folder):
                os.makedirs(folder, exist_ok=True)
                self._tell_from_the_top(folder)
        elif kind in ("remove", "remake", "move out"):
            if os.path.isdir(folder):
                self._remove(kind, folder)
                if kind == "remake":
                    os.mkdir(folder)
                    self._tell(folder)
                    self._file("write", os.path.join(folder, more))
        elif kind == "rename":
            self._rename(folder, os.path.normpath(os.path.join(self.root, more)))
        elif kind == "move in" and os.path.isdir(os.path.dirname(folder)) and not os.path.lexists(folder):
            made = self._outside()
            os.makedirs(os.path.join(made, "a"))
            self._write(os.path.join(made, more))
            self._write(os.path.join(made, "a", "m.py"))
            os.rename(made, folder)
            self._tell(folder)

    def _file(self, kind: str, path: str) -> None:
        if os.path.isdir(path):
            return
        if kind == "link" and not os.path.lexists(path):
            target = self._outside()
            if path.endswith(".py"):
                self._write(target)
            else:
                os.makedirs(target)
                self._write(os.path.join(target, "m.py"))
            os.symlink(target, path)
        elif kind == "write":
            self._write(path)
        # A virtual environment is not watched: that it is one no longer is only found by a survey.
        elif kind == "delete" and os.path.lexists(path) and not path.endswith("pyvenv.cfg"):
            os.unlink(path)
        self._tell(path)

    def _remove(self, kind: str, folder: str) -> None:
        if kind == "move out":
            self._tell(folder)
            os.rename(folder, self._outside())
        elif os.path.islink(folder):
            self._tell(folder)
            os.unlink(folder)
        else:
            for where, below, files in os.walk(folder, topdown=False):
                for name in (*below, *files):
                    self._tell(os.path.join(where, name))
            self._tell(folder)
            shutil.rmtree(folder)
        self._watched_no_longer(folder)

    def _rename(self, source: str, target: str) -> None:
        inside = target.startswith(source + os.sep)
        if self.root in (source, target) or inside or os.path.lexists(target):
            return
        if os.path.isdir(source) and os.path.isdir(os.path.dirname(target)):
            self._tell(source)
            self._tell(target)
            os.rename(source, target)
            self._watched_no_longer(source)

    def _write(self, path: str) -> None:
        self.number += 1
        text = _IGNORES[self.number % len(_IGNORES)] if path.endswith(".gitignore") else "x" * self.number
        Path(path).write_text(text)

    def _outside(self) -> str:
        self.number += 1
        return os.path.join(self.outside, str(self.number))

    def _tell(self, path: str) -> None:
        if os.path.dirname(path) in self.live:
            self.told.add(path)

    def _tell_from_the_top(self, path: str) -> None:
        while path != self.root:
            self._tell(path)
            path = os.path.dirname(path)

    def _watched_no_longer(self, folder: str) -> None:
        self.live = {p for p in self.live if p != folder and not p.startswith(folder + os.sep)}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=st.lists(st.lists(_operations, min_size=1, max_size=5), min_size=1, max_size=6),
    python=st.booleans(),
    include=st.sampled_from([(), ("build/gen/*",), ("gen/",)]),
)
def test_looks_at_what_the_system_tells_of_see_what_a_survey_sees(
    batches: list[list[tuple[str, str, str]]], python: bool, include: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        play = Play(os.path.join(scratch, "p"), os.path.join(scratch, "out"))
        os.mkdir(play.root)
        os.mkdir(play.outside)
        for operation in _AT_FIRST:
            play.perform(operation)
        tree = tree_of(play.root, python=python, include=include)
        for batch in batches:
            play.live = {path for path, _, _ in tree.to_watch()}
            play.told = set()
            for operation in batch:
                play.perform(operation)
            look(tree, [path for path in play.told if tree.may_count(path)])
            fresh = tree_of(play.root, python=python, include=include)
            assert tree.snapshot() == fresh.snapshot()
            assert tree.to_watch() == fresh.to_watch()
