"""Asking the runs of a project."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from reloader.common.files import upwards
from reloader.common.peers import is_ours, peer_of
from reloader.controlling import protocol, sockets
from reloader.messages import events

# How long, in seconds, a run may take to answer; one that takes longer is stopped or hangs.
PATIENCE = 3.0


class SilentRun(NamedTuple):
    """A run that is there but has not answered; `why` follows its name in a sentence."""

    pid: int | None
    why: str


def ask(
    verb: events.Verb, project: str, environment: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[SilentRun]]:
    """The answers of the runs in the folder, or else in the nearest one above it that has some.

    Sockets of runs that were killed are removed. Raises OSError where the sockets cannot be looked for.
    """
    for folder in upwards(os.path.realpath(project)):
        answers: list[dict[str, Any]] = []
        silent: list[SilentRun] = []
        for path in sockets.found(folder, environment):
            answer = _ask(verb, path)
            if isinstance(answer, SilentRun):
                silent.append(answer)
            elif answer is not None:
                answers.append(answer)
        if answers or silent:
            return sorted(answers, key=lambda one: (str(one.get("name")), str(one.get("pid")))), silent
    return [], []


def _ask(verb: events.Verb, path: str) -> dict[str, Any] | SilentRun | None:
    """The answer of the run that listens at this path; None where it has ended."""
    pid = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect(path)
            pid = _pid_of(asking)
            if not is_ours(asking):
                return SilentRun(pid, "belongs to another user, and was not asked")
            asking.sendall(protocol.request(verb))
            line = b""
            while not line.endswith(b"\n") and len(line) < protocol.ANSWER_LIMIT:
                data = asking.recv(1 << 16)
                if not data:
                    return None  # it has ended
                line += data
            return protocol.understand_answer(line)
        except ConnectionRefusedError:
            sockets.remove(path)
            return None
        except (FileNotFoundError, ConnectionError):
            return None
        except (TimeoutError, BlockingIOError):
            return SilentRun(pid, "does not answer; is it stopped?")
        except protocol.RefusedError as refused:
            return SilentRun(pid, f"cannot be asked: {refused}")


def _pid_of(connected: socket.socket) -> int | None:
    """The pid of the process that listens there; None where the system does not tell."""
    peer = peer_of(connected)
    return peer[0] if peer is not None and peer[0] != os.getpid() and peer[0] > 0 else None
