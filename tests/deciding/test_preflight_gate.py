"""Preflight before a working worker is stopped: stories with the supervisor."""

from __future__ import annotations

import signal

from reloader.deciding.pending_changes import (
    FILES_GROW,
    FILES_PATIENCE,
    FILES_PAUSE,
    GIT_PATIENCE,
    GIT_PAUSE,
)
from reloader.deciding.preflight_gate import PROMPT_LIMIT, PROMPT_PAUSE, PreflightGate
from reloader.deciding.supervisor import Supervisor
from reloader.deciding.transitions import GenerationState
from reloader.messages import effects, events, notices
from reloader.settings import Settings, Tty

OK = events.ExitStatus(code=0)
A = events.Change("/p/a.py", events.Kind.CHANGED)
B = events.Change("/p/b.py", events.Kind.CHANGED)
GONE = events.Change("/p/gone.py", events.Kind.DELETED)
CONF = events.Change("/p/conf.toml", events.Kind.CHANGED)
REPORT = ("SyntaxError: invalid syntax",)


def at_work(**given: object) -> Supervisor:
    """A supervisor whose first worker is ready at 1.0."""
    settings = {"python": True, "ready": "ready", "stop_signal": 2, "tty": Tty.NEVER, **given}
    supervisor = Supervisor(Settings(("w",), **settings))  # type: ignore[arg-type]
    supervisor.start(0.0)
    supervisor.handle(events.WorkerStarted(1, 100), 0.1)
    supervisor.handle(events.WorkerReady(1), 1.0)
    return supervisor


def pass_preflight(supervisor: Supervisor, number: int, now: float) -> list[effects.Effect]:
    """It passes, and the worker asks for no input."""
    looked = supervisor.handle(events.PreflightPassed(number), now)
    assert looked == [effects.LookAtPrompt(number)]
    return supervisor.handle(events.PromptSeen(number, False), now)


def draining(*changes: events.Change) -> list[effects.Effect]:
    return [effects.StopWorker(1), effects.Tell(notices.Draining(100, changes, signal.SIGINT, 10.0, False))]


def test_changed_sources_are_looked_at_before_the_worker_is_stopped() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.TreeCompared((A, CONF, GONE), state=1), 2.0) == [
        effects.Preflight(1, (A.path,))
    ]
    assert supervisor.worker.shown_state is GenerationState.READY
    assert pass_preflight(supervisor, 1, 2.1) == draining(A, CONF, GONE)


def test_what_cannot_be_broken_restarts_at_once() -> None:
    assert at_work().handle(events.TreeCompared((CONF,), state=1), 2.0) == draining(CONF)
    assert at_work(hold=False, check="x").handle(events.TreeCompared((A,), state=1), 2.0) == draining(A)


def test_with_what_is_deleted_the_folder_may_be_gone() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.TreeCompared((CONF, GONE), state=1), 2.0) == [effects.Preflight(1, ())]
    missing = events.PreflightFailed(1, None, (), "/p")
    assert supervisor.handle(missing, 2.1) == [effects.Tell(notices.Held((CONF, GONE), None, (), "/p"))]
    back = (events.Change("/p", events.Kind.REPLACED),)
    assert supervisor.handle(events.TreeCompared(back, state=2), 3.0) == draining(*back)


def test_broken_code_is_held_until_a_save_mends_it() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    assert supervisor.handle(events.PreflightFailed(1, None, REPORT), 2.1) == [
        effects.Tell(notices.Held((A,), None, REPORT))
    ]
    assert supervisor.worker.shown_state is GenerationState.READY
    assert supervisor.handle(events.TreeCompared((A,), state=1), 3.0) == [effects.Tell(notices.NothingNew())]
    assert supervisor.handle(events.TreeCompared((A,), state=2), 4.0) == [effects.Preflight(2, (A.path,))]
    assert pass_preflight(supervisor, 2, 4.1) == draining(A)


def test_broken_code_that_the_worker_does_not_read_neither_holds_nor_restarts() -> None:
    supervisor = at_work()
    unread = frozenset({B.path})
    assert supervisor.handle(events.TreeCompared((B,), state=1, unread=unread), 2.0) == [
        effects.Preflight(1, (B.path,), unread)
    ]
    fault = events.Fault(B.path, REPORT[0])
    told = effects.Tell(notices.BrokenUnread((B.path,), REPORT[0]))
    assert supervisor.handle(events.PreflightPassed(1, (fault,)), 2.1) == [told]
    assert supervisor.worker.shown_state is GenerationState.READY
    assert supervisor.handle(events.TreeCompared((B,), state=1, unread=unread), 3.0) == [
        effects.Tell(notices.NothingNew())
    ]
    # Beside a good change it does not count; mended it does.
    both = events.TreeCompared((A, B), state=2, unread=unread)
    assert supervisor.handle(both, 4.0) == [effects.Preflight(2, (A.path, B.path), unread)]
    assert supervisor.handle(events.PreflightPassed(2, (fault,)), 4.1) == [told, effects.LookAtPrompt(2)]
    assert supervisor.handle(events.PromptSeen(2, False), 4.1) == draining(A)


def test_broken_code_that_the_worker_does_not_read_is_forgotten_when_it_is_undone() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((B,), state=1, unread=frozenset({B.path})), 2.0)
    supervisor.handle(events.PreflightPassed(1, (events.Fault(B.path, "x"),)), 2.1)
    same = (events.Unchanged(B.path, events.Sameness.BYTES),)
    assert supervisor.handle(events.TreeCompared((), same, 2), 3.0) == [
        effects.Tell(notices.WasUnchanged(same))
    ]
    assert supervisor.handle(events.TreeCompared((B,), state=3), 4.0) == [effects.Preflight(2, (B.path,))]
    assert pass_preflight(supervisor, 2, 4.1) == draining(B)


def test_what_a_worker_may_still_import_during_its_start_holds() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((CONF,), state=1), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 2.1)
    supervisor.handle(events.BaselineTaken(2), 2.2)
    supervisor.handle(events.WorkerStarted(2, 101), 2.3)
    result = supervisor.handle(events.TreeCompared((B,), state=2, unread=frozenset({B.path})), 2.4)
    assert result == [effects.Preflight(1, (B.path,))]


def test_broken_code_that_is_undone_is_let_go() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    supervisor.handle(events.PreflightFailed(1, None, REPORT), 2.1)
    same = (events.Unchanged(A.path, events.Sameness.BYTES),)
    assert supervisor.handle(events.TreeCompared((), same, 2), 3.0) == [
        effects.Tell(notices.WasUnchanged(same)),
        effects.Tell(notices.Released()),
    ]
    assert supervisor.handle(events.TreeCompared((A,), state=3), 4.0) == [effects.Preflight(2, (A.path,))]


def test_a_newer_change_gives_up_the_check() -> None:
    supervisor = at_work(check="c")
    assert supervisor.handle(events.TreeCompared((A,), state=1), 2.0) == [
        effects.Tell(notices.Checking((A,), "c")),
        effects.Preflight(1, (A.path,)),
    ]
    assert supervisor.handle(events.TreeCompared((A, B), state=2), 3.0) == [
        effects.CancelPreflight(),
        effects.Tell(notices.Checking((A, B), "c")),
        effects.Preflight(2, (A.path, B.path)),
    ]
    assert supervisor.handle(events.PreflightPassed(1), 3.1) == []
    assert supervisor.handle(events.PreflightFailed(1, "c", REPORT), 3.1) == []
    assert pass_preflight(supervisor, 2, 3.2) == draining(A, B)


def test_quitting_gives_up_the_check() -> None:
    supervisor = at_work(check="c")
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    result = supervisor.handle(events.SignalReceived(signal.SIGINT), 2.5)
    assert result[:2] == [effects.CancelPreflight(), effects.StopWorker(1)]
    assert supervisor.handle(events.PreflightPassed(1), 2.6) == []


def test_a_worker_that_does_not_work_is_started_without_a_look() -> None:
    supervisor = at_work()
    supervisor.handle(events.WorkerExited(1, OK), 2.0)
    assert supervisor.handle(events.TreeCompared((A,), state=1), 3.0) == [
        effects.Tell(notices.StartingAgain((A,))),
        effects.TakeBaseline(2, frozenset()),
    ]


def test_a_worker_that_ends_during_the_check_is_started_once() -> None:
    supervisor = at_work(check="c")
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 2.1)
    assert pass_preflight(supervisor, 1, 2.2) == [
        effects.Tell(notices.StartingAgain((A,))),
        effects.TakeBaseline(2, frozenset()),
    ]


# --- prompts --------------------------------------------------------------------------------------


TOLD = [effects.Tell(notices.AwaitingPrompt(PROMPT_LIMIT))]


def test_a_restart_waits_for_a_prompt_for_a_minute_and_then_for_one_more_change() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    assert supervisor.handle(events.PreflightPassed(1), 2.05) == [effects.LookAtPrompt(1)]
    assert supervisor.handle(events.PromptSeen(1, True), 2.1) == TOLD
    assert supervisor.deadline == 2.1 + PROMPT_PAUSE
    assert supervisor.handle(events.DeadlinePassed(), 2.1 + PROMPT_PAUSE) == [effects.LookAtPrompt(1)]
    assert supervisor.handle(events.PromptSeen(1, True), 2.3) == []
    # A change within the minute waits as well, and the minute goes on.
    assert supervisor.handle(events.TreeCompared((A, B), state=2), 30.0) == [
        effects.Preflight(2, (A.path, B.path))
    ]
    assert supervisor.handle(events.PromptSeen(1, False), 30.1) == [], "of changes that are not the newest"
    assert supervisor.handle(events.PreflightPassed(2), 30.1) == [effects.LookAtPrompt(2)]
    assert supervisor.handle(events.PromptSeen(2, True), 30.2) == TOLD
    late = 2.1 + PROMPT_LIMIT
    assert supervisor.handle(events.DeadlinePassed(), late) == [
        effects.LookAtPrompt(2),
        effects.Tell(notices.PromptStays(PROMPT_LIMIT)),
    ]
    assert supervisor.handle(events.PromptSeen(2, True), late) == []
    assert supervisor.handle(events.DeadlinePassed(), late + 1) == [effects.LookAtPrompt(2)], (
        "it is told once"
    )
    assert supervisor.handle(events.PromptSeen(2, True), late + 1) == []
    assert supervisor.handle(events.TreeCompared((A,), state=3), 90.0) == [effects.Preflight(3, (A.path,))]
    assert supervisor.handle(events.PreflightPassed(3), 90.1) == draining(A)


def test_a_restart_follows_once_nobody_is_asked_any_more() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    supervisor.handle(events.PreflightPassed(1), 2.05)
    supervisor.handle(events.PromptSeen(1, True), 2.1)
    supervisor.handle(events.DeadlinePassed(), 2.1 + PROMPT_PAUSE)
    assert supervisor.handle(events.PromptSeen(1, False), 2.3) == draining(A)


def test_a_prompt_that_was_left_is_forgotten() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    supervisor.handle(events.PreflightPassed(1), 2.05)
    supervisor.handle(events.PromptSeen(1, True), 2.1)
    supervisor.handle(events.TreeCompared((), (events.Unchanged(A.path, events.Sameness.BYTES),), 2), 3.0)
    assert supervisor.deadline is None
    assert supervisor.handle(events.TreeCompared((A,), state=3), 90.0) == [effects.Preflight(2, (A.path,))]


# --- Git at work ----------------------------------------------------------------------------------


def test_git_at_work_is_waited_for() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({A.path})), 2.0)
    assert supervisor.handle(events.DeadlinePassed(), 2.05) == [effects.CompareTree(frozenset({A.path}))]
    assert supervisor.handle(events.TreeBusy("rebase"), 2.06) == [
        effects.Tell(notices.WaitingForGit("rebase"))
    ]
    assert supervisor.deadline == 2.06 + GIT_PAUSE
    supervisor.handle(events.TreeTouched(frozenset({B.path})), 2.07)
    assert supervisor.handle(events.DeadlinePassed(), 2.17) == [
        effects.CompareTree(frozenset({A.path, B.path}))
    ]
    assert supervisor.handle(events.TreeBusy("rebase"), 2.18) == []
    assert supervisor.handle(events.DeadlinePassed(), 2.1 + PROMPT_PAUSE) == [
        effects.CompareTree(frozenset({A.path, B.path}))
    ]
    assert supervisor.handle(events.TreeCompared((A,), state=1), 2.4) == [effects.Preflight(1, (A.path,))]


def test_a_git_that_waits_itself_is_not_waited_for() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({A.path})), 2.0)
    supervisor.handle(events.DeadlinePassed(), 2.05)
    answer = supervisor.handle(events.TreeBusy("git"), 2.0 + GIT_PATIENCE)
    assert answer == [effects.CompareTree(frozenset({A.path}), at_once=True)]
    assert supervisor.handle(events.TreeCompared((CONF,), state=1), 5.1) == draining(CONF)


def test_a_git_that_waits_itself_delays_no_later_save_until_it_goes_on() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.0)
    supervisor.handle(events.DeadlinePassed(), 2.05)
    at_once = [effects.CompareTree(frozenset({CONF.path}), at_once=True)]
    assert supervisor.handle(events.TreeBusy("git", step="editor"), 2.0 + GIT_PATIENCE) == at_once
    supervisor.handle(events.TreeCompared((), state=1), 5.1)
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 8.0)
    assert supervisor.handle(events.DeadlinePassed(), 8.05) == [effects.CompareTree(frozenset({CONF.path}))]
    assert supervisor.handle(events.TreeBusy("git", step="editor"), 8.06) == at_once
    supervisor.handle(events.TreeCompared((), state=1), 8.1)
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 11.0)
    supervisor.handle(events.DeadlinePassed(), 11.05)
    assert supervisor.handle(events.TreeBusy("git", step="next"), 11.06) == [
        effects.Tell(notices.WaitingForGit("git"))
    ]


def test_a_git_that_waits_for_no_editor_is_waited_for_at_each_change() -> None:
    supervisor = at_work()
    for at in (2.0, 8.0):
        supervisor.handle(events.TreeTouched(frozenset({CONF.path})), at)
        supervisor.handle(events.DeadlinePassed(), at + 0.05)
        waiting = supervisor.handle(events.TreeBusy("git"), at + 0.06)
        assert waiting == [effects.Tell(notices.WaitingForGit("git"))]
        assert supervisor.handle(events.TreeBusy("git"), at + GIT_PATIENCE) == [
            effects.CompareTree(frozenset({CONF.path}), at_once=True)
        ]
        supervisor.handle(events.TreeCompared((), state=1), at + 3.1)


def test_a_start_waits_for_git_too() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((CONF,), state=1), 2.0)
    supervisor.handle(events.TreeTouched(frozenset({B.path})), 2.9)
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset({B.path})),
    ]
    assert supervisor.handle(events.TreeBusy("git", 2), 3.01) == [effects.Tell(notices.WaitingForGit("git"))]
    assert supervisor.handle(events.DeadlinePassed(), 3.01 + GIT_PAUSE) == [
        effects.TakeBaseline(2, frozenset({B.path}))
    ]
    supervisor.handle(events.BaselineTaken(2), 3.2)
    assert supervisor.worker.shown_state is GenerationState.LAUNCHING


def test_an_earlier_look_that_met_git_orders_no_second_snapshot_for_the_start() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((CONF,), state=1), 2.0)
    supervisor.handle(events.TreeTouched(frozenset({B.path})), 2.9)
    assert supervisor.handle(events.DeadlinePassed(), 2.95) == [effects.CompareTree(frozenset({B.path}))]
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset()),
    ]
    supervisor.handle(events.TreeBusy("git"), 3.01)
    assert not any(
        isinstance(e, effects.TakeBaseline)
        for e in supervisor.handle(events.DeadlinePassed(), 3.01 + GIT_PAUSE)
    )
    # Taken twice, the second one would be of what was saved after the start.
    assert supervisor.handle(events.BaselineTaken(2), 3.2) == [effects.StartWorker(2)]


# --- half-written files ---------------------------------------------------------------------------


def unfinished(how: events.Unfinished, generation: int | None = None) -> events.FilesUnfinished:
    return events.FilesUnfinished((CONF.path,), how, generation)


def test_an_empty_file_is_waited_for_and_then_taken_as_it_is() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.0)
    look = [effects.CompareTree(frozenset({CONF.path}))]
    assert supervisor.handle(events.DeadlinePassed(), 2.05) == look
    assert supervisor.handle(unfinished(events.Unfinished.EMPTY), 2.06) == [
        effects.Tell(notices.WaitingForFiles((CONF.path,), events.Unfinished.EMPTY, FILES_PATIENCE))
    ]
    assert supervisor.deadline == 2.06 + FILES_PAUSE
    assert supervisor.handle(events.DeadlinePassed(), 2.06 + FILES_PAUSE) == look
    assert supervisor.handle(unfinished(events.Unfinished.EMPTY), 2.3) == []
    assert supervisor.handle(events.DeadlinePassed(), 4.0) == look
    at_once = [effects.CompareTree(frozenset({CONF.path}), at_once=True)]
    assert supervisor.handle(unfinished(events.Unfinished.EMPTY), 4.07) == at_once
    assert supervisor.handle(events.TreeCompared((CONF,), state=1), 4.1) == draining(CONF)


def test_what_is_written_meanwhile_is_looked_at_after_the_quiet_period() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.0)
    supervisor.handle(events.DeadlinePassed(), 2.05)
    supervisor.handle(unfinished(events.Unfinished.EMPTY), 2.06)
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.07)
    assert supervisor.deadline is not None
    assert supervisor.deadline < 2.13


def test_a_growing_file_is_waited_for_longer() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.0)
    now = 2.05
    supervisor.handle(events.DeadlinePassed(), now)
    while now < 2.0 + FILES_GROW:
        assert not any(
            isinstance(effect, effects.CompareTree) and effect.at_once
            for effect in supervisor.handle(unfinished(events.Unfinished.GROWS), now)
        )
        now += FILES_PAUSE
        supervisor.handle(events.DeadlinePassed(), now)
    assert supervisor.handle(unfinished(events.Unfinished.GROWS), now + 0.1) == [
        effects.CompareTree(frozenset({CONF.path}), at_once=True)
    ]


def test_a_pause_of_one_that_grows_is_no_longer_than_that_of_another() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(frozenset({CONF.path})), 2.0)
    supervisor.handle(events.DeadlinePassed(), 2.05)
    supervisor.handle(unfinished(events.Unfinished.OPEN), 2.06)
    supervisor.handle(unfinished(events.Unfinished.GROWS), 4.0)
    assert supervisor.handle(unfinished(events.Unfinished.OPEN), 5.9) == []
    assert supervisor.handle(unfinished(events.Unfinished.OPEN), 4.0 + FILES_PATIENCE) == [
        effects.CompareTree(frozenset({CONF.path}), at_once=True)
    ]


def test_a_start_waits_for_half_written_files_too() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((CONF,), state=1), 2.0)
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset()),
    ]
    assert supervisor.handle(unfinished(events.Unfinished.IN_BLOCKS, 2), 3.01) == []
    assert supervisor.handle(events.DeadlinePassed(), 3.01 + FILES_PAUSE) == [
        effects.TakeBaseline(2, frozenset())
    ]
    supervisor.handle(events.BaselineTaken(2), 3.3)
    assert supervisor.worker.shown_state is GenerationState.LAUNCHING


def test_where_somebody_may_be_typing_even_a_change_of_settings_is_looked_at_first() -> None:
    settings = Settings(command=("w",), python=True, tty=Tty.AUTO)
    assert PreflightGate(settings).wants_to_look((events.Change("/p/conf.toml", events.Kind.CHANGED),))
    assert not PreflightGate(Settings(command=("w",), python=True, tty=Tty.NEVER)).wants_to_look(
        (events.Change("/p/conf.toml", events.Kind.CHANGED),)
    )
