"""Makes docs/pictures: real runs of real workers, as a dark and a light terminal show them.

Each runs under reloader at a pseudo-terminal; files are saved, keys are pressed. What came out is fed to a
terminal emulator, and its screen is drawn; nothing is written by hand but the line of the shell.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char

HERE = Path(__file__).parent
COLUMNS, ROWS = 104, 40
# Seconds that whatever is waited for may take at most.
LIMIT = 30.0

FONT, ADVANCE, LINE, MARGIN = 14, 8.43, 21, 18
FAMILY = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"
# As the emulator calls them.
NAMED = ("red", "green", "brown", "blue", "magenta", "cyan")
THEMES = {
    name: dict(zip(("background", "plain", "bold", "dim", *NAMED), colours.split(), strict=True))
    for name, colours in {
        "dark": "#16181d #d7dae0 #ffffff #8b929e #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2",
        "light": "#fafafa #383a42 #000000 #6a6f7a #c4281c #3a7d22 #8f6200 #2f5fd0 #a626a4 #0f6f86",
    }.items()
}


class Recording:
    """A run at a terminal, and all that has come of it."""

    def __init__(self, folder: Path, command: str) -> None:
        self.command = command
        self.folder = folder
        environment = dict(os.environ) | {"TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.chdir(folder)
            os.execvpe("reloader", command.split(), environment)
        self.data = b""
        self._seen = 0

    def wait_for(self, pattern: str) -> None:
        """Read until the pattern has come after what was waited for last."""
        deadline = time.monotonic() + LIMIT
        while not (found := re.compile(pattern.encode()).search(self.data, self._seen)):
            if not select.select((self.fd,), (), (), max(0.0, deadline - time.monotonic()))[0]:
                raise SystemExit(f"it did not come: {pattern!r} in\n{self.data.decode()}")
            self._read()
        self._seen = found.end()

    def wait_for_template(self) -> None:
        """Wait until the next start is warm."""
        deadline = time.monotonic() + LIMIT
        status = [str(Path(sys.executable).with_name("reloader")), "status", "--json"]
        while True:
            told = subprocess.run(status, cwd=self.folder, check=True, capture_output=True)
            if json.loads(told.stdout)["status"]["template"]["state"] == "ready":
                return
            if time.monotonic() > deadline:
                raise SystemExit("there is no template")

    def save(self, name: str, text: str) -> None:
        """Save a file of the project."""
        (self.folder / name).write_text(text)

    def press(self, key: bytes) -> None:
        """Type at the terminal."""
        os.write(self.fd, key)

    def end(self) -> None:
        """Read until the end."""
        while self._read():
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _read(self) -> bool:
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            chunk = b""  # the other side of the terminal is closed
        self.data += chunk
        return bool(chunk)


# --- the runs -------------------------------------------------------------------------------------


def restart(base: Path) -> tuple[str, bytes]:
    """The example of django-q2 through one restart to its end."""
    folder = base / "shop"
    shutil.copytree(HERE / "examples" / "qcluster", folder, ignore=shutil.ignore_patterns("*.sqlite3*"))
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=folder, check=True)
    run = Recording(folder, "reloader -- python manage.py qcluster")
    run.wait_for("ready in .*\n")
    run.wait_for_template()
    tasks = (folder / "shop" / "tasks.py").read_text()
    run.save("shop/tasks.py", tasks.replace('"v1"', '"v2"'))
    run.wait_for("ended after .*\n")
    run.press(b"\x03")
    run.end()
    return run.command, run.data


WORKER = """\
import signal, sys, time
from tqdm import tqdm
import tasks

stopping = []
signal.signal(signal.SIGINT, lambda *_: stopping.append(1))
print("\\x1b[32mINFO\\x1b[0m up, with", tasks.VERSION)
for _ in tqdm(range(40), desc="resizing", unit=" photos", ncols=84):
    time.sleep(0.02)
print("\\x1b[33mWARNING\\x1b[0m 17.jpg has no colour profile", file=sys.stderr)
while not stopping:
    time.sleep(0.05)
print("\\x1b[32mINFO\\x1b[0m one more photo is in flight")
time.sleep(60)
"""


def drain(base: Path) -> tuple[str, bytes]:
    """A progress bar, an error that holds, and the moment in which a drain is told."""
    folder = base / "photos"
    folder.mkdir()
    (folder / "worker.py").write_text(WORKER)
    (folder / "tasks.py").write_text("VERSION = 'thumbnails v1'\n")
    run = Recording(folder, "reloader -t 60s -n photos -- python worker.py")
    run.wait_for("colour profile")
    run.save("tasks.py", "VERSION = 'thumbnails v2'\ndef resize(photo:\n    return photo\n")
    run.wait_for("hint: a save .*\n")
    run.save("tasks.py", "VERSION = 'thumbnails v2'\n")
    run.wait_for("in flight")
    run.wait_for("after 3 s [^\n]* %")
    shown = run.data
    run.press(b"qk")
    run.end()
    return run.command, shown


RUNS: dict[str, tuple[Callable[[Path], tuple[str, bytes]], str]] = {
    "restart": (restart, "A restart, as a terminal shows it"),
    "drain": (drain, "A held error and a drain, as a terminal shows them"),
}


# --- drawing --------------------------------------------------------------------------------------


def screen_of(command: str, data: bytes) -> pyte.Screen:
    """What an emulator shows. It knows no dim letters: they are slanted for it."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1m$\x1b[0m {command}\r\n".encode())
    stream.feed(data.replace(b"\x1b[0;2m", b"\x1b[0;3m"))
    return screen


def draw(screen: pyte.Screen, theme: dict[str, str], title: str) -> str:
    """The screen as SVG, as far as anything is on it."""
    rows = [[screen.buffer[row][column] for column in range(COLUMNS)] for row in range(ROWS)]
    while rows and not "".join(cell.data for cell in rows[-1]).strip():
        rows.pop()
    used = max(len("".join(cell.data for cell in row).rstrip()) for row in rows)
    width, height = used * ADVANCE + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">',
        f'<rect width="100%" height="100%" rx="8" fill="{theme["background"]}"/>',
        f'<g font-family="{FAMILY}" font-size="{FONT}" fill="{theme["plain"]}" xml:space="preserve">',
    ]
    for number, row in enumerate(rows):
        parts += _texts(row[:used], MARGIN + number * LINE + FONT, theme)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _texts(row: list[Char], y: int, theme: dict[str, str]) -> Iterator[str]:
    """The row's pieces of one style, each at its own column."""
    for style, cells in groupby(enumerate(row), lambda numbered: _style(numbered[1], theme)):
        found = list(cells)
        text = "".join(cell.data for _, cell in found)
        if text.strip():
            x = MARGIN + found[0][0] * ADVANCE
            length = f'textLength="{len(text) * ADVANCE:.1f}" lengthAdjust="spacingAndGlyphs"'
            yield f'<text x="{x:.1f}" y="{y}" {length}{style}>{html.escape(text)}</text>'


def _style(cell: Char, theme: dict[str, str]) -> str:
    if cell.fg != "default":
        colour = theme.get(cell.fg) or f"#{cell.fg}"
    else:
        colour = theme["dim" if cell.italics else "bold" if cell.bold else "plain"]
    weight = ' font-weight="bold"' if cell.bold else ""
    return weight + (f' fill="{colour}"' if colour != theme["plain"] else "")


def main() -> None:
    """Run everything, and write every picture."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for name, (make, title) in RUNS.items():
        with tempfile.TemporaryDirectory() as base:
            screen = screen_of(*make(Path(base)))
        for theme, colours in THEMES.items():
            (folder / f"{name}-{theme}.svg").write_text(draw(screen, colours, title), encoding="utf-8")


if __name__ == "__main__":
    main()
