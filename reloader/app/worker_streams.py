"""Where a worker's output goes and its input comes from: pipes or a pseudo-terminal, and pumps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from reloader.guard import system
from reloader.messages import events
from reloader.messages.base import Message
from reloader.processes.addresses import TakenAddress, listened_at
from reloader.processes.readiness import Readiness
from reloader.settings import LogFormat, Settings, Tty
from reloader.showing.console import Console
from reloader.showing.pump import Pump
from reloader.showing.sink import Sink
from reloader.terminal.pseudo_terminal import Terminal

Pumps = tuple[Pump, ...]
Sinks = tuple[Sink, Sink]
"""Of standard output and standard error; one and the same where they lead to one place."""
Observer = Callable[[bytes], None]
"""Sees what a stream carries, on the pump's thread."""

TERMINAL, STDOUT, STDERR, TYPED = "terminal", "stdout", "stderr", "typed"


class Streams(Message):
    """The streams of one generation: the reading and the writing end of each, and its terminal, if any."""

    pipes: dict[str, tuple[int, int]]
    terminal: Terminal | None

    @property
    def readings(self) -> dict[str, int]:
        """The reading ends by stream, in their order."""
        return {stream: reading for stream, (reading, _) in self.pipes.items()}

    def for_worker(self, stdin: int) -> list[int]:
        """The worker's standard input, output and error."""
        first = next(iter(self.pipes.values()))
        return [stdin, *(self.pipes.get(stream, first)[1] for stream in (STDOUT, STDERR))]

    def close_writing(self) -> None:
        """Close the ends that the worker has."""
        for _, writing in self.pipes.values():
            os.close(writing)

    def close(self) -> None:
        """Close all of it, where no pump was made."""
        self.close_writing()
        for reading, _ in self.pipes.values():
            os.close(reading)


class WorkerStreams:
    """Makes the streams of each generation, and the pumps that carry them to the sinks."""

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
        """Whether it reads from a pseudo-terminal, though it prints elsewhere; ours shows what is typed."""

    def make_terminal(self) -> Terminal | None:
        """A pseudo-terminal for one generation, if it is to have one.

        Raises OSError when there are no more.
        """
        if self.has_terminal:
            return Terminal(self._sinks[0].fd, self._console.prefix_width)
        return Terminal(0, 0) if self.has_typing else None

    def open(self, terminal: Terminal | None) -> Streams:
        """One generation's streams. Raises OSError when there are no more pipes."""
        if terminal is not None and self.has_terminal:
            return Streams({TERMINAL: (terminal.ours, terminal.theirs)}, terminal)
        streams = Streams({STDOUT: system.make_pipe()}, terminal)
        try:
            # One keeps their order where they lead to one place.
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
        others: Sequence[int],
        start_told: threading.Event,
    ) -> Pumps:
        """A pump for every stream, each behind the one `before` it, where there are such.

        `restore_later` gets what gives the terminal back as it was: the stream's number, the descriptor
        that it is for, and the bytes. `others` are the guards of the generations that this one starts
        beside; AddressTaken is posted where it finds an address of theirs in use. WorkerReady is posted once
        `start_told` is set.
        """
        post, pattern = self._post, self._settings.ready
        taken = None
        if others:
            taken = TakenAddress(
                lambda: listened_at(chain(*map(system.descendants, others))),
                lambda addresses: post(events.AddressTaken(generation, addresses)),
            )

        def ready() -> None:
            if taken is not None:
                taken.over = True
            start_told.wait()
            post(events.WorkerReady(generation))

        pumps = []
        for number, (stream, source) in enumerate(streams.readings.items()):
            observers: list[Observer] = []
            if streams.terminal is not None:
                observers.append(partial(streams.terminal.prompt.feed, stream))
            if taken is not None:
                observers.append(taken.stream())
            if pattern:
                observers.append(Readiness(pattern, ready).feed)
            sink = self._sinks[stream in (STDERR, TYPED)]
            # What is typed is echoed where the cursor is, behind a prompt that went another way.
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
