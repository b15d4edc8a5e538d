"""Signals become events; dispositions are put back on exit."""

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
# Python's subprocess module restores these in the child itself.
_PYTHON_IGNORES = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


def die_by(number: int) -> None:
    """End this process by the signal, so that whoever waits for us sees what ended the run."""
    # The worker may have left a core file; ours would hold nothing of interest.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container is spared what it does not handle: end as a shell would tell it.
    os._exit(128 + number)


class Signals:
    """Handlers for the signals that end a run, and for children.

    A signal that is ignored or blocked would be so in the worker too, for exec keeps both; a handler
    is reset by it. So whatever we found ignored (by `nohup`, or a shell's `&`) gets a handler that
    does nothing: ignored by us as before, not by the worker, which must hear its stop signal.

    What happens is told by the wakeup descriptor, which the interpreter's own C handler writes to, and
    not by a Python handler. That would run in the main thread alone, and nothing wakes this when the
    signal came just before it went to sleep in the queue, or on another thread.
    """

    def __init__(self, post: Callable[[events.Event], None]) -> None:
        self._post = post
        self._before: dict[int, Any] = {}
        self._ignored: set[int] = set()
        self._heard, self._hear = os.pipe()
        os.set_blocking(self._hear, False)

    def install(self) -> None:
        """Take the signals over. To be called in the main thread."""
        signal.set_wakeup_fd(self._hear, warn_on_full_buffer=False)
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
        """Whether Ctrl-C, and any SIGINT, is ignored: what a script starts with `&` finds it so."""
        return signal.SIGINT in self._ignored

    @staticmethod
    def suspend() -> None:
        """Stop this process as Ctrl-Z would without our handler; returns when it goes on.

        Where nobody could let it go on (an orphaned process group) the system does not stop it.
        """
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)

    def restore(self) -> None:
        """Put everything back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        signal.set_wakeup_fd(-1)

    def listen(self) -> None:
        """Block, and post every signal that is heard. Ends never."""
        while True:
            for number in os.read(self._heard, 1024):
                if number not in self._ignored:
                    within = forwarding.patience() if number in _OF_MANAGERS else forwarding.Patience()
                    self._post(events.SignalReceived(number, False, within.to_us, within.to_all))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler that is there to be called, and to be reset by exec."""
