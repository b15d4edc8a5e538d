"""The lines that a worker draws again and again, by moving the cursor up: how many they are. Pure."""

from __future__ import annotations

from collections import deque

from reloader.showing.moves import Move

# After these nobody knows how many lines the cursor is above the others.
_AWAY = frozenset({Move.TO_ROW, Move.TO_PLACE, Move.REGION, Move.SAVE, Move.RESTORE})
# So many times the cursor may go up after it was at the topmost of the lines: not each is drawn every time.
_RISES = 32
# So many rows further down, nothing is drawn any more.
_FAR_BELOW = 100


class Block:
    """Follows the cursor's row, counted from anywhere."""

    def __init__(self) -> None:
        self._row = self._bottom = 0
        self._tops: deque[int] = deque(maxlen=_RISES)
        """The rows that it has gone up to lately."""
        self._is_away = False

    @property
    def is_drawn(self) -> bool:
        """Whether the cursor has gone up."""
        return bool(self._tops)

    def forget(self) -> None:
        """Nothing has been drawn so far."""
        self._row = self._bottom = 0
        self._tops.clear()
        self._is_away = False

    def go_down(self, rows: int) -> None:
        """The cursor goes down, by newlines too."""
        self._row += rows
        self._bottom = max(self._bottom, self._row)
        if self._tops and self._row > self._tops[-1] + _FAR_BELOW:
            self.forget()

    def move(self, move: Move, rows: int) -> None:
        """The cursor moves; so many rows, if it goes up or down."""
        if move in (Move.DOWN, Move.NEXT):
            self.go_down(rows)
        elif move in (Move.UP, Move.PREVIOUS):
            if not self._tops:
                self._bottom = self._row
            self._row -= rows
            self._tops.append(self._row)
        elif move in _AWAY:
            self._is_away = True

    def above(self, rows: int, screen: int) -> tuple[bytes, bytes] | None:
        """What is to be written before and after so many rows of somebody else's, to stand above the lines.

        None where they cannot, on a screen of so many rows. The cursor is back where it was in the end.
        """
        up, down = self._row - min(self._tops, default=self._row), self._bottom - self._row
        if self._is_away or up + down + rows >= screen:
            return None
        # Room is made below, by going straight (IND): the screen scrolls if need be, the column stays.
        room = _go(down, b"B") + b"\x1bD" * rows + _go(rows + down, b"A")
        lines = b"\x1b[0m\r" + _go(up, b"A") + _go(rows, b"L")
        return room + b"\x1b7" + lines, b"\x1b8" + _go(rows, b"B")


def _go(rows: int, final: bytes) -> bytes:
    return b"\x1b[%d%b" % (rows, final) if rows else b""
