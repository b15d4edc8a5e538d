"""Reading files that others may have put there: regular ones of a sane size, without waiting for anybody."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

# Settings, ignore rules, variables: nobody writes as much by hand. In bytes.
LIMIT = 1 << 20


def upwards(folder: str) -> Iterator[str]:
    """The folder, its parent, and so on up to the root."""
    above = os.path.dirname(folder)
    while folder != above:
        yield folder
        folder, above = above, os.path.dirname(above)
    yield folder


def open_regular(path: str, *, follow: bool = True) -> int:
    """A descriptor of the file. Raises OSError, also for what is no regular file; nobody is waited for.

    A symbolic link is not followed where `follow` is False.
    """
    # What is behind the name is not known yet: a FIFO would block, a terminal become ours.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    try:
        file = os.open(path, flags)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), path) from error
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return file
    os.close(file)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "not a regular file", path)


def read_start(path: str, length: int) -> bytes:
    """The first bytes of the file. Raises OSError as `open_regular` does."""
    file = open_regular(path)
    try:
        return os.read(file, length)
    finally:
        os.close(file)


def read_regular(
    path: str,
    limit: int = LIMIT,
    *,
    follow: bool = True,
    check: Callable[[os.stat_result], None] | None = None,
) -> bytes:
    """All that is in the file. Raises OSError, which says why, also for what is no regular file or too large.

    A symbolic link is not followed where `follow` is False. `check` gets the status of what was opened,
    so that nothing can come in its place, and may raise OSError.
    """
    file = open_regular(path, follow=follow)
    try:
        if check is not None:
            check(os.fstat(file))
        data = bytearray()
        # A file of /proc says that it is empty, and another one may grow meanwhile.
        while len(data) <= limit and (chunk := os.read(file, min(limit + 1 - len(data), 1 << 16))):
            data += chunk
        if len(data) > limit:
            raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", path)
        return bytes(data)
    finally:
        os.close(file)
