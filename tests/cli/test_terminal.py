"""At a real pseudo-terminal: what the screen of a terminal emulator shows."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyte
import pytest
from harness import LIMIT, RELOADER, Run, eventually, name_of, save
from terminal import Terminal

Start = Callable[..., Run]
PYTHON = sys.executable
# Between two presses of one person, in seconds.
APART = 0.4
COLUMNS = 100


class Screen:
    """What a person sees of a run."""

    def __init__(self, terminal: Terminal, columns: int = COLUMNS) -> None:
        self.terminal = terminal
        self.columns = columns

    @property
    def emulated(self) -> pyte.Screen:
        """The screen as it is now."""
        screen = pyte.Screen(self.columns, 24)
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

    def begin(code: str, *options: str, command: Sequence[str] = (), columns: int = COLUMNS) -> Screen:
        (tmp_path / "worker.py").write_text(code)
        command = command or (PYTHON, "worker.py")
        terminals.append(Terminal(tmp_path, *options, "--", *command, columns=columns))
        return Screen(terminals[-1], columns)

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


def test_a_progress_bar_stays_on_its_line(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "while not os.path.exists('go'):\n"
        "    time.sleep(0.01)\n"
        "for part in range(5):\n"
        "    sys.stdout.write(f'\\r{part * 25:3} % ' + '#' * part); sys.stdout.flush(); time.sleep(0.02)\n"
        "print('\\nfinished', flush=True)\n" + FOREVER
    )
    screen = at_terminal(code)
    # A line of ours would end that of the bar.
    screen.wait_for("watching")
    (tmp_path / "go").touch()
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


def press_again(screen: Screen, keys: str) -> None:
    """Press the same key once more, later than anybody passes one press on."""
    threading.Event().wait(APART)
    press(screen, keys)


def _interrupted(screen: Screen) -> bool:
    """Press Ctrl-C once more; whether it drains."""
    press_again(screen, "\x03")
    return "draining worker" in screen.terminal.screen.text


def test_keys(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("import os; print('up', os.environ['RELOADER_GENERATION'])" + FOREVER)
    screen.wait_for("up 1")
    screen.wait_for("watching")
    press(screen, "s")
    screen.wait_for("up for")
    # The line may be wider than the screen, which breaks it at any place.
    eventually(lambda: "),generation1" in "".join(screen.lines).replace(" ", ""), "the generation is told")
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
    screen.terminal.screen.wait_for("generation 1, watching is paused")
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
    # A line of ours may have come in between.
    screen.wait_for("bob quit")
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
    press(screen, "c\n")
    eventually(lambda: screen.terminal.screen.text.count("\x1b[0m went on") == 2, "it goes on")
    press(screen, "\x03")
    # The debugger takes the stop signal for a wish to look around.
    eventually(lambda: screen.terminal.screen.text.count("Program interrupted") == 2, "it has the signal")
    press_again(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == -signal.SIGINT


def test_a_restart_waits_until_a_prompt_is_left(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal(PROMPT + FOREVER)
    screen.wait_for("who are you?")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("worker waits for input → it restarts after that")
    assert "draining" not in screen.terminal.screen.text
    press(screen, "bob\n")
    screen.wait_for("hello bob")
    screen.wait_for("version 2")
    press(screen, "x\n")
    screen.wait_for("hello x")
    end(screen)


READS_ALL_DAY = {
    "a thread": (
        "import sys, threading\nthreading.Thread(target=sys.stdin.readline, daemon=True).start()\n"
        "print('up', flush=True)"
    ),
    "raw mode": "import sys, threading, tty\ntty.setraw(0)\nprint('up', flush=True)\nsys.stdin.read()",
    "the alternate screen": (
        "import sys, tty\ntty.setraw(0)\nprint('\\x1b[?1049h\\x1b[H up > ', end='', flush=True)\nsys.stdin.read()"
    ),
    "a thread beside progress": (
        "import sys, threading\nthreading.Thread(target=sys.stdin.readline, daemon=True).start()\n"
        "print('up\\n\\r  0 %\\r  9 %', end='', flush=True)"
    ),
    "a filter that tells its version": "import sys\nprint('version 2', flush=True)\nsys.stdin.read()",
    "nobody asked": "import sys\nopen('/dev/null').read()\nsys.stdin.read()",
}


@pytest.mark.parametrize("how", READS_ALL_DAY)
def test_a_worker_that_reads_all_day_asks_nobody(
    how: str, at_terminal: Callable[..., Screen], tmp_path: Path
) -> None:
    """Seen to fail, for ever, where every read held a save."""
    screen = at_terminal(READS_ALL_DAY[how] + FOREVER)
    screen.terminal.screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.terminal.screen.wait_for("task.py.* added → draining worker")
    eventually(lambda: screen.terminal.screen.text.count("worker started") == 2, "it is up again")
    assert "waits for input" not in screen.terminal.screen.text
    os.write(screen.terminal.fd, b"\x03")
    assert screen.terminal.process.wait(LIMIT) == 0
    assert "Ctrl-C went to" not in screen.terminal.screen.text


ASKS = {
    "a question on a line of its own": "print('who are you?', flush=True)\nprint('hello', input())",
    "without echo": "import getpass\nprint('hello', getpass.getpass('who are you?'))",
    "a line editor": "import readline\nprint('hello', input('who are you? '))",
}


@pytest.mark.parametrize("how", ASKS)
def test_a_worker_that_asks_is_left_alone(
    how: str, at_terminal: Callable[..., Screen], tmp_path: Path
) -> None:
    screen = at_terminal(ASKS[how] + FOREVER)
    screen.wait_for("who are you?")
    screen.wait_for("watching")
    restarted(screen, tmp_path)
    screen.wait_for("hint: a change after 60 s restarts it all the same")
    press(screen, "bob\n")
    screen.wait_for("hello bob")
    screen.wait_for("added → draining worker")


def test_a_question_once_answered_behind_a_shell_with_job_control_holds_nothing_more(
    at_terminal: Callable[..., Screen], tmp_path: Path
) -> None:
    """Seen to fail where whatever was typed made the worker the shell's job, for ever."""
    (tmp_path / "asking.py").write_text("print('hello', input('who are you? '))" + FOREVER)
    command = ("bash", "--norc", "-ic", f"{sys.executable} asking.py; true")
    screen = at_terminal("", command=command)
    screen.wait_for("who are you?")
    press(screen, "bob\n")
    screen.wait_for("hello bob")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.terminal.screen.wait_for("task.py.* added → draining")


def test_a_question_through_a_terminal_in_between(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    """`script` has the worker's terminal in raw mode all day; what it passes on tells whether somebody asks."""
    if shutil.which("script") is None:
        pytest.skip("script is not installed")
    command = ["script", "-qec", f"{PYTHON} worker.py", "/dev/null"]
    screen = at_terminal("print('hello', input('who are you? '), flush=True)" + FOREVER, command=command)
    screen.wait_for("who are you?")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("waits for input → it restarts after that")
    press(screen, "quit\r")
    screen.wait_for("hello quit")
    # Nobody asks now: keys are ours.
    screen.wait_for("added → draining")
    eventually(lambda: screen.terminal.screen.text.count("who are you?") == 2, "it asks again")
    press(screen, "bob\r")
    screen.wait_for("hello bob")
    press(screen, "q")
    assert screen.terminal.process.wait(LIMIT) == 0


def test_a_sequence_holds_no_keys(at_terminal: Callable[..., Screen]) -> None:
    """Of each of these a letter was a key: c, R and r, q, k, p."""
    screen = at_terminal("print('up')" + FOREVER)
    screen.wait_for("watching")
    for sequence in (
        *(
            "\x1b[?62;22c",
            "\x1b[24;80R",
            "\x1b]11;rgb:0000/qrkp\x1b\\",
            "\x1bP1+r524742=8\x1b\\",
            "\x1b[Mqrk",
        ),
        *("\x1bq", "\x1bk", "\x1b[1;5q", "\x1bOq", "\x1b[200~quit\nrk\x1b[201~", "\x1b[<0;1;1M"),
    ):
        for part in (sequence[:1], sequence[1:2], sequence[2:]):
            press(screen, part)
    press(screen, "h")
    screen.wait_for("Ctrl-C drains and quits")
    text = screen.terminal.screen.text
    assert "draining" not in text
    assert "paused" not in text
    assert "\x1b[2J" not in text
    end(screen)


def test_an_answer_of_the_terminal_goes_to_the_worker_that_asked(
    at_terminal: Callable[..., Screen],
) -> None:
    """It may come while the worker does something else."""
    code = (
        "import os, select, sys, tty\ntty.setcbreak(0)\n"
        "import termios\nmodes = termios.tcgetattr(0)\nmodes[3] |= termios.ICANON\n"
        "termios.tcsetattr(0, termios.TCSANOW, modes)\n"
        "print('\\x1b[6nasked', flush=True)\n"
        "while not os.path.exists('answered'): pass\n"
        "tty.setcbreak(0, termios.TCSANOW)\nprint('got', ascii(os.read(0, 100)), flush=True)\n"
    )
    screen = at_terminal(code + FOREVER)
    screen.wait_for("asked")
    press(screen, "\x1b[24;")
    press(screen, "80Rh")
    # The last of it was a key, and ours: what came before has been dealt with.
    screen.wait_for("Ctrl-C drains and quits")
    folder = Path(f"/proc/{screen.terminal.process.pid}/cwd").resolve()
    (folder / "answered").touch()
    screen.wait_for(r"got b'\x1b[24;80R'")
    os.kill(screen.terminal.process.pid, signal.SIGTERM)
    assert screen.terminal.process.wait(LIMIT) == 0


@pytest.mark.parametrize("setting", [["TERM=dumb"], ["-u", "TERM"]])
def test_prompts_and_keys_where_the_terminal_can_do_little(tmp_path: Path, setting: list[str]) -> None:
    (tmp_path / "worker.py").write_text("print('hello', input('who are you? '))" + FOREVER)
    env = shutil.which("env")
    assert env
    screen = Screen(Terminal(tmp_path, *setting, RELOADER, "--", PYTHON, "worker.py", program=env))
    try:
        screen.wait_for("who are you?")
        press(screen, "bob\n")
        screen.wait_for("hello bob")
        press(screen, "c")
        press(screen, "q")
        assert screen.terminal.process.wait(LIMIT) == 0
        assert "\x1b[2J" not in screen.terminal.screen.text
        screen.terminal.nothing_is_left()
    finally:
        screen.terminal.close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Screen]:
    """An interactive bash."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    terminal = Terminal(tmp_path, "--norc", "--noprofile", "-i", program=bash, columns=COLUMNS)
    screen = Screen(terminal)
    press(screen, "PS1='read''y> '\n")
    terminal.screen.wait_for("ready> ")
    yield screen
    terminal.close()


def test_a_prompt_after_a_start_in_the_background_and_fg(shell: Screen, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("print('hello', input('who are you? '))" + FOREVER)
    press(shell, f"{RELOADER} -- {PYTHON} worker.py &\n")
    shell.wait_for("watching")
    press(shell, "fg\n")
    shell.terminal.screen.wait_for("worker.py\r")
    supervisor = next(pid for pid in shell.terminal.table.look() if name_of(pid) == "reloader")
    eventually(lambda: not termios.tcgetattr(shell.terminal.fd)[3] & termios.ICANON, "keys are read")
    press(shell, "bob\n")
    shell.wait_for("hello bob")
    press(shell, "q")
    eventually(lambda: name_of(supervisor) != "reloader", "it has ended")
    shell.terminal.screen.wait_for("ready> ")


def test_a_new_size_while_suspended_is_the_workers_when_it_goes_on(shell: Screen, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(
        "import os, time\nprint('up', flush=True)\nwas = now = os.get_terminal_size(0).columns\n"
        "while was == now:\n    time.sleep(0.05)\n    now = os.get_terminal_size(0).columns\n"
        "print('now', now, flush=True)" + FOREVER
    )
    press(shell, f"{RELOADER} -- {PYTHON} worker.py\n")
    shell.wait_for("watching")
    press(shell, "\x1a")
    shell.terminal.screen.wait_for("Stopped")
    fcntl.ioctl(shell.terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    press(shell, "fg\n")
    shell.terminal.screen.wait_for(f"now {60 - len('reloader | ')}")
    press(shell, "q")
    shell.terminal.screen.wait_for("worker ended")


def test_what_a_script_starts_in_the_background_says_how_to_end_it(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("print('up')" + FOREVER)
    script = f"{RELOADER} -- {PYTHON} worker.py & wait"
    screen = Screen(Terminal(tmp_path, "-c", script, program="/bin/sh"))
    try:
        screen.wait_for("Ctrl-C is ignored here")
        pid = int(screen.terminal.screen.wait_for(r"kill (\d+) ends the run")[1])
        screen.terminal.screen.wait_for("watching")
        os.kill(pid, signal.SIGTERM)
        screen.terminal.process.wait(LIMIT)
        screen.terminal.nothing_is_left()
    finally:
        screen.terminal.close()


@pytest.fixture
def into_a_pipe(tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Runs a worker with this code at a terminal, its standard output going through `cat`."""
    terminals: list[Terminal] = []

    def begin(code: str, *options: str) -> Screen:
        (tmp_path / "worker.py").write_text(code)
        words = ("sh", RELOADER, *options, "--", PYTHON, "worker.py")
        terminals.append(Terminal(tmp_path, "-c", '"$@" | cat', *words, program="/bin/sh", columns=COLUMNS))
        return Screen(terminals[-1])

    yield begin
    for terminal in terminals:
        terminal.close()


def leave(screen: Screen) -> None:
    """Ctrl-C would end `cat` as well."""
    press(screen, "q")
    assert screen.terminal.process.wait(LIMIT) == 0
    screen.terminal.nothing_is_left()


def test_a_worker_whose_output_goes_elsewhere_reads_what_is_typed(
    into_a_pipe: Callable[..., Screen], tmp_path: Path
) -> None:
    """Seen to fail where it reads from /dev/null, and with a terminal that is not the session's (/dev/tty)."""
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    code = (
        "import getpass, sys, task\n"
        "print('version', task.VERSION, sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())\n"
        "print('hello', input('who are you? '))\n"
        "print(getpass.getpass('secret? ')[::-1])" + FOREVER
    )
    screen = into_a_pipe(code)

    def asked(prompt: str, times: int) -> None:
        eventually(lambda: screen.terminal.screen.text.count(prompt) == times, f"{prompt} {times}")

    for version in (1, 2):
        screen.wait_for(f"version {version} True False False")
        asked("worker   | who are you?", version)
        if version == 1:
            restarted(screen, tmp_path)
        press(screen, f"bob {version}\n")
        # The newline that was typed went past the pipe.
        screen.wait_for(f"hello bob {version}")
        asked("secret?", version)
        press(screen, f"word{version}\n")
        screen.wait_for(f"worker   | {version}drow")
        assert f"word{version}" not in screen.terminal.screen.text
    # What is typed has no prefix: it stands behind the prompt.
    assert "worker   | bob" not in screen.terminal.screen.text
    leave(screen)


def test_a_debugger_where_the_output_goes_elsewhere(
    into_a_pipe: Callable[..., Screen], tmp_path: Path
) -> None:
    screen = into_a_pipe("breakpoint()\nopen('gone on', 'w').close()" + FOREVER)
    screen.wait_for("(Pdb)")
    press(screen, "p 20 + 1\n")
    # What is typed and what the worker prints reach the terminal by two ways, in either order.
    screen.wait_for("21")
    press(screen, "c\n")
    eventually((tmp_path / "gone on").exists, "it goes on")
    # What the debugger leaves behind takes the first stop signal for a wish to look around.
    press(screen, "q")
    screen.wait_for("Program interrupted")
    press(screen, "k")
    assert screen.terminal.process.wait(LIMIT) == 0
    screen.terminal.nothing_is_left()


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


def test_the_terminals_modes_are_put_back_where_the_output_goes_elsewhere(
    into_a_pipe: Callable[..., Screen],
) -> None:
    """Seen to fail with a guard that puts them back where standard output leads."""
    screen = into_a_pipe("print('up')" + FOREVER)
    terminal = screen.terminal

    def reads_lines() -> bool:
        return bool(termios.tcgetattr(terminal.fd)[3] & termios.ICANON)

    screen.wait_for("up")
    eventually(lambda: not reads_lines(), "keys are read one by one")
    (supervisor,) = (pid for pid in terminal.table.look() if name_of(pid) == "reloader")
    os.kill(supervisor, signal.SIGKILL)
    terminal.process.wait(LIMIT)
    eventually(reads_lines, "lines are read again")
    terminal.nothing_is_left()


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_help_breaks_no_line(at_terminal: Callable[..., Screen], columns: int) -> None:
    screen = at_terminal("print('up')" + FOREVER, columns=columns)
    screen.wait_for("up")
    press(screen, "h")
    last = screen.wait_for("Ctrl-C drains and quits")
    for line in screen.emulated.display[last - 4 : last + 1]:
        assert line.startswith("reloader | ")
        assert len(line.rstrip()) <= columns
    assert screen.emulated.display[last].rstrip().endswith("press twice")
    end(screen)


def test_enter_shows_an_empty_line(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("print('up')" + FOREVER)
    screen.wait_for("up")
    screen.wait_for("watching")
    used = screen.emulated.cursor.y
    press(screen, "\n\n")
    eventually(lambda: screen.emulated.cursor.y == used + 2, "there are two empty lines")
    assert not any(line.strip() for line in screen.emulated.display[used : used + 2])
    end(screen)


def test_the_status_tells_what_is_held_back(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal("import task; print('version', task.VERSION)" + FOREVER)
    screen.wait_for("version 1")
    screen.wait_for("watching")
    save(tmp_path / "task.py", "VERSION = 2\nVERSION = (\n")
    screen.wait_for("task.py changed, but task.py:2 cannot be compiled")
    press(screen, "s")
    screen.terminal.screen.wait_for("generation 1, .*task.py.* changed and held back: the code is broken")
    end(screen)


# --- what is used at a terminal -------------------------------------------------------------------


def restarted(screen: Screen, tmp_path: Path) -> None:
    """Change the code of a worker that reads; it restarts once it goes on."""
    save(tmp_path / "task.py", "VERSION = 2\n")
    screen.wait_for("waits for input → it restarts after that")


def test_ctrl_c_and_ctrl_d_at_a_prompt_are_the_workers(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import time\n"
        "for turn in (1, 2):\n"
        "    try:\n        input(f'prompt {turn}> ')\n"
        "    except (KeyboardInterrupt, EOFError) as error:\n        print('got', type(error).__name__)\n"
    )
    screen = at_terminal(code + FOREVER)
    screen.wait_for("prompt 1>")
    press(screen, "\x03")
    screen.wait_for("got KeyboardInterrupt")
    screen.wait_for("Ctrl-C went to worker, which waits for input")
    screen.wait_for("prompt 2>")
    press(screen, "\x04")
    screen.wait_for("got EOFError")
    assert "draining" not in screen.terminal.screen.text
    press_again(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == 0


def test_ctrl_c_twice_at_a_prompt_ends(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("breakpoint()\nprint('went on')" + FOREVER)
    screen.wait_for("(Pdb)")
    press(screen, "\x03")
    screen.wait_for("--KeyboardInterrupt--")

    # Two with a second between them are two wishes of the worker's.
    eventually(lambda: _interrupted(screen), "it drains")
    press_again(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == -signal.SIGINT
    screen.terminal.nothing_is_left()


def test_a_kill_is_no_ctrl_c_where_the_worker_does_not_read(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("print('up')" + FOREVER)
    screen.wait_for("up")
    os.kill(screen.terminal.process.pid, signal.SIGINT)
    assert screen.terminal.process.wait(LIMIT) == 0


def test_ipdb(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    screen = at_terminal(
        "import ipdb, task\nprint('begin', task.VERSION)\nipdb.set_trace()\nprint('went on', task.VERSION)"
        + FOREVER
    )
    for version in (1, 2):
        screen.wait_for(f"begin {version}")
        eventually(lambda: any(line.endswith("ipdb>") for line in screen.lines[-4:]), "the debugger waits")
        press(screen, f"p task.VERSION + {100 * version}\r")
        screen.wait_for(f"| {100 * version + version}")
        if version == 1:
            screen.wait_for("watching")
            restarted(screen, tmp_path)
        press(screen, "c\r")
    screen.wait_for("went on 2")
    # The debugger has taken Ctrl-C, as by hand, and the stop signal with it.
    press(screen, "\x03")
    screen.wait_for("Program interrupted")
    press_again(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == -signal.SIGINT


def test_ipython(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("VERSION = 1\n")
    code = (
        "import os, task\nos.environ['IPYTHONDIR'] = os.path.abspath('.ipython')\n"
        "import IPython\nprint('begin', task.VERSION)\nIPython.embed(banner1='')\nprint('went on', task.VERSION)\n"
    )
    screen = at_terminal(code + FOREVER)
    for version in (1, 2):
        screen.wait_for(f"begin {version}")
        eventually(lambda: re.search(r"In .*1.*:", "\n".join(screen.lines[-4:])), "the shell waits")
        press(screen, f"1 + task.VERSIONX\x7f + {100 * version}\r")
        eventually(
            lambda version=version: any(  # type: ignore[misc]
                line.endswith(f"]: {100 * version + version + 1}") for line in screen.lines
            ),
            "it has answered",
        )
        # It empties the line, as by hand.
        press(screen, "rubbish\x03")
        if version == 1:
            screen.wait_for("watching")
            restarted(screen, tmp_path)
        press(screen, "exit\r")
        if version == 2:
            screen.wait_for("went on 2")
    end(screen)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_with_job_control(at_terminal: Callable[..., Screen], shell: str) -> None:
    options = {"sh": ["-i"], "bash": ["--norc", "--noprofile", "-i"]}[shell]
    screen = at_terminal("", "-n", "shell", command=["env", "PS1=ready> ", "ENV=", shell, *options])
    for generation in (1, 2):
        # Our own lines may come behind the prompt.
        eventually(lambda: any(line.endswith("| ready>") for line in screen.lines[-4:]), "the shell waits")
        assert "no job control" not in screen.terminal.screen.text
        press(screen, f"echo a$((20 + {generation}))b $RELOADER_GENERATIONx\x7f\n")
        screen.wait_for(f"| a{20 + generation}b {generation}")
        # A job in the foreground is interrupted, and not the shell.
        press(screen, "sleep 1000\n")
        eventually(lambda: _runs(screen, "sleep"), "the job runs")
        press_again(screen, "\x03")
        eventually(lambda: not _runs(screen, "sleep"), "the job is gone")
        screen.terminal.screen.wait_for(r"\^C\s[^$]*ready> $")
        if generation == 1:
            press(screen, "exit\n")
            screen.wait_for("waiting for a change")
            press(screen, "r")
    press(screen, "exit\n")
    eventually(lambda: screen.terminal.screen.text.count("waiting for a change") == 2, "the shell has ended")
    press_again(screen, "\x03")
    assert screen.terminal.process.wait(LIMIT) == 0


def _runs(screen: Screen, name: str) -> bool:
    """Whether the worker has a process of that name."""
    return any(name_of(pid) == name for pid in screen.terminal.table.look())


def test_tqdm(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import time\nfrom tqdm import tqdm\n"
        "for _ in tqdm(range(30), desc='work', colour='green'): time.sleep(0.02)\n"
        "print('finished', flush=True)\n"
    )
    screen = at_terminal(code + FOREVER)
    screen.wait_for("finished")
    bars = [line for line in screen.lines if "work:" in line]
    assert len(bars) == 1
    assert bars[0].startswith("worker   | work: 100%|")
    assert "30/30" in bars[0]
    assert len(bars[0]) <= COLUMNS
    assert screen.terminal.screen.text.count("work:") > 5, "it was drawn while it went on"
    end(screen)


def test_a_drain_is_told_in_one_line_that_changes(at_terminal: Callable[..., Screen]) -> None:
    code = (
        "import signal\nsignal.signal(signal.SIGINT, lambda *_: print('got it'))\nprint('up', flush=True)\n"
    )
    screen = at_terminal(code + FOREVER, "-t", "none")
    screen.wait_for("up")
    press(screen, "r")
    screen.wait_for("still draining worker after 1 s")
    screen.wait_for("still draining worker after 2 s")
    told = [line for line in screen.lines if "still draining" in line]
    assert len(told) == 1
    press(screen, "k")
    screen.wait_for("killing worker")
    assert not [line for line in screen.lines if "still draining" in line]
    eventually(lambda: screen.terminal.screen.text.count(" up\r") == 2, "it is up again")
    press(screen, "q")
    screen.wait_for("draining worker (pid")
    press(screen, "k")
    assert screen.terminal.process.wait(LIMIT) == 1


# --- colours, bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["always", "never"])
def test_a_colour_leaks_neither_into_a_prefix_nor_into_our_lines(
    at_terminal: Callable[..., Screen], color: str
) -> None:
    code = "import os, time\nos.write(1, b'\\x1b[31;7mred\\nplain\\n\\x1b[32m10 %\\r20 %\\n\\x1b[1mlast')\n"
    screen = at_terminal(code + FOREVER, "--color", color)
    screen.wait_for("| last")
    screen.wait_for("watching")
    press(screen, "s")
    screen.wait_for("up for")
    cells = screen.emulated.buffer
    width = len("worker   | ")
    colours = {cells[row][column].fg for row in range(24) for column in range(width)}
    assert all(cells[row][column].fg != "red" for row in range(24) for column in range(width))
    assert not any(cells[row][column].reverse for row in range(24) for column in range(width))
    assert (colours == {"default"}) is (color == "never")
    plain = screen.wait_for("| plain")
    assert cells[plain][width].fg == "default"
    status = screen.wait_for("up for")
    assert not cells[status][width].bold
    end(screen)


def test_prefixes_are_in_one_colour_and_our_lines_told_apart(at_terminal: Callable[..., Screen]) -> None:
    screen = at_terminal("print('up')" + FOREVER)
    worker, watching = screen.wait_for("| up"), screen.wait_for("watching")
    press(screen, "r")
    strong = screen.wait_for("restart asked")
    cells = screen.emulated.buffer
    prefix = {cells[worker][column].fg for column in range(len("worker   |"))}
    assert len(prefix) == 1
    assert prefix != {"default"}
    assert cells[strong][0].bold
    assert not cells[watching][0].bold
    assert "\x1b[0;2mreloader | watching" in screen.terminal.screen.text, "what is routine is dim"
    end(screen)


def test_nul_bytes_and_a_long_line_at_a_terminal(at_terminal: Callable[..., Screen]) -> None:
    code = "import os\nos.write(1, b'a\\0b\\xff\\n')\nprint('x' * 1_000_000 + 'end of it')\nprint('next')"
    screen = at_terminal(code + FOREVER)
    screen.terminal.screen.wait_for("end of it")
    screen.terminal.screen.wait_for("next")
    data = bytes(screen.terminal.screen.data)
    assert b"a\0b\xff\r\n" in data
    assert data.count(b"x") >= 1_000_000
    end(screen)


def test_timestamps_at_a_terminal_are_of_one_width_and_come_again_after_a_return(
    at_terminal: Callable[..., Screen],
) -> None:
    code = "import sys\nsys.stdout.write('one\\n10 %\\r20 %\\r30 %\\n'); sys.stdout.flush()"
    screen = at_terminal(code + FOREVER, "--timestamps")
    screen.wait_for("30 %")
    stamp = r"\d\d:\d\d:\d\d\.\d\d\d "
    for line in screen.lines:
        assert re.match(rf"{stamp}(worker  |reloader) \| ", line), line
    assert [line.partition("| ")[2] for line in screen.lines if "%" in line] == ["30 %"]
    end(screen)


def links_in(screen: Screen) -> list[tuple[str, str]]:
    """Where each link leads, and what stands there."""
    raw = bytes(screen.terminal.screen.data).decode()
    return re.findall(r"\x1b\]8;;([^\x1b]+)\x1b\\([^\x1b]*)\x1b\]8;;\x1b\\", raw)


def test_paths_are_links(at_terminal: Callable[..., Screen], tmp_path: Path) -> None:
    screen = at_terminal("import os\nprint('up', os.environ['RELOADER_GENERATION'])" + FOREVER)
    screen.wait_for("up 1")
    screen.wait_for("watching .")
    save(tmp_path / "wor king.py", "VERSION = 2\n")
    screen.wait_for("wor king.py added")
    screen.wait_for("up 2")
    save(tmp_path / "worker.py", "\n\nif\n")
    screen.wait_for("worker.py:3 cannot be compiled")
    place = f"file://{os.uname().nodename}{tmp_path}"
    assert links_in(screen) == [
        (place, "."),
        (f"{place}/wor%20king.py", "wor king.py"),
        (f"{place}/worker.py", "worker.py"),
        (f"{place}/worker.py#3", "worker.py:3"),
    ]
    end(screen)


@pytest.mark.parametrize("setting", ["TERM=linux", "NO_COLOR=1"])
def test_where_the_terminal_may_not_know_links_there_are_none(tmp_path: Path, setting: str) -> None:
    (tmp_path / "worker.py").write_text("import time\ntime.sleep(600)\n")
    env = shutil.which("env")
    assert env
    screen = Screen(Terminal(tmp_path, setting, RELOADER, "--", PYTHON, "worker.py", program=env))
    try:
        screen.wait_for("watching .")
        os.write(screen.terminal.fd, b"\x03")
        assert screen.terminal.process.wait(LIMIT) == 0
        assert b"\x1b]8" not in bytes(screen.terminal.screen.data)
        screen.terminal.nothing_is_left()
    finally:
        screen.terminal.close()
        screen.terminal.hang_up()


def test_below_a_process_manager_colours_follow_its_terminal(tmp_path: Path) -> None:
    honcho = str(Path(PYTHON).with_name("honcho"))
    (tmp_path / "Procfile").write_text(f"w: {RELOADER} --on-exit quit -- {PYTHON} -c \"print('up')\"\n")
    terminal = Terminal(tmp_path, "start", program=honcho, columns=COLUMNS)
    try:
        terminal.process.wait(LIMIT)
        terminal.screen.wait_for(r"\x1b\[0;1mreloader \| python ended by itself")
        assert re.search(r"w\.1 +\| \x1b\[0mup", terminal.screen.text), "and there is no second prefix"
    finally:
        terminal.close()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    result = subprocess.run(
        [honcho, "start"], cwd=tmp_path, env=environment, capture_output=True, timeout=LIMIT, check=True
    )
    assert b"reloader | python ended by itself" in result.stdout
    assert b"\x1b" not in result.stdout


# --- the modes of our terminal --------------------------------------------------------------------

RAW = """
import sys, termios, tty
tty.setraw(0)
print("raw", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_the_terminals_modes_are_put_back_while_the_worker_is_in_raw_mode(
    at_terminal: Callable[..., Screen], number: int
) -> None:
    screen = at_terminal(RAW + FOREVER)
    before = _modes_of_a_shell(screen)
    screen.wait_for("raw")
    os.kill(screen.terminal.process.pid, number)
    screen.terminal.process.wait(LIMIT)
    eventually(lambda: termios.tcgetattr(screen.terminal.fd) == before, "the modes are as they were")
    screen.terminal.nothing_is_left()


def test_a_worker_that_is_killed_in_raw_mode_leaves_our_terminal_and_the_next_its_own(
    at_terminal: Callable[..., Screen],
) -> None:
    code = "import termios\nprint('lines', bool(termios.tcgetattr(0)[3] & termios.ICANON), flush=True)" + RAW
    screen = at_terminal(code + "import os; print('pid', os.getpid(), flush=True)" + FOREVER)
    before = _modes_of_a_shell(screen)
    ours = termios.tcgetattr(screen.terminal.fd)
    pid = int(screen.terminal.screen.wait_for(r"pid (\d+)")[1])
    os.kill(pid, signal.SIGKILL)
    screen.wait_for("crashed")
    assert termios.tcgetattr(screen.terminal.fd) == ours
    press(screen, "r")
    eventually(lambda: screen.terminal.screen.text.count("lines True") == 2, "the next one begins with lines")
    os.kill(screen.terminal.process.pid, signal.SIGTERM)
    assert screen.terminal.process.wait(LIMIT) in (0, 1)
    assert termios.tcgetattr(screen.terminal.fd) == before


def _modes_of_a_shell(screen: Screen) -> list[object]:
    """What the modes were before; a terminal begins with the system's."""
    import pty

    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(ours)
    os.close(ours)
    os.close(theirs)
    eventually(lambda: termios.tcgetattr(screen.terminal.fd) != modes, "keys are read one by one")
    return modes
