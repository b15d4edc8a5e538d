"""The main loop of a run: an event comes in, the supervisor decides, the runtime performs."""

from __future__ import annotations

import os
import sys

# The module below queue, which imports more than these two: the worker's start waits for our imports.
from _queue import Empty, SimpleQueue
from collections.abc import Mapping
from time import monotonic

from reloader.app.runtime import Runtime
from reloader.common.run_folder import enter_run_folder
from reloader.deciding.introduction import introduced
from reloader.deciding.supervisor import Supervisor
from reloader.errors import ExitCode, ReloaderError
from reloader.messages import events
from reloader.processes import signals
from reloader.processes.launch import Launched
from reloader.settings import Settings, SettingsSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run(
    settings: Settings,
    environment: Mapping[str, str],
    launched: Launched,
    source: SettingsSource | None = None,
) -> int:
    """Run one worker until the user ends the run; returns the exit status, or dies by a signal.

    Where the `source` of the settings says something else later, the run ends, and begins anew as the same
    process. Raises ReloaderError when the command cannot be run.
    """
    inbox: SimpleQueue[events.Event] = SimpleQueue()
    supervisor = Supervisor(settings)
    with Runtime(settings, environment, inbox.put, launched, source) as runtime:
        first = introduced(settings, runtime.pid_to_kill)
        runtime.perform([*first, *supervisor.start(monotonic())])
        while not supervisor.finished:
            for event in runtime.completed(next_event(inbox, supervisor.deadline)):
                runtime.perform(supervisor.handle(event, monotonic()))
    if supervisor.begins_anew:
        _begin_anew()
    if supervisor.start_failure is not None:
        failure = supervisor.start_failure
        raise ReloaderError(failure.reason, failure.remedy, ExitCode(failure.exit_code))
    if supervisor.died_by is not None:
        signals.die_by(supervisor.died_by)
    return supervisor.exit_code


def _begin_anew() -> NoReturn:
    """Become the program that this process once was, with the same words. Raises OSError where that fails."""
    enter_run_folder()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def next_event(inbox: SimpleQueue[events.Event], deadline: float | None) -> events.Event:
    """The next event; DeadlinePassed once the deadline is over, even if other events are waiting."""
    if deadline is None:
        return inbox.get()
    left = deadline - monotonic()
    if left <= 0:
        return events.DeadlinePassed()
    try:
        return inbox.get(timeout=left)
    except Empty:
        return events.DeadlinePassed()
