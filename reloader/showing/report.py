"""The status of a run in words: one line for the key `s`, three for `reloader status`."""

from __future__ import annotations

from reloader.messages import events, notices
from reloader.showing.console import printable
from reloader.showing.links import rendered
from reloader.showing.phrases import changed, counted, span


def status_line(status: notices.Status, name: str) -> str:
    """The worker's state, its generations and what is pending; with links, see `links.rendered`."""
    parts = [f"{name} is {printable(status.state)}"]
    others = list(status.generations)
    if others and others[0].state == status.state:
        parts += _up(others.pop(0))
    parts.append(f"generation {status.generation}")
    for one in others:
        parts.append(", ".join([f"{name}.{one.generation} is {printable(one.state)}", *_up(one)]))
    if status.paused:
        parts.append("watching is paused (p resumes it)")
    return ", ".join([*parts, *map(_waiting, status.pending)])


def status_lines(status: notices.Status, name: str) -> list[str]:
    """The status line, the last start and the state of the template; without links."""
    last = "none yet" if status.last_start is None else _last_start(status.last_start)
    lines = status_line(status, name), f"  last start  {last}", f"  template    {_template(status.template)}"
    return [rendered(line) for line in lines]


def _up(one: notices.StatusOf) -> list[str]:
    pid = [] if one.pid is None else [f"pid {one.pid}"]
    return [*pid, f"up for {span(one.since)}", *_start_kind(one.start_kind)]


def _start_kind(kind: events.StartKind | None) -> list[str]:
    match kind:
        case events.WarmStart():
            return ["warm"]
        case events.ColdStart(why):
            return [f"cold ({printable(why)})"]
    return []


def _last_start(last: notices.LastStart) -> str:
    why = changed(last.changes) if last.changes else "first" if last.generation == 1 else "asked"
    phases = {"detect": last.detect, "drain": last.drain, "start": last.start}
    took = ", ".join(f"{name} {seconds:.2f}" for name, seconds in phases.items() if seconds is not None)
    start = f"generation {last.generation} in {last.total:.2f} s ({took})"
    return ", ".join([f"{why}, {span(last.ago)} ago: {start}", *_start_kind(last.start_kind)])


def _template(template: notices.TemplateIs) -> str:
    there = "" if template.modules is None else f"{counted(template.modules, 'module')} preloaded"
    if template.state == "ready":
        return there
    return printable(": ".join(filter(None, (template.state, there or template.why))))


def _waiting(one: notices.Pending) -> str:
    match one.wait:
        case notices.Wait.LOOK:
            return "files were touched and not checked yet"
        case notices.Wait.GIT:
            return "files were touched, waiting for Git to finish"
        case notices.Wait.CHECK:
            return f"{changed(one.changes)} and being checked"
        case notices.Wait.MEND:
            return f"{changed(one.changes)} and held back: the code is broken"
        case notices.Wait.START:
            return f"{changed(one.changes)}, so a start is due" if one.changes else "a start is due"
        case notices.Wait.RETRY:
            return "starting again" + ("" if one.seconds is None else f" in {span(one.seconds)}")
