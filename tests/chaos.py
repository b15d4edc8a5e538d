"""A random sequence of happenings against a worker that hands out numbered jobs.

`python tests/chaos.py SEED...` runs whole ones; a short one is part of the tests. Every choice follows from the
seed; how the happenings meet the machine's timing does not.

A job may be missing only if the process that took it was sent SIGKILL by us. Both are known by pid and start
time, and a signal goes to a pidfd whose process was identified after that was opened. When a promise is
broken, all that happened is told in its order: to whom we sent what, what each worker's process says of itself
(its beginning, the signals that it heard, its end), and the whole life of whoever took a lost job.
"""

from __future__ import annotations

import os
import random
import select
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
from processes import Process, identify, is_alive

# Two processes beside the leader take jobs; all of them end after the job in hand.
WORKER = """
import os, pathlib, random, signal, sys, time
import task

stopping = False

def stop(number, frame):
    global stopping
    stopping = True
    tell(f"heard {signal.Signals(number).name}")

def note(name, text):
    file = os.open(name, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, f"{text}\\n".encode())
    os.close(file)

def tell(text):
    note("lives", f"{time.monotonic():.3f} {os.getpid()} {me} {text}")

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
            mine = f"taken/{name}.{os.getpid()}.{me}"
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
                    tell("crashes")
                    os._exit(3)
                sys.stdout.write("flood " * 20 * 5000)

leader = os.getpid()
me = started(leader)
generation = os.environ["RELOADER_GENERATION"]
if os.path.exists("pids"):
    old = [line.split() for line in pathlib.Path("pids").read_text().splitlines()]
    left = [pid for pid, start in old if is_alive(pid, start)]
    if left:
        note("violations", f"generation {generation} met {left}")
    os.unlink("pids")
# Before these, a signal ends us as it ends any program that starts: no job has been taken yet.
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
tell(f"begins, leader of generation {generation}, child of {os.getppid()}")
note("pids", f"{leader} {me}")
children = []
for number in range(2):
    # Python forgets in a new child what came before it had begun, and the leader tells it only once.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    child = os.fork()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    if not child:
        if number:
            os.setsid()
        me = started(os.getpid())
        tell(f"begins, child {number} of {leader}")
        note("pids", f"{os.getpid()} {me}")
        work()
        tell("ends")
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
tell("ends")
"""

# A supervisor with one worker has some twenty descriptors.
MOST_FILES = 40
# Nobody is left stopped for longer than this, in seconds: well below the moment that leftovers are given.
LONGEST_STOP = 0.5


class Chaos:
    """One sequence in a folder. `run` raises AssertionError when a promise was broken."""

    def __init__(self, folder: Path, seed: int, happenings: int) -> None:
        self.folder = folder
        self.happenings = happenings
        self.random = random.Random(seed)
        self.version = 1
        self.jobs = 0
        self.seed = seed
        self.harmed: set[Process] = set()
        """The processes of workers that were killed by us."""
        self.stopped: list[tuple[float, Process]] = []
        self.history: list[tuple[float, str]] = []
        """What we did, and when."""
        self.runs: list[str] = []
        """What each run before this one has told."""
        self._feeding = True
        self._feeder = threading.Thread(target=self._feed, daemon=True)
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
        self._feeder.start()
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
            self._all_happenings(ways)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None
        finally:
            self._feeding = False
            self._continue_some(everyone=True)
            self.reloader.close()

    def _all_happenings(self, ways: list[tuple[int, Callable[[], None]]]) -> None:
        self.reloader.out.wait_for("up 2")
        for _ in range(self.happenings):
            self._continue_some()
            (way,) = self.random.choices([way for _, way in ways], [weight for weight, _ in ways])
            self._note(getattr(way, "__name__", "signal or order"))
            way()
            time.sleep(self.random.uniform(0, 0.08))
        self._continue_some(everyone=True)
        self._note("the last save")
        self._save()
        eventually(lambda: f"up {self.version}" in self.reloader.out.text, "the last version runs", 4 * LIMIT)
        self._feeding = False
        self._feeder.join()
        eventually(lambda: not list((self.folder / "todo").iterdir()), "all jobs are taken", 4 * LIMIT)
        assert self._descriptors() <= MOST_FILES, "descriptors pile up"
        self._quit(signal.SIGINT)
        self._reckon()

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

    def _members(self) -> list[Process]:
        try:
            lines = (self.folder / "pids").read_text().splitlines()
        except FileNotFoundError:
            return []
        members = [Process(*map(int, line.split())) for line in lines]
        return [one for one in members if is_alive(one)]

    def _signal(self, number: int) -> None:
        members = self._members()
        if members:
            one = self.random.choice(members)
            if number == signal.SIGKILL:
                self.harmed.add(one)
            if number == signal.SIGSTOP:
                self.stopped.append((time.monotonic(), one))
            if not self._send(one, number):
                self.harmed.discard(one)

    def _send(self, one: Process, number: int, wait: bool = False) -> bool:
        """Signal this process and no other; whether it was there. May wait for its end."""
        try:
            fd = os.pidfd_open(one.pid)
        except ProcessLookupError:
            return False
        try:
            # The descriptor was opened by pid: only now is it sure that it is this process.
            if identify(one.pid) != one:
                return False
            self._note(f"{signal.Signals(number).name} to {one.pid} {one.began}")
            signal.pidfd_send_signal(fd, number)
            if wait:
                assert select.select([fd], [], [], LIMIT)[0], f"{one} survives signal {number}"
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        return True

    def _note(self, what: str) -> None:
        self.history.append((time.monotonic(), what))

    def _continue_some(self, everyone: bool = False) -> None:
        for stopped in list(self.stopped):
            at, one = stopped
            if everyone or self.random.random() < 0.6 or time.monotonic() - at > LONGEST_STOP:
                self.stopped.remove(stopped)
                self._send(one, signal.SIGCONT)

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
        # Without a guard, a worker whose first process we have killed has nobody left. None that we have
        # killed is taken for one: we wait for its end.
        eventually(lambda: self.reloader.guard() is not None, "there is a guard")
        self._note(f"SIGKILL to the supervisor {self.reloader.process.pid}")
        self.reloader.kill()
        self._begin_again()

    def _begin_again(self) -> None:
        self.reloader.nothing_is_left()
        self.runs.append(self.reloader.err.text)
        self.reloader.close()
        self._save()
        self.reloader = self._begin()

    def _kill_guard(self) -> None:
        pid = self.reloader.guard()
        guard = None if pid is None else identify(pid)
        if guard is not None:
            self._note("the guard:")
            self._continue_some(everyone=True)
            self._send(guard, signal.SIGKILL, wait=True)

    # --- the reckoning ----------------------------------------------------------------------------

    def _descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.reloader.process.pid}/fd"))

    def _reckon(self) -> None:
        self.reloader.nothing_is_left()
        violations = self.folder / "violations"
        assert not violations.exists(), violations.read_text()
        done = Counter((self.folder / "done").read_text().split())
        twice = [name for name, times in done.items() if times > 1]
        assert not twice, f"run twice: {twice}"
        missing = {f"{number:06}" for number in range(1, self.jobs + 1)} - done.keys()
        taken = {}
        for path in (self.folder / "taken").iterdir():
            name, pid, began = path.name.split(".")
            taken[name] = Process(int(pid), int(began))
        lost = {name: taken.get(name) for name in sorted(missing) if taken.get(name) not in self.harmed}
        assert not lost, "\n".join(f"job {name} is lost, {self._life(one)}" for name, one in lost.items())

    def _lives(self) -> list[tuple[float, str]]:
        """What the processes of the workers say of themselves."""
        try:
            lines = (self.folder / "lives").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(float(at), what) for at, _, what in (line.partition(" ") for line in lines)]

    def _life(self, one: Process | None) -> str:
        """All that is known of who took a job."""
        if one is None:
            return "and nobody has taken it"
        name = f"{one.pid} {one.began}"
        parts = [f"{at:.3f} {what}" for at, what in sorted(self.history + self._lives()) if name in what]
        return "\n  ".join([f"taken by {name}, which we have not killed:", *parts])

    def told(self) -> str:
        """All that happened, in its order, then what the runs have told."""
        events = [f"{at:.3f} {what}" for at, what in sorted(self.history + self._lives())]
        return "\n".join([f"seed {self.seed}", *events, *self.runs, self.reloader.err.text])


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
