"""How a guard begins: it makes the session of a worker with a terminal, starts the worker, and serves.

For Python 3.8 and newer, with few imports.
"""

from __future__ import annotations

import _socket
import os

from reloader.guard import spawn, wire
from reloader.guard.service import Guard


def guard(files: list[int], path: list[str]) -> None:
    """Start the worker as ordered, and guard it. Never returns. `files` are those of "start" (wire.py)."""
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
    service = Guard(take_output(files), path)
    service.answer("here", pid=os.getpid(), leader=leader)
    try:
        pid = spawn.spawn(
            *(order["command"], order["environment"], order["folder"], order["stop_signal"]),
            *(files[wire.WORKERS : wire.PIPES], order["terminal"]),
        )
    except spawn.SpawnError as error:
        service.answer("failed", error=error.number, at_folder=error.at_folder)
        os._exit(0)
    if leader:
        session.leave()
    service.take(pid, order, files[wire.PIPES :])
    service.serve()
    os._exit(0)


def take_output(files: list[int]) -> _socket.socket:
    """Make the supervisor's standard output and standard error ours; returns the control socket."""
    for target, fd in enumerate(files[wire.OURS : wire.WORKERS], 1):
        os.dup2(fd, target)
        os.close(fd)
    return _socket.socket(fileno=files[wire.CONTROL])
