"""Programs above us that pass a signal on to every process below them, and not to their child alone.

Below them the worker gets a signal beside that of its guard, and for many a worker the second one ends its
tasks.
"""

from __future__ import annotations

import os

# Their scripts' names. concurrently (lib/command.ts) and nx use tree-kill, npm-run-all (lib/spawn-posix.js)
# and nodemon (lib/monitor/run.js) lists of their own: each lists what descends from its child, and signals
# one after the other.
_SIGNAL_ALL = {
    *("concurrently", "conc", "nx", "nodemon"),
    *("npm-run-all", "npm-run-all2", "run-p", "run-s"),
}
# To list the processes takes them some tenths of a second, and longer where the machine is busy.
PATIENCE = 3.0
# So far up one is looked for.
_ANCESTORS = 12
# The program, its interpreter's options, and the script.
_WORDS = 4


def patience() -> float:
    """How long, in seconds, such a program may take to signal the worker as well.

    0 where there is none above us, and where the system does not tell that.
    """
    pid = os.getppid()
    try:
        for _ in range(_ANCESTORS):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = os.fsdecode(file.read(4096)).split("\0")[:_WORDS]
            if any(os.path.basename(word).removesuffix(".js") in _SIGNAL_ALL for word in words):
                return PATIENCE
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or the first process of all
    return 0.0
