"""Colours: whether, and which; and whether our own lines may hold more than ASCII."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

from reloader.settings import Color

RESET = "\x1b[0m"
BOLD = "\x1b[0;1m"
DIM = "\x1b[0;2m"
# Of the palette of 256, whose look no theme changes, as no terminal tells its own background: these differ
# from black and from white by a contrast of 4 and more, and from the greys of themes by nearly 3 (WCAG 2.2,
# section 1.4.3). Of the sixteen of a theme, green, yellow, cyan and whatever is bright cannot be read on
# white, and blue not on black. Red is left for trouble.
PALETTE = (29, 30, 31, 63, 64, 99, 130, 133, 164)
# Where there are no more than sixteen: the Linux console, which is dark, and old terminals.
_FEW = (32, 33, 35, 36)
OLD = ("linux", "vt", "ansi", "cons")
# What our own sentences hold, in ASCII.
_ASCII = str.maketrans({"→": "->", "…": "...", "×": "x", "–": "-", "·": "|"})


def wanted(choice: Color, at_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour a stream: the option, then NO_COLOR, FORCE_COLOR and TERM=dumb, then a guess.

    See no-color.org and force-color.org; both count when they are set and not empty.
    """
    if choice is not Color.AUTO:
        return choice is Color.ALWAYS
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return environment["FORCE_COLOR"] not in ("0", "false")
    return at_terminal and environment.get("TERM") != "dumb"


def worker_colour(name: str, environment: Mapping[str, str]) -> str:
    """The sequence that begins a worker's colour, the same at every start."""
    number = zlib.crc32(os.fsencode(name))
    if environment.get("TERM", "").startswith(OLD):
        return f"\x1b[0;{_FEW[number % len(_FEW)]}m"
    return f"\x1b[0;38;5;{PALETTE[number % len(PALETTE)]}m"


def plain(line: str, environment: Mapping[str, str]) -> str:
    """The line, in ASCII as far as it is ours, where NO_COLOR or TERM=dumb asks for plain text.

    Names and paths are the user's, and stay as they are.
    """
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return line.translate(_ASCII)
    return line


def encoded(line: str, environment: Mapping[str, str]) -> bytes:
    """In UTF-8, unless the locale says plainly that it is not."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if "." in locale and "utf" not in locale.lower():
        return line.translate(_ASCII).encode("ascii", "backslashreplace")
    return line.encode("utf-8", "surrogateescape")
