"""What is said between a run and who asks: one line of JSON each way, which names its version.

A request is {"version": 1, "verb": "status"}. The answer is {"version": 1, "name": ..., "status": ...}, or
{"version": 1, "error": ...}. New keys may come; what a key means does not change within a version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reloader.messages import events, notices

VERSION = 1
# No request is longer, in bytes, and no answer.
REQUEST_LIMIT = 4096
ANSWER_LIMIT = 1 << 22


class RefusedError(Exception):
    """What came is no request, or no answer, of this version; its text says why."""


def request(verb: events.Verb) -> bytes:
    """The line that asks."""
    return _line({"verb": verb.value})


def understand(line: bytes) -> events.Verb:
    """What is asked; raises Refused."""
    if len(line) >= REQUEST_LIMIT:
        raise RefusedError("that is too long for a request")
    found = _understand(line)
    try:
        return events.Verb(found.get("verb"))
    except ValueError:
        known = ", ".join(verb.value for verb in events.Verb)
        raise RefusedError(f"unknown verb; this version knows {known}") from None


def refusal(why: str) -> bytes:
    """The line that says that a request cannot be answered."""
    return _line({"error": why})


def answer(run: Mapping[str, object], status: notices.Status) -> bytes:
    """The line that answers; `run` says which run it is."""
    return _line({**run, "status": _of_status(status)})


def understand_answer(line: bytes) -> dict[str, Any]:
    """The answer as it came; raises Refused where it is none, or an error."""
    found = _understand(line)
    if "error" in found:
        raise RefusedError(str(found["error"]))
    return found


def status_of(found: Mapping[str, Any]) -> notices.Status:
    """The status in an answer; raises Refused where there is none."""
    try:
        told = found["status"]
        last, template = told["last_start"], told["template"]
        return notices.Status(
            *(str(told["state"]), told["generation"]),
            tuple(
                notices.StatusOf(
                    str(one["state"]), one["pid"], one["generation"], one["up"], _start_kind(one)
                )
                for one in told["generations"]
            ),
            told["paused"],
            tuple(
                notices.Pending(notices.Wait(one["waits_for"]), _changes(one["changes"]), one["seconds"])
                for one in told["pending"]
            ),
            None
            if last is None
            else notices.LastStart(
                *(last["generation"], _changes(last["changes"]), last["total"], last["detect"]),
                *(last["drain"], last["start"], _start_kind(last), last["ago"]),
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
            "total": _seconds(last.total),
            "detect": _seconds(last.detect),
            "drain": _seconds(last.drain),
            "start": _seconds(last.start),
            "ago": _seconds(last.ago),
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
    """Whether it was warm, and if not why; both unknown where there is no telling yet."""
    match kind:
        case events.WarmStart():
            return {"warm": True, "cold": None}
        case events.ColdStart(why):
            return {"warm": False, "cold": why}
    return {"warm": None, "cold": None}


def _start_kind(told: Mapping[str, Any]) -> events.StartKind | None:
    if told["warm"]:
        return events.WarmStart()
    return None if told["cold"] is None else events.ColdStart(str(told["cold"]))


def _of_changes(changes: Iterable[events.Change]) -> list[dict[str, str]]:
    return [{"path": change.path, "kind": change.kind.value} for change in changes]


def _changes(told: Iterable[Mapping[str, Any]]) -> tuple[events.Change, ...]:
    return tuple(events.Change(str(one["path"]), events.Kind(one["kind"])) for one in told)


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _line(content: Mapping[str, object]) -> bytes:
    # A name that is not UTF-8 passes as its surrogates, which are escaped.
    return json.dumps({"version": VERSION, **content}).encode("ascii") + b"\n"


def _understand(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise RefusedError("that is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError("that is no JSON object")
    if found.get("version") != VERSION:
        raise RefusedError(f"another version is spoken here: {VERSION}")
    return found
