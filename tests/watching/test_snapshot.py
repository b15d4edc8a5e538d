"""What differs between two snapshots, and which cached bytecode goes with it."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.messages import events
from reloader.watching.folder import Files, Stat
from reloader.watching.snapshot import compare, remove_cached_bytecode
from reloader.watching.tree import Snapshot

# --- compare --------------------------------------------------------------------------------------

_stats: st.SearchStrategy[Stat] = st.tuples(*[st.integers(0, 1)] * 4)
_files: st.SearchStrategy[Files] = st.dictionaries(st.sampled_from(["a", "b.py", "c", "d\n"]), _stats)
_folders = st.sampled_from(["/p", "/p/a", "/p/a/b", "/p/b.py", "/"])


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Snapshot, Snapshot]:
    """Two snapshots; folders of the second may share the dictionary of the first, or hold an equal one."""
    old = draw(st.dictionaries(_folders, _files))
    new = draw(st.dictionaries(_folders, _files))
    for folder, files in old.items():
        match draw(st.sampled_from(["other", "shared", "equal"])):
            case "shared":
                new[folder] = files
            case "equal":
                new[folder] = dict(files)
    return old, new


def _flat(snapshot: Snapshot) -> dict[str, Stat]:
    return {
        os.path.join(folder, name): seen for folder, files in snapshot.items() for name, seen in files.items()
    }


def _told(changes: tuple[events.Change, ...]) -> list[tuple[str, events.Kind]]:
    return [(change.path, change.kind) for change in changes]


@settings(max_examples=300, deadline=None)
@given(pair=_pairs())
def test_the_changes_are_those_that_a_look_at_every_path_finds(pair: tuple[Snapshot, Snapshot]) -> None:
    old, new = _flat(pair[0]), _flat(pair[1])
    expected = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            expected.append((path, events.Kind.ADDED))
        elif path not in new:
            expected.append((path, events.Kind.DELETED))
        elif old[path] != new[path]:
            expected.append((path, events.Kind.CHANGED))
    assert _told(compare(*pair)) == expected


@settings(max_examples=100, deadline=None)
@given(pair=_pairs())
def test_the_way_back_has_the_opposite_changes(pair: tuple[Snapshot, Snapshot]) -> None:
    opposite = {
        events.Kind.ADDED: events.Kind.DELETED,
        events.Kind.DELETED: events.Kind.ADDED,
        events.Kind.CHANGED: events.Kind.CHANGED,
    }
    forth, back = _told(compare(pair[0], pair[1])), _told(compare(pair[1], pair[0]))
    assert back == [(path, opposite[kind]) for path, kind in forth]


@settings(max_examples=50, deadline=None)
@given(pair=_pairs())
def test_comparing_changes_no_snapshot(pair: tuple[Snapshot, Snapshot]) -> None:
    before = [dict(_flat(snapshot)) for snapshot in pair]
    compare(*pair)
    assert [_flat(snapshot) for snapshot in pair] == before


@pytest.mark.parametrize(
    "differing",
    [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)],
    ids=["time", "size", "inode", "time of change"],
)
def test_each_part_of_the_status_tells_a_change(differing: Stat) -> None:
    assert _told(compare({"/p": {"a": (0, 0, 0, 0)}}, {"/p": {"a": differing}})) == [
        ("/p/a", events.Kind.CHANGED)
    ]


def test_a_folder_that_comes_or_goes_without_files_is_no_change() -> None:
    assert compare({"/p": {}}, {}) == ()
    assert compare({}, {"/p": {}}) == ()


# --- stale bytecode -------------------------------------------------------------------------------

_TAG = sys.implementation.cache_tag


def _compile(source: Path, prefix: Path | None = None) -> list[Path]:
    """Compile as Python does at each level of optimisation; the files that this makes."""
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("x = 1\n")
    before, sys.pycache_prefix = sys.pycache_prefix, str(prefix) if prefix is not None else None
    try:
        made = [Path(py_compile.compile(str(source), optimize=level) or "") for level in (0, 1, 2)]
    finally:
        sys.pycache_prefix = before
    assert len(set(made)) == 3
    assert all(path.is_file() for path in made)
    return made


@pytest.fixture(autouse=True)
def _no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)


def _changed(*paths: Path) -> list[events.Change]:
    return [events.Change(str(path), events.Kind.CHANGED) for path in paths]


@pytest.mark.parametrize("kind", list(events.Kind))
def test_the_bytecode_of_a_source_goes_at_every_level_of_optimisation(
    tmp_path: Path, kind: events.Kind
) -> None:
    source = tmp_path / "tasks.py"
    made = _compile(source)
    remove_cached_bytecode([events.Change(str(source), kind)], [str(tmp_path)])
    assert not any(path.exists() for path in made)
    assert source.exists()


def test_bytecode_of_other_interpreters_goes_as_well(tmp_path: Path) -> None:
    source = tmp_path / "tasks.py"
    folder = _compile(source)[0].parent
    others = [
        folder / "tasks.cpython-38.pyc",
        folder / "tasks.pypy310.opt-1.pyc",
        folder / "tasks.cpython-313t.pyc",
    ]
    for path in others:
        path.write_bytes(b"")
    remove_cached_bytecode(_changed(source), [str(tmp_path)])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "other", ["a_b.py", "ab.py", "aa.py", "b.py", "A.py", "a-b.py", "ä.py", "a.b.py", "a.b.c.py", ".a.py"]
)
def test_the_bytecode_of_another_source_stays(tmp_path: Path, other: str) -> None:
    changed, kept = tmp_path / "a.py", tmp_path / other
    gone, stays = _compile(changed), _compile(kept)
    remove_cached_bytecode(_changed(changed), [str(tmp_path)])
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stays)


def test_a_name_with_dots_loses_its_own_bytecode_alone(tmp_path: Path) -> None:
    changed, kept = tmp_path / "a.b.py", tmp_path / "a.py"
    gone, stays = _compile(changed), _compile(kept)
    remove_cached_bytecode(_changed(changed), [str(tmp_path)])
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stays)


def test_the_same_name_in_another_folder_keeps_its_bytecode(tmp_path: Path) -> None:
    changed, kept = tmp_path / "x" / "a.py", tmp_path / "y" / "a.py"
    gone, stays = _compile(changed), _compile(kept)
    remove_cached_bytecode(_changed(changed), [str(tmp_path)])
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stays)


@pytest.mark.parametrize("name", ["a.txt", "a.pyi", "a", "a.py.txt", "a.html"])
def test_a_change_of_another_kind_of_file_removes_nothing(tmp_path: Path, name: str) -> None:
    made = _compile(tmp_path / "a.py")
    (tmp_path / name).write_text("")
    remove_cached_bytecode(_changed(tmp_path / name), [str(tmp_path)])
    assert all(path.exists() for path in made)


def test_only_bytecode_goes_from_the_folder_of_the_cache(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    folder = _compile(source)[0].parent
    (folder / "a.txt").write_text("")
    (folder / f"a.{_TAG}.pyc.140234").write_text("")
    remove_cached_bytecode(_changed(source), [str(tmp_path)])
    assert sorted(os.listdir(folder)) == [f"a.{_TAG}.pyc.140234", "a.txt"]


def test_bytecode_under_a_prefix_goes_and_the_one_beside_the_source_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "cache"
    source = tmp_path / "project" / "pkg" / "tasks.py"
    beside, elsewhere = _compile(source), _compile(source, prefix)
    assert all(path.is_relative_to(prefix) for path in elsewhere)
    stays = _compile(tmp_path / "project" / "tasks.py", prefix)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(prefix))
    remove_cached_bytecode(_changed(source), [str(tmp_path)])
    assert not any(path.exists() for path in (*beside, *elsewhere))
    assert all(path.exists() for path in stays)


def test_a_relative_prefix_is_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "project" / "tasks.py"
    made = _compile(source, tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "cache")
    remove_cached_bytecode(_changed(source), [str(tmp_path)])
    assert not any(path.exists() for path in made)


def test_no_link_leads_out_of_the_tree(tmp_path: Path) -> None:
    """Seen to fail: a folder `__pycache__`, or one above it, may be a link to where somebody else's is."""
    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    tree.mkdir()
    made = _compile(elsewhere / "tasks.py")
    (tree / "__pycache__").symlink_to(elsewhere / "__pycache__")
    (tree / "linked").symlink_to(elsewhere)
    changes = _changed(tree / "tasks.py", tree / "linked" / "tasks.py")
    remove_cached_bytecode(changes, [str(tree)])
    assert all(path.exists() for path in made)
    remove_cached_bytecode(changes, [str(tree), str(elsewhere)])
    assert not any(path.exists() for path in made)


def test_no_link_leads_out_of_the_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, prefix = tmp_path / "tree", tmp_path / "prefix"
    made = _compile(tree / "tasks.py", prefix)
    (tmp_path / "moved").symlink_to(prefix)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "moved"))
    mirrored = made[0].parent
    mirrored.rename(tmp_path / "away")
    mirrored.symlink_to(tmp_path / "away")
    remove_cached_bytecode(_changed(tree / "tasks.py"), [str(tree)])
    assert len(list((tmp_path / "away").iterdir())) == 3
    mirrored.unlink()
    (tmp_path / "away").rename(mirrored)
    remove_cached_bytecode(_changed(tree / "tasks.py"), [str(tree)])
    assert not list(mirrored.iterdir())


def test_without_a_cache_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "nowhere"))
    remove_cached_bytecode(_changed(tmp_path / "a.py", tmp_path / "gone" / "b.py"), [str(tmp_path)])


def test_after_two_saves_in_one_second_python_runs_the_second(tmp_path: Path) -> None:
    source = tmp_path / "task.py"
    command = [sys.executable, "-c", "import task; print(task.VERSION)"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

    def version() -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    source.write_text("VERSION = 1\n")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    assert version() == "1"
    source.write_text("VERSION = 2\n")
    os.utime(source, (1_000_000_000, 1_000_000_000.5))
    assert version() == "1", "Python tells sources apart by whole seconds no more: is this still needed?"
    remove_cached_bytecode(_changed(source), [str(tmp_path)])
    assert version() == "2"
