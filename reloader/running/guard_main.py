"""The guard's program: the parent of every worker, which ends their trees, and drains them when left alone.

It runs without site-packages and imports little: it costs a few megabytes, and wakes up for nothing but
a request, the end of a child and the end of the supervisor. It has one thread, so that what a child does
between fork and exec is safe. All that the worker leaves behind becomes its child, so that it alone knows
for certain when nothing is left: when it has no children any more.
"""

from __future__ import annotations

# What lies under socket and signal: these bring enumerations and much else, a megabyte in all.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import os
import select
import sys
import time

from reloader.running import spawn, wire
from reloader.running.alone import restore, tell, write
from reloader.running.wire import ENDED, FAILED, KILL, LEFT, MODES, PAUSE, RESUME, START, STARTED, STOP

# typing is for type checkers alone, and would be half a megabyte.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from reloader.running.system import Handle

CHUNK = 1 << 16


class Leader:
    """A worker's first process, how it is to be stopped, and how far its end has come."""

    def __init__(self, pid: int, request: tuple, pipes: list[int]) -> None:  # type: ignore[type-arg]
        _, self.generation, _, _, _, self.stop_signal, self.stop_timeout, self.name, _, self.target = request
        self.pid = pid
        self.pipes = dict(zip(pipes, (1, 2), strict=False))
        """Where the bytes of each pipe go once there is no supervisor."""
        self.stopped_at: float | None = None
        self.status: int | None = None
        """The wait status, once it has ended."""
        self.due: float | None = None
        """When its tree is to be looked at again, once it is ending."""
        self.kill_at: float | None = None
        """When whatever is left is killed."""
        self.met: set[int] = set()
        """The leftovers that were sent SIGTERM."""
        self.paused: list[Handle] = []
        """Handles of the processes that `pause` has stopped."""
        self.draining: list[int] = []
        """Descriptors of the processes beside this one that were sent the stop signal."""
        self.over = False
        """Nothing of the tree is left."""

    def stop(self, number: int) -> None:
        """Send the stop signal to those whom it is for."""
        from reloader.running import aiming

        self.stopped_at = time.monotonic()
        if self.status is None:
            pids = aiming.aim(self.pid, self.target, number)
            self.draining = aiming.watch([pid for pid in pids if pid != self.pid])
            aiming.send(pids, number)

    def is_draining(self, now: float) -> bool:
        """Whether others than this process got the stop signal, and still have time."""
        if self.draining:
            from reloader.running import aiming

            self.draining = aiming.drop_ended(self.draining)
        over = self.stop_timeout is not None and now >= (self.stopped_at or 0.0) + self.stop_timeout
        return bool(self.draining) and not over

    def resume(self) -> None:
        """Let what was paused go on."""
        for handle in self.paused:
            handle.send(signal.SIGCONT)
            handle.close()
        self.paused.clear()


class Guard:
    """Serves one supervisor until the other end of `control` is closed, and the workers until their end."""

    def __init__(self, control: _socket.socket, path: list[str]) -> None:
        self.control = control
        self.path = path
        self.alone = False
        self.modes: tuple = ()  # type: ignore[type-arg]  # of our terminal, behind its descriptor
        self.leaders: dict[int, Leader] = {}
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        spawn.become_subreaper()

    def serve(self) -> None:
        """Answer requests and look after the ending trees, until there is nobody left to do it for."""
        while not self.alone or any(not leader.over for leader in self.leaders.values()):
            dues = [leader.due for leader in self.leaders.values() if leader.due is not None]
            ready = self.wait(max(0.0, min(dues) - time.monotonic()) if dues else None)
            if not self.alone and self.control.fileno() in ready:
                self.answer_request()
            self.reap()
            now = time.monotonic()
            for leader in self.leaders.values():
                woken = leader.status is not None and self.woken in ready
                if leader.due is not None and (leader.due <= now or woken):
                    self.look_after(leader, now)
        while self.alone and self.wait(0.0) - {self.woken}:
            pass

    def wait(self, seconds: float | None) -> set[int]:
        """Wait for a request or the end of a child; which descriptors are ready.

        Without a supervisor, what the workers print is shown meanwhile.
        """
        poll = select.poll()
        poll.register(self.woken, select.POLLIN)
        pipes = {}
        if not self.alone:
            poll.register(self.control.fileno(), select.POLLIN)
        else:
            pipes = {fd: leader.pipes for leader in self.leaders.values() for fd in leader.pipes}
            for fd in pipes:
                poll.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}
        for fd in ready & pipes.keys():
            try:
                data = os.read(fd, CHUNK)
            except OSError:
                data = b""  # a terminal that nobody has open any more
            write(pipes[fd][fd], data)
            if not data:
                del pipes[fd][fd]
                os.close(fd)
        return ready

    # --- requests ---------------------------------------------------------------------------------

    def answer_request(self) -> None:
        """Do what the supervisor wants next, or find that it is gone."""
        received = wire.receive(self.control)
        if received is None:
            self.be_alone()
            return
        request, files = received
        if request[0] == MODES:
            self.modes = request[1:]
        elif request[0] == START:
            self.start(request, files)
        elif (leader := self.leaders.get(request[1])) is None:
            return
        elif request[0] == STOP:
            leader.stop(request[2])
        elif request[0] == KILL:
            self.kill(leader, time.monotonic())
        elif request[0] == PAUSE:
            self.pause(leader)
        elif request[0] == RESUME:
            leader.resume()
        else:
            for fd in (*leader.pipes, *leader.draining):
                os.close(fd)
            del self.leaders[leader.generation]

    def answer(self, *message: object, file: int | None = None) -> None:
        """Send an answer; the supervisor may have gone, which is noticed elsewhere."""
        try:
            wire.send(self.control, message, () if file is None else (file,))
        except OSError:
            pass

    def start(self, request: tuple, files: list[int]) -> None:  # type: ignore[type-arg]
        """Start a worker, and tell its pid or what went wrong."""
        _, generation, command, environment, folder, stop_signal, _, _, terminal, _ = request
        try:
            pid = spawn.spawn(command, environment, folder, stop_signal, files[:3], terminal)
        except spawn.SpawnError as error:
            for fd in files[3:]:
                os.close(fd)
            self.answer(FAILED, generation, error.number, error.at_folder)
            return
        self.leaders[generation] = Leader(pid, request, files[3:])
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        self.answer(STARTED, generation, pid, file=handle)
        if handle is not None:
            os.close(handle)

    # --- ends -------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Collect every child that has ended: leaders, and whoever lost the parent that it had."""
        try:
            while os.read(self.woken, 1024):
                pass
        except BlockingIOError:
            pass
        by_pid = {leader.pid: leader for leader in self.leaders.values() if leader.status is None}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in by_pid:
                by_pid[pid].status = status
                by_pid[pid].due = 0.0

    def look_after(self, leader: Leader, now: float) -> None:
        """Bring the end of a tree a step further."""
        if leader.status is not None and is_childless():
            leader.over, leader.due = True, None
            code = os.waitstatus_to_exitcode(leader.status)
            self.answer(ENDED, leader.generation, *((code, None) if code >= 0 else (None, -code)))
            return
        sys.path[:] = self.path
        from reloader.running import leftovers

        if leader.status is not None and leader.kill_at is None and leader.is_draining(now):
            pass  # what the leader ran goes on without it
        elif leader.status is None and leader.kill_at is None:
            tell(f"{leader.name} did not end in time; killing it")
            self.kill(leader, now)
        elif leader.kill_at is not None and now >= leader.kill_at:
            leftovers.kill_all(leader.pid if leader.status is None else 0)
        else:
            leader.kill_at = leader.kill_at or now + leftovers.MOMENT
            found = leftovers.end_gently(leader.met)
            if found and not leader.met:
                self.answer(LEFT, leader.generation, found)
            leader.met |= {pid for pid, _ in found}
        leader.due = now + leftovers.PAUSE

    def kill(self, leader: Leader, now: float) -> None:
        """SIGKILL to the whole tree, again and again until nothing is left of it."""
        sys.path[:] = self.path
        from reloader.running import leftovers

        leader.kill_at = now
        leader.due = now + leftovers.PAUSE
        if leader.status is None:
            # It might start another child for each that it loses.
            os.kill(leader.pid, signal.SIGSTOP)
        leftovers.kill_all(leader.pid)
        if leader.status is None:
            os.kill(leader.pid, signal.SIGKILL)

    def pause(self, leader: Leader) -> None:
        """Stop the whole tree."""
        sys.path[:] = self.path
        from reloader.running import leftovers

        leader.resume()
        leader.paused = leftovers.stop_all()

    def be_alone(self) -> None:
        """There is no supervisor any more: stop the workers as it would have."""
        self.alone = True
        if self.modes:
            restore(*self.modes)
        for leader in self.leaders.values():
            if leader.status is not None or leader.kill_at is not None:
                continue
            leader.resume()
            if leader.stopped_at is None:
                leader.stop(leader.stop_signal)
            seconds = leader.stop_timeout
            if seconds is not None:
                leader.due = (leader.stopped_at or 0.0) + seconds
            limit = "as long as it takes" if seconds is None else f"at most {seconds:g} s"
            tell(f"reloader itself was killed; draining {leader.name} (pid {leader.pid}) for {limit}")


def is_childless() -> bool:
    """Whether we have no child, dead or alive: by the system's word, which misses nobody."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def main() -> None:
    """Serve the socket that the first argument names; where modules are found stands behind it."""
    # A group of its own: what is sent to the supervisor's group, by a terminal or a process manager, is
    # not meant for the guard, and must not end both at once.
    os.setpgid(0, 0)
    spawn.set_all_signals(signal.SIG_IGN)
    control = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    guard = Guard(control, sys.argv[2:])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    guard.serve()
    os._exit(0)
