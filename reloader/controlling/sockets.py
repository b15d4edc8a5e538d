"""The paths of the sockets of runs: in the user's run-time folder, with names that begin with the project's.

Rule: no other user can reach them. The folder is only used where it belongs to the user and is closed to all
others.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress

from reloader.common.fingerprint import fingerprint

_ENDING = ".sock"


def folder(environment: Mapping[str, str]) -> str:
    """The folder of the sockets, which may not exist."""
    given = environment.get("XDG_RUNTIME_DIR", "")
    with suppress(OSError):
        # Below `su` or `sudo` it may be another user's.
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
    """A listening socket for a run of this project, and its path. Raises OSError.

    Sockets that killed runs have left are removed, those of other projects too.
    """
    parent = folder(environment)
    with suppress(FileExistsError):
        os.mkdir(parent, 0o700)
    check(parent)
    for path in _all(parent):
        if is_dead(path):
            remove(path)
    # It gets its final name once it listens: one that does not listen would be removed as a killed run's.
    path = os.path.join(parent, f"{_key(project)}-{os.urandom(8).hex()}")
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
    parent = folder(environment)
    try:
        check(parent)
        beginning = os.path.join(parent, _key(project))
        return [path for path in _all(parent) if path.startswith(beginning)]
    except FileNotFoundError:
        return []


def _all(parent: str) -> list[str]:
    return [os.path.join(parent, name) for name in sorted(os.listdir(parent)) if name.endswith(_ENDING)]


def is_dead(path: str) -> bool:
    """Whether no process listens there any more."""
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
    """Remove a socket, unless it is gone already."""
    with suppress(OSError):
        os.unlink(path)


def _key(project: str) -> str:
    return fingerprint(os.fsencode(os.path.realpath(project)))
