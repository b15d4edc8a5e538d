"""Launching the forkserver. It is launched early, since it takes as long to start as our own imports."""

from __future__ import annotations

import _socket
import os
import signal
import sys

from reloader.messages.base import Message

# Imported instead of run as a script, which would be compiled each time: a megabyte, and a tenth of a second.
_PROGRAM = "import sys; sys.path.append(sys.argv[2]); from reloader.guard.forkserver import main; main()"


class Launched(Message):
    """A forkserver that was launched: our end of its control socket, and its pid."""

    control: _socket.socket
    pid: int


def ensure_standard_files() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed, so that no other file gets these numbers."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR if fd else os.O_RDONLY)


def launch() -> Launched:
    """Start a forkserver, through which workers inherit what we have inherited. Raises OSError."""
    ours, theirs = _socket.socketpair()
    try:
        theirs_fd = theirs.fileno()
        os.set_inheritable(theirs_fd, True)
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(theirs_fd), package, *sys.path],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            # Signals meant for us must not end it before it ignores them.
            setsigmask=signal.valid_signals(),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Launched(ours, pid)
