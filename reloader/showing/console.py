"""Our own lines, and the prefixes of the worker's: what they look like and how they reach the sinks."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from queue import SimpleQueue
from typing import Protocol

from reloader.settings import Settings
from reloader.showing import paint
from reloader.showing.sink import Sink, SinkClosed

OUR_NAME = "reloader"
# To the first column of the first line, erase the screen and what was scrolled out of it.
_CLEAR = b"\x1b[H\x1b[2J\x1b[3J"
# How long a line about the worker's end waits, in seconds, for the worker's last lines to be shown.
_AFTER = 0.5


class Weight(enum.Enum):
    """How much a line matters to who reads it."""

    DETAIL = "detail"
    """Told only to who asks for more."""
    ROUTINE = "routine"
    PLAIN = "plain"
    STRONG = "strong"


class Shown(Protocol):
    """Something that is on its way to the screen, such as a Pump."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has arrived; False if that took longer."""


class Console:
    """Writes our lines from a thread of its own: a reader that does not read must not stop a drain."""

    def __init__(
        self, settings: Settings, sink: Sink, environment: Mapping[str, str], closed: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._environment = environment
        self._closed = closed
        # A place for the generation's number, which is there at times, so that no line begins elsewhere then.
        name = len(settings.name) + (len(".99") if settings.overlap else 0)
        self._width = max(len(OUR_NAME), name) if settings.prefix else len(OUR_NAME)
        self.several = False
        """Whether there are several generations, which the prefix tells apart."""
        self._queue: SimpleQueue[tuple[bytes, Sequence[Shown], bool] | None] = SimpleQueue()
        self._ended = False

    # --- from other threads -----------------------------------------------------------------------

    @property
    def can_write_over(self) -> bool:
        """Whether a line can be shown that the next one takes the place of."""
        return self._sink.at_terminal and self._environment.get("TERM", "dumb") != "dumb"

    def tell(self, text: str, weight: Weight, after: Sequence[Shown] = (), in_place: bool = False) -> None:
        """Show lines of ours, once what they come after has been shown.

        One line that is shown `in_place` lasts until anything else is shown.
        """
        if in_place:
            # A line that were broken by the terminal's edge could not be taken back.
            text = text[: max(0, self._columns() - len(self._mark()) - 1)]
        self._queue.put((self._render(text, weight), after, in_place))

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._sink.fd).columns
        except OSError:
            return 80

    def clear(self) -> None:
        """Clear the terminal."""
        self._queue.put((_CLEAR, (), False))

    def show_empty_line(self) -> None:
        """Show an empty line, without any prefix."""
        self._queue.put((b"\n", (), False))

    def end(self) -> None:
        """Let the thread end when everything is told."""
        self._queue.put(None)

    @property
    def prefix_width(self) -> int:
        """How many columns stand before the worker's lines."""
        stamp = len("00:00:00.000 ") if self._settings.timestamps else 0
        return stamp + (self._width + len(" | ") if self._settings.prefix else 0)

    def prefix_for(self, sink: Sink, generation: int) -> Callable[[], bytes]:
        """What makes the prefix of this generation's lines in this sink."""
        settings = self._settings
        coloured = paint.wanted(settings.color, sink.at_terminal, self._environment)

        def named(name: str) -> bytes:
            text = f"{name:<{self._width}} | " if settings.prefix else ""
            if text and coloured:
                text = f"{paint.worker_colour(settings.name)}{text[:-1]}{paint.RESET} "
            return text.encode("utf-8", "surrogateescape")

        alone, beside = named(settings.name), named(f"{settings.name}.{generation}")
        start, end = (paint.DIM, paint.RESET) if coloured else ("", "")

        def prefix() -> bytes:
            stamp = f"{start}{_clock()}{end} ".encode() if settings.timestamps else b""
            return stamp + (beside if self.several else alone)

        return prefix

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Show lines until the end."""
        while (item := self._queue.get()) is not None:
            data, after, in_place = item
            deadline = time.monotonic() + _AFTER
            for shown in after:
                shown.wait(max(0.0, deadline - time.monotonic()))
            try:
                if in_place:
                    self._sink.show_for_now(data.rstrip(b"\n"))
                else:
                    self._sink.write(self, data)
            except SinkClosed:
                self._closed()
                return

    # --- what the sink asks -----------------------------------------------------------------------

    def render(self, chunk: bytes) -> bytes:
        """Our lines are rendered when they are told."""
        return chunk

    def break_line(self) -> None:
        """Our lines are always whole."""

    def _mark(self) -> str:
        stamp = f"{_clock()} " if self._settings.timestamps else ""
        return f"{stamp}{OUR_NAME:<{self._width}} | "

    def _render(self, text: str, weight: Weight) -> bytes:
        mark = self._mark()
        lines = [mark + line for line in text.split("\n")]
        if paint.wanted(self._settings.color, self._sink.at_terminal, self._environment):
            start = {
                Weight.DETAIL: paint.DIM,
                Weight.ROUTINE: paint.DIM,
                Weight.PLAIN: paint.RESET,
                Weight.STRONG: paint.BOLD,
            }[weight]
            lines = [f"{start}{line}{paint.RESET}" for line in lines]
        encoding = _encoding(self._environment)
        return b"".join(_encode(line, encoding) + b"\n" for line in lines)


def _clock() -> str:
    return datetime.now().strftime("%H:%M:%S.%f")[:-3]


def _encoding(environment: Mapping[str, str]) -> str:
    """UTF-8, unless the locale says plainly that it is not."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    return "utf-8" if "." not in locale or "utf" in locale.lower() else "ascii"


def _encode(line: str, encoding: str) -> bytes:
    if encoding == "ascii":
        line = line.replace("→", "->")
        return line.encode("ascii", "backslashreplace")
    return line.encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """The text with whatever would disturb a terminal, or is no character at all, as escapes."""
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":
        return f"\\x{os.fsencode(char)[0]:02x}"
    return char.encode("unicode_escape").decode()
