"""A filter of a pipeline that passes on what comes, and notes the signals that it gets and the end of its input."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

NOTES = os.open("../notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
version = "0"


def note(*words: str) -> None:
    os.write(NOTES, " ".join((version, "filter", *words, "\n")).encode())


def heard(number: int, _frame: FrameType | None) -> None:
    note("signal", signal.Signals(number).name)


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, heard)
for line in sys.stdin:
    if line.startswith(("ready ", "last words of ")):
        version = line.split()[-1]
    print(line, end="", flush=True)
note("ended")
