"""The pages of memory that a worker writes to as it starts, which the next one finds copied already.

A forked process has its parent's memory, and each page is copied when it is first written to: in a Django
worker these copies take a sixth of a warm start. So the one that waits for its order makes those that its
predecessor has come to differ in, since the same program is about to run in the same memory: nearly all of
them are pages that it would copy anyway. For Python 3.8 and newer, on Linux.
"""

from __future__ import annotations

import ctypes
import os
import sys

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# From Linux 5.14 on, see madvise(2); elsewhere it is an error, and pages are copied when they are written to.
MADV_POPULATE_WRITE = 23
# So much is compared before we look whether somebody waits.
_PIECE = 1 << 20
# Of a page in /proc/PID/pagemap: so many bytes, and these bits in the highest of them. On a machine that is
# not little-endian nothing seems used, and no page is copied ahead.
_ENTRY, _PRESENT_OR_SWAPPED = 8, 0xC0


class PagePrefault:
    """Those of one template's workers; none are known at first."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        """Where each begins, and its length, in bytes."""
        self._size = os.sysconf("SC_PAGE_SIZE")
        self._advise = ctypes.pythonapi.madvise
        self._advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def learn(self, worker: int, is_waited_for: Callable[[], bool]) -> None:
        """Compare the memory of a worker that has started with ours, which it was forked from.

        Given up as soon as somebody waits for us; what cannot be read is taken as the same.
        """
        found: list[tuple[int, int]] = []
        files: list[int] = []
        try:
            for path in ("/proc/self/pagemap", "/proc/self/mem", f"/proc/{worker}/mem"):
                files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - some may be open
            there, ours, theirs = files
            for start, end in _writable():
                for piece in range(start, end, _PIECE):
                    if is_waited_for():
                        return
                    length = min(_PIECE, end - piece)
                    if self._is_used(there, piece, length):
                        found += self._differing(ours, theirs, piece, length)
        except OSError:
            return  # it has ended, or nobody may look
        finally:
            for fd in files:
                os.close(fd)
        self.ranges = _joined(found)

    def _is_used(self, there: int, start: int, length: int) -> bool:
        """Whether any of it is more than reserved: to look at what is not there would make it be."""
        pages = os.pread(there, length // self._size * _ENTRY, start // self._size * _ENTRY)
        return any(highest & _PRESENT_OR_SWAPPED for highest in pages[_ENTRY - 1 :: _ENTRY])

    def _differing(self, ours: int, theirs: int, start: int, length: int) -> Iterator[tuple[int, int]]:
        try:
            one, other = os.pread(ours, length, start), os.pread(theirs, length, start)
        except OSError:
            return  # one of them has unmapped it
        size = self._size
        for offset in range(0, 0 if one == other else length, size):
            if one[offset : offset + size] != other[offset : offset + size]:
                yield start + offset, size

    def copy(self) -> None:
        """Make a copy of each, in a process that was forked from the one that has learned them."""
        for start, length in self.ranges:
            self._advise(start, length, MADV_POPULATE_WRITE)


def _writable() -> Iterator[tuple[int, int]]:
    """Where our private memory lies that can be written to."""
    with open("/proc/self/maps", "rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        addresses, mode = line.split(None, 2)[:2]
        if mode == b"rw-p":
            start, _, end = addresses.partition(b"-")
            # What lies above cannot be an offset; nothing of a process does.
            if int(end, 16) <= sys.maxsize:
                yield int(start, 16), int(end, 16)


def _joined(pages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same, with what lies side by side in one."""
    joined: list[tuple[int, int]] = []
    for start, length in pages:
        if joined and sum(joined[-1]) == start:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((start, length))
    return joined
