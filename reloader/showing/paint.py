"""Colours: whether, and which. Only the sixteen colours whose look the user's terminal decides."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

from reloader.settings import Color

RESET = "\x1b[0m"
BOLD = "\x1b[0;1m"
DIM = "\x1b[0;2m"
# Legible on dark and on light; red is left for trouble, black and white for the background.
_PALETTE = (32, 33, 34, 35, 36, 92, 94, 95, 96)


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


def worker_colour(name: str) -> str:
    """The sequence that begins a worker's colour, the same at every start."""
    return f"\x1b[0;{_PALETTE[zlib.crc32(os.fsencode(name)) % len(_PALETTE)]}m"
