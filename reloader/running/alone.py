"""What the guard shows, and sets right, once there is no supervisor to do it."""

from __future__ import annotations

import os


def restore(fd: int, modes: object) -> None:
    """Put the terminal's modes back."""
    import termios

    try:
        termios.tcsetattr(fd, termios.TCSANOW, modes)  # type: ignore[arg-type]
    except termios.error:
        pass  # the terminal is gone


def tell(text: str) -> None:
    """A line of ours."""
    write(2, f"reloader | {text}\n".encode("utf-8", "surrogateescape"))


def write(fd: int, data: bytes) -> None:
    """Write, if anybody is there to read."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass
