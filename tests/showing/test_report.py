"""What `reloader status` says beyond the line of the key, case by case."""

from __future__ import annotations

import pytest

from reloader.events import Change, Kind
from reloader.notices import LastStart, Pending, Status, StatusOf, TemplateIs, Wait
from reloader.showing.links import rendered
from reloader.showing.report import status_line, status_lines

EDIT = (Change("tasks.py", Kind.CHANGED),)


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Pending(Wait.LOOK), "files were touched and are not looked at yet"),
        (Pending(Wait.GIT), "files were touched, waiting for Git to end"),
        (Pending(Wait.CHECK, EDIT), "tasks.py changed and being checked"),
        (Pending(Wait.MEND, EDIT), "tasks.py changed and held back: the code is broken"),
        (Pending(Wait.START, EDIT), "tasks.py changed, so that a start is due"),
        (Pending(Wait.START), "a start is due"),
        (Pending(Wait.RETRY, (), 2.0), "starting again in 2.0 s"),
        (Pending(Wait.RETRY), "starting again"),
    ],
)
def test_all_that_waits_is_told(pending: Pending, words: str) -> None:
    assert (
        rendered(status_line(Status("held", 2, (), False, (pending,)), "w"))
        == f"w is held, generation 2, {words}"
    )


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (None, "none yet"),
        (
            LastStart(1, (), 0.5, 0.0, None, 0.5, "no template yet", 3.0),
            "first, 3.0 s ago: generation 1 in 0.50 s (detect 0.00, start 0.50), cold (no template yet)",
        ),
        (
            LastStart(2, (), 0.3, 0.1, 0.2, None, None, 3.0),
            "asked, 3.0 s ago: generation 2 in 0.30 s (detect 0.10, drain 0.20)",
        ),
        (
            LastStart(2, EDIT, 0.3, 0.0, 0.2, 0.1, "warm", 63.0),
            "tasks.py changed, 1 min 3 s ago: generation 2 in 0.30 s (detect 0.00, drain 0.20, start 0.10), warm",
        ),
    ],
)
def test_the_last_start_is_told(last: LastStart | None, words: str) -> None:
    assert status_lines(Status("ready", 2, (), False, (), last), "w")[1] == f"  last start  {words}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (TemplateIs("ready", 312), "312 modules preloaded"),
        (TemplateIs("none"), "none"),
        (TemplateIs("none", why="it has ended"), "none: it has ended"),
        (TemplateIs("off", why="turned off"), "off: turned off"),
        (TemplateIs("being built"), "being built"),
        (TemplateIs("being built", 312), "being built: 312 modules preloaded"),
    ],
)
def test_the_template_is_told(template: TemplateIs, words: str) -> None:
    assert status_lines(Status("ready", 2, (), False, template=template), "w")[2] == f"  template    {words}"


def test_no_text_of_others_reaches_the_terminal_unescaped() -> None:
    raw = "a\x1b[2Jb\n"
    changes = (Change(raw, Kind.ADDED),)
    status = Status(
        *(raw, 2, (StatusOf(raw, 1, 2, 1.0, raw), StatusOf(raw, 1, 1, 1.0, raw)), True),
        tuple(Pending(wait, changes) for wait in Wait),
        LastStart(2, changes, 0.1, 0.1, 0.1, 0.1, raw, 1.0),
        TemplateIs(raw, None, raw),
    )
    assert all(line.isprintable() for line in status_lines(status, "w"))
