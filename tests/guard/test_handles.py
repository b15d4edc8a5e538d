"""A signal goes to the process that was meant, and never to a later one that has got its pid."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import pytest
from refusing import lacking

# In a namespace in which nobody else forks, the next process gets the pid that we want. Strangers block what
# they are sent, so that it can be seen.
COMMON = """
import os, signal, sys, threading, time
from reloader.guard import draining
from reloader.guard.system import Handle

TICK = 2 / os.sysconf("SC_CLK_TCK")

def child(is_stranger):
    if is_stranger:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if not pid:
        while is_stranger:
            time.sleep(60)
        while True:
            pass
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return pid

def replaced(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    # Without pidfds a process is known by the tick of the clock in which it began.
    time.sleep(TICK)
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(pid - 1))
    assert child(True) == pid

def pending(pid):
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["SigPnd"], 16) | int(lines["ShdPnd"], 16)

assert os.getpid() == 1
"""
HANDLE = """
pid = child(False)
handle = Handle(pid)
replaced(pid)
assert not handle.is_alive()
assert handle.send(signal.SIGTERM)
"""
# The signal waits for the sleep of a program that is at work; meanwhile it ends.
DRAIN = """
pid = child(False)
order = {"command": [], "words": [], "fronts": [], "shells": [], "target": "leader", "sudo_kill": False}
order["stop_signal"] = int(signal.SIGTERM)
ending = threading.Thread(target=replaced, args=(pid,))
wait, draining.AT_MOST = draining._await_sleep, 60.0

def end_first(processes):
    ending.start()
    ending.join()
    wait(processes)

draining._await_sleep = end_first
drain = draining.Drain(order, [pid], int(signal.SIGTERM))
assert [one.pid for one in drain.selection.targets] == [pid]
assert drain.is_over()
"""
END = "assert pending(pid) == 0, hex(pending(pid))\nos.kill(pid, signal.SIGTERM)\nassert pending(pid)\n"


@pytest.mark.parametrize("without", [(), ("pidfd_open",), ("pidfd_send_signal",)], ids=str)
@pytest.mark.parametrize("case", [HANDLE, DRAIN], ids=["handle", "drain"])
def test_a_pid_that_another_process_has_got(case: str, without: tuple[str, ...]) -> None:
    """Seen to fail with `os.kill` in the handle's place, and with a handle that is opened only to send."""
    launcher = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*launcher, "true"], capture_output=True).returncode:
        pytest.skip("needs the superuser, and namespaces of pids")
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("the next pid cannot be chosen here")
    preexec = lacking(errno.EPERM, *without) if without else None
    code = f"{COMMON}{case}{END}"
    done = subprocess.run(
        [*launcher, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=preexec,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
