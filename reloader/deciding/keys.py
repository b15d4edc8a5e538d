"""What the user asks for by a key."""

from __future__ import annotations

from collections.abc import Callable

from reloader.deciding.debouncer import Debouncer
from reloader.deciding.states import Plan
from reloader.deciding.worker import Worker
from reloader.effects import ClearScreen, Effect, ShowEmptyLine, Tell
from reloader.notices import KeysAre, Paused, Status, StatusOf, Unpaused


class Keys:
    """Answers every key. `end` drains and ends, unless that was asked before."""

    def __init__(self, worker: Worker, debouncer: Debouncer, end: Callable[[float], list[Effect]]) -> None:
        self._worker = worker
        self._debouncer = debouncer
        self._end = end
        self.paused = False
        """Whether changes are left for later."""

    @property
    def leave_hints(self) -> bool:
        """Whether what was touched is looked at later; a start that is due looks all the same."""
        return self.paused and self._worker.plan is not Plan.PREPARING

    def pressed(self, key: str, now: float) -> list[Effect]:
        """What follows; keys without a meaning mean nothing."""
        match key:
            case "r":
                return self._worker.restart(now)
            case "k":
                return self._worker.kill_now(now)
            case "p":
                self.paused = not self.paused
                if not self.paused:
                    self._debouncer.touch(now, None)
                return [Tell(Paused() if self.paused else Unpaused())]
            case "s":
                generations = tuple(
                    StatusOf(one.state.value, one.pid, one.number, one.alive_for(now))
                    for one in reversed(tuple(self._worker.alive))
                )
                return [Tell(Status(self._worker.state.value, generations, self.paused))]
            case "q":
                return self._end(now)
            case "c":
                return [ClearScreen()]
            case "h" | "?":
                return [Tell(KeysAre())]
            case "\r" | "\n":
                return [ShowEmptyLine()]
        return []
