"""What a worker prints ends in a question, or does not."""

from __future__ import annotations

import pytest

from reloader.terminal.prompt import Prompt

READLINE = b"\x1b[?2004h\x1b[0;32muser\x1b[0m $ "
PROMPT_TOOLKIT = b"\x1b[6n\x1b[?25l\x1b[?7l\x1b[0m\x1b[Jipdb> \n\n\n\x1b[3A\x1b[6C\x1b[?7h\x1b[?12l\x1b[?25h"


@pytest.mark.parametrize(
    "printed",
    [
        b"who are you? ",
        b"up\n(Pdb) ",
        b"Password:",
        READLINE,
        PROMPT_TOOLKIT,
        b"up\n> \x1b[?1049h\x1b[?1049l",
    ],
)
def test_a_question(printed: bytes) -> None:
    whole, byte_by_byte = Prompt(), Prompt()
    whole.feed("terminal", printed)
    for byte in printed:
        byte_by_byte.feed("terminal", bytes((byte,)))
    assert whole.stands
    assert byte_by_byte.stands
    whole.answered()
    assert not whole.stands


@pytest.mark.parametrize(
    "printed",
    [
        b"",
        b"up\n",
        b"up\r\n\x1b[0m",
        b"\x1b]0;a title\x07",
        b"\x1b[?1049h\x1b[H > a full-screen program",
        b"\x1b[?25l 50 %",
    ],
)
def test_no_question(printed: bytes) -> None:
    whole, byte_by_byte = Prompt(), Prompt()
    whole.feed("terminal", printed)
    for byte in printed:
        byte_by_byte.feed("terminal", bytes((byte,)))
    assert not whole.stands
    assert not byte_by_byte.stands


def test_a_question_in_one_of_two_streams() -> None:
    prompt = Prompt()
    prompt.feed("stdout", b"(Pdb) ")
    prompt.feed("stderr", b"a warning\n")
    assert prompt.stands


@pytest.mark.parametrize(
    ("printed", "is_redrawn", "may_have_asked"),
    [
        (b"who are you? ", False, True),
        (b"who are you?\r\n", True, True),
        (b"\x1b[1mgo on (y/n)\x1b[0m\n", True, True),
        (b"\r  0 %\r  9 %", True, False),
        (b"\rwho are you? ", True, True),
        (b"version 2\n", True, False),
        (b"", True, False),
    ],
)
def test_what_a_thread_that_reads_beside_it_makes_of_it(
    printed: bytes, is_redrawn: bool, may_have_asked: bool
) -> None:
    prompt = Prompt()
    prompt.feed("terminal", printed)
    assert prompt.is_redrawn is is_redrawn
    assert prompt.may_have_asked is may_have_asked


@pytest.mark.parametrize(
    "question",
    [
        *(
            b"\x1b[c",
            b"\x1b[>0c",
            b"\x1b[6n",
            b"\x1b[?6n",
            b"\x1b[18t",
            b"\x1b[?25$p",
            b"\x1b[>0q",
            b"\x1b[?u",
        ),
        *(b"\x1b]10;?\x1b\\", b"\x1b]11;?\x07", b"\x1b]4;1;?\x07", b"\x1bP+q524742\x1b\\", b"\x1bP$qm\x1b\\"),
    ],
)
def test_what_the_terminal_is_asked(question: bytes) -> None:
    whole, byte_by_byte = Prompt(), Prompt()
    whole.feed("terminal", b"text" + question + b"text")
    for byte in question:
        byte_by_byte.feed("terminal", bytes((byte,)))
    assert whole.awaits_answer
    assert byte_by_byte.awaits_answer


@pytest.mark.parametrize(
    "printed", [b"c6n?", b"\x1b[1;31m?\x1b[K", b"\x1b]0;a title\x07", b"\x1b[?25h\x1b[2J"]
)
def test_what_asks_the_terminal_nothing(printed: bytes) -> None:
    prompt = Prompt()
    prompt.feed("terminal", printed)
    assert not prompt.awaits_answer
