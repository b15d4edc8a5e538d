"""One generation of the worker: started in its own session, signalled, waited for, tidied, reaped.

The leader stays a zombie until `reap`, so its pid is its own whenever a signal is sent to it.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from reloader.errors import ExitCode
from reloader.events import Event, ExitStatus, LeftoversFound
from reloader.running import leftovers, system


class CannotRun(Exception):  # noqa: N818 - it is told, never shown as an error's name
    """The command could not be run: why, what to do, and the status a shell would give."""

    def __init__(self, reason: str, remedy: str, exit_code: ExitCode) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.exit_code = exit_code


class WorkerProcess:
    """A running worker. Raises CannotRun when there will be none."""

    def __init__(
        self,
        generation: int,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
        pass_files: Sequence[int],
    ) -> None:
        self.generation = generation
        try:
            self._process = subprocess.Popen(
                command,
                # A terminal is not shared: a worker in the background would be stopped when it reads.
                stdin=subprocess.DEVNULL if os.isatty(0) else None,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                start_new_session=True,
                pass_fds=pass_files,
            )
        except OSError as error:
            raise _explain(command[0], error) from error
        except ValueError as error:
            reason = f"cannot run {command[0]}: {error}"
            raise CannotRun(reason, "a command holds no NUL bytes", ExitCode.NOT_EXECUTABLE) from error
        self.pid = self._process.pid
        self._reaped = False

    def stop(self, number: int) -> None:
        """Send the stop signal to the leader alone: task queues lead their own children.

        SIGCONT goes after it, since a stopped process handles no signal.
        """
        self._send(number)
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the leader and everything below it."""
        self._send(signal.SIGSTOP)
        leftovers.kill_all(self.pid)
        self._send(signal.SIGKILL)

    def wait(self, post: Callable[[Event], None]) -> ExitStatus:
        """Block until the leader has ended and nothing of its tree is left."""
        code, number = system.wait_until_ended(self.pid)
        found = leftovers.find(self.pid)
        if found:
            post(LeftoversFound(self.generation, tuple(leftover.info for leftover in found)))
            leftovers.end_gently(found)
            leftovers.kill_patiently(self.pid)
        return ExitStatus(code, number)

    def reap(self) -> None:
        """Collect the ended leader."""
        self._reaped = True
        self._process.wait()

    def _send(self, number: int) -> None:
        if not self._reaped:
            try:
                os.kill(self.pid, number)
            except PermissionError:
                pass  # it has become another user's; SIGKILL by that user is what is left


def environment(base: Mapping[str, str], generation: int, python: bool) -> dict[str, str]:
    """What the worker finds in its environment: ours, and that it runs under reloader."""
    result = dict(base)
    result["RELOADER"] = "1"
    result["RELOADER_GENERATION"] = str(generation)
    if python:
        result.setdefault("PYTHONUNBUFFERED", "1")
    return result


def reap_orphans(keep: frozenset[int]) -> None:
    """Collect ended processes that became our children.

    `keep` are leaders, which `reap` collects. Children in our own session are helpers, which the
    thread that started them collects.
    """
    ours = os.getsid(0)
    for pid in system.own_children() or ():
        try:
            if pid not in keep and os.getsid(pid) != ours:
                os.waitpid(pid, os.WNOHANG)
        except (ChildProcessError, ProcessLookupError):
            pass  # collected meanwhile


def _explain(program: str, error: OSError) -> CannotRun:
    cannot = f"cannot run {program}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if os.path.isfile(program):
            reason = f"{cannot}: the interpreter named in its first line does not exist"
            return CannotRun(reason, f"head -1 {program}", ExitCode.NOT_EXECUTABLE)
        remedy = "check the spelling, or activate the environment that it is installed in"
        return CannotRun(f"{cannot}: command not found", remedy, ExitCode.NOT_FOUND)
    if os.path.isdir(program):
        return CannotRun(f"{cannot}: it is a folder", "name a program in it", ExitCode.NOT_EXECUTABLE)
    if isinstance(error, PermissionError):
        runner = f"{os.path.basename(sys.executable)} {program}" if program.endswith(".py") else program
        remedy = f"chmod +x {program}" + (f", or run: {runner}" if runner != program else "")
        return CannotRun(f"{cannot}: not executable", remedy, ExitCode.NOT_EXECUTABLE)
    if error.errno == errno.ENOEXEC:
        remedy = "a script needs a first line such as #!/bin/sh"
        return CannotRun(f"{cannot}: not a program", remedy, ExitCode.NOT_EXECUTABLE)
    return CannotRun(f"{cannot}: {error.strerror}", "", ExitCode.NOT_EXECUTABLE)
