"""Some of what a worker does by time suffers where restarts follow each other too soon: that is told once."""

from __future__ import annotations

from collections.abc import Sequence

from reloader.messages import effects, notices

# So many restarts in a row that come too soon are no accident.
IN_A_ROW = 3


class RestartPace:
    """Sees every start. A caution has the seconds that a generation needs, what is told, and the remedy."""

    def __init__(self, cautions: Sequence[tuple[float, str, str]]) -> None:
        # Each with how many restarts in a row came too soon.
        self._counts = dict.fromkeys(cautions, 0)
        self._started_at: float | None = None

    def started(self, now: float) -> list[effects.Effect]:
        """A generation starts, at this time in seconds."""
        before, self._started_at = self._started_at, now
        told: list[effects.Effect] = []
        for caution, count in tuple(self._counts.items()):
            within, what, remedy = caution
            count = count + 1 if before is not None and now - before < within else 0
            self._counts[caution] = count
            if count == IN_A_ROW:
                del self._counts[caution]
                told.append(effects.Tell(notices.Caution(what, remedy)))
        return told
