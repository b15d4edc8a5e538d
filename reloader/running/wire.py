"""How supervisor and guard speak: marshalled tuples behind their length, with descriptors beside them.

For both ends of a Unix socket. It imports little, since the guard is to stay small.

Requests: (START, generation, command, environment, folder, stop signal, stop timeout, name, whether it has
a terminal, whom the stop signal is for) with the worker's stdin, stdout and stderr and the reading ends of
its pipes; (STOP, generation, signal); KILL, PAUSE, RESUME and FORGET with the generation alone;
(MODES, descriptor, what tcgetattr gave) to be put back. Answers: (STARTED, generation, pid) with a pidfd
where there are such; (FAILED, generation, errno, whether it was the folder); (LEFT, generation, leftovers'
pids and names); (ENDED, generation, exit code, signal) once the tree is empty.
"""

from __future__ import annotations

import _socket
import marshal
import sys
from collections.abc import Sequence

START, STOP, KILL, PAUSE, RESUME, FORGET, MODES, STARTED, FAILED, LEFT, ENDED = range(11)
_LENGTH = 4
_MOST_FILES = 5
_CLOEXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)


def send(control: _socket.socket, message: tuple[object, ...], files: Sequence[int] = ()) -> None:
    """Send all of it. Raises OSError when nobody is there any more."""
    data = marshal.dumps(message)  # type: ignore[arg-type]  # nothing but what it can take
    data = len(data).to_bytes(_LENGTH, "little") + data
    raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in files)
    beside = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw)] if raw else []
    sent = control.sendmsg([data], beside)
    control.sendall(data[sent:])


def receive(control: _socket.socket) -> tuple[tuple, list[int]] | None:  # type: ignore[type-arg]
    """The next message and its descriptors; None when there will be none any more."""
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
        for level, kind, raw in beside:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                files += [int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4)]
        data += chunk
        if len(data) == _LENGTH:
            wanted = _LENGTH + int.from_bytes(data, "little")
    return marshal.loads(data[_LENGTH:]), files
