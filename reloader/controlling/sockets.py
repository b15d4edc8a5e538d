"""Where the sockets of runs lie: in the user's run-time folder, under names that begin with the project's.

Rule: nobody else can reach them. The folder is the user's own and closed to all others, or is not used.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress

from reloader.common.fingerprint import fingerprint

_ENDING = ".sock"


def folder(environment: Mapping[str, str]) -> str:
    """The folder of the sockets, which may not be there."""
    given = environment.get("XDG_RUNTIME_DIR", "")
    with suppress(OSError):
        # With `su` or `sudo` it is somebody else's.
        if os.path.isabs(given) and os.stat(given).st_uid == os.geteuid():
            return os.path.join(given, "reloader")
    return os.path.join(environment.get("TMPDIR") or "/tmp", f"reloader-{os.geteuid()}")


def check(path: str) -> None:
    """Raise OSError unless the folder is ours alone."""
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to somebody else", path)
    if status.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "others can enter it", path)


def listen(project: str, environment: Mapping[str, str]) -> tuple[socket.socket, str]:
    """A socket that listens for who asks about this project, and its path. Raises OSError.

    What killed runs have left is removed, that of other projects too, for which nobody may ever ask again.
    """
    place = folder(environment)
    with suppress(FileExistsError):
        os.mkdir(place, 0o700)
    check(place)
    for path in _all(place):
        if is_dead(path):
            remove(path)
    # It gets its name when it listens: one that does not is taken for what a killed run has left.
    path = os.path.join(place, f"{_key(project)}-{os.urandom(8).hex()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        try:
            os.chmod(path, 0o600)
            listener.listen()
            os.rename(path, path + _ENDING)
        except BaseException:
            remove(path)
            raise
    except BaseException:
        listener.close()
        raise
    return listener, path + _ENDING


def found(project: str, environment: Mapping[str, str]) -> list[str]:
    """The sockets of this project, dead ones among them. Raises OSError where they cannot be looked for."""
    place = folder(environment)
    try:
        check(place)
        beginning = os.path.join(place, _key(project))
        return [path for path in _all(place) if path.startswith(beginning)]
    except FileNotFoundError:
        return []


def _all(place: str) -> list[str]:
    return [os.path.join(place, name) for name in sorted(os.listdir(place)) if name.endswith(_ENDING)]


def upwards(start: str) -> Iterator[str]:
    """The folder and those above it."""
    place = os.path.realpath(start)
    while True:
        yield place
        above = os.path.dirname(place)
        if above == place:
            return
        place = above


def is_dead(path: str) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False  # it is busy, or gone
    return False


def remove(path: str) -> None:
    """Remove a socket that may be gone already."""
    with suppress(OSError):
        os.unlink(path)


def _key(project: str) -> str:
    return fingerprint(os.fsencode(os.path.realpath(project)))
