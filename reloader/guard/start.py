"""How a guard begins: the worker's session where it has a terminal, the worker, and then its service.

For Python 3.8 and newer; it imports little.
"""

from __future__ import annotations

import _socket
import os

from reloader.guard import spawn, wire
from reloader.guard.service import Guard


def guard(files: list[int], path: list[str]) -> None:
    """Start the worker as ordered, and guard it. Never returns. `files` are those of "start" (wire.py)."""
    order = wire.read_order(files[wire.ORDER])
    above = 0
    if order["terminal"]:
        from reloader.guard import session

        above = os.getpid()
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
    one = Guard(show_at(files), path)
    one.answer("here", pid=os.getpid(), leader=above)
    try:
        pid = spawn.spawn(
            *(order["command"], order["environment"], order["folder"], order["stop_signal"]),
            *(files[wire.WORKERS : wire.PIPES], order["terminal"]),
        )
    except spawn.SpawnError as error:
        one.answer("failed", error=error.number, at_folder=error.at_folder)
        os._exit(0)
    if above:
        session.leave()
    one.take(pid, order, files[wire.PIPES :])
    one.serve()
    os._exit(0)


def show_at(files: list[int]) -> _socket.socket:
    """Make the supervisor's standard output and standard error ours; the control socket."""
    for target, fd in enumerate(files[wire.OURS : wire.WORKERS], 1):
        os.dup2(fd, target)
        os.close(fd)
    return _socket.socket(fileno=files[wire.CONTROL])
