"""Running the real command: started as a user would, read line by line, and nothing left of it after."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processes import ProcessTable, status_of

from reloader.deciding.supervisor import PASSED_ON

RELOADER = str(Path(sys.executable).with_name("reloader"))
SLOWDOWN = float(os.environ.get("RELOADER_TEST_SLOWDOWN", "1"))
# With it the whole suite runs as where no worker can be started warm.
COLD = {"RELOADER_WARM": "0"} if os.environ.get("RELOADER_TEST_COLD") else {}
# Every wait for something that must come ends here, in seconds; only a bug takes this long.
LIMIT = 15.0 * SLOWDOWN


def eventually(condition: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Return once the condition holds; fail with what the caller gives when it never does."""
    deadline = time.monotonic() + limit
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        pause.wait(0.01)


def between_presses() -> None:
    """Let so much time pass as a person needs to press a key again; sooner it is the same wish, passed on."""
    pressed = time.monotonic()
    eventually(lambda: time.monotonic() > pressed + PASSED_ON, "time passes")


@dataclass
class Stream:
    """What came out of one descriptor, readable while it comes."""

    data: bytearray = field(default_factory=bytearray)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False
    on_match: Callable[[], object] = lambda: None
    """Called whenever something that was waited for has come."""
    _seen: int = 0

    def read_from(self, fd: int) -> None:
        """Collect until the end of the file."""
        while self.read_once(fd):
            pass

    def read_once(self, fd: int) -> bool:
        """Collect what comes next; False at the end of the file."""
        try:
            chunk = os.read(fd, 1 << 16)
        except OSError:
            chunk = b""  # a pseudo-terminal whose other side is closed
        with self.changed:
            self.data += chunk
            self.ended = not chunk
            self.changed.notify_all()
        return bool(chunk)

    @property
    def text(self) -> str:
        """Everything so far."""
        return bytes(self.data).decode("utf-8", "backslashreplace")

    def wait_for(self, pattern: str, limit: float = LIMIT) -> re.Match[bytes]:
        """Wait until the pattern matches somewhere after the last match that was waited for."""
        expression = re.compile(pattern.encode(), re.MULTILINE)
        deadline = time.monotonic() + limit
        with self.changed:
            while True:
                found = expression.search(bytes(self.data), self._seen)
                if found is not None:
                    self._seen = found.end()
                    break
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(f"no match for {pattern!r} in:\n{self.text}")
                self.changed.wait(left)
        self.on_match()
        return found

    def wait_for_end(self, limit: float = LIMIT) -> None:
        """Wait until whoever wrote has closed it."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended, limit), f"still open:\n{self.text}"


class Run:
    """One run of the command. `out` is its standard output, `err` its standard error."""

    def __init__(
        self,
        folder: Path | bytes,
        *arguments: str | bytes,
        env: dict[str, str] | None = None,
        launcher: Sequence[str] = (),
        program: Sequence[str] = (RELOADER,),
        stdin: int = subprocess.DEVNULL,
        merged: bool = False,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.mark = uuid.uuid4().hex
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RELOADER", "FORCE_COLOR"))}
        environment |= COLD
        environment |= {"MARK": self.mark, "PYTHONUNBUFFERED": "1"} | (env or {})
        self.process = subprocess.Popen(
            [*launcher, *program, *arguments],
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            preexec_fn=preexec,
        )
        self.table = ProcessTable(self.mark)
        """Who belongs to the run: looked at whenever something has come of it, and before it is signalled."""
        self.out = Stream(on_match=self.table.look)
        self.err = self.out if merged else Stream(on_match=self.table.look)
        self._readers = []
        for stream, pipe in ((self.out, self.process.stdout), (self.err, self.process.stderr)):
            if pipe is not None:
                reader = threading.Thread(target=stream.read_from, args=(pipe.fileno(),), daemon=True)
                reader.start()
                self._readers.append(reader)

    def send(self, number: int) -> None:
        """Send a signal to the supervisor."""
        self.table.look()
        self.process.send_signal(number)

    def wait(self, limit: float = LIMIT) -> int:
        """Wait for the end; the exit status, negative for a signal."""
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.out.text}\n{self.err.text}") from None
        for reader in self._readers:
            reader.join(limit)
        return status

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask for the end and wait for it."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """End the supervisor as the OOM killer does."""
        self.table.look()
        self.process.kill()
        self.process.wait()

    def survivors(self) -> list[int]:
        """The processes that this run has started and that are alive."""
        return self.table.look()

    def nothing_is_left(self, limit: float = LIMIT) -> None:
        """Wait until none of the processes that were ever seen is alive, by pid and start time, nor a new one."""
        nothing_is_left(self.table, limit)

    def _called(self, name: str) -> list[int]:
        return [pid for pid in self.survivors() if name_of(pid) == name]

    def guard(self) -> int | None:
        """The pid of the guard; None while there is none.

        Below the leader of a session it leads one itself, else a process group and no session: a worker
        between fork and exec, which is still called as its guard is, does the opposite.
        """
        below = self._called("reloader-tty")
        for pid in self._called("reloader-guard"):
            status = status_of(pid)
            if status is None or pid != status.group:
                continue
            if (pid == status.session) == (status.parent in below):
                return pid
        return None

    def forkserver(self) -> int | None:
        """The pid of the process that makes the guards; None while there is none."""
        return next(iter(self._called("reloader-forks")), None)

    def workers(self) -> list[int]:
        """The processes of the worker that are alive: unlike ours they are in sessions of their own."""
        ours = os.getsid(self.process.pid)
        found = ((pid, status_of(pid)) for pid in self.survivors())
        return [pid for pid, status in found if status is not None and status.session != ours]

    def zombies(self) -> list[int]:
        """The children of the supervisor that have ended and were not collected."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task").glob("*/children")
        children = [int(child) for file in found for child in file.read_text().split()]
        statuses = ((child, status_of(child)) for child in children)
        return [child for child, status in statuses if status is not None and status.state == "Z"]

    def close(self) -> None:
        """Kill whatever a failed test has left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.table.kill()
        for reader in self._readers:
            reader.join(LIMIT)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def name_of(pid: int) -> str:
    """What the process calls itself, by proc(5)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def nothing_is_left(table: ProcessTable, limit: float = LIMIT) -> None:
    """Wait until the table is empty; fail with who is left."""
    try:
        eventually(table.is_empty, "nothing is left", limit)
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{table.told()}") from None


def save(path: Path, text: str) -> None:
    """Save as an editor does that replaces the file's content in place."""
    path.write_text(text)


def template_of(run: Run) -> int:
    """The pid of the template: of the processes in a group of its own that no other one stands behind, the newest.

    The first of them is the supervisor's child; others may have become that when their parent ended. Those that
    were forked ahead begin with a guard.
    """
    found = {pid: status for pid in run.survivors() if (status := status_of(pid)) is not None}
    ours = [pid for pid, one in found.items() if one.parent == run.process.pid and pid != run.forkserver()]
    leader = next(pid for pid in ours if found[pid].group == pid != found[pid].session)
    template = max(pid for pid in ours if found[pid].group == leader)
    while True:
        below = [pid for pid, one in found.items() if one.parent == template and one.group == leader]
        below = [pid for pid in below if name_of(pid) != "reloader-guard"]
        if not below:
            return template
        template = max(below)


def settle(run: Run, path: Path) -> None:
    """Wait until everything that happened to the files before this call has been looked at.

    Needs `-v`. A changed mode is a hint without a difference; of two answers to two such hints, the
    second cannot be older than the first hint.
    """
    for mode in (0o600, 0o644):
        path.chmod(mode)
        run.err.wait_for("checked the files: |→ no restart")


def restarts(run: Run) -> int:
    """How many restarts have been told so far."""
    return len(re.findall("→ draining", run.err.text))
