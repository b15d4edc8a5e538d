"""Turns the supervisor's signals into events, and restores their dispositions at the end."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable
from types import FrameType

from reloader.messages import events
from reloader.processes import forwarding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WATCHED = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGTSTP, signal.SIGCHLD, signal.SIGWINCH),
)
_OF_MANAGERS = (signal.SIGINT, signal.SIGTERM)
# Python ignores these itself; they get their default in every new program (subprocess, guard/spawn.py).
_PYTHON_IGNORES = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


def die_by(number: int) -> None:
    """End this process by the signal, so that our parent sees which signal ended the run."""
    # A core file of ours might replace the worker's.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container does not die by a signal: end with the status that a shell gives then.
    os._exit(128 + number)


class Signals:
    """Handlers for the signals that end a run, for children, and for the terminal.

    Exec keeps ignored and blocked signals as they are, but resets handlers. So a signal that we found ignored
    (by `nohup`, or a shell's `&`) gets a handler that does nothing: we ignore it as before, and the worker,
    which must get its stop signal, does not.

    Signals arrive by the wakeup descriptor, to which the interpreter's C handler writes, instead of by Python
    handlers. Those run in the main thread only, and nothing wakes that when the signal arrives on another
    thread, or just before it begins to wait for the queue.
    """

    def __init__(self, post: Callable[[events.Event], None]) -> None:
        self._post = post
        self._before: dict[int, Any] = {}
        self._ignored: set[int] = set()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)

    def install(self) -> None:
        """Install the handlers and unblock all signals. Called in the main thread."""
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in signal.valid_signals():
            found = signal.getsignal(number)
            if found is signal.SIG_IGN and number not in _PYTHON_IGNORES:
                if number != signal.SIGCHLD:
                    self._ignored.add(number)
            elif number not in _WATCHED:
                continue
            self._before[number] = signal.signal(number, _do_nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    @property
    def ignores_interrupt(self) -> bool:
        """Whether SIGINT is ignored, and with it Ctrl-C, as in what a script starts with `&`."""
        return signal.SIGINT in self._ignored

    @staticmethod
    def suspend() -> None:
        """Stop this process as Ctrl-Z would without our handler; returns when it is continued.

        The system does not stop an orphaned process group, which nobody would continue.
        """
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)

    def restore(self) -> None:
        """Restore the handlers as they were before `install`."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        signal.set_wakeup_fd(-1)

    def listen(self) -> None:
        """The thread: post every signal that arrives. Never returns."""
        while True:
            for number in os.read(self._reading, 1024):
                if number not in self._ignored:
                    within = forwarding.patience() if number in _OF_MANAGERS else forwarding.Patience()
                    self._post(events.SignalReceived(number, False, within.to_us, within.to_all))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """The handler of every signal; what is done about one is done by `listen`."""
