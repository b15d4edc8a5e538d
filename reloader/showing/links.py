"""Hyperlinks (OSC 8) for the paths in our own lines.

See https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda. A line number is added as the fragment
(`#12`): kitty, iTerm2 and the terminal of VS Code go to that line, others open the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from reloader.common.lazy_pattern import lazy_pattern
from reloader.showing.paint import OLD

# A sentence carries the target of each link between these characters until we know where it is shown. Other
# texts cannot contain them, since `printable` escapes control characters.
_OPEN, _BETWEEN, _CLOSE = "\x1c", "\x1d", "\x1e"
_LINK = lazy_pattern(f"{_OPEN}([^{_BETWEEN}]*){_BETWEEN}([^{_CLOSE}]*){_CLOSE}")


def are_known(environment: Mapping[str, str]) -> bool:
    """Whether the terminal of this environment shows or ignores links; old ones print them as text."""
    return not (environment.get("TERM") or "dumb").startswith(("dumb", *OLD))


def linked(text: str, path: str, line: int | None = None) -> str:
    """The text as a link to the absolute path, in the form that `rendered` reads."""
    from urllib.parse import quote

    host, fragment = os.uname().nodename, "" if line is None else f"#{line}"
    return f"{_OPEN}file://{quote(host)}{quote(os.fsencode(path))}{fragment}{_BETWEEN}{text}{_CLOSE}"


def rendered(text: str, links: bool = False) -> str:
    """The text with its links as escape sequences, or without links."""
    return _LINK.sub("\x1b]8;;\\1\x1b\\\\\\2\x1b]8;;\x1b\\\\" if links else r"\2", text)
