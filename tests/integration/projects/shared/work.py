"""What every task does: it says when it began and ended, in lines that are written whole."""

import asyncio
import os
import time


def note(number, what, version):
    generation = os.environ.get("RELOADER_GENERATION", 0)
    line = f"{number} {what} {version} {os.getpid()} {generation}\n"
    fd = os.open(os.environ["NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def work(number, seconds, version):
    """Take so many seconds, those below zero counted from when it is released.

    What cuts it is noted too, where it can be.
    """
    note(number, "began", version)
    try:
        while seconds < 0 and not os.path.exists(f"{os.environ['NOTES']}.{number}"):
            time.sleep(0.02)
        time.sleep(abs(seconds))
    except BaseException as cut:
        note(number, type(cut).__name__, version)
        raise
    note(number, "ended", version)


async def work_async(number, seconds, version):
    """The same for a task that is a coroutine."""
    note(number, "began", version)
    try:
        await asyncio.sleep(seconds)
    except BaseException as cut:
        note(number, type(cut).__name__, version)
        raise
    note(number, "ended", version)
