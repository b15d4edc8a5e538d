"""Whose files may tell us what to do: our own, root's, and those in folders that RELOADER_TRUST names.

A settings file holds commands that run as us, and an ignore file hides sources. In a folder that others can
write to, such as /tmp, one that somebody else has put there is not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

VARIABLE = "RELOADER_TRUST"


class UntrustedError(PermissionError):
    """A file is not followed since another user owns it; `owner` is their name."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(1, f"it belongs to {owner}", path)
        self.owner = owner


def remedy(path: str) -> str:
    """What to do where the file is to be followed."""
    import shlex

    named = shlex.quote(os.path.dirname(path))
    return f"{VARIABLE}={named} follows what lies there; {VARIABLE}='*' follows the files of all users"


def check(path: str) -> None:
    """Raise UntrustedError where the path leads to what is not to be followed, OSError where to nothing."""
    checker(path)(os.stat(path))


def checker(path: str) -> Callable[[os.stat_result], None]:
    """What checks the owner of the file that was opened by this path, as `check` does."""

    def check_opened(status: os.stat_result) -> None:
        untrusted = {status.st_uid, _owner_of_link(path)} - _trusted_users()
        if untrusted and not _is_allowed(path):
            raise UntrustedError(path, _name_of(untrusted.pop()))

    return check_opened


def _owner_of_link(path: str) -> int:
    """Who has made the link at this path; where there is none, nobody whom we would not trust."""
    status = os.lstat(path)
    return status.st_uid if stat.S_ISLNK(status.st_mode) else os.geteuid()


def _trusted_users() -> set[int]:
    users = {os.geteuid(), 0}
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isascii() and sudo.isdecimal():
        users.add(int(sudo))  # who has become root works in their own folders
    return users


def _is_allowed(path: str) -> bool:
    """Whether the user has named a folder that the file lies in, or itself."""
    places = [place for place in os.environ.get(VARIABLE, "").split(os.pathsep) if place]
    if "*" in places:
        return True
    folder = os.path.realpath(os.path.dirname(path))
    whole = os.path.join(folder, os.path.basename(path))
    allowed = [os.path.realpath(os.path.expanduser(place)) for place in places]
    return any(whole == place or whole.startswith(os.path.join(place, "")) for place in allowed)


def _name_of(user: int) -> str:
    """The user's name and number."""
    import pwd

    try:
        return f"{pwd.getpwuid(user).pw_name} (uid {user})"
    except KeyError:
        return f"uid {user}"
