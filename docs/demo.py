"""`make demo`: a django-q2 worker under reloader, edited twice while tasks keep coming, all of them counted.

Everything is the real thing: the project in docs/examples/qcluster, the command as a user types it, its
output as it comes. With --interactive it is the user who edits.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from reloader.settings import Color
from reloader.showing import paint

EXAMPLE = Path(__file__).with_name("examples") / "qcluster"
COMMAND = ("reloader", "--", "python", "manage.py", "qcluster")
EDITED = Path("shop", "tasks.py")
VERSIONS = ("v1", "v2", "v3")
# So many tasks have been done on a version before the next one is saved.
ENOUGH = 16
# Seconds between two tasks. The worker does one in 0.15 s, so it catches up after a restart.
EVERY = 0.2
EVERY_INTERACTIVE = 1.0
# How often, in seconds, it is looked whether what is awaited has come.
GLANCE = 0.05
# Whatever must come has come after this, in seconds, or the demo is given up.
LIMIT = 30.0
# The same for the end of reloader, which allows a qcluster 60 s.
DRAIN_LIMIT = 70.0


class GivenUp(Exception):  # noqa: N818 - what happened
    """Something that must come did not."""


class Asked:
    """Whether somebody has asked for the end, with Ctrl-C or otherwise."""

    def __init__(self) -> None:
        self.by: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.by = self.by or number


class Shop:
    """A copy of the example. This process queues as a web server would, and reads the receipts."""

    def __init__(self, base: str) -> None:
        self.folder = Path(base, "qcluster")
        self.queued = 0
        unwanted = shutil.ignore_patterns("__pycache__", "*.sqlite3*")
        shutil.copytree(EXAMPLE, self.folder, ignore=unwanted)
        self.save(VERSIONS[0])
        # Django wants to know its settings before anything of it is imported.
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
        sys.path.insert(0, str(self.folder))
        importlib.import_module("django").setup()
        importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
        self._async_task = importlib.import_module("django_q.tasks").async_task
        self._orders = importlib.import_module("django_q.models").OrmQ.objects
        self._receipts = importlib.import_module("shop.models").Receipt.objects

    def save(self, version: str) -> None:
        """Write the version into the code that the worker runs, in place as many editors do."""
        path = self.folder / EDITED
        code = re.sub(r'^VERSION = ".*"$', f'VERSION = "{version}"', path.read_text(), flags=re.MULTILINE)
        path.write_text(code)

    def queue(self) -> None:
        """Queue the next number."""
        self.queued += 1
        self._async_task("shop.tasks.greet", self.queued)

    def done(self) -> list[tuple[int, str]]:
        """Number and version of every receipt, oldest first."""
        return list(self._receipts.order_by("pk").values_list("number", "version"))

    def waiting(self) -> set[int]:
        """The numbers in the queue, which keeps each until it is done."""
        return {order.args()[0] for order in self._orders.all()}


class Demo:
    """The run of reloader. Tasks are queued whenever something is awaited."""

    def __init__(self, shop: Shop, asked: Asked, every: float) -> None:
        self._shop = shop
        self._asked = asked
        self._every = every
        self._due = time.monotonic()
        self._queueing = True
        self._reloader: subprocess.Popen[bytes] | None = None

    def edit_twice(self) -> None:
        """Save two new versions while the worker is busy, then let the queue run empty."""
        self._start()
        for version in VERSIONS:
            if version != VERSIONS[0]:
                say(f'saving {EDITED} with VERSION = "{version}"')
                self._shop.save(version)
            worked = partial(self._has_worked_on, version)
            if not self._await(f"{ENOUGH} tasks done on {version}", worked):
                return
        say("no more tasks; the queue runs empty")
        self._queueing = False
        self._await("the queue to be empty", lambda: not self._shop.waiting())

    def let_edit(self) -> None:
        """Go on until somebody asks for the end."""
        self._start()
        if self._await("the first task done", self._shop.done):
            say(f"edit {self._shop.folder / EDITED} and save it; Ctrl-C ends the demo")
            self._await("Ctrl-C", lambda: False, limit=None)

    def stop(self) -> None:
        """Let reloader drain its worker and end. Raises GivenUp if it does not, or not well."""
        running = self._reloader
        if running is None:
            return
        # A Ctrl-C has reached reloader as well. It takes another signal right after that for the same
        # wish, but a second one of the same kind for the order to kill.
        number = signal.SIGINT if self._asked.by is None else signal.SIGTERM
        for patience in (DRAIN_LIMIT, LIMIT):
            running.send_signal(number)
            try:
                status = running.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            # Whoever asked may have insisted, and a signal has ended reloader then.
            if status > 0 or (status < 0 and self._asked.by is None):
                raise GivenUp(f"reloader ended with status {status}")
            return
        running.kill()
        raise GivenUp(f"reloader (pid {running.pid}) did not end")

    def _start(self) -> None:
        if self._asked.by is not None:
            return
        say(f"in {self._shop.folder}: {' '.join(COMMAND)}")
        # As after `source .venv/bin/activate`.
        programs = os.path.dirname(sys.executable)
        path = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
        self._reloader = subprocess.Popen(COMMAND, cwd=self._shop.folder, env=os.environ | {"PATH": path})

    def _await(self, what: str, come: Callable[[], object], limit: float | None = LIMIT) -> bool:
        """Queue tasks until it has come; False if somebody asks for the end. Raises GivenUp."""
        began = time.monotonic()
        while not come():
            now = time.monotonic()
            if self._asked.by is not None:
                return False
            if self._reloader is not None and self._reloader.poll() is not None:
                raise GivenUp(f"reloader ended while {what} was awaited")
            if limit is not None and now > began + limit:
                raise GivenUp(f"waited {limit:g} s in vain for {what}")
            if self._queueing and now >= self._due:
                self._shop.queue()
                self._due += self._every
            time.sleep(GLANCE)
        return True

    def _has_worked_on(self, version: str) -> bool:
        return sum(by == version for _, by in self._shop.done()) >= ENOUGH


def tally(shop: Shop) -> tuple[str, bool]:
    """What became of every task, and whether all is well."""
    done, waiting = shop.done(), shop.waiting()
    times = Counter(number for number, _ in done)
    lost = [number for number in range(1, shop.queued + 1) if number not in waiting and not times[number]]
    twice = sorted(number for number in times if times[number] > 1)
    again = sorted(number for number in times if number in waiting)
    parts = [f"{count} on {version}" for version, count in Counter(version for _, version in done).items()]
    if waiting:
        parts.append(f"{len(waiting)} still queued")
    verdict = [f"{_numbers(lost)} lost", f"{_numbers(twice)} run twice"]
    if again:
        verdict.append(f"{_numbers(again)} done and still queued")
    text = f"{shop.queued} tasks: {', '.join(parts) or 'none done'}; {', '.join(verdict)}"
    return text, not (lost or twice or again)


def _numbers(numbers: list[int]) -> str:
    return " and ".join(f"number {number}" for number in numbers) or "none"


def say(text: str, style: str = paint.DIM) -> None:
    """A line of ours, aligned with those of reloader and of the worker."""
    line = f"{'demo':<8} | {text}"
    if paint.wanted(Color.AUTO, os.isatty(1), os.environ):
        line = f"{style}{line}{paint.RESET}"
    try:
        # In one piece: reloader writes to the same terminal.
        os.write(1, os.fsencode(f"{line}\n"))
    except OSError:
        pass  # nobody reads any more; everything is ended all the same


def main() -> int:
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--interactive", action="store_true", help="keep it running, and edit it yourself")
    interactive = parser.parse_args().interactive
    asked = Asked()
    with tempfile.TemporaryDirectory(prefix="reloader-demo-") as base:
        shop = Shop(base)
        demo = Demo(shop, asked, EVERY_INTERACTIVE if interactive else EVERY)
        failure = None
        try:
            try:
                demo.let_edit() if interactive else demo.edit_twice()
            finally:
                demo.stop()
        except GivenUp as given_up:
            failure = given_up
        text, well = tally(shop)
        say(text, paint.BOLD)
        if failure is not None:
            say(f"given up: {failure}", paint.BOLD)
    if failure is not None or not well:
        return 1
    return 0 if asked.by is None or interactive else 128 + asked.by


if __name__ == "__main__":
    sys.exit(main())
