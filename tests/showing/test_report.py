"""What `reloader status` says beyond the line of the key, case by case."""

from __future__ import annotations

import pytest

from reloader.messages import events, notices
from reloader.showing.links import rendered
from reloader.showing.report import status_line, status_lines

EDIT = (events.Change("tasks.py", events.Kind.CHANGED),)


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (notices.Pending(notices.Wait.LOOK), "files were touched and not checked yet"),
        (notices.Pending(notices.Wait.GIT), "files were touched, waiting for Git to finish"),
        (notices.Pending(notices.Wait.CHECK, EDIT), "tasks.py changed and being checked"),
        (notices.Pending(notices.Wait.MEND, EDIT), "tasks.py changed and held back: the code is broken"),
        (notices.Pending(notices.Wait.START, EDIT), "tasks.py changed, so a start is due"),
        (notices.Pending(notices.Wait.START), "a start is due"),
        (notices.Pending(notices.Wait.RETRY, (), 2.0), "starting again in 2.0 s"),
        (notices.Pending(notices.Wait.RETRY), "starting again"),
    ],
)
def test_all_that_waits_is_told(pending: notices.Pending, words: str) -> None:
    assert (
        rendered(status_line(notices.Status("held", 2, (), False, (pending,)), "w"))
        == f"w is held, generation 2, {words}"
    )


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (None, "none yet"),
        (
            notices.LastStart(1, (), 0.5, 0.0, None, 0.5, events.ColdStart("no template yet"), 3.0),
            "first, 3.0 s ago: generation 1 in 0.50 s (detect 0.00, start 0.50), cold (no template yet)",
        ),
        (
            notices.LastStart(2, (), 0.3, 0.1, 0.2, None, None, 3.0),
            "asked, 3.0 s ago: generation 2 in 0.30 s (detect 0.10, drain 0.20)",
        ),
        (
            notices.LastStart(2, EDIT, 0.3, 0.0, 0.2, 0.1, events.WarmStart(), 63.0),
            "tasks.py changed, 1 min 3 s ago: generation 2 in 0.30 s (detect 0.00, drain 0.20, start 0.10), warm",
        ),
    ],
)
def test_the_last_start_is_told(last: notices.LastStart | None, words: str) -> None:
    assert status_lines(notices.Status("ready", 2, (), False, (), last), "w")[1] == f"  last start  {words}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (notices.TemplateIs("ready", 312), "312 modules preloaded"),
        (notices.TemplateIs("none"), "none"),
        (notices.TemplateIs("none", why="it has ended"), "none: it has ended"),
        (notices.TemplateIs("off", why="turned off"), "off: turned off"),
        (notices.TemplateIs("being built"), "being built"),
        (notices.TemplateIs("being built", 312), "being built: 312 modules preloaded"),
    ],
)
def test_the_template_is_told(template: notices.TemplateIs, words: str) -> None:
    assert (
        status_lines(notices.Status("ready", 2, (), False, template=template), "w")[2]
        == f"  template    {words}"
    )


def test_no_text_of_others_reaches_the_terminal_unescaped() -> None:
    raw = "a\x1b[2Jb\n"
    changes = (events.Change(raw, events.Kind.ADDED),)
    status = notices.Status(
        *(
            raw,
            2,
            (
                notices.StatusOf(raw, 1, 2, 1.0, events.ColdStart(raw)),
                notices.StatusOf(raw, 1, 1, 1.0, events.ColdStart(raw)),
            ),
            True,
        ),
        tuple(notices.Pending(wait, changes) for wait in notices.Wait),
        notices.LastStart(2, changes, 0.1, 0.1, 0.1, 0.1, events.ColdStart(raw), 1.0),
        notices.TemplateIs(raw, None, raw),
    )
    assert all(line.isprintable() for line in status_lines(status, "w"))
