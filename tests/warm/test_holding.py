"""Everything else holds for a warm worker: it drains, is killed, paused and guarded, and knows no template."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import WORKER
from families import STUBBORN
from generations import PYTHON, Start, next_start, warmed
from harness import LIMIT, RELOADER, Run, eventually, save, settle, template_of
from processes import status_of
from terminal import Terminal

IMPORTS = "import json, email.message, http.client, concurrent.futures, logging, decimal, select, colorsys\n"


def in_second(project: Path, start: Start, text: str, *options: str) -> Run:
    """A run whose second generation is warm and ready, of this worker."""
    (project / "worker.py").write_text(IMPORTS + text)
    run = start("-v", *options, "--", PYTHON, "worker.py", env={"XDG_CACHE_HOME": str(project / ".cache")})
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    warmed(run)
    if text is STUBBORN:
        (project / "release").touch()
    assert next_start(run, project / "task.py", "VERSION = 2\n") == "warm"
    (project / "release").unlink(missing_ok=True)
    run.out.wait_for("ready")
    return run


@pytest.mark.parametrize("how", ["killed", "killed while it is paused"])
def test_a_running_worker_does_not_notice_the_end_of_the_template(
    project: Path, start: Start, how: str
) -> None:
    run = in_second(project, start, WORKER)
    template, guard = template_of(run), run.guard()
    workers = set(run.workers()) - {template}
    if how != "killed":
        os.kill(template, signal.SIGSTOP)
    os.kill(template, signal.SIGKILL)
    eventually(
        lambda: (status := status_of(template)) is None or status.state == "Z", "the template has ended"
    )
    settle(run, project / "task.py")
    assert run.guard() == guard
    assert set(run.workers()) - {template} == workers
    assert next_start(run, project / "task.py", "VERSION = 3\n") == "the template has ended"
    run.out.wait_for("ready 3")
    assert run.stop() == 0


def test_a_warm_task_in_flight_ends_when_the_supervisor_is_killed(project: Path, start: Start) -> None:
    run = in_second(project, start, STUBBORN)
    seen = run.out.text.count("got")
    run.kill()
    run.err.wait_for("reloader itself was killed; draining worker")
    run.out.wait_for("got SIGINT")
    eventually(lambda: "preloaded" in run.err.text, "told")
    (project / "release").touch()
    run.out.wait_for("drained")
    run.nothing_is_left()
    assert run.out.text.count("got") == seen + 1


def test_a_warm_worker_whose_guard_is_killed_drains(project: Path, start: Start) -> None:
    run = in_second(project, start, WORKER)
    guard = run.guard()
    assert guard is not None
    os.kill(guard, signal.SIGKILL)
    run.out.wait_for("got SIGINT")
    run.stop()
    run.nothing_is_left()


def test_a_warm_worker_that_does_not_end_is_killed_with_its_tree(project: Path, start: Start) -> None:
    run = in_second(project, start, STUBBORN, "-t", "300ms")
    run.send(signal.SIGINT)
    run.err.wait_for("SIGKILL to its whole process tree")
    run.wait()
    run.nothing_is_left()


def test_an_idle_template_holds_nothing_and_needs_no_processor(project: Path, start: Start) -> None:
    run = in_second(project, start, WORKER, "--ready", "^ready")
    template = template_of(run)

    def switches() -> int:
        status = Path(f"/proc/{template}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)

    def stands_still(seconds: float) -> bool:
        before = switches()
        time.sleep(seconds)
        return switches() == before

    eventually(lambda: stands_still(0.5), "it has looked at the worker's memory")
    # A heartbeat of any kind would be seen in this time.
    assert stands_still(1.5)
    names = [os.readlink(f"/proc/{template}/fd/{fd}") for fd in os.listdir(f"/proc/{template}/fd")]
    # Newer ones of libffi keep their own file open for ctypes.
    kinds = sorted(name.split(":")[0] for name in names if "/libffi.so" not in name)
    # One pipe's both ends for what is printed, our socket, and inotify.
    assert kinds == ["/dev/null", "anon_inode", "pipe", "pipe", "socket"]
    policy = os.sched_getscheduler(template)
    assert policy == os.SCHED_OTHER


SLOW = """
import os, sys, time
if "work" not in sys.modules:
    open("building", "w").close()
    while not os.path.exists("built"):
        time.sleep(0.01)
"""


def test_a_save_while_the_template_is_built_starts_cold_at_once(project: Path, start: Start) -> None:
    """And the template is finished after it, when the worker is ready."""
    environment = project / ".venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", environment], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "slow.py").write_text(SLOW)
    (site / "after.py").write_text("")
    (project / "work.py").write_text("")
    (project / "worker.py").write_text("import work, slow, after, colorsys\n" + WORKER)
    python = str(environment / "bin" / "python")
    run = start("-v", "--", python, "worker.py", env={"XDG_CACHE_HOME": str(project / ".cache")})
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    eventually((project / "building").exists, "it is being built")
    assert os.sched_getscheduler(template_of(run)) == os.SCHED_BATCH
    assert next_start(run, project / "task.py", "VERSION = 2\n") == "no template yet"
    run.out.wait_for("ready 2")
    (project / "built").touch()
    warmed(run)
    assert next_start(run, project / "task.py", "VERSION = 3\n") == "warm"
    run.out.wait_for("ready 3")


def test_who_saves_again_and_again_before_the_worker_is_ready_gets_a_template(
    project: Path, start: Start
) -> None:
    """Seen to fail where each start makes it wait: the worker is never ready, so that it never went on."""
    environment = project / ".venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", environment], check=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "slow.py").write_text(SLOW)
    (site / "after.py").write_text("")
    (project / "work.py").write_text("")
    begun = "import os\nprint('begun', os.environ['RELOADER_GENERATION'], flush=True)\n"
    waits = "import time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    (project / "go").touch()
    (project / "worker.py").write_text(f"import work, slow, after, colorsys\n{begun}{waits}{WORKER}")
    run = start(
        *("-v", "--ready", "^ready", "--", str(environment / "bin" / "python"), "worker.py"),
        env={"XDG_CACHE_HOME": str(project / ".cache")},
    )
    eventually(lambda: "ready in" in run.err.text and "watching" in run.err.text, "ready, and watching")
    eventually((project / "building").exists, "it is being built")
    (project / "go").unlink()
    for generation in (2, 3, 4):
        if generation == 3:
            (project / "built").touch()
        save(project / "task.py", f"VERSION = {generation}\n")
        run.out.wait_for(f"begun {generation}")
    warmed(run)
    (project / "go").touch()
    run.out.wait_for("ready 4")
    run.err.wait_for("ready in")
    assert next_start(run, project / "task.py", "VERSION = 5\n") == "warm"
    assert run.stop() == 0


def test_the_recorder_writes_to_nothing_but_its_record(project: Path, start: Start) -> None:
    """Whose number may be another file's by and by: once, what showed the output of the next generation."""
    (project / "worker.py").write_text(
        "import sys\n"
        "one = next(one for one in sys.meta_path if type(one).__name__ == 'Recorder')\n"
        "one.path = 'other'\n"
        "import colorsys\n" + WORKER
    )
    (project / "other").touch()
    run = start("-v", "--", PYTHON, "worker.py", env={"XDG_CACHE_HOME": str(project / ".cache")})
    run.out.wait_for("ready")
    assert (project / "other").read_text() == ""
    run.stop()


def test_a_breakpoint_in_a_warm_worker_is_typed_to(project: Path) -> None:
    text = "import os, time\nprint('ready', os.environ['RELOADER_GENERATION'], flush=True)\n"
    stops = "if os.environ['RELOADER_GENERATION'] == '2':\n    value = 'un'\n    breakpoint()\n    print('was', value, flush=True)\n"
    (project / "worker.py").write_text(
        IMPORTS + "import task\n" + text + stops + "while True: time.sleep(60)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(project / ".cache"))
        terminal = Terminal(project, "-v", "--", PYTHON, "worker.py")
    try:
        eventually(lambda: "preloaded in" in terminal.screen.text, "warm")
        eventually(lambda: "watching" in terminal.screen.text, "watching")
        save(project / "task.py", "VERSION = 2\n")
        terminal.screen.wait_for(r"\(Pdb\)")
        os.write(terminal.fd, b"value += 'changed'\n")
        terminal.screen.wait_for(r"\(Pdb\)")
        os.write(terminal.fd, b"c\n")
        terminal.screen.wait_for("was unchanged")
        assert ", warm)" in terminal.screen.text
        os.write(terminal.fd, b"\x03")
        terminal.process.wait(LIMIT)
        terminal.nothing_is_left()
    finally:
        terminal.close()
        terminal.hang_up()


def test_ctrl_z_suspends_a_warm_worker_and_fg_brings_it_back(project: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (project / "worker.py").write_text(IMPORTS + WORKER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(project / ".cache"))
        shell = Terminal(project, "--norc", "--noprofile", "-i", program=bash, columns=200)
    try:
        os.write(shell.fd, f"{RELOADER} -v -- {PYTHON} worker.py\n".encode())
        shell.screen.wait_for("ready 1 pid")
        eventually(lambda: "preloaded in" in shell.screen.text, "warm")
        eventually(lambda: "watching" in shell.screen.text, "watching")
        save(project / "task.py", "VERSION = 2\n")
        worker = int(shell.screen.wait_for(r"ready 2 pid (\d+)")[1])
        eventually(lambda: ", warm)" in shell.screen.text, "the start was warm")
        os.write(shell.fd, b"\x1a")
        shell.screen.wait_for("Stopped")
        eventually(lambda: (status := status_of(worker)) is not None and status.state == "T", "it is stopped")
        os.write(shell.fd, b"fg\n")
        eventually(lambda: (status := status_of(worker)) is not None and status.state == "S", "it goes on")
        os.write(shell.fd, b"\x03")
        shell.screen.wait_for("got SIGINT")
        shell.screen.wait_for(r"bash-\S+[#$] $")
        os.write(shell.fd, b"exit\n")
        assert shell.process.wait(LIMIT) == 0
        shell.nothing_is_left()
    finally:
        shell.close()
        shell.hang_up()
