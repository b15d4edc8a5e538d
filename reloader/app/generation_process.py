"""One generation as it lives: its process, its terminal, and the pumps that carry what it prints."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from reloader.guard import system
from reloader.messages import events, notices
from reloader.processes import memory
from reloader.processes.addresses import TakenAddress, listened_at
from reloader.processes.cpu_usage import Usage
from reloader.processes.readiness import Readiness
from reloader.processes.worker_process import WorkerProcess
from reloader.settings import LogFormat, Settings, Tty
from reloader.showing.console import Console
from reloader.showing.pump import Pump
from reloader.showing.sink import Sink
from reloader.terminal.prompt import Prompt
from reloader.terminal.pseudo_terminal import Terminal

Pumps = tuple[Pump, ...]
Sinks = tuple[Sink, Sink]
"""Of standard output and standard error; one and the same where they lead to one place."""

# How long they are awaited, in seconds, should nobody read them.
LAST_WORDS = 0.5

TERMINAL, STDOUT, STDERR, TYPED = "terminal", "stdout", "stderr", "typed"


class WorkerStreams(NamedTuple):
    """What is asked about the place that a worker's output goes to, and what is typed comes from."""

    settings: Settings
    sinks: Sinks
    console: Console

    @property
    def has_terminal(self) -> bool:
        """Whether the worker prints to a pseudo-terminal."""
        tty, (out, err) = self.settings.tty, self.sinks
        by_itself = out is err and out.at_terminal and self.settings.log_format is LogFormat.TEXT
        return tty is Tty.ALWAYS or (tty is Tty.AUTO and by_itself)

    @property
    def has_typing(self) -> bool:
        """Whether it reads from a pseudo-terminal, though it prints elsewhere; ours shows what is typed."""
        return (
            not self.has_terminal
            and self.settings.tty is Tty.AUTO
            and self.sinks[0] is not self.sinks[1]
            and self.console.is_at_terminal
            and os.isatty(0)
        )

    def make_terminal(self) -> Terminal | None:
        """A pseudo-terminal for one generation, if it is to have one.

        Raises OSError when there are no more.
        """
        if self.has_terminal:
            return Terminal(self.sinks[0].fd, self.console.prefix_width)
        return Terminal(0, 0) if self.has_typing else None

    def open(self, terminal: Terminal | None) -> Streams:
        """One generation's streams. Raises OSError when there are no more pipes."""
        if terminal is not None and self.has_terminal:
            return Streams({TERMINAL: (terminal.ours, terminal.theirs)}, terminal)
        streams = Streams({STDOUT: system.make_pipe()}, terminal)
        try:
            # One keeps their order where they lead to one place.
            if self.sinks[0] is not self.sinks[1] or self.settings.log_format is LogFormat.JSON:
                streams.pipes[STDERR] = system.make_pipe()
        except OSError:
            streams.close()
            raise
        if terminal is not None:
            streams.pipes[TYPED] = terminal.ours, terminal.theirs
        return streams


class Streams(NamedTuple):
    """What one generation prints to, the reading and the writing end of each stream; its terminal, if any."""

    pipes: dict[str, tuple[int, int]]
    terminal: Terminal | None

    @property
    def readings(self) -> dict[str, int]:
        """The reading ends, in their order."""
        return {stream: reading for stream, (reading, _) in self.pipes.items()}

    def for_worker(self, stdin: int) -> list[int]:
        """The worker's standard input, output and error."""
        first = next(iter(self.pipes.values()))
        return [stdin, *(self.pipes.get(stream, first)[1] for stream in (STDOUT, STDERR))]

    def close_writing(self) -> None:
        """Close what the worker has now."""
        for _, writing in self.pipes.values():
            os.close(writing)

    def close(self) -> None:
        """Close all; nobody has it."""
        self.close_writing()
        for reading, _ in self.pipes.values():
            os.close(reading)


class GenerationProcess:
    """A generation that has been started and not forgotten; `terminal` is its pseudo-terminal, if any."""

    def __init__(
        self, process: WorkerProcess, terminal: Terminal | None, pumps: Pumps, beside: bool = False
    ) -> None:
        """`beside` tells that it was started beside others: what it prints last may say why it ended."""
        self.process = process
        self.terminal = terminal
        self.pumps = pumps
        self.stopped = False
        """Whether it was sent the stop signal."""
        self._usage = Usage()
        self._beside = beside

    def stop(self, number: int, patience: float) -> None:
        """Send the stop signal, unless somebody else signals the whole tree within so many seconds."""
        self.stopped = True
        self.process.stop(number, patience)

    def look(self) -> tuple[notices.ProcessUse, ...]:
        """Its live processes, and what they use of the CPU since the last look."""
        return self._usage.look(self.process.guard)

    def weigh(self, coming: int, post: Callable[[events.Event], None]) -> None:
        """Look whether as much memory as it uses is free for the coming one; posts MemoryShort if not."""
        needed, free = memory.used_by(system.descendants(self.process.guard)), memory.free()
        if free is not None and needed > free:
            post(events.MemoryShort(coming, needed, free))

    def is_read(self) -> bool:
        """Whether what is typed is for it."""
        return self._ask(Terminal.is_read)

    def is_asking(self) -> bool:
        """Whether it asks somebody for input."""
        return self._ask(Terminal.is_asking)

    def _ask(self, question: Callable[[Terminal, int, list[int]], bool]) -> bool:
        if self.terminal is None or not os.isatty(0):
            return False
        return question(self.terminal, self.process.pid, system.descendants(self.process.guard))

    def type(self, data: bytes, is_answer: bool = False) -> bool:
        """Let it have what was typed, if that is for it, or the terminal's answer to what it has asked."""
        terminal = self.terminal
        if terminal is None or not ((is_answer and terminal.prompt.awaits_answer) or self.is_read()):
            return False
        terminal.type(data)
        return True

    def remember(self, modes: list[Any]) -> None:
        """The modes of our terminal, should we be killed."""
        self.process.remember(modes)

    def await_end(self, post: Callable[[events.Event], None]) -> None:
        """Block until it has ended, and been forgotten; posts WorkerExited."""
        status = self.process.wait(post)
        for pump in self.pumps:
            pump.worker_ended()
        for pump in self.pumps if self._beside else ():
            pump.wait(LAST_WORDS)
        post(events.WorkerExited(self.process.generation, status))
        self.process.await_gone()


def make_pumps(
    generation: int,
    place: WorkerStreams,
    sources: dict[str, int],
    before: Pumps,
    post: Callable[[events.Event], None],
    remember: Callable[[int, int, bytes], None],
    others: tuple[GenerationProcess, ...] = (),
    prompt: Prompt | None = None,
) -> Pumps:
    """A pump for every stream, each behind the one `before` it, where there are such.

    `others` are the generations that it starts beside; posts AddressTaken where it cannot. `remember` gets
    what gives the terminal back as it was, by the stream's number and the descriptor that it is for. `prompt`
    is of its terminal.
    """
    pattern = place.settings.ready
    taken = None
    if others:
        guards = [one.process.guard for one in others]

        def tell(addresses: tuple[str, ...]) -> None:
            post(events.AddressTaken(generation, addresses))

        taken = TakenAddress(lambda: listened_at(chain(*map(system.descendants, guards))), tell)

    def ready() -> None:
        if taken is not None:
            taken.over = True
        post(events.WorkerReady(generation))

    pumps = []
    for number, (stream, source) in enumerate(sources.items()):
        observe: Callable[[bytes], None] = Readiness(pattern, ready).feed if pattern else _look_away
        if taken is not None:
            observe = _both(taken.stream(), observe)
        if prompt is not None:
            observe = _both(partial(prompt.feed, stream), observe)
        sink = place.sinks[stream in (STDERR, TYPED)]
        # What is typed is echoed where the cursor is, behind a prompt that went another way.
        renderer = place.console.renderer_for(sink, generation, stream, bare=stream == TYPED)
        previous = before[number] if before else None
        undo = partial(remember, number, sink.fd)
        pumps.append(
            Pump(source, sink, renderer, observe, partial(post, events.OutputClosed()), undo, previous)
        )
    return tuple(pumps)


def _both(first: Callable[[bytes], None], second: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def observe(chunk: bytes) -> None:
        first(chunk)
        second(chunk)

    return observe


def _look_away(_anything: object) -> None:
    """Observe nothing: the worker has no ready line."""
