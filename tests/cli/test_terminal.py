"""At a real pseudo-terminal: what the screen of a terminal emulator shows."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from harness import LIMIT, Run, eventually, save
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable
COLUMNS = 100


class Screen:
    """What a person sees of a run."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    @property
    def emulated(self) -> pyte.Screen:
        """The screen as it is now."""
        screen = pyte.Screen(COLUMNS, 24)
        pyte.ByteStream(screen).feed(bytes(self.terminal.screen.data))
        return screen

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self.emulated.display if line.strip()]

    def wait_for(self, text: str) -> int:
        """Wait until a line contains the text; its number on the screen."""
        eventually(lambda: any(text in line for line in self.emulated.display), f"{text!r} on the screen")
        return next(number for number, line in enumerate(self.emulated.display) if text in line)


@pytest.fixture
def at_terminal(tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Runs a worker with this code at a terminal."""
    terminals: list[Terminal] = []

    def begin(code: str, *options: str) -> Screen:
        (tmp_path / "worker.py").write_text(code)
        terminals.append(Terminal(tmp_path, *options, "--", PYTHON, "worker.py", columns=COLUMNS))
        return Screen(terminals[-1])

    yield begin
    try:
        for terminal in terminals:
            if terminal.process.poll() is not None:
                terminal.nothing_is_left()
    finally:
        for terminal in terminals:
            terminal.close()


def end(screen: Screen) -> None:
    """Ask for the end as a person does, and find that nothing is left."""
    os.write(screen.terminal.fd, b"\x03")
    assert screen.terminal.process.wait(LIMIT) == 0
    screen.terminal.nothing_is_left()


FOREVER = "\nimport time\nwhile True:\n    time.sleep(60)\n"


def test_the_worker_has_a_terminal_and_colours(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import os, sys\n"
        "print('terminal', sys.stdout.isatty(), sys.stderr.isatty(), os.get_terminal_size(1).columns)\n"
        "open('/dev/tty', 'w').write('my own\\n')\n"
        "print('\\x1b[31mred')\n"
        "print('plain')\n" + FOREVER
    )
    screen = at_terminal(code)
    prefix = len("reloader | ")
    screen.wait_for(f"worker   | terminal True True {COLUMNS - prefix}")
    screen.wait_for("worker   | my own")
    red, plain = screen.wait_for("| red"), screen.wait_for("| plain")
    cells = screen.emulated.buffer
    assert cells[red][prefix].fg == "red"
    # What the worker leaves open leaks neither into the prefix nor into the next line.
    assert cells[plain][0].fg != "red"
    assert cells[plain][prefix].fg == "default"
    end(screen)


def test_no_terminal_where_none_is_wanted(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("import sys; print('terminal', sys.stdout.isatty())" + FOREVER, "--tty", "never")
    screen.wait_for("terminal False")
    end(screen)


def test_a_terminal_where_ours_is_none(project: Path, start: Start) -> None:
    (project / "worker.py").write_text("import sys; print('terminal', sys.stdout.isatty())" + FOREVER)
    run = start("--tty", "always", "--", PYTHON, "worker.py")
    run.out.wait_for("terminal True\n")
    assert run.stop() == 0


def test_a_change_of_the_size_is_passed_on(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print('now', os.get_terminal_size(1).columns, flush=True))\n"
        "print('up', flush=True)\n" + FOREVER
    )
    screen = at_terminal(code)
    screen.wait_for("up")
    fcntl.ioctl(screen.terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    screen.wait_for(f"now {60 - len('reloader | ')}")
    end(screen)


def test_a_progress_bar_stays_on_its_line(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import sys, time\n"
        "for part in range(5):\n"
        "    sys.stdout.write(f'\\r{part * 25:3} % ' + '#' * part); sys.stdout.flush(); time.sleep(0.02)\n"
        "print('\\nfinished', flush=True)\n" + FOREVER
    )
    screen = at_terminal(code)
    screen.wait_for("finished")
    assert [line for line in screen.lines if "%" in line] == ["worker   | 100 % ####"]
    end(screen)


def test_a_restart_at_a_terminal(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal("import task; print('version', task.VERSION)" + FOREVER)
    screen.wait_for("version 1")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("version 2")
    screen.wait_for("task.py changed → draining worker")
    end(screen)


def test_the_end_of_a_terminals_worker_is_told_to_the_last_byte(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("for n in range(2000): print('line', n)\nraise SystemExit(3)\n")
    screen.wait_for("line 1999")
    screen.wait_for("worker crashed at its start (exit status 3)")
    text = screen.terminal.screen.text
    assert [f"line {n}\r" in text for n in range(2000)].count(False) == 0
    os.kill(screen.terminal.process.pid, signal.SIGTERM)
    assert screen.terminal.process.wait(LIMIT) == 0


# --- keys and prompts -----------------------------------------------------------------------------


def press(screen: Screen, keys: str) -> None:
    """Type as a person does."""
    os.write(screen.terminal.fd, keys.encode())


def test_keys(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("import os; print('up', os.environ['RELOADER_GENERATION'])" + FOREVER)
    screen.wait_for("up 1")
    screen.wait_for("watching")
    press(screen, "h")
    screen.wait_for("r restart, k kill now")
    press(screen, "s")
    screen.wait_for("generation 1, for")
    press(screen, "r")
    screen.wait_for("restart asked → draining worker")
    screen.wait_for("up 2")
    press(screen, "c")
    eventually(lambda: "up 2" not in "\n".join(screen.lines), "the screen is cleared")
    press(screen, "q")
    assert screen.terminal.process.wait(LIMIT) == 0


def test_pausing(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal("import task; print('version', task.VERSION)" + FOREVER, "-v")
    screen.wait_for("watching")
    press(screen, "p")
    screen.wait_for("watching is paused; p resumes it")
    save(tmp_path / "task.py", "VERSION = 2\n")
    press(screen, "s")
    screen.wait_for("watching is paused\n".strip())
    assert "draining" not in screen.terminal.screen.text
    press(screen, "p")
    screen.wait_for("watching goes on")
    screen.wait_for("version 2")
    end(screen)


def test_a_drain_can_be_cut_short(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: print('got it'))\nprint('up', flush=True)"
        + FOREVER
    )
    screen = at_terminal(code)
    screen.wait_for("up")
    press(screen, "r")
    screen.wait_for("got it")
    press(screen, "k")
    screen.wait_for("killing worker")
    eventually(lambda: screen.terminal.screen.text.count(" up\r") == 2, "it is up again")
    press(screen, "q")
    screen.terminal.screen.wait_for("got it")
    press(screen, "k")
    assert screen.terminal.process.wait(LIMIT) == 1


PROMPT = """
import task
print("version", task.VERSION, flush=True)
name = input("who are you? ")
print("hello", name, flush=True)
"""


def test_what_is_typed_goes_to_the_worker_that_reads(
    at_terminal: Callable[..., Screen], tmp_path: Path
) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal(PROMPT + FOREVER)
    screen.wait_for("who are you?")
    press(screen, "bobx\x7f quit\n")
    screen.wait_for("| who are you? bob quit")
    screen.wait_for("hello bob quit")
    press(screen, "q")
    assert screen.terminal.process.wait(LIMIT) == 0


def test_a_debugger_before_and_after_a_restart(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal(
        "import task\nprint('version', task.VERSION)\nbreakpoint()\nprint('went on')" + FOREVER
    )
    screen.wait_for("(Pdb)")
    press(screen, "p task.VERSION + 41\n")
    screen.wait_for("| 42")
    press(screen, "c\n")
    screen.wait_for("went on")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("version 2")
    eventually(lambda: screen.terminal.screen.text.count("(Pdb)") >= 3, "the debugger waits again")
    press(screen, "p task.VERSION + 41\n")
    screen.wait_for("| 43")
    # The debugger takes the stop signal for a wish to look around.
    press(screen, "\x03")
    screen.terminal.screen.wait_for("Ctrl-C again kills it")
    press(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == -signal.SIGINT


def test_a_restart_waits_until_a_prompt_is_left(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal(PROMPT + FOREVER)
    screen.wait_for("who are you?")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("worker waits for input → it restarts once it goes on")
    assert "draining" not in screen.terminal.screen.text
    press(screen, "bob\n")
    screen.wait_for("hello bob")
    screen.wait_for("version 2")
    press(screen, "x\n")
    screen.wait_for("hello x")
    end(screen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_terminals_modes_are_put_back(at_terminal: Callable[..., Screen], number: int) -> None:
    """By the supervisor, and by the guard, which does it whatever the supervisor has done.

    Seen to fail with a guard that does not (SIGKILL), and with both that do not (SIGTERM).
    """
    screen = at_terminal("print('up')" + FOREVER)
    terminal = screen.terminal

    def reads_lines() -> bool:
        return bool(termios.tcgetattr(terminal.fd)[3] & termios.ICANON)

    screen.wait_for("up")
    eventually(lambda: not reads_lines(), "keys are read one by one")
    os.kill(terminal.process.pid, number)
    terminal.process.wait(LIMIT)
    eventually(reads_lines, "lines are read again")
    terminal.nothing_is_left()
