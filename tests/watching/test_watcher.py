"""What the watcher tells of the system's events, with real files and its real thread."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from reloader.messages import events
from reloader.watching.sources import Source
from reloader.watching.watcher import Watcher, make_source
from reloader.watching.watchfiles_source import WatchfilesSource

LIMIT = 15.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def inbox() -> SimpleQueue[events.Event]:
    return SimpleQueue()


@pytest.fixture
def watched(tmp_path: Path, inbox: SimpleQueue[events.Event]) -> Iterator[Path]:
    stands = threading.Event()
    watcher = Watcher(lambda path: not path.endswith(".log"), inbox.put, lambda _complete: stands.set())
    thread = Thread(target=watcher.run, daemon=True)
    thread.start()
    found = os.stat(tmp_path)
    watcher.watch(frozenset({(str(tmp_path), found.st_dev, found.st_ino)}))
    assert stands.wait(LIMIT)
    yield tmp_path
    watcher.close()
    thread.join(LIMIT)


def touched(inbox: SimpleQueue[events.Event]) -> events.TreeTouched:
    event = inbox.get(timeout=LIMIT)
    assert isinstance(event, events.TreeTouched)
    return event


def test_a_save_is_as_old_as_the_file_says(watched: Path, inbox: SimpleQueue[events.Event]) -> None:
    before = time.time_ns()
    (watched / "task.py").write_text("VERSION = 2\n")
    event = touched(inbox)
    assert event.paths == frozenset({str(watched / "task.py")})
    assert 0 <= event.age <= (time.time_ns() - before) / 1e9 + 0.01


def test_a_file_that_is_gone_went_just_now(watched: Path, inbox: SimpleQueue[events.Event]) -> None:
    (watched / "task.py").write_text("VERSION = 2\n")
    touched(inbox)
    (watched / "task.py").unlink()
    assert touched(inbox).age == 0.0


def test_what_cannot_count_is_not_told(watched: Path, inbox: SimpleQueue[events.Event]) -> None:
    (watched / "a.log").write_text("noise\n")
    (watched / "task.py").write_text("VERSION = 2\n")
    paths = touched(inbox).paths
    assert paths == frozenset({str(watched / "task.py")})


@linux
def test_a_full_queue_is_known(tmp_path: Path) -> None:
    from reloader.watching.inotify_source import InotifySource

    source = InotifySource()
    source.watch(frozenset({place(tmp_path)}))
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(queue + 10):
        (tmp_path / str(number % 2)).touch()  # in turns, since the same event twice in a row is one
    assert source.wait(LIMIT) is None
    source.close()


def sources() -> list[Callable[[], Source]]:
    """Every source of events that works here."""
    return [make_source, WatchfilesSource]


@pytest.mark.parametrize("make", sources())
def test_every_source_tells_of_saves_in_the_folders_that_are_watched(
    tmp_path: Path, make: Callable[[], Source]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    source = make()
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
    source.close()


def heard(source: Source, wanted: set[str]) -> set[str]:
    """All paths until every wanted one was told."""
    found: set[str] = set()
    while not wanted <= found:
        paths = source.wait(LIMIT)
        assert paths, f"only {found}"
        found |= paths
    return found


def place(path: Path) -> tuple[str, int, int]:
    """The folder as it is watched."""
    found = os.stat(path)
    return str(path), found.st_dev, found.st_ino


@linux
def test_one_folder_at_two_places_is_told_at_both(tmp_path: Path) -> None:
    from reloader.watching.inotify_source import InotifySource

    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    source = InotifySource()
    source.watch(frozenset({place(folder), place(link)}))
    (folder / "a").touch()
    heard(source, {str(folder / "a"), str(link / "a")})
    source.watch(frozenset({place(link)}))
    (folder / "b").touch()
    assert str(folder / "b") not in heard(source, {str(link / "b")})
    source.close()
