"""One place for several writers: what belongs together stays together, and nothing is written into a line."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator

import pytest
from harness import LIMIT

from reloader.showing.sink import Sink, SinkClosedError, Writer

# For a line of ours that does not wait for what is drawn.
NOW = float("-inf")


class Lines(Writer):
    """Shows bytes as they are; says that it was broken, and that it has ended."""

    def __init__(self, calm: float = 0.0) -> None:
        self._last = b"\n"
        self._calm = calm

    @property
    def is_unfinished(self) -> bool:
        return not self._last.endswith(b"\n")

    @property
    def calm(self) -> float:
        return self._calm

    def feed(self, chunk: bytes) -> bytes:
        self._last = chunk
        return chunk

    def break_line(self) -> bytes:
        return b" (broken)\n"

    def leave(self, kept: Collection[bytes]) -> bytes:
        return b"(ended)\n"


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
    one, other = Lines(), Lines()
    place.sink.write(one, b"half")
    place.sink.write(one, b" and half")
    place.sink.write(other, b"another\n")
    place.sink.write(one, b"next\n")
    assert place.shown() == b"half and half (broken)\nanother\nnext\n"


def test_a_line_of_ours_waits_for_a_moment_of_calm_but_not_for_ever(place: Place) -> None:
    worker, ours = Lines(), Writer()
    place.sink.write_between(ours, b"first\n", calm=3600, limit=3600, latest=NOW)
    assert place.shown() == b"first\n", "nothing was written before: there is nothing to wait for"
    place.sink.write(worker, b"traceback\n")
    began = time.monotonic()
    place.sink.write_between(ours, b"second\n", calm=3600, limit=0.1, latest=NOW)
    assert time.monotonic() - began >= 0.1
    place.sink.write_between(ours, b"third\n", calm=0.0, limit=3600, latest=NOW)
    assert place.shown() == b"traceback\nsecond\nthird\n"


@pytest.mark.parametrize("calm", [3600.0, float("inf")])
def test_a_line_of_ours_waits_for_what_is_drawn_until_it_has_ended(place: Place, calm: float) -> None:
    worker, ours = Lines(calm), Writer()
    place.sink.write(worker, b"block\n")
    late = time.monotonic() + 3600
    waiting = threading.Thread(target=place.sink.write_between, args=(ours, b"ours\n", 0.0, 0.0, late))
    waiting.start()
    place.sink.show_for_now(b"now" if calm < float("inf") else b"never")
    place.sink.write(worker, b"again\n")
    assert waiting.is_alive()
    place.sink.end(worker)
    waiting.join(LIMIT)
    now = b"now\r\x1b[K" if calm < float("inf") else b""
    assert place.shown() == b"block\n" + now + b"again\n(ended)\nours\n"


@pytest.mark.parametrize("calm", [3600.0, float("inf")])
def test_a_line_of_ours_waits_for_what_is_drawn_but_not_for_ever(place: Place, calm: float) -> None:
    place.sink.write(Lines(calm), b"block")
    began = time.monotonic()
    place.sink.write_between(Writer(), b"ours\n", 0.0, 0.0, began + 0.1)
    assert time.monotonic() - began >= 0.1
    assert place.shown() == b"block (broken)\nours\n"


def test_a_reader_that_is_gone_is_told(place: Place) -> None:
    os.close(place.reading)
    with pytest.raises(SinkClosedError):
        place.sink.write(Lines(), b"line\n")
