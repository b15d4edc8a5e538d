"""How much memory processes use, and how much is free for others. In bytes; on Linux, None elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

# Where control groups are mounted, and what their files are called: the limit, what is used, and within
# memory.stat what of that could be given back at once (cgroups(7), both versions).
_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def used_by(pids: Iterable[int]) -> int:
    """What the processes use, each page that several have in equal parts; who has ended uses nothing."""
    return sum(_number(f"/proc/{pid}/smaps_rollup", "Pss:") or 0 for pid in pids) * 1024


def free() -> int | None:
    """What can be had without taking it from anybody, of the machine and of the control groups we are in."""
    available = _number("/proc/meminfo", "MemAvailable:")
    machine = [] if available is None else [available * 1024]
    return min([*machine, *_free_in_groups()], default=None)


def _free_in_groups() -> Iterator[int]:
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.rstrip("\n").split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, limit, usage, given_back = _GROUPS[bool(controllers)]
        # In a container the path may be that of the host, of which only the upper end is there.
        while True:
            folder = root + path.rstrip("/")
            most, used = _number(f"{folder}/{limit}"), _number(f"{folder}/{usage}")
            if most is not None and used is not None:
                yield max(0, most - used + (_number(f"{folder}/memory.stat", given_back) or 0))
            if path in ("/", ""):
                break
            path = os.path.dirname(path)


def _number(path: str, word: str = "") -> int | None:
    """The number behind the word, or the only one of the file; None where there is none."""
    for line in _lines(path):
        words = line.split()
        if words and (not word or words[0] == word) and words[bool(word)].isdecimal():
            return int(words[bool(word)])
    return None


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()
    except OSError:
        return []
