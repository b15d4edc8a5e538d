"""One run of the user's `--check` command, below a guard of its own, so that none of it outlives us."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

from reloader.guard import system
from reloader.guard.child_status import SpawnError
from reloader.messages import events
from reloader.processes.forkserver_client import ForkserverClient, LostError
from reloader.processes.guard_client import GuardClient
from reloader.processes.launch import launch
from reloader.processes.order import worker_order
from reloader.settings import Settings, StopTarget, signal_name

# The guard's stop timeout for the command, in seconds.
PATIENCE = 2.0


class Check:
    """One run of a command by the shell. `run` blocks; `cancel` comes from another thread."""

    def __init__(self, command: str, environment: Mapping[str, str], spared: set[int]) -> None:
        """`spared` is shared with all guards, see GuardClient."""
        # As a known worker: what the command leaves behind is ended at once.
        self._settings = Settings(
            command=("/bin/sh", "-c", command),
            name="check",
            preset="check",
            stop_signal=signal.SIGKILL,
            stop_timeout=PATIENCE,
            stop_target=StopTarget.TREE,
        )
        self._environment = environment
        self._spared = spared
        self._guard: GuardClient | None = None
        self._cancelled = threading.Event()
        self.output = b""
        """What the command has printed, once it has run."""

    def cancel(self) -> None:
        """Kill the command and all that it has started."""
        self._cancelled.set()
        if self._guard is not None:
            self._guard.kill()

    def run(self) -> str:
        """Run the command in the current folder; returns how it failed, empty where it did not.

        It leads a session of its own, so that Ctrl-C at the terminal does not reach it. Raises OSError where
        it cannot be run.
        """
        with os.fdopen(system.make_unnamed("check"), "w+b") as output, open(os.devnull, "r+b") as nothing:
            files = [nothing.fileno()] * 3 + [output.fileno()] * 2
            ended = self._run_below_guard(files)
            output.seek(0)
            self.output = output.read()
        if ended is None:
            return "its guard was killed"
        if ended.signal is not None:
            return signal_name(ended.signal)
        return f"exit status {ended.code}" if ended.code else ""

    def _run_below_guard(self, files: list[int]) -> events.ExitStatus | None:
        """How the command ended; None where its guard was killed."""
        forkserver = ForkserverClient(launch())
        try:
            order = worker_order(1, self._settings, self._environment, os.getcwd(), terminal=False)
            self._guard = guard = GuardClient(forkserver.start_guard(order, files), order, self._spared)
            if self._cancelled.is_set():
                guard.kill()
            guard.await_start()
        except SpawnError as failure:
            raise OSError(failure.number, os.strerror(failure.number)) from failure
        except LostError:
            return None
        finally:
            forkserver.close()
        reports: list[str] = []
        ended = guard.await_end(lambda kind, _processes: reports.append(kind))
        guard.forget()
        guard.await_gone()
        return None if "lost" in reports else ended
