"""Runs a command and waits for it: `runner.py swallow|forward|die COMMAND...` says what becomes of a signal."""

from __future__ import annotations

import os
import signal
import sys

child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
for number in (signal.SIGINT, signal.SIGTERM):
    if sys.argv[1] == "forward":
        signal.signal(number, lambda number, _: os.kill(child, number))
    elif sys.argv[1] == "swallow":
        signal.signal(number, lambda *_: None)
    else:
        signal.signal(number, signal.SIG_DFL)
_, status = os.waitpid(child, 0)
raise SystemExit(os.waitstatus_to_exitcode(status))
