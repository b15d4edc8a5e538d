"""How long a drain has lasted, how long it may last, and when the user is told of it."""

from __future__ import annotations

from reloader.messages import effects, notices
from reloader.settings import Settings

# Seconds of a drain at which the user is told that it goes on, even where a line cannot be written over;
# then every last one again. Where it can, it is every second.
REMINDERS = (2.0, 5.0, 10.0)


class Drain:
    """The clock of one drain; times as the main loop gives them, in seconds."""

    def __init__(self, now: float, timeout: float | None) -> None:
        self.began_at = now
        self.kill_at = None if timeout is None else now + timeout
        self._reminded = 0

    def is_over(self, now: float) -> bool:
        """Whether the stop timeout has passed."""
        return self.kill_at is not None and now >= self.kill_at

    def left(self, now: float) -> float | None:
        """Seconds until the stop timeout; None where there is none."""
        return None if self.kill_at is None else self.kill_at - now

    def next_word(self, now: float) -> float:
        """When the user is told next, or the stop timeout passes."""
        told_at = self.began_at + (now - self.began_at + 0.001) // 1 + 1
        return told_at if self.kill_at is None else min(told_at, self.kill_at)

    def is_reminder(self, now: float) -> bool:
        """Whether the user is to be reminded, even where a line cannot be written over. Once each."""
        elapsed = now - self.began_at + 0.001
        every = REMINDERS[-1]
        due = sum(elapsed >= r for r in REMINDERS) + int(max(0.0, elapsed - every) // every)
        reminds, self._reminded = due > self._reminded, due
        return reminds

    def postpone(self, seconds: float) -> None:
        """Everything stood still for so long."""
        self.began_at += seconds
        if self.kill_at is not None:
            self.kill_at += seconds


def kill(settings: Settings, generation: int, pid: int | None, timeout: float | None) -> list[effects.Effect]:
    """Say what is still there while it is, kill it, and say what becomes of a task that it was at.

    `timeout` is the stop timeout that has passed, None when the user forced it.
    """
    told = notices.Killing(pid, timeout, generation=generation if settings.overlap else None)
    killing: list[effects.Effect] = [effects.Tell(told), effects.KillWorker(generation)]
    return [*killing, effects.Tell(notices.TaskKilled())] if settings.killed else killing
