"""What the keys do, and what somebody who asks from outside is answered."""

from __future__ import annotations

import signal

import pytest

from reloader.deciding.supervisor import Supervisor
from reloader.deciding.transitions import GenerationState
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings

A = events.Change("/p/a.py", events.Kind.CHANGED)
BROKEN = events.ExitStatus(code=1)


def at_work(**given: object) -> Supervisor:
    """A supervisor whose first worker was started at 0.0 and is ready at 1.0."""
    settings = Settings(command=("w",), name="w", ready="ready", stop_signal=2, **given)  # type: ignore[arg-type]
    supervisor = Supervisor(settings)
    supervisor.start(0.0)
    supervisor.handle(events.WorkerStarted(1, 100, events.WarmStart()), 0.1)
    supervisor.handle(events.WorkerReady(1), 1.0)
    return supervisor


def press(supervisor: Supervisor, key: str, now: float) -> list[effects.Effect]:
    return supervisor.handle(events.KeyPressed(key), now)


def status_of(supervisor: Supervisor, now: float) -> notices.Status:
    """The answer to `reloader status`."""
    (reply,) = supervisor.handle(events.Requested(7, events.Verb.STATUS), now)
    assert isinstance(reply, effects.Reply)
    assert reply.peer == 7
    return reply.status


def test_r_restarts_without_a_change() -> None:
    assert press(at_work(), "r", 2.0) == [
        effects.StopWorker(1),
        effects.Tell(notices.Draining(100, (), signal.SIGINT, 10.0, False)),
    ]


def test_k_kills_what_drains_and_leaves_what_is_at_work_alone() -> None:
    supervisor = at_work()
    assert press(supervisor, "k", 2.0) == []
    press(supervisor, "r", 3.0)
    assert effects.KillWorker(1) in press(supervisor, "k", 4.0)


def test_q_drains_and_ends_and_a_second_q_does_nothing_more() -> None:
    supervisor = at_work()
    assert effects.StopWorker(1) in press(supervisor, "q", 2.0)
    assert press(supervisor, "q", 2.5) == []
    supervisor.handle(events.WorkerExited(1, events.ExitStatus(code=0)), 3.0)
    supervisor.handle(events.OutputFlushed(), 3.1)
    assert supervisor.finished
    assert supervisor.exit_code == 0


def test_while_paused_changes_wait_and_are_looked_at_afterwards() -> None:
    supervisor = at_work()
    assert press(supervisor, "p", 2.0) == [effects.Tell(notices.Paused())]
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 2.1)
    assert supervisor.deadline is None
    assert supervisor.handle(events.DeadlinePassed(), 3.0) == []
    assert press(supervisor, "p", 10.0) == [
        effects.Tell(notices.Unpaused()),
        effects.CompareTree(None),
    ]


def test_a_start_that_is_due_looks_at_the_tree_even_while_paused() -> None:
    supervisor = at_work()
    press(supervisor, "p", 2.0)
    press(supervisor, "r", 3.0)
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 3.1)
    assert supervisor.handle(events.WorkerExited(1, events.ExitStatus(code=0)), 3.2) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset({"/p/a.py"})),
    ]


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("c", effects.ClearScreen()),
        ("h", effects.Tell(notices.KeysAre())),
        ("?", effects.Tell(notices.KeysAre())),
        ("\r", effects.ShowEmptyLine()),
        ("\n", effects.ShowEmptyLine()),
    ],
)
def test_keys_that_only_show_something(key: str, effect: effects.Effect) -> None:
    assert press(at_work(), key, 2.0) == [effect]


def test_other_keys_mean_nothing() -> None:
    assert press(at_work(), "x", 2.0) == []


def test_s_and_reloader_status_tell_the_same_of_a_worker_at_work() -> None:
    supervisor = at_work()
    status = status_of(supervisor, 11.0)
    assert press(supervisor, "s", 11.0) == [effects.Tell(status)]
    assert status == notices.Status(
        state="ready",
        generation=1,
        generations=(notices.StatusOf("ready", 100, 1, 11.0, events.WarmStart()),),
        paused=False,
        pending=(),
        last_start=notices.LastStart(1, (), 1.0, 0.0, None, 1.0, events.WarmStart(), 10.0),
        template=notices.TemplateIs("none"),
    )


def test_status_before_the_worker_was_ever_ready() -> None:
    supervisor = Supervisor(Settings(command=("w",), ready="ready", stop_signal=2))
    supervisor.start(0.0)
    status = status_of(supervisor, 0.5)
    assert status.state == "starting"
    assert status.last_start is None
    assert status.generations == (notices.StatusOf("starting", None, 1, 0.5, None),)


def test_a_status_whose_starts_cannot_be_warm_says_why() -> None:
    supervisor = Supervisor(Settings(command=("w",), ready="ready", stop_signal=2, why_cold="--cold"))
    supervisor.start(0.0)
    supervisor.handle(events.WorkerStarted(1, 100), 0.1)
    supervisor.handle(events.WorkerReady(1), 1.0)
    status = status_of(supervisor, 2.0)
    cold = events.ColdStart("--cold")
    assert status.last_start is not None
    assert [status.generations[0].start_kind, status.last_start.start_kind] == [cold, cold]


def test_a_start_that_was_lost_is_made_again() -> None:
    supervisor = Supervisor(Settings(command=("w",), stop_signal=2))
    supervisor.start(0.0)
    assert status_of(supervisor, 0.1).last_start is None
    lost = events.LaunchLost(1, "stale")
    assert supervisor.handle(lost, 0.2) == [effects.StartWorker(1, "stale")]


def test_status_tells_what_waits_and_for_how_long() -> None:
    supervisor = at_work(on_exit=OnExit.RESTART)
    supervisor.handle(events.WorkerExited(1, BROKEN), 2.0)
    assert status_of(supervisor, 2.1).pending == (notices.Pending(notices.Wait.RETRY, (), 2.5 - 2.1),)
    press(supervisor, "p", 2.2)
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 2.2)
    waits = status_of(supervisor, 2.3)
    assert waits.paused
    assert waits.pending[1:] == (notices.Pending(notices.Wait.LOOK),)


def test_status_tells_of_changes_that_are_held_and_of_a_start_that_is_due() -> None:
    supervisor = at_work(check="true")
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    assert status_of(supervisor, 2.1).pending == (notices.Pending(notices.Wait.CHECK, (A,)),)
    supervisor.handle(events.PreflightFailed(1, "true", ("no",)), 3.0)
    assert status_of(supervisor, 3.1).pending == (notices.Pending(notices.Wait.MEND, (A,)),)
    press(supervisor, "r", 4.0)
    status = status_of(supervisor, 4.1)
    assert supervisor.worker.shown_state is GenerationState.DRAINING
    assert status.state == "draining"
    assert notices.Pending(notices.Wait.START, ()) in status.pending


def test_status_tells_that_git_is_waited_for() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 2.0)
    supervisor.handle(events.DeadlinePassed(), 2.05)
    assert supervisor.handle(events.TreeBusy("a rebase"), 2.06) == [
        effects.Tell(notices.WaitingForGit("a rebase"))
    ]
    assert status_of(supervisor, 2.07).pending == (notices.Pending(notices.Wait.GIT),)
