"""The leader of the session that a worker with a terminal runs in.

When the leader of a session dies, the system sends SIGHUP to every process in the terminal's foreground. The
first process of a worker is often only a shell or a runner in front of it, and may end before the worker has
drained. So a process of ours leads the session, does nothing, and lives until the worker's tree is empty. It
is the guard's parent, outside the tree that the guard looks after.

For Python 3.8 and newer, standard library only: it may be a copy of a process of the worker's interpreter.
"""

from __future__ import annotations

# The module below signal, which imports enum and much else.
import _signal as signal  # type: ignore[import-not-found]
import os
import time

from reloader.guard import spawn

# Seconds between two looks at the session, once the guard was killed.
LOOK = 0.05


def fork_member(terminal: int) -> None:
    """Lead a new session with this terminal, and return in a child, which is a member of it.

    Processes that were forked before the session has its terminal never get it. Raises OSError.
    """
    os.setsid()
    # The first terminal that the leader of a session opens becomes the session's (tty_ioctl(4)).
    os.close(os.open(os.ttyname(terminal), os.O_RDWR))
    # Where it is ignored, the system collects the guard, and how it ended is lost.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    guard = os.fork()
    if not guard:
        return
    try:
        _lead(guard)
    finally:
        os._exit(0)


def leave() -> None:
    """Leave the session, as the guard: the worker's process group is an orphaned one then.

    The system does not stop orphaned groups by SIGTSTP; nobody would let the worker go on after Ctrl-Z.
    """
    os.setsid()


def _lead(guard: int) -> None:
    """Wait until the guard has ended and, where it was killed, the session has no other member."""
    spawn.call_itself("reloader-tty")
    spawn.set_all_signals(signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_all()
    _, status = os.waitpid(guard, 0)
    if os.WIFSIGNALED(status):
        # The worker still runs, and has this terminal.
        while _has_others():
            time.sleep(LOOK)


def _close_all() -> None:
    """Close every descriptor, since others wait for the end of some; 0, 1 and 2 become /dev/null."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nowhere, fd)
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        numbers = list(range(256))
    for fd in numbers:
        try:
            if fd > 2:
                os.close(fd)
        except OSError:
            pass  # it was the descriptor of the listing itself


def _has_others() -> bool:
    """Whether the session has another member."""
    me = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != me:
            try:
                if os.getsid(int(name)) == me:
                    return True
            except OSError:
                pass  # it has ended
    return False
