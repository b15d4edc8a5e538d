"""A random sequence of happenings against a worker that hands out numbered jobs.

`python tests/chaos.py SEED...` runs whole ones; a short one is part of the tests. Every choice follows from the
seed; how the happenings meet the machine's timing does not.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness import LIMIT, Run, eventually
from processes import identify

# Two processes beside the leader take jobs; all of them end after the job in hand.
WORKER = """
import os, pathlib, random, signal, sys, time
import task

stopping = False

def stop(number, frame):
    global stopping
    stopping = True

def note(name, text):
    file = os.open(name, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, f"{text}\\n".encode())
    os.close(file)

def started(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]

def is_alive(pid, start):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[19] == start and fields[0] not in "ZX"

def work():
    while not stopping:
        for name in sorted(os.listdir("todo"))[:5]:
            mine = f"taken/{name}.{os.getpid()}"
            try:
                os.rename(f"todo/{name}", mine)
            except FileNotFoundError:
                continue
            time.sleep(random.uniform(0.002, 0.03))
            note("done", name)
            os.unlink(mine)
            break
        else:
            time.sleep(0.005)
        for order in ("crash", "flood"):
            if os.getpid() == leader and os.path.exists(order):
                os.unlink(order)
                if order == "crash":
                    os._exit(3)
                sys.stdout.write("flood " * 20 * 5000)

leader = os.getpid()
generation = os.environ["RELOADER_GENERATION"]
if os.path.exists("pids"):
    old = [line.split() for line in pathlib.Path("pids").read_text().splitlines()]
    left = [pid for pid, start in old if is_alive(pid, start)]
    if left:
        note("violations", f"generation {generation} met {left}")
    os.unlink("pids")
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
note("pids", f"{leader} {started(leader)}")
children = []
for number in range(2):
    child = os.fork()
    if not child:
        if number:
            os.setsid()
        note("pids", f"{os.getpid()} {started(os.getpid())}")
        work()
        os._exit(0)
    children.append(child)
print("up", task.VERSION, flush=True)
work()
for child in children:
    try:
        os.kill(child, signal.SIGTERM)
    except ProcessLookupError:
        pass
for child in children:
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        pass
"""

# A supervisor with one worker has some twenty descriptors.
MOST_FILES = 40


class Chaos:
    """One sequence in a folder. `run` raises AssertionError when a promise was broken."""

    def __init__(self, folder: Path, seed: int, happenings: int) -> None:
        self.folder = folder
        self.happenings = happenings
        self.random = random.Random(seed)
        self.version = 1
        self.jobs = 0
        self.harmed: set[int] = set()
        """The processes that were killed by us."""
        self.stopped: list[int] = []
        self.told = Counter[str]()
        self.history: list[str] = []
        self._feeding = True
        for name in ("todo", "taken"):
            (folder / name).mkdir()
        (folder / "worker.py").write_text(WORKER)
        self._save()
        self.reloader = self._begin()

    def _begin(self) -> Run:
        options = ["--on-exit", "restart", "-i", "todo/", "-i", "taken/"]
        return Run(self.folder, *options, "--", sys.executable, "worker.py")

    def run(self) -> None:
        """All happenings, then the reckoning."""
        feeder = threading.Thread(target=self._feed, daemon=True)
        feeder.start()
        ways: list[tuple[int, Callable[[], None]]] = [
            (8, self._save),
            (3, self._save_broken),
            (2, partial(self._signal, signal.SIGTERM)),
            (2, partial(self._signal, signal.SIGKILL)),
            (2, partial(self._signal, signal.SIGSTOP)),
            (1, partial(self._order, "crash")),
            (1, partial(self._order, "flood")),
            (1, self._quit_and_begin),
            (1, self._kill_and_begin),
            (1, self._kill_guard),
        ]
        try:
            self.reloader.out.wait_for("up 2")
            for _ in range(self.happenings):
                self._continue_some()
                (way,) = self.random.choices([way for _, way in ways], [weight for weight, _ in ways])
                self._note(getattr(way, "__name__", "signal or order"))
                way()
                time.sleep(self.random.uniform(0, 0.08))
            self._continue_some(everyone=True)
            self._save()
            eventually(
                lambda: f"up {self.version}" in self.reloader.out.text, "the last version runs", 4 * LIMIT
            )
            self._feeding = False
            feeder.join()
            eventually(lambda: not list((self.folder / "todo").iterdir()), "all jobs are taken", 4 * LIMIT)
            assert self._descriptors() <= MOST_FILES, "descriptors pile up"
            self._quit(signal.SIGINT)
            self._reckon()
        finally:
            self._feeding = False
            self._continue_some(everyone=True)
            self.reloader.close()

    # --- happenings -------------------------------------------------------------------------------

    def _feed(self) -> None:
        while self._feeding:
            self.jobs += 1
            (self.folder / "todo" / f"{self.jobs:06}").touch()
            time.sleep(0.01)

    def _save(self) -> None:
        self.version += 1
        (self.folder / "task.py").write_text(f"VERSION = {self.version}\n")

    def _save_broken(self) -> None:
        (self.folder / "task.py").write_text("VERSION = (\n")

    def _order(self, what: str) -> None:
        (self.folder / what).touch()

    def _members(self) -> list[int]:
        try:
            lines = (self.folder / "pids").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [pid for pid in (int(line.split()[0]) for line in lines) if identify(pid)]

    def _signal(self, number: int) -> None:
        members = self._members()
        if members:
            pid = self.random.choice(members)
            if number == signal.SIGKILL:
                self.harmed.add(pid)
            if number == signal.SIGSTOP:
                self.stopped.append(pid)
            try:
                self._note(f"{signal.Signals(number).name} to {pid}")
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _note(self, what: str) -> None:
        self.history.append(f"{time.monotonic():.2f} {what}")

    def _continue_some(self, everyone: bool = False) -> None:
        while self.stopped and (everyone or self.random.random() < 0.6):
            try:
                os.kill(self.stopped.pop(), signal.SIGCONT)
            except ProcessLookupError:
                pass

    def _quit_and_begin(self) -> None:
        self._continue_some(everyone=True)
        self._quit(self.random.choice([signal.SIGINT, signal.SIGTERM]))
        self._begin_again()

    def _quit(self, number: int) -> None:
        # Before that, Python itself is starting, and ends by the signal.
        eventually(lambda: "started" in self.reloader.err.text, "the run has begun")
        status = self.reloader.stop(number)
        assert status == 0, f"status {status}"

    def _kill_and_begin(self) -> None:
        self._continue_some(everyone=True)
        # Without a guard, a worker whose first process we have killed has nobody left.
        eventually(lambda: self.reloader.guard() is not None, "there is a guard")
        self.reloader.process.kill()
        self.reloader.process.wait()
        self._begin_again()

    def _begin_again(self) -> None:
        try:
            eventually(lambda: not self.reloader.survivors(), "nothing of the last run is left")
        except AssertionError as error:
            left = [
                f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes()!r} {Path(f'/proc/{pid}/stat').read_text()}"
                for pid in self.reloader.survivors()
            ]
            raise AssertionError(f"{error}: {left}, lately {self.history[-5:]}") from None
        self.history += self.reloader.err.text.splitlines()
        self.reloader.close()
        self._save()
        self.reloader = self._begin()

    def _kill_guard(self) -> None:
        guard = self.reloader.guard()
        if guard is not None:
            os.kill(guard, signal.SIGKILL)

    # --- the reckoning ----------------------------------------------------------------------------

    def _descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.reloader.process.pid}/fd"))

    def _reckon(self) -> None:
        eventually(lambda: not self.reloader.survivors(), "nothing is left")
        violations = self.folder / "violations"
        assert not violations.exists(), violations.read_text()
        done = Counter((self.folder / "done").read_text().split())
        twice = [name for name, times in done.items() if times > 1]
        assert not twice, f"run twice: {twice}"
        missing = {f"{number:06}" for number in range(1, self.jobs + 1)} - done.keys()
        taken = {path.name.split(".")[0]: int(path.suffix[1:]) for path in (self.folder / "taken").iterdir()}
        lost = [name for name in missing if taken.get(name) not in self.harmed]
        history = "\n".join([*self.history, *self.reloader.err.text.splitlines()])
        assert not lost, f"lost, taken by {[taken.get(name) for name in lost]}: {sorted(lost)}\n{history}"


def main() -> None:
    """Whole sequences with the seeds that are given."""
    # A shell's `&` leaves it ignored, and the supervisor would leave it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for seed in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            chaos = Chaos(Path(folder), seed, 300)
            began = time.monotonic()
            try:
                chaos.run()
            except AssertionError as error:
                print(f"seed {seed}: {error}", flush=True)
                continue
            print(
                f"seed {seed}: {chaos.jobs} jobs in {time.monotonic() - began:.0f} s, all accounted for",
                flush=True,
            )


if __name__ == "__main__":
    main()
