"""The modes that a worker has switched on at the terminal, and the sequences that undo them. Pure.

Only modes with the same default on every terminal are here. Others, such as that of the meta key (?1034), are
left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# --- known modes ----------------------------------------------------------------------------------

# VT: the manual of the VT510 (vt100.net/docs/vt510-rm). XTERM: "XTerm Control Sequences" (ctlseqs).

# Modes of `CSI ? n h` and `CSI ? n l`, each with the final byte that restores its default.
_PRIVATE = {
    b"1": b"l",  # application cursor keys (DECCKM, VT)
    b"5": b"l",  # reverse video (DECSCNM, VT)
    b"6": b"l",  # rows count from the scroll region (DECOM, VT)
    b"7": b"h",  # long lines wrap (DECAWM, VT)
    b"9": b"l",  # mouse: button presses, X10 protocol (XTERM)
    b"12": b"l",  # blinking cursor (XTERM; "cnorm" in terminfo(5) switches it off)
    b"25": b"h",  # visible cursor (DECTCEM, VT)
    b"45": b"l",  # backspace at the beginning of a line goes to the line before (XTERM)
    b"47": b"l",  # alternate screen (XTERM)
    b"66": b"l",  # application keypad (DECNKM, VT)
    b"69": b"l",  # left and right margins (DECLRMM, VT)
    **dict.fromkeys((b"1000", b"1001", b"1002", b"1003"), b"l"),  # mouse: buttons, highlight, motion (XTERM)
    b"1004": b"l",  # focus reports (XTERM)
    **dict.fromkeys((b"1005", b"1006", b"1015", b"1016"), b"l"),  # encodings of mouse reports (XTERM)
    b"1047": b"l",  # alternate screen (XTERM)
    b"1049": b"l",  # alternate screen, and the cursor is saved (XTERM)
    b"2004": b"l",  # bracketed paste (XTERM)
    b"2026": b"l",  # nothing is shown until its end ("Synchronized Output", gist.github.com/christianparpart)
    b"2031": b"l",  # reports of changed colours (contour-terminal.org, "VT extensions")
    b"2048": b"l",  # reports of a changed size (gist.github.com/rockorager, "In-Band Resize")
    b"9001": b"l",  # Windows key events (microsoft/terminal, spec 4999)
}
_ALTERNATE = frozenset({b"?47", b"?1047", b"?1049"})

# Modes of `CSI n h` and `CSI n l` (ECMA-48, section 7; VT; XTERM).
_PLAIN = {
    b"2": b"l",  # keyboard locked (KAM)
    b"4": b"l",  # insert mode (IRM)
    b"12": b"h",  # the terminal does not echo typed keys (SRM)
    b"20": b"l",  # a newline includes a carriage return (LNM)
}

# The OSC commands that set colours, each with the one that resets them (XTERM).
_COLOURS = {b"4": b"104", b"10": b"110", b"11": b"111", b"12": b"112"}

# The modes that DECSTR resets (VT). It leaves the alternate screen, the mouse and paste alone (XTERM).
_SOFT = (b"?1", b"?6", b"?25", b"?66", b"4", b"keypad", b"region", b"G0", b"shift")

# The cursor is saved, since resetting the region moves it to the corner (DECSTBM, VT).
_WHOLE_REGION = b"\x1b7\x1b[r\x1b8"
# Resetting ?6 moves the cursor too, and restoring a saved cursor would restore ?6. So go on in the last row.
_WHOLE_SCREEN = b"\x1b[?6l\x1b[r\x1b[9999;1H"

# The size of the stack of keyboard protocols.
_STACK = 32

# These are undone first, in this order: what belongs to the alternate screen, the alternate screen itself,
# then what restores the cursor's attributes.
_ALTERNATE_KEYS = b"keys in the alternate screen"
_FIRST = (b"?2026", _ALTERNATE_KEYS + b" set", _ALTERNATE_KEYS, *sorted(_ALTERNATE), b"?69", b"?6", b"region")

_NUMBERS = re.compile(rb"[0-9]+")


class Modes:
    """The modes that one stream has left on, by a name: `?25` is that of `CSI ? 25 l`."""

    def __init__(self) -> None:
        self._on: dict[bytes, tuple[bytes, bytes]] = {}
        """The sequences that switched each on, and those that undo it."""
        self.changes = 0
        """How many times a mode was switched."""

    @property
    def names(self) -> Collection[bytes]:
        """The names of the modes that are on."""
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
        """What switches all modes off, except the `kept` ones, which other writers have on."""
        first = [name for name in _FIRST if name in self._on]
        rest = [name for name in self._on if name not in _FIRST]
        return b"".join(self._on[name][1] for name in first + rest if name not in kept)

    def redo(self) -> bytes:
        """What switches all modes on again, in order."""
        return b"".join(done for done, _ in self._on.values())

    def clear(self) -> None:
        """Forget all modes: they are off."""
        self._on.clear()
        self.changes += 1

    # --- sequences --------------------------------------------------------------------------------

    def control(self, sequence: bytes, parameters: bytes, rest: bytes) -> None:
        """Note a control sequence (CSI); `rest` are its intermediate and final bytes."""
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
            # The cursor's shape (DECSCUSR, VT); 0 is the user's setting.
            self._put(b"shape", numbers.strip(b"0") != b"", sequence, b"\x1b[0 q")
        elif kind == b">m" and numbers.startswith(b"4"):
            # The reports of keys with modifiers (modifyOtherKeys, XTERM).
            is_on = numbers.partition(b";")[2].strip(b"0") != b""
            self._put(b"modifiers", is_on, sequence, b"\x1b[>4m")
        elif kind == b"!p":
            for name in _SOFT:
                self._put(name, False)
        elif rest == b"u" and mark:
            self._keys(mark, numbers, sequence)

    def escape(self, sequence: bytes) -> None:
        """Note an escape sequence, or a byte that shifts between character sets."""
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
        """Note a command (OSC), or its beginning if it is long."""
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
            # Progress in the window's frame (conemu.github.io, "ANSI X3.64 and Xterm-256 Codes").
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
        """Note a keyboard protocol; each screen has a stack (sw.kovidgoyal.net/kitty/keyboard-protocol)."""
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
