"""Whether a worker that starts finds an address in use, by which an older generation of it listens.

That is told by what it prints, in many languages, and believed only where the older one does listen: a port
that somebody else has is no reason to stop a working worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from reloader.common.lazy_pattern import lazy_pattern

# EADDRINUSE as Linux and the BSDs number it, and as programs print it.
_TEXT = lazy_pattern(
    rb"address (?:is )?already in use|EADDRINUSE|AddrInUse|\[Errno (?:98|48)\]|os error (?:98|48)\b"
    rb"|connection in use: |port (?:\d+ )?is (?:already )?in use|only one usage of each socket address",
    re.IGNORECASE,
)
# Where such a line names the port.
_PORT = lazy_pattern(
    rb"(?:"
    rb"\('[^']*', (\d+)[,)]"  # asyncio, uvicorn, gunicorn, hypercorn
    rb"|address already in use \S*:(\d+)\b"  # Node
    rb"|\b(?:listen|bind)\b\S* [^\s:]*\s?\S*:(\d+)\b"  # Go, nginx
    rb"|\bsocket \S*:(\d+)\b"  # Redis
    rb"|\bport[ =:]+(\d+)\b"  # Ruby, Flask
    rb")",
    re.IGNORECASE,
)
# So much of each stream is looked at, in bytes: a start prints little.
_MOST = 1 << 18
# So much of what came last is kept, in bytes: an unfinished line, and the lines of a traceback before it.
_KEPT = 1 << 13
# Who tries again and again is looked at so often.
_LOOKS = 20
_NUMBER = lazy_pattern(rb"\d+")


class TakenAddress:
    """Reads the streams of a generation that starts beside another one, until `over`.

    `listening` says by which addresses the others listen. `tell` hears of those that are
    meant: the one that the line names; where it names none, those that lines before it speak of, else all.
    """

    def __init__(
        self, listening: Callable[[], tuple[str, ...]], tell: Callable[[tuple[str, ...]], None]
    ) -> None:
        self._listening = listening
        self._tell = tell
        self._looks = _LOOKS
        self.over = False
        """It is ready, or was told."""

    def stream(self) -> Callable[[bytes], None]:
        """What takes the bytes of one stream."""
        rest = b""
        left = _MOST

        def feed(chunk: bytes) -> None:
            nonlocal rest, left
            if self.over or left <= 0:
                return
            left -= len(chunk)
            data = rest + chunk
            rest = data[-_KEPT:]
            unread = data.rfind(b"\n", 0, len(data) - len(chunk)) + 1
            for found in _TEXT.finditer(data, unread):
                end = data.find(b"\n", found.end())
                self._look_at(data[: None if end < 0 else end], data.rfind(b"\n", 0, found.start()) + 1)

        return feed

    def _look_at(self, data: bytes, begin: int) -> None:
        """What came last ends with such a line, which begins there."""
        if self.over or not self._looks:
            return
        self._looks -= 1
        addresses = self._listening()
        named = named_in(data[begin:])
        if named is not None:
            addresses = tuple(one for one in addresses if one == named)
        spoken_of = {number.decode() for number in _NUMBER.findall(data)}
        addresses = tuple(one for one in addresses if one in spoken_of) or addresses
        if addresses:
            self.over = True
            self._tell(addresses)


def named_in(line: bytes) -> str | None:
    """The port that such a line names, if any."""
    found = _PORT.search(line)
    return None if found is None else next(one for one in found.groups() if one is not None).decode()


def listened_at(pids: Iterable[int]) -> tuple[str, ...]:
    """The ports, and paths of sockets, by which these processes wait for others, as far as we may see."""
    import psutil

    found: set[str] = set()
    for pid in pids:
        try:
            process = psutil.Process(pid)
            # As it is called from psutil 6 on.
            connections = getattr(process, "net_connections", None) or process.connections
            # Of UDP there is no listening: a socket that has a port and no partner may be sent to.
            for one in connections("inet"):
                waits = one.status == psutil.CONN_LISTEN or (one.status == psutil.CONN_NONE and not one.raddr)
                if waits and one.laddr:
                    found.add(str(one.laddr.port))
            found.update(str(one.laddr) for one in connections("unix") if one.laddr)
        except (psutil.Error, OSError):
            continue  # it has ended, or is another user's
    return tuple(sorted(found, key=lambda one: (not one.isdecimal(), one.zfill(5))))
