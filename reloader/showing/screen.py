"""Puts a prefix in front of every line on a terminal, wherever the worker moves the cursor.

The worker draws on our screen without the columns of the prefix. So the columns that it names are shifted, a
line that it erases gets its prefix back, and when it returns to the beginning of a line the prefix is written
again. The alternate screen has no lines, so its bytes pass unchanged.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection

from reloader.showing.cursor import (
    BEGINNINGS,
    COMMAND_END,
    CUT,
    DRAWING,
    ESCAPES,
    MOVES,
    PRIVATE,
    QUIET,
    STRING_END,
    TOKEN,
    Block,
    Move,
    numbers,
)
from reloader.showing.lines import LIMIT
from reloader.showing.modes import Modes
from reloader.showing.sequences import (
    ATTRIBUTES,
    LONGEST,
    ONLY_ATTRIBUTES,
    RESET,
    attributes_after,
    close_lines,
)
from reloader.showing.sink import Writer

_ST = b"\x1b\\"
# A longer control string, in bytes, is taken as ended. An image may have some megabytes.
_LONGEST_STRING = 1 << 24
# The commands (OSC) that show something at the cursor: the text of a hyperlink, an image.
_SHOWING = (b"8", b"1337")

# A program that goes back so many columns means the first one.
_FAR = 256
_SAVE, _RESTORE = b"\x1b7", b"\x1b8"
# How long another writer's line waits after the last bytes that redraw lines, in seconds. rich draws at least
# four times a second, others more often.
_REDRAW = 0.5


class _At(enum.Enum):
    """Where the cursor is."""

    START = "start"
    """At the beginning of an empty line."""
    RETURNED = "returned"
    """At the beginning of a line that has text."""
    INSIDE = "inside"
    BARE = "bare"
    """Inside a line whose prefix was erased."""


class Screen(Writer):
    """Renders one stream for a terminal, and knows which state it has left the terminal in.

    `prefix` returns the prefix for now, `width` columns wide; if it is empty, the bytes pass unchanged.
    """

    def __init__(self, prefix: Callable[[], bytes], width: int) -> None:
        self._make_prefix = prefix
        self._width = width
        self._prefix = b""
        self.modes: Modes = Modes()
        self._at = self._outside = _At.START
        """Where the cursor is now, and where it was before the alternate screen was shown."""
        self._attributes: frozenset[int] = frozenset()
        self._saved = self._at, self._attributes
        """Both as they were when the worker saved the cursor."""
        self._has_saved = False
        self._waiting = b""
        """Attributes to be written after the next prefix."""
        self._cut = b""
        """The cut sequence at the end of the last chunk. It was not shown."""
        self._string: bytes | None = None
        """The beginning of the unfinished control string; None outside one."""
        self._string_end = STRING_END
        self._string_length = 0
        self._draws = False
        """The last chunk redrew lines."""
        self._block = Block()

    # --- what the sink asks -----------------------------------------------------------------------

    @property
    def is_unfinished(self) -> bool:
        """Whether our last line has no end yet, or is inside a control string or the alternate screen."""
        return self._at is not _At.START or self._string is not None or self.modes.is_alternate

    @property
    def calm(self) -> float:
        """How long no other writer may write after our last bytes, in seconds; infinity inside a string."""
        if self._string is not None or self.modes.is_alternate:
            return float("inf")
        return _REDRAW if self._draws else 0.0

    @property
    def patience(self) -> float:
        """How long to wait for the rest of an unfinished line, in seconds: 0 while lines are redrawn."""
        return 0.0 if self._draws else 0.08

    def most(self, _chunk: bytes) -> int:
        return max(1, LIMIT // (len(self._make_prefix()) + len(_SAVE + _RESTORE) + 2))

    def above(self, rows: int, screen: int) -> tuple[bytes, bytes] | None:
        if self._has_saved or self._string is not None:
            return None
        return self._block.above(rows, screen)

    def break_line(self) -> bytes:
        out = self._end_string() + self._end_attributes()
        if not self.modes.is_alternate:
            self._at = _At.START
        return out + b"\n"

    def leave(self, kept: Collection[bytes]) -> bytes:
        out = self._end_string()
        # A cut sequence shows nothing, so it is dropped.
        self._cut = self._waiting = b""
        if self.modes.is_alternate:
            self._at = self._outside
        out += self.modes.undo(kept) + self._end_attributes()
        self.modes.clear()
        self._draws = False
        return out

    def _end_string(self) -> bytes:
        if self._string is None:
            return b""
        self._string = None
        return _ST

    def _end_attributes(self) -> bytes:
        if not self._attributes:
            return b""
        self._attributes = frozenset()
        return RESET

    # --- rendering --------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> bytes:
        """The chunk as it is shown. A sequence that is cut at its end is kept for the next chunk."""
        self._prefix = self._make_prefix()
        if not (self._cut or self._string is not None or any(one in chunk for one in BEGINNINGS)):
            self._draws = self.modes.is_cursor_hidden or (self._draws and b"\n" not in chunk)
            return self._text(chunk)
        data = self._cut + chunk
        self._cut = b""
        draws, self._draws = self._draws, False
        out: list[bytes] = []
        at = 0
        while at < len(data):
            at = self._next(data, at, out) if self._string is None else self._pass_string(data, at, out)
        draws = self._draws or (draws and b"\n" not in chunk)
        self._draws = draws or self.modes.is_cursor_hidden
        return b"".join(out)

    def _next(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Render the text up to the next token, and the token; returns the index behind it."""
        found = TOKEN.search(data, at)
        if found is None:
            cut = CUT.search(data, max(at, len(data) - LONGEST))
            end = len(data) if cut is None else cut.start()
            self._cut = data[end:]
            out.append(self._text(data[at:end]))
            return len(data)
        start, end = found.span()
        if start > at:
            out.append(self._text(data[at:start]))
        token, parameters, final, number, string = found.group(0, 1, 2, 3, 4)
        if final is not None:
            out.append(self._control(token, parameters, final))
        elif string is not None:
            out.append(self._begin_string(token, number))
        elif token == b"\r":
            out.append(self._to_start(token))
        else:
            out.append(self._escape(token))
        return end

    def _text(self, text: bytes) -> bytes:
        """Render text with attributes, but without other sequences and carriage returns."""
        if not text or self.modes.is_alternate:
            return text
        if self._draws or self._block.is_drawn:
            self._block.go_down(text.count(b"\n"))
        if not self._prefix:
            self._at = _At.START if text.endswith(b"\n") else _At.INSIDE
            self._attributes = _applied(self._attributes, text)
            return text
        if self._at in (_At.START, _At.RETURNED) and text.startswith(b"\x1b"):
            text = self._let_wait(text)
        last = text.rfind(b"\n") + 1
        after = b""
        if last and text.startswith(b"\x1b", last):
            # These attributes begin the next line, so they belong behind its prefix.
            found = ONLY_ATTRIBUTES.match(text, last)
            if found is not None and found.end() == len(text):
                text, after = text[:last], found[0]
        if text:
            text = self._lines(text)
        self._let_wait(after)
        return text

    def _lines(self, text: bytes) -> bytes:
        at = self._at
        self._at = _At.START if text.endswith(b"\n") else _At.INSIDE
        # A newline needs no new prefix on the line that it ends.
        lead = self._take_waiting() if at is not _At.START and text.startswith(b"\n") else self._lead(at)
        if self._attributes or b"\x1b" in text:
            text, self._attributes = close_lines(text, self._attributes)
        tail = b"\n" if self._at is _At.START else b""
        return lead + text[: len(text) - len(tail)].replace(b"\n", b"\n" + self._prefix) + tail

    def _let_wait(self, text: bytes) -> bytes:
        """Keep the attributes at the beginning of the text for after the next prefix; returns the rest."""
        found = ONLY_ATTRIBUTES.match(text)
        if found is None or not found[0]:
            return text
        waiting = self._waiting + found[0]
        # There are too many to keep; the last one matters most.
        self._waiting = waiting if len(waiting) < LONGEST else waiting[waiting.rfind(b"\x1b") :]
        return text[found.end() :]

    def _begin(self) -> bytes:
        """What to write before something that shows or acts at the cursor."""
        at, self._at = self._at, _At.INSIDE
        return self._lead(at)

    def _lead(self, at: _At) -> bytes:
        if at is _At.INSIDE or not self._prefix:
            return self._take_waiting()
        if at is _At.BARE:
            # Writing the prefix would overwrite a cursor position that the worker has saved.
            return b"" if self._has_saved else b"%b\x1b[0m\r%b%b" % (_SAVE, self._prefix, _RESTORE)
        return self._end_attributes() + self._prefix + self._take_waiting()

    def _take_waiting(self) -> bytes:
        waiting, self._waiting = self._waiting, b""
        if waiting:
            self._attributes = _applied(self._attributes, waiting)
        return waiting

    # --- sequences --------------------------------------------------------------------------------

    def _control(self, sequence: bytes, parameters: bytes, final: bytes) -> bytes:
        """Render a control sequence (CSI)."""
        if parameters[:1] not in PRIVATE and (move := MOVES.get(final)) is not None:
            if final == b"r":
                self.modes.control(sequence, parameters, final)
            return sequence if self.modes.is_alternate else self._move(move, sequence, parameters)
        was_alternate = self.modes.is_alternate
        self.modes.control(sequence, parameters, final)
        if self.modes.is_alternate is not was_alternate:
            return self._change_screen(sequence)
        if was_alternate or parameters[:1] in PRIVATE or final[:1] in QUIET:
            return sequence
        return self._begin() + sequence

    def _change_screen(self, sequence: bytes) -> bytes:
        if self.modes.is_alternate:
            self._outside = self._at
            return sequence
        self._at = self._outside
        # Mode 1049 restores the cursor; after the others we go to the beginning of the line.
        return sequence if b"1049" in sequence or not self._prefix else sequence + self._to_start(b"\r")

    def _move(self, move: Move, sequence: bytes, parameters: bytes) -> bytes:
        """Render a sequence that moves the cursor or erases, shifted by the prefix."""
        row, column = numbers(parameters)
        self._draws = self._draws or move in DRAWING
        self._block.move(move, row)
        match move:
            case Move.UP | Move.DOWN | Move.TO_ROW:
                # The other line has its prefix, or is empty.
                self._at = {_At.BARE: _At.INSIDE, _At.START: _At.RETURNED}.get(self._at, self._at)
            case Move.NEXT | Move.PREVIOUS | Move.REGION:
                return self._to_start(sequence)
            case Move.LINES:
                # Some terminals also go to the beginning of the line, others do not.
                return self._to_start(sequence + b"\r" if self._prefix else sequence)
            case Move.BACK if row >= _FAR:
                return self._to_column(1, sequence, b"\r", b"")
            case Move.TO_COLUMN:
                return self._to_column(row, sequence, b"\r", b"\x1b[%dG")
            case Move.TO_PLACE:
                return self._to_column(column, sequence, b"\x1b[%d;1H" % row, b"\x1b[%d;%%dH" % row)
            case Move.ERASE:
                is_before = self._at is _At.RETURNED or (self._at is _At.START and self._block.is_drawn)
                if is_before and parameters == b"1":
                    # The worker's first column is behind the prefix.
                    sequence = self._begin() + sequence
                if self._at is _At.INSIDE and parameters in (b"1", b"2"):
                    self._at = _At.BARE
                elif self._at is _At.RETURNED and parameters in (b"", b"0", b"2"):
                    self._at = _At.START
            case Move.SAVE:
                self._saved = self._at, self._attributes
                self._has_saved = True
            case Move.RESTORE:
                at, self._attributes = self._saved
                self._at = _At.RETURNED if at is _At.START else at
        return sequence

    def _to_start(self, sequence: bytes) -> bytes:
        """Render a sequence that moves the cursor to the beginning of a line, where its prefix begins."""
        if self.modes.is_alternate:
            return sequence
        out = self._end_attributes() if self._prefix else b""
        if self._at is not _At.START or sequence != b"\r":
            self._at = _At.RETURNED
        return out + sequence

    def _to_column(self, column: int, sequence: bytes, to_start: bytes, onwards: bytes) -> bytes:
        if not self._prefix:
            self._at = _At.INSIDE
            return sequence
        start = self._to_start(to_start)
        # That line may have no prefix yet.
        return start if column == 1 else start + self._begin() + onwards % (column + self._width)

    def _escape(self, sequence: bytes) -> bytes:
        """Render an escape sequence without parameters, or a shift between character sets."""
        self.modes.escape(sequence)
        if self.modes.is_alternate:
            return sequence
        if sequence == b"\x1bc":
            self._at, self._attributes, self._waiting = _At.START, frozenset(), b""
        move = ESCAPES.get(sequence[1:])
        return sequence if move is None else self._move(move, sequence, b"")

    # --- control strings --------------------------------------------------------------------------

    def _begin_string(self, opening: bytes, number: bytes | None) -> bytes:
        is_command = number is not None
        self._string = number or b""
        self._string_length = 0
        self._string_end = COMMAND_END if is_command else STRING_END
        if self.modes.is_alternate or (is_command and number not in _SHOWING):
            return opening
        return self._begin() + opening

    def _pass_string(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Pass on the string up to its end, or to the end of the data; returns the index behind it."""
        assert self._string is not None
        found = self._string_end.search(data, at)
        end = len(data) - data.endswith(b"\x1b") if found is None else found.start()
        # Only the beginning is kept. It holds a whole hyperlink, which is all that `modes` needs.
        self._string += data[at : min(end, at + LONGEST - len(self._string))]
        self._string_length += end - at
        if found is None:
            self._cut = data[end:]
            out.append(data[at:end])
            if self._string_length > _LONGEST_STRING:
                out.append(self._end_string())
            return len(data)
        out.append(data[at : found.end()])
        if self._string_end is COMMAND_END and found[0] in (b"\x07", _ST):
            self.modes.command(self._string)
        self._string = None
        return found.end()


def _applied(is_open: frozenset[int], text: bytes) -> frozenset[int]:
    """The attributes that are on after the text."""
    if b"\x1b" in text:
        for parameters in ATTRIBUTES.findall(text):
            is_open = attributes_after(is_open, parameters)
    return is_open
