"""What everything does that fires by time: it says what it was due for, when it came, and who sent it."""

import os
import time

EVERY = float(os.environ.get("EVERY", 3))
GENERATION = int(os.environ.get("RELOADER_GENERATION", 0))


def tick(due=None, generation=None):
    """Note a firing: what it was due for, where that is known, in seconds since the epoch."""
    line = f"{due or 0} {time.time()} {GENERATION if generation is None else generation}\n"
    fd = os.open(os.environ["NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def dues():
    """The times for which single firings are planned, in seconds since the epoch."""
    began = int(time.time()) + 10
    return [began + place * EVERY for place in range(int(os.environ["TIMES"]))]
