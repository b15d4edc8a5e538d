"""Which colours are used and when, and whether our own lines may contain more than ASCII."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

from reloader.settings import Color

RESET = "\x1b[0m"
BOLD = "\x1b[0;1m"
DIM = "\x1b[0;2m"
# We cannot know the terminal's background, so these colours are readable on black and on white: their
# contrast to both is at least 4, and to the greys of themes nearly 3 (WCAG 2.2, section 1.4.3). They are of
# the palette of 256, which themes do not change. Of a theme's sixteen colours, green, yellow, cyan and all
# bright ones are unreadable on white, and blue on black. Red is left for errors.
PALETTE = (29, 30, 31, 63, 64, 99, 130, 133, 164)
# For terminals with at most sixteen colours: the Linux console, which is dark, and old ones.
_FEW = (32, 33, 35, 36)
OLD = ("linux", "vt", "ansi", "cons")
# ASCII for the other characters that our own sentences contain.
_ASCII = str.maketrans({"→": "->", "…": "...", "×": "x", "–": "-", "·": "|"})


def wanted(choice: Color, at_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour a stream: by the option, NO_COLOR, FORCE_COLOR, TERM=dumb, or else `at_terminal`.

    See no-color.org and force-color.org; both count if they are set and not empty.
    """
    if choice is not Color.AUTO:
        return choice is Color.ALWAYS
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return environment["FORCE_COLOR"] not in ("0", "false")
    return at_terminal and environment.get("TERM") != "dumb"


def worker_colour(name: str, environment: Mapping[str, str]) -> str:
    """The sequence that switches to the worker's colour, which depends on its name alone."""
    number = zlib.crc32(os.fsencode(name))
    if environment.get("TERM", "").startswith(OLD):
        return f"\x1b[0;{_FEW[number % len(_FEW)]}m"
    return f"\x1b[0;38;5;{PALETTE[number % len(PALETTE)]}m"


def plain(line: str, environment: Mapping[str, str]) -> str:
    """The line, with our own characters in ASCII if NO_COLOR or TERM=dumb asks for plain text.

    Names and paths of the user stay as they are.
    """
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return line.translate(_ASCII)
    return line


def encoded(line: str, environment: Mapping[str, str]) -> bytes:
    """The line in UTF-8, or in ASCII if the locale names another encoding."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if "." in locale and "utf" not in locale.lower():
        return line.translate(_ASCII).encode("ascii", "backslashreplace")
    return line.encode("utf-8", "surrogateescape")
