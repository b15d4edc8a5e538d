"""What the sources of events have in common."""

from __future__ import annotations

from typing import Protocol

Place = tuple[str, int, int]
"""The path of a folder, its device and its inode: a folder made anew at the same path is another one."""


class WatchLimitError(Exception):
    """The system allows no more watches; `added` are the folders that still got one."""

    def __init__(self, reason: str, added: set[str]) -> None:
        super().__init__(reason)
        self.added = added


class Source(Protocol):
    """Where events come from."""

    def watch(self, wanted: frozenset[Place]) -> set[str]:
        """Watch exactly these folders; returns those whose watch is new.

        Raises WatchLimitError when some cannot be watched, and OSError when none can.
        """
        ...

    def wait(self, timeout: float | None) -> set[str] | None:
        """The paths of the next events, of none after `timeout` seconds or when woken up; None: any path."""
        ...

    def wake(self) -> None:
        """Let `wait` return; from any thread."""
        ...

    def close(self) -> None:
        """Give the watches back to the system."""
        ...
