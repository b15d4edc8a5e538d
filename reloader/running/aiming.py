"""Whom a stop signal is for: the worker, where the first process is only what runs it, or all of the tree.

A shell that waits for a command, `uv run`, `pdm run`, `npm run` or `time` stay in front of the worker. Most
of them do nothing on SIGINT, or end on SIGTERM and leave the worker alone (each was tried); some pass a
signal on. So the signal goes to what they run: once, and whatever they do. A shell gets it as well, since
it would run its next command; unless it has a trap for it, which then is its own way to stop.

A Python program gets it in its sleep. Its handler runs between any two instructions, and what the handler
raises is swallowed in a finaliser or a log handler, or drops the task that was just taken from a queue: rq,
django-tasks-scheduler and huey were seen to do both. In a wait for work or for a child nothing is cut.

It runs in the guard and imports little.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import select
import time

SHELLS = frozenset({"sh", "dash", "bash", "zsh", "ksh", "ash", "busybox"})
# The first line as tried, or relatives of those; the second by what their documentation says.
RUNNERS = frozenset(
    {"uv", "pdm", "hatch", "pipenv", "poetry", "rye", "pixi", "npm", "npx", "yarn", "pnpm", "time"}
    | {"dotenv", "dotenvx", "doppler", "op", "infisical", "aws-vault", "chamber", "teller", "direnv"}
)
# A program sleeps when its main thread was not woken up for so long, in seconds: longer than an answer of a
# broker takes that is on its way.
STEADY = 0.005
# A program that is at work all the time gets the signal then.
AT_MOST = 0.2
# It has ended, or is stopped: there is nothing to wait for.
ENDED = "ended"


def aim(leader: int, target: str, number: int) -> list[int]:
    """The pids that the signal is for; `target` is the value of a StopTarget."""
    if target == "worker":
        return _through(leader, number)
    found = [leader]
    for pid in found if target == "tree" else ():
        found += _children_of(pid)
    return found


def send(pids: list[int], number: int) -> None:
    """Send the signal to each once it sleeps, and SIGCONT after it: a stopped process would not handle it."""
    _await_sleep(pids)
    for pid in pids:
        for one in (number, signal.SIGCONT):
            try:
                os.kill(pid, one)
            except OSError:
                pass  # it has ended, or become another user's


def watch(pids: list[int]) -> list[int]:
    """Descriptors by which `drop_ended` knows these processes again, where the system has such."""
    found = []
    for pid in pids if hasattr(os, "pidfd_open") else ():
        try:
            found.append(os.pidfd_open(pid))
        except OSError:
            pass  # it has ended
    return found


def drop_ended(watched: list[int]) -> list[int]:
    """The descriptors of those that have not ended; the others are closed."""
    poll = select.poll()
    for fd in watched:
        poll.register(fd, select.POLLIN)
    ended = {fd for fd, _ in poll.poll(0)}
    for fd in ended:
        os.close(fd)
    return [fd for fd in watched if fd not in ended]


def _await_sleep(pids: list[int]) -> None:
    """Return once the main thread of each Python program sleeps, at the latest after AT_MOST seconds."""
    until = time.monotonic() + AT_MOST
    sleeps = {pid: "" for pid in pids if any(name.startswith(("python", "pypy")) for name in _names_of(pid))}
    while True:
        for pid, before in list(sleeps.items()):
            sleeps[pid] = _sleep_of(pid)
            if sleeps[pid] == ENDED or (before and sleeps[pid] == before):
                del sleeps[pid]
        if not sleeps or time.monotonic() >= until:
            return
        time.sleep(STEADY)


def _through(pid: int, number: int) -> list[int]:
    children = _children_of(pid)
    names = _names_of(pid)
    if not children or names.isdisjoint(SHELLS | RUNNERS):
        return [pid]
    below = [found for child in children for found in _through(child, number)]
    if names.isdisjoint(SHELLS):
        return below
    # SIGINT is caught by a shell that waits for a command, whether it has a trap or not.
    has_trap = number != signal.SIGINT and _catches(pid, number)
    return [pid] if has_trap else [pid, *below]


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += map(int, file.read().split())
    except (OSError, ValueError):
        pass  # it has ended, or the system does not tell
    return children


def _names_of(pid: int) -> set[str]:
    """The program, what it calls itself, and the script that it interprets."""
    names = set()
    try:
        names.add(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            names.add(file.read().split(" ")[0].strip())
    except OSError:
        pass
    return names


def _sleep_of(pid: int) -> str:
    """By what its main thread's present sleep is told from others; empty while it is at work."""
    state = times = ""
    try:
        with open(f"/proc/{pid}/task/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("State:"):
                    state = line.split()[1]
                elif line.startswith("voluntary_ctxt_switches:"):
                    times = line.split()[1]
    except OSError:
        return ENDED  # or the system does not tell
    return times if state == "S" else "" if state in "RD" else ENDED


def _catches(pid: int, number: int) -> bool:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    except (OSError, ValueError):
        pass
    return False
