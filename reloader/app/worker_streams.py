"""The streams of a worker: pipes or a pseudo-terminal, and the pumps that carry its output."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial

from reloader.guard import system
from reloader.messages import events
from reloader.messages.base import Message
from reloader.processes.addresses import AddressConflict, listened_at
from reloader.processes.guard_client import Started
from reloader.processes.readiness import Readiness
from reloader.settings import LogFormat, Settings, Tty
from reloader.showing.console import Console
from reloader.showing.pump import Pump
from reloader.showing.sink import Sink
from reloader.terminal.pseudo_terminal import Terminal

Pumps = tuple[Pump, ...]
Sinks = tuple[Sink, Sink]
"""Those of standard output and standard error; the same sink twice where both lead to one place."""
Observer = Callable[[bytes], None]
"""Called with each chunk of a stream, on the pump's thread."""

TERMINAL, STDOUT, STDERR, TYPED = "terminal", "stdout", "stderr", "typed"


class Streams(Message):
    """The streams of one generation: the reading and the writing end of each, and its terminal, if any."""

    pipes: dict[str, tuple[int, int]]
    terminal: Terminal | None

    @property
    def readings(self) -> dict[str, int]:
        """The reading ends, by stream."""
        return {stream: reading for stream, (reading, _) in self.pipes.items()}

    def for_worker(self, stdin: int) -> list[int]:
        """The descriptors of the worker's standard input, output and error."""
        first = next(iter(self.pipes.values()))
        return [stdin, *(self.pipes.get(stream, first)[1] for stream in (STDOUT, STDERR))]

    def close_writing(self) -> None:
        """Close the writing ends, once the worker has them."""
        for _, writing in self.pipes.values():
            os.close(writing)

    def close(self) -> None:
        """Close both ends of all streams, where no pump owns them."""
        self.close_writing()
        for reading, _ in self.pipes.values():
            os.close(reading)


class WorkerStreams:
    """Makes the streams of each generation, and their pumps. Main thread."""

    def __init__(
        self, settings: Settings, sinks: Sinks, console: Console, post: Callable[[events.Event], None]
    ) -> None:
        self._settings = settings
        self._sinks = sinks
        self._console = console
        self._post = post
        tty, (out, err) = settings.tty, sinks
        at_terminal = out is err and out.at_terminal and settings.log_format is LogFormat.TEXT
        self.has_terminal = tty is Tty.ALWAYS or (tty is Tty.AUTO and at_terminal)
        """Whether the worker prints to a pseudo-terminal."""
        is_split = out is not err and console.is_at_terminal and os.isatty(0)
        self.has_typing = not self.has_terminal and tty is Tty.AUTO and is_split
        """Whether it only reads from a pseudo-terminal: its output goes elsewhere, its echo to ours."""

    def make_terminal(self) -> Terminal | None:
        """A pseudo-terminal for one generation, or None where it gets none. Raises OSError."""
        if self.has_terminal:
            return Terminal(self._sinks[0].fd, self._console.prefix_width)
        return Terminal(0, 0) if self.has_typing else None

    def open(self, terminal: Terminal | None) -> Streams:
        """The streams of one generation. Raises OSError when there are no more pipes."""
        if terminal is not None and self.has_terminal:
            return Streams({TERMINAL: (terminal.ours, terminal.theirs)}, terminal)
        streams = Streams({STDOUT: system.make_pipe()}, terminal)
        try:
            # Where both lead to one place, a single pipe keeps their order.
            if self._sinks[0] is not self._sinks[1] or self._settings.log_format is LogFormat.JSON:
                streams.pipes[STDERR] = system.make_pipe()
        except OSError:
            streams.close()
            raise
        if terminal is not None:
            streams.pipes[TYPED] = terminal.ours, terminal.theirs
        return streams

    def make_pumps(
        self,
        generation: int,
        streams: Streams,
        before: Pumps,
        restore_later: Callable[[int, int, bytes], None],
        others: Sequence[Started],
        start_told: threading.Event,
    ) -> Pumps:
        """A pump for every stream; each waits for the pump of the same stream in `before`, if there are any.

        `restore_later` is called with what restores the terminal: the stream's number, the descriptor, and
        the bytes to write. `others` are the older generations that still run: AddressTaken is posted where
        this one finds an address of theirs in use. WorkerReady is posted after `start_told` is set.
        """
        post, pattern = self._post, self._settings.ready
        conflict = None
        if others:
            conflict = AddressConflict(
                lambda: listened_at(pid for one in others for pid in one.pids()),
                lambda addresses: post(events.AddressTaken(generation, addresses)),
            )

        def ready() -> None:
            if conflict is not None:
                conflict.over = True
            start_told.wait()
            post(events.WorkerReady(generation))

        pumps = []
        for number, (stream, source) in enumerate(streams.readings.items()):
            observers: list[Observer] = []
            if streams.terminal is not None:
                observers.append(partial(streams.terminal.prompt.feed, stream))
            if conflict is not None:
                observers.append(conflict.stream())
            if pattern:
                observers.append(Readiness(pattern, ready).feed)
            sink = self._sinks[stream in (STDERR, TYPED)]
            # The echo has no prefix: it belongs behind a prompt, which came by another stream.
            renderer = self._console.renderer_for(sink, generation, stream, bare=stream == TYPED)
            pumps.append(
                Pump(
                    *(source, sink, renderer, partial(_observe, observers)),
                    partial(post, events.OutputClosed()),
                    partial(restore_later, number, sink.fd),
                    before[number] if before else None,
                )
            )
        return tuple(pumps)


def _observe(observers: Sequence[Observer], chunk: bytes) -> None:
    for observe in observers:
        observe(chunk)
