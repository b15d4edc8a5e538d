"""What is told of the system's events, with real files and the watcher's real thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from reloader.messages import events
from reloader.settings import Settings
from reloader.watching.hints import Hints
from reloader.watching.tree import Tree
from reloader.watching.watcher import Watcher

LIMIT = 15.0


@pytest.fixture
def inbox() -> SimpleQueue[events.Event]:
    return SimpleQueue()


@pytest.fixture
def watched(tmp_path: Path, inbox: SimpleQueue[events.Event]) -> Iterator[Path]:
    stands = threading.Event()
    tree = Tree(Settings(("worker",), watch=(str(tmp_path),)), lambda _path, _reason: None)
    tree.survey()
    hints = Hints(tree, False, inbox.put)
    watcher = Watcher(hints.heard, inbox.put, lambda _complete: stands.set())
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
