"""The protocol between the supervisor and its forkserver, templates and guards, over Unix sockets.

A message is a kind, named fields and descriptors, marshalled. Python 3.8 and newer, with few
imports: guards stay small.

To a forkserver:
- "start" (terminal: whether the worker has one): start a guard with its worker. Descriptors: those named by
  ORDER, CONTROL, OURS, WORKERS and PIPES below. processes/order.py says what stands in the order.

To a guard:
- "stop" (signal, patience): send the stop signal to the worker. For `patience` seconds the guard first waits
  whether somebody else signals the whole tree.
- "kill": SIGKILL to the whole tree.
- "pause", "resume": SIGSTOP and SIGCONT to the whole tree.
- "restore" (name, fd, data): should the supervisor be killed, put this back at the terminal behind `fd`: what
  tcgetattr gave, or bytes to write. It replaces what had the same name.
- "forget": the supervisor knows all about the worker's end; the guard ends.

From a guard:
- "here" (pid, leader): the guard runs; `leader` is the pid of the worker's session leader, or 0 without one.
- "started" (pid): the worker runs. Descriptors: its pidfd, where the system has those.
- "failed" (error, at_folder): the worker could not be started: errno, and whether it is the folder that
  could not be entered.
- "stale" (why): a template refuses to start a worker.
- "left", "doubtful", "unmoved", "refused" (processes: pids and names): processes that outlive the
  worker; that may each be the worker; on which the stop signal had no effect; that the system does not let us
  signal.
- "ended" (code, signal): how the worker's first process ended; its tree is empty.

To a template, which is a forkserver besides:
- "preload" (...): import modules; in_worker/preload.py has the fields. "hold", "go": stop importing, go on.
- "prefork": fork a guard and a worker ahead of the next "start". Descriptors: the worker's terminal, if any.
- "learn": the last worker is ready.

From a template: "loaded" (modules, left_out, is_clean), after "preload"; "preforked" (pid), within its own
processes.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys
from collections.abc import Sequence

# The descriptors of "start": a file that holds the order, the guard's socket, the supervisor's standard
# output and error, the worker's standard input, output and error, and the reading ends of the worker's pipes.
ORDER, CONTROL, OURS, WORKERS, PIPES = 0, 1, 2, 4, 7
_LENGTH = 4  # bytes, in front of each message
# The newest format of marshal that Python 3.8 reads.
_VERSION = 4
_MOST_FILES = 10
_CLOEXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)


class Received:
    """A message as it arrived; `message["name"]` is a field."""

    def __init__(self, kind: str, fields: dict, files: list[int]) -> None:  # type: ignore[type-arg]
        self.kind = kind
        self.fields = fields
        self.files = files
        """Descriptors, which the receiver closes."""

    def __getitem__(self, name: str):  # type: ignore[no-untyped-def]
        return self.fields[name]


def send(
    control: _socket.socket, kind: str, files: Sequence[int] = (), wait: bool = True, **fields: object
) -> None:
    """Send a message. Raises OSError when the other side is gone.

    Without `wait` it also raises OSError where the other side does not read; nothing was sent then. Such a
    message must be short, so that it is sent whole or not at all, from whichever thread.
    """
    data = marshal.dumps((kind, fields), _VERSION)
    data = len(data).to_bytes(_LENGTH, "little") + data
    raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in files)
    beside = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw)] if raw else []
    sent = control.sendmsg([data], beside, 0 if wait else _socket.MSG_DONTWAIT)
    # A receiver that has all of it may have closed its end already; even an empty send would fail then.
    if sent < len(data):
        control.sendall(data[sent:])


def receive(control: _socket.socket) -> Received | None:
    """Block until the next message; None when the other side is gone."""
    data, files = b"", []
    wanted = _LENGTH
    while len(data) < wanted:
        try:
            chunk, beside, _, _ = control.recvmsg(
                wanted - len(data), _socket.CMSG_LEN(_MOST_FILES * 4), _CLOEXEC
            )
        except OSError:
            return None
        if not chunk:
            return None
        for level, number, raw in beside:
            if level == _socket.SOL_SOCKET and number == _socket.SCM_RIGHTS:
                files += [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]
        data += chunk
        if len(data) == _LENGTH:
            wanted = _LENGTH + int.from_bytes(data, "little")
    kind, fields = marshal.loads(data[_LENGTH:])
    return Received(kind, fields, files)


def write_order(fd: int, order: dict) -> None:  # type: ignore[type-arg]
    """Write an order to an empty file. Raises OSError."""
    data = marshal.dumps(order, _VERSION)
    while data:
        data = data[os.write(fd, data) :]


def read_order(fd: int) -> dict:  # type: ignore[type-arg]
    """The order in a file, which is closed here. Raises OSError."""
    try:
        size = os.fstat(fd).st_size
        order: dict = marshal.loads(os.pread(fd, size, 0))  # type: ignore[type-arg]
    finally:
        os.close(fd)
    return order


def terminal_of(files: Sequence[int]) -> int:
    """The descriptor of the worker's terminal: its standard input, or else its standard output."""
    stdin, stdout = files[WORKERS : WORKERS + 2]
    return stdin if os.isatty(stdin) else stdout
