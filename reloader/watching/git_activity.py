"""Whether Git is changing a work tree right now, so that its end can be awaited."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

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
# Commands of Git that live long and change no file of the work tree, or only when the user does.
_IDLE = frozenset(
    {
        *("fsmonitor--daemon", "credential-cache--daemon", "daemon", "cat-file", "log", "diff", "show"),
        *("mergetool", "difftool", "git-mergetool", "git-difftool"),
    }
)
# What Git writes at each step of an operation.
_STEPS = ("index.lock", "index", "HEAD", "rebase-merge/done", "rebase-merge/msgnum", "rebase-apply/next")


class Activity(NamedTuple):
    """An operation of Git under way."""

    operation: str
    """As it is told to the user."""
    step: str
    """Another text whenever the operation has gone on; empty where it cannot be waiting for an editor."""


def under_way(top: str) -> Activity | None:
    """What Git is doing in the work tree `top`; None if nothing."""
    folder = git_folder(top)
    marks = [mark for mark in _MARKS if os.path.lexists(os.path.join(folder, mark))]
    if not marks:
        return None
    operation = next((_MARKS[mark] for mark in marks if mark != "index.lock"), "git")
    is_fresh = "index.lock" in marks and _age(os.path.join(folder, "index.lock")) < FRESH
    return Activity(operation, _step(folder)) if is_fresh or _git_lives(top, folder) else None


def _step(folder: str) -> str:
    if _changed(folder, "COMMIT_EDITMSG") < _changed(folder, "index.lock"):
        return ""  # it holds the index, and has written no message to be edited since
    seen = []
    for name in _STEPS:
        try:
            status = os.lstat(os.path.join(folder, name))
            seen.append(f"{name} {status.st_ino} {status.st_mtime_ns} {status.st_size}")
        except OSError:
            pass  # not every operation has it
    return "\n".join([folder, *seen])


def _changed(folder: str, name: str) -> int:
    """When the file was written, in nanoseconds; 0 where there is none."""
    try:
        return os.lstat(os.path.join(folder, name)).st_mtime_ns
    except OSError:
        return 0


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
            if _IDLE & {os.path.basename(word) for word in process.cmdline()}:
                continue
            here = process.cwd()
        except (psutil.Error, OSError):
            continue
        if any(here == place or here.startswith(place + os.sep) for place in places):
            return True
    return False
