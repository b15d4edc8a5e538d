"""The guard's program: the parent of every worker, which drains them when the supervisor is gone.

It runs without site-packages and imports little: it costs a few megabytes, and wakes up
for nothing but a request, the end of a child and the end of the supervisor. It has one thread, so that
what a child does between fork and exec is safe.

Requests are marshalled tuples behind their length, with descriptors beside them (see guard.py):
(START, generation, command, environment, folder, stop signal, stop timeout, name) with the worker's
stdin, stdout and stderr and the reading ends of its pipes; (STOP, generation, signal);
(REAP, generation). Answers: (STARTED, generation, pid) with a pidfd where there are such, (FAILED,
generation, errno, whether it was the folder), (ENDED, generation, exit code, signal).
"""

from __future__ import annotations

# What lies under socket and signal: these bring enumerations and much else, a megabyte in all.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import ctypes
import marshal
import os
import select
import sys
import time

START, STOP, REAP, STARTED, FAILED, ENDED = range(6)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
MSG_CMSG_CLOEXEC = 0x40000000  # recvmsg(2), Linux
LINUX = sys.platform == "linux"
MOST_FILES = 5


class Leader:
    """A worker's first process, and how it is to be stopped."""

    def __init__(self, pid: int, request: tuple, pipes: list[int]) -> None:  # type: ignore[type-arg]
        _, self.generation, _, _, _, self.stop_signal, self.stop_timeout, self.name = request
        self.pid = pid
        self.pipes = dict(zip(pipes, (1, 2), strict=False))
        """Where the bytes of each pipe go once there is no supervisor."""
        self.stopped_at: float | None = None
        self.ended = False

    def stop(self, number: int) -> None:
        """Send the stop signal to this process alone; a stopped process would not handle it."""
        self.stopped_at = time.monotonic()
        if not self.ended:
            for one in (number, signal.SIGCONT):
                try:
                    os.kill(self.pid, one)
                except OSError:
                    pass  # it has become another user's


class Guard:
    """Serves one supervisor until the other end of `control` is closed."""

    def __init__(self, control: _socket.socket, path: list[str]) -> None:
        self.control = control
        self.path = path
        self.leaders: dict[int, Leader] = {}
        self.woken, wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.system = ctypes.CDLL(None) if LINUX else None
        if self.system is not None:
            self.system.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def serve(self) -> None:
        """Answer requests; when these end, drain whatever is alive."""
        poll = select.poll()
        poll.register(self.control.fileno(), select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self.woken in ready:
                self.reap()
            if self.control.fileno() in ready:
                request, files = self.receive()
                if request is None:
                    break
                if request[0] == START:
                    self.start(request, files)
                elif request[1] in self.leaders:
                    leader = self.leaders[request[1]]
                    if request[0] == STOP:
                        leader.stop(request[2])
                    else:
                        self.forget(leader)
        if alive := [leader for leader in self.leaders.values() if not leader.ended]:
            for leader in alive:
                if leader.stopped_at is None:
                    leader.stop(leader.stop_signal)
            sys.path[:] = self.path
            from reloader.running.aftermath import Aftermath

            Aftermath(self, alive).run()

    # --- requests ---------------------------------------------------------------------------------

    def receive(self) -> tuple:  # type: ignore[type-arg]
        """The next request and its descriptors; None instead when there will be none any more."""
        room = _socket.CMSG_LEN(MOST_FILES * 4)
        flags = MSG_CMSG_CLOEXEC if LINUX else 0
        data, files = b"", []
        wanted = 4
        while len(data) < wanted:
            try:
                chunk, beside, _, _ = self.control.recvmsg(wanted - len(data), room, flags)
            except OSError:
                chunk, beside = b"", []
            if not chunk:
                return None, []
            for level, kind, raw in beside:
                if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                    files += [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]
            data += chunk
            if len(data) == 4:
                wanted = 4 + int.from_bytes(data, "little")
        return marshal.loads(data[4:]), files

    def answer(self, *message: int | None, file: int | None = None) -> None:
        """Send an answer; the supervisor may have gone, which is noticed elsewhere."""
        data = marshal.dumps(message)
        data = len(data).to_bytes(4, "little") + data
        beside = []
        if file is not None:
            beside = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, file.to_bytes(4, sys.byteorder))]
        try:
            sent = self.control.sendmsg([data], beside)
            self.control.sendall(data[sent:])
        except OSError:
            pass

    def start(self, request: tuple, files: list[int]) -> None:  # type: ignore[type-arg]
        """Start a worker, and tell its pid or what went wrong."""
        _, generation, command, environment, folder, stop_signal, _, _ = request
        told, tell = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            for fd in (*files, told, tell):
                os.close(fd)
            self.answer(FAILED, generation, error.errno or 0, False)
            return
        if not pid:
            self.become_worker(tell, command, environment, folder, stop_signal, files)
        os.close(tell)
        for fd in files[:3]:
            os.close(fd)
        failure = os.read(told, 16)
        os.close(told)
        if failure:
            os.waitpid(pid, 0)
            for fd in files[3:]:
                os.close(fd)
            number, _, at_folder = failure.partition(b" ")
            self.answer(FAILED, generation, int(number), at_folder == b"1")
            return
        self.leaders[generation] = Leader(pid, request, files[3:])
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        self.answer(STARTED, generation, pid, file=handle)
        if handle is not None:
            os.close(handle)

    def become_worker(
        self,
        tell: int,
        command: list[bytes],
        environment: dict[bytes, bytes],
        folder: bytes,
        stop_signal: int,
        files: list[int],
    ) -> None:
        """In the child: become the worker. Comes back never."""
        entering = True
        try:
            guard = os.getppid()
            os.setsid()
            if self.system is not None:
                # Were the guard killed, nobody else would be there to tell the worker.
                self.system.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
                if os.getppid() != guard:
                    os._exit(1)
            for target, fd in enumerate(files[:3]):
                os.dup2(fd, target)
            os.chdir(folder)
            entering = False
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals():
                if number not in (signal.SIGKILL, signal.SIGSTOP):
                    try:
                        signal.signal(number, signal.SIG_DFL)
                    except OSError:
                        pass  # the C library keeps it for itself
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(command[0], command, environment)
        except OSError as error:
            os.write(tell, b"%d %d" % (error.errno or 0, entering))
        finally:
            os._exit(127)

    def reap(self) -> None:
        """Collect every child that has ended: leaders, and whoever lost the parent that it had."""
        try:
            while os.read(self.woken, 1024):
                pass
        except BlockingIOError:
            pass
        by_pid = {leader.pid: leader for leader in self.leaders.values() if not leader.ended}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            leader = by_pid.get(pid)
            if leader is not None:
                leader.ended = True
                code = os.waitstatus_to_exitcode(status)
                self.answer(ENDED, leader.generation, *((code, None) if code >= 0 else (None, -code)))

    def forget(self, leader: Leader) -> None:
        """Everything of this worker is over."""
        for fd in leader.pipes:
            os.close(fd)
        leader.pipes.clear()
        del self.leaders[leader.generation]


def main() -> None:
    """Serve the socket that the first argument names; where modules are found stands behind it."""
    # A group of its own: what is sent to the supervisor's group, by a terminal or a process manager, is
    # not meant for the guard, and must not end both at once.
    os.setpgid(0, 0)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT):
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                pass
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    control = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    guard = Guard(control, sys.argv[2:])
    guard.serve()
    os._exit(0)
