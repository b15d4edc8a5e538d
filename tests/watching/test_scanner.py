"""What the scanner answers, with real files and its real thread."""

from __future__ import annotations

import time
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from reloader.messages import events
from reloader.settings import Settings
from reloader.watching.scanner import Scanner

LIMIT = 15.0


def compared(scanner: Scanner, inbox: SimpleQueue[events.Event]) -> tuple[events.Change, ...]:
    """What differs from the baseline, everything looked at."""
    scanner.compare(None)
    while not isinstance(event := inbox.get(timeout=LIMIT), events.TreeCompared):
        pass
    return event.changes


@pytest.fixture
def inbox() -> SimpleQueue[events.Event]:
    return SimpleQueue()


def begin(since_ns: int, inbox: SimpleQueue[events.Event]) -> Scanner:
    scanner = Scanner(Settings(command=("worker",), python=True), since_ns, inbox.put)
    scanner.standing(True)  # nobody watches: every look is asked for
    Thread(target=scanner.run, daemon=True).start()
    return scanner


def test_what_was_written_since_the_start_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: SimpleQueue[events.Event]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.py").write_text("VERSION = 1\n")
    scanner = begin(0, inbox)
    assert [(change.path, change.kind) for change in compared(scanner, inbox)] == [
        (str(tmp_path / "task.py"), events.Kind.CHANGED)
    ]


def test_what_was_there_before_the_start_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: SimpleQueue[events.Event]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.py").write_text("VERSION = 1\n")
    scanner = begin(time.time_ns() + 10**9, inbox)
    assert compared(scanner, inbox) == ()
    Path("more.py").write_text("VERSION = 1\n")
    assert [(change.path, change.kind) for change in compared(scanner, inbox)] == [
        (str(tmp_path / "more.py"), events.Kind.ADDED)
    ]
