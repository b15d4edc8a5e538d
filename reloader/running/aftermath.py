"""What the guard does once the supervisor is gone: it drains the workers and leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence

from reloader.running import leftovers
from reloader.running.guard_main import Guard, Leader

CHUNK = 1 << 16


class Aftermath:
    """Runs in the guard, below which alone the workers' trees hang by now. `alive` were told to stop."""

    def __init__(self, guard: Guard, alive: Sequence[Leader]) -> None:
        self._guard = guard
        self._alive = list(alive)

    def run(self) -> None:
        """Wait for the workers, as long as they may take; end what is left then."""
        for leader in self._alive:
            limit = (
                "as long as it takes" if leader.stop_timeout is None else f"at most {leader.stop_timeout:g} s"
            )
            _tell(f"reloader itself was killed; draining {leader.name} (pid {leader.pid}) for {limit}")
        over: list[Leader] = []
        while self._alive and not over:
            now = time.monotonic()
            over = [leader for leader in self._alive if _deadline(leader) <= now]
            if not over:
                self._pass_on(min(_deadline(leader) for leader in self._alive) - now)
            self._look()
        for leader in over:
            _tell(f"{leader.name} did not end in time; killing it")
        self._end_tree()
        while self._pass_on(0):
            pass

    def _look(self) -> None:
        self._guard.reap()
        self._alive = [leader for leader in self._alive if not leader.ended]

    def _pass_on(self, seconds: float) -> bool:
        """Show what the workers print next; False when a child has ended or the time is over first."""
        poll = select.poll()
        poll.register(self._guard.woken, select.POLLIN)
        pipes = {fd: leader.pipes for leader in self._guard.leaders.values() for fd in leader.pipes}
        for fd in pipes:
            poll.register(fd, select.POLLIN)
        ready = poll.poll(None if seconds == float("inf") else max(0.0, seconds) * 1000)
        for fd, _ in ready:
            if fd in pipes:
                data = os.read(fd, CHUNK)
                _write(pipes[fd][fd], data)
                if not data:
                    del pipes[fd][fd]
                    os.close(fd)
        return any(fd in pipes for fd, _ in ready)

    def _end_tree(self) -> None:
        """SIGKILL to the leaders that are still there; what else there is gets a moment."""
        for leader in self._alive:
            os.kill(leader.pid, signal.SIGSTOP)
            leftovers.kill_all(leader.pid)
            os.kill(leader.pid, signal.SIGKILL)
        found = [] if self._alive else leftovers.find(0)
        if found:
            leftovers.end_gently(found)
        leftovers.kill_patiently(0)


def _deadline(leader: Leader) -> float:
    if leader.stop_timeout is None:
        return float("inf")
    return (leader.stopped_at or 0.0) + float(leader.stop_timeout)


def _tell(text: str) -> None:
    _write(2, f"reloader | {text}\n".encode("utf-8", "surrogateescape"))


def _write(fd: int, data: bytes) -> None:
    """Write, if anybody is there to read."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass
