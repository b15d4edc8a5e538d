"""Who is at the other end of a Unix socket, by the system's word.

For Python 3.8 and newer, and of few imports: guards and templates ask as well.
"""

# No `from __future__`, which would be looked for as any other module.
import _socket
import os
import sys


def peer_of(connected):
    # type: (_socket.socket) -> tuple[int, int] | None
    """The pid and the user of who has connected, or listens; None where the system does not tell."""
    if not hasattr(_socket, "SO_PEERCRED"):
        return None
    data = connected.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(data[:4], sys.byteorder), int.from_bytes(data[4:8], sys.byteorder)


def is_ours(connected):
    # type: (_socket.socket) -> bool
    """Whether the other end is a process of our own user, as far as the system tells."""
    peer = peer_of(connected)
    return peer is None or peer[1] == os.geteuid()
