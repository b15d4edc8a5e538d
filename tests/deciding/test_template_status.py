"""What is known of the template, and a worker that should not have been made from it."""

from __future__ import annotations

import signal

from reloader.deciding.supervisor import Supervisor
from reloader.messages import effects, events, notices
from reloader.settings import Settings

WHY = "gevent patches the standard library"


def at_work() -> Supervisor:
    """A supervisor whose worker is ready at 1.0."""
    supervisor = Supervisor(Settings(command=("w",), python=True, ready="ready", stop_signal=2))
    supervisor.start(0.0)
    supervisor.handle(events.WorkerStarted(1, 100, events.WarmStart()), 0.1)
    supervisor.handle(events.WorkerReady(1), 1.0)
    return supervisor


def restarted() -> list[effects.Effect]:
    drained: list[effects.Effect] = [
        effects.StopWorker(1),
        effects.Tell(notices.Draining(100, (), signal.SIGINT, 10.0, False)),
    ]
    return [effects.Tell(notices.WarmInVain(WHY)), *drained]


def test_a_template_is_taken_and_told() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.TemplateBegun(), 2.0) == []
    assert supervisor.handle(events.TemplateBuilt(7, 0.5), 3.0) == [
        effects.TakeTemplate(),
        effects.Tell(events.TemplateBuilt(7, 0.5)),
    ]
    assert supervisor.handle(events.TemplateFailed("no"), 4.0) == [
        effects.TakeTemplate("no"),
        effects.Tell(events.TemplateFailed("no")),
    ]


def test_one_that_is_lost_changes_nothing_for_the_worker() -> None:
    assert at_work().handle(events.TemplateLost(WHY), 2.0) == []


def test_a_worker_that_was_made_from_it_too_late_is_restarted() -> None:
    assert at_work().handle(events.TemplateLost(WHY, too_late=True), 2.0) == restarted()


def test_not_where_it_is_to_end_anyway() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    assert supervisor.handle(events.TemplateLost(WHY, too_late=True), 2.1) == []
