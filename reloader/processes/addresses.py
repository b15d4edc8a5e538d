"""Whether a starting worker finds an address in use at which an older generation of it listens.

Its output tells, in the words of many languages. It is believed only where the older generation does listen
there: a port that another program has is no reason to stop a working worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from reloader.common.lazy_pattern import lazy_pattern

# EADDRINUSE as programs print it, and as it is numbered on Linux and the BSDs.
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
# How many bytes of each stream are searched: a start prints little.
_MOST = 1 << 18
# How many of the last bytes are kept: an unfinished line, and the lines of a traceback before it.
_KEPT = 1 << 13
# How many lines are looked at: some workers try to listen again and again.
_LOOKS = 20
_NUMBER = lazy_pattern(rb"\d+")


class AddressConflict:
    """Searches the output of a generation that starts beside others, until `over`.

    `listening` returns the addresses at which the others listen. `report` is called with those that are
    meant: the one that the line names; where it names none, those in the lines before it; else all.
    """

    def __init__(
        self, listening: Callable[[], tuple[str, ...]], report: Callable[[tuple[str, ...]], None]
    ) -> None:
        self._listening = listening
        self._report = report
        self._looks = _LOOKS
        self.over = False
        """Whether the generation is ready, or a conflict was reported."""

    def stream(self) -> Callable[[bytes], None]:
        """A function to call with each chunk of one stream."""
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
        """Look at output that ends with such a line, which begins at the offset `begin`."""
        if self.over or not self._looks:
            return
        self._looks -= 1
        addresses = self._listening()
        named = named_in(data[begin:])
        if named is not None:
            addresses = tuple(one for one in addresses if one == named)
        numbers = {number.decode() for number in _NUMBER.findall(data)}
        addresses = tuple(one for one in addresses if one in numbers) or addresses
        if addresses:
            self.over = True
            self._report(addresses)


def named_in(line: bytes) -> str | None:
    """The port that such a line names; None where it names none."""
    found = _PORT.search(line)
    return None if found is None else next(one for one in found.groups() if one is not None).decode()


def listened_at(pids: Iterable[int]) -> tuple[str, ...]:
    """The ports, and paths of Unix sockets, at which these processes listen, as far as we may see them."""
    import psutil

    found: set[str] = set()
    for pid in pids:
        try:
            process = psutil.Process(pid)
            # Its name from psutil 6 on, and before.
            connections = getattr(process, "net_connections", None) or process.connections
            for one in connections("inet"):
                # UDP sockets do not listen: one without a peer receives.
                is_udp = one.status == psutil.CONN_NONE and not one.raddr
                if (one.status == psutil.CONN_LISTEN or is_udp) and one.laddr:
                    found.add(str(one.laddr.port))
            found.update(str(one.laddr) for one in connections("unix") if one.laddr)
        except (psutil.Error, OSError):
            continue  # it has ended, or is another user's
    return tuple(sorted(found, key=lambda one: (not one.isdecimal(), one.zfill(5))))
