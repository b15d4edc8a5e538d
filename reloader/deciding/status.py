"""What is, for who asks: made of what the others know, and changes nothing of it."""

from __future__ import annotations

from reloader.deciding.pending_changes import PendingChanges
from reloader.deciding.preflight_gate import PreflightGate
from reloader.deciding.template_status import TemplateStatus
from reloader.deciding.worker import Worker
from reloader.messages import notices
from reloader.settings import Settings


class StatusReport:
    """Looks at the parts of the supervisor."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        gate: PreflightGate,
        hints: PendingChanges,
        warmth: TemplateStatus,
    ) -> None:
        self._why_cold = settings.why_cold
        self._worker = worker
        self._gate = gate
        self._hints = hints
        self._warmth = warmth

    def status(self, now: float, paused: bool) -> notices.Status:
        """All of it; it is known elsewhere whether watching is paused."""
        worker = self._worker
        generations = tuple(
            notices.StatusOf(
                one.state.value,
                one.pid,
                one.number,
                one.alive_for(now),
                one.how if one.pid is None else one.how or self._why_cold,
            )
            for one in reversed(tuple(worker.alive))
        )
        pending = (worker.due, self._gate.pending, self._hints.pending)
        return notices.Status(
            *(worker.shown_state.value, worker.generation, generations, paused),
            tuple(self._since(one, now) for one in pending if one is not None),
            self._last_start(now),
            self._warmth.template,
        )

    def _since(self, one: notices.Pending, now: float) -> notices.Pending:
        """With the time that is left instead of the moment."""
        left = None if one.seconds is None else max(0.0, one.seconds - now)
        return notices.Pending(one.wait, one.changes, left)

    def _last_start(self, now: float) -> notices.LastStart | None:
        """With the time that has passed instead of the moment."""
        last = self._worker.last_start
        if last is None:
            return None
        times = last.total, last.detect, last.drain, last.start
        how = last.how or self._why_cold
        return notices.LastStart(last.generation, last.changes, *times, how, now - last.ago)
