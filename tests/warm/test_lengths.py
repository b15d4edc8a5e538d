"""A command and an environment of any length that the system takes are started warm, and leave no trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from generations import PYTHON, comes, next_start
from harness import Run

from reloader.in_worker.bootstrap import place_in, read
from reloader.settings import Settings
from reloader.warm.hook import HOOK, Hook, make_unnamed

Start = Callable[..., Run]
WORKER = """
import hashlib, json, os, sys, time
import work

def summary(anything):
    return hashlib.sha256(repr(anything).encode()).hexdigest()[:12]

environment = {k: v for k, v in os.environ.items() if k not in ("RELOADER_GENERATION", "MARK")}
inherited = [one for one in os.popen("env -0").read().split("\\0") if "/proc/" in one or "warm/hook" in one]
links = ("/proc/self/fd/" + f for f in os.listdir("/proc/self/fd"))
files = sorted(os.readlink(one) for one in links if os.path.lexists(one))
files = [one for one in files if "reloader" in one or "memfd" in one or "deleted" in one]
print("ready", os.environ["RELOADER_GENERATION"], flush=True)
print("told", len(sys.argv), summary(sys.argv), summary(environment), inherited, files, flush=True)
while True:
    time.sleep(60)
"""
MANY = [f"--option-{number}={'x' * 40}" for number in range(1200)]
CASES = {
    "66 kB": MANY,
    "500 kB": MANY * 8,
    "one word": ["y" * 120_000],
    "strange words": ["é\udcff\n\t ", "", "'\"\\", *MANY],
}
FRONTS = {"env": ["env", "A=b"], "nice": ["nice", "-n", "0"]}


def both(folder: Path, start: Start, words: list[str], how: str, env: dict[str, str] | None = None) -> None:
    """Run two generations, the second started in this way: they see the same, and nothing of ours."""
    (folder / "worker.py").write_text(WORKER)
    (folder / "work.py").write_text("VERSION = 1\n")
    environment = {"XDG_CACHE_HOME": str(folder / ".cache")} | (env or {})
    run = start(
        *("-v", "-w", "work.py", "--no-prefix", "--ready", "^ready", "--"),
        *(os.fsencode(word) for word in words),
        folder=folder,
        env=environment,
    )
    comes(run.out, "told")
    if how == "warm":
        comes(run.err, "preloaded in")
    else:
        run.err.wait_for("ready in")
    assert next_start(run, folder / "work.py") == how
    run.out.wait_for("^ready 2")
    run.out.wait_for("^told .*\n")
    first, second = (line for line in run.out.text.splitlines() if line.startswith("told"))
    assert first == second
    assert first.split("[")[1:] == ["] ", "]"]
    assert run.stop() == 0


@pytest.mark.parametrize("case", CASES)
def test_a_command_of_any_length_is_started_warm(tmp_path: Path, start: Start, case: str) -> None:
    """Seen to fail with an order that lies in the environment, where one variable holds 128 KiB."""
    both(tmp_path, start, [PYTHON, "worker.py", *CASES[case]], "warm")


@pytest.mark.parametrize("front", FRONTS)
def test_it_is_behind_something_in_front(tmp_path: Path, start: Start, front: str) -> None:
    both(tmp_path, start, [*FRONTS[front], PYTHON, "worker.py", *MANY], "warm")


def test_a_long_environment_is_no_hindrance(tmp_path: Path, start: Start) -> None:
    environment = {f"LONG_{number}": "z" * 100_000 for number in range(8)}
    both(tmp_path, start, [PYTHON, "worker.py", *MANY], "warm", environment)


def test_a_search_path_that_has_no_room_for_another_folder_is_left_alone(
    tmp_path: Path, start: Start
) -> None:
    """The variable holds 128 KiB with its name and its end."""
    longest = "/" + "p" * ((1 << 17) - len("PYTHONPATH=") - 2)
    blind = "its interpreter cannot be looked into"
    both(tmp_path, start, [PYTHON, "worker.py"], blind, {"PYTHONPATH": longest})


def test_without_files_in_memory_there_is_a_file_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a Python that was built for an old system."""
    monkeypatch.delattr(os, "memfd_create")
    words = [sys.executable, "worker.py", *MANY]
    with make_unnamed("record") as record:
        hook = Hook(Settings(tuple(words)), {})
        environment, order = hook.environment({}, words, record)
        with order:
            place = place_in(environment["PYTHONPATH"], HOOK) or ""
            read_back = read(place)
            assert read_back["words"] == words
            assert not os.readlink(f"/proc/self/fd/{order.fileno()}").startswith("/memfd:")
            with open(read_back["record"][0], "ab") as other:
                other.write(b"m told\n")
            assert os.pread(record.fileno(), 100, 0) == b"m told\n"
        assert read(place) is None
