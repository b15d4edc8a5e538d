"""Processes to fall back on, as one tells the other: real forks, in a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Goes through the words of its command line: `ok` is done, `bad` is at fault, `die` ends it.
PROGRAM = """
import json, os, sys
from reloader.in_worker.checkpoints import Checkpoints

first = os.getpid()
points = Checkpoints()
refused, done, verdicts = [], [], []

def checkpoint():
    while True:
        verdict = points.fork()
        done.clear()
        if verdict is None:
            return
        verdicts.append((verdict.begun, verdict.done, verdict.left_out))
        refused.extend(verdict.begun[-1:] if verdict.left_out is None else verdict.left_out)

checkpoint()
for word in sys.argv[1:]:
    if word in refused:
        continue
    if word.startswith("point"):
        checkpoint()
        continue
    points.begin(word)
    if word.startswith("die"):
        os._exit(3)
    if word.startswith("bad"):
        points.give_up(done, {word: "it is bad"})
    done.append(word)
points.finish()
print(json.dumps([refused, verdicts, os.getpid() == first]), flush=True)
sys.stdin.read()
"""


class Forking:
    """The program, once its last process tells what it knows."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        told: list[Any] = json.loads(line)
        self.refused, self.verdicts, self.is_first = told

    def end(self) -> int:
        """Let the last process end; the exit status of the first."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(15)


@pytest.mark.parametrize(
    ("words", "refused", "verdicts"),
    [
        ([], [], []),
        (["ok1", "ok2"], [], []),
        (["ok1", "point", "ok2", "point", "ok3"], [], []),
        (["ok1", "bad", "ok2"], ["bad"], [[["ok1", "bad"], ["ok1"], {"bad": "it is bad"}]]),
        (["ok1", "die", "ok2"], ["die"], [[["ok1", "die"], ["ok1"], None]]),
        (
            ["bad1", "point1", "ok", "die", "point2", "bad2"],
            ["bad1", "die", "bad2"],
            [[["bad2"], [], {"bad2": "it is bad"}]],
        ),
    ],
)
def test_what_is_at_fault_is_left_out_and_all_else_is_done(
    words: list[str], refused: list[str], verdicts: list[Any]
) -> None:
    forking = Forking(*words)
    assert forking.refused == refused
    if len(verdicts) == len(refused):
        assert forking.verdicts == verdicts
    assert not forking.is_first
    assert forking.process.poll() is None, "the first process stays while the last one does"
    assert forking.end() == 0


def test_a_last_process_that_is_killed_lets_the_first_one_end() -> None:
    forking = Forking("ok", "point", "ok")
    children = Path(f"/proc/{forking.process.pid}/task/{forking.process.pid}/children").read_text().split()
    assert forking.process.poll() is None
    # The one between has ended.
    assert len(children) <= 1
    assert forking.end() == 0
