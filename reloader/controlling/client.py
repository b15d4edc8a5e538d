"""Asking the runs of a project."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from reloader.common.peers import is_ours, peer_of
from reloader.controlling import protocol, sockets
from reloader.messages import events

# A run answers in a moment; one that does not within this time, in seconds, is stopped or hangs.
PATIENCE = 3.0


class SilentError(NamedTuple):
    """A run that is there and has not answered."""

    pid: int | None
    why: str


def ask(
    verb: events.Verb, project: str, environment: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[SilentError]]:
    """The answers of the runs in the folder, or else in the nearest one above it that has some.

    What killed runs have left there is removed. Raises OSError where nobody can be looked for.
    """
    for place in sockets.upwards(project):
        answers: list[dict[str, Any]] = []
        silent: list[SilentError] = []
        for path in sockets.found(place, environment):
            told = _ask(verb, path)
            if isinstance(told, SilentError):
                silent.append(told)
            elif told is not None:
                answers.append(told)
        if answers or silent:
            return sorted(answers, key=lambda one: (str(one.get("name")), str(one.get("pid")))), silent
    return [], []


def _ask(verb: events.Verb, path: str) -> dict[str, Any] | SilentError | None:
    """The answer; None where nobody is there any more."""
    pid = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect(path)
            pid = _pid_of(asking)
            if not is_ours(asking):
                return SilentError(pid, "belongs to another user, and was not asked")
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
            return SilentError(pid, "does not answer; is it stopped?")
        except protocol.RefusedError as refused:
            return SilentError(pid, f"cannot be asked: {refused}")


def _pid_of(connected: socket.socket) -> int | None:
    """Who listens there, where the system tells."""
    peer = peer_of(connected)
    return peer[0] if peer is not None and peer[0] != os.getpid() and peer[0] > 0 else None
