"""What is known of the template, and a worker that should not have been made from it."""

from __future__ import annotations

import signal

from reloader.deciding.supervisor import Supervisor
from reloader.effects import Effect, StopWorker, TakeTemplate, Tell
from reloader.events import (
    SignalReceived,
    TemplateBegun,
    TemplateBuilt,
    TemplateFailed,
    TemplateLost,
    WorkerReady,
    WorkerStarted,
)
from reloader.notices import CannotPreload, Draining, Preloaded, WarmInVain
from reloader.settings import Settings

WHY = "gevent patches the standard library"


def at_work() -> Supervisor:
    """A supervisor whose worker is ready at 1.0."""
    supervisor = Supervisor(Settings(command=("w",), python=True, ready="ready", stop_signal=2))
    supervisor.start(0.0)
    supervisor.handle(WorkerStarted(1, 100, "warm"), 0.1)
    supervisor.handle(WorkerReady(1), 1.0)
    return supervisor


def restarted() -> list[Effect]:
    drained: list[Effect] = [StopWorker(1), Tell(Draining(100, (), signal.SIGINT, 10.0, False))]
    return [Tell(WarmInVain(WHY)), *drained]


def test_a_template_is_taken_and_told() -> None:
    supervisor = at_work()
    assert supervisor.handle(TemplateBegun(), 2.0) == []
    assert supervisor.handle(TemplateBuilt(7, 0.5), 3.0) == [TakeTemplate(), Tell(Preloaded(7, 0.5))]
    assert supervisor.handle(TemplateFailed("no"), 4.0) == [TakeTemplate("no"), Tell(CannotPreload("no"))]


def test_one_that_is_lost_changes_nothing_for_the_worker() -> None:
    assert at_work().handle(TemplateLost(WHY), 2.0) == []


def test_a_worker_that_was_made_from_it_too_late_is_restarted() -> None:
    assert at_work().handle(TemplateLost(WHY, too_late=True), 2.0) == restarted()


def test_not_where_it_is_to_end_anyway() -> None:
    supervisor = at_work()
    supervisor.handle(SignalReceived(signal.SIGINT), 2.0)
    assert supervisor.handle(TemplateLost(WHY, too_late=True), 2.1) == []
