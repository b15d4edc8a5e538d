"""What the user asks for: by a key, by Ctrl-C at a prompt of the worker's, or from outside."""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.pending_changes import PendingChanges
from reloader.deciding.transitions import WorkerState
from reloader.deciding.worker import Worker
from reloader.messages import effects, events, notices

# A second Ctrl-C at a prompt is meant for us when it comes this soon, in seconds.
TWICE = 1.0


class Commands:
    """Answers every key. `end` drains the worker and ends the run; `report` makes the status."""

    def __init__(
        self,
        worker: Worker,
        pending: PendingChanges,
        report: Callable[[float, bool], notices.Status],
        end: Callable[[float], list[effects.Effect]],
    ) -> None:
        self._worker = worker
        self._pending = pending
        self._report = report
        self._end = end
        self._passed: tuple[int, float] | None = None
        self.paused = False
        """Whether changes are left for later."""

    @property
    def leaves_changes(self) -> bool:
        """Whether touched files are looked at later. A start that is due looks at them all the same."""
        return self.paused and self._worker.state is not WorkerState.PREPARING

    def pressed(self, key: str, now: float) -> list[effects.Effect]:
        """What follows; keys without a meaning mean nothing."""
        match key:
            case "r":
                return self._worker.restart(now)
            case "k":
                return self._worker.kill_now(now)
            case "p":
                self.paused = not self.paused
                if not self.paused:
                    self._pending.touch(now, None)
                return [effects.Tell(notices.Paused() if self.paused else notices.Unpaused())]
            case "s":
                return [effects.Tell(self._report(now, self.paused))]
            case "q":
                return self._end(now)
            case "c":
                return [effects.ClearScreen()]
            case "h" | "?":
                return [effects.Tell(notices.KeysAre())]
            case "\r" | "\n":
                return [effects.ShowEmptyLine()]
        return []

    def requested(self, verb: events.Verb, peer: int, now: float) -> list[effects.Effect]:
        """What was asked from outside by this peer, which waits for its answer."""
        match verb:
            case events.Verb.STATUS:
                return [effects.Reply(peer, self._report(now, self.paused))]

    def interrupted(self, now: float) -> list[effects.Effect]:
        """Ctrl-C while the worker reads from its terminal: its own, as by hand; nothing if it came twice."""
        before, self._passed = self._passed, (self._worker.generation, now)
        if before is None:
            return [effects.Tell(notices.InterruptPassed()), effects.PassInterrupt()]
        generation, moment = before
        twice = generation == self._worker.generation and now - moment < TWICE
        return [] if twice else [effects.PassInterrupt()]
