"""Which processes of a tree are alive, and what each uses of the CPU."""

from __future__ import annotations

import time

from reloader.messages import notices


class Usage:
    """Looks at all that descends from one process. What is used is counted from the last look on."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, float], float] = {}
        self._looked_at = 0.0

    def look(self, ancestor: int) -> tuple[notices.ProcessUse, ...]:
        """Every live descendant, the busiest first; those not seen before by the average of their life."""
        import psutil

        now = time.monotonic()
        passed, self._looked_at = now - self._looked_at, now
        before, self._seen = self._seen, {}
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
                    self._seen[key] = times.user + times.system
                    # The system's clock may have been set back meanwhile.
                    age = max(0.01, time.time() - process.create_time())
                    used = self._seen[key] - before.get(key, 0.0)
                    cpu = 100 * used / (passed if key in before else age)
                    found.append(notices.ProcessUse(process.pid, process.name(), cpu, age))
            except psutil.Error:
                continue  # it has ended
        return tuple(sorted(found, key=lambda one: -one.cpu))
