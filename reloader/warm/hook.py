"""The environment in which the worker's interpreter runs our hook, and the hook's order.

The order is in a file without a name, since a variable of the environment holds at most 128 KiB (execve(2))
and a command may be longer. A program in front of the worker may close descriptors, so the file is named by a
path to our own descriptor of it, and can be read until we close that. The path is an entry of PYTHONPATH,
after the folder of the hook: a program that clears or replaces PYTHONPATH leaves nothing of us.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Mapping, Sequence
from io import BufferedReader

from reloader.guard import system
from reloader.in_worker.line_writes import names_python, options
from reloader.settings import Settings

_HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(_HERE))
HOOK = os.path.join(PACKAGE, "reloader", "in_worker", "hook")
BLIND = "its interpreter cannot be looked into"
# The longest NAME=VALUE of the environment (MAX_ARG_STRLEN of execve(2)), less the path of an order.
_LONGEST = (1 << 17) - 100
# Options with which an interpreter does not run the hook.
_BLIND = frozenset("EIS")


def make_unnamed(name: str) -> BufferedReader:
    """An empty file that is gone once it is closed; others write to it by `_place_of`. Raises OSError."""
    return open(system.make_unnamed(name), "rb")


def _place_of(file: BufferedReader) -> tuple[str, int, int]:
    """The path by which others open it, and its device and inode: the path may lead to another file later."""
    status = os.fstat(file.fileno())
    return f"/proc/{os.getpid()}/fd/{file.fileno()}", status.st_dev, status.st_ino


class Hook:
    """Makes environments in which the hook (in_worker/hook) is found."""

    def __init__(self, settings: Settings, base: Mapping[str, str]) -> None:
        """`base` is the environment that we were given."""
        name = "PYTHONUNBUFFERED"
        # A user who sets the variable gets what it does by itself.
        self.lines = name not in base and not any(f"{name}=" in word for word in settings.command)
        """Whether each `print` of the worker shall be one write."""
        path = "PYTHONPATH=" + HOOK + os.pathsep + base.get("PYTHONPATH", "")
        program, *words = settings.program or ("",)
        self.is_possible = (
            system.shows_descriptors()
            and len(os.fsencode(path)) < _LONGEST
            and not (names_python(program) and options(words) & _BLIND)
        )
        """Whether the hook can be used: the interpreter runs it, and the system has paths to descriptors."""

    def without_order(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` with the hook only, for whole lines: no worker is recognised, no import recorded."""
        return _with_path(base, HOOK)

    def environment(
        self,
        base: Mapping[str, str],
        words: Sequence[str],
        record: BufferedReader | None = None,
        control: str | None = None,
        writes: bool = False,
    ) -> tuple[dict[str, str], BufferedReader]:
        """`base` with the hook and an order, and the order's file, which must stay open until it is read.

        `words` is the worker's command line, `record` the file for its imports and, with `writes`, for what
        it writes; `control` is the name of the socket that a template connects to. in_worker/bootstrap.py
        describes the order. Raises OSError.
        """
        order = {
            "words": list(words),
            "path": base.get("PYTHONPATH"),
            "lines": self.lines,
            "record": None if record is None else _place_of(record),
            "writes": writes,
            "control": control,
            "package": PACKAGE,
        }
        file = make_unnamed("reloader-order")
        with open(f"/proc/self/fd/{file.fileno()}", "wb") as writing:
            # Version 2 of marshal's format is read by every Python 3.
            writing.write(marshal.dumps(order, 2))
        place, device, inode = _place_of(file)
        return _with_path(base, HOOK, f"{place}/{device}-{inode}"), file


def _with_path(base: Mapping[str, str], *first: str) -> dict[str, str]:
    path = base.get("PYTHONPATH")
    return {**base, "PYTHONPATH": os.pathsep.join(first if path is None else (*first, path))}
