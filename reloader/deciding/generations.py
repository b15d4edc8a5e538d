"""The generations that have not ended, and what befalls all of them at once."""

from __future__ import annotations

from collections.abc import Iterator

from reloader.deciding.generation import Generation
from reloader.deciding.transitions import GenerationState, ImpossibleError
from reloader.messages import effects, events, notices


class Generations:
    """The oldest comes first. Methods take the time and return what to do."""

    def __init__(self) -> None:
        self._alive: list[Generation] = []

    def __iter__(self) -> Iterator[Generation]:
        return iter(tuple(self._alive))

    def __len__(self) -> int:
        return len(self._alive)

    @property
    def newest(self) -> Generation | None:
        """The last that was started, of those that have not ended."""
        return self._alive[-1] if self._alive else None

    @property
    def at_work(self) -> Generation | None:
        """The newest that is ready and that nobody has asked to end."""
        return next((one for one in reversed(self._alive) if one.state is GenerationState.READY), None)

    @property
    def draining(self) -> tuple[Generation, ...]:
        """Those that were asked to end."""
        return tuple(one for one in self._alive if not one.is_wanted)

    def add(self, one: Generation) -> None:
        """It is being started."""
        self._alive.append(one)

    def remove(self, one: Generation) -> None:
        """It has ended."""
        self._alive.remove(one)

    def find(self, number: int) -> Generation | None:
        """The one of this number; None when it has ended, or never was."""
        return next((one for one in self._alive if one.number == number), None)

    def get(self, number: int) -> Generation:
        """The one of this number; raises Impossible when it has ended, or never was."""
        one = self.find(number)
        if one is None:
            raise ImpossibleError(f"generation {number} ends, which is not there")
        return one

    def stop(
        self, now: float, changes: tuple[events.Change, ...] = (), quitting: bool = False
    ) -> list[effects.Effect]:
        """End all of them by the stop signal, which none gets twice."""
        return [effect for one in self for effect in one.stop(now, changes, quitting)]

    def hand_over(self, now: float, number: int) -> list[effects.Effect]:
        """End those that come before this one, which is ready."""
        older = [one for one in self if one.number < number]
        return [effect for one in older for effect in one.stop(now, successor=number)]

    def kill(self, now: float) -> list[effects.Effect]:
        """Kill those that drain."""
        return [effect for one in self for effect in one.kill(now)]

    def force(self, now: float) -> list[effects.Effect]:
        """Kill all of them."""
        return [effect for one in self for effect in one.force(now)]

    @property
    def deadline(self) -> float | None:
        """When to call `deadline_passed`."""
        return min((one.deadline for one in self if one.deadline is not None), default=None)

    def deadline_passed(self, now: float) -> list[effects.Effect]:
        """The deadline of one or more is over."""
        result: list[effects.Effect] = []
        reminders: list[bool] = []
        for one in self:
            if one.deadline is None or now < one.deadline:
                continue
            goes_on = one.state is GenerationState.DRAINING
            result += one.deadline_passed(now, self.at_work not in (None, one))
            if goes_on and one.state is GenerationState.DRAINING:
                reminders.append(one.is_reminder(now))
        if reminders:
            drains = tuple(one.drain(now) for one in self if one.state is GenerationState.DRAINING)
            result.append(effects.Tell(notices.StillDraining(drains, any(reminders))))
        return result

    def postpone(self, seconds: float) -> None:
        """All of them and we were stopped for so long."""
        for one in self:
            one.postpone(seconds)

    def are_all(self, state: GenerationState) -> bool:
        """Whether there is none in another state."""
        return all(one.state is state for one in self)
