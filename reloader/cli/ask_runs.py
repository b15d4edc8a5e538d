"""What is asked of runs that are under way, from another terminal."""

from __future__ import annotations

import json
import os

import click

from reloader.common.run_folder import run_folder
from reloader.controlling import client, protocol
from reloader.errors import ExitCode, ReloaderError
from reloader.messages import events
from reloader.showing.console import printable
from reloader.showing.report import status_lines


def status(as_json: bool) -> int:
    """Tell of every run in this folder, or else in the nearest one above it that has some; 0 if one answers.

    Raises ReloaderError where nobody can be looked for, or none is found.
    """
    here = run_folder()
    try:
        answers, silent = client.ask(events.Verb.STATUS, here, os.environ)
    except OSError as error:
        where = printable(str(error.filename or here))
        raise ReloaderError(
            f"cannot look for runs in {where}: {(error.strerror or str(error)).lower()}",
            f"ls -ld {where}; it must be yours, and closed to others",
            ExitCode.FAILED,
        ) from error
    if not answers and not silent:
        raise ReloaderError(
            f"no reloader runs in {printable(here)}, nor in a folder above it",
            "call it where reloader was started; a run with -v tells why it cannot be asked",
            ExitCode.FAILED,
        )
    for one in answers:
        if as_json:
            click.echo(json.dumps(one))
        else:
            _tell(one)
    for quiet in silent:
        pid = "" if quiet.pid is None else f" (pid {quiet.pid})"
        click.echo(f"reloader: a run{pid} {printable(quiet.why)}", err=True)
    return ExitCode.OK if answers else ExitCode.FAILED


def _tell(answer: dict[str, object]) -> None:
    try:
        known = protocol.status_of(answer)
    except protocol.RefusedError as refused:
        raise ReloaderError(
            f"a run of another version answers: {refused}", "reloader status --json", ExitCode.FAILED
        ) from refused
    for line in status_lines(known, printable(str(answer.get("name")))):
        click.echo(line)
    folder = printable(str(answer.get("folder")))
    command = printable(" ".join(map(str, answer["command"]))) if isinstance(answer["command"], list) else ""
    click.echo(f"  reloader    pid {answer.get('pid')} in {folder}: {command}")
