"""Whether Git is changing a work tree right now, so that its end can be awaited."""

from __future__ import annotations

import os
import time

from reloader.watching.gitignore_files import git_folder

# A lock younger than this, in seconds, is taken for that of a live Git that cannot be seen from here.
FRESH = 10.0
# What stands in the Git folder during an operation, and how it is told. Most of it stays there while the
# user resolves a conflict, so it counts only beside a live process of Git.
_MARKS = {
    "index.lock": "git",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick",
}
# Commands of Git that live long and change no file of the work tree.
_IDLE = frozenset(
    {"fsmonitor--daemon", "credential-cache--daemon", "daemon", "cat-file", "log", "diff", "show"}
)


def under_way(top: str) -> str | None:
    """What Git is doing in the work tree `top`, as it is told to the user; None if nothing."""
    folder = git_folder(top)
    marks = [mark for mark in _MARKS if os.path.lexists(os.path.join(folder, mark))]
    if not marks:
        return None
    operation = next((_MARKS[mark] for mark in marks if mark != "index.lock"), "git")
    if "index.lock" in marks and _age(os.path.join(folder, "index.lock")) < FRESH:
        return operation
    return operation if _git_lives(top, folder) else None


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return FRESH  # it is gone


def _git_lives(top: str, folder: str) -> bool:
    """Whether a process of Git works in this repository."""
    import psutil

    places = [os.path.realpath(place) for place in (top, folder)]
    for process in psutil.process_iter():
        try:
            name = process.name().removesuffix(".exe")
            if name != "git" and not name.startswith("git-"):
                continue
            if _IDLE & set(process.cmdline()):
                continue
            here = process.cwd()
        except (psutil.Error, OSError):
            continue
        if any(here == place or here.startswith(place + os.sep) for place in places):
            return True
    return False
