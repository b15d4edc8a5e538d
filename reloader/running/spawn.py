"""From fork to exec, in the guard: it has one thread, so that anything may be done in between.

For Python 3.8 and newer, as all that runs in a guard.
"""

from __future__ import annotations

# What lies under signal: that brings enumerations and much else.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import os
import sys
from collections.abc import Callable, Mapping, Sequence

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36  # prctl(2)
_SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None


class SpawnError(Exception):
    """There is no process: the error's number, and whether the folder could not be entered."""

    def __init__(self, number: int, at_folder: bool) -> None:
        super().__init__(number)
        self.number = number
        self.at_folder = at_folder


def become_subreaper() -> None:
    """Make every descendant that loses its parent our own child (Linux 3.4 and newer)."""
    if _SYSTEM is not None:
        _SYSTEM.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def call_itself(name: str) -> None:
    """What this process is called in a list of processes (Linux; at most 15 characters)."""
    if _SYSTEM is not None:
        _SYSTEM.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def exit_of(status: int) -> tuple[int | None, int | None]:
    """Exit code or signal of a wait status."""
    return (None, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), None)


def spawn(
    command: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    folder: bytes,
    stop_signal: int,
    files: Sequence[int],
    terminal: bool,
) -> int:
    """Start the command as `fork_worker` says; its pid.

    Raises SpawnError.
    """

    def execute() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(command[0], list(command), environment)

    return fork_worker(folder, stop_signal, files, terminal, execute)


def fork_worker(
    folder: bytes,
    stop_signal: int,
    files: Sequence[int],
    terminal: bool,
    execute: Callable[[], None] | None = None,
) -> int:
    """Fork a process in a session of its own, with these as its first descriptors, which are closed here.

    Where standard input or output is a terminal, that becomes the session's (`terminal`). The process is sent
    `stop_signal` by the system when we die. It becomes what `execute` makes of it, with every signal as it is
    for a new program, else goes on here as it is.
    Returns its pid, and 0 in itself. Raises SpawnError, in the parent alone.
    """
    told, tell = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        for fd in (tell, told, *files):
            os.close(fd)
        raise SpawnError(error.errno or 0, False) from error
    if not pid:
        os.close(told)
        entering = False
        try:
            if execute is not None:
                signal.set_wakeup_fd(-1)
                # Before the system may tell of the guard's death: it ignores what the worker must hear.
                set_all_signals(signal.SIG_DFL)
            _lead_session(stop_signal, files, terminal)
            entering = True
            os.chdir(folder)
            entering = False
            if execute is not None:
                execute()
        except OSError as error:
            os.write(tell, b"%d %d" % (error.errno or 0, entering))
            os._exit(127)
        except BaseException:
            os._exit(127)
        os.close(tell)
        return 0
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


def _lead_session(stop_signal: int, files: Sequence[int], terminal: bool) -> None:
    guard = os.getppid()
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
        # The first terminal that the leader of a session opens becomes the session's (tty_ioctl(4)).
        os.close(os.open(os.ttyname(0 if os.isatty(0) else 1), os.O_RDWR))


def set_all_signals(disposition: object) -> None:
    """Set every signal that can be set."""
    for number in signal.valid_signals():
        try:
            signal.signal(number, disposition)
        except OSError:
            pass  # SIGKILL and SIGSTOP, and two that the C library keeps for itself
