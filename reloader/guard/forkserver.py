"""The forkserver's program: it forks a guard for every generation, which starts the worker.

It runs without site-packages and imports little: a guard is a copy of it, takes a millisecond to start, and
shares most of its few megabytes. A guard lives on when the forkserver ends.
"""

from __future__ import annotations

# The modules below socket and signal, which import enum and much else: a megabyte in all.
import _signal as signal  # type: ignore[import-not-found]
import _socket
import os
import sys

from reloader.common.peers import is_ours
from reloader.guard import child_status, spawn, wire
from reloader.guard.service import Guard


def serve(control: _socket.socket, path: list[str]) -> None:
    """Fork a guard for every request, until the other end of `control` is closed."""
    while (received := wire.receive(control)) is not None:
        files = received.files
        try:
            pid = os.fork()
        except OSError as error:
            answer = _socket.socket(fileno=files[wire.CONTROL])
            wire.send(answer, "failed", error=error.errno or 0, at_folder=False)
            answer.close()
            del files[wire.CONTROL]
            pid = -1
        if not pid:
            control.close()
            try:
                _guard(files, path)
            finally:
                os._exit(1)
        for fd in files:
            os.close(fd)


def _guard(files: list[int], path: list[str]) -> None:
    """In a child: start the worker as ordered, and guard it until the end. `path` is as for Guard."""
    order = wire.read_order(files[wire.ORDER])
    leader = 0
    if order["terminal"]:
        from reloader.guard import session

        leader = os.getpid()
        try:
            session.fork_member(wire.terminal_of(files))
        except OSError as error:
            control = _socket.socket(fileno=files[wire.CONTROL])
            wire.send(control, "failed", error=error.errno or 0, at_folder=False)
            os._exit(0)
    else:
        os.setpgid(0, 0)
    spawn.become_subreaper()
    spawn.call_itself("reloader-guard")
    service = Guard(files, path)
    service.answer("here", pid=os.getpid(), leader=leader)
    try:
        pid = spawn.spawn(
            *(order["command"], order["environment"], order["folder"], order["stop_signal"]),
            *(files[wire.WORKERS : wire.PIPES], order["terminal"]),
        )
    except child_status.SpawnError as error:
        service.answer("failed", error=error.number, at_folder=error.at_folder)
        os._exit(0)
    if leader:
        session.leave()
    service.take(pid, order)
    service.serve()
    os._exit(0)


def main() -> None:
    """Serve the socket whose descriptor is the first argument.

    The second is the folder of our package; the others are the search path for modules that a guard seldom
    needs.
    """
    # A group of its own: signals that a terminal or a process manager sends to the supervisor's group are
    # neither for us nor for the guards.
    os.setpgid(0, 0)
    # As SIGCHLD is ignored, the system collects guards that end.
    spawn.set_all_signals(signal.SIG_IGN)
    spawn.call_itself("reloader-forks")
    control = _socket.socket(fileno=int(sys.argv[1]))
    if not is_ours(control):
        os._exit(1)
    os.set_inheritable(control.fileno(), False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    serve(control, sys.argv[3:])
    os._exit(0)
