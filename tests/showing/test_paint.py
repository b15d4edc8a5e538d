"""Whether streams are coloured, and that a worker keeps its colour."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.settings import Color
from reloader.showing.paint import wanted, worker_colour

# --- whether --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "at_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": "0"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "3"}, True, True),
        ({"FORCE_COLOR": "true"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "false"}, False, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": ""}, False, False),
    ],
)
def test_by_itself_colour_follows_the_environment_and_the_stream(
    environment: dict[str, str], at_terminal: bool, elsewhere: bool
) -> None:
    assert wanted(Color.AUTO, True, environment) is at_terminal
    assert wanted(Color.AUTO, False, environment) is elsewhere


@pytest.mark.parametrize("at_terminal", [True, False])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_the_option_wins_over_everything(environment: dict[str, str], at_terminal: bool) -> None:
    assert wanted(Color.ALWAYS, at_terminal, environment)
    assert not wanted(Color.NEVER, at_terminal, environment)


# --- which ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "colour"),
    [("qcluster", 94), ("worker", 96), ("celery", 32), ("web", 92), ("", 32)],
)
def test_a_worker_has_the_colour_that_it_always_had(name: str, colour: int) -> None:
    assert worker_colour(name) == f"\x1b[0;{colour}m"


@settings(max_examples=200, deadline=None)
@given(name=st.text() | st.binary().map(os.fsdecode))
def test_any_name_has_a_colour_that_is_legible_and_no_alarm(name: str) -> None:
    found = re.fullmatch(r"\x1b\[0;(\d+)m", worker_colour(name))
    assert found is not None
    # Not black (30, 90), red (31, 91) or white (37, 97).
    assert int(found[1]) in {32, 33, 34, 35, 36, 92, 93, 94, 95, 96}


def test_the_colour_is_the_same_in_every_process() -> None:
    script = "from reloader.showing.paint import worker_colour; print(ascii(worker_colour('jobs')))"
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script]
        seen.add(
            subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()
        )
    assert seen == {ascii(worker_colour("jobs"))}


def test_names_are_spread_over_the_colours() -> None:
    assert len({worker_colour(f"worker{number}") for number in range(100)}) > 5
