"""A worker that writes into its own watched tree must not restart itself for ever.

Rule: a file causes at most ten restarts in a minute. The tenth waits until the file has been left alone
for a moment, so that whoever saves very often still gets the last version. If the file changes again
after it, it is set aside for a minute, and each further time twice as long. A minute without a change
after a restart ends all that. Program text, which people save often and workers hardly ever write, may
cause sixty, within as many seconds and a half more: each waits for a longer quiet period by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

# Restarts by one file in a row, within the window in seconds; and by a file of program text.
MOST = 9
MOST_OF_SOURCE = 60
SOURCES = (
    *(".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".rb", ".go", ".rs", ".java", ".kt", ".php"),
    *(
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".hpp",
        ".cs",
        ".ex",
        ".exs",
        ".lua",
        ".pl",
        ".sh",
        ".html",
        ".css",
        ".scss",
    ),
)
WINDOW = 60.0
WINDOW_OF_SOURCE = 90.0
# How long, in seconds, the file must be left alone before the next one.
MOMENT = 2.0


def most_of(path: str) -> tuple[int, float]:
    """How many restarts in a row the file may cause, and within how many seconds."""
    return (MOST_OF_SOURCE, WINDOW_OF_SOURCE) if path.endswith(SOURCES) else (MOST, WINDOW)


class _File:
    def __init__(self, most: int, window: float) -> None:
        self.restarts: deque[float] = deque(maxlen=most)
        self.window = window
        self.until: float | None = None
        self.times = 0
        """How often it was set aside."""
        self.pardoned = False
        """It may cause one restart more."""


class RestartLimit:
    """Counts restarts by file. Times are in seconds."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    @property
    def deadline(self) -> float | None:
        """When a file that is set aside is to be looked at again."""
        return min((file.until for file in self._files.values() if file.until is not None), default=None)

    def due(self, now: float) -> frozenset[str]:
        """The files that are set aside no longer. Each is told once."""
        found = {path for path, file in self._files.items() if file.until is not None and now >= file.until}
        for path in found:
            self._files[path].until = None
            self._files[path].pardoned = True
        return frozenset(found)

    def is_aside(self, path: str) -> bool:
        """Whether the file causes no restart now."""
        file = self._files.get(path)
        return file is not None and file.until is not None

    def set_aside(self, paths: Iterable[str], now: float) -> dict[str, float]:
        """Those of these changed files that are set aside from now on, and for how many seconds."""
        found = {}
        for path in paths:
            file = self._files.get(path)
            if file is None:
                continue
            if file.until is not None:
                if file.times == 1:
                    file.until = now + MOMENT
            elif file.pardoned:
                file.pardoned = False
            elif now - file.restarts[-1] >= WINDOW:
                del self._files[path]
            elif file.times or (
                len(file.restarts) == file.restarts.maxlen and now - file.restarts[0] < file.window
            ):
                found[path] = WINDOW * 2 ** (file.times - 1) if file.times else MOMENT
                file.times += 1
                file.until = now + found[path]
        return found

    def restarted(self, paths: Iterable[str], now: float) -> None:
        """These files have caused a restart."""
        for path in paths:
            if path not in self._files:
                self._files[path] = _File(*most_of(path))
            self._files[path].restarts.append(now)
