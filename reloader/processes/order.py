"""The order by which a guard starts and stops a worker, and the event of a start that failed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping

from reloader.errors import ExitCode
from reloader.messages import events
from reloader.presets.wrappers import front_names, shell_names
from reloader.settings import Settings

_SHORTAGES = {
    errno.EAGAIN: "no more processes are allowed (ulimit -u)",
    errno.ENOMEM: "there is not enough memory",
    errno.EMFILE: "too many open files (ulimit -n)",
    errno.ENFILE: "the machine has too many open files",
    errno.ETXTBSY: "it is being written",
}


def worker_order(
    generation: int, settings: Settings, environment: Mapping[str, str], folder: str, terminal: bool
) -> dict[str, object]:
    """The order for a worker that runs in `folder`; `terminal` says whether it has one."""
    return {
        "command": [os.fsencode(word) for word in settings.command_of(generation)],
        "environment": {os.fsencode(key): os.fsencode(value) for key, value in environment.items()},
        "folder": os.fsencode(folder),
        "terminal": terminal,  # whether standard input or output is one
        "name": settings.name,
        "stop_signal": int(settings.stop_signal),
        "stop_timeout": settings.stop_timeout,  # in seconds; None for no limit
        "target": settings.stop_target.value,  # which processes get the stop signal
        # The command line of the worker's program, where it is known.
        "words": list(settings.program) if settings.python or settings.preset else [],
        "known": settings.preset is not None,  # such workers end their own children
        "sudo_kill": settings.sudo_kill,
        "fronts": sorted(front_names()),  # programs that run another one
        "shells": sorted(shell_names()),  # those of them that run several, one after the other
    }


def worker_environment(base: Mapping[str, str], generation: int, python: bool) -> dict[str, str]:
    """The worker's environment: `base` and the variables that tell that it runs under reloader."""
    result = dict(base)
    result["RELOADER"] = "1"
    result["RELOADER_GENERATION"] = str(generation)
    if python:
        result.setdefault("PYTHONUNBUFFERED", "1")
    return result


def start_failure(generation: int, program: str, folder: str, error: OSError) -> events.StartFailed:
    """The event of a program that could not be started in the folder; `error.filename` is one of the two."""

    def failed(reason: str, remedy: str, code: ExitCode = ExitCode.NOT_EXECUTABLE) -> events.StartFailed:
        return events.StartFailed(generation, reason, remedy, code)

    cannot = f"cannot run {program}"
    if error.filename == folder:
        reason = f"cannot enter {folder}: {(error.strerror or str(error)).lower()}"
        return failed(reason, "the worker starts in it, and does so once it is there again")
    if error.errno in _SHORTAGES:
        reason = f"{cannot}: {_SHORTAGES[error.errno]}"
        return events.StartFailed(generation, reason, "", ExitCode.NOT_EXECUTABLE, passing=True)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if os.path.isfile(program):
            reason = f"{cannot}: the interpreter named in its first line does not exist"
            return failed(reason, f"head -1 {program}")
        remedy = "check the spelling, or activate the environment that it is installed in"
        return failed(f"{cannot}: command not found", remedy, ExitCode.NOT_FOUND)
    if os.path.isdir(program):
        return failed(f"{cannot}: it is a folder", "name a program in it")
    if isinstance(error, PermissionError):
        runner = f"{os.path.basename(sys.executable)} {program}" if program.endswith(".py") else program
        remedy = f"chmod +x {program}" + (f", or run: {runner}" if runner != program else "")
        return failed(f"{cannot}: not executable", remedy)
    if error.errno == errno.ENOEXEC:
        return failed(f"{cannot}: not a program", "a script needs a first line such as #!/bin/sh")
    return failed(f"{cannot}: {error.strerror}", "")
