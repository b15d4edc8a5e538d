"""How our own lines and the prefixes of the worker's lines look, and the thread that writes our lines."""

from __future__ import annotations

import enum
import os
import time

# The module below queue, which imports more than that: the worker's start waits for our imports.
from _queue import SimpleQueue
from collections.abc import Callable, Mapping, Sequence

from reloader.settings import LogFormat, Settings
from reloader.showing import links, paint
from reloader.showing.lines import Prefixer
from reloader.showing.managers import is_below_manager, shows_at_terminal
from reloader.showing.sink import Sink, SinkClosedError, Writer

OUR_NAME = "reloader"
# Go to the top left, erase the screen and the scrollback.
_CLEAR = b"\x1b[H\x1b[2J\x1b[3J"
# A line of ours waits until the worker has printed nothing for so long, at most until the limit, in seconds.
_CALM = 0.01
_CALM_LIMIT = 0.1
# How long a line of ours waits at most for a worker that redraws lines, in seconds.
_DRAWN_LIMIT = 2.0
# How long a line about the worker's end waits for the worker's last lines, in seconds.
_AFTER = 0.5

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Shown(Protocol):
        """Output that is on its way to the screen, such as that of a Pump."""

        def wait(self, seconds: float | None = None) -> bool:
            """Wait until it was shown; False if that takes longer than this."""


class Weight(enum.Enum):
    """How important a line of ours is. DETAIL is shown only with -v."""

    DETAIL = "detail"
    ROUTINE = "routine"
    PLAIN = "plain"
    STRONG = "strong"


# The level in JSON, in the words of syslog(3), and the style at a terminal.
_LEVELS = {Weight.DETAIL: "debug", Weight.ROUTINE: "info", Weight.PLAIN: "info", Weight.STRONG: "notice"}
_STYLES = {
    Weight.DETAIL: paint.DIM,
    Weight.ROUTINE: paint.DIM,
    Weight.PLAIN: paint.RESET,
    Weight.STRONG: paint.BOLD,
}


class Console(Writer):
    """Writes our lines from a thread of its own, so that a reader that does not read cannot block a drain."""

    def __init__(
        self, settings: Settings, sink: Sink, environment: Mapping[str, str], closed: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._environment = environment
        self._closed = closed
        # With overlap there is room for the generation's number, so that all lines begin in one column.
        name = len(settings.name) + (len(".99") if settings.overlap else 0)
        self._width = max(len(OUR_NAME), name) if settings.prefix else len(OUR_NAME)
        self._json = settings.log_format is LogFormat.JSON
        self._below_manager = is_below_manager(environment)
        self.several = False
        """Whether several generations run, so that the prefix needs their numbers. Set by the main thread."""
        self._queue: SimpleQueue[tuple[bytes, Sequence[Shown], bool, float, Sink] | None] = SimpleQueue()
        self.generation = 0
        """The number of the newest generation, for our JSON lines. Set by the main thread."""

    # --- from other threads -----------------------------------------------------------------------

    @property
    def is_at_terminal(self) -> bool:
        """Whether our lines appear at a terminal."""
        return self._sink.at_terminal and not self._json

    @property
    def can_write_over(self) -> bool:
        """Whether a line can be shown that the next line replaces."""
        return self.is_at_terminal and self._environment.get("TERM", "dumb") != "dumb"

    @property
    def knows_links(self) -> bool:
        """Whether our lines may have hyperlinks: at a terminal, in colour."""
        return self.is_at_terminal and self._is_coloured(self._sink) and links.are_known(self._environment)

    def tell(
        self,
        text: str,
        weight: Weight,
        after: Sequence[Shown] = (),
        in_place: bool = False,
        sink: Sink | None = None,
    ) -> None:
        """Show lines of ours, after everything in `after` was shown.

        A line that is shown `in_place` is replaced by whatever is shown next. `sink` replaces the usual one.
        """
        if in_place:
            # A line that wraps at the terminal's edge could not be erased.
            text = text[: max(0, self._columns() - len(self._mark()) - 1)]
        sink = sink or self._sink
        self._queue_up(self._render(text, weight, sink), after, in_place, sink)

    def _queue_up(
        self, data: bytes, after: Sequence[Shown] = (), in_place: bool = False, sink: Sink | None = None
    ) -> None:
        self._queue.put((data, after, in_place, time.monotonic() + _DRAWN_LIMIT, sink or self._sink))

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._sink.fd).columns
        except OSError:
            return 80

    def clear(self) -> None:
        """Clear the screen, if it is a terminal that can do it."""
        if self.can_write_over:
            self._queue_up(_CLEAR)

    def show_empty_line(self) -> None:
        """Show an empty line, without any prefix."""
        self._queue_up(b"\n")

    def end(self) -> None:
        """Let the thread end after everything that is queued was shown."""
        self._queue.put(None)

    @property
    def prefix_width(self) -> int:
        """How many columns stand before the worker's lines."""
        if self._json:
            return 0
        stamp = len("00:00:00.000 ") if self._settings.timestamps else 0
        return stamp + (self._width + len(" | ") if self._settings.prefix else 0)

    def renderer_for(self, sink: Sink, generation: int, stream: str, bare: bool = False) -> Writer:
        """The renderer for a stream of this generation at this sink; `bare` leaves the prefix out."""
        if self._json:
            from reloader.showing.json_lines import JsonLines

            return JsonLines(lambda: self._head(stream, generation))
        prefix = bytes if bare else self._prefix_for(sink, generation)
        if not sink.at_terminal:
            return Prefixer(prefix)
        from reloader.showing.screen import Screen

        return Screen(prefix, self.prefix_width)

    def _prefix_for(self, sink: Sink, generation: int) -> Callable[[], bytes]:
        settings = self._settings
        coloured = self._is_coloured(sink)
        colour = paint.worker_colour(settings.name, self._environment)

        def named(name: str) -> bytes:
            text = f"{name:<{self._width}} | " if settings.prefix else ""
            if text and coloured:
                text = f"{colour}{text[:-1]}{paint.RESET} "
            return text.encode("utf-8", "surrogateescape")

        alone, beside = named(settings.name), named(f"{settings.name}.{generation}")
        start, end = (paint.DIM, paint.RESET) if coloured else ("", "")

        def prefix() -> bytes:
            stamp = f"{start}{_clock()}{end} ".encode() if settings.timestamps else b""
            return stamp + (beside if self.several else alone)

        return prefix

    def _is_coloured(self, sink: Sink) -> bool:
        at_terminal = sink.at_terminal or (self._below_manager and shows_at_terminal(sink.fd))
        return paint.wanted(self._settings.color, at_terminal, self._environment)

    def _head(self, stream: str, generation: int, **more: str) -> bytes:
        from datetime import datetime

        from reloader.showing.json_lines import head_of

        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        name = printable(self._settings.name)
        return head_of(time=now, worker=name, stream=stream, **more, generation=generation)

    # --- the thread -------------------------------------------------------------------------------

    def run(self) -> None:
        """Show lines until the end."""
        while (item := self._queue.get()) is not None:
            data, after, in_place, latest, sink = item
            deadline = time.monotonic() + _AFTER
            for shown in after:
                shown.wait(max(0.0, deadline - time.monotonic()))
            try:
                if in_place:
                    sink.show_for_now(data.rstrip(b"\n"))
                else:
                    sink.write_between(self, data, _CALM, _CALM_LIMIT, latest)
            except SinkClosedError:
                self._closed()
                return

    def _mark(self) -> str:
        stamp = f"{_clock()} " if self._settings.timestamps else ""
        return f"{stamp}{OUR_NAME:<{self._width}} | "

    def _render(self, text: str, weight: Weight, sink: Sink) -> bytes:
        text = paint.plain(text, self._environment)
        if self._json:
            from reloader.showing.json_lines import ending_with

            return self._head(OUR_NAME, self.generation, level=_LEVELS[weight]) + ending_with(text)
        mark = self._mark()
        lines = [mark + line for line in text.split("\n")]
        if self._is_coloured(sink):
            start = _STYLES[weight]
            # Only the first line of a strong message is bold; the others explain it.
            further = paint.RESET if weight is Weight.STRONG else start
            starts = (start, *(further for _ in lines[1:]))
            lines = [f"{start}{line}{paint.RESET}" for start, line in zip(starts, lines, strict=True)]
        return b"".join(paint.encoded(line, self._environment) + b"\n" for line in lines)


def _clock() -> str:
    now = time.time()
    return f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now * 1000) % 1000:03d}"


def printable(text: str) -> str:
    """The text with control characters, and bytes that are not UTF-8, as escapes."""
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":
        return f"\\x{os.fsencode(char)[0]:02x}"
    return char.encode("unicode_escape").decode()
