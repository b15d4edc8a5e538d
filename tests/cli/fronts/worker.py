"""A worker with one task in flight from its start on, which ends a moment after the first stop signal.

It notes what happens to it in the file `notes` beside its folder: a line is VERSION NAME WHAT and more. So does
its helper, a child that no signal is meant for.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from types import FrameType

PLACE = os.path.dirname(os.path.abspath(__file__))
NOTES = os.open(os.path.join(PLACE, "..", "notes"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
NAME = sys.argv[1] if len(sys.argv) > 1 else "worker"
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
Front = tuple[int, str]


def read(path: str) -> str:
    """What the file holds; empty when there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


VERSION = read(os.path.join(PLACE, "task.py")).split()[-1]


def note(name: str, *words: object) -> None:
    """Add one line at once: others write to the same file."""
    os.write(NOTES, (" ".join(map(str, (VERSION, name, *words))) + "\n").encode())


def switches(pid: int) -> str:
    """How often its main thread has gone to sleep; empty once it has ended."""
    lines = read(f"/proc/{pid}/status").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return "" if fields.get("State", "Z").split()[0] in "ZX" else fields["voluntary_ctxt_switches"].strip()


def fronts() -> list[Front]:
    """Who stands between the guard and us, nearest first: pid and name."""
    found: list[Front] = []
    pid = os.getppid()
    while pid > 1:
        before, _, after = read(f"/proc/{pid}/stat").rpartition(")")
        name = before.partition("(")[2].replace(" ", "-")
        if not before or name.startswith("reloader"):
            break
        found.append((pid, name))
        pid = int(after.split()[1])
    return found


def begin_helper() -> int:
    """A child that ends with us, and notes what it hears; the descriptor that keeps it."""
    reading, writing = os.pipe()
    if not os.fork():
        os.close(writing)
        hear(f"{NAME}-helper")
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    return writing


def hear(name: str) -> None:
    """Note every signal that could be meant to stop us, and go on."""

    def heard(number: int, _frame: FrameType | None) -> None:
        note(name, "signal", signal.Signals(number).name)

    for number in HEARD:
        signal.signal(number, heard)


def main() -> None:
    hold = float(read(os.path.join(PLACE, "..", "hold")))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    helper = begin_helper()
    signal.set_wakeup_fd(wake)
    hear(NAME)
    before = fronts()
    for pid, name in before:
        note(NAME, "behind", pid, name)
    print(f"ready {VERSION}", flush=True)
    note(NAME, "begun")
    select.select([woken], [], [])
    until = time.monotonic() + hold
    while (left := until - time.monotonic()) > 0:
        time.sleep(left)
    for pid, name in before:
        note(NAME, "front", pid, name, switches(pid))
    print(f"last words of {VERSION}", flush=True)
    note(NAME, "ended")
    os.close(helper)
    os.wait()


main()
