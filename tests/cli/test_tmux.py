"""What a person sees in a real terminal, tmux: it is given back as it was, and what is drawn stays whole."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from harness import COLD, LIMIT, RELOADER, eventually, name_of, nothing_is_left, save
from processes import ProcessTable

PYTHON = sys.executable

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

# What tmux tells of its screen, and how that is when a terminal begins.
STATE = {
    "alternate_on": "0",
    "cursor_flag": "1",
    "insert_flag": "0",
    "keypad_cursor_flag": "0",
    "keypad_flag": "0",
    "mouse_any_flag": "0",
    "mouse_sgr_flag": "0",
    "origin_flag": "0",
    "scroll_region_upper": "0",
    "scroll_region_lower": "23",
    "wrap_flag": "1",
}
# All of it changed, and the character set, the attributes, and what tmux tells nothing about.
CHANGED = (
    b"\\x1b[?1049h\\x1b[?25l\\x1b[4h\\x1b[?1h\\x1b=\\x1b[?1003h\\x1b[?1006h\\x1b[?2004h\\x1b[?1004h\\x1b[3;9r\\x1b[?7l"
    b"\\x1b[31m\\x1b[5;5Hfull screen\\x1b(0"
).decode()
TAKES_OVER = f"""
import os, time, task
os.write(1, b"version %d\\n" % task.VERSION)
if task.VERSION == 1:
    os.write(1, b"{CHANGED}")
while True:
    time.sleep(60)
"""


class Tmux:
    """A window of 100 columns and 24 rows, in which a shell runs the command, then says OVER."""

    def __init__(self, folder: Path, *words: str) -> None:
        mark = uuid.uuid4().hex
        self.table = ProcessTable(mark)
        self._name = f"reloader-{mark}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RELOADER", "TMUX"))}
        environment |= COLD | {"MARK": mark}
        environment.pop("NO_COLOR", None)
        shell = f"{shlex.join((RELOADER, *words))}; echo OVER; exec sleep 600"
        command = ("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "24", "-c", str(folder), shell)
        self._ask(*command, env=environment)

    def _ask(self, *words: str, env: dict[str, str] | None = None) -> str:
        command = ("tmux", "-L", self._name, *words)
        found = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=env, check=True)
        return found.stdout

    @property
    def lines(self) -> list[str]:
        """The lines on the screen that are not empty."""
        self.table.look()
        return [line.rstrip() for line in self._ask("capture-pane", "-p").splitlines() if line.strip()]

    @property
    def state(self) -> dict[str, str]:
        """The modes of the terminal."""
        shown = self._ask("display-message", "-p", " ".join(f"#{{{name}}}" for name in STATE))
        return dict(zip(STATE, shown.split(), strict=True))

    def wait_for(self, pattern: str) -> None:
        """Wait until a line matches."""
        try:
            eventually(lambda: any(re.search(pattern, line) for line in self.lines), pattern)
        except AssertionError as error:
            raise AssertionError(f"{error} in\n" + "\n".join(self.lines)) from None

    def press(self, keys: str) -> None:
        """Type as a person does."""
        self._ask("send-keys", keys)

    def supervisor(self) -> int:
        """The pid of the command."""
        return next(pid for pid in self.table.look() if name_of(pid) == "reloader")

    def end(self) -> None:
        """Ask for the end, and find the terminal as it was."""
        self.press("q")
        self.wait_for("^OVER$")
        assert self.state == STATE

    def close(self) -> None:
        """Close the window."""
        self._ask("kill-server")
        try:
            nothing_is_left(self.table, LIMIT)
        finally:
            self.table.kill()


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    """Runs a worker with this code, or this command, in a window of tmux."""
    windows: list[Tmux] = []

    def begin(code: str, *options: str, command: Sequence[str] = ()) -> Tmux:
        (tmp_path / "task.py").write_text("VERSION = 1\n")
        (tmp_path / "worker.py").write_text(code)
        windows.append(Tmux(tmp_path, *options, "--", *(command or (PYTHON, "worker.py"))))
        return windows[-1]

    yield begin
    for one in windows:
        one.close()


# --- the terminal is given back -------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-prefix"], ["--tty", "never"]], ids=" ".join)
def test_the_next_generation_has_the_terminal_as_it_was(
    window: Callable[..., Tmux], tmp_path: Path, options: list[str]
) -> None:
    tmux = window(TAKES_OVER, *options)
    tmux.wait_for("full screen")
    changed = tmux.state
    assert all(changed[name] != value for name, value in STATE.items() if name != "origin_flag")
    save(tmp_path / "task.py", "VERSION = 2\n")
    tmux.wait_for("version 2")
    assert tmux.state == STATE
    assert not any("full screen" in line for line in tmux.lines)
    # What was on the screen before is there again, and what came meanwhile is told.
    tmux.wait_for("version 1")
    tmux.wait_for("task.py changed → draining")
    tmux.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_is_killed_the_terminal_is_given_back(window: Callable[..., Tmux], number: int) -> None:
    """By the supervisor at its end; by the guard where the supervisor was killed."""
    tmux = window(TAKES_OVER)
    tmux.wait_for("full screen")
    os.kill(tmux.supervisor(), number)
    # The shell goes on while the guard still drains, and may do so before the screen is given back.
    tmux.wait_for("reloader itself was killed" if number == signal.SIGKILL else "^OVER$")
    eventually(lambda: tmux.state == STATE, f"the terminal as it was, not {tmux.state}")
    eventually(lambda: "version 1" in " ".join(tmux.lines), "what was on the screen before")


@pytest.mark.parametrize("program", ["vim", "less"])
def test_a_full_screen_program_that_is_killed(
    window: Callable[..., Tmux], tmp_path: Path, program: str
) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    (tmp_path / "text").write_text("".join(f"line {number} of the text\n" for number in range(100)))
    tmux = window("", "-n", "screen", command=[found, "text"])
    tmux.wait_for("^line 0 of the text")
    tmux.wait_for("^line 15 of the text")
    eventually(lambda: tmux.state["alternate_on"] == "1", "it has the alternate screen")
    (pid,) = (pid for pid in tmux.table.look() if name_of(pid) == program)
    os.kill(pid, signal.SIGKILL)
    tmux.wait_for("screen crashed")
    assert tmux.state == STATE
    assert not any("of the text" in line for line in tmux.lines)
    os.kill(tmux.supervisor(), signal.SIGTERM)
    tmux.wait_for("^OVER$")
    assert tmux.state == STATE


def test_a_suspended_run_gives_the_terminal_back_and_takes_it_again(tmp_path: Path) -> None:
    """Under a shell with job control, as Ctrl-Z and `fg` do it."""
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    (tmp_path / "worker.py").write_text(TAKES_OVER)
    run = shlex.join([RELOADER, "--", PYTHON, "worker.py"])
    (tmp_path / "suspended.sh").write_text(f"set -m\n{run}\necho SUSPENDED\nsleep 1\nread line\nfg\n")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    tmux = Tmux(tmp_path, "--version")
    try:
        tmux.wait_for("^OVER$")
        tmux._ask(
            "respawn-pane", "-k", "-c", str(tmp_path), f"{bash} suspended.sh; echo OVER; exec sleep 600"
        )
        tmux.wait_for("full screen")
        tmux.press("C-z")
        tmux.wait_for("SUSPENDED")
        assert tmux.state == STATE
        tmux.press("Enter")
        eventually(lambda: tmux.state["alternate_on"] == "1", "the worker has the terminal again")
        assert tmux.state["cursor_flag"] == "0"
        os.kill(tmux.supervisor(), signal.SIGTERM)
        tmux.wait_for("^OVER$")
        assert tmux.state == STATE
    finally:
        tmux.close()


# --- what is drawn again and again ----------------------------------------------------------------

PROGRESS = """
import time
from rich.progress import Progress
print("up", flush=True)
with Progress() as progress:
    first, second = progress.add_task("first", total=None), progress.add_task("second", total=None)
    while not __import__("os").path.exists("enough"):
        time.sleep(0.05)
        progress.console.print("printed above") if not progress.tasks[0].completed else None
        progress.advance(first)
print("done", flush=True)
"""
LIVE = """
import os, time
from rich.live import Live
print("up", flush=True)
with Live("", refresh_per_second=20) as live:
    step = 0
    while not os.path.exists("enough"):
        time.sleep(0.02)
        step += 1
        live.update(f"first {step}\\nthird\\nsecond {step}")
print("done", flush=True)
"""
BLOCK = """
import os, sys, time
print("up", flush=True)
step = 0
while step < 3 or not os.path.exists("enough"):
    up = "\\x1b[3A" if step else ""
    sys.stdout.write(f"{up}\\x1b[2K\\rfirst {step}\\n\\x1b[1G\\x1b[Kthird\\n\\x1b[2Ksecond {step}\\x1b[K\\x1b[G\\n")
    sys.stdout.flush()
    time.sleep(0.05)
    step += 1
print("done", flush=True)
"""


@pytest.mark.parametrize("code", [PROGRESS, LIVE, BLOCK], ids=["rich.progress", "rich.live", "docker"])
def test_our_lines_stand_outside_of_what_is_drawn(
    window: Callable[..., Tmux], tmp_path: Path, code: str
) -> None:
    """Twice while it goes on without a pause, and once more when it is over.

    Seen to fail where ours begin a new line wherever the cursor is.
    """
    tmux = window(code + "time.sleep(600)\n", "-n", "draw", "-t", "none")
    tmux.wait_for("second")
    for times in (1, 2):
        tmux.press("s")
        eventually(lambda times=times: _count(tmux, "up for") == times, "the status")  # type: ignore[misc]
    (tmp_path / "enough").touch()
    tmux.wait_for(r"^draw     \| done")
    assert _count(tmux, "up for") == 2
    assert _count(tmux, r"^draw     \| first") == 1
    assert _count(tmux, r"^draw     \| second") == 1
    # What is drawn stands in one piece, with a prefix before each line, and ours above it.
    first = next(at for at, line in enumerate(tmux.lines) if re.match(r"draw     \| first", line))
    block = tmux.lines[first : tmux.lines.index("draw     | done")]
    assert len(block) == (2 if code is PROGRESS else 3), tmux.lines
    assert all(line.startswith("draw     | ") for line in block)
    tmux.end()


def _count(tmux: Tmux, pattern: str) -> int:
    return sum(bool(re.search(pattern, line)) for line in tmux.lines)


def test_a_drawing_worker_is_restarted_in_the_middle(window: Callable[..., Tmux], tmp_path: Path) -> None:
    tmux = window("import task\nprint('version', task.VERSION)\n" + PROGRESS)
    tmux.wait_for("second")
    save(tmp_path / "task.py", "VERSION = 2\n")
    tmux.wait_for("version 2")
    tmux.wait_for("task.py changed → draining")
    tmux.end()


def test_control_strings_with_newlines_pass_in_one_piece(window: Callable[..., Tmux]) -> None:
    """A title, and what the terminal knows nothing of; nothing of it is on the screen."""
    strings = r"\x1b]2;a title\x1b\\\x1bPq\n#0\n\x1b\\\x1b_G\nline\n\x1b\\\x1b^p\n\nm\x1b\\\x1bX\nsos\x1b\\"
    code = f"import os, time\nos.write(1, b'before{strings}behind\\nnext\\n')\ntime.sleep(600)\n"
    tmux = window(code)
    tmux.wait_for(r"^worker   \| beforebehind$")
    tmux.wait_for(r"^worker   \| next$")
    assert _count(tmux, "line|sos|#0") == 0
    tmux.end()
