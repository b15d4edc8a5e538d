"""How the supervisor speaks with forkservers and guards: marshalled tuples behind their length.

Descriptors go beside them. For both ends of a Unix socket; it imports little, since guards are to stay small.

To a forkserver: (START, an order), with the control socket of the guard that is to be, our stdout and stderr,
the worker's stdin, stdout and stderr, and the reading ends of its pipes. The order is a dict; process.order
makes it, and says what stands in it. To a guard: (STOP, signal, for how many seconds another's to the whole
tree is awaited first); (KILL,); (PAUSE,); (RESUME,); (FORGET,) once all is told of the worker; (MODES, name,
descriptor, what tcgetattr gave or what to write) to give the terminal back.
From a guard: (HERE, its pid, that of the leader of the worker's session or 0); (STARTED, pid) with a pidfd
where there are such; (FAILED, errno, whether it was the folder); (LEFT, leftovers); (DOUBTFUL, who may be
the worker); (UNMOVED, who may not have passed the stop signal on); (REFUSED, whom we may not signal), each as
pids and names; (ENDED, exit code, signal) once the tree is empty.
A template is a forkserver that takes (PRELOAD, what is known of the program, files) first, (HOLD,) and (GO,)
during it, and tells (LOADED, number, {name: why it must be left out}). On (PARK,), with the worker's terminal
if it will have one, it forks a guard and its worker ahead, which wait for START; (LEARN,) says that the last
worker is at work. In the place of a guard that it does not make it answers (STALE, why).
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys
from collections.abc import Sequence

START, STOP, KILL, PAUSE, RESUME, FORGET, MODES, STARTED, FAILED, LEFT, ENDED = range(11)
HERE, PRELOAD, LOADED, HOLD, GO, STALE, PARK, LEARN, DOUBTFUL, UNMOVED, REFUSED = range(11, 22)
# The descriptors of START: the guard's control socket, two of ours, three of the worker's, the others pipes.
CONTROL, OURS, WORKERS, PIPES = 0, 1, 3, 6
_LENGTH = 4
# Of the format of marshal: one that every Python from 3.8 on reads.
_VERSION = 4
_MOST_FILES = 9
_CLOEXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)


def send(control: _socket.socket, message: tuple[object, ...], files: Sequence[int] = ()) -> None:
    """Send all of it. Raises OSError when nobody is there any more."""
    data = marshal.dumps(message, _VERSION)  # type: ignore[arg-type]  # nothing but what it can take
    data = len(data).to_bytes(_LENGTH, "little") + data
    raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in files)
    beside = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw)] if raw else []
    sent = control.sendmsg([data], beside)
    # Whoever has all of it may have closed its end, at which even nothing cannot be sent.
    if sent < len(data):
        control.sendall(data[sent:])


def terminal_of(files: Sequence[int]) -> int:
    """The worker's terminal: its standard input, or where that is none its standard output."""
    stdin, stdout = files[WORKERS : WORKERS + 2]
    return stdin if os.isatty(stdin) else stdout


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
