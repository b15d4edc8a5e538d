"""As a unit of a real systemd: the manager of a user, which needs no boot, in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import LIMIT, RELOADER, eventually, nothing_is_left
from processes import ProcessTable

PYTHON = sys.executable
PLACES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
# It runs only where this folder is there, as it is on a machine that it has booted.
MANAGER = 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec "$0" --user --log-target=console'
UNIT = """
[Service]
WorkingDirectory={folder}
Environment=MARK={mark}
ExecStart={reloader} -- {python} worker.py
KillMode={mode}
TimeoutStopSec={patience}
StandardOutput=append:{out}
StandardError=append:{out}
"""


class Systemd:
    """A manager, its units and what they have started."""

    def __init__(self, program: str, folder: Path) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="systemd-"))  # a socket's path must be short
        self.folder = folder
        mark = uuid.uuid4().hex
        self.table = ProcessTable(mark)
        self._mark = mark
        (self.place / "systemd" / "user").mkdir(parents=True)
        own = {"XDG_RUNTIME_DIR": str(self.place), "XDG_CONFIG_HOME": str(self.place)}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(self.place), **own}
        self.log = self.place / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", MANAGER, program],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def runs(self) -> bool:
        """Whether it answers, or has given up."""
        return self.process.poll() is not None or bool(self.ctl("show", "--property=Version"))

    def ctl(self, *words: str) -> str:
        """What systemctl answers."""
        entered = ["nsenter", "--mount", "--target", str(self.process.pid)]
        command = [*entered, "systemctl", "--user", *words]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True).stdout.strip()

    def start(self, mode: str, patience: float) -> tuple[str, Path]:
        """Start a unit; its name, and the file with all that it prints."""
        name = f"reloader-{mode}-{patience:g}-{os.getpid()}"
        out = self.place / f"{name}.out"
        out.touch()
        (self.place / "systemd" / "user" / f"{name}.service").write_text(
            UNIT.format(
                folder=self.folder,
                mark=self._mark,
                reloader=RELOADER,
                python=PYTHON,
                mode=mode,
                patience=patience,
                out=out,
            )
        )
        self.ctl("start", name)
        return name, out

    def result_of(self, name: str) -> str:
        """What became of the unit; empty while it has not ended."""
        shown = dict(line.partition("=")[::2] for line in self.ctl("show", name).splitlines())
        return shown["Result"] if shown.get("ActiveState") in ("inactive", "failed") else ""

    def close(self) -> None:
        """End it with all its units."""
        if self.process.poll() is None:
            self.ctl("exit")
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.table.kill()
        shutil.rmtree(self.place)


@pytest.fixture
def systemd(stubborn: Path) -> Iterator[Systemd]:
    """One that runs; skips the test where that cannot be."""
    program = next(filter(os.path.exists, PLACES), None)
    if program is None or shutil.which("systemctl") is None:
        pytest.skip("systemd is not installed")
    if os.geteuid() != 0:
        pytest.skip("a mount namespace of its own is for root")
    manager = Systemd(program, stubborn)
    try:
        eventually(manager.runs, "systemd runs")
        if manager.process.poll() is not None:
            pytest.skip(f"systemd does not run here: {manager.log.read_text().strip()[-200:]}")
        yield manager
    finally:
        manager.close()


def stopped(systemd: Systemd, mode: str, patience: float, release: Path | None) -> tuple[str, str]:
    """Start a unit, stop it, and let its task end where there is a file for that; its result, and what was printed."""
    name, out = systemd.start(mode, patience)

    def comes(text: str) -> None:
        eventually(lambda: text in out.read_text(), f"{text!r} is printed")

    comes("ready")
    systemd.table.look()
    systemd.ctl("stop", "--no-block", name)
    comes("got SIG")
    if release is not None:
        comes("draining")
        release.touch()
    eventually(lambda: systemd.result_of(name), "the unit has ended")
    nothing_is_left(systemd.table)
    return systemd.result_of(name), out.read_text()


def test_a_unit_drains_and_one_that_does_not_in_time_leaves_nothing(systemd: Systemd, stubborn: Path) -> None:
    """All in one test, since managers would share their control groups.

    Seen to fail without a handler for SIGTERM, and, with control-group, with a guard that hears it.
    """
    for mode in ("mixed", "control-group"):
        result, text = stopped(systemd, mode, 1, None)
        assert result == "timeout"
        assert "drained" not in text
        result, text = stopped(systemd, mode, 4 * LIMIT, stubborn / "release")
        assert result == "success"
        assert "drained" in text
        assert "guard was killed" not in text
        (stubborn / "release").unlink()
