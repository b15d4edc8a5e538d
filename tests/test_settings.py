"""Durations and signal names: what is understood, and what the user is told when it is not."""

from __future__ import annotations

import signal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reloader.settings import (
    ALIVE_IS_READY,
    LONGEST,
    START_TIMEOUT,
    Settings,
    parse_duration,
    parse_signal,
    signal_name,
)

# --- durations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("0ms", 0.0),
        ("1.5ms", 0.0015),
        ("5s", 5.0),
        ("0.5s", 0.5),
        (".5s", 0.5),
        ("5.s", 5.0),
        ("2m", 120.0),
        ("1.5m", 90.0),
        ("1h", 3600.0),
        ("5", 5.0),
        ("0", 0.0),
        ("2.5", 2.5),
        ("007", 7.0),
        ("5 s", 5.0),
        (" 5s ", 5.0),
        ("5S", 5.0),
        ("200MS", 0.2),
        ("none", None),
        ("None", None),
        (" NONE ", None),
    ],
)
def test_a_duration_is_understood(text: str, seconds: float | None) -> None:
    found = parse_duration(text)
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "s", "ms", "five", "5x", "5 seconds", "5sec", "5min", "1d", "1m30s", "1m 30s"),
        *(
            "-1",
            "-1s",
            "+1s",
            "1e3",
            "1,5s",
            "0x10",
            "inf",
            "nan",
            "infinity",
            "nonee",
            "5s5",
            "5..5s",
            "1/2",
        ),
    ],
)
def test_what_is_no_duration_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="200ms, 5s, 2m or none") as caught:
        parse_duration(text)
    assert str(caught.value).startswith(f"{text!r} is not a duration")


@settings(max_examples=300, deadline=None)
@given(
    number=st.integers(0, 10**6),
    unit=st.sampled_from([("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("", 1)]),
)
def test_a_number_with_a_unit_is_so_many_seconds(number: int, unit: tuple[str, float]) -> None:
    text, seconds = f"{number}{unit[0]}", number * unit[1]
    if seconds <= LONGEST:
        assert parse_duration(text) == pytest.approx(seconds)
    else:
        with pytest.raises(ValueError, match="longer than a year"):
            parse_duration(text)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters() | st.sampled_from("0123456789.msh -+e"), max_size=8))
def test_any_text_is_a_duration_of_no_less_than_nothing_or_an_error_that_quotes_it(text: str) -> None:
    seconds, complaint = None, repr(text)
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        complaint = str(error)
    assert repr(text) in complaint
    assert seconds is None or seconds >= 0


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("INT", signal.SIGINT),
        ("SIGINT", signal.SIGINT),
        ("int", signal.SIGINT),
        ("SigTerm", signal.SIGTERM),
        (" TERM ", signal.SIGTERM),
        ("HUP", signal.SIGHUP),
        ("USR1", signal.SIGUSR1),
        ("usr2", signal.SIGUSR2),
        ("QUIT", signal.SIGQUIT),
        ("KILL", signal.SIGKILL),
        ("2", signal.SIGINT),
        ("15", signal.SIGTERM),
        ("015", signal.SIGTERM),
    ],
)
def test_a_signal_is_understood(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("member", list(signal.Signals))
def test_every_signal_is_understood_by_either_name_and_by_number(member: signal.Signals) -> None:
    for text in (member.name, member.name.removeprefix("SIG"), member.name.lower(), str(member.value)):
        assert parse_signal(text) == member
    assert signal_name(member) == member.name


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("TREM", "did you mean TERM?"),
        ("SIGTREM", "did you mean TERM?"),
        ("itn", "did you mean INT?"),
        ("USR", "did you mean USR"),
        ("SIGKIL", "did you mean KILL?"),
        ("", "write for example INT, TERM or HUP"),
        ("SIG", "write for example INT, TERM or HUP"),
        ("xyzzy", "write for example INT, TERM or HUP"),
        ("0", "write for example INT, TERM or HUP"),
        ("999", "write for example INT, TERM or HUP"),
        ("-2", "write for example INT, TERM or HUP"),
        ("2.0", "write for example INT, TERM or HUP"),
        ("²", "write for example INT, TERM or HUP"),
    ],
)
def test_what_is_no_signal_is_told_with_the_nearest_that_is_one(text: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match="is not a signal") as caught:
        parse_signal(text)
    assert str(caught.value).startswith(f"{text!r} is not a signal; {suggestion}")


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters() | st.sampled_from("SIGINTERMHUP0123456789"), max_size=7))
@example(text="²")
def test_any_text_is_a_signal_or_an_error_that_quotes_it(text: str) -> None:
    number, complaint = None, repr(text)
    try:
        number = parse_signal(text)
    except ValueError as error:
        complaint = str(error)
    assert repr(text) in complaint
    assert number is None or number in set(signal.Signals)


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert signal_name(40) == "signal 40"
    assert signal_name(999) == "signal 999"


# --- the value ------------------------------------------------------------------------------------


def test_a_ready_line_is_awaited_longer_than_mere_life() -> None:
    assert Settings(command=("x",)).ready_within == ALIVE_IS_READY
    assert Settings(command=("x",), ready="up").ready_within == START_TIMEOUT
    assert ALIVE_IS_READY < START_TIMEOUT
    assert Settings(command=("x",), start_timeout=5.0).ready_within == 5.0


def test_without_overlap_there_is_no_room_beside_a_generation() -> None:
    assert Settings(command=("x",), max_draining=5).room == 0
    assert Settings(command=("x",), max_draining=5, overlap=True).room == 5
