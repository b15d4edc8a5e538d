"""What is checked before a working worker is stopped: whether the new code compiles and `--check` passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from reloader.common.run_folder import enter_run_folder, relative, run_folder
from reloader.in_worker import compile_check
from reloader.messages import events
from reloader.processes.check_command import Check
from reloader.settings import Settings

# How long, in seconds, an interpreter may take to answer, besides the time for its files. After that, the
# code counts as good.
PATIENCE = 10.0
# How many bytes a second it compiles at least, on a busy machine.
PACE = 100_000
# How many bytes of source are compiled in our own process at most: other threads wait meanwhile, and with
# them output, signals and drains.
SMALL = 100_000
# How many lines of a check's output are shown: the last ones.
SHOWN = 40
# Files whose faults are shown in full.
FAULTS = 3


class Preflight:
    """One check of changed files. `run` blocks, in a thread of its own; the main thread calls `cancel`."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        number: int,
        paths: Sequence[str],
        unread: Collection[str],
        post: Callable[[events.Event], None],
        syntax: SyntaxCheck,
        spared: set[int],
    ) -> None:
        """`number` is repeated in the events; `spared` is shared with all guards, see GuardClient.

        Faults of the files `unread` speak against nothing.
        """
        self._settings = settings
        self._environment = environment
        self._number = number
        self._paths = paths
        self._unread = unread
        self._post = post
        self._syntax = syntax
        self._spared = spared
        self._cancelled = threading.Event()
        self._check: Check | None = None

    def run(self) -> None:
        """Post PreflightPassed or PreflightFailed; nothing once it was cancelled."""
        if not enter_run_folder():
            if not self._cancelled.is_set():
                self._post(events.PreflightFailed(self._number, None, (), run_folder()))
            return
        command = None
        faults = self._syntax.faults(self._paths) if self._paths else {}
        unread = [path for path in self._paths if path in self._unread and path in faults]
        broken = tuple(events.Fault(path, faults.pop(path).rpartition("\n")[2]) for path in unread)
        report = _report(list(faults.values()))
        if not report and self._settings.check is not None and not self._cancelled.is_set():
            command = self._settings.check
            try:
                report = self._run_check(command)
            except OSError as error:
                report = [f"it could not be run: {(error.strerror or str(error)).lower()}"]
        if self._cancelled.is_set():
            return
        if report:
            self._post(events.PreflightFailed(self._number, command, tuple(report)))
        else:
            self._post(events.PreflightPassed(self._number, broken))

    def cancel(self) -> None:
        """Kill the check; its result is dropped."""
        self._cancelled.set()
        if self._check is not None:
            self._check.cancel()

    def _run_check(self, command: str) -> list[str]:
        """Run the user's check; returns its last lines and how it failed, or nothing if it passed."""
        self._check = check = Check(command, self._environment, self._spared)
        if self._cancelled.is_set():
            return []
        how = check.run()
        lines = check.output.decode(errors="replace").rstrip().splitlines()[-SHOWN:]
        return [*lines, f"({how})"] if how else []


class SyntaxCheck:
    """Compiles Python files by the worker's interpreter, or by ours where that is not known."""

    def __init__(self, interpreter: str | None) -> None:
        self._interpreter = interpreter
        # An interpreter of our own version compiles as ours does: it is not started for a few files.
        self._is_like_ours = interpreter is None

    def faults(self, paths: Sequence[str]) -> dict[str, str]:
        """Python's errors about the files that cannot be compiled, by path."""
        files = [(_shown(path), path) for path in paths]
        if self._is_like_ours and sum(map(_size, paths)) <= SMALL:
            return compile_check.faults(files)
        return self._ask(files)

    def _ask(self, files: list[tuple[str, str]]) -> dict[str, str]:
        words = b"".join(os.fsencode(word) + b"\0" for pair in files for word in pair)
        command = [self._interpreter or sys.executable, "-I", "-S", "-X", "utf8", compile_check.__file__]
        try:
            patience = PATIENCE + sum(_size(path) for _, path in files) / PACE
            answer = subprocess.run(command, input=words, capture_output=True, timeout=patience, check=True)
            result = json.loads(answer.stdout)
            self._is_like_ours = result["version"] == list(sys.version_info[:2])
            return dict(result["faults"])
        except (OSError, subprocess.SubprocessError, ValueError, KeyError):
            return {}  # an interpreter that does not work fails again, visibly, when the worker starts


def _report(faults: list[str]) -> list[str]:
    """The lines of these errors, as far as they are shown."""
    shown = faults[:FAULTS]
    if len(faults) > FAULTS:
        shown.append(f"and {len(faults) - FAULTS} more files that cannot be compiled")
    return "\n".join(shown).splitlines()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # gone again


def _shown(path: str) -> str:
    below = relative(path)
    return path if below.startswith(os.pardir) else below
