"""The source of events, with the system's own; and what it relies on of watchfiles, which is not documented."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from reloader.watching.event_source import MANY, SUSPICIOUS, EventSource, Place, _load

LIMIT = 15.0


@pytest.fixture
def source() -> Iterator[EventSource]:
    made = EventSource()
    yield made
    made.close()


def place(path: Path) -> Place:
    """The folder as it is watched."""
    found = os.stat(path)
    return str(path), found.st_dev, found.st_ino


def heard(source: EventSource, wanted: set[str]) -> set[str]:
    """All paths until every wanted one was told."""
    found: set[str] = set()
    while not wanted <= found:
        paths = source.wait(LIMIT)
        assert paths, f"only {found}"
        found |= paths
    return found


def test_saves_in_the_folders_that_are_watched_are_told(tmp_path: Path, source: EventSource) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert source.watch(frozenset({place(one)})) == {str(one)}
    assert source.watch(frozenset({place(one), place(two)})) == {str(two)}
    (two / "a.py").write_text("x = 1\n")
    (one / "a.py").write_text("x = 1\n")
    heard(source, {str(one / "a.py"), str(two / "a.py")})
    assert source.watch(frozenset({place(two)})) == set()
    (one / "a.py").write_text("x = 2\n")
    (two / "a.py").write_text("x = 2\n")
    assert str(one / "a.py") not in heard(source, {str(two / "a.py")})
    source.wake()
    assert source.wait(None) == set()


def test_what_happens_while_the_folders_change_is_told(tmp_path: Path, source: EventSource) -> None:
    """Seen to fail without asking the old one a last time."""
    new = tmp_path / "new"
    new.mkdir()
    source.watch(frozenset({place(tmp_path)}))
    (tmp_path / "a.py").write_text("x = 1\n")
    source.watch(frozenset({place(tmp_path), place(new)}))
    heard(source, {str(tmp_path / "a.py")})


def test_what_happens_while_it_is_woken_up_is_told(tmp_path: Path, source: EventSource) -> None:
    """Seen to fail where the answer to a wake-up was relied on: each save just before or after was lost."""
    source.watch(frozenset({place(tmp_path)}))
    for number in range(10):
        answers: list[set[str] | None] = []
        waiting = threading.Thread(target=lambda told=answers: told.append(source.wait(LIMIT)))
        waiting.start()
        path = tmp_path / f"{number}.py"
        path.touch()
        source.wake()
        waiting.join(LIMIT)
        while answers[-1] is not None and str(path) not in answers[-1]:
            assert len(answers) < 10, "it is told neither by name nor by asking for a look at everything"
            answers.append(source.wait(0.2))


def test_one_folder_at_two_places_is_told_at_both(tmp_path: Path, source: EventSource) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    source.watch(frozenset({place(folder), place(link)}))
    (folder / "a").touch()
    heard(source, {str(folder / "a"), str(link / "a")})
    source.watch(frozenset({place(link)}))
    (folder / "b").touch()
    assert str(folder / "b") not in heard(source, {str(link / "b")})


def test_a_folder_that_is_made_anew_is_watched_again(tmp_path: Path, source: EventSource) -> None:
    """Whether or not it has the inode of the one that went. Seen to fail without a new watch."""
    folder = tmp_path / "folder"
    folder.mkdir()
    wanted = frozenset({place(tmp_path), place(folder)})
    source.watch(wanted)
    for number in range(3):
        for change in (folder.rmdir, folder.mkdir):
            change()
            heard(source, {str(folder)})
            assert source.is_stale
            source.watch(wanted)
        (folder / f"{number}.py").touch()
        heard(source, {str(folder / f"{number}.py")})
        (folder / f"{number}.py").unlink()


def test_a_name_that_is_not_utf8_asks_for_a_look_at_everything(tmp_path: Path, source: EventSource) -> None:
    """watchfiles tells nothing more after one. Seen to fail without a new one."""
    wanted = frozenset({place(tmp_path)})
    source.watch(wanted)
    with open(os.fsencode(tmp_path) + b"/caf\xe9.py", "w"):
        pass
    assert source.wait(LIMIT) is None
    assert source.has_failed
    source.watch(wanted)
    (tmp_path / "a.py").touch()
    heard(source, {str(tmp_path / "a.py")})


def test_more_than_a_queue_holds_asks_for_a_look_at_everything(tmp_path: Path, source: EventSource) -> None:
    source.watch(frozenset({place(tmp_path)}))
    for number in range(4 * SUSPICIOUS):
        (tmp_path / str(number)).touch()
    while (paths := source.wait(LIMIT)) is not None:
        assert paths, "all was told, and nothing asked for a look"


def test_what_only_is_read_is_not_told(tmp_path: Path, source: EventSource) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    source.watch(frozenset({place(tmp_path)}))
    path.read_text()
    (tmp_path / "b.py").touch()
    assert str(path) not in heard(source, {str(tmp_path / "b.py")})


# --- what is relied on ----------------------------------------------------------------------------


def test_watchfiles_is_what_is_relied_on(tmp_path: Path) -> None:
    """Fails when another version has other arguments, answers or errors."""
    make = _load()
    with pytest.raises(FileNotFoundError, match=r'about \["/there/is/none"\]'):
        make(["/there/is/none"], False, False, 0, False, False)
    notify = make([str(tmp_path)], False, False, 0, False, False)
    assert notify.watch(200, 30, 50, None) == "timeout"
    path = tmp_path / "a"
    for act, kind in ((path.touch, 1), (partial(path.chmod, 0o600), 2), (path.unlink, 3)):
        act()
        assert notify.watch(200, 30, 10_000, None) == {(kind, str(path))}
    notify.close()


def test_its_package_and_what_that_needs_are_not_imported() -> None:
    """anyio and asyncio would cost every run 10 MB."""
    asked = (
        "import sys; from reloader.watching.event_source import EventSource; EventSource();"
        "print([name for name in ('watchfiles', 'anyio', 'asyncio') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a thread where to run")
def test_many_watches_leave_no_thread_on_one_processor(tmp_path: Path) -> None:
    """They are made on one, which takes a quarter of the time."""
    before = os.sched_getaffinity(0)
    places = set()
    for number in range(MANY + 1):
        (tmp_path / str(number)).mkdir()
        found = os.stat(tmp_path / str(number))
        places.add((str(tmp_path / str(number)), found.st_dev, found.st_ino))
    source = EventSource()
    assert len(source.watch(frozenset(places))) == MANY + 1
    assert {frozenset(os.sched_getaffinity(int(tid))) for tid in os.listdir("/proc/self/task")} == {
        frozenset(before)
    }
    (tmp_path / "7" / "a.py").write_text("1")
    assert str(tmp_path / "7" / "a.py") in (source.wait(15.0) or ())
    source.close()
