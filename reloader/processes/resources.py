"""What the processes of a tree use of CPU and memory, and how much memory is free. Sizes are in bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

from reloader.messages import notices

# Where control groups are mounted, and their files: the limit, the usage, and the field of memory.stat with
# the part of the usage that can be reclaimed at once (cgroups(7), version 2 and version 1).
_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class CpuUsage:
    """Measures all descendants of one process, from one call of `measure` to the next."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, float], float] = {}
        """The CPU time that each process had used at the last call, by pid and start."""
        self._measured_at = 0.0

    def measure(self, ancestor: int) -> tuple[notices.ProcessUse, ...]:
        """Every live descendant, the busiest first; new ones with the average of their life."""
        import psutil

        now = time.monotonic()
        passed, self._measured_at = now - self._measured_at, now
        before, self._seconds = self._seconds, {}
        found: list[notices.ProcessUse] = []
        try:
            descendants = psutil.Process(ancestor).children(recursive=True)
        except psutil.Error:
            return ()
        for process in descendants:
            try:
                with process.oneshot():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    key = (process.pid, process.create_time())
                    times = process.cpu_times()
                    self._seconds[key] = times.user + times.system
                    # The system's clock may have been set back meanwhile.
                    age = max(0.01, time.time() - process.create_time())
                    used = self._seconds[key] - before.get(key, 0.0)
                    cpu = 100 * used / (passed if key in before else age)
                    found.append(notices.ProcessUse(process.pid, process.name(), cpu, age))
            except psutil.Error:
                continue  # it has ended
        return tuple(sorted(found, key=lambda one: -one.cpu))


def memory_used_by(pids: Iterable[int]) -> int:
    """The proportional set size of these processes; 0 for those that have ended, and without /proc."""
    return sum(_number(f"/proc/{pid}/smaps_rollup", "Pss:") or 0 for pid in pids) * 1024


def free_memory() -> int | None:
    """What can still be used, of the machine and of our control groups; None without /proc."""
    available = _number("/proc/meminfo", "MemAvailable:")
    machine = [] if available is None else [available * 1024]
    return min([*machine, *_free_in_groups()], default=None)


def _free_in_groups() -> Iterator[int]:
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.rstrip("\n").split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, limit, usage, reclaimable = _GROUPS[bool(controllers)]
        # In a container the path may be the host's, of which only the upper folders exist.
        while True:
            folder = root + path.rstrip("/")
            most, used = _number(f"{folder}/{limit}"), _number(f"{folder}/{usage}")
            if most is not None and used is not None:
                yield max(0, most - used + (_number(f"{folder}/memory.stat", reclaimable) or 0))
            if path in ("/", ""):
                break
            path = os.path.dirname(path)


def _number(path: str, word: str = "") -> int | None:
    """The number after the word, or the only number of the file; None where there is none."""
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
