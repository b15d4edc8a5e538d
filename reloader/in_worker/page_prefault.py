"""Copies the pages of memory that a worker writes to as it starts, before it starts.

A forked process shares its parent's memory, and each page is copied when it is first written to: in a Django
worker these copies take a sixth of a warm start. A worker that was forked ahead has time, so it copies the
pages in which its predecessor differed from the template after its start. It would copy nearly all of them
anyway, since it runs the same program in the same memory. For Python 3.8 and newer, on Linux.
"""

from __future__ import annotations

import ctypes
import os
import sys

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# See madvise(2), from Linux 5.14 on; elsewhere it fails, and pages are copied when they are written to.
MADV_POPULATE_WRITE = 23
# How many bytes are compared between two calls of `is_waited_for`.
_PIECE = 1 << 20
# The size of an entry of /proc/PID/pagemap, and the bits of its highest byte that say that there is a page.
# On a big-endian machine no page seems to be there, and none is copied ahead.
_ENTRY, _PRESENT_OR_SWAPPED = 8, 0xC0


class PagePrefault:
    """The pages that the workers of one template write to; none are known at first."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        """Address and length of each range, in bytes."""
        self._size = os.sysconf("SC_PAGE_SIZE")
        self._advise = ctypes.pythonapi.madvise
        self._advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def learn(self, worker: int, is_waited_for: Callable[[], bool]) -> None:
        """Compare the memory of a worker that has started with ours, from which it was forked.

        Gives up as soon as `is_waited_for` says so. Memory that cannot be read counts as the same.
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
        """Whether there are any pages: reading memory that is only reserved would create some."""
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
        """Copy them, in a process that was forked from the one that has learned them."""
        for start, length in self.ranges:
            self._advise(start, length, MADV_POPULATE_WRITE)


def _writable() -> Iterator[tuple[int, int]]:
    """Start and end of each range of our private writable memory."""
    with open("/proc/self/maps", "rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        addresses, mode = line.split(None, 2)[:2]
        if mode == b"rw-p":
            start, _, end = addresses.partition(b"-")
            # A higher address cannot be the offset of a read.
            if int(end, 16) <= sys.maxsize:
                yield int(start, 16), int(end, 16)


def _joined(pages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges, with adjacent ones joined."""
    joined: list[tuple[int, int]] = []
    for start, length in pages:
        if joined and sum(joined[-1]) == start:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((start, length))
    return joined
