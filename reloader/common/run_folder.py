"""The folder that a run belongs to, by the name that it had when reloader was started.

Another folder may come in its place (`git switch`, a new checkout), or it may be moved: then the system names
no current folder, or another one. So it is asked once, and everything relative is relative to that name.
"""

from __future__ import annotations

import os

from reloader.errors import ReloaderError

_started_in: str | None = None


def remember_folder() -> None:
    """The current folder is that of this process for good, if there is one."""
    global _started_in
    try:
        _started_in = os.getcwd()
    except FileNotFoundError:
        _started_in = None


def run_folder() -> str:
    """The path of the folder. Raises ReloaderError where there is none."""
    if _started_in is not None:
        return _started_in
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        raise ReloaderError("the current folder does not exist any more", "cd to one that does") from error


def absolute(path: str) -> str:
    """The path from the root, without `.` and `..`. Raises ReloaderError."""
    return os.path.normpath(path if os.path.isabs(path) else os.path.join(run_folder(), path))


def relative(path: str) -> str:
    """The path as it is written in the folder. Raises ReloaderError."""
    return os.path.relpath(absolute(path), run_folder())


def enter_run_folder() -> bool:
    """Make what has that name now our current folder; whether there is such a folder.

    What is run by a relative path, or looks around, would else do so in one that is gone.
    """
    folder = run_folder()
    try:
        if not os.path.samefile(os.curdir, folder):
            os.chdir(folder)
    except OSError:
        return False
    return True
