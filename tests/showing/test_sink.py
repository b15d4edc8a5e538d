"""One place for several writers: what belongs together stays together, and nothing is written into a line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from reloader.showing.sink import Sink, SinkClosed


class Writer:
    """Shows bytes as they are; says that it was broken."""

    def render(self, chunk: bytes) -> bytes:
        return chunk

    def break_line(self) -> bytes:
        return b" (broken)\n"


class Place:
    """A sink, and what has come out of it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.sink = Sink(self.writing)

    def shown(self) -> bytes:
        os.set_blocking(self.reading, False)
        try:
            return os.read(self.reading, 1 << 16)
        except BlockingIOError:
            return b""


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    for fd in (made.reading, made.writing):
        try:
            os.close(fd)
        except OSError:
            pass  # the test has closed it


def test_an_unfinished_line_is_ended_for_another_writer(place: Place) -> None:
    one, other = Writer(), Writer()
    place.sink.write(one, b"half")
    place.sink.write(one, b" and half")
    place.sink.write(other, b"another\n")
    place.sink.write(one, b"next\n")
    assert place.shown() == b"half and half (broken)\nanother\nnext\n"


def test_a_line_of_ours_waits_for_a_moment_of_calm_but_not_for_ever(place: Place) -> None:
    worker, ours = Writer(), Writer()
    place.sink.write_between(ours, b"first\n", calm=3600, limit=3600)
    assert place.shown() == b"first\n", "nothing was written before: there is nothing to wait for"
    place.sink.write(worker, b"traceback\n")
    began = time.monotonic()
    place.sink.write_between(ours, b"second\n", calm=3600, limit=0.1)
    assert time.monotonic() - began >= 0.1
    place.sink.write_between(ours, b"third\n", calm=0.0, limit=3600)
    assert place.shown() == b"traceback\nsecond\nthird\n"


def test_a_reader_that_is_gone_is_told(place: Place) -> None:
    os.close(place.reading)
    with pytest.raises(SinkClosed):
        place.sink.write(Writer(), b"line\n")
