"""What is, for who asks: made of what the others know, and changes nothing of it."""

from __future__ import annotations

from reloader.deciding.pending_changes import PendingChanges
from reloader.deciding.preflight_gate import PreflightGate
from reloader.deciding.template_status import TemplateStatus
from reloader.deciding.transitions import GenerationState, WorkerState
from reloader.deciding.worker import Worker
from reloader.messages import events, notices
from reloader.settings import Settings


class StatusReport:
    """Looks at the parts of the supervisor."""

    def __init__(
        self,
        settings: Settings,
        worker: Worker,
        gate: PreflightGate,
        pending: PendingChanges,
        template: TemplateStatus,
    ) -> None:
        self._cold = None if settings.why_cold is None else events.ColdStart(settings.why_cold)
        self._worker = worker
        self._gate = gate
        self._pending = pending
        self._template = template

    def status(self, now: float, paused: bool) -> notices.Status:
        """All of it; the caller knows whether watching is paused."""
        worker = self._worker
        generations = tuple(
            notices.StatusOf(
                *(_shown(one.state), one.pid, one.number, one.alive_for(now)),
                self._cold if one.pid is not None and one.start_kind is None else one.start_kind,
            )
            for one in reversed(tuple(worker.alive))
        )
        last = worker.last_start(now)
        if last is not None and last.start_kind is None:
            last = notices.LastStart(
                *(last.generation, last.changes, last.total, last.detect, last.drain, last.start),
                *(self._cold, last.ago),
            )
        pending = (worker.due(now), self._gate.pending, self._pending.pending)
        return notices.Status(
            *(_shown(worker.shown_state), worker.generation, generations, paused),
            tuple(one for one in pending if one is not None),
            last,
            self._template.template,
        )


def _shown(state: WorkerState | GenerationState) -> str:
    """The state as it is told: nobody needs to know whether a start is answered yet."""
    shown = GenerationState.STARTING if state is GenerationState.LAUNCHING else state
    return str(shown.value)
