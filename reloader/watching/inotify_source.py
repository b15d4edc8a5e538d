"""Linux's inotify(7): a watch for every folder by itself, added and removed as folders come and go.

Spoken to directly, since watchfiles can only be built anew with every folder that comes, hides a refused
watch and a full queue, and wakes up twenty times a second to see whether it is to stop.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator

from reloader.watching.sources import Place, WatchLimitError

# inotify(7), sys/inotify.h
IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
# Whatever changes what a folder lists or a file's status; not that something is opened or read.
CHANGES = (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE) | (
    IN_DELETE_SELF | IN_MOVE_SELF
)
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name
# The kernel holds 16,384 events unless it was told otherwise; this takes hundreds at a time.
_CHUNK = 1 << 16


class InotifySource:
    """One instance of inotify. Raises OSError when there can be none (EMFILE: the limit of instances)."""

    def __init__(self) -> None:
        # The interpreter's lock is kept: a call takes microseconds, to get the lock back among busy
        # threads a thousand times that.
        self._system = ctypes.PyDLL(None, use_errno=True)
        self._fd = self._call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        self._wanted: frozenset[Place] = frozenset()
        self._held: dict[Place, int] = {}
        self._places: dict[int, set[Place]] = {}
        """Whom a watch is for: the same folder may be seen at several places."""

    def watch(self, wanted: frozenset[Place]) -> set[str]:
        """Watch exactly these folders; returns those whose watch is new.

        A folder that is not there (any more) is watched as soon as it comes back. Raises
        WatchLimitError, with what was done so far in place, when the system allows no more watches.
        """
        self._wanted = wanted
        try:
            return self._add_missing()
        finally:
            for place in self._held.keys() - wanted:
                self._remove(place)

    def _add_missing(self) -> set[str]:
        added: set[str] = set()
        # Those above come first: were there too few watches, these tell the most.
        for place in sorted(self._wanted - self._held.keys()):
            try:
                watch = self._call("inotify_add_watch", self._fd, os.fsencode(place[0]), CHANGES | IN_ONLYDIR)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.ENOMEM):
                    raise WatchLimitError("the watch limit is reached", added) from error
                if error.errno in (errno.ENOSYS, errno.EPERM):
                    raise  # a sandbox: so it is with every folder
                continue
            self._held[place] = watch
            self._places.setdefault(watch, set()).add(place)
            added.add(place[0])
        return added

    def _remove(self, place: Place) -> None:
        watch = self._held.pop(place)
        places = self._places[watch]
        places.discard(place)
        if not places:
            del self._places[watch]
            try:
                self._call("inotify_rm_watch", self._fd, watch)
            except OSError:
                pass  # the folder went, and the watch with it

    def wait(self, timeout: float | None) -> set[str] | None:
        """The paths of the next events, of none after `timeout` seconds or when woken up; None: any path."""
        self._poll.poll(None if timeout is None else timeout * 1000)
        try:
            os.read(self._woken, _CHUNK)
        except BlockingIOError:
            pass
        touched: set[str] = set()
        overflown = False
        came_back = False
        while True:
            try:
                chunk = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                break
            for watch, mask, name in _events(chunk):
                overflown = overflown or bool(mask & IN_Q_OVERFLOW)
                places = self._places.get(watch, ())
                touched.update(os.path.join(place[0], name) if name else place[0] for place in places)
                if mask & IN_IGNORED:
                    for place in self._places.pop(watch, ()):
                        del self._held[place]
        if len(self._held) < len(self._wanted):
            missing = {place[0] for place in self._wanted - self._held.keys()}
            came_back = not missing.isdisjoint(touched)
        if came_back:
            # Made anew it may have the number of the one that went, and then nobody else asks for it.
            try:
                touched |= self._add_missing()
            except WatchLimitError as refused:
                touched |= refused.added
        return None if overflown else touched

    def wake(self) -> None:
        """Let `wait` return; from any thread."""
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass  # it is full of the same

    def close(self) -> None:
        """Give the watches back to the system."""
        for fd in (self._fd, self._woken, self._wake):
            os.close(fd)

    def _call(self, name: str, *arguments: int | bytes) -> int:
        result: int = getattr(self._system, name)(*arguments)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _events(chunk: bytes) -> Iterator[tuple[int, int, str]]:
    """Watch, mask and name (empty for the folder itself) of every event."""
    position = 0
    while position < len(chunk):
        watch, mask, _, length = _EVENT.unpack_from(chunk, position)
        position += _EVENT.size
        name = chunk[position : position + length].rstrip(b"\0")
        position += length
        yield watch, mask, os.fsdecode(name)
