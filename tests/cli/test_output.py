"""What the worker prints arrives whole, in order, at once, and told apart from our own lines."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import LIMIT, RELOADER, Run, Stream, eventually, nothing_is_left, save
from processes import ProcessTable

Start = Callable[..., Run]
PYTHON = sys.executable

FLOOD = """
import sys
for block in range(200):
    sys.stdout.write("".join(f"line {block * 1000 + i} {'x' * 80}\\n" for i in range(1000)))
sys.stdout.flush()
print("done", file=sys.stderr, flush=True)
"""


def test_two_hundred_thousand_lines_arrive_whole_and_in_order(project: Path, start: Start) -> None:
    (project / "worker.py").write_text(FLOOD)
    run = start("--on-exit", "quit", "--", PYTHON, "worker.py")
    assert run.wait() == 0
    lines = bytes(run.out.data).split(b"\n")
    assert lines == [b"worker   | line %d %s" % (i, b"x" * 80) for i in range(200_000)] + [b""]


def test_any_bytes_pass_unchanged_without_a_prefix(project: Path, start: Start) -> None:
    data = (
        bytes(range(256)) * 5000 + b"\r\n\r\x1b[31m" + b"long" * 1_000_000 + b"\xff\x00 no newline at the end"
    )
    (project / "data.bin").write_bytes(data)
    run = start("--no-prefix", "--on-exit", "quit", "--", "cat", "data.bin")
    assert run.wait() == 0
    assert bytes(run.out.data) == data


def test_both_streams_stay_apart(project: Path, start: Start) -> None:
    code = "import sys; print('to out'); print('to err', file=sys.stderr)"
    run = start("-n", "job", "--on-exit", "quit", "--", PYTHON, "-c", code)
    assert run.wait() == 0
    assert run.out.text == "job      | to out\n"
    assert "job      | to err\n" in run.err.text
    assert "to out" not in run.err.text


def test_streams_that_lead_to_one_place_keep_their_order(project: Path, start: Start) -> None:
    code = "import os\nfor i in range(500): os.write(1 + i % 2, b'%d\\n' % i)"
    run = start("--on-exit", "quit", "-q", "--", PYTHON, "-c", code, merged=True)
    assert run.wait() == 0
    assert re.findall(r"\| (\d+)\n", run.out.text) == [str(i) for i in range(500)]


def test_an_unfinished_line_is_shown_soon(project: Path, start: Start) -> None:
    code = "import time; print('working', end='', flush=True); time.sleep(60)"
    run = start("--", PYTHON, "-c", code)
    run.out.wait_for(r"\| working\Z")
    assert run.stop() == 0


def test_dots_that_never_pause_are_shown_as_they_come(project: Path, start: Start) -> None:
    code = "import time\nfor i in range(1000): print('.', end='', flush=True); time.sleep(0.02)"
    run = start("--", PYTHON, "-c", code)
    run.out.wait_for(r"\| \.+\Z", limit=5)
    assert run.stop() == 0


def test_a_line_of_ours_never_lands_inside_an_unfinished_one(project: Path, start: Start) -> None:
    worker = (
        (project / "worker.py").read_text().replace("flush=True)\nwhile", 'end=" half", flush=True)\nwhile')
    )
    (project / "worker.py").write_text(worker)
    run = start("--", PYTHON, "worker.py", merged=True)
    run.out.wait_for("half")
    eventually(lambda: "watching" in run.out.text, "the watch is up")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    for line in run.out.text.splitlines():
        assert re.match(r"(reloader|worker  ) \| ", line), line
        assert line.count(" | ") == 1, line


def test_timestamps(project: Path, start: Start) -> None:
    run = start("--timestamps", "--on-exit", "quit", "--", PYTHON, "-c", "print('a\\nb')")
    assert run.wait() == 0
    stamp = r"\d\d:\d\d:\d\d\.\d\d\d"
    assert re.fullmatch(rf"{stamp} python3?(\.\d+)? +\| a\n{stamp} python\S* +\| b\n", run.out.text)
    assert re.match(rf"{stamp} reloader", run.err.text)


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_when_they_are_wanted(
    project: Path, start: Start, arguments: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    code = "print('\\x1b[31mred\\x1b[0m')"
    command = ("-n", "job", "--on-exit", "quit", "--", PYTHON, "-c", code)
    run = start(*arguments, *command, env=environment)
    assert run.wait() == 0
    prefix = r"\x1b\[0;\d\dmjob      \|\x1b\[0m " if coloured else r"job      \| "
    assert re.fullmatch(prefix + r"\x1b\[31mred\x1b\[0m\n", run.out.text), (
        "the worker's own colours always pass"
    )
    assert ("\x1b" in run.err.text) is coloured


def test_what_a_restart_says(project: Path, start: Start) -> None:
    run = start("--ready", "^ready", "--", PYTHON, "worker.py")
    run.err.wait_for(r"^reloader \| watching \. \(2 files in 1 folder\)$")
    eventually(lambda: "ready in" in run.err.text, "the first start is told")
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for(r"^reloader \| task\.py changed → draining worker \(pid \d+\)$")
    run.err.wait_for(
        r"^reloader \| ready in \d\.\d\d s \(detect \d\.\d\d, drain \d\.\d\d, start \d\.\d\d(, warm|, cold: .*)?\)$"
    )
    assert run.stop() == 0


def test_quiet_says_only_what_matters_and_the_worker_everything(project: Path, start: Start) -> None:
    run = start("-q", "--", PYTHON, "worker.py")
    run.out.wait_for("ready 1")
    # Whether the watch is up already is not told; a change since the start is found in either case.
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    run.err.wait_for("task.py changed → draining")
    assert run.stop() == 0
    assert "watching" not in run.err.text
    assert "started" not in run.err.text


def test_a_reader_that_does_not_read_holds_up_no_reload_and_no_end(project: Path) -> None:
    """The worker's output fills every buffer; changes, drains and Ctrl-C go on, and no byte is lost."""
    (project / "worker.py").write_text(
        "import signal, sys, os, task\n"
        "stopping = []\n"
        "signal.signal(signal.SIGINT, lambda *_: stopping.append(1))\n"
        "open(f'began-{task.VERSION}', 'w').close()\n"
        "i = 0\n"
        "while not stopping:\n"
        "    try:\n"
        "        os.write(1, b'%d %06d\\n' % (task.VERSION, i)); i += 1\n"
        "    except InterruptedError:\n"
        "        pass\n"
        "os.write(1, b'last of %d is %d\\n' % (task.VERSION, i - 1))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | {
        "MARK": "slow-reader"
    }
    reading, writing = os.pipe()
    err = Stream()
    process = subprocess.Popen(
        [RELOADER, "-t", "500ms", "--no-prefix", "--", PYTHON, "worker.py"],
        cwd=project,
        env=environment,
        stdout=writing,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    os.close(writing)
    assert process.stderr is not None
    threading.Thread(target=err.read_from, args=(process.stderr.fileno(),), daemon=True).start()
    try:
        err.wait_for("watching")
        # Nobody reads: the worker hangs in write, cannot drain, and must be killed for the new one.
        written = [-1, -2]

        def every_buffer_is_full() -> bool:
            written.append(_written(process.pid))
            return len(set(written[-20:])) == 1

        eventually(every_buffer_is_full, "nothing is written any more")
        save(project / "task.py", "VERSION = 2\n")
        err.wait_for("task.py changed → draining")
        eventually(lambda: (project / "began-2").exists(), "the new worker runs though nothing is read")
        process.send_signal(signal.SIGINT)
        err.wait_for("draining worker")
        out = Stream()
        while not out.ended:
            out.read_once(reading)
        assert process.wait(LIMIT) in (0, 1)
        numbers = [line.split() for line in out.text.splitlines() if not line.startswith("last")]
        for version in ("1", "2"):
            mine = [int(row[1]) for row in numbers if row[0] == version]
            assert mine == list(range(len(mine))), "lines were lost or changed"
        nothing_is_left(ProcessTable("slow-reader"))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()
        os.close(reading)


def _written(pid: int) -> int:
    """How many bytes the process has written so far."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(re.findall(r"wchar: (\d+)", text)[0])


def test_when_the_reader_is_gone_all_ends_cleanly(project: Path) -> None:
    (project / "worker.py").write_text(
        "import signal, sys, time\n"
        "def stop(*_):\n    open('drained', 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "while True:\n    print('tick', flush=True); time.sleep(0.02)\n"
    )
    command = f"'{RELOADER}' -- '{PYTHON}' worker.py 2> err | head -1; echo ${{PIPESTATUS[0]}}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | {
        "MARK": "gone-reader"
    }
    result = subprocess.run(
        ["bash", "-c", command], cwd=project, env=environment, capture_output=True, timeout=LIMIT, check=True
    )
    assert result.stdout == b"worker   | tick\n0\n"
    assert (project / "drained").exists()
    assert "Traceback" not in (project / "err").read_text()
    nothing_is_left(ProcessTable("gone-reader"))


def test_a_progress_bar_keeps_its_line(project: Path, start: Start) -> None:
    code = "import sys\nfor i in range(3): sys.stdout.write(f'\\r{i} %'); sys.stdout.flush()\nprint()"
    run = start("-n", "bar", "--on-exit", "quit", "--", PYTHON, "-c", code)
    assert run.wait() == 0
    assert bytes(run.out.data) == b"bar      | \r0 %\r1 %\r2 %\n"
