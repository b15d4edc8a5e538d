"""Finds and reads the settings file, pyproject.toml or reloader.toml, and checks it key by key."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping

from reloader.common import trust
from reloader.common.files import read_regular, upwards
from reloader.common.run_folder import relative
from reloader.errors import ReloaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILES = ("reloader.toml", "pyproject.toml")


def find(start: str, refuse: Callable[[str, str], None] = lambda _path, _owner: None) -> str | None:
    """The nearest file with settings for us, in the folder `start` or above it; None where there is none.

    The search ends at the top of the repository, at the home folder, and where the owner or the file system
    changes. `refuse(path, owner)` is called for a file that is not followed since it belongs to another user.
    Raises ReloaderError if a file on the way is not TOML.
    """
    for path in places(start):
        if not os.path.isfile(path):
            continue
        is_ours = os.path.basename(path) == "reloader.toml"
        try:
            trust.check(path)
        except trust.UntrustedError as untrusted:
            if is_ours or _names_us(path):
                refuse(path, untrusted.owner)
        else:
            if is_ours or read(path):
                return path
    return None


def places(start: str) -> Iterator[str]:
    """The absolute paths where a file would be found, in the order of the search."""
    home = os.path.realpath(os.path.expanduser("~"))
    for folder in upwards(os.path.abspath(start)):
        yield from (os.path.join(folder, name) for name in FILES)
        parent = os.path.dirname(folder)
        is_top = os.path.lexists(os.path.join(folder, ".git")) or os.path.realpath(folder) == home
        if is_top or _owner_and_device(parent) != _owner_and_device(folder):
            break


def _owner_and_device(folder: str) -> tuple[int, int] | None:
    """The owner and the file system of a folder; None where it cannot be read."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_uid, status.st_dev


def _names_us(path: str) -> bool:
    """Whether a file may have settings for us, without parsing it."""
    try:
        return b"reloader" in read_regular(path)
    except OSError:
        return False


def read(path: str) -> dict[str, Any]:
    """The settings in the file. Raises ReloaderError where it cannot be read or is not TOML."""
    shown = relative(path)
    try:
        content = read_regular(path, check=trust.checker(path))
    except OSError as error:
        raise ReloaderError(f"cannot read {shown}: {error.strerror}", f"ls -l {shown}") from error
    if os.path.basename(path) == "pyproject.toml" and b"reloader" not in content:
        return {}  # the common case, without importing a parser
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        parsed = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # no TOML, or numbers too long, or tables too deep
        raise ReloaderError(
            f"cannot read {shown}: {error}", "mend it; it is not TOML as it stands"
        ) from error
    if os.path.basename(path) != "pyproject.toml":
        return parsed
    tool = parsed.get("tool", {})
    section = tool.get("reloader", {}) if isinstance(tool, dict) else tool
    if not isinstance(section, dict):
        raise ReloaderError(f"{shown}: tool.reloader is not a table", "write [tool.reloader] above the keys")
    return section


def check_tables(
    tables: object, path: str, within: str, known: Mapping[str, type]
) -> dict[str, dict[str, Any]]:
    """Check the tables below the key `within`, by name; each may have the keys of `known`.

    Returns each as `check` does. Raises ReloaderError as `check` does, and for a value that is no table.
    """
    shown = relative(path)
    section = f"tool.reloader.{within}" if os.path.basename(path) == "pyproject.toml" else within
    remedy = f"write [{section}.NAME] above the keys"
    if not isinstance(tables, dict):
        raise ReloaderError(f"{shown}: {within} = {tables!r}", remedy)
    result = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ReloaderError(f"{shown}: {within}.{name} = {table!r}", remedy)
        result[name] = check(table, path, known, f"{within}.{name}.")
    return result


def check(
    settings: Mapping[str, Any], path: str, known: Mapping[str, type], within: str = ""
) -> dict[str, Any]:
    """The settings by option name; `known` maps each name to list, bool or str.

    `within` precedes the keys in errors. Raises ReloaderError for an unknown key and a value of another type.
    """
    shown = relative(path)
    result: dict[str, Any] = {}
    for key, value in settings.items():
        name = key.replace("-", "_")
        if name not in known:
            import difflib

            close = difflib.get_close_matches(name, known, n=1)
            near = f"did you mean {close[0].replace('_', '-')}?" if close else f"known: {_listed(known)}"
            raise ReloaderError(f"{shown}: unknown key {within + key!r}", near)
        result[name] = _value(value, known[name], within + key, shown)
    return result


def _value(value: Any, kind: type, key: str, shown: str) -> Any:
    wrong = f"{shown}: {key} = {value!r}"
    if any("\0" in str(item) for item in (value if isinstance(value, list) else [value])):
        raise ReloaderError(wrong, "write it without the character NUL, which nothing in it can hold")
    if kind is bool:
        if not isinstance(value, bool):
            raise ReloaderError(wrong, "write true or false")
        return value
    if kind is list:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise ReloaderError(wrong, "write a list of strings")
        return values
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ReloaderError(wrong, "write a string")
    return str(value)


def _listed(known: Mapping[str, type]) -> str:
    return ", ".join(name.replace("_", "-") for name in known)
