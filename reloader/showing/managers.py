"""Recognises a process manager such as honcho above us, which puts its own prefix in front of our lines.

It is recognised by the variables that it sets. hivemind sets only PORT, as other programs do, so it is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

# How many ancestors are looked at: the manager, a helper process of it, a shell or two.
_ANCESTORS = 6


def is_below_manager(environment: Mapping[str, str]) -> bool:
    """Whether a process manager puts its own prefix in front of our lines."""
    return (
        # honcho/environ.py, expand_processes; node-foreman's lib/proc.js, start;
        # process-compose's src/app/process.go, getProcessEnvironment
        any(environment.get(f"{name}_NAME") for name in ("HONCHO_PROCESS", "FOREMAN_WORKER", "PC_PROC"))
        # foreman's lib/foreman/engine.rb, spawn_processes: PS=worker.1, and always PORT
        or bool(re.fullmatch(r".+\.\d+", environment.get("PS", "")) and environment.get("PORT"))
        # overmind's start/command.go, newCommand: it runs us in tmux, whose socket it names
        or os.path.basename(environment.get("TMUX", "").partition(",")[0]).startswith("overmind-")
    )


def shows_at_terminal(fd: int) -> bool:
    """Whether the manager that reads our pipe `fd` writes to a terminal itself; False if unknown.

    The manager, or a helper of it, is our first ancestor whose standard output is not this pipe.
    """
    pid = os.getpid()
    try:
        ours = os.readlink(f"/proc/{pid}/fd/{fd}")
        for _ in range(_ANCESTORS):
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
            if (theirs := os.readlink(f"/proc/{pid}/fd/1")) != ours:
                return theirs.startswith(("/dev/pts/", "/dev/tty", "/dev/console"))
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or another user's
    return False
