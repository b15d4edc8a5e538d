"""The protocol between a run and `reloader status`: one line of JSON each way, with a version.

A request is {"version": 1, "verb": "status"}. The answer is {"version": 1, "name": ..., "status": ...}, or
{"version": 1, "error": ...}. Keys may be added; the meaning of a key does not change within a version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reloader.messages import events, notices

VERSION = 1
# The greatest length of a request and of an answer, in bytes.
REQUEST_LIMIT = 4096
ANSWER_LIMIT = 1 << 22
# The fields of LastStart that are seconds, and keys as well.
_TIMES = ("total", "detect", "drain", "start", "ago")


class RefusedError(Exception):
    """A line is not a request, or an answer, of this version; the text says why."""


def request(verb: events.Verb) -> bytes:
    """The line of a request."""
    return _line({"verb": verb.value})


def understand(line: bytes) -> events.Verb:
    """The verb of a request. Raises RefusedError."""
    if len(line) >= REQUEST_LIMIT:
        raise RefusedError("that is too long for a request")
    found = _parse(line)
    try:
        return events.Verb(found.get("verb"))
    except ValueError:
        known = ", ".join(verb.value for verb in events.Verb)
        raise RefusedError(f"unknown verb; this version knows {known}") from None


def refusal(why: str) -> bytes:
    """The line of an answer to a request that is refused."""
    return _line({"error": why})


def answer(run: Mapping[str, object], status: notices.Status) -> bytes:
    """The line of an answer; `run` has the keys that identify the run."""
    return _line({**run, "status": _of_status(status)})


def understand_answer(line: bytes) -> dict[str, Any]:
    """The keys of an answer. Raises RefusedError, also where it is a refusal."""
    found = _parse(line)
    if "error" in found:
        raise RefusedError(str(found["error"]))
    return found


def status_of(found: Mapping[str, Any]) -> notices.Status:
    """The status in an answer. Raises RefusedError where there is none."""
    try:
        status = found["status"]
        last, template = status["last_start"], status["template"]
        return notices.Status(
            *(str(status["state"]), status["generation"]),
            tuple(
                notices.StatusOf(
                    str(one["state"]), one["pid"], one["generation"], one["up"], _start_kind(one)
                )
                for one in status["generations"]
            ),
            status["paused"],
            tuple(
                notices.Pending(notices.Wait(one["waits_for"]), _changes(one["changes"]), one["seconds"])
                for one in status["pending"]
            ),
            None
            if last is None
            else notices.LastStart(
                generation=last["generation"],
                changes=_changes(last["changes"]),
                start_kind=_start_kind(last),
                **{name: last[name] for name in _TIMES},
            ),
            notices.TemplateIs(str(template["state"]), template["modules"], template["why"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"an answer that cannot be understood: {error}") from error


def _of_status(status: notices.Status) -> dict[str, object]:
    last, template = status.last_start, status.template
    return {
        "state": status.state,
        "generation": status.generation,
        "paused": status.paused,
        "generations": [
            {
                "generation": one.generation,
                "state": one.state,
                "pid": one.pid,
                "up": _seconds(one.since),
                **_of_start_kind(one.start_kind),
            }
            for one in status.generations
        ],
        "last_start": None
        if last is None
        else {
            "generation": last.generation,
            "changes": _of_changes(last.changes),
            **{name: _seconds(getattr(last, name)) for name in _TIMES},
            **_of_start_kind(last.start_kind),
        },
        "template": {"state": template.state, "modules": template.modules, "why": template.why},
        "pending": [
            {
                "waits_for": one.wait.value,
                "changes": _of_changes(one.changes),
                "seconds": _seconds(one.seconds),
            }
            for one in status.pending
        ],
    }


def _of_start_kind(kind: events.StartKind | None) -> dict[str, object]:
    """Whether it was warm, and why it was cold; both None while that is not known."""
    match kind:
        case events.WarmStart():
            return {"warm": True, "cold": None}
        case events.ColdStart(why):
            return {"warm": False, "cold": why}
    return {"warm": None, "cold": None}


def _start_kind(found: Mapping[str, Any]) -> events.StartKind | None:
    if found["warm"]:
        return events.WarmStart()
    return None if found["cold"] is None else events.ColdStart(str(found["cold"]))


def _of_changes(changes: Iterable[events.Change]) -> list[dict[str, str]]:
    return [{"path": change.path, "kind": change.kind.value} for change in changes]


def _changes(found: Iterable[Mapping[str, Any]]) -> tuple[events.Change, ...]:
    return tuple(events.Change(str(one["path"]), events.Kind(one["kind"])) for one in found)


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _line(content: Mapping[str, object]) -> bytes:
    # Names that are not UTF-8 are passed as surrogates, which JSON escapes.
    return json.dumps({"version": VERSION, **content}).encode("ascii") + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise RefusedError("that is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError("that is no JSON object")
    if found.get("version") != VERSION:
        raise RefusedError(f"another version is spoken here: {VERSION}")
    return found
