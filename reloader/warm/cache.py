"""The cache between runs, in the user's cache folder: names and places of modules, no values of variables.

Its files are not trusted: they may be damaged, or written by others. A file that is not understood is
ignored, reported in a line, and written anew. Files are read and written only in a folder of our own: not
through links, not as root in another user's home folder, not in the working folder.
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

# The largest file that is read, in bytes; ten thousand modules take two million.
LIMIT = 1 << 24
# Variables that differ from shell to shell and do not change what a module does.
_PASSING = frozenset(
    {
        *("_", "PWD", "OLDPWD", "SHLVL", "LINES", "COLUMNS", "WINDOWID", "WINDOW", "DISPLAY"),
        *("TMUX", "TMUX_PANE", "STY", "INVOCATION_ID", "JOURNAL_STREAM", "XDG_SESSION_ID"),
        *("DBUS_SESSION_BUS_ADDRESS", "TERM_SESSION_ID", "ITERM_SESSION_ID"),
        *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "SSH_AUTH_SOCK"),
    }
)

Tell = Callable[[str], None]
"""Called with the reason why a file is ignored."""


class Cache(NamedTuple):
    """What templates are built from in the next run."""

    record: ImportRecord = ImportRecord()
    left_out: Mapping[str, str] = {}
    """The modules that are not preloaded, and why."""
    conditions: str = ""
    """The conditions under which they were left out, see `conditions`."""
    tried: float = 0.0
    """When all of them were tried last, in seconds of the wall clock."""


def path_for(
    program: Sequence[str], folder: str, environment: Mapping[str, str], kind: str = "preload"
) -> str | None:
    """The file for this program in this folder, of kind `preload` or `own`; None where there is no cache."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # then it is to be ignored (XDG Base Directory Specification)
        base = os.path.join(environment.get("HOME", ""), ".cache")
    if not os.path.isabs(base):
        return None
    key = "\0".join((*program, folder, environment.get("VIRTUAL_ENV", ""), environment.get("PATH", "")))
    return os.path.join(base, "reloader", f"{kind}-{fingerprint(os.fsencode(key))}.json")


def conditions(environment: Mapping[str, str]) -> str:
    """A fingerprint of what decides, besides the modules themselves, whether they can be preloaded."""
    variables = sorted(f"{name}={value}" for name, value in environment.items() if name not in _PASSING)
    return fingerprint(os.fsencode("\0".join((__version__, *variables))))


def load(path: str | None, tell: Tell = lambda _why: None) -> Cache:
    """The content of the file; an empty Cache where there is none or it is ignored."""

    def understand(found: Any) -> Cache:
        imported, places, *others = found["record"]
        record = ImportRecord(_names(imported), _places(places), *map(_names, others))
        left_out = dict(
            zip(_names(list(found["left_out"])), _names(list(found["left_out"].values())), strict=True)
        )
        return Cache(record, left_out, str(found.get("conditions")), float(found.get("tried", 0.0)))

    return _load(path, tell, understand) or Cache()


def save(path: str | None, kept: Cache) -> None:
    """Write it to the file, readable by its owner only; does nothing where that is not possible."""
    left_out = dict(kept.left_out)
    fields = {"record": kept.record, "left_out": left_out, "conditions": kept.conditions, "tried": kept.tried}
    _save(path, fields)


def load_own(path: str | None, tell: Tell = lambda _why: None) -> ImportRecord:
    """What `save_own` has written; an empty record where there is no such file or it is ignored."""

    def understand(found: Any) -> ImportRecord:
        return ImportRecord(places=_places(found["places"]), missing=_names(found["missing"]))

    return _load(path, tell, understand) or ImportRecord()


def save_own(path: str | None, record: ImportRecord) -> None:
    """Write what `reloader why` needs: where modules that are not installed were found, and missing names."""
    _save(path, {"places": own_origins(record), "missing": sorted(record.missing)})


def forget(path: str | None) -> None:
    """Remove the file, if there is one."""
    with suppress(OSError), _folder_of(path) as (folder, name):
        os.unlink(name, dir_fd=folder)


# --- files -----------------------------------------------------------------------------------------


def _load(path: str | None, tell: Tell, understand: Callable[[Any], Any]) -> Any:
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
    parent, name = os.path.split(path)
    if create:
        _make(parent)
    folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        _check_owner(status)
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _OthersError(errno.EPERM, "others can write to it", parent)
        yield folder, name
    finally:
        os.close(folder)


def _make(folder: str) -> None:
    """Make the folder, unless the nearest existing folder above it belongs to another user."""
    above = folder
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.stat(above).st_uid not in (os.geteuid(), 0):
        raise _OthersError(errno.EPERM, "it belongs to another user", above)
    os.makedirs(folder, mode=0o700, exist_ok=True)


class _OthersError(PermissionError):
    """A file or folder belongs to another user, or others can write to it: it is not used."""


def _check_owner(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise _OthersError(errno.EPERM, "it belongs to another user")


# --- data ------------------------------------------------------------------------------------------


def _names(found: object) -> tuple[str, ...]:
    """A list of strings without NUL. Raises TypeError for anything else."""
    if not isinstance(found, list) or not all(isinstance(one, str) and "\0" not in one for one in found):
        raise TypeError
    return tuple(found)


def _places(found: object) -> dict[str, tuple[str, ...]]:
    """Lists of strings by name. Raises TypeError for anything else."""
    if not isinstance(found, dict):
        raise TypeError
    return dict(zip(_names(list(found)), map(_names, found.values()), strict=True))
