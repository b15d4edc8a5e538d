"""Whether nothing has changed in folders since the last call, by inotify. Python 3.8 and newer, on Linux.

Looking at every file of a thousand modules would take longer than the rest of a warm start; inotify tells
whether any of them can have changed. It does not report changes that other machines make in network and
shared file systems, nor changes behind a symbolic link: such files have to be looked at.

`watching` does more than that, but this runs in the worker's interpreter.
"""

from __future__ import annotations

import ctypes
import os

# All events that change what is found in a folder, see inotify(7).
_IN_MODIFY, _IN_ATTRIB, _IN_MOVED, _IN_CREATE, _IN_DELETE = 0x2, 0x4, 0xC0, 0x100, 0x200
_IN_DELETE_SELF, _IN_MOVE_SELF, _IN_ONLYDIR = 0x400, 0x800, 0x1000000
_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_DELETE_SELF | _IN_MOVE_SELF
# File systems in which every change is reported.
_HEARD = frozenset(
    (b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"zfs", b"f2fs", b"bcachefs", b"tmpfs", b"overlay")
)


class FolderWatch:
    """Folders from the moment on at which they are added."""

    def __init__(self) -> None:
        self._fd = ctypes.pythonapi.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._devices = _heard_devices()
        self._identities: dict[str, tuple[int, int]] = {}

    def add(self, folder: str) -> bool:
        """Watch the folder from now on; False where that is not possible."""
        if folder in self._identities:
            return True
        try:
            identity = _identity(folder)
        except OSError:
            return False
        if self._fd < 0 or identity[0] not in self._devices:
            return False
        watch = ctypes.pythonapi.inotify_add_watch(self._fd, os.fsencode(folder), _EVENTS | _IN_ONLYDIR)
        if watch >= 0:
            self._identities[folder] = identity
        return bool(watch >= 0)

    def are_quiet(self) -> bool:
        """Whether nothing has changed in any folder since the last call, nor one of the folders itself."""
        quiet = True
        try:
            while os.read(self._fd, 1 << 16):
                quiet = False
        except BlockingIOError:
            pass
        except OSError:
            return not self._identities
        try:
            return quiet and all(_identity(one) == known for one, known in self._identities.items())
        except OSError:
            return False

    def close(self) -> None:
        """Watch nothing any more, in a forked process."""
        if self._fd >= 0:
            os.close(self._fd)


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _heard_devices() -> frozenset[int]:
    """The devices of the mounted file systems in which every change is reported."""
    found = set()
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        before, _, after = line.partition(b" - ")
        if after.split(b" ")[0] in _HEARD:
            major, _, minor = before.split(b" ")[2].partition(b":")
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
