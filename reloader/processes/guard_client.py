"""The supervisor's side of a guard: starts, signals and awaits one worker and ends its tree.

The guard is the parent of the worker. It outlives the supervisor: when that is killed, the guard drains the
worker with the signal and the timeout of its order. Where the guard itself is killed, the tree becomes the
supervisor's, since that is the next subreaper, and is ended here.
"""

from __future__ import annotations

import _socket
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from reloader.guard import child_status, process_tree, system, wire
from reloader.messages import events
from reloader.messages.base import Message
from reloader.processes.forkserver_client import LostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds between two looks at a guard that is ending.
LOOK = 0.005

Report = Callable[[str, tuple[events.ProcessInfo, ...]], None]
"""Called with a guard's message about processes: its kind (wire.py), and the processes."""


class StaleError(LostError):
    """A template refuses to fork workers any more; the text says why."""


class Started(Message):
    """A worker that runs."""

    pid: int
    """The pid of its first process."""
    handle: system.Handle
    """The same process."""
    guard: int
    """The pid of its guard."""

    def pids(self) -> list[int]:
        """The pids of its live processes, and of zombies."""
        return system.descendants(self.guard)


class GuardClient:
    """A guard, from the request for it until it is gone.

    One thread waits: it calls `await_start`, `await_end` and `await_gone`, in this order. All other methods
    are called by the owner and never block. Requests made before the worker runs are carried out then.
    """

    def __init__(self, control: _socket.socket, order: Mapping[str, Any], spared: set[int]) -> None:
        """`control` comes from `ForkserverClient.start_guard`.

        `spared` is shared by all guards: the pids of the first processes, guards and session leaders of all
        workers that have not ended. Some of them become our children where a guard is killed, and must not be
        ended as its leftovers.
        """
        self._control = control
        self._order = order
        self._spared = spared
        self._guard = 0
        self._guard_began: int | None = None
        self._leader = 0
        self._stop_sent = False
        self.started: Started | None = None
        """Set once, by the waiting thread, before `await_start` returns."""

    # --- the owner --------------------------------------------------------------------------------

    def stop(self, number: int, patience: float = 0.0) -> None:
        """Have the guard send the stop signal to the worker.

        For `patience` seconds the guard first waits whether somebody else signals the whole tree. Where the
        guard was killed, the system has sent the signal already, or it is sent here.
        """
        try:
            self._request("stop", signal=int(number), patience=patience)
            self._stop_sent = True
        except LostError:
            if self.started is not None:
                if not _is_told_of_parents_death():
                    self.started.handle.send(number)
                self.started.handle.send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the worker's whole tree, until nothing is left of it."""
        try:
            self._request("kill")
        except LostError:
            if self.started is not None:
                pid, handle = self.started.pid, self.started.handle
                handle.send(signal.SIGSTOP)
                process_tree.kill_all(pid, self._spared - {pid})
                handle.send(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP to the worker's whole tree."""
        with suppress(LostError):  # the worker drains anyway
            self._request("pause")

    def resume(self) -> None:
        """SIGCONT to what `pause` has stopped."""
        with suppress(LostError):
            self._request("resume")

    def restore_later(self, name: str | int, fd: int, data: list[Any] | bytes) -> None:
        """Have the guard restore the terminal behind `fd` if we are killed: modes to set, or bytes to write.

        It replaces data of the same name. Called from any thread.
        """
        with suppress(LostError):
            self._request("restore", name=name, fd=fd, data=data)

    def forget(self) -> None:
        """Let the guard end: the worker's tree is empty, and its end was reported."""
        with suppress(LostError):
            self._request("forget")
        if self.started is not None:
            self.started.handle.close()

    def leave(self) -> None:
        """Close the connection: the guard drains the worker by itself."""
        with suppress(OSError):  # the guard is gone already
            self._control.shutdown(_socket.SHUT_RDWR)

    def abandon(self) -> None:
        """Kill the guard, which has not started the worker in time; `await_start` raises LostError then."""
        if self.started is None and self._guard and system.began_at(self._guard) == self._guard_began:
            os.kill(self._guard, signal.SIGKILL)

    def _request(self, kind: str, **fields: Any) -> None:
        # Somebody may have stopped the guard by SIGSTOP.
        if self._guard and kind in ("stop", "kill") and system.began_at(self._guard) == self._guard_began:
            with suppress(OSError):
                os.kill(self._guard, signal.SIGCONT)
        try:
            wire.send(self._control, kind, wait=False, **fields)
        except OSError as error:
            raise LostError("the guard has ended") from error

    # --- the thread that waits --------------------------------------------------------------------

    def await_start(self) -> Started:
        """Block until the worker runs. Raises child_status.SpawnError, StaleError, LostError."""
        while (received := wire.receive(self._control)) is not None and received.kind == "here":
            self._guard_began = system.began_at(received["pid"])
            self._guard, self._leader = received["pid"], received["leader"]
            self._spared |= {self._guard, self._leader}
        if received is not None and received.kind == "started":
            pid = received["pid"]
            handle = system.Handle(pid, received.files[0] if received.files else None, may_have_ended=True)
            self.started = Started(pid, handle, self._guard)
            self._spared.add(pid)
            return self.started
        self._control.close()
        self._spared -= {self._guard, self._leader}
        if received is None:
            self._await_death()
            # It may have started the worker before it was killed.
            process_tree.end_all(self._spared)
            raise LostError("the guard has ended")
        if received.kind == "stale":
            raise StaleError(received["why"])
        raise child_status.SpawnError(received["error"], received["at_folder"])

    def await_end(self, report: Report) -> events.ExitStatus:
        """Block until the worker's first process has ended and nothing of its tree is left.

        Meanwhile `report` is called with the guard's messages; with "lost" and no processes when the guard
        was killed.
        """
        assert self.started is not None
        pid, handle = self.started.pid, self.started.handle
        while (received := wire.receive(self._control)) is not None and received.kind != "ended":
            report(received.kind, tuple(events.ProcessInfo(*one) for one in received["processes"]))
        if received is not None:
            ended = received["code"], received["signal"]
        else:
            self._await_death()
            # Before the worker's end, which is then not taken for one by itself.
            report("lost", ())
            self._drain_adopted()
            ended = system.wait_for_adopted(handle)
            self._spared.discard(pid)
            process_tree.end_all(self._spared)
        self._spared -= {pid, self._guard, self._leader}
        return events.ExitStatus(*ended)

    def await_gone(self) -> None:
        """Block until the guard is gone, which ends after `forget`; collect it where it is our child."""
        while wire.receive(self._control) is not None:
            pass
        self._control.close()
        with suppress(ChildProcessError):  # its forkserver's
            os.waitpid(self._guard, 0)

    def _await_death(self) -> None:
        """Block until the guard has ended: its socket is closed before its children become ours."""
        while self._guard_began is not None and system.began_at(self._guard) == self._guard_began:
            time.sleep(LOOK)

    def _drain_adopted(self) -> None:
        """Drain the tree that has become ours, as the guard would have; blocks until that is over.

        The first process has got the stop signal from the system, when the guard died (spawn.enter).
        """
        if not _is_told_of_parents_death():
            return
        from reloader.guard import draining

        assert self.started is not None
        first = self.started.pid
        # Where the guard was draining already, all targets have got the signal.
        number = None if self._stop_sent else self._order["stop_signal"]
        began = time.monotonic()
        limit = self._order["stop_timeout"]
        for _ in range(2):
            roots = [pid for pid, _ in process_tree.children(self._spared - {first})]
            drain = draining.Drain(dict(self._order), roots, number, signalled={first})
            while not drain.is_over() and (limit is None or time.monotonic() < began + limit):
                time.sleep(process_tree.PAUSE)
            drain.finish()
            drain.close()
            # A first process that the signal kills, as a shell in front of the worker, has not passed it on.
            if any(target.pid != first for target in drain.selection.targets) or not _has_died(first):
                break


def _has_died(pid: int) -> bool:
    """Whether this child of ours has died by a signal."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return ended is not None and ended.si_code != os.CLD_EXITED


def reap_orphans() -> None:
    """Collect ended processes that became our children because their guard was killed.

    Children in our own session are helpers; the threads that started them collect them.
    """
    ours = os.getsid(0)
    for pid in system.children_of(os.getpid()) or ():
        try:
            if os.getsid(pid) != ours:
                os.waitpid(pid, os.WNOHANG)
        except (ChildProcessError, ProcessLookupError):
            pass  # collected meanwhile


def _is_told_of_parents_death() -> bool:
    """Whether the system has sent the worker its stop signal when its guard died."""
    from reloader.guard.spawn import tells_of_parents_death

    return tells_of_parents_death()
