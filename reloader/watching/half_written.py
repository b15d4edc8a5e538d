"""Which changed files look as if somebody were still writing them.

Linux tells whether anybody has a file open for writing: then it gives no lease for reading it (fcntl(2),
"Leases"). Elsewhere, and for files of other users, only the sizes are looked at.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

from reloader.messages import events
from reloader.messages.events import Unfinished
from reloader.watching.imported import Imported
from reloader.watching.snapshot import seen
from reloader.watching.tree import Snapshot

# Programs write in blocks of a multiple of this, in bytes: where a file ends at one, the rest may be to come.
BLOCK = 4096
# Where more files have changed than this, a tool has written them, and nobody is asked who has them open.
MOST_ASKED = 32
# A look is compared with those of so many seconds before, and of fewer where the worker was started since:
# whoever saves again, with more in the file, does not write bit by bit.
RECENT = 1.0
RECENT_AFTER_START = 0.25


class HalfWritten:
    """Compares what differs at each look with the looks before.

    A path that was waited for in vain is not waited for again until it looks finished.
    """

    def __init__(self, is_told: Callable[[str], bool] = lambda _path: True) -> None:
        """`is_told(path)` is whether the system knows of all who write to the file."""
        self._is_told = is_told
        self._sizes: dict[str, tuple[int, float]] = {}
        """Of the files that differed at a look, and until when, in seconds, that tells something."""
        self._in_vain: set[str] = set()

    def found(
        self,
        changes: Iterable[events.Change],
        baseline: Snapshot,
        latest: Snapshot,
        imports: Imported | None,
        at_once: bool,
        time: float,
    ) -> dict[str, Unfinished]:
        """The paths that are to be waited for; none where the changes are wanted `at_once`.

        `time` is now, in seconds.
        """
        changes = list(changes)
        moved = {now[2] for change in changes if (now := seen(latest, change.path)) is not None}
        self._sizes = {path: one for path, one in self._sizes.items() if time < one[1]}
        found: dict[str, Unfinished] = {}
        for change in changes:
            then, now = seen(baseline, change.path), seen(latest, change.path)
            how = None
            if now is not None:
                before, _ = self._sizes.get(change.path, (None, 0.0))
                how = _looks_written(now[1], 0 if then is None else then[1], before)
                if how is None and len(changes) <= MOST_ASKED and self._is_told(change.path):
                    how = Unfinished.OPEN if is_open_for_writing(change.path) else None
                self._sizes[change.path] = now[1], time + RECENT
            elif then is not None and then[2] not in moved and _is_gone(change.path, imports):
                how = Unfinished.GONE
            if how is not None:
                found[change.path] = how
        self._in_vain &= found.keys()
        if at_once:
            self._in_vain |= found.keys()
        return {path: how for path, how in found.items() if path not in self._in_vain}

    def started(self) -> None:
        """The worker starts with what was looked at last."""
        less = RECENT - RECENT_AFTER_START
        self._sizes = {path: (size, until - less) for path, (size, until) in self._sizes.items()}


def _looks_written(size: int, then: int, before: int | None) -> Unfinished | None:
    """What speaks against a file of this size, that of the last start, and that of the last look, if any."""
    if before is not None and size > before:
        return Unfinished.GROWS
    if not size:
        return Unfinished.EMPTY if then else None
    return Unfinished.IN_BLOCKS if before is None and size % BLOCK == 0 and size != then else None


def _is_gone(path: str, imports: Imported | None) -> bool:
    """Whether the file's folder is gone with it, and the worker is known to have imported the file."""
    if imports is None or os.path.lexists(os.path.dirname(path)):
        return False
    return os.path.realpath(path) in imports.files


def is_open_for_writing(path: str) -> bool:
    """Whether somebody has the file open for writing; False where the system does not tell."""
    if sys.platform != "linux":
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Who opens it meanwhile makes the system signal us, by SIGIO, which would end us.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(fd)
    return False
