"""The supervisor's side of a forkserver: the small process that forks a guard for every generation."""

from __future__ import annotations

import _socket
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reloader.guard import system, wire
from reloader.processes.launch import Launched


class LostError(Exception):
    """The forkserver or guard is gone, or does not read its requests."""


class ForkserverClient:
    """A running forkserver or template. Called by the thread that owns it; nothing here waits for it."""

    def __init__(self, launched: Launched, kept: Sequence[int] = (), leads: bool = False) -> None:
        """`kept` are descriptors that `close` closes.

        With `leads` it leads a process group, which is killed and collected with it.
        """
        self.control, self.pid = launched.control, launched.pid
        self._kept = kept
        self._leads = leads
        self._collected = False

    def start_guard(self, order: Mapping[str, object], files: Sequence[int]) -> _socket.socket:
        """Ask for a guard, which starts the worker as ordered; returns the socket of that guard.

        `files` are our standard output and error, the worker's standard input, output and error, and the
        reading ends of its pipes. Raises LostError, and OSError where there are no more descriptors.
        """
        ours, theirs = _socket.socketpair()
        try:
            fd = system.make_unnamed("reloader-order")
            try:
                wire.write_order(fd, dict(order))
                sent = (fd, theirs.fileno(), *files)
                wire.send(self.control, "start", sent, wait=False, terminal=order["terminal"])
            finally:
                os.close(fd)
        except BlockingIOError as error:
            self.kill()  # it does not read: somebody has stopped it
            ours.close()
            raise LostError("the forkserver does not answer") from error
        except (BrokenPipeError, ConnectionError) as error:
            ours.close()
            raise LostError("the forkserver has ended") from error
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def is_alive(self) -> bool:
        """Whether it has not ended; where it has, it is collected."""
        if self._leads:
            self.collect_members()
        if (
            not self._collected
            and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ):
            self._collect()
        return not self._collected

    def collect_members(self) -> None:
        """Collect members of its group that have ended and lost their parent: we are a subreaper."""
        how = os.WEXITED | os.WNOHANG
        with suppress(ChildProcessError):
            while not self._collected:
                ended = os.waitid(os.P_PGID, self.pid, how | os.WNOWAIT)
                if ended is None or ended.si_pid == self.pid:
                    return
                os.waitid(os.P_PID, ended.si_pid, how)

    def kill(self) -> None:
        """Kill it. The guards that it has forked go on."""
        if not self._collected:
            (os.killpg if self._leads else os.kill)(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill and collect it. The guards that it has forked go on."""
        self.control.close()
        for fd in self._kept:
            os.close(fd)
        if not self._collected:
            self.kill()
            self._collect()

    def _collect(self) -> None:
        self._collected = True
        if self._leads:
            end_group(self.pid)
        else:
            os.waitpid(self.pid, 0)


def end_group(leader: int) -> None:
    """Kill and collect the process group that a child of ours leads; blocks until it has ended.

    The child must not have been collected yet. As we are a subreaper, members that lose their parent become
    our children.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-leader, 0)
