"""The guard's service: the parent of one worker, which ends its tree, and drains it when left alone.

It imports little and costs little: it wakes up for nothing but a request, the end of a child and the end
of the supervisor. It has one thread, so that what a child does between fork and exec is safe. All that the
worker leaves behind becomes its child, so that it alone knows for certain when nothing is left: when it has
no children any more. For Python 3.8 and newer: it may be the copy of a process of the worker's interpreter.
"""

from __future__ import annotations

# What lies under socket and signal: these bring enumerations and much else, a megabyte in all.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import os
import select
import sys
import time

from reloader.guard import spawn, wire
from reloader.guard.orphan_output import OrphanOutput, restore, tell

# typing is for type checkers alone, and would be half a megabyte.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from reloader.guard.draining import Drain
    from reloader.guard.system import Handle

# When nothing has followed from the stop signal for so long, in seconds, the user is told.
UNMOVED_AFTER = 1.0
# What we may not kill is tried again this often, in seconds.
REFUSED_AGAIN = 1.0
# A signal to the whole tree reached us within so long, in seconds: the worker has got it just now.
LATELY = 3.0


class Guard:
    """Serves one supervisor until the other end of `control` is closed, and its worker until the end."""

    def __init__(self, control: _socket.socket, path: list[str]) -> None:
        """Modules that are seldom needed are found on the path, or are there already (it is empty)."""
        self.control = control
        self.path = path
        self.alone = False
        self.modes: dict = {}  # type: ignore[type-arg]  # of our terminal, by name and behind its descriptor
        self.pid = 0
        """The worker's first process."""
        self.stop_signal = 0
        self.stop_timeout: float | None = None
        self.name = ""
        self.output = OrphanOutput([])
        """What the worker prints once there is no supervisor."""
        self.stopped_at: float | None = None
        self.status: int | None = None
        """The wait status of the first process, once it has ended."""
        self.due: float | None = None
        """When the tree is to be looked at again, once it is ending."""
        self.kill_at: float | None = None  # whatever is left then
        self.met: set[int] = set()  # the leftovers that were sent SIGTERM
        self.order: dict = {}  # type: ignore[type-arg]
        """What the supervisor has told of the worker."""
        self.drain: Drain | None = None
        """The drain that goes on or was the last."""
        self.is_worker = False
        """Whether the signal went to the program that the command names."""
        self.bystanders: set[int] = set()
        """The pids of what stands in front of the worker, or reads its output."""
        self.heard_at: float | None = None
        """When we were last signalled ourselves, as only who signals all processes does it."""
        self.unsent: int | None = None
        """The stop signal, while somebody else may be about to send one to the whole tree."""
        self.send_at = 0.0
        self.all_have_heard = False
        """Whether somebody else has sent a signal to the whole tree."""
        self.is_told = False
        """Whether the supervisor was told that nothing has followed from the stop signal."""
        self.rest_at: float | None = None
        """When the first process or all that might be the worker had ended."""
        self.was_passed_on = False
        """Whether what an unknown first process has left behind was sent the stop signal."""
        self.paused: list[Handle] = []
        """Handles of the processes that `pause` has stopped."""
        self.over = False
        """Nothing of the tree is left."""
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: None)

    def take(self, pid: int, order: dict, pipes: list[int]) -> None:  # type: ignore[type-arg]
        """Look after this worker, which was started as ordered."""
        self.pid = pid
        self.stop_signal, self.stop_timeout = order["stop_signal"], order["stop_timeout"]
        self.name, self.order = order["name"], order
        self.output = OrphanOutput(pipes)
        handle = spawn.open_pidfd(pid)
        self.answer("started", [handle] if handle >= 0 else [], pid=pid)
        if handle >= 0:
            os.close(handle)

    def serve(self) -> None:
        """Answer requests and look after the ending tree, until there is nobody left to do it for."""
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
        """Wait for a request or the end of a child; which descriptors are ready.

        Without a supervisor, what the worker prints is shown meanwhile.
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
        # poll(2) takes at most some weeks.
        ready = {fd for fd, _ in poll.poll(None if seconds is None else min(seconds, 3600.0) * 1000)}
        if self.alone:
            self.output.show(ready)
        return ready

    # --- requests ---------------------------------------------------------------------------------

    def answer_request(self) -> None:
        """Do what the supervisor wants next, or find that it is gone."""
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
        """Send an answer; the supervisor may have gone, which is noticed elsewhere."""
        try:
            wire.send(self.control, kind, files, **fields)
        except OSError:
            pass

    def stop(self, number: int, patience: float = 0.0) -> None:
        """Send the stop signal to those whom it is for.

        With `patience` somebody else is about to send one to every process, or has: that is awaited for so
        many seconds, since a second signal would end the worker's tasks.
        """
        self.stopped_at = time.monotonic()
        self.due = self.stopped_at
        if patience:
            self.unsent, self.send_at = number, self.stopped_at + patience
        elif self.status is None:
            self.begin_drain([self.pid], number)

    def await_others(self, now: float) -> None:
        """Drain once all have heard a signal that we have heard, or send it where none comes."""
        self.all_have_heard = self.heard_at is not None and now < self.heard_at + LATELY
        if (self.all_have_heard or now >= self.send_at) and self.unsent is not None:
            number, self.unsent = self.unsent, None
            self.begin_drain([self.pid], number)

    def begin_drain(self, firsts: list[int], number: int) -> None:
        """Signal what is the worker among these and what descends from them, unless all have heard."""
        sys.path[:] = self.path or sys.path
        from reloader.guard import draining, stop_targets

        if self.drain is not None:
            self.drain.close()
        self.drain = draining.begin(self.order, firsts, None if self.all_have_heard else number)
        aim = self.drain.aim
        self.bystanders |= self.drain.bystanders
        self.is_worker = self.is_worker or aim.is_sure
        self.rest_at = None
        if aim.is_doubtful:
            self.answer("doubtful", processes=stop_targets.told(aim.targets + aim.others))
        if self.drain.refused:
            self.answer("refused", processes=stop_targets.told(self.drain.refused))

    def is_draining(self, now: float) -> bool:
        """Whether anybody who may be the worker is still at work."""
        if self.drain is None or self.drain.is_over():
            return False
        return not self.is_late(now) or self.status is None

    def is_late(self, now: float) -> bool:
        """Whether the stop timeout has passed."""
        return self.stop_timeout is not None and now >= (self.stopped_at or now) + self.stop_timeout

    def send(self, number: int) -> bool:
        """Signal the first process, unless it has ended: we have not collected it, so the pid is its own.

        False where the system does not let us: it is another user's.
        """
        if self.status is None:
            try:
                os.kill(self.pid, number)
            except OSError:
                return False
        return True

    def pause(self) -> None:
        """Stop the whole tree."""
        sys.path[:] = self.path or sys.path
        from reloader.guard import process_tree

        self.resume()
        self.paused = process_tree.stop_all()

    def resume(self) -> None:
        """Let what was paused go on."""
        while self.paused:
            handle = self.paused.pop()
            handle.send(signal.SIGCONT)
            handle.close()

    # --- ends -------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Collect every child that has ended: the worker, and whoever lost the parent that it had."""
        try:
            while numbers := os.read(self.woken, 1024):
                if signal.SIGINT in numbers or signal.SIGTERM in numbers:
                    self.heard_at = time.monotonic()
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
        """Bring the end of the tree a step further."""
        if self.status is not None and spawn.is_childless():
            self.over, self.due = True, None
            code, number = spawn.exit_of(self.status)
            self.answer("ended", code=code, signal=number)
            return
        sys.path[:] = self.path or sys.path
        from reloader.guard import process_tree

        self.due = now + process_tree.PAUSE
        if self.unsent is not None:
            self.await_others(now)
        if self.kill_at is not None:
            if now >= self.kill_at:
                if process_tree.kill_all(self.pid if self.status is None else 0):
                    self.due = now + REFUSED_AGAIN
            else:
                self.met |= {pid for pid, _ in process_tree.end_gently(self.met)}
        elif self.is_draining(now):
            if self.alone and self.status is None and self.is_late(now):
                tell(f"{self.name} did not end in time; killing it")
                self.kill(now)
            else:
                self.wait_for_drain(now)
        elif self.status is not None or self.drain is not None:
            self.tidy(now)

    def wait_for_drain(self, now: float) -> None:
        """Say once that the stop signal has moved nobody; be back when the drain's time is over."""
        assert self.drain is not None
        stopped_at = self.stopped_at or now
        moments = [self.due or now] if self.drain.has_to_be_polled else []
        if not self.is_told and now < stopped_at + UNMOVED_AFTER:
            moments.append(stopped_at + UNMOVED_AFTER)
        elif not self.is_told:
            self.is_told = True
            silent = [] if self.order["known"] or self.was_passed_on else self.drain.silent
            if silent:
                from reloader.guard import stop_targets

                self.answer("unmoved", processes=stop_targets.told(silent))
        if self.stop_timeout is not None and (self.alone or self.status is not None):
            moments.append(stopped_at + self.stop_timeout)
        self.due = min(moments) if moments else None

    def tidy(self, now: float) -> None:
        """The first process, or all that may be the worker, has ended: end what is left of the tree."""
        from reloader.guard import process_tree

        if self.status is None and self.drain is not None and self.drain.aims_at(self.pid):
            self.due = now  # it ended just now, and is not collected yet
            return
        if self.rest_at is None:
            self.rest_at = now
            if self.drain is not None:
                self.drain.finish()
        is_early = now < self.rest_at + process_tree.MOMENT
        if self.may_have_left_worker() and not self.was_passed_on:
            # It has as much time as who left it would have had.
            left = [one for one in process_tree.children() if one[0] not in self.bystanders]
            unheard = self.drain is not None and (self.has_died or not self.drain.is_handled)
            if left and (unheard or self.drain is None or not is_early):
                self.was_passed_on = True
                self.stopped_at = self.stopped_at or now
                self.answer("left", processes=left)
                # Who dies by the stop signal has not passed it on; from others it would come a second time.
                self.begin_drain([pid for pid, _ in left], self.stop_signal if unheard else signal.SIGTERM)
            if left:
                return
        # A filter has yet to show what the worker printed last, and a front to see that it has ended.
        bystanders = self.bystanders if is_early else set()
        found = process_tree.end_gently(self.met, waited_for=bystanders)
        if found and not self.met:
            self.answer("left", processes=found)
        self.met |= {pid for pid, _ in found}
        if not bystanders:
            self.kill_at = now + process_tree.MOMENT

    @property
    def has_died(self) -> bool:
        """Whether the first process has died by the stop signal, and not ended in its own way."""
        return self.status is not None and os.WIFSIGNALED(self.status) and self.drain is not None

    def may_have_left_worker(self) -> bool:
        """Whether what has ended may have been a runner that left the worker behind."""
        # A program that ends in its own way has ended what it ran; one that dies by the signal has not.
        return not self.order["known"] and (self.has_died or not self.is_worker)

    def kill(self, now: float) -> None:
        """SIGKILL to the whole tree, again and again until nothing is left of it."""
        if self.over:
            return
        sys.path[:] = self.path or sys.path
        from reloader.guard import process_tree

        self.kill_at = now
        self.due = now + process_tree.PAUSE
        # It might start another child for each that it loses.
        self.send(signal.SIGSTOP)
        refused = process_tree.kill_all(self.pid)
        if not self.send(signal.SIGKILL):
            refused.append((self.pid, self.name))
        if refused and self.order["sudo_kill"]:
            from reloader.guard import draining

            draining.ask_sudo([pid for pid, _ in refused], signal.SIGKILL)
        elif refused:
            self.answer("refused", processes=refused)

    def drain_alone(self) -> None:
        """There is no supervisor any more: stop the worker as it would have."""
        for fd, modes in self.modes.values():
            restore(fd, modes)
        if self.status is not None or self.kill_at is not None:
            return
        self.resume()
        if self.stopped_at is None:
            self.stop(self.stop_signal)
        self.due = time.monotonic()
        seconds = self.stop_timeout
        limit = "as long as it takes" if seconds is None else f"at most {seconds:g} s"
        tell(f"reloader itself was killed; draining {self.name} (pid {self.pid}) for {limit}")
