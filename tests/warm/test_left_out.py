"""What cannot be preloaded is left out, by a rule, and hurts nobody: all else is preloaded and runs the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from generations import PYTHON, Environment, Start, next_start, warmed
from harness import eventually, name_of, template_of
from processes import identify, status_of


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


BAD = {
    "raises": (
        "import sys\nif 'work' not in sys.modules:\n    raise ValueError('alone')\n",
        "ValueError: alone",
    ),
    "exits": ("import sys\nif 'work' not in sys.modules:\n    sys.exit(3)\n", "SystemExit: 3"),
    "aborts": (
        "import os, sys\nif 'work' not in sys.modules:\n    os.abort()\n",
        "its import does not end, or ends the interpreter",
    ),
    "prints": ("print('hello from bad')\n", "prints"),
    "prints errors": ("import os\nos.write(2, b'hello from bad\\n')\n", "prints"),
    "warns": ("import warnings\nwarnings.warn('hello from bad')\n", "prints"),
    "starts a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n",
        "leaves a thread running",
    ),
    "opens a file": ("import os\nKEPT = os.open(os.devnull, os.O_RDONLY)\n", "leaves a descriptor open"),
    "opens a socket": ("import socket\nKEPT = socket.socketpair()\n", "leaves a descriptor open"),
    "forks": (
        "import os, time\nif not os.fork():\n    time.sleep(99)\n    os._exit(0)\n",
        "leaves a child running",
    ),
    # Whoever was forked has all that the template has, its pipes too.
    "forks and aborts": (
        "import os, sys, time\nif 'work' not in sys.modules:\n    if not os.fork():\n        time.sleep(99)\n"
        "    os.abort()\n",
        "its import does not end, or ends the interpreter",
    ),
    "starts a process": (
        "import subprocess, atexit\nKEPT = subprocess.Popen(['sleep', '99'])\natexit.register(KEPT.kill)\n",
        "leaves a child running",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_module_that_does_not_survive_it_is_left_out(
    environment: Environment, start: Start, case: str
) -> None:
    text, why = BAD[case]
    one = environment
    first = "import work\n" if "work" in text else ""
    one.install(good="VERSION = 'good'\n", bad=f"{text}VERSION = 'bad'\n", outer="import good, bad\n")
    run = one.begin(start, f"{first}import good, outer, bad, colorsys")
    warmed(run)
    left_out = one.left_out()
    assert left_out.keys() == {"bad", "outer"}
    assert left_out["bad"] == why
    assert "good" in one.preloaded(run)
    assert one.again(run) == "warm"
    run.out.wait_for("ready 2 .*good bad")
    for stream in {id(run.out): run.out, id(run.err): run.err}.values():
        assert stream.text.count("hello from bad") in (0, 2, 4)  # a warning shows its line as well
    assert "hello" not in text or "hello from bad" in run.out.text + run.err.text


def test_modules_that_need_their_order_are_imported_in_that_of_the_program(
    environment: Environment, start: Start
) -> None:
    """By the order in which the imports ended, `inner` and `optional.good` would come first, and fail."""
    one = environment
    one.install(
        base="DATABASE = 'database'\nfrom inner import FEATURES\nVERSION = 'base'\n",
        inner="from base import DATABASE\nFEATURES = DATABASE + '!'\nVERSION = 'inner'\n",
        catching="try:\n    import optional\nexcept ImportError:\n    pass\nVERSION = 'catching'\n",
    )
    (one.site / "optional").mkdir()
    (one.site / "optional" / "__init__.py").write_text("import optional.good\nimport not_installed\n")
    (one.site / "optional" / "good.py").write_text("VERSION = 'good'\n")
    run = one.begin(start, "import base, catching, colorsys")
    warmed(run)
    assert one.left_out().keys() <= {"optional"}
    assert {"base", "inner", "catching"} <= set(one.preloaded(run))
    assert one.again(run) == "warm"
    run.out.wait_for("ready 2 .*base")


HANGS = "import sys, time\nif 'work' not in sys.modules:\n    open('hanging', 'w').close()\nwhile 'work' not in sys.modules:\n    time.sleep(0.05)\nVERSION = 'bad'\n"


def test_an_import_that_does_not_end_delays_nothing_and_is_left_out(
    environment: Environment, start: Start
) -> None:
    one = environment
    one.install(good="VERSION = 'good'\n", bad=HANGS)
    run = one.begin(start, "import good, work, bad, colorsys")
    run.out.wait_for("ready 1")
    eventually((one.folder / "hanging").exists, "the template imports it")
    assert one.again(run) == "no template yet"
    run.out.wait_for("ready 2 .*good bad")
    # What the system does when its patience is over.
    os.kill(template_of(run), signal.SIGALRM)
    warmed(run)
    assert one.left_out() == {"bad": "its import does not end, or ends the interpreter"}
    assert one.again(run) == "warm"
    run.out.wait_for("ready 3 .*good bad")


def test_an_import_that_ends_after_the_supervisor_ends_the_template(
    environment: Environment, start: Start
) -> None:
    """Seen to fail before: it went through all other modules, each in a fork, with nobody to be there for."""
    one = environment
    counting = "import os\nopen('counted', 'a').close()\nVERSION = 'late'\n"
    one.install(bad=HANGS, late=counting)
    run = one.begin(start, "import work, bad, late, colorsys")
    run.out.wait_for("ready 1")
    eventually((one.folder / "hanging").exists, "the template imports it")
    (one.folder / "counted").unlink()
    template = template_of(run)
    run.kill()
    os.kill(template, signal.SIGALRM)
    run.nothing_is_left()
    assert not (one.folder / "counted").exists()


def test_an_import_that_does_not_end_keeps_nobody_from_quitting(
    environment: Environment, start: Start
) -> None:
    one = environment
    one.install(bad=HANGS)
    run = one.begin(start, "import work, bad, colorsys")
    run.out.wait_for("ready 1")
    eventually((one.folder / "hanging").exists, "the template imports it")
    template = template_of(run)
    assert run.stop() == 0
    eventually(lambda: identify(template) is None, "the template is gone")


@pytest.mark.parametrize("patching", ["gevent.monkey", "eventlet.patcher"])
def test_a_worker_that_patches_the_standard_library_stays_cold(
    environment: Environment, start: Start, patching: str
) -> None:
    """With packages of these names; the real ones are tried where they are installed."""
    package, _, module = patching.partition(".")
    one = environment
    (one.site / package).mkdir()
    (one.site / package / "__init__.py").write_text("")
    (one.site / package / f"{module}.py").write_text("")
    run = one.begin(start, f"import {patching}")
    run.out.wait_for("ready 1")
    assert one.again(run) == f"{package} patches the standard library"


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_interpreter_that_cannot_be_looked_into_is_started_cold(
    environment: Environment, start: Start, option: str
) -> None:
    one = environment
    run = one.begin(start, "sys.path.insert(0, '.')", command=(one.python, option, "worker.py"))
    run.out.wait_for("ready 1")
    assert one.again(run) == "its interpreter cannot be looked into"
    run.out.wait_for("ready 2")


def test_a_worker_that_imports_nothing_that_is_installed_stays_cold(project: Path, start: Start) -> None:
    """Seen to fail where it is told that there is no template yet: there will be none."""
    (project / "worker.py").write_text("import time, task\nprint('ready', flush=True)\ntime.sleep(600)\n")
    run = start("--ready", "^ready", "--", PYTHON, "worker.py")
    run.out.wait_for("ready")
    eventually(lambda: "ready in" in run.err.text and "watching" in run.err.text, "ready, and watching")
    assert next_start(run, project / "task.py") == "there is nothing to preload"
    assert run.stop() == 0


@pytest.mark.parametrize("option", ["-s", "-P", "-u", "-B"])
def test_options_that_leave_a_way_in_are_started_warm(
    environment: Environment, start: Start, option: str
) -> None:
    one = environment
    run = one.begin(start, "sys.path.insert(0, '.')", command=(one.python, option, "worker.py"))
    warmed(run)
    assert one.again(run) == "warm"
    run.out.wait_for("ready 2")


def test_a_template_behind_a_runner_that_is_discarded_is_no_zombie(
    environment: Environment, start: Start
) -> None:
    """Neither the first try, which is thrown away, nor the last one, which loses what stands in front of it.

    Seen to fail where only the leader of its process group is collected: the rest became zombies of ours.
    """
    one = environment
    one.install(bad="print('printed')\nVERSION = 'bad'\n", good="VERSION = 'good'\n")
    command = ("sh", "-c", f"cd . && {one.python} worker.py")
    run = one.begin(start, "import good, bad", "--warm", command=command)
    warmed(run)
    assert one.left_out().keys() == {"bad"}
    eventually(lambda: not run.zombies(), "what was thrown away is collected")
    fronts = [pid for pid in run.survivors() if name_of(pid) == "sh" and parent_of(pid) == run.process.pid]
    assert len(fronts) == 1
    os.kill(fronts[0], signal.SIGKILL)
    assert one.again(run) == "the template has ended"
    eventually(lambda: not run.zombies(), "it is collected with what stood in front of it")
    assert run.stop() == 0


def parent_of(pid: int) -> int:
    status = status_of(pid)
    return 0 if status is None else status.parent
