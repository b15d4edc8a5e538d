"""What is kept between runs in the user's cache folder: names and places of modules, no value of a variable.

What lies there is data and not the truth: it may be damaged, or put there by somebody. What is not understood
is ignored, told in a line, and written anew. Files are read and written in a folder of our own alone: not
through links, not as root in somebody else's home folder, not in the working folder.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from reloader import __version__
from reloader.common.files import read_regular
from reloader.common.fingerprint import fingerprint
from reloader.warm.import_record import ImportRecord, own_origins

# In bytes; ten thousand modules take two million.
LIMIT = 1 << 24
# What differs from one shell to the next, and tells no module what to do.
_PASSING = frozenset(
    [
        "_",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "LINES",
        "COLUMNS",
        "WINDOWID",
        "WINDOW",
        "DISPLAY",
        "TMUX",
        "TMUX_PANE",
        "STY",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "XDG_SESSION_ID",
        "DBUS_SESSION_BUS_ADDRESS",
        "TERM_SESSION_ID",
        "ITERM_SESSION_ID",
        "SSH_CLIENT",
        "SSH_CONNECTION",
        "SSH_TTY",
        "SSH_AUTH_SOCK",
    ]
)


class Cache(NamedTuple):
    """What is kept between runs."""

    record: ImportRecord = ImportRecord()
    left_out: Mapping[str, str] = {}
    """Why each of these is not preloaded."""
    conditions: str = ""
    """Those under which they were left out."""


def _say_nothing(_why: str) -> None:
    """Nobody wants to know why nothing is read."""


def path_for(
    program: Sequence[str], folder: str, environment: Mapping[str, str], kind: str = "preload"
) -> str | None:
    """The file for this program in this folder, of kind `preload` or `own`; None where nothing is kept."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # then it is to be ignored (XDG Base Directory Specification)
        base = os.path.join(environment.get("HOME", ""), ".cache")
    if not os.path.isabs(base):
        return None
    key = "\0".join((*program, folder, environment.get("VIRTUAL_ENV", ""), environment.get("PATH", "")))
    return os.path.join(base, "reloader", f"{kind}-{fingerprint(os.fsencode(key))}.json")


def conditions(environment: Mapping[str, str]) -> str:
    """A name for what decides, besides the modules themselves, whether they can be preloaded."""
    told = sorted(f"{name}={value}" for name, value in environment.items() if name not in _PASSING)
    return fingerprint(os.fsencode("\0".join((__version__, *told))))


def load(path: str | None, tell: Callable[[str], None] = _say_nothing) -> Cache:
    """What was kept in the file; nothing where there is none or it is not understood: `tell` hears why."""

    def understand(found: Any) -> Cache:
        imported, places, *others = found["record"]
        record = ImportRecord(_names(imported), _places(places), *map(_names, others))
        left_out = dict(
            zip(_names(list(found["left_out"])), _names(list(found["left_out"].values())), strict=True)
        )
        return Cache(record, left_out, str(found.get("conditions")))

    return _load(path, tell, understand) or Cache()


def save(path: str | None, kept: Cache) -> None:
    """Keep it in the file, for its owner alone; it is no fault where that cannot be."""
    value = {"record": kept.record, "left_out": dict(kept.left_out), "conditions": kept.conditions}
    _save(path, value)


def load_own(path: str | None, tell: Callable[[str], None] = _say_nothing) -> ImportRecord:
    """What `save_own` has kept; nothing where there is none, or none that is understood: `tell` hears why."""

    def understand(found: Any) -> ImportRecord:
        return ImportRecord(places=_places(found["places"]), missing=_names(found["missing"]))

    return _load(path, tell, understand) or ImportRecord()


def save_own(path: str | None, record: ImportRecord) -> None:
    """Keep what `reloader why` is asked about: where somebody's own modules were found, and what was not."""
    _save(path, {"places": own_origins(record), "missing": sorted(record.missing)})


def forget(path: str | None) -> None:
    """Remove what is kept in the file, if anything is."""
    with suppress(OSError), _folder_of(path) as (folder, name):
        os.unlink(name, dir_fd=folder)


# --- files -----------------------------------------------------------------------------------------


def _load(path: str | None, tell: Callable[[str], None], understand: Callable[[Any], Any]) -> Any:
    if path is None:
        return None
    try:
        data = read_regular(path, LIMIT, follow=False, check=_check_owner)
        return understand(json.loads(data.decode("utf-8")))
    except (FileNotFoundError, _OthersError):
        return None
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else (error.strerror or str(error)).lower()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        why = "it is not what a run has written"
    tell(why)
    return None


def _save(path: str | None, value: object) -> None:
    data = json.dumps(value).encode("ascii")
    new = f".{os.urandom(8).hex()}.tmp"
    with suppress(OSError), _folder_of(path, create=True) as (folder, name):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(new, flags, 0o600, dir_fd=folder)
        try:
            with open(file, "wb") as writing:
                writing.write(data)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(new, dir_fd=folder)
            raise


@contextmanager
def _folder_of(path: str | None, create: bool = False) -> Iterator[tuple[int, str]]:
    """The folder of the file, open, and the file's name. Raises OSError, also where it is not ours alone."""
    if path is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    place, name = os.path.split(path)
    if create:
        _make(place)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        _check_owner(status)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _OthersError(errno.EPERM, "others can write to it", place)
        yield folder, name
    finally:
        os.close(folder)


def _make(place: str) -> None:
    """Make the folder, unless that would be in what belongs to another user."""
    above = place
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.stat(above).st_uid not in (os.geteuid(), 0):
        raise _OthersError(errno.EPERM, "it belongs to another user", above)
    os.makedirs(place, mode=0o700, exist_ok=True)


class _OthersError(PermissionError):
    """What is there belongs to another user: it is none of our business."""


def _check_owner(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise _OthersError(errno.EPERM, "it belongs to another user")


# --- data ------------------------------------------------------------------------------------------


def _names(found: object) -> tuple[str, ...]:
    """A list of strings of which each can be a name of something. Raises TypeError."""
    if not isinstance(found, list) or not all(isinstance(one, str) and "\0" not in one for one in found):
        raise TypeError
    return tuple(found)


def _places(found: object) -> dict[str, tuple[str, ...]]:
    """Lists of strings by name. Raises TypeError."""
    if not isinstance(found, dict):
        raise TypeError
    return dict(zip(_names(list(found)), map(_names, found.values()), strict=True))
