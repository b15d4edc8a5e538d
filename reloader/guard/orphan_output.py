"""What the guard shows, and sets right, once there is no supervisor to do it."""

from __future__ import annotations

import os
import select

# What can be written to a pipe at once (PIPE_BUF of Linux).
PIECE = 4096
# A reader has this long, in seconds, to make room for a line of ours.
PATIENCE = 0.2


def restore(fd: int, modes: object) -> None:
    """Put the terminal's modes back, or write what does so."""
    if isinstance(modes, bytes):
        if is_writable(fd, PATIENCE):
            write(fd, modes)
        return
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


class OrphanOutput:
    """What the worker prints, read from these pipes and shown as it is, once there is no supervisor."""

    def __init__(self, pipes: list[int]) -> None:
        # One to three: standard output, standard error, and the echo of what is typed.
        self.targets = dict(zip(pipes, (1, 2, 2)))  # noqa: B905 - Python 3.8 knows no strictness

    def register(self, poll: select.poll) -> None:
        """Let `poll` tell when there is something to show, and room for it."""
        for fd, target in self.targets.items():
            # What nobody reads stays where it is: a write must not keep the guard from its deadlines.
            if is_writable(target):
                poll.register(fd, select.POLLIN)
            else:
                poll.register(target, select.POLLOUT)

    def show(self, ready: set[int]) -> None:
        """Pass on a piece of each pipe that is ready."""
        for fd in ready & self.targets.keys():
            try:
                data = os.read(fd, PIECE)
            except OSError:
                data = b""  # a terminal that nobody has open any more
            write(self.targets[fd], data)
            if not data:
                del self.targets[fd]
                os.close(fd)

    def show_rest(self) -> None:
        """Pass on what is there, as far as somebody reads it."""
        while self.targets:
            poll = select.poll()
            self.register(poll)
            ready = {fd for fd, _ in poll.poll(0)}
            if not ready:
                return
            self.show(ready)
