"""What several processes of a Python worker print arrives in whole lines, and as soon as it was printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from harness import COLD, Run, eventually, save

Start = Callable[..., Run]
PYTHON = sys.executable
LINES = 2000
# What the user has not set is ours to set.
UNSET = ("env", "-u", "PYTHONUNBUFFERED")

# Every way in which Python comes to a process; each prints to both streams.
CROWD = """
import multiprocessing, os, subprocess, sys, time

def shout(name):
    for number in range(LINES):
        print(name, os.getpid(), number, "x" * (number % 50))
        print(name, os.getpid(), number, "y" * (number % 50), file=sys.stderr)
    print("done", name)

LINES = int(os.environ["LINES"])
if __name__ == "__main__":
    if sys.argv[1:]:
        shout(sys.argv[1])
        sys.exit(0)
    import task
    children = [
        subprocess.Popen([sys.executable, "crowd.py", "inheriting"]),
        subprocess.Popen([sys.executable, "-B", "crowd.py", "given"], env=dict(os.environ, MORE="x")),
        subprocess.Popen(["./crowd", "script"], close_fds=False),
    ]
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        children.append(context.Process(target=shout, args=(method,)))
        children[-1].start()
    print("everybody")
    shout("first")
    for child in children:
        child.join() if hasattr(child, "join") else child.wait()
    print("all done", task.VERSION, flush=True)
    while True:
        time.sleep(60)
"""
NAMES = ("inheriting", "given", "script", "fork", "spawn", "forkserver", "first")
WHOLE = re.compile(rf"({'|'.join(NAMES)}) \d+ \d+ (x*|y*)|done ({'|'.join(NAMES)})|everybody|all done \d")


def write_crowd(folder: Path, python: str) -> None:
    (folder / "crowd.py").write_text(CROWD)
    (folder / "task.py").write_text("VERSION = 1\n")
    script = folder / "crowd"
    script.write_text(f"#!{python}\nimport crowd, sys\ncrowd.shout(sys.argv[1])\n")
    script.chmod(0o755)


def interpreter(minor: int) -> str:
    """A Python of this version; skips the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in (shutil.which(f"python3.{minor}"), *map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python"))):
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    pytest.skip(f"there is no Python 3.{minor} here")


def torn(run: Run) -> list[str]:
    """Lines that are not what one process printed."""
    lines = [line for line in run.out.text.splitlines() if not line.startswith("reloader |")]
    return [line for line in lines if not WHOLE.fullmatch(line)]


def crowd_is_whole(folder: Path, start: Start, python: str, lines: int, *options: str) -> None:
    write_crowd(folder, python)
    environment = {"LINES": str(lines), "XDG_CACHE_HOME": str(folder / ".cache")}
    words = ("-v", "--no-prefix", *options, "--ready", "^all done", "--", python, "crowd.py")
    run = start(*words, launcher=UNSET, env=environment, merged=True)
    run.out.wait_for("^all done 1")
    if "--warm" in options:
        eventually(lambda: "preloaded in" in run.out.text, "there is a template")
    save(folder / "task.py", "VERSION = 2\n")
    run.out.wait_for("^all done 2")
    if "--warm" in options:
        run.out.wait_for("warm\\)")
    text = run.out.text
    assert all(text.count(f"done {name}\n") == 2 for name in NAMES)
    # A worker that is stopped tells where it was.
    stopped = {line for line in torn(run) if re.search("^Traceback|^  |^KeyboardInterrupt", line)}
    assert [line for line in torn(run) if line not in stopped] == []
    assert run.stop() == 0


@pytest.mark.parametrize("option", ["--cold", *([] if COLD else ["--warm"])])
def test_a_line_of_any_process_of_a_python_worker_arrives_whole(
    tmp_path: Path, start: Start, option: str
) -> None:
    """Seen to fail, with a tenth of the lines torn, where `print` is that of an unbuffered Python; for each
    child, where that is not hooked.
    """
    crowd_is_whole(tmp_path, start, PYTHON, LINES, option)


@pytest.mark.parametrize("minor", range(8, 15))
def test_it_does_so_with_every_version_of_python(tmp_path: Path, start: Start, minor: int) -> None:
    crowd_is_whole(tmp_path, start, interpreter(minor), 200, "--cold")


def test_what_has_no_newline_yet_comes_at_once(tmp_path: Path, start: Start) -> None:
    """Seen to fail with line buffering: the worker goes on when its beginnings of lines have been seen."""
    (tmp_path / "worker.py").write_text(
        "import os, sys, time\n"
        "def seen(name):\n"
        "    while not os.path.exists(name):\n"
        "        time.sleep(0.01)\n"
        "print('Name', '? ', sep='', end=''); seen('one')\n"
        "print('.', '.', sep='', end='', file=sys.stderr); seen('two')\n"
        "sys.stdout.write('written'); seen('three')\n"
        "sys.stdout.buffer.write(b'bytes'); seen('four')\n"
        "print('\\r50 %', end=''); seen('five')\n"
        "sys.stdin = open(os.devnull)\n"
        "try:\n    input('asked? ')\nexcept EOFError:\n    print('end')\n"
        "time.sleep(60)\n"
    )
    run = start("--no-prefix", "--ignore", "*", "--", PYTHON, "worker.py", launcher=UNSET)
    for stream, text, name in (
        (run.out, r"Name\? ", "one"),
        (run.err, r"^\.\.", "two"),
        (run.out, "written", "three"),
        (run.out, "bytes", "four"),
        (run.out, "50 %", "five"),
    ):
        stream.wait_for(text)
        (tmp_path / name).touch()
    run.out.wait_for(r"asked\? end\n")
    assert run.stop() == 0


TELLING = """
import os, pickle, subprocess, sys, time
class Holder:
    tell = print
Holder().tell("held")
assert pickle.loads(pickle.dumps(print)) is print
kind = type(print).__name__
told = [kind] + sorted(k for k in os.environ if k.startswith(("PYTHONP", "PYTHONU")) or k.startswith("RELOADER_") and k != "RELOADER_GENERATION")
if sys.argv[1:]:
    print(*told)
else:
    print("told", *told)
    subprocess.run([sys.executable, "telling.py", "child"])
    subprocess.run([sys.executable, "-I", "telling.py", "isolated"])
    subprocess.run(["sh", "-c", "env | grep -c PYTHONPATH"])
    time.sleep(60)
"""


def told(folder: Path, start: Start, words: Sequence[str], **options: object) -> str:
    """What a worker tells of itself, of two children, and of the variables that another program sees."""
    (folder / "telling.py").write_text(TELLING)
    run = start("--no-prefix", "--cold", "--", *words, **options)
    run.out.wait_for(r"^\d+$")
    assert run.stop() == 0
    return re.sub("held\n", "", run.out.text)


def test_nothing_of_it_is_in_the_environment(tmp_path: Path, start: Start) -> None:
    found = told(tmp_path, start, [PYTHON, "telling.py"], launcher=UNSET)
    isolated = "builtin_function_or_method PYTHONUNBUFFERED"
    assert found.splitlines() == [
        "told OneWrite PYTHONUNBUFFERED",
        "OneWrite PYTHONUNBUFFERED",
        isolated,
        "0",
    ]


@pytest.mark.parametrize("who", ["environment", "-u", "command", "isolated"])
def test_who_wants_it_otherwise_is_left_alone(tmp_path: Path, start: Start, who: str) -> None:
    words = {
        "environment": [PYTHON, "telling.py"],
        "-u": [PYTHON, "-Bu", "telling.py"],
        "command": ["env", "PYTHONUNBUFFERED=1", PYTHON, "telling.py"],
        "isolated": [PYTHON, "-I", "telling.py"],
    }[who]
    found = told(tmp_path, start, words, launcher=() if who == "environment" else UNSET)
    assert "OneWrite" not in found
    assert "0" in found.splitlines()  # an isolated interpreter prints late
    assert "PYTHONPATH" not in found


def test_a_search_path_that_is_set_anew_leaves_nothing_of_it(tmp_path: Path, start: Start) -> None:
    found = told(
        tmp_path, start, ["env", "PYTHONPATH=lib", PYTHON, "telling.py"], launcher=UNSET
    ).splitlines()
    assert found[:2] == [
        "told builtin_function_or_method PYTHONPATH PYTHONUNBUFFERED",
        "builtin_function_or_method PYTHONPATH PYTHONUNBUFFERED",
    ]


def test_who_sets_up_the_stream_anew_is_left_alone(tmp_path: Path, start: Start) -> None:
    (tmp_path / "worker.py").write_text(
        "import sys, time\nsys.stdout.reconfigure(write_through=False)\n"
        "print('kept back')\nprint('shown', file=sys.stderr)\ntime.sleep(60)\n"
    )
    run = start("--no-prefix", "--", PYTHON, "worker.py", launcher=UNSET)
    run.err.wait_for("^shown")
    assert run.out.text == ""
    assert run.stop() == 0
    assert run.out.text == "kept back\n"
