"""Preflight before a working worker is stopped: stories with the supervisor."""

from __future__ import annotations

import signal
from dataclasses import replace

from reloader.deciding.gate import PROMPT_LIMIT, Gate
from reloader.deciding.hints import GIT_PATIENCE, GIT_PAUSE
from reloader.deciding.lives import Life
from reloader.deciding.supervisor import Supervisor
from reloader.effects import (
    CancelPreflight,
    CompareTree,
    Effect,
    Preflight,
    ReapWorker,
    StartWorker,
    StopWorker,
    TakeBaseline,
    Tell,
)
from reloader.events import (
    BaselineTaken,
    Change,
    DeadlinePassed,
    ExitStatus,
    Kind,
    PreflightFailed,
    PreflightPassed,
    PromptAwaited,
    Sameness,
    SignalReceived,
    TreeBusy,
    TreeCompared,
    TreeTouched,
    Unchanged,
    WorkerExited,
    WorkerReady,
    WorkerStarted,
)
from reloader.notices import (
    AwaitingPrompt,
    Checking,
    Draining,
    Held,
    NothingNew,
    PromptStays,
    Released,
    StartingAgain,
    WaitingForGit,
    WasUnchanged,
)
from reloader.settings import Settings, Tty

OK = ExitStatus(code=0)
A = Change("/p/a.py", Kind.CHANGED)
B = Change("/p/b.py", Kind.CHANGED)
GONE = Change("/p/gone.py", Kind.DELETED)
CONF = Change("/p/conf.toml", Kind.CHANGED)
REPORT = ("SyntaxError: invalid syntax",)


def at_work(**given: object) -> Supervisor:
    """A supervisor whose first worker is ready at 1.0."""
    supervisor = Supervisor(Settings(command=("w",), python=True, ready="ready", stop_signal=2, **given))  # type: ignore[arg-type]
    supervisor.start(0.0)
    supervisor.handle(WorkerStarted(1, 100), 0.1)
    supervisor.handle(WorkerReady(1), 1.0)
    return supervisor


def draining(*changes: Change) -> list[Effect]:
    return [StopWorker(1), Tell(Draining(100, changes, signal.SIGINT, 10.0, False))]


def test_changed_sources_are_looked_at_before_the_worker_is_stopped() -> None:
    supervisor = at_work()
    assert supervisor.handle(TreeCompared((A, CONF, GONE), state=1), 2.0) == [Preflight(1, (A.path,))]
    assert supervisor.worker.state is Life.READY
    assert supervisor.handle(PreflightPassed(1), 2.1) == draining(A, CONF, GONE)


def test_what_cannot_be_broken_restarts_at_once() -> None:
    assert at_work().handle(TreeCompared((CONF,), state=1), 2.0) == draining(CONF)
    assert at_work(hold=False, check="x").handle(TreeCompared((A,), state=1), 2.0) == draining(A)


def test_with_what_is_deleted_the_folder_may_be_gone() -> None:
    supervisor = at_work()
    assert supervisor.handle(TreeCompared((CONF, GONE), state=1), 2.0) == [Preflight(1, ())]
    missing = PreflightFailed(1, None, (), "/p")
    assert supervisor.handle(missing, 2.1) == [Tell(Held((CONF, GONE), None, (), "/p"))]
    back = (Change("/p", Kind.REPLACED),)
    assert supervisor.handle(TreeCompared(back, state=2), 3.0) == draining(*back)


def test_broken_code_is_held_until_a_save_mends_it() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    assert supervisor.handle(PreflightFailed(1, None, REPORT), 2.1) == [Tell(Held((A,), None, REPORT))]
    assert supervisor.worker.state is Life.READY
    assert supervisor.handle(TreeCompared((A,), state=1), 3.0) == [Tell(NothingNew())]
    assert supervisor.handle(TreeCompared((A,), state=2), 4.0) == [Preflight(2, (A.path,))]
    assert supervisor.handle(PreflightPassed(2), 4.1) == draining(A)


def test_broken_code_that_is_undone_is_let_go() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    supervisor.handle(PreflightFailed(1, None, REPORT), 2.1)
    same = (Unchanged(A.path, Sameness.BYTES),)
    assert supervisor.handle(TreeCompared((), same, 2), 3.0) == [Tell(WasUnchanged(same)), Tell(Released())]
    assert supervisor.handle(TreeCompared((A,), state=3), 4.0) == [Preflight(2, (A.path,))]


def test_a_newer_change_gives_up_the_check() -> None:
    supervisor = at_work(check="c")
    assert supervisor.handle(TreeCompared((A,), state=1), 2.0) == [
        Tell(Checking((A,), "c")),
        Preflight(1, (A.path,)),
    ]
    assert supervisor.handle(TreeCompared((A, B), state=2), 3.0) == [
        CancelPreflight(),
        Tell(Checking((A, B), "c")),
        Preflight(2, (A.path, B.path)),
    ]
    assert supervisor.handle(PreflightPassed(1), 3.1) == []
    assert supervisor.handle(PreflightFailed(1, "c", REPORT), 3.1) == []
    assert supervisor.handle(PreflightPassed(2), 3.2) == draining(A, B)


def test_quitting_gives_up_the_check() -> None:
    supervisor = at_work(check="c")
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    effects = supervisor.handle(SignalReceived(signal.SIGINT), 2.5)
    assert effects[:2] == [CancelPreflight(), StopWorker(1)]
    assert supervisor.handle(PreflightPassed(1), 2.6) == []


def test_a_worker_that_does_not_work_is_started_without_a_look() -> None:
    supervisor = at_work()
    supervisor.handle(WorkerExited(1, OK), 2.0)
    assert supervisor.handle(TreeCompared((A,), state=1), 3.0) == [
        Tell(StartingAgain((A,))),
        TakeBaseline(2, frozenset()),
    ]


def test_a_worker_that_ends_during_the_check_is_started_once() -> None:
    supervisor = at_work(check="c")
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    supervisor.handle(WorkerExited(1, OK), 2.1)
    assert supervisor.handle(PreflightPassed(1), 2.2) == [
        Tell(StartingAgain((A,))),
        TakeBaseline(2, frozenset()),
    ]


# --- prompts --------------------------------------------------------------------------------------


def test_a_restart_waits_for_a_prompt_for_a_minute_and_then_for_one_more_change() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    assert supervisor.handle(PromptAwaited(1), 2.1) == [Tell(AwaitingPrompt(PROMPT_LIMIT))]
    # A change within the minute waits as well, and does not begin another one.
    assert supervisor.handle(TreeCompared((A, B), state=2), 30.0) == [
        CancelPreflight(),
        Preflight(2, (A.path, B.path)),
    ]
    assert supervisor.handle(PromptAwaited(1), 30.1) == [], "of a preflight that was given up"
    assert supervisor.handle(PromptAwaited(2), 30.2) == [Tell(AwaitingPrompt(PROMPT_LIMIT))]
    deadlines = [supervisor.deadline]
    assert supervisor.handle(DeadlinePassed(), 2.1 + PROMPT_LIMIT) == [Tell(PromptStays(PROMPT_LIMIT))]
    deadlines.append(supervisor.deadline)
    assert deadlines == [2.1 + PROMPT_LIMIT, None], "it is asked once"
    assert supervisor.handle(TreeCompared((A,), state=3), 90.0) == [
        CancelPreflight(),
        Preflight(3, (A.path,), even_at_prompt=True),
    ]
    assert supervisor.handle(PreflightPassed(3), 90.1) == draining(A)


def test_a_prompt_that_was_left_is_forgotten() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((A,), state=1), 2.0)
    supervisor.handle(PromptAwaited(1), 2.1)
    supervisor.handle(TreeCompared((), (Unchanged(A.path, Sameness.BYTES),), 2), 3.0)
    assert supervisor.deadline is None
    assert supervisor.handle(TreeCompared((A,), state=3), 90.0) == [Preflight(2, (A.path,))]


# --- Git at work ----------------------------------------------------------------------------------


def test_git_at_work_is_waited_for() -> None:
    supervisor = at_work()
    supervisor.handle(TreeTouched(frozenset({A.path})), 2.0)
    assert supervisor.handle(DeadlinePassed(), 2.05) == [CompareTree(frozenset({A.path}))]
    assert supervisor.handle(TreeBusy("rebase"), 2.06) == [Tell(WaitingForGit("rebase"))]
    assert supervisor.deadline == 2.06 + GIT_PAUSE
    supervisor.handle(TreeTouched(frozenset({B.path})), 2.07)
    assert supervisor.handle(DeadlinePassed(), 2.17) == [CompareTree(frozenset({A.path, B.path}))]
    assert supervisor.handle(TreeBusy("rebase"), 2.18) == []
    assert supervisor.handle(DeadlinePassed(), 2.3) == [CompareTree(frozenset({A.path, B.path}))]
    assert supervisor.handle(TreeCompared((A,), state=1), 2.4) == [Preflight(1, (A.path,))]


def test_a_git_that_waits_itself_is_not_waited_for() -> None:
    supervisor = at_work()
    supervisor.handle(TreeTouched(frozenset({A.path})), 2.0)
    supervisor.handle(DeadlinePassed(), 2.05)
    answer = supervisor.handle(TreeBusy("git"), 2.0 + GIT_PATIENCE)
    assert answer == [CompareTree(frozenset({A.path}), at_once=True)]
    assert supervisor.handle(TreeCompared((CONF,), state=1), 5.1) == draining(CONF)


def test_a_start_waits_for_git_too() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((CONF,), state=1), 2.0)
    supervisor.handle(TreeTouched(frozenset({B.path})), 2.9)
    assert supervisor.handle(WorkerExited(1, OK), 3.0) == [
        ReapWorker(1),
        TakeBaseline(2, frozenset({B.path})),
    ]
    assert supervisor.handle(TreeBusy("git", 2), 3.01) == [Tell(WaitingForGit("git"))]
    assert supervisor.handle(DeadlinePassed(), 3.01 + GIT_PAUSE) == [TakeBaseline(2, frozenset({B.path}))]
    supervisor.handle(BaselineTaken(2), 3.2)
    assert supervisor.worker.state is Life.STARTING


def test_an_earlier_look_that_met_git_orders_no_second_snapshot_for_the_start() -> None:
    supervisor = at_work()
    supervisor.handle(TreeCompared((CONF,), state=1), 2.0)
    supervisor.handle(TreeTouched(frozenset({B.path})), 2.9)
    assert supervisor.handle(DeadlinePassed(), 2.95) == [CompareTree(frozenset({B.path}))]
    assert supervisor.handle(WorkerExited(1, OK), 3.0) == [ReapWorker(1), TakeBaseline(2, frozenset())]
    supervisor.handle(TreeBusy("git"), 3.01)
    assert not any(isinstance(e, TakeBaseline) for e in supervisor.handle(DeadlinePassed(), 3.01 + GIT_PAUSE))
    # Taken twice, the second one would be of what was saved after the start.
    assert supervisor.handle(BaselineTaken(2), 3.2) == [StartWorker(2)]


def test_where_somebody_may_be_typing_even_a_change_of_settings_is_looked_at_first() -> None:
    settings = Settings(command=("w",), python=True, tty=Tty.AUTO)
    assert Gate(settings).wants_to_look((Change("/p/conf.toml", Kind.CHANGED),))
    assert not Gate(replace(settings, tty=Tty.NEVER)).wants_to_look((Change("/p/conf.toml", Kind.CHANGED),))
