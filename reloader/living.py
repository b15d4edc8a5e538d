"""One generation as it lives: its process, its terminal, and the pumps that carry what it prints."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from reloader.events import Event, MemoryShort, OutputClosed, WorkerExited, WorkerReady
from reloader.notices import ProcessUse
from reloader.running import memory, system
from reloader.running.process import WorkerProcess
from reloader.running.readiness import Readiness
from reloader.running.terminal import Terminal
from reloader.running.usage import Usage
from reloader.settings import Settings
from reloader.showing.console import Console
from reloader.showing.pump import Pump
from reloader.showing.sink import Sink

Pumps = tuple[Pump, ...]


class Living:
    """A generation that has been started and not forgotten; `terminal` is its pseudo-terminal, if any."""

    def __init__(self, process: WorkerProcess, terminal: Terminal | None, pumps: Pumps) -> None:
        self.process = process
        self.terminal = terminal
        self.pumps = pumps
        self.stopped = False
        """Whether it was sent the stop signal."""
        self._usage = Usage()

    def stop(self, number: int) -> None:
        """Send the stop signal."""
        self.stopped = True
        self.process.stop(number)

    def look(self) -> tuple[ProcessUse, ...]:
        """Its live processes, and what they use of the CPU since the last look."""
        return self._usage.look(self.process.guard)

    def weigh(self, coming: int, post: Callable[[Event], None]) -> None:
        """Look whether as much memory as it uses is free for the coming one; posts MemoryShort if not."""
        needed, free = memory.used_by(system.descendants(self.process.guard)), memory.free()
        if free is not None and needed > free:
            post(MemoryShort(coming, needed, free))

    def is_read(self) -> bool:
        """Whether it waits for what is typed."""
        if self.terminal is None or not os.isatty(0):
            return False
        return self.terminal.is_read(system.descendants(self.process.guard))

    def type(self, data: bytes) -> bool:
        """Let it have what was typed, if it reads from its terminal."""
        if self.terminal is None or not self.is_read():
            return False
        self.terminal.type(data)
        return True

    def remember(self, modes: list[Any]) -> None:
        """The modes of our terminal, should we be killed."""
        self.process.remember(modes)

    def await_end(self, post: Callable[[Event], None]) -> None:
        """Block until it has ended, and been forgotten; posts WorkerExited."""
        status = self.process.wait(post)
        for pump in self.pumps:
            pump.worker_ended()
        post(WorkerExited(self.process.generation, status))
        self.process.await_gone()


def make_pumps(
    generation: int,
    sources: list[int],
    sinks: tuple[Sink, Sink],
    before: Pumps,
    settings: Settings,
    console: Console,
    post: Callable[[Event], None],
    at_terminal: bool,
) -> Pumps:
    """A pump for every stream, each behind the one `before` it, where there are such."""
    streams = ("terminal",) if at_terminal else ("stdout", "stderr")
    pumps = []
    for place, (source, sink, stream) in enumerate(zip(sources, sinks, streams, strict=False)):
        ready = partial(post, WorkerReady(generation))
        observe = Readiness(settings.ready, ready).feed if settings.ready else _look_away
        renderer = console.renderer_for(sink, generation, stream)
        previous = before[place] if before else None
        pumps.append(Pump(source, sink, renderer, observe, partial(post, OutputClosed()), previous))
    return tuple(pumps)


def _look_away(_anything: object) -> None:
    """Observe nothing: the worker has no ready line."""
