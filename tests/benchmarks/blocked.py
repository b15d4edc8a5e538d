"""While nobody reads what the worker prints: how soon it has its stop signal, at a save and at Ctrl-C."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from measure import CALM, Sample, pause
from peers import PYTHON, environment, program
from playground import LIMIT, Late
from report import QUIET, against

# Prints without end; notes its pid, and when it was told to stop by CLOCK_MONOTONIC.
WORKER = """\
import os
import signal
import time


def note(name, value):
    with open(name + ".new", "w") as file:
        file.write(str(value))
    os.rename(name + ".new", name)


def stop(number, frame):
    note("stopped", time.monotonic_ns())
    os._exit(0)


signal.signal(signal.SIGINT, stop)
note("up", os.getpid())
block = (b"x" * 98 + b"#\\n") * 500
while True:
    os.write(1, block)
"""
# So many saves come before Ctrl-C.
SAVES = 4
# A worker that has not run for so long, in seconds, waits for its reader.
STILL = 0.2


def blocked(base: Path, rounds: int, report: Callable[[str], None]) -> tuple[Sample, Sample]:
    """From before a save and from before the signal until the worker's handler is entered. Raises Late."""
    save, interrupt = Sample(), Sample()
    folder = base / "blocked"
    folder.mkdir()
    (folder / "worker.py").write_text(WORKER)
    for number in range(1, rounds + 1):
        report(f"nobody reads {number} of {rounds}")
        _round(folder, save, interrupt)
    return save, interrupt


def _round(folder: Path, save: Sample, interrupt: Sample) -> None:
    reading, writing = os.pipe()
    reloader = program("reloader")
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [*((reloader,) if reloader else (PYTHON, "-m", "reloader")), "--", PYTHON, "worker.py"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=err,
            start_new_session=True,
        )
    try:
        _wait(lambda: b"watching" in (folder / "err").read_bytes(), "reloader watches")
        for _ in range(SAVES):
            _await_standstill(folder, writing)
            began = time.monotonic_ns()
            (folder / "task.py").write_text(f"VERSION = {began}\n")
            save.add(_stopped(folder) - began)
        _await_standstill(folder, writing)
        began = time.monotonic_ns()
        process.send_signal(signal.SIGINT)
        interrupt.add(_stopped(folder) - began)
    finally:
        os.close(reading)
        os.close(writing)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_standstill(folder: Path, writing: int) -> None:
    """Return at some moment after everybody waits for the reader."""
    _wait((folder / "up").exists, "the worker is up")
    pid = int((folder / "up").read_text())
    (folder / "up").unlink()
    _wait(lambda: not select.select((), (writing,), (), 0)[1], "the pipe is full")
    runs, since = _runs(pid), time.monotonic()

    def is_still() -> bool:
        nonlocal runs, since
        before, runs = runs, _runs(pid)
        if runs != before:
            since = time.monotonic()
        return time.monotonic() - since > STILL

    _wait(is_still, "the worker waits")
    time.sleep(CALM)
    pause()


def _runs(pid: int) -> list[str]:
    """How often the process has stopped running, of itself or not, by proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return [line for line in lines if "ctxt_switches" in line]


def _stopped(folder: Path) -> int:
    _wait((folder / "stopped").exists, "the worker has its stop signal")
    when = int((folder / "stopped").read_text())
    (folder / "stopped").unlink()
    return when


def _wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise Late(f"nobody reads, and never: {what}")
        time.sleep(0.005)


def section(save: Sample, interrupt: Sample, load: float) -> list[str]:
    """What the page tells of it; `load` is the machine's load average when it began."""
    beyond = save.beyond(QUIET)
    return [
        "## While nobody reads",
        "",
        "The worker prints without end into a pipe that nobody reads, and waits. The time is that from before a save,"
        f" of which the quiet period of {QUIET:g} ms is taken off, or from before SIGINT, until the worker's handler"
        f" is entered. {len(interrupt.values)} runs, with {SAVES} saves each before the signal.",
        f"Measured in one run on {time.strftime('%Y-%m-%d')}, on {len(os.sched_getaffinity(0))} CPUs, load"
        f" average {load:.2f} when it began.",
        "",
        "| reloader | measured | target | |",
        "| --- | ---: | ---: | --- |",
        against("SIGINT, median", interrupt.median, 100, "ms"),
        against("SIGINT, p95", interrupt.p95, 100, "ms"),
        against("save, median", beyond.median, 100, "ms"),
        against("save, p95", beyond.p95, 100, "ms"),
        "",
    ]
