"""Stories: what happens, line by line, and what must come out."""

from __future__ import annotations

import signal

from reloader.deciding.restart_limit import MOMENT, MOST, WINDOW
from reloader.deciding.supervisor import PASSED_ON, Supervisor
from reloader.deciding.transitions import GenerationState
from reloader.messages import effects, events, notices
from reloader.settings import OnExit, Settings, Tty

OK = events.ExitStatus(code=0)
A = events.Change("/p/a.py", events.Kind.CHANGED)
B = events.Change("/p/b.py", events.Kind.CHANGED)


def at_work(**given: object) -> Supervisor:
    """A supervisor whose first worker is ready at 1.0."""
    wanted = {"ready": "ready", "stop_signal": signal.SIGINT, "tty": Tty.NEVER, **given}
    settings = Settings(("w",), name="w", **wanted)  # type: ignore[arg-type]
    supervisor = Supervisor(settings)
    assert supervisor.start(0.0) == [effects.StartWorker(1), effects.BeginWatching()]
    supervisor.handle(events.WorkerStarted(1, 100), 0.1)
    supervisor.handle(events.WorkerReady(1), 1.0)
    assert supervisor.worker.shown_state is GenerationState.READY
    return supervisor


def draining(*changes: events.Change, pid: int = 100, quitting: bool = False) -> effects.Tell:
    return effects.Tell(notices.Draining(pid, changes, signal.SIGINT, 10.0, quitting))


def test_a_hint_is_compared_after_the_quiet_period_and_a_change_restarts() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 2.0) == []
    assert supervisor.deadline == 2.05
    assert supervisor.handle(events.DeadlinePassed(), 2.05) == [effects.CompareTree(frozenset({"/p/a.py"}))]
    assert supervisor.handle(events.TreeCompared((A,)), 2.06) == [effects.StopWorker(1), draining(A)]
    assert supervisor.handle(events.WorkerExited(1, OK), 2.5) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset()),
    ]
    assert supervisor.handle(events.BaselineTaken(2), 2.51) == [effects.StartWorker(2)]


def test_hints_that_change_nothing_restart_nothing() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeTouched(None), 2.0)
    assert supervisor.handle(events.DeadlinePassed(), 2.05) == [effects.CompareTree(None)]
    assert supervisor.handle(events.TreeCompared(()), 2.06) == [effects.Tell(notices.NothingChanged())]
    assert supervisor.worker.shown_state is GenerationState.READY


def test_every_hint_prolongs_the_quiet_period_up_to_the_cap() -> None:
    supervisor = at_work()
    for tick in range(50):
        result = supervisor.handle(events.TreeTouched(frozenset({f"/p/{tick}"})), 2.0 + tick * 0.04)
        assert result == []
    assert supervisor.deadline == 4.0
    (effect,) = supervisor.handle(events.DeadlinePassed(), 4.0)
    assert isinstance(effect, effects.CompareTree)
    assert effect.paths is not None
    assert len(effect.paths) == 50


def test_a_change_during_the_drain_is_told_and_is_no_second_restart() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    supervisor.handle(events.TreeTouched(frozenset({"/p/b.py"})), 2.1)
    assert supervisor.handle(events.DeadlinePassed(), 2.15) == [effects.CompareTree(frozenset({"/p/b.py"}))]
    assert supervisor.handle(events.TreeCompared((A, B)), 2.16) == [
        effects.Tell(notices.ChangesMeanwhile((B,)))
    ]
    assert supervisor.handle(events.TreeCompared((A, B)), 2.17) == []
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset()),
    ]


def test_the_snapshot_waits_for_the_quiet_period_of_hints_that_still_come() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    supervisor.handle(events.TreeTouched(frozenset({"/p/b.py"})), 2.98)
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [effects.ReapWorker(1)]
    assert supervisor.handle(events.DeadlinePassed(), 3.04) == [
        effects.TakeBaseline(2, frozenset({"/p/b.py"}))
    ]
    assert supervisor.handle(events.BaselineTaken(2), 3.05) == [effects.StartWorker(2)]


def test_hints_after_the_snapshot_was_ordered_are_compared_with_it() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 3.0)
    supervisor.handle(events.TreeTouched(frozenset({"/p/b.py"})), 3.1)
    assert supervisor.handle(events.DeadlinePassed(), 3.15) == [effects.CompareTree(frozenset({"/p/b.py"}))]
    assert supervisor.deadline == 8.0


def test_a_snapshot_that_never_comes_does_not_keep_the_worker_from_starting() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 3.0)
    assert supervisor.deadline == 8.0
    assert supervisor.handle(events.DeadlinePassed(), 8.0) == [effects.StartWorker(2)]
    assert supervisor.handle(events.BaselineTaken(2), 9.0) == []


def test_a_change_during_the_start_drains_the_half_started_worker() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 3.0)
    supervisor.handle(events.BaselineTaken(2), 3.0)
    supervisor.handle(events.WorkerStarted(2, 200), 3.0)
    assert supervisor.handle(events.TreeCompared((B,)), 3.1) == [effects.StopWorker(2), draining(B, pid=200)]


def test_the_folders_to_watch_are_passed_on_and_the_tree_is_told() -> None:
    supervisor = at_work()
    folders = frozenset({("/p", 1, 2)})
    assert supervisor.handle(events.FoldersChanged(folders), 2.0) == [effects.WatchFolders(folders)]
    assert supervisor.handle(events.TreeKnown(3, 1), 2.0) == [effects.Tell(events.TreeKnown(3, 1))]


def test_the_first_interrupt_drains_and_the_second_kills() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0) == [
        effects.StopWorker(1),
        draining(quitting=True),
    ]
    assert supervisor.handle(events.SignalReceived(signal.SIGINT), 2.5) == [
        effects.Tell(notices.Killing(100, None)),
        effects.KillWorker(1),
    ]
    killed = events.ExitStatus(signal=9)
    assert supervisor.handle(events.WorkerExited(1, killed), 2.6) == [
        effects.ReapWorker(1),
        effects.FlushOutput(),
    ]
    supervisor.handle(events.OutputFlushed(), 2.7)
    assert supervisor.finished
    assert supervisor.died_by == signal.SIGINT


def test_a_drained_end_is_status_0_and_a_killed_one_is_not() -> None:
    for drained in (True, False):
        supervisor = at_work()
        supervisor.handle(events.SignalReceived(signal.SIGTERM), 2.0)
        if not drained:
            supervisor.handle(events.DeadlinePassed(), 12.0)
        result = supervisor.handle(events.WorkerExited(1, OK), 12.5)
        told: list[effects.Effect] = [effects.Tell(notices.Drained(10.5))] if drained else []
        assert result == [effects.ReapWorker(1), *told, effects.FlushOutput()]
        supervisor.handle(events.OutputFlushed(), 12.6)
        assert supervisor.finished
        assert (supervisor.exit_code, supervisor.died_by) == (0 if drained else 1, None)


def test_a_hangup_drains_and_may_come_twice() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.SignalReceived(signal.SIGHUP), 2.0) == [
        effects.StopWorker(1),
        draining(quitting=True),
    ]
    assert supervisor.handle(events.SignalReceived(signal.SIGHUP), 2.1) == []
    assert supervisor.handle(events.SignalReceived(signal.SIGTERM), 2.2) == []
    assert supervisor.handle(events.SignalReceived(signal.SIGTERM), 2.5) == [
        effects.Tell(notices.Killing(100, None)),
        effects.KillWorker(1),
    ]


def test_a_manager_that_signals_all_may_be_late_once() -> None:
    supervisor = at_work()
    first = events.SignalReceived(signal.SIGINT, repeated_within=3.0)
    assert effects.StopWorker(1) in supervisor.handle(first, 2.0)
    assert supervisor.handle(first, 2.0 + 2 * PASSED_ON) == []
    assert effects.KillWorker(1) in supervisor.handle(first, 2.0 + 3 * PASSED_ON)


def test_the_same_signal_passed_on_by_a_manager_is_the_same_wish() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    assert supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0 + PASSED_ON - 0.01) == []
    again = supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0 + 2 * PASSED_ON)
    assert again == [effects.Tell(notices.Killing(100, None)), effects.KillWorker(1)]


def test_a_managers_term_right_after_the_terminals_interrupt_is_the_same_wish() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    assert supervisor.handle(events.SignalReceived(signal.SIGTERM), 2.1) == []
    assert supervisor.handle(events.SignalReceived(signal.SIGTERM), 5.1) == [
        effects.Tell(notices.Killing(100, None)),
        effects.KillWorker(1),
    ]


def test_a_reader_that_does_not_read_can_be_left_by_a_second_interrupt() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    supervisor.handle(events.WorkerExited(1, OK), 2.5)
    assert not supervisor.finished
    supervisor.handle(events.SignalReceived(signal.SIGINT), 9.0)
    assert supervisor.finished


def test_after_a_kill_output_is_not_waited_for_without_limit() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.4)
    supervisor.handle(events.WorkerExited(1, OK), 2.5)
    assert supervisor.deadline == 3.5
    supervisor.handle(events.DeadlinePassed(), 3.5)
    assert supervisor.finished


def test_when_nobody_reads_the_output_the_worker_is_drained_and_all_is_well() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.OutputClosed(), 2.0) == [effects.StopWorker(1), draining(quitting=True)]
    assert supervisor.handle(events.OutputClosed(), 2.0) == []
    supervisor.handle(events.WorkerExited(1, OK), 2.5)
    supervisor.handle(events.OutputFlushed(), 2.5)
    assert (supervisor.finished, supervisor.exit_code, supervisor.died_by) == (True, 0, None)


def test_a_fault_of_ours_drains_and_is_status_1() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.SourceFailed("watcher", "boom"), 2.0) == [
        effects.Tell(events.SourceFailed("watcher", "boom")),
        effects.StopWorker(1),
        draining(quitting=True),
    ]
    assert supervisor.exit_code == 1


def test_on_exit_quit_passes_status_and_signal_on() -> None:
    for status, code, died_by in (
        (events.ExitStatus(code=3), 3, None),
        (events.ExitStatus(signal=11), 0, 11),
    ):
        supervisor = at_work(on_exit=OnExit.QUIT)
        supervisor.handle(events.WorkerExited(1, status), 2.0)
        supervisor.handle(events.OutputFlushed(), 2.0)
        assert supervisor.finished
        assert (supervisor.exit_code, supervisor.died_by) == (code, died_by)


def test_a_check_that_succeeds_after_the_worker_ended_the_run_starts_nothing() -> None:
    supervisor = at_work(on_exit=OnExit.QUIT, check="true")
    supervisor.handle(events.TreeCompared((A,), state=1), 2.0)
    assert effects.FlushOutput() in supervisor.handle(events.WorkerExited(1, OK), 2.1)
    assert supervisor.handle(events.PreflightPassed(1), 2.2) == [effects.LookAtPrompt(1)]
    assert supervisor.handle(events.PromptSeen(1, False), 2.2) == []


def test_a_command_that_cannot_be_run_ends_the_run() -> None:
    supervisor = Supervisor(Settings(command=("w",)))
    supervisor.start(0.0)
    failure = events.StartFailed(1, "cannot run w", "look", 127)
    assert supervisor.handle(failure, 0.0) == [effects.ReapWorker(1), effects.FlushOutput()]
    supervisor.handle(events.OutputFlushed(), 0.0)
    assert supervisor.finished
    assert supervisor.start_failure == failure


# --- what the processes tell ----------------------------------------------------------------------

SUDO = (events.ProcessInfo(101, "sudo"),)


def test_what_holds_at_every_restart_is_told_once_in_a_run() -> None:
    supervisor = at_work()
    for event in (
        *(events.TargetDoubtful(1, SUDO), events.TargetUnmoved(1, SUDO), events.SignalRefused(1, SUDO)),
    ):
        assert supervisor.handle(event, 2.0) == [effects.Tell(event)]
        assert supervisor.handle(event, 3.0) == []


def test_of_a_worker_that_cannot_be_signalled_no_endless_drain_is_awaited() -> None:
    supervisor = at_work(stop_timeout=None)
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    supervisor.handle(events.SignalRefused(1, SUDO), 2.1)
    kill_at = 2.1 + supervisor.settings.kill_timeout
    assert effects.KillWorker(1) in supervisor.handle(events.DeadlinePassed(), kill_at)


def test_a_refusal_that_is_known_too_late_changes_nothing() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.SignalRefused(7, SUDO), 2.0) == [
        effects.Tell(events.SignalRefused(7, SUDO))
    ]
    assert supervisor.worker.shown_state is GenerationState.READY


def test_a_guard_that_is_lost_is_told_and_the_worker_started_again_when_it_has_drained() -> None:
    supervisor = at_work()
    assert supervisor.handle(events.GuardLost(1), 2.0) == [
        effects.Tell(events.GuardLost(1)),
        effects.StopWorker(1),
        draining(),
    ]
    assert supervisor.handle(events.WorkerExited(1, OK), 3.0) == [
        effects.ReapWorker(1),
        effects.TakeBaseline(2, frozenset()),
    ]


def test_without_memory_for_two_the_old_one_drains_first() -> None:
    supervisor = at_work(overlap=True)
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    short = events.MemoryShort(2, needed=200, free=100)
    assert supervisor.handle(short, 2.01)[:2] == [effects.Tell(short), effects.StopWorker(1)]


def test_a_new_one_that_finds_the_port_of_the_old_one_in_use_starts_again_after_it() -> None:
    supervisor = at_work(overlap=True)
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    assert supervisor.handle(events.BaselineTaken(2), 2.1) == [effects.StartWorker(2)]
    supervisor.handle(events.WorkerStarted(2, 200), 2.2)
    assert supervisor.handle(events.AddressTaken(2, ("8000",)), 2.3) == []
    assert supervisor.handle(events.WorkerExited(2, events.ExitStatus(code=1)), 2.4)[:3] == [
        effects.ReapWorker(2),
        effects.Tell(notices.AddressInUse(("8000",), 2)),
        effects.StopWorker(1),
    ]


def test_a_worker_that_is_ready_is_learned_from_once() -> None:
    settings = Settings(command=("w",), python=True, ready="ready", program=("python", "w.py"), warm=True)
    assert settings.learns
    supervisor = Supervisor(settings)
    supervisor.start(0.0)
    supervisor.handle(events.WorkerStarted(1, 100), 0.1)
    assert effects.LearnFromWorker() in supervisor.handle(events.WorkerReady(1), 1.0)
    assert effects.LearnFromWorker() not in supervisor.handle(events.WorkerReady(1), 1.1)


# --- files that cause restart after restart -------------------------------------------------------


def test_a_file_that_the_worker_writes_is_set_aside_and_looked_at_again_once_left_alone() -> None:
    written = events.Change("/p/export.csv", events.Kind.CHANGED)
    supervisor = at_work(on_exit=OnExit.WAIT)
    for number in range(1, MOST + 1):
        now = 2.0 + number
        assert effects.StopWorker(number) in supervisor.handle(events.TreeCompared((written,)), now)
        supervisor.handle(events.WorkerExited(number, OK), now + 0.1)
        supervisor.handle(events.BaselineTaken(number + 1), now + 0.2)
        supervisor.handle(events.WorkerStarted(number + 1, 100 + number), now + 0.3)
        supervisor.handle(events.WorkerReady(number + 1), now + 0.4)
    assert supervisor.handle(events.TreeCompared((written,)), 12.0) == [
        effects.Tell(notices.SetAside(written.path, MOST, WINDOW, MOMENT))
    ]
    assert supervisor.handle(events.TreeCompared((written,)), 12.5) == [effects.Tell(notices.NothingNew())]
    # Left alone since then.
    assert supervisor.deadline == 12.5 + MOMENT
    supervisor.handle(events.DeadlinePassed(), 14.5)
    assert supervisor.handle(events.DeadlinePassed(), 14.6) == [
        effects.CompareTree(frozenset({written.path}))
    ]
    assert effects.StopWorker(MOST + 1) in supervisor.handle(events.TreeCompared((written,)), 14.7)


# --- our terminal ---------------------------------------------------------------------------------


def test_a_new_size_of_our_terminal_is_the_workers_too() -> None:
    assert at_work().handle(events.SignalReceived(signal.SIGWINCH), 2.0) == [effects.FollowSize()]


def test_brought_to_the_foreground_we_read_the_terminal_and_take_over_its_size() -> None:
    assert at_work().handle(events.CameToForeground(), 2.0) == [effects.TakeTerminal(), effects.FollowSize()]


def test_ended_children_are_collected() -> None:
    assert at_work().handle(events.SignalReceived(signal.SIGCHLD), 2.0) == [effects.ReapOrphans()]


def test_hints_after_the_quit_change_nothing() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.0)
    assert supervisor.handle(events.TreeCompared((A,)), 2.1) == []


def test_no_time_passes_while_everything_is_suspended() -> None:
    supervisor = at_work()
    supervisor.handle(events.SignalReceived(signal.SIGTERM), 10.0)
    assert supervisor.worker.deadline == 11.0
    assert supervisor.handle(events.SignalReceived(signal.SIGTSTP), 10.5) == [effects.Suspend()]
    assert not supervisor.deadline
    # What was in the queue before us comes first.
    assert supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 70.5) == []
    assert supervisor.handle(events.Resumed(60.0), 70.5) == []
    assert supervisor.worker.deadline == 71.0


# --- Ctrl-C at a prompt ---------------------------------------------------------------------------


def test_ctrl_c_at_a_prompt_is_the_workers_and_twice_it_is_ours() -> None:
    supervisor = at_work()
    typed = events.SignalReceived(signal.SIGINT, at_prompt=True)
    assert supervisor.handle(typed, 2.0) == [effects.Tell(notices.InterruptPassed()), effects.PassInterrupt()]
    # Told once: it would come between every prompt and the next.
    assert supervisor.handle(typed, 4.0) == [effects.PassInterrupt()]
    assert supervisor.handle(typed, 6.0) == [effects.PassInterrupt()]
    assert effects.StopWorker(1) in supervisor.handle(typed, 6.5)
    # From here on it is as always, wherever the worker reads.
    assert effects.KillWorker(1) in supervisor.handle(typed, 7.0)


def test_other_signals_are_never_the_workers() -> None:
    assert effects.StopWorker(1) in at_work().handle(events.SignalReceived(signal.SIGTERM), 2.0)
    assert effects.StopWorker(1) in at_work().handle(events.SignalReceived(signal.SIGINT), 2.0)


def test_where_nothing_runs_any_save_starts_it() -> None:
    """Seen to fail before: a touch after a crash was told as a save with the same content."""
    supervisor = at_work(on_exit=OnExit.WAIT)
    supervisor.handle(events.WorkerExited(1, events.ExitStatus(code=1)), 5.0)
    same = events.Unchanged("/p/a.py", events.Sameness.BYTES)
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 6.0)
    supervisor.handle(events.DeadlinePassed(), 6.05)
    (told, prepare) = supervisor.handle(events.TreeCompared((), (same,)), 6.1)
    saved = events.Change("/p/a.py", events.Kind.SAVED)
    assert told == effects.Tell(notices.StartingAgain((saved,)))
    assert isinstance(prepare, effects.TakeBaseline)


def test_what_the_worker_itself_has_touched_before_its_end_does_not_start_it() -> None:
    supervisor = at_work(on_exit=OnExit.WAIT)
    supervisor.handle(events.TreeTouched(frozenset({"/p/a.py"})), 4.99)
    supervisor.handle(events.WorkerExited(1, OK), 5.0)
    supervisor.handle(events.DeadlinePassed(), 5.1)
    same = (events.Unchanged("/p/a.py", events.Sameness.BYTES),)
    assert supervisor.handle(events.TreeCompared((), same), 5.2) == [
        effects.Tell(notices.WasUnchanged(same)),
    ]


# --- other settings -------------------------------------------------------------------------------

OTHER = events.Change("/p/reloader.toml", events.Kind.SETTINGS)


def ended(supervisor: Supervisor) -> bool:
    """Whether the run is over once the worker has ended and its output is written."""
    supervisor.handle(events.WorkerExited(1, OK), 3.0)
    supervisor.handle(events.OutputFlushed(), 3.1)
    return supervisor.finished


def test_other_settings_end_the_run_to_begin_anew() -> None:
    supervisor = at_work()
    told = effects.Tell(notices.BeginningAnew((OTHER,)))
    expected = [told, effects.StopWorker(1), draining(quitting=True)]
    assert supervisor.handle(events.TreeCompared((OTHER,)), 2.0) == expected
    assert ended(supervisor)
    assert supervisor.begins_anew


def test_a_start_that_is_due_is_not_made_with_the_old_settings() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((A,)), 2.0)
    result = supervisor.handle(events.TreeCompared((A, OTHER)), 2.1)
    assert result[0] == effects.Tell(notices.BeginningAnew((A, OTHER)))
    assert ended(supervisor)
    assert supervisor.begins_anew


def test_broken_code_keeps_the_old_settings_at_work() -> None:
    supervisor = at_work(python=True)
    preflight = supervisor.handle(events.TreeCompared((A, OTHER)), 2.0)
    assert [type(effect) for effect in preflight] == [effects.Preflight]
    supervisor.handle(events.PreflightFailed(1, None, ("bad",)), 2.1)
    assert supervisor.worker.shown_state is GenerationState.READY
    assert not supervisor.begins_anew


def test_ctrl_c_ends_the_run_for_good() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((OTHER,)), 2.0)
    assert supervisor.handle(events.SignalReceived(signal.SIGINT), 2.1) == []
    assert ended(supervisor)
    assert not supervisor.begins_anew
    assert supervisor.exit_code == 0


def test_a_second_ctrl_c_kills_then_too() -> None:
    supervisor = at_work()
    supervisor.handle(events.TreeCompared((OTHER,)), 2.0)
    supervisor.handle(events.SignalReceived(signal.SIGINT), 2.1)
    assert effects.KillWorker(1) in supervisor.handle(events.SignalReceived(signal.SIGINT), 2.9)
    assert not supervisor.begins_anew


def test_a_run_that_ends_with_its_worker_does_not_take_its_status_over() -> None:
    supervisor = at_work(on_exit=OnExit.QUIT)
    supervisor.handle(events.TreeCompared((OTHER,)), 2.0)
    supervisor.handle(events.WorkerExited(1, events.ExitStatus(signal=9)), 3.0)
    supervisor.handle(events.OutputFlushed(), 3.1)
    assert supervisor.finished
    assert supervisor.begins_anew
