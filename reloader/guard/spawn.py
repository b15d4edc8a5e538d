"""Starting the worker in the guard, from fork to exec, and the calls of Linux for which that needs ctypes.

The guard has one thread, so that any code may run between fork and exec. For Python 3.8 and newer.
"""

from __future__ import annotations

# The module below signal, which imports enum and much else.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import os
import sys
from collections.abc import Mapping, Sequence

from reloader.guard.child_status import SpawnError

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 2, 15, 36  # prctl(2)
_SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None


def become_subreaper() -> bool:
    """Make every descendant that loses its parent our own child; False where Linux refuses that."""
    return _SYSTEM is None or _SYSTEM.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def tells_of_parents_death() -> bool:
    """Whether the system can send a process a signal when its parent dies (PR_SET_PDEATHSIG)."""
    number = ctypes.c_int()
    return _SYSTEM is not None and _SYSTEM.prctl(PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0) == 0


def call_itself(name: str) -> None:
    """Set this process's name in lists of processes (Linux; at most 15 characters)."""
    if _SYSTEM is not None:
        _SYSTEM.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def spawn(
    command: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    folder: bytes,
    stop_signal: int,
    files: Sequence[int],
    terminal: bool,
) -> int:
    """Run the command in a child that was prepared by `enter`, with the default handling of all signals.

    `files` become its first descriptors, and are closed here. Returns its pid. Raises SpawnError.
    """
    guard = os.getpid()
    failed, failing = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        for fd in (failing, failed, *files):
            os.close(fd)
        raise SpawnError(error.errno or 0, False) from error
    if not pid:
        try:
            os.close(failed)
            signal.set_wakeup_fd(-1)
            # Before `enter` asks for the signal of the guard's death, which the guard itself ignores.
            set_all_signals(signal.SIG_DFL)
            enter(guard, folder, stop_signal, files, terminal)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(command[0], list(command), environment)
        except SpawnError as error:
            os.write(failing, b"%d %d" % (error.number, error.at_folder))
        except OSError as error:
            os.write(failing, b"%d 0" % (error.errno or 0))
        finally:
            os._exit(127)
    os.close(failing)
    for fd in files:
        os.close(fd)
    failure = os.read(failed, 16)
    os.close(failed)
    if failure:
        os.waitpid(pid, 0)
        number, _, at_folder = failure.partition(b" ")
        raise SpawnError(int(number), at_folder == b"1")
    return pid


def enter(guard: int, folder: bytes, stop_signal: int, files: Sequence[int], terminal: bool) -> None:
    """Prepare a child of the guard, in the child: its process group, descriptors 0 to 2 and folder.

    With a terminal its group is in the foreground of the guard's session; else it leads a session of its
    own. The system sends it `stop_signal` when the guard dies. Raises SpawnError, OSError.
    """
    if terminal:
        os.setpgid(0, 0)
    else:
        os.setsid()
    if _SYSTEM is not None:
        # Where the guard is killed, nobody else is there to stop the worker.
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
    """Make our process group the foreground group of the terminal behind `fd`."""
    # A background process that does this is sent SIGTTOU, unless it is blocked (tcsetpgrp(3)).
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        os.tcsetpgrp(fd, os.getpid())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def set_all_signals(disposition: object) -> None:
    """Set the disposition (SIG_DFL, SIG_IGN) of every signal that has one."""
    for number in signal.valid_signals():
        try:
            signal.signal(number, disposition)
        except OSError:
            pass  # SIGKILL and SIGSTOP, and two that the C library keeps for itself
