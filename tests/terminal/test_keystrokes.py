"""What a terminal sends comes in units, wherever it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloader.terminal.keystrokes import ESCAPE, LONGEST, PASTE, REST, Keystrokes, Unit, UnitKind

CHARACTER, ANSWER, OTHER = UnitKind.CHARACTER, UnitKind.ANSWER, UnitKind.OTHER

SENT = {
    # The terminal's answers: to ESC[c, ESC[>c, ESC[6n, ESC[5n, ESC[?25$p, ESC[18t, ESC[?u, OSC 10 and 11,
    # DCS + q, XTVERSION, and of kitty's graphics.
    b"\x1b[?62;22;52c": ANSWER,
    b"\x1b[>41;354;0c": ANSWER,
    b"\x1b[24;80R": ANSWER,
    b"\x1b[0n": ANSWER,
    b"\x1b[?25;1$y": ANSWER,
    b"\x1b[8;24;80t": ANSWER,
    b"\x1b[?1u": ANSWER,
    b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\": ANSWER,
    b"\x1b]11;rgb:0000/0000/0000\x07": ANSWER,
    b"\x1bP1+r524742=8\x1b\\": ANSWER,
    b"\x1bP>|tmux 3.3a\x1b\\": ANSWER,
    b"\x1b_Gi=1;OK\x1b\\": ANSWER,
    # Mouse: of X10 with bytes that are letters or Esc, of SGR, of urxvt; focus.
    b"\x1b[Mqrk": OTHER,
    b"\x1b[M \x1b\xff": OTHER,
    b"\x1b[<0;12;3M": OTHER,
    b"\x1b[<0;12;3m": OTHER,
    b"\x1b[35;12;3M": OTHER,
    b"\x1b[I": OTHER,
    b"\x1b[O": OTHER,
    # Arrows and function keys, of XTerm, rxvt, the Linux console and kitty, with modifiers.
    b"\x1b[A": OTHER,
    b"\x1bOP": OTHER,
    b"\x1b[15~": OTHER,
    b"\x1b[1;5q": OTHER,
    b"\x1b[24^": OTHER,
    b"\x1b[[A": OTHER,
    b"\x1bO2P": OTHER,
    b"\x1b[114;5u": OTHER,
    b"\x1b\x1b[A": OTHER,
    b"\x1b\x1bOA": OTHER,
    # Alt.
    b"\x1br": OTHER,
    b"\x1bq": OTHER,
    b"\x1b\r": OTHER,
    "\x1bé".encode(): OTHER,
    # Pastes.
    b"\x1b[200~quit\nrk\x1b[201~": OTHER,
    b"\x1b[200~\x1b[A\x1b[20\x1b[201~": OTHER,
    # Characters.
    b"r": CHARACTER,
    b"\x03": CHARACTER,
    b"\n": CHARACTER,
    "é".encode(): CHARACTER,
    "𝛿".encode(): CHARACTER,
    b"\xff": CHARACTER,
}


def units_of(pieces: list[bytes]) -> list[Unit]:
    keystrokes = Keystrokes()
    units = [unit for piece in pieces for unit in keystrokes.feed(piece)]
    assert keystrokes.patience is None, "nothing is left over"
    return units


@pytest.mark.parametrize("sent", SENT)
def test_a_unit_is_read_as_a_whole(sent: bytes) -> None:
    assert units_of([sent]) == [Unit(sent, SENT[sent])]


@given(st.lists(st.sampled_from(list(SENT))), st.data())
def test_units_are_the_same_wherever_they_are_cut(sent: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(sent)
    cuts = data.draw(st.lists(st.integers(0, len(whole)))) if whole else []
    places = [0, *sorted(cuts), len(whole)]
    assert units_of([whole[a:b] for a, b in pairwise(places)]) == [Unit(one, SENT[one]) for one in sent]


@given(st.lists(st.one_of(st.binary(max_size=8), st.sampled_from(list(SENT)), st.none())))
def test_no_byte_is_lost_or_doubled_whatever_comes(pieces: list[bytes | None]) -> None:
    """None: nothing comes for a while."""
    keystrokes = Keystrokes()
    units: list[Unit] = []
    for piece in (*pieces, None):
        units += keystrokes.expire() if piece is None else keystrokes.feed(piece)
    assert b"".join(unit.data for unit in units) == b"".join(piece for piece in pieces if piece)


def test_a_lone_escape_is_awaited_for_a_moment() -> None:
    keystrokes = Keystrokes()
    assert keystrokes.feed(b"\x1b") == []
    awaited = [keystrokes.patience]
    assert keystrokes.expire() == [Unit(b"\x1b", CHARACTER)]
    awaited.append(keystrokes.patience)
    assert keystrokes.expire() == []
    awaited.append(keystrokes.patience)
    assert awaited == [ESCAPE, REST, None]
    assert keystrokes.feed(b"[") == [Unit(b"[", CHARACTER)]


def test_a_sequence_that_a_slow_line_tears_behind_its_escape_holds_no_letters() -> None:
    keystrokes = Keystrokes()
    keystrokes.feed(b"\x1b")
    assert keystrokes.expire() == [Unit(b"\x1b", CHARACTER)]
    assert keystrokes.feed(b"[?6") == []
    assert keystrokes.feed(b"2;cq") == [Unit(b"[?62;c", ANSWER), Unit(b"q", CHARACTER)]


def test_a_letter_soon_after_an_escape_is_a_letter() -> None:
    keystrokes = Keystrokes()
    keystrokes.feed(b"\x1b")
    keystrokes.expire()
    assert keystrokes.feed(b"q") == [Unit(b"q", CHARACTER)]
    assert keystrokes.patience is None


def test_a_sequence_without_an_end_is_one_unit() -> None:
    keystrokes = Keystrokes()
    assert keystrokes.feed(b"\x1b]11;rq") == []
    assert keystrokes.patience == REST
    assert keystrokes.expire() == [Unit(b"\x1b]11;rq", OTHER)]
    assert keystrokes.feed(b"r") == [Unit(b"r", CHARACTER)]


def test_a_paste_that_stalls_holds_no_letters() -> None:
    """Seen to fail where a second without a byte ended it."""
    keystrokes = Keystrokes()
    assert keystrokes.feed(b"\x1b[200~first") == []
    assert keystrokes.patience == PASTE
    assert keystrokes.feed(b"r\x1b[201~q") == [
        Unit(b"\x1b[200~firstr\x1b[201~", OTHER),
        Unit(b"q", CHARACTER),
    ]
    assert keystrokes.patience is None


def test_a_long_paste_comes_in_pieces_and_none_of_it_is_a_letter() -> None:
    keystrokes = Keystrokes()
    sent = b"\x1b[200~" + b"qrk" * LONGEST + b"\x1b[201~"
    units = [
        unit for start in range(0, len(sent), 1000) for unit in keystrokes.feed(sent[start : start + 1000])
    ]
    assert b"".join(unit.data for unit in units) == sent
    assert {unit.kind for unit in units} == {OTHER}
    assert max(len(unit.data) for unit in units) < LONGEST + 1000
