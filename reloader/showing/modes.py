"""What a worker's control sequences have switched a terminal to, and the sequences that undo it. Pure.

Only what every terminal begins without is here. A mode whose default differs between terminals, such as the
meta key's (?1034), is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# --- what is known --------------------------------------------------------------------------------

# VT: the manual of the VT510 (vt100.net/docs/vt510-rm). XTERM: "XTerm Control Sequences" (ctlseqs).

# Modes of `CSI ? n h` and `CSI ? n l`, each with the one of these that undoes it.
_PRIVATE = {
    b"1": b"l",  # application cursor keys (DECCKM, VT)
    b"5": b"l",  # reverse video (DECSCNM, VT)
    b"6": b"l",  # rows are counted from the scroll region (DECOM, VT)
    b"7": b"h",  # lines that are too long go on in the next one (DECAWM, VT)
    b"9": b"l",  # mouse: buttons pressed, as X10 has it (XTERM)
    b"12": b"l",  # blinking cursor (XTERM; "cnorm" in terminfo(5) switches it off)
    b"25": b"h",  # the cursor is shown (DECTCEM, VT)
    b"45": b"l",  # backspace goes on in the line before (XTERM)
    b"47": b"l",  # alternate screen (XTERM)
    b"66": b"l",  # application keypad (DECNKM, VT)
    b"69": b"l",  # left and right margins (DECLRMM, VT)
    **dict.fromkeys((b"1000", b"1001", b"1002", b"1003"), b"l"),  # mouse: buttons, highlight, motion (XTERM)
    b"1004": b"l",  # the focus is told (XTERM)
    **dict.fromkeys((b"1005", b"1006", b"1015", b"1016"), b"l"),  # how the mouse is told (XTERM)
    b"1047": b"l",  # alternate screen (XTERM)
    b"1049": b"l",  # alternate screen, and the cursor is saved (XTERM)
    b"2004": b"l",  # what is pasted is told apart (XTERM)
    b"2026": b"l",  # nothing is shown until its end ("Synchronized Output", gist.github.com/christianparpart)
    b"2031": b"l",  # changes of the colours are told (contour-terminal.org, "VT extensions")
    b"2048": b"l",  # changes of the size are told (gist.github.com/rockorager, "In-Band Resize")
    b"9001": b"l",  # keys as Windows has them (microsoft/terminal, spec 4999)
}
_ALTERNATE = frozenset({b"?47", b"?1047", b"?1049"})

# Modes of `CSI n h` and `CSI n l` (ECMA-48, section 7; VT; XTERM).
_PLAIN = {
    b"2": b"l",  # keyboard locked (KAM)
    b"4": b"l",  # what is written moves the rest of the line (IRM)
    b"12": b"h",  # what is typed is not echoed by the terminal (SRM)
    b"20": b"l",  # a newline is a return as well (LNM)
}

# Colours by the number of the OSC that sets them, each with what resets it (XTERM).
_COLOURS = {b"4": b"104", b"10": b"110", b"11": b"111", b"12": b"112"}

# What DECSTR resets (VT; the alternate screen, the mouse and pasting stay as they are: XTERM).
_SOFT = (b"?1", b"?6", b"?25", b"?66", b"4", b"keypad", b"region", b"G0", b"shift")

# The cursor is saved since the region's end moves it to the corner (DECSTBM, VT).
_WHOLE_REGION = b"\x1b7\x1b[r\x1b8"
# So does this, and it belongs to what a saved cursor brings back. The last row is where one goes on.
_WHOLE_SCREEN = b"\x1b[?6l\x1b[r\x1b[9999;1H"

# So many can be on the stack of how keys are told.
_STACK = 32

# What is undone before all else, in this order: what the alternate screen has of its own, then that itself,
# then what brings the cursor's attributes back.
_ALTERNATE_KEYS = b"keys in the alternate screen"
_FIRST = (b"?2026", _ALTERNATE_KEYS + b" set", _ALTERNATE_KEYS, *sorted(_ALTERNATE), b"?69", b"?6", b"region")

_NUMBERS = re.compile(rb"[0-9]+")


class Modes:
    """The modes that one stream has left on, by names of its own: `?25` is that of `CSI ? 25 l`."""

    def __init__(self) -> None:
        self._on: dict[bytes, tuple[bytes, bytes]] = {}
        """What has switched each on, and what undoes it."""
        self.changes = 0
        """How often one was switched."""

    @property
    def names(self) -> Collection[bytes]:
        """Those that are on."""
        return self._on.keys()

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return not _ALTERNATE.isdisjoint(self._on)

    @property
    def is_cursor_hidden(self) -> bool:
        """Whether the cursor is hidden."""
        return b"?25" in self._on

    def undo(self, kept: Collection[bytes] = ()) -> bytes:
        """What switches all of them off but the `kept` ones, which others have on as well."""
        first = [name for name in _FIRST if name in self._on]
        rest = [name for name in self._on if name not in _FIRST]
        return b"".join(self._on[name][1] for name in first + rest if name not in kept)

    def redo(self) -> bytes:
        """What switches all of them on again, in their order."""
        return b"".join(done for done, _ in self._on.values())

    def clear(self) -> None:
        """All of them are off."""
        self._on.clear()
        self.changes += 1

    # --- sequences --------------------------------------------------------------------------------

    def control(self, sequence: bytes, parameters: bytes, rest: bytes) -> None:
        """A control sequence (CSI): its parameters, and its intermediate and final bytes."""
        mark = parameters[:1] if parameters[:1] in b"<=>?" else b""
        numbers = parameters[len(mark) :]
        kind = mark + rest
        if kind in (b"?h", b"?l"):
            self._switch(_PRIVATE, b"?", numbers, rest)
        elif kind in (b"h", b"l"):
            self._switch(_PLAIN, b"", numbers, rest)
        elif kind == b"r":
            self._put(b"region", any(map(int, _NUMBERS.findall(numbers))), sequence, _WHOLE_REGION)
        elif kind == b" q":
            # The cursor's shape (DECSCUSR, VT); 0 is what the user has chosen.
            self._put(b"shape", numbers.strip(b"0") != b"", sequence, b"\x1b[0 q")
        elif kind == b">m" and numbers.startswith(b"4"):
            # How keys with modifiers are told (modifyOtherKeys, XTERM).
            is_on = numbers.partition(b";")[2].strip(b"0") != b""
            self._put(b"modifiers", is_on, sequence, b"\x1b[>4m")
        elif kind == b"!p":
            for name in _SOFT:
                self._put(name, False)
        elif rest == b"u" and mark:
            self._keys(mark, numbers, sequence)

    def escape(self, sequence: bytes) -> None:
        """An escape sequence, or one of the bytes that shift between sets of characters."""
        kind = sequence[1:] or sequence
        if kind in (b"=", b">"):
            self._put(b"keypad", kind == b"=", sequence, b"\x1b>")  # DECKPAM and DECKPNM, VT
        elif kind[:1] == b"(":
            self._put(b"G0", kind != b"(B", sequence, b"\x1b(B")  # SCS, VT
        elif kind in (b"\x0e", b"\x0f", b"n", b"o"):
            self._put(b"shift", kind != b"\x0f", sequence, b"\x0f")  # SO, SI, LS2, LS3: ECMA-48, VT
        elif kind == b"c":
            self.clear()  # RIS, VT

    def command(self, text: bytes) -> None:
        """A command to the operating system (OSC), or as much of it as is to be known."""
        number, _, argument = text.partition(b";")
        sequence = b"\x1b]%b\x1b\\" % text
        if number in _COLOURS and not argument.endswith(b"?"):
            name = b"colour " + number
            self._put(name, True, sequence, b"\x1b]%b\x1b\\" % _COLOURS[number])
        elif number in _COLOURS.values():
            for setting, resetting in _COLOURS.items():
                if number == resetting and not argument:
                    self._put(b"colour " + setting, False)
        elif number == b"8":
            # A hyperlink (gist.github.com/egmontkob, "Hyperlinks in terminal emulators").
            self._put(b"link", argument.partition(b";")[2] != b"", sequence, b"\x1b]8;;\x1b\\")
        elif number == b"9" and argument.startswith(b"4;"):
            # Progress that the window's frame shows (conemu.github.io, "ANSI X3.64 and Xterm-256 Codes").
            self._put(b"progress", argument[2:3] != b"0", sequence, b"\x1b]9;4;0\x1b\\")

    def _switch(self, table: dict[bytes, bytes], mark: bytes, numbers: bytes, final: bytes) -> None:
        for number in numbers.split(b";"):
            if number not in table:
                continue
            done, undone = (b"\x1b[%b%b%b" % (mark, number, one) for one in (final, table[number]))
            name = mark + number
            if name == b"?6":
                undone = _WHOLE_SCREEN
            self._put(name, final != table[number], done, undone)
            if name in _ALTERNATE and final == b"l":
                for other in _ALTERNATE:
                    self._put(other, False)

    def _keys(self, mark: bytes, numbers: bytes, sequence: bytes) -> None:
        """How keys are told, of which each screen has a stack (sw.kovidgoyal.net/kitty/keyboard-protocol)."""
        name = _ALTERNATE_KEYS if self.is_alternate else b"keys"
        if mark == b"=":
            is_on = numbers.partition(b";")[0].strip(b"0") != b""
            self._put(name + b" set", is_on, sequence, b"\x1b[=0u")
            return
        pushed = [one + b"u" for one in self._on.get(name, (b"",))[0].split(b"u")[:-1]]
        if mark == b">":
            pushed = [*pushed, sequence][-_STACK:]
        elif mark == b"<":
            pushed = pushed[: max(0, len(pushed) - int(numbers or b"1"))]
        self._put(name, bool(pushed), b"".join(pushed), b"\x1b[<%du" % len(pushed))

    def _put(self, name: bytes, is_on: bool, done: bytes = b"", undone: bytes = b"") -> None:
        if is_on:
            if self._on.get(name) != (done, undone):
                self._on[name] = (done, undone)
                self.changes += 1
        elif self._on.pop(name, None) is not None:
            self.changes += 1
