"""A worker's bytes on a screen: its own, behind the prefix, however it moves the cursor; and given back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pyte
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reloader.showing.modes import Modes
from reloader.showing.screen import Screen

PREFIX = b"w | "
COLOURED = b"\x1b[0;32mw |\x1b[0m "
WIDTH = len(PREFIX)
ROWS, COLUMNS = 6, 160


def rendered(chunks: list[bytes], prefix: bytes = PREFIX) -> bytes:
    """What is shown of a stream that comes in these chunks."""
    screen = Screen(lambda: prefix, WIDTH)
    return b"".join(screen.feed(chunk) for chunk in chunks)


def emulated(data: bytes, columns: int) -> pyte.Screen:
    """The screen behind a terminal that makes a return of every newline."""
    screen = pyte.Screen(columns, ROWS)
    pyte.ByteStream(screen).feed(data.replace(b"\n", b"\r\n"))
    return screen


_texts = st.sampled_from([b"a", b"bc", b"long words", "é".encode(), b" "])
_moves = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n"),
        *(b"\x1b[A", b"\x1b[2A", b"\x1b[B", b"\x1b[3B", b"\x1b[C", b"\x1b[5C", b"\x1b[1000D"),
        *(b"\x1b[E", b"\x1b[2F", b"\x1b[G", b"\x1b[1G", b"\x1b[7G", b"\x1b[3d", b"\x1bM", b"\x1bD"),
        *(b"\x1b[H", b"\x1b[2;1H", b"\x1b[2;5H", b"\x1b[3;9f", b"\x1b[;4H"),
        *(b"\x1b[K", b"\x1b[0K", b"\x1b[1K", b"\x1b[2K", b"\x1b[J", b"\x1b[1J", b"\x1b[2J"),
        *(b"\x1b7there\x1b8", b"\x1b[31m", b"\x1b[1m", b"\x1b[m", b"\x1b[?25l", b"\x1b[?25h"),
        *(b"\x1b]0;title\x07", b"\x1b]2;ti\ntle\x1b\\"),
    ]
)
_drawn = st.lists(_texts | _moves, max_size=14).map(b"".join)
_strings = st.sampled_from(
    [
        *(b"\x1b]8;;http://x/\ny\x1b\\", b"\x1bPq\n#0\n\x1b\\", b"\x1b_Ga\n\nb\x1b\\", b"\x1b^p\rm\n\x1b\\"),
        *(
            b"\x1bXs\no\ns\x1b\\",
            b"\x1b]1337;File=:ab\ncd\x07",
            b"\x1b]0;never ended\n",
            b"\x1bPgiven up\n\x18",
        ),
    ]
)
_anything = st.lists(_texts | _moves | _strings | st.binary(max_size=4), max_size=14).map(b"".join)


def cuts_of(data: bytes, places: list[int]) -> list[bytes]:
    """The data, cut at these places."""
    inside = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in pairwise([0, *inside, len(data)])]


_places = st.lists(st.integers(0, 200), max_size=8)


@settings(max_examples=600, deadline=None)
@given(data=_drawn, places=_places, prefix=st.sampled_from([PREFIX, COLOURED]))
@example(data=b"a\n\x1b[A\x1b[2Kb", places=[], prefix=PREFIX)
@example(data=b"a\x1b[2Kb", places=[], prefix=PREFIX)
@example(data=b"\x1b7there\x1b8\x1b[1K", places=[], prefix=PREFIX)
@example(data=b"\na\x1b[A\n\x1b[1J", places=[], prefix=PREFIX)
def test_the_worker_sees_its_own_screen_behind_the_prefix(
    data: bytes, places: list[int], prefix: bytes
) -> None:
    """An emulator of the worker's screen is the reference."""
    own = emulated(data, COLUMNS - WIDTH)
    ours = emulated(rendered(cuts_of(data, places), prefix), COLUMNS)
    assert [line[WIDTH:] for line in ours.display] == own.display
    # No text of the worker's is ever where the prefix belongs.
    assert {line[:WIDTH] for line in ours.display} <= {PREFIX.decode(), " " * WIDTH}
    assert ours.cursor.y == own.cursor.y
    # At the beginning of a line the prefix is still due.
    assert ours.cursor.x - own.cursor.x in ({0, WIDTH} if own.cursor.x == 0 else {WIDTH})


@settings(max_examples=600, deadline=None)
@given(data=_anything, places=_places, prefix=st.sampled_from([PREFIX, COLOURED, b""]))
def test_what_is_shown_does_not_depend_on_how_the_bytes_are_cut(
    data: bytes, places: list[int], prefix: bytes
) -> None:
    whole, byte_by_byte = rendered([data], prefix), [data[at : at + 1] for at in range(len(data))]
    assert rendered(cuts_of(data, places), prefix) == whole
    assert rendered(byte_by_byte, prefix) == whole


@settings(max_examples=300, deadline=None)
@given(data=_anything, places=_places)
def test_without_a_prefix_nothing_is_changed_and_only_what_is_cut_is_missing(
    data: bytes, places: list[int]
) -> None:
    out = rendered(cuts_of(data, places), b"")
    assert data.startswith(out)
    assert data[len(out) : len(out) + 1] in (b"", b"\x1b")


@settings(max_examples=200, deadline=None)
@given(before=st.lists(_texts | st.just(b"\n")).map(b"".join), string=_strings, after=_texts)
def test_a_control_string_passes_in_one_piece(before: bytes, string: bytes, after: bytes) -> None:
    assert string in rendered([before + string + after])


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"one\ntwo\n"], b"> one\n> two\n"),
        ([b"\n\n"], b"> \n> \n"),
        ([b"10%\r20%\r", b"30%\n"], b"> 10%\r> 20%\r> 30%\n"),
        ([b"dos\r", b"\nline\r\n"], b"> dos\r\n> line\r\n"),
        ([b"a\r"], b"> a\r"),
        ([b"\x1b[31mred\nplain\n\x1b[0m", b"next"], b"> \x1b[31mred\x1b[0m\n> plain\n> \x1b[0mnext"),
        ([b"a\n\x1b[?25l"], b"> a\n\x1b[?25l"),
        ([b"\x1b[2K\x1b[1A\x1b[2K\x1b[G"], b"\x1b[2K\x1b[1A\x1b[2K\r"),
        ([b"a\x1b[2Kb"], b"> a\x1b[2K\x1b7\x1b[0m\r> \x1b8b"),
        ([b"a\n\x1b[?1049h\x1b[Hx\ny\x1b[?1049lb"], b"> a\n\x1b[?1049h\x1b[Hx\ny\x1b[?1049l> b"),
    ],
)
def test_by_example(chunks: list[bytes], expected: bytes) -> None:
    screen = Screen(lambda: b"> ", 2)
    assert b"".join(screen.feed(chunk) for chunk in chunks) == expected


def test_what_is_drawn_is_waited_for_and_what_is_printed_is_not() -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    for chunk, waits in (
        (b"line\n10 %\r20 %\n", False),
        (b"\x1b[?25lone\ntwo", True),
        (b"\r\x1b[2K\x1b[1A\x1b[2Kone\n", True),
        (b"two", True),
        (b"\n\x1b[?25h", False),
        (b"\x1b[2Aone\ntwo\n", True),
        (b"line\n", False),
        (b"\x1b]0;title", True),
        (b"\x07", False),
        (b"\x1b[?1049h", True),
        (b"text", True),
        (b"\x1b[?1049l", False),
    ):
        screen.feed(chunk)
        assert (screen.calm > 0) is waits, chunk


def test_a_control_string_that_another_line_must_break_is_ended() -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(b"\x1b]0;never")
    assert screen.break_line() == b"\x1b\\\n"
    assert screen.feed(b"text\n") == PREFIX + b"text\n"


@pytest.mark.parametrize("prefix", [PREFIX, b"x" * 4000])
def test_what_is_rendered_at_once_is_never_large(prefix: bytes) -> None:
    for line in (b"\n", b"\r", b"x\r", b"\x1b[2Kx", b"x\x1b[2K"):
        screen = Screen(lambda: prefix, len(prefix))
        chunk = (line * (1 << 17))[: 1 << 17]
        most = screen.most(chunk)
        assert most > 0
        assert len(screen.feed(chunk[:most])) <= 2 << 20


# --- lines that are drawn again and again ---------------------------------------------------------


def rich_frame(step: int, lines: int) -> bytes:
    """As rich draws: the last line has no newline."""
    up = b"\x1b[1A\x1b[2K" * (lines - 1) if step else b""
    return b"\r\x1b[2K" + up + b"\n".join(b"%d at %d" % (line, step) for line in range(lines))


def docker_frame(step: int, lines: int) -> bytes:
    """As docker compose draws: the cursor is left below."""
    up = b"\x1b[%dA\r" % lines if step else b""
    return up + b"".join(b"%d at %d\x1b[K\n" % (line, step) for line in range(lines))


def pull_frame(step: int, lines: int) -> bytes:
    """As docker pull draws: one line at a time, and back."""
    if not step:
        return b"".join(b"%d at 0\n" % line for line in range(lines))
    drawn = (b"\x1b[%dA\x1b[2K\r%d at %d\x1b[%dB\r" % (lines - n, n, step, lines - n) for n in range(lines))
    return b"".join(drawn)


def tqdm_frame(step: int, lines: int) -> bytes:
    """As tqdm draws several bars: the cursor is left in the first."""
    drawn = (b"\n" * n + b"\r%d at %d" % (n, step) + b"\x1b[A" * n for n in range(lines))
    return b"".join(drawn)


@settings(max_examples=400, deadline=None)
@given(
    frame=st.sampled_from([rich_frame, docker_frame, pull_frame, tqdm_frame]),
    before=st.integers(0, 9),
    lines=st.integers(1, 4),
    place=st.integers(0, 10_000),
    ours=st.integers(1, 3),
)
def test_another_writers_lines_stand_above_what_is_drawn(
    frame: Callable[[int, int], bytes], before: int, lines: int, place: int, ours: int
) -> None:
    """Wherever the drawing is cut, on a screen that is nearly empty or scrolls."""
    screen = Screen(lambda: PREFIX, WIDTH)
    out = [screen.feed(b"before\n" * before)]
    drawn = b"".join(frame(step, lines) for step in range(2, 5))
    at = place % len(drawn)
    out += [screen.feed(chunk) for chunk in (frame(0, lines), frame(1, lines), drawn[:at])]
    around = screen.above(ours, 10)
    assert around is not None
    out += [around[0], b"".join(b"line %d of ours\n" % number for number in range(ours)), around[1]]
    out.append(screen.feed(drawn[at:]))
    emulator = pyte.Screen(COLUMNS, 10)
    pyte.ByteStream(emulator).feed(b"".join(out).replace(b"\n", b"\r\n"))
    shown = [line.rstrip() for line in emulator.display if line.strip()]
    expected = ["w | before"] * before
    expected += [f"line {number} of ours" for number in range(ours)]
    expected += [f"w | {line} at 4" for line in range(lines)]
    assert shown == expected[-len(shown) :]
    assert len(shown) >= ours + lines


@pytest.mark.parametrize(
    "data", [b"\x1b[2;5Hx\x1b[A", b"a\nb\x1b7\x1b[A\x1b8", b"\x1b[A\x1b]0;", b"x\n\x1b[20A"]
)
def test_where_the_lines_that_are_drawn_begin_is_not_always_known(data: bytes) -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(b"\x1b[A" + data)
    assert screen.above(1, 10) is None


# --- the terminal is given back -------------------------------------------------------------------

# What is switched, by which sequence, and what undoes it (None: this does).
SWITCHES: list[tuple[str, bytes, bytes | None]] = [
    *[
        switch
        for number in (1, 5, 9, 12, 45, 66, 69, 1000, 1002, 1003, 1004, 1006, 1015, 2004, 2026, 2031, 2048)
        for switch in (
            (f"?{number}", b"\x1b[?%dh" % number, b"\x1b[?%dl" % number),
            (f"?{number}", b"\x1b[?%dl" % number, None),
        )
    ],
    *[("?7", b"\x1b[?7l", b"\x1b[?7h"), ("?7", b"\x1b[?7h", None)],
    *[("?25", b"\x1b[?25l", b"\x1b[?25h"), ("?25", b"\x1b[?25h", None)],
    *[("4", b"\x1b[4h", b"\x1b[4l"), ("4", b"\x1b[4l", None)],
    *[("keypad", b"\x1b=", b"\x1b>"), ("keypad", b"\x1b>", None)],
    *[("region", b"\x1b[2;5r", b"\x1b7\x1b[r\x1b8"), ("region", b"\x1b[r", None)],
    *[("characters", b"\x1b(0", b"\x1b(B"), ("characters", b"\x1b(B", None)],
    *[("shift", b"\x0e", b"\x0f"), ("shift", b"\x0f", None)],
    *[("shape", b"\x1b[5 q", b"\x1b[0 q"), ("shape", b"\x1b[ q", None)],
    *[("keys", b"\x1b[=5u", b"\x1b[=0u"), ("keys", b"\x1b[=0u", None)],
    *[("modifiers", b"\x1b[>4;2m", b"\x1b[>4m"), ("modifiers", b"\x1b[>4m", None)],
    *[("link", b"\x1b]8;id=1;http://x/\x1b\\", b"\x1b]8;;\x1b\\"), ("link", b"\x1b]8;;\x07", None)],
    *[("behind", b"\x1b]11;#fff\x07", b"\x1b]111\x1b\\"), ("behind", b"\x1b]111\x07", None)],
    *[("progress", b"\x1b]9;4;1;50\x07", b"\x1b]9;4;0\x1b\\"), ("progress", b"\x1b]9;4;0\x07", None)],
]
_switched = st.lists(st.sampled_from(SWITCHES) | _texts.map(lambda text: ("", text, None)), max_size=20)


@settings(max_examples=600, deadline=None)
@given(switched=_switched, places=_places, prefix=st.sampled_from([PREFIX, b""]))
def test_what_is_left_on_is_undone_and_nothing_else(
    switched: list[tuple[str, bytes, bytes | None]], places: list[int], prefix: bytes
) -> None:
    """The reference: what was switched last counts."""
    left: dict[str, bytes] = {}
    for name, _, undone in switched:
        left.pop(name, None)
        if undone is not None:
            left[name] = undone
    screen = Screen(lambda: prefix, WIDTH)
    for chunk in cuts_of(b"".join(sequence for _, sequence, _ in switched), places):
        screen.feed(chunk)
    undo = screen.leave(())
    for undone in left.values():
        assert undo.count(undone) == 1, undo
        undo = undo.replace(undone, b"")
    assert undo == b""
    assert screen.leave(()) == b""


@pytest.mark.parametrize("mode", [b"47", b"1047", b"1049"])
def test_the_alternate_screen_is_left_before_all_else(mode: bytes) -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(b"\x1b[?25;1000h\x1b[?%bh\x1b[?25l\x1b[>1u\x1b[1;20r" % mode)
    undo = screen.leave(())
    assert undo == b"\x1b[<1u\x1b[?%bl\x1b7\x1b[r\x1b8\x1b[?1000l\x1b[?25h" % mode


def test_attributes_that_are_left_open_end() -> None:
    for prefix in (PREFIX, b""):
        screen = Screen(lambda prefix=prefix: prefix, WIDTH)  # type: ignore[misc]
        screen.feed(b"\x1b[1;31mred")
        assert screen.leave(()) == b"\x1b[0m"


def test_a_reset_by_the_worker_leaves_nothing_to_undo() -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[31m\x1b[5;6r\x1bc")
    assert screen.leave(()) == b""
    screen.feed(b"\x1b[?25l\x1b[?1h\x1b[?2004h\x1b[!p")
    assert screen.leave(()) == b"\x1b[?2004l"


def test_what_others_have_on_stays() -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(b"\x1b[?25l\x1b[?2004h")
    assert screen.leave({b"?25"}) == b"\x1b[?2004l"


def test_keys_are_taken_from_the_stack_that_they_were_put_on() -> None:
    modes = Modes()
    for sequence, parameters in ((b"\x1b[>1u", b">1"), (b"\x1b[>5u", b">5"), (b"\x1b[<u", b"<")):
        modes.control(sequence, parameters, b"u")
    assert (modes.undo(), modes.redo()) == (b"\x1b[<1u", b"\x1b[>1u")
    modes.control(b"\x1b[<9u", b"<9", b"u")
    assert modes.undo() == b""


@settings(max_examples=200, deadline=None)
@given(switched=_switched)
def test_what_is_switched_on_again_is_what_was_on(switched: list[tuple[str, bytes, bytes | None]]) -> None:
    """As after Ctrl-Z and `fg`."""
    screen, again = Screen(lambda: b"", 0), Screen(lambda: b"", 0)
    screen.feed(b"".join(sequence for _, sequence, _ in switched))
    again.feed(screen.modes.redo())
    assert again.modes.undo() == screen.modes.undo()


@settings(max_examples=300, deadline=None)
@given(data=_anything)
def test_nothing_that_a_worker_prints_is_too_odd(data: bytes) -> None:
    screen = Screen(lambda: PREFIX, WIDTH)
    screen.feed(data)
    screen.break_line()
    screen.leave(())
    assert screen.leave(()) == b""
    assert not screen.modes.names
