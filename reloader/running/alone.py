"""What the guard shows, and sets right, once there is no supervisor to do it."""

from __future__ import annotations

import os
import select

# What can be written to a pipe at once (PIPE_BUF of Linux).
PIECE = 4096
# A reader has this long, in seconds, to make room for a line of ours.
PATIENCE = 0.2


def restore(fd: int, modes: object) -> None:
    """Put the terminal's modes back."""
    import termios

    try:
        termios.tcsetattr(fd, termios.TCSANOW, modes)  # type: ignore[arg-type]
    except termios.error:
        pass  # the terminal is gone


def tell(text: str) -> None:
    """A line of ours; dropped where nobody reads, for the workers are to be ended all the same."""
    if is_writable(2, PATIENCE):
        write(2, f"reloader | {text}\n".encode("utf-8", "surrogateescape"))


def is_writable(fd: int, seconds: float = 0.0) -> bool:
    """Whether a PIECE can be written without waiting, at the latest after so long."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def write(fd: int, data: bytes) -> None:
    """Write, if anybody is there to read."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass
