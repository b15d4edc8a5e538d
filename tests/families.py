"""Workers with children of every kind, for tests that nothing of them is left."""

from __future__ import annotations

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

def wait_for(file):
    while not os.path.exists(file):
        time.sleep(0.01)

def begin(code, *arguments, **options):
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], **options)
    note(child.pid)
    wait_for(f"up-{child.pid}")
    return child

signal.signal(signal.SIGINT, stop)
note(os.getpid())
"""
# Says that it is up, and notes that it was asked to end, in files.
CHILD = """
import os, signal, time
def stop(number, frame):
    open(f"gentle-{os.getpid()}", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
open(f"up-{os.getpid()}", "w").close()
time.sleep(600)
"""
DEAF = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
open(f"up-{os.getpid()}", "w").close()
time.sleep(600)
"""
# Has a child that is not deaf, and goes on before that has ended.
DEAF_PARENT = DEAF.replace(
    "open(", "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', sys.argv[1]])\nopen("
)

# Forks again and again, each process ending as soon as the next one runs.
HOPPER = DEAF.replace(
    "time.sleep(600)",
    """
while True:
    if os.fork():
        os._exit(0)
""",
)

FAMILIES = {
    "alone": "",
    "child": "begin(CHILD)",
    "deaf child": "begin(DEAF)",
    "child in its own group": "begin(CHILD, preexec_fn=os.setpgrp)",
    "child in its own session": "begin(CHILD, start_new_session=True)",
    "child of a deaf child": """
deaf = begin(DEAF_PARENT, CHILD)
children = pathlib.Path(f"/proc/{deaf.pid}/task/{deaf.pid}/children")
(child,) = children.read_text().split()
note(child)
wait_for(f"up-{child}")
""",
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
wait_for("up-" + open("pids").read().splitlines()[1].split()[0])
""",
    "stopped child": """
os.kill(begin(CHILD).pid, signal.SIGSTOP)
""",
    "zombie child": """
zombie = subprocess.Popen([sys.executable, '-c', 'pass'])
note(zombie.pid)
while stat(zombie.pid)[0] != "Z":
    time.sleep(0.01)
""",
    "child of the last moment": """
def last():
    begin(DEAF, start_new_session=True)
""",
    "child that never stays the same": """
note(subprocess.Popen([sys.executable, '-c', HOPPER], start_new_session=True).pid)
wait_for(f"up-{open('pids').read().splitlines()[1].split()[0]}")
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
    file = project / "pids"
    lines = file.read_text().splitlines() if file.exists() else []
    return [Process(*map(int, line.split())) for line in lines]


# In these, one process does what it is asked to: it has its moment, and need not be killed.
GENTLE = {family for family, code in FAMILIES.items() if "CHILD" in code}


def asked_to_end(project: Path) -> int:
    """How many processes were asked to end, and did."""
    return len(list(project.glob("gentle-*")))


def write_family(project: Path, family: str) -> None:
    code = f"HOPPER = {HOPPER!r}\nCHILD = {CHILD!r}\nDEAF = {DEAF!r}\nDEAF_PARENT = {DEAF_PARENT!r}\n"
    (project / "worker.py").write_text(FAMILY + code + family + REST)


# Drains until the file `release` exists, and has a child that does not end by itself, and tells of a signal
# that was meant for its parent. Its signals are noted
# in the file `signals`, and its end in `drained`, for whoever cannot read what it prints.
STUBBORN = '''
import os, pathlib, signal, subprocess, sys, time
CHILD = """
import signal, time
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: print("child got", signal.Signals(number).name, flush=True))
open("child", "w").close()
while True:
    time.sleep(60)
"""
child = subprocess.Popen([sys.executable, "-c", CHILD])
while not os.path.exists("child"):
    time.sleep(0.01)
os.unlink("child")
def stop(number, frame):
    with open("signals", "a") as file:
        file.write(signal.Signals(number).name + " ")
    print("got", signal.Signals(number).name, flush=True)
    while not pathlib.Path("release").exists():
        time.sleep(0.01)
    pathlib.Path("drained").touch()
    print("drained", flush=True)
    sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
print("ready", os.getpid(), child.pid, flush=True)
while True:
    time.sleep(60)
'''
