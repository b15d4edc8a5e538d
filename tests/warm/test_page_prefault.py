"""The pages that a worker writes to as it starts are copied ahead for the next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from generations import Environment, Start, warmed

# A template and its workers in small: two that write to every fourth page, the second of which has copies.
TEMPLATE = """
import ctypes, json, mmap, os, resource, signal, sys
from reloader.in_worker.page_prefault import PagePrefault

SIZE, COUNT = mmap.PAGESIZE, 400
memory = mmap.mmap(-1, SIZE * COUNT, mmap.MAP_PRIVATE)
memory.write(b"x" * SIZE * COUNT)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
pages = PagePrefault()
waited_for = json.loads(sys.argv[1])

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def worker(ahead):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, os.read(reading, 100)
    if ahead:
        pages.copy()
    before = faults()
    for page in range(0, COUNT, 4):
        memory[page * SIZE] = 1
    os.write(writing, b"%d" % (faults() - before))
    signal.pause()

def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

# Reserved, and never used: 2 GB.
reserved = mmap.mmap(-1, 1 << 31, mmap.MAP_PRIVATE)
first, told = worker(False)
before = faults()
pages.learn(first, lambda: waited_for)
looking = faults() - before
known = {start + offset for start, length in pages.ranges for offset in range(0, length, SIZE)}
end(first)
second, told_then = worker(True)
end(second)
ended, _ = worker(False)
end(ended)
others = PagePrefault()
others.learn(ended, lambda: False)
json.dump({
    "differ": [(start + page * SIZE) in known for page in range(COUNT)],
    "others": len(known),
    "faults": [int(told), int(told_then)],
    "of an ended one": others.ranges,
    "looking": looking,
}, sys.stdout)
"""


def populates() -> bool:
    """Whether the system can copy pages when it is asked to."""
    major, minor = Path("/proc/sys/kernel/osrelease").read_text().split(".")[:2]
    return (int(major), int(minor)) >= (5, 14)


def tried(waited_for: bool) -> dict[str, Any]:
    command = [sys.executable, "-c", TEMPLATE, json.dumps(waited_for)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=-1).stdout)
    return found


def test_what_differs_is_learned_and_copied() -> None:
    """Seen to fail where memory that is only reserved is looked at."""
    found = tried(waited_for=False)
    assert [page for page, differs in enumerate(found["differ"]) if differs] == list(range(0, 400, 4))
    # Besides, the interpreter itself has written to some.
    assert found["others"] < 100 + 300
    assert found["faults"][0] >= 100
    if populates():
        assert found["faults"][1] < 50
    assert found["of an ended one"] == []
    # Of half a million pages that are only reserved.
    assert found["looking"] < 20_000


def test_who_is_waited_for_learns_nothing() -> None:
    found = tried(waited_for=True)
    assert not any(found["differ"])
    assert found["others"] == 0


MANY = """
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
kept = [one for many in lib.MANY for one in many]
print("faults", resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)
"""


@pytest.mark.skipif(not populates(), reason="Linux before 5.14 copies no pages ahead")
@pytest.mark.parametrize("option", ["--no-overlap", "--overlap"])
def test_the_second_warm_start_has_its_pages(tmp_path: Path, start: Start, option: str) -> None:
    """Each object that is referred to is written to, as its references are counted.

    Seen to fail with a template that does not learn, and with `--overlap` where nothing is forked ahead.
    """
    one = Environment(tmp_path)
    # So large that Python 3.12 and later count their references, too.
    one.install(lib="MANY = [[str(number) * 30 for number in range(40_000)]]\n")
    run = one.begin(start, f"import lib{MANY}", option)

    def faults() -> int:
        return int(run.out.wait_for(r"faults (\d+)")[1])

    faults()
    warmed(run)
    found: list[int] = []
    # It learns from the first, unless the next is wanted before.
    while not found or (len(found) < 10 and found[-1] > found[0] / 2):
        assert one.again(run) == "warm"
        found.append(faults())
        run.out.wait_for("ready")
    assert found[0] > 1000
    assert found[-1] < found[0] / 2, found
    assert run.stop() == 0
    run.nothing_is_left()
