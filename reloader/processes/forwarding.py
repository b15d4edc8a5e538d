"""Programs above us that forward a terminal's signal late, so that it looks like a second press of the key.

Some forward it to every process below them, and not only to their child: the worker then gets a signal
besides that of its guard, and with many workers a second signal ends the tasks.
"""

from __future__ import annotations

import os

from reloader.guard.system import stat_of
from reloader.messages.base import Message

# Names of scripts. concurrently (lib/command.ts) and nx use tree-kill, npm-run-all (lib/spawn-posix.js) and
# nodemon (lib/monitor/run.js) do the same by themselves: each signals all descendants one after the other.
_SIGNAL_ALL = {
    *("concurrently", "conc", "nx", "nodemon"),
    *("npm-run-all", "npm-run-all2", "run-p", "run-s"),
}
# These signal only their child, but some tenths of a second later (0.8 s: poethepoet, shutdown.py).
_SIGNAL_LATE = {"poe"}
# Seconds that they may take. Listing the processes takes some tenths of one, and more on a busy machine.
PATIENCE = 3.0
# How many of our ancestors are looked at.
_ANCESTORS = 12
# How many words of a command line: the interpreter, its options, and the script.
_WORDS = 4


class Patience(Message):
    """Seconds within which a program above us may still forward a signal; 0 where there is none."""

    to_us: float = 0.0
    to_all: float = 0.0
    """To every process below it, the worker included."""


def patience() -> Patience:
    """Look for such programs among our ancestors; without /proc, none is found."""
    pid = os.getppid()
    try:
        for _ in range(_ANCESTORS):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = os.fsdecode(file.read(4096)).split("\0")[:_WORDS]
            names = {os.path.basename(word).removesuffix(".js") for word in words}
            if names & _SIGNAL_ALL:
                return Patience(PATIENCE, PATIENCE)
            if names & _SIGNAL_LATE:
                return Patience(PATIENCE)
            pid = int(stat_of(pid)[2])
    except (OSError, IndexError):
        pass  # no /proc, or there are no more ancestors
    return Patience()
