"""Programs above us that pass a terminal's signal on late, so that it looks like another press of the key.

Some pass it on to every process below them, and not to their child alone: the worker then gets a signal
beside that of its guard, and for many a worker the second one ends its tasks.
"""

from __future__ import annotations

import os

from reloader.messages.base import Message

# Their scripts' names. concurrently (lib/command.ts) and nx use tree-kill, npm-run-all (lib/spawn-posix.js)
# and nodemon (lib/monitor/run.js) lists of their own: each lists what descends from its child, and signals
# one after the other.
_SIGNAL_ALL = {
    *("concurrently", "conc", "nx", "nodemon"),
    *("npm-run-all", "npm-run-all2", "run-p", "run-s"),
}
# Others signal their child, some tenths of a second later (0.8 s: poethepoet, shutdown.py).
_SIGNAL_LATE = {"poe"}
# To list the processes takes them some tenths of a second, and longer where the machine is busy.
PATIENCE = 3.0
# So far up one is looked for.
_ANCESTORS = 12
# The program, its interpreter's options, and the script.
_WORDS = 4


class Patience(Message):
    """How long, in seconds, somebody above us may take to pass a signal on; 0 where nobody does."""

    to_us: float = 0.0
    to_all: float = 0.0
    """The worker among them."""


def patience() -> Patience:
    """What is to be expected; nothing where the system does not tell what is above us."""
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
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or the first process of all
    return Patience()
