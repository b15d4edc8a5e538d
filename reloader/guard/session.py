"""The leader of the session that a worker with a terminal runs in.

When the leader of a session dies, the system hangs up everybody in the terminal's foreground (SIGHUP). The
first process of a worker is often only what stands in front of it, a shell or a runner, and may end before
the worker has drained. So a process of ours leads the session, does nothing, and lives until the worker's
tree is empty. It is the guard's parent, above the tree that the guard watches over.

For Python 3.8 and newer, standard library only: it may be the copy of a process of the worker's interpreter.
"""

from __future__ import annotations

# What lies under signal: that brings enumerations and much else.
import _signal as signal  # type: ignore[import-not-found]
import os
import time

from reloader.guard import spawn

# Once the guard was killed, the session is looked at this often, in seconds.
LOOK = 0.05


def fork_member(terminal: int) -> None:
    """Lead a new session with this terminal for ever, and return in a child, a member of it.

    What is forked before the session has its terminal never gets it. Raises OSError.
    """
    os.setsid()
    # The first terminal that the leader of a session opens becomes the session's (tty_ioctl(4)).
    os.close(os.open(os.ttyname(terminal), os.O_RDWR))
    # The guard's end is to be known, and by what it ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    guard = os.fork()
    if not guard:
        return
    try:
        _lead(guard)
    finally:
        os._exit(0)


def leave() -> None:
    """As the guard, leave the session: the worker's process group then has no parent in it.

    The system then ignores a stop (SIGTSTP) by the terminal, which nobody could take back.
    """
    os.setsid()


def _lead(guard: int) -> None:
    """Wait until the guard has ended, and nobody else is left of the session."""
    spawn.call_itself("reloader-tty")
    spawn.set_all_signals(signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _close_all()
    _, status = os.waitpid(guard, 0)
    if os.WIFSIGNALED(status):
        # Whoever killed it has not ended the worker, which still has this terminal.
        while _has_others():
            time.sleep(LOOK)


def _close_all() -> None:
    """Close what others wait for the end of; 0, 1 and 2 lead nowhere from now on."""
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
            pass  # that of the listing itself


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
