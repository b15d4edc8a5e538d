"""What the system says of processes while they change."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from reloader.guard.system import children_of

# One child of the main thread, and threads that begin and end all the time.
CHURNING = """
import subprocess, sys, threading
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
while True:
    threads = [threading.Thread(target=int) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.skipif(not os.path.exists("/proc/thread-self/children"), reason="children are not listed here")
def test_the_children_of_a_process_whose_threads_end_meanwhile() -> None:
    """Seen to fail where the end of one thread hid the children of all."""
    with subprocess.Popen([sys.executable, "-c", CHURNING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert all(children_of(process.pid) == [child] for _ in range(20_000))
        finally:
            process.kill()
            os.kill(child, 9)


def test_a_process_that_is_gone_has_no_children() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert not children_of(process.pid)
