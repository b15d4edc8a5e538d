"""What the worker's interpreter is told before the program, and how it comes to ask.

The order lies in a file without a name, since one variable of the environment holds 128 KiB at most
(execve(2)) and a command may be longer; what stands in front of the worker may close descriptors, so it is
named by ours. It can be read as long as it is not closed. Its name stands in PYTHONPATH, behind the hook:
whoever clears or sets that anew leaves nothing of us.
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
# Of a variable and its value, with what separates and ends them (MAX_ARG_STRLEN of execve(2)), less the
# place of an order.
_LONGEST = (1 << 17) - 100
# Options of an interpreter that looks for no hook.
_BLIND = frozenset("EIS")


def make_unnamed(name: str) -> BufferedReader:
    """An empty file that is gone once it is closed, which others write to by its path. Raises OSError."""
    return open(system.make_unnamed(name), "rb")


def _place_of(file: BufferedReader) -> tuple[str, int, int]:
    """The path by which others open it, its device and its inode: the path may lead to another file later."""
    status = os.fstat(file.fileno())
    return f"/proc/{os.getpid()}/fd/{file.fileno()}", status.st_dev, status.st_ino


class Hook:
    """The way into the worker's interpreter, in an environment in which it is found."""

    def __init__(self, settings: Settings, base: Mapping[str, str]) -> None:
        """`base` is the environment that we were given."""
        name = "PYTHONUNBUFFERED"
        # Where somebody else wants the worker to be unbuffered, that is left alone.
        self.lines = name not in base and not any(f"{name}=" in word for word in settings.command)
        """Whether each `print` of the worker is to be one write."""
        path = "PYTHONPATH=" + HOOK + os.pathsep + base.get("PYTHONPATH", "")
        program, *words = settings.program or ("",)
        self.is_possible = (
            system.shows_descriptors()
            and len(os.fsencode(path)) < _LONGEST
            and not (names_python(program) and options(words) & _BLIND)
        )
        """Whether that can be: the interpreter looks for it, and the system has a place for it."""

    def without_order(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment in which whatever Python program comes first finds the hook, and prints lines."""
        return _with_path(base, HOOK)

    def environment(
        self,
        base: Mapping[str, str],
        words: Sequence[str],
        record: BufferedReader | None = None,
        control: str | None = None,
    ) -> tuple[dict[str, str], BufferedReader]:
        """The environment in which the order is read, and the file that must stay open until then.

        `words` are the worker's, `record` is where its imports are told, `control` the name of a template's
        socket. Raises OSError.
        """
        order = {
            "words": list(words),
            "path": base.get("PYTHONPATH"),
            "lines": self.lines,
            "record": None if record is None else _place_of(record),
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
