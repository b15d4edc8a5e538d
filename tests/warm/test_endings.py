"""A warm worker ends as a cold one does: the same status, the same last words, the same functions at exit."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from generations import PYTHON, Start, next_start, warmed, write

WORKER = """
import atexit, os, signal, sys, threading, time
import json, logging, concurrent.futures
import work

atexit.register(print, "first registered", flush=True)
atexit.register(lambda: print("last registered", flush=True))
print("ready", os.environ["RELOADER_GENERATION"], flush=True)
while os.environ["RELOADER_GENERATION"] == "2" and not os.path.exists("go"):
    time.sleep(0.01)
try:
    work.end()
finally:
    print("finally", flush=True)
"""
WAITS = "import time\ndef end():\n    print('in it', flush=True)\n    while True: time.sleep(60)\n"
ENDINGS = {
    "returns": "def end(): pass",
    "exit 3": "import sys\ndef end(): sys.exit(3)",
    "exit with words": "import sys\ndef end(): sys.exit('these words')",
    "at once": "import os\ndef end(): os._exit(7)",
    "exception": "def end():\n    try:\n        {}['key']\n    except KeyError as error:\n        raise ValueError('bad') from error",
    "group": "def end(): raise RecursionError('deep')",
    "in a thread": "import threading\ndef end():\n    one = threading.Thread(target=lambda: 1 / 0, name='one')\n    one.start()\n    one.join()",
    "a thread that goes on": "import threading, time\ndef end():\n    threading.Thread(target=lambda: (time.sleep(0.2), print('thread', flush=True))).start()",
    "signal": "import os, signal\ndef end():\n    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n    os.kill(os.getpid(), signal.SIGTERM)",
    "abort": "import os\ndef end(): os.abort()",
    "interrupted": "import signal\ndef end(): signal.raise_signal(signal.SIGINT)",
    "broken stdout": "import os, sys\ndef end():\n    print('lost')\n    os.close(1)",
    "pools": "import concurrent.futures, multiprocessing\nFORK = multiprocessing.get_context('fork')\ndef end():\n    with concurrent.futures.ProcessPoolExecutor(2, FORK) as pool:\n        print(sorted(pool.map(abs, range(-3, 1))))",
    "forks": "import os\ndef end():\n    pid = os.fork()\n    if pid: os.waitpid(pid, 0)",
}


@pytest.mark.parametrize("case", ENDINGS)
def test_a_warm_worker_ends_as_a_cold_one(tmp_path: Path, start: Start, case: str) -> None:
    told = []
    write(tmp_path / "worker.py", WORKER)
    for option in ("--cold", "--warm"):
        write(tmp_path / "work.py", WAITS)
        (tmp_path / "go").unlink(missing_ok=True)
        run = start(
            "-v",
            option,
            "--ready",
            "^ready",
            "--",
            PYTHON,
            "worker.py",
            env={"XDG_CACHE_HOME": str(tmp_path)},
        )
        run.out.wait_for("ready 1")
        run.err.wait_for("watching")
        if option == "--warm":
            warmed(run)
        assert next_start(run, tmp_path / "work.py", ENDINGS[case] + "\n") == (
            "warm" if option == "--warm" else ""
        )
        run.out.wait_for("ready 2")
        seen = len(run.out.text), len(run.err.text)
        (tmp_path / "go").touch()
        ended = run.err.wait_for(r"^reloader \| worker (exited|crashed|ended|was|died|finished|stopped).*$")[
            0
        ]
        run.stop()
        told.append(
            (
                _last_words(run.out.text[seen[0] :]),
                _last_words(run.err.text[seen[1] :]),
                _plain(ended.decode()),
            )
        )
    assert told[0] == told[1]


def _plain(text: str) -> str:
    return re.sub(r"\d+\.\d+ s|pid \d+|0x[0-9a-f]+", "...", text)


def _last_words(text: str) -> list[str]:
    return [_plain(line) for line in text.splitlines() if line.startswith("worker ")]


def test_the_stop_signal_interrupts_a_warm_worker_as_a_cold_one(tmp_path: Path, start: Start) -> None:
    told = []
    write(tmp_path / "worker.py", WORKER)
    for option in ("--cold", "--warm"):
        write(tmp_path / "work.py", WAITS)
        (tmp_path / "go").unlink(missing_ok=True)
        run = start(
            "-v",
            option,
            "--ready",
            "^ready",
            "--",
            PYTHON,
            "worker.py",
            env={"XDG_CACHE_HOME": str(tmp_path)},
        )
        run.out.wait_for("ready 1")
        run.err.wait_for("watching")
        if option == "--warm":
            warmed(run)
        how = next_start(run, tmp_path / "work.py", WAITS + "# \nX = 1\n")
        assert how == ("warm" if option == "--warm" else "")
        run.out.wait_for("ready 2")
        seen = len(run.out.text), len(run.err.text)
        (tmp_path / "go").touch()
        run.out.wait_for("in it")
        run.stop(signal.SIGTERM)
        told.append((_last_words(run.out.text[seen[0] :]), _last_words(run.err.text[seen[1] :])))
    assert told[0] == told[1]
    assert "KeyboardInterrupt" in "".join(told[1][1])
    assert "last registered" in "".join(told[1][0])
