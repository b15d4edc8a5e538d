"""From fork to exec, in the guard: it has one thread, so that anything may be done in between.

For Python 3.8 and newer, as all that runs in a guard.
"""

from __future__ import annotations

# What lies under signal: that brings enumerations and much else.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import errno
import os
import sys
from collections.abc import Mapping, Sequence

# What a system says of a call that it does not have, and a sandbox of one that it does not allow.
REFUSALS = frozenset({errno.ENOSYS, errno.EPERM, errno.EACCES})
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 2, 15, 36  # prctl(2)
_SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None


class SpawnError(Exception):
    """There is no process: the error's number, and whether the folder could not be entered."""

    def __init__(self, number: int, at_folder: bool) -> None:
        super().__init__(number)
        self.number = number
        self.at_folder = at_folder


def become_subreaper() -> bool:
    """Make every descendant that loses its parent our own child; False where Linux refuses that."""
    return _SYSTEM is None or _SYSTEM.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def tells_of_parents_death() -> bool:
    """Whether the system sends a process the signal that it asked for when its parent dies."""
    there = ctypes.c_int()
    return _SYSTEM is not None and _SYSTEM.prctl(PR_GET_PDEATHSIG, ctypes.byref(there), 0, 0, 0) == 0


def open_pidfd(pid: int) -> int:
    """A process's pidfd; -1 where there are no such. Raises OSError, ProcessLookupError when it is gone."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in REFUSALS:
            return -1
        raise


def call_itself(name: str) -> None:
    """What this process is called in a list of processes (Linux; at most 15 characters)."""
    if _SYSTEM is not None:
        _SYSTEM.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def exit_of(status: int) -> tuple[int | None, int | None]:
    """Exit code or signal of a wait status."""
    return (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)


def is_childless() -> bool:
    """Whether we have no child, dead or alive: by the system's word, which misses nobody."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def spawn(
    command: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    folder: bytes,
    stop_signal: int,
    files: Sequence[int],
    terminal: bool,
) -> int:
    """Run the command as `enter` says, with these as its first descriptors, which are closed here.

    The process is sent `stop_signal` by the system when we die; every signal is as it is for a new program.
    Returns its pid. Raises SpawnError.
    """
    guard = os.getpid()
    told, tell = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        for fd in (tell, told, *files):
            os.close(fd)
        raise SpawnError(error.errno or 0, False) from error
    if not pid:
        try:
            os.close(told)
            signal.set_wakeup_fd(-1)
            # Before the system may tell of the guard's death: it ignores what the worker must hear.
            set_all_signals(signal.SIG_DFL)
            enter(guard, folder, stop_signal, files, terminal)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(command[0], list(command), environment)
        except SpawnError as error:
            os.write(tell, b"%d %d" % (error.number, error.at_folder))
        except OSError as error:
            os.write(tell, b"%d 0" % (error.errno or 0))
        finally:
            os._exit(127)
    os.close(tell)
    for fd in files:
        os.close(fd)
    failure = os.read(told, 16)
    os.close(told)
    if failure:
        os.waitpid(pid, 0)
        number, _, at_folder = failure.partition(b" ")
        raise SpawnError(int(number), at_folder == b"1")
    return pid


def enter(guard: int, folder: bytes, stop_signal: int, files: Sequence[int], terminal: bool) -> None:
    """In a child of the guard: have these files, and the folder, in a process group of its own.

    With a terminal it is in the foreground of the session that it was forked in; else it leads one.
    Raises SpawnError, OSError.
    """
    if terminal:
        os.setpgid(0, 0)
    else:
        os.setsid()
    if _SYSTEM is not None:
        # Were the guard killed, nobody else would be there to tell the worker.
        _SYSTEM.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)
    for target, fd in enumerate(files):
        os.dup2(fd, target)
    for fd in files:
        os.close(fd)
    if terminal:
        _come_to_the_foreground(0 if os.isatty(0) else 1)
    try:
        os.chdir(folder)
    except OSError as error:
        raise SpawnError(error.errno or 0, True) from error


def _come_to_the_foreground(fd: int) -> None:
    """Make our group the one that the terminal behind `fd` is for."""
    # Whoever does this from the background is sent SIGTTOU, unless that is blocked (tcsetpgrp(3)).
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        os.tcsetpgrp(fd, os.getpid())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def set_all_signals(disposition: object) -> None:
    """Set every signal that can be set."""
    for number in signal.valid_signals():
        try:
            signal.signal(number, disposition)
        except OSError:
            pass  # SIGKILL and SIGSTOP, and two that the C library keeps for itself
