"""The guard's service: the parent of one worker, which ends its tree, and drains it when the supervisor dies.

It costs little: it wakes up only for a request, the end of a child and the end of the supervisor. It has one
thread, so that a forked child may do anything before exec. Every process that the worker leaves behind
becomes its child, so that it alone knows when nothing is left: when it has no children any more. For Python
3.8 and newer, with few imports: it may be a copy of a process of the worker's interpreter.
"""

from __future__ import annotations

# The modules below socket and signal, which import enum and much else: a megabyte in all.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import os
import select
import sys
import time

from reloader.guard import child_status, wire
from reloader.guard.orphan_output import OrphanOutput, restore, tell

# typing is for type checkers alone, and would be half a megabyte.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from reloader.guard.draining import Drain
    from reloader.guard.system import Handle

# Seconds after the stop signal at which the user is told that no process has reacted to it.
UNMOVED_AFTER = 1.0
# Seconds between two attempts to kill processes that the system did not let us kill.
REFUSED_AGAIN = 1.0
# Seconds for which a signal that reached us counts as one that the whole tree has just got.
LATELY = 3.0


class Guard:
    """Serves one supervisor until that closes its end of the socket, and its worker until the end.

    All times are those of time.monotonic(), in seconds.
    """

    def __init__(self, files: list[int], path: list[str]) -> None:
        """`files` are those of "start" (wire.py); the supervisor's standard output and error become ours.

        `path` is where modules are found that are seldom needed; empty where they are imported already.
        """
        sys.path[:] = path or sys.path
        for target, fd in enumerate(files[wire.OURS : wire.WORKERS], 1):
            os.dup2(fd, target)
            os.close(fd)
        self.control = _socket.socket(fileno=files[wire.CONTROL])
        self.output = OrphanOutput(files[wire.PIPES :])
        self.alone = False
        """Whether the supervisor has gone."""
        self.modes: dict = {}  # type: ignore[type-arg]
        """What "restore" requests have named (wire.py): descriptor and data, by name."""
        self.pid = 0
        """The worker's first process."""
        self.order: dict = {}  # type: ignore[type-arg]
        """The order that the worker was started by (processes/order.py)."""
        self.status: int | None = None
        """The wait status of the first process, once it has ended."""
        self.over = False
        """Whether nothing of the tree is left."""
        self.due: float | None = None
        """When `look_after` is to be called next, while the tree is ending."""
        self.stopped_at: float | None = None
        """When the stop signal was asked for."""
        self.kill_at: float | None = None
        """When the whole tree is killed."""
        self.terminated: set[int] = set()
        """The pids of leftovers that were sent SIGTERM."""
        self.drain: Drain | None = None
        """The newest drain."""
        self.is_worker = False
        """Whether the signal went to the program that the command names."""
        self.bystanders: set[int] = set()
        """The pids of the programs in front of the worker and of those that read its output."""
        self.signalled_at: float | None = None
        """When we were last sent SIGINT or SIGTERM, which happens only where the whole tree is signalled."""
        self.pending_signal: int | None = None
        """The stop signal, while somebody else may be about to send one to the whole tree."""
        self.send_at = 0.0
        """When `pending_signal` is sent if nobody else has sent one."""
        self.all_signalled = False
        """Whether somebody else has sent a signal to the whole tree."""
        self.unmoved_checked = False
        """Whether UNMOVED_AFTER was reached."""
        self.ended_at: float | None = None
        """When the first process, or every process that may be the worker, was found ended."""
        self.was_passed_on = False
        """Whether the children that an unknown first process has left were sent the stop signal."""
        self.paused: list[Handle] = []
        """Handles of the processes that `pause` has stopped."""
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: None)

    def take(self, pid: int, order: dict) -> None:  # type: ignore[type-arg]
        """Guard this worker, which was started by the order."""
        self.pid, self.order = pid, order
        handle = child_status.open_pidfd(pid)
        self.answer("started", [handle] if handle >= 0 else [], pid=pid)
        if handle >= 0:
            os.close(handle)

    def serve(self) -> None:
        """Answer requests and end the tree, until both the supervisor and the tree are gone."""
        self.reap()
        while not (self.alone and self.over):
            ready = self.wait(None if self.due is None else max(0.0, self.due - time.monotonic()))
            if not self.alone and self.control.fileno() in ready:
                self.answer_request()
            self.reap()
            now = time.monotonic()
            woken = self.status is not None and self.woken in ready
            ended = self.drain is not None and not ready.isdisjoint(self.drain.fds)
            if ended or (self.due is not None and (self.due <= now or woken)):
                self.look_after(now)
        self.output.show_rest()

    def wait(self, seconds: float | None) -> set[int]:
        """Wait for a request or the end of a process; returns the descriptors that are ready.

        Without a supervisor, it shows the worker's output meanwhile.
        """
        poll = select.poll()
        poll.register(self.woken, select.POLLIN)
        if not self.alone:
            poll.register(self.control.fileno(), select.POLLIN)
        else:
            self.output.register(poll)
        if self.drain is not None and self.kill_at is None:
            for fd in self.drain.fds:
                poll.register(fd, select.POLLIN)
        # poll(2) accepts at most some weeks.
        ready = {fd for fd, _ in poll.poll(None if seconds is None else min(seconds, 3600.0) * 1000)}
        if self.alone:
            self.output.show(ready)
        return ready

    # --- requests ---------------------------------------------------------------------------------

    def answer_request(self) -> None:
        """Read and carry out the supervisor's next request, or notice that it is gone."""
        received = wire.receive(self.control)
        if received is None:
            self.alone = True
            if not self.over:
                self.drain_alone()
            return
        if received.kind == "restore":
            self.modes[received["name"]] = received["fd"], received["data"]
        elif received.kind == "stop":
            self.stop(received["signal"], received["patience"])
        elif received.kind == "kill":
            self.kill(time.monotonic())
        elif received.kind == "pause":
            self.pause()
        elif received.kind == "resume":
            self.resume()
        elif received.kind == "forget":
            os._exit(0)

    def answer(self, kind: str, files: Sequence[int] = (), **fields: Any) -> None:
        """Send an answer to the supervisor."""
        try:
            wire.send(self.control, kind, files, **fields)
        except OSError:
            pass  # it has gone, which `answer_request` notices

    def stop(self, number: int, patience: float = 0.0) -> None:
        """Send the stop signal to the worker.

        With `patience` somebody else may send a signal to the whole tree, which is awaited for that many
        seconds: a second signal would end the worker's tasks.
        """
        self.stopped_at = time.monotonic()
        self.due = self.stopped_at
        if patience:
            self.pending_signal, self.send_at = number, self.stopped_at + patience
        elif self.status is None:
            self.begin_drain([self.pid], number)

    def await_others(self, now: float) -> None:
        """Drain without a signal once the whole tree has got one; send ours where none comes in time."""
        self.all_signalled = self.signalled_at is not None and now < self.signalled_at + LATELY
        if (self.all_signalled or now >= self.send_at) and self.pending_signal is not None:
            number, self.pending_signal = self.pending_signal, None
            self.begin_drain([self.pid], number)

    def begin_drain(self, roots: list[int], number: int) -> None:
        """Signal the worker, which is among these pids and their descendants, unless all have the signal."""
        from reloader.guard import draining, stop_targets

        if self.drain is not None:
            self.drain.close()
        self.drain = draining.Drain(self.order, roots, None if self.all_signalled else number)
        selection = self.drain.selection
        self.bystanders |= self.drain.bystanders
        self.is_worker = self.is_worker or selection.is_sure
        self.ended_at = None
        if selection.is_doubtful:
            candidates = selection.targets + selection.others
            self.answer("doubtful", processes=stop_targets.pids_and_titles(candidates))
        if self.drain.refused:
            self.answer("refused", processes=stop_targets.pids_and_titles(self.drain.refused))

    def is_draining(self, now: float) -> bool:
        """Whether a process that may be the worker still runs, and is to be waited for."""
        if self.drain is None or self.drain.is_over():
            return False
        return not self.is_late(now) or self.status is None

    def is_late(self, now: float) -> bool:
        """Whether the stop timeout has passed."""
        timeout = self.order["stop_timeout"]
        return timeout is not None and now >= (self.stopped_at or now) + timeout

    def send(self, number: int) -> bool:
        """Signal the first process, unless it has ended; False where it is another user's."""
        if self.status is None:
            try:
                os.kill(self.pid, number)  # its pid is still its own, since we have not collected it
            except OSError:
                return False
        return True

    def pause(self) -> None:
        """SIGSTOP to the whole tree."""
        from reloader.guard import process_tree

        self.resume()
        self.paused = process_tree.stop_all()

    def resume(self) -> None:
        """SIGCONT to all that `pause` has stopped."""
        while self.paused:
            handle = self.paused.pop()
            handle.send(signal.SIGCONT)
            handle.close()

    # --- the end of the tree ----------------------------------------------------------------------

    def reap(self) -> None:
        """Note the signals that have reached us, and collect every child that has ended."""
        try:
            while numbers := os.read(self.woken, 1024):
                if signal.SIGINT in numbers or signal.SIGTERM in numbers:
                    self.signalled_at = time.monotonic()
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.pid and self.status is None:
                self.status = status
                self.due = 0.0

    def look_after(self, now: float) -> None:
        """Do the next step that ends the tree, and set when the one after it is due."""
        if self.status is not None and child_status.is_childless():
            self.over, self.due = True, None
            code, number = child_status.exit_of(self.status)
            self.answer("ended", code=code, signal=number)
            return
        from reloader.guard import process_tree

        self.due = now + process_tree.PAUSE
        if self.pending_signal is not None:
            self.await_others(now)
        if self.kill_at is not None:
            if now >= self.kill_at:
                if process_tree.kill_all(self.pid if self.status is None else 0):
                    self.due = now + REFUSED_AGAIN
            else:
                self.terminated |= {pid for pid, _ in process_tree.end_gently(self.terminated)}
        elif self.is_draining(now):
            if self.alone and self.status is None and self.is_late(now):
                tell(f"{self.order['name']} did not end in time; killing it")
                self.kill(now)
            else:
                self.wait_for_drain(now)
        elif self.status is not None or self.drain is not None:
            self.tidy(now)

    def wait_for_drain(self, now: float) -> None:
        """Report once that the stop signal had no effect; be back when the drain's time is over."""
        assert self.drain is not None
        stopped_at = self.stopped_at or now
        moments = [self.due or now] if self.drain.has_to_be_polled else []
        if not self.unmoved_checked and now < stopped_at + UNMOVED_AFTER:
            moments.append(stopped_at + UNMOVED_AFTER)
        elif not self.unmoved_checked:
            self.unmoved_checked = True
            silent = [] if self.order["known"] or self.was_passed_on else self.drain.silent
            if silent:
                from reloader.guard import stop_targets

                self.answer("unmoved", processes=stop_targets.pids_and_titles(silent))
        timeout = self.order["stop_timeout"]
        if timeout is not None and (self.alone or self.status is not None):
            moments.append(stopped_at + timeout)
        self.due = min(moments) if moments else None

    def tidy(self, now: float) -> None:
        """End what is left of the tree after the first process, or all that may be the worker, has ended."""
        from reloader.guard import process_tree

        if self.status is None and self.drain is not None and self.drain.has_target(self.pid):
            self.due = now  # it ended just now, and is not collected yet
            return
        if self.ended_at is None:
            self.ended_at = now
            if self.drain is not None:
                self.drain.finish()
        is_early = now < self.ended_at + process_tree.MOMENT
        if self.may_have_left_worker() and not self.was_passed_on:
            # The children that it left may be the worker, and then have the whole stop timeout to drain.
            left = [one for one in process_tree.children() if one[0] not in self.bystanders]
            unheard = self.drain is not None and (self.has_died or not self.drain.is_handled)
            if left and (unheard or self.drain is None or not is_early):
                self.was_passed_on = True
                self.stopped_at = self.stopped_at or now
                self.answer("left", processes=left)
                # A program that the stop signal kills has not passed it on. Another may have, and its
                # children must not get the same signal twice.
                number = self.order["stop_signal"] if unheard else signal.SIGTERM
                self.begin_drain([pid for pid, _ in left], number)
            if left:
                return
        # A filter has yet to show the worker's last output, and a front to notice that the worker has ended.
        bystanders = self.bystanders if is_early else set()
        found = process_tree.end_gently(self.terminated, waited_for=bystanders)
        if found and not self.terminated:
            self.answer("left", processes=found)
        self.terminated |= {pid for pid, _ in found}
        if not bystanders:
            self.kill_at = now + process_tree.MOMENT

    @property
    def has_died(self) -> bool:
        """Whether the first process was killed by the stop signal, which it does not handle."""
        return self.status is not None and os.WIFSIGNALED(self.status) and self.drain is not None

    def may_have_left_worker(self) -> bool:
        """Whether the first process may have been a runner that has left the worker behind."""
        # A program that handles the signal ends its children; one that the signal kills does not.
        return not self.order["known"] and (self.has_died or not self.is_worker)

    def kill(self, now: float) -> None:
        """SIGKILL to the whole tree, which `look_after` repeats until nothing is left."""
        if self.over:
            return
        from reloader.guard import process_tree

        self.kill_at = now
        self.due = now + process_tree.PAUSE
        # The first process might start another child for each one that is killed.
        self.send(signal.SIGSTOP)
        refused = process_tree.kill_all(self.pid)
        if not self.send(signal.SIGKILL):
            refused.append((self.pid, self.order["name"]))
        if refused and self.order["sudo_kill"]:
            from reloader.guard import draining

            draining.ask_sudo([pid for pid, _ in refused], signal.SIGKILL)
        elif refused:
            self.answer("refused", processes=refused)

    def drain_alone(self) -> None:
        """The supervisor has gone: restore the terminal and stop the worker as it would have."""
        for fd, modes in self.modes.values():
            restore(fd, modes)
        if self.status is not None or self.kill_at is not None:
            return
        self.resume()
        if self.stopped_at is None:
            self.stop(self.order["stop_signal"])
        self.due = time.monotonic()
        seconds = self.order["stop_timeout"]
        limit = "as long as it takes" if seconds is None else f"at most {seconds:g} s"
        tell(f"reloader itself was killed; draining {self.order['name']} (pid {self.pid}) for {limit}")
