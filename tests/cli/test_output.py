"""What the worker prints arrives whole, in order, at once, and told apart from our own lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from harness import LIMIT, RELOADER, SLOWDOWN, Run, Stream, eventually, nothing_is_left, save
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
    prefix = r"\x1b\[0;38;5;\d+mjob      \|\x1b\[0m " if coloured else r"job      \| "
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


# --- for machines ---------------------------------------------------------------------------------


def objects(stream: Stream) -> list[dict[str, object]]:
    """Every line of the stream, parsed."""
    return [json.loads(line) for line in bytes(stream.data).split(b"\n")[:-1]]


def test_json_lines(project: Path, start: Start) -> None:
    code = (
        "import os, sys\n"
        'os.write(1, b\'say "hi"\\n\\xff\\x00\\x1b[31m\\n\'); os.write(2, b"to err\\n"); os.write(1, b"no end")'
    )
    run = start(
        "-n",
        "job",
        "--log-format",
        "json",
        "--color",
        "always",
        "--on-exit",
        "quit",
        "--",
        PYTHON,
        "-c",
        code,
    )
    assert run.wait() == 0
    out, err = objects(run.out), objects(run.err)
    assert [(found["text"], found.get("partial")) for found in out] == [
        ('say "hi"', None),
        ("\\xff\0\x1b[31m", None),
        ("no end", True),
    ]
    assert {(found["worker"], found["stream"], found["generation"]) for found in out} == {
        ("job", "stdout", 1)
    }
    moment = datetime.fromisoformat(str(out[0]["time"]))
    assert moment.tzinfo is not None
    assert abs((datetime.now(moment.tzinfo) - moment).total_seconds()) < LIMIT
    assert re.search(r"\.\d\d\d[+-]\d\d:\d\d$", str(out[0]["time"]))
    assert [found["text"] for found in err if found["stream"] == "stderr"] == ["to err"]
    ours = [found for found in err if found["stream"] == "reloader"]
    assert {found["level"] for found in ours} >= {"info", "notice"}
    assert all(found["worker"] == "job" and found["generation"] == 1 for found in ours)


def _has_come(run: Run, text: str) -> bool:
    return text in run.out.text


def test_json_tells_a_restart_and_both_streams_of_one_place(project: Path, start: Start) -> None:
    run = start("--log-format", "json", "--", PYTHON, "worker.py", merged=True)
    for text in ("ready 1", "watching"):
        eventually(partial(_has_come, run, f'"text": "{text}'), text)
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for('"level": "notice", "generation": 1, "text": "task.py changed → draining worker')
    run.out.wait_for('"stream": "stdout", "generation": 2, "text": "ready 2')
    save(project / "task.py", "VERSION = (\n")
    held = run.out.wait_for('"text": "task.py changed, but .*\\\\n.*"}$')
    assert b"SyntaxError" in held[0]
    assert run.stop() == 0
    assert {found["stream"] for found in objects(run.out)} == {"stdout", "reloader"}


def test_a_long_line_is_several_objects(project: Path, start: Start) -> None:
    code = "import sys; sys.stdout.write('é' * 5_000_000 + '\\nshort\\n')"
    run = start("--log-format", "json", "--on-exit", "quit", "-q", "--", PYTHON, "-X", "utf8", "-c", code)
    assert run.wait() == 0
    *pieces, last, short = objects(run.out)
    assert len(pieces) > 10
    assert all(found["partial"] is True for found in pieces)
    assert "partial" not in last
    assert "".join(str(found["text"]) for found in (*pieces, last)) == "é" * 5_000_000
    assert short["text"] == "short"


def test_json_of_a_terminal(project: Path, start: Start) -> None:
    code = "import sys; print(sys.stdout.isatty())"
    command = ("--log-format", "json", "--on-exit", "quit", "--tty", "always", "--", PYTHON, "-c", code)
    run = start(*command)
    assert run.wait() == 0
    assert [(found["stream"], found["text"]) for found in objects(run.out)] == [("terminal", "True")]


# --- below process managers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manager", "arguments"),
    [("honcho", ("start",)), ("foreman", ("start",))],
)
def test_below_a_process_manager_there_is_one_prefix(
    project: Path, tmp_path: Path, manager: str, arguments: tuple[str, ...]
) -> None:
    program = shutil.which(manager, path=os.path.dirname(PYTHON)) or shutil.which(manager)
    if program is None:
        pytest.skip(f"{manager} is not installed")
    (project / "Procfile").write_text(
        f"one: {RELOADER} --on-exit quit -- {PYTHON} -c \"print('from one')\"\n"
        f"two: {RELOADER} --on-exit quit --prefix -n job -- {PYTHON} -c \"print('from two')\"\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | {"MARK": manager}
    for name, line in (("one", r"from one"), ("two", r"job      \| from two")):
        result = subprocess.run(
            [program, *arguments, name],
            cwd=project,
            env=environment,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        shown = result.stdout.decode()
        assert re.search(rf"{name}\.1 *\| {line}\r?$", shown, re.MULTILINE), shown
        assert re.search(rf"{name}\.1 *\| reloader \| ", shown), shown
        nothing_is_left(ProcessTable(manager))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_text_is_ascii(project: Path, start: Start, environment: dict[str, str]) -> None:
    run = start("--", PYTHON, "worker.py", env=environment)
    run.err.wait_for("watching")
    run.out.wait_for("ready 1")
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for("task.py changed -> draining worker")
    assert run.stop() == 0
    assert run.err.text.isascii()
    assert "\x1b" not in run.err.text


# --- every byte -----------------------------------------------------------------------------------


def test_a_colour_that_is_left_open_ends_with_its_line(project: Path, start: Start) -> None:
    code = "import os; os.write(1, b'\\x1b[31mred\\nplain\\n\\x1b[1mbold\\x1b[0m\\n\\x1b[32m no end')"
    run = start("-n", "job", "--on-exit", "quit", "--", PYTHON, "-c", code, merged=True)
    assert run.wait() == 0
    prefix = "job      | "
    worker = "".join(line for line in run.out.text.splitlines(True) if not line.startswith("reloader"))
    assert worker == (
        f"{prefix}\x1b[31mred\x1b[0m\n{prefix}plain\n{prefix}\x1b[1mbold\x1b[0m\n{prefix}\x1b[32m no end\x1b[0m\n"
    )


def test_a_sequence_is_shown_whole_though_it_comes_in_two(project: Path, start: Start) -> None:
    code = (
        "import os, time\n"
        "os.write(1, b'text \\x1b[3'); open('half', 'w').close()\n"
        "while not os.path.exists('go on'): time.sleep(0.01)\n"
        "os.write(1, b'1mred\\n'); time.sleep(60)\n"
    )
    run = start("--color", "never", "--no-prefix", "--", PYTHON, "-c", code, merged=True)
    eventually(lambda: (project / "half").exists(), "the first half is written")
    # A line of ours comes between the halves, and not inside the sequence.
    eventually(lambda: "watching" in run.out.text, "the watch is up")
    eventually(lambda: "text" in run.out.text, "what is whole is shown")
    assert "text \x1b" not in run.out.text
    (project / "go on").touch()
    run.out.wait_for(r"\x1b\[31mred\n")
    assert run.stop() == 0


def test_a_line_of_ten_megabytes_and_bytes_of_any_kind(project: Path, start: Start) -> None:
    code = "import os, sys; sys.stdout.buffer.write(b'x' * 10_000_000 + b'\\n\\0\\xff\\xfe\\n')"
    run = start("-n", "job", "--on-exit", "quit", "--", PYTHON, "-c", code)
    assert run.wait() == 0
    assert bytes(run.out.data) == b"job      | " + b"x" * 10_000_000 + b"\njob      | \0\xff\xfe\n"


def test_what_a_grandchild_prints_and_the_last_words_of_a_killed_worker(project: Path, start: Start) -> None:
    code = (
        "import os, signal, subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'print(\"from the grandchild\")'])\n"
        "os.write(1, b'line\\n' * 5000 + b'last words'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = start("-n", "job", "--on-exit", "quit", "--", PYTHON, "-c", code)
    assert run.wait() == -signal.SIGKILL
    assert run.out.text == "job      | " + "\njob      | ".join(
        ["from the grandchild", *["line"] * 5000, "last words"]
    )


def test_what_is_written_in_one_go_stays_in_one_piece(project: Path, start: Start) -> None:
    """On both streams at once, which lead to one place, with lines of ours coming meanwhile."""
    code = (
        "import os, signal, sys, threading, time, task\n"
        "def tell(fd):\n"
        "    for n in range(40): os.write(fd, b''.join(b'%d %d line %d\\n' % (fd, n, k) for k in range(20)))\n"
        "def stop(*_):\n"
        "    threads = [threading.Thread(target=tell, args=(fd,)) for fd in (1, 2)]\n"
        "    for thread in threads: thread.start()\n"
        "    for thread in threads: thread.join()\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('up', task.VERSION, flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    (project / "worker.py").write_text(code)
    run = start("--", PYTHON, "worker.py", merged=True)
    run.out.wait_for("up 1")
    eventually(lambda: "watching" in run.out.text, "the watch is up")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("up 2")
    assert run.stop() == 0
    for fd in (1, 2):
        for n in range(40):
            piece = "".join(f"worker   | {fd} {n} line {k}\n" for k in range(20))
            assert run.out.text.count(piece) == 2


# --- slow readers and readers that go away --------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--log-format", "json"), ("--timestamps", "--color", "always")])
@pytest.mark.parametrize("line", ["x" * 99, "", "x" * 3_000_000])
def test_memory_is_bounded_while_nobody_reads(
    project: Path, start: Start, options: tuple[str, ...], line: str
) -> None:
    """Measured once with little printed, and again with every buffer full. Signals are heard all the while."""
    (project / "worker.py").write_text(
        "import os, sys, time\n"
        "print('up', flush=True)\n"
        "while not os.path.exists('flood'): time.sleep(0.01)\n"
        f"block = b'{line}\\n' * max(1, 100_000 // {len(line) + 1})\n"
        "while True: os.write(1, block)\n"
    )
    reading, writing = os.pipe()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | {
        "MARK": uuid.uuid4().hex
    }
    process = subprocess.Popen(
        [RELOADER, *options, "--", PYTHON, "worker.py"],
        cwd=project,
        env=environment,
        stdout=writing,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    os.close(writing)
    assert process.stderr is not None
    err = Stream()
    threading.Thread(target=err.read_from, args=(process.stderr.fileno(),), daemon=True).start()
    try:
        err.wait_for("watching")
        assert b"up" in os.read(reading, 1 << 16)
        before = _anonymous(process.pid)
        (project / "flood").touch()
        written = [-1, -2]

        def every_buffer_is_full() -> bool:
            written.append(_written(process.pid))
            return written[-1] > 1000 and len(set(written[-30:])) == 1

        eventually(every_buffer_is_full, "nothing is written any more")
        assert _anonymous(process.pid) - before <= 4096, "kB for one stream"
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        err.wait_for("draining worker")
        # 100 ms are meant; only a bug takes a second.
        assert time.monotonic() - asked < 1.0 * SLOWDOWN
        err.wait_for("worker ended after")
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        process.stderr.close()
        nothing_is_left(ProcessTable(environment["MARK"]))


def _anonymous(pid: int) -> int:
    """The process's own memory, in kB."""
    return int(re.findall(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0])


def test_when_the_reader_of_standard_error_is_gone_all_ends_cleanly(project: Path) -> None:
    (project / "worker.py").write_text(
        "import signal, sys, time\n"
        "def stop(*_):\n    open('drained', 'w').close(); sys.exit()\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "while True:\n    print('tick', file=sys.stderr, flush=True); time.sleep(0.02)\n"
    )
    command = f"'{RELOADER}' -q -- '{PYTHON}' worker.py 2>&1 > out | head -1; echo ${{PIPESTATUS[0]}}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | {
        "MARK": "gone-error-reader"
    }
    result = subprocess.run(
        ["bash", "-c", command], cwd=project, env=environment, capture_output=True, timeout=LIMIT, check=True
    )
    assert result.stdout == b"worker   | tick\n0\n"
    assert result.stderr == b""
    assert (project / "drained").exists()
    nothing_is_left(ProcessTable("gone-error-reader"))


# --- standard input where there is no terminal ----------------------------------------------------


def test_what_is_piped_in_reaches_the_worker(project: Path) -> None:
    command = f"printf 'r\\nq\\nlast' | '{RELOADER}' -q --no-prefix --on-exit quit -- cat"
    result = subprocess.run(
        ["sh", "-c", command], cwd=project, capture_output=True, timeout=LIMIT, check=True
    )
    assert result.stdout == b"r\nq\nlast"


def test_nothing_of_standard_input_is_lost_in_a_restart(project: Path, start: Start) -> None:
    """The worker takes a line at a time; what it has left is there for the next one."""
    (project / "worker.py").write_text(
        "import os, time, task\n"
        "def line():\n"
        "    found = b''\n"
        "    while not found.endswith(b'\\n'): found += os.read(0, 1)\n"
        "    return found.decode().strip()\n"
        "print(task.VERSION, 'got', line(), flush=True)\n"
        "time.sleep(60)\n"
    )
    reading, writing = os.pipe()
    os.write(writing, b"r\nq\n")
    run = start("--", PYTHON, "worker.py", stdin=reading)
    run.out.wait_for("1 got r")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("2 got q")
    assert run.stop() == 0
    os.close(reading)
    os.close(writing)
