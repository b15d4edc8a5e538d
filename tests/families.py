"""Workers with children of every kind, for tests that nothing of them is left."""

from __future__ import annotations

import sys
from pathlib import Path

from processes import Process

# Begins by saying which processes of the last generation, noted in the file `pids` by pid and start time,
# are still there.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time, task

def stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

def alive(noted):
    pid, began = noted.split()
    try:
        fields = stat(pid)
    except OSError:
        return False
    return fields[19] == began and fields[0] != "Z"

def note(pid):
    with open("pids", "a") as file:
        file.write(f"{pid} {stat(pid)[19]}\\n")

old = pathlib.Path("pids").read_text().splitlines() if os.path.exists("pids") else []
print("still there:", [noted for noted in old if alive(noted)], "of", len(old), flush=True)
open("pids", "w").close()

def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    last()
    print("finished", flush=True)
    sys.exit(0)

def last():
    pass

signal.signal(signal.SIGINT, stop)
note(os.getpid())
"""
CHILD = "import signal, time; {ignore}; time.sleep(600)"
IGNORE = "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]"

# Forks again and again, each process ending as soon as the next one runs.
HOPPER = CHILD.format(ignore=IGNORE).replace(
    "time.sleep(600)",
    """
import os
while True:
    if os.fork():
        os._exit(0)
    time.sleep(0.005)
""",
)

FAMILIES = {
    "alone": "",
    "child": "note(subprocess.Popen([sys.executable, '-c', CHILD]).pid)",
    "deaf child": "note(subprocess.Popen([sys.executable, '-c', DEAF]).pid)",
    "child in its own group": "note(subprocess.Popen([sys.executable, '-c', CHILD], process_group=0).pid)"
    if sys.version_info >= (3, 11)
    else "note(subprocess.Popen([sys.executable, '-c', CHILD], preexec_fn=os.setpgrp).pid)",
    "child in its own session": "note(subprocess.Popen([sys.executable, '-c', CHILD], start_new_session=True).pid)",
    "daemon": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note(os.getpid())
        os.execv(sys.executable, [sys.executable, "-c", DEAF])
    os._exit(0)
os.wait()
while len(open("pids").read().splitlines()) < 2:
    time.sleep(0.01)
""",
    "stopped child": """
child = subprocess.Popen([sys.executable, '-c', CHILD])
note(child.pid)
os.kill(child.pid, signal.SIGSTOP)
""",
    "zombie child": """
zombie = subprocess.Popen([sys.executable, '-c', 'pass'])
note(zombie.pid)
while stat(zombie.pid)[0] != "Z":
    time.sleep(0.01)
""",
    "child of the last moment": """
def last():
    note(subprocess.Popen([sys.executable, '-c', DEAF], start_new_session=True).pid)
""",
    "child that never stays the same": """
note(subprocess.Popen([sys.executable, '-c', HOPPER], start_new_session=True).pid)
""",
    "grandchildren": """
shell = subprocess.Popen(["/bin/sh", "-c", "sleep 600 & sleep 601 & wait"])
note(shell.pid)
children = pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
while len(children.read_text().split()) < 2:
    time.sleep(0.01)
for child in children.read_text().split():
    note(child)
""",
}
REST = """
print("ready", task.VERSION, flush=True)
while True:
    time.sleep(60)
"""


def noted(project: Path) -> list[Process]:
    """The processes that the running generation of a family has noted."""
    lines = (project / "pids").read_text().splitlines()
    return [Process(*map(int, line.split())) for line in lines]


def write_family(project: Path, family: str) -> None:
    deaf = CHILD.format(ignore=IGNORE)
    code = f"HOPPER = {HOPPER!r}\nCHILD = {CHILD.format(ignore='pass')!r}\nDEAF = {deaf!r}\n"
    (project / "worker.py").write_text(FAMILY + code + family + REST)


# Drains until the file `release` exists, and has a child that does not end by itself.
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    while not pathlib.Path("release").exists():
        time.sleep(0.01)
    print("drained", flush=True)
    sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
print("ready", os.getpid(), child.pid, flush=True)
while True:
    time.sleep(60)
"""
