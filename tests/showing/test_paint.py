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
from reloader.showing import paint
from reloader.showing.paint import wanted

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


def worker_colour(name: str, term: str = "xterm-256color") -> str:
    """The sequence that begins the worker's colour at such a terminal."""
    return paint.worker_colour(name, {"TERM": term})


@pytest.mark.parametrize(
    ("name", "colour"),
    [("qcluster", 130), ("worker", 164), ("celery", 29), ("web", 99), ("", 29)],
)
def test_a_worker_has_the_colour_that_it_always_had(name: str, colour: int) -> None:
    assert worker_colour(name) == f"\x1b[0;38;5;{colour}m"


@settings(max_examples=200, deadline=None)
@given(name=st.text() | st.binary().map(os.fsdecode), term=st.sampled_from(["", "xterm", "screen", "linux"]))
def test_any_name_has_a_colour(name: str, term: str) -> None:
    sixteen = r"3[2356]" if term == "linux" else r"38;5;\d+"
    assert re.fullmatch(rf"\x1b\[0;{sixteen}m", worker_colour(name, term))


# The backgrounds of terminals, from the darkest to the lightest, and the contrast that is wanted there.
_BLACK, _GREY, _DARK, _CREAM, _WHITE = (0, 0, 0), (40, 44, 52), (30, 30, 30), (253, 246, 227), (255, 255, 255)


@pytest.mark.parametrize("number", paint.PALETTE)
@pytest.mark.parametrize(
    ("background", "least"), [(_BLACK, 4.0), (_DARK, 3.5), (_GREY, 2.9), (_CREAM, 3.5), (_WHITE, 4.0)]
)
def test_every_colour_is_legible_on_dark_and_on_light(
    number: int, background: tuple[int, int, int], least: float
) -> None:
    red, green, blue = _rgb(number)
    assert _contrast((red, green, blue), background) >= least
    assert not (red > 2 * green and red > 2 * blue), "red is left for trouble"


def _rgb(number: int) -> tuple[int, int, int]:
    """Of the colour cube that xterm has defined."""
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return steps[number // 36], steps[number // 6 % 6], steps[number % 6]


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """As WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(rgb: tuple[int, int, int]) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in rgb)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_colour_is_the_same_in_every_process() -> None:
    script = "from reloader.showing.paint import worker_colour; print(ascii(worker_colour('jobs', {})))"
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
    assert len({worker_colour(f"worker{number}") for number in range(100)}) == len(paint.PALETTE)


# --- ASCII ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "café.py → 3 ×"),
        ({"TERM": "xterm"}, "café.py → 3 ×"),
        ({"TERM": "dumb"}, "café.py -> 3 x"),
        ({"NO_COLOR": "1"}, "café.py -> 3 x"),
        ({"NO_COLOR": ""}, "café.py → 3 ×"),
    ],
)
def test_our_own_signs_are_ascii_where_that_is_asked_for(environment: dict[str, str], expected: str) -> None:
    assert paint.plain("café.py → 3 ×", environment) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "é →".encode()),
        ({"LANG": "en_US.UTF-8"}, "é →".encode()),
        ({"LANG": "C"}, "é →".encode()),
        ({"LANG": "en_US.ISO-8859-1"}, b"\\xe9 ->"),
        ({"LC_ALL": "C.utf8", "LANG": "en_US.ISO-8859-1"}, "é →".encode()),
    ],
)
def test_the_encoding_is_that_of_the_locale(environment: dict[str, str], expected: bytes) -> None:
    assert paint.encoded("é →", environment) == expected
