"""The protocol between a run and `reloader status`: one line of JSON each way, with a version.

A request is {"version": 1, "verb": "status"}. The answer is {"version": 1, "name": ..., "status": ...}, or
{"version": 1, "error": ...}. Keys may be added; the meaning of a key does not change within a version.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any

from reloader.messages import events, notices
from reloader.messages.base import Message

VERSION = 1
# The greatest length of a request and of an answer, in bytes.
REQUEST_LIMIT = 4096
ANSWER_LIMIT = 1 << 22
# Fields of Status whose keys are other words.
_KEYS = {"since": "up", "wait": "waits_for"}


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
    return _line({**run, "status": _encode(status)})


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
                **{name: last[name] for name in ("total", "detect", "drain", "start", "ago")},
            ),
            notices.TemplateIs(str(template["state"]), template["modules"], template["why"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"an answer that cannot be understood: {error}") from error


def _encode(value: Any) -> Any:
    """A message as JSON has it: by field, with some fields under other keys; times to the millisecond."""
    if isinstance(value, Message):
        fields = {_KEYS.get(name, name): getattr(value, name) for name in value.__match_args__}
        if "start_kind" in fields:
            fields |= _of_start_kind(fields.pop("start_kind"))
        return {key: _encode(field) for key, field in fields.items()}
    if isinstance(value, tuple):
        return [_encode(one) for one in value]
    if isinstance(value, enum.Enum):
        return value.value
    return round(value, 3) if isinstance(value, float) else value


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


def _changes(found: Iterable[Mapping[str, Any]]) -> tuple[events.Change, ...]:
    return tuple(events.Change(str(one["path"]), events.Kind(one["kind"])) for one in found)


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
