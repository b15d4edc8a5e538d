"""What the guard does at the terminal once the supervisor has died: restore it, and show output."""

from __future__ import annotations

import os
import select

# How many bytes a pipe takes at once when it is writable (PIPE_BUF of Linux).
PIECE = 4096
# How long, in seconds, a line of ours waits for a reader to make room.
PATIENCE = 0.2


def restore(fd: int, modes: object) -> None:
    """Restore the terminal: modes of tcgetattr are set, bytes are written."""
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
    """Show a line of ours, or drop it where nobody reads: the worker has to be ended all the same."""
    if is_writable(2, PATIENCE):
        write(2, f"reloader | {text}\n".encode("utf-8", "surrogateescape"))


def is_writable(fd: int, seconds: float = 0.0) -> bool:
    """Whether a PIECE can be written without blocking, now or within so many seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def write(fd: int, data: bytes) -> None:
    """Write all of it, unless nobody reads any more."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass


class OrphanOutput:
    """Reads the worker's output from these pipes and shows it as it is, once the supervisor has died."""

    def __init__(self, pipes: list[int]) -> None:
        # One to three: standard output, standard error, and the echo of what is typed.
        self.targets = dict(zip(pipes, (1, 2, 2)))  # noqa: B905 - Python 3.8 knows no strictness

    def register(self, poll: select.poll) -> None:
        """Let `poll` report when there is something to show and room for it."""
        for fd, target in self.targets.items():
            # Without room it stays in the pipe: a blocking write would keep the guard from its deadlines.
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
                data = b""  # a terminal that no process has open any more
            write(self.targets[fd], data)
            if not data:
                del self.targets[fd]
                os.close(fd)

    def show_rest(self) -> None:
        """Pass on what is there already, as far as it can be written without blocking."""
        while self.targets:
            poll = select.poll()
            self.register(poll)
            ready = {fd for fd, _ in poll.poll(0)}
            if not ready:
                return
            self.show(ready)
