"""Makes docs/restart.svg: a real restart of a real worker, as a terminal shows it.

The example project runs under reloader at a pseudo-terminal, a file is saved, Ctrl-C is pressed. What
came out is drawn; nothing of it is written by hand but the two lines of the shell.
"""

from __future__ import annotations

import html
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
COMMAND = "reloader -- python manage.py qcluster"
# What must come, in this order, before each step; seconds that it may take at most.
READY = rb"ready in"
LIMIT = 30.0

FONT = 14
ADVANCE = 8.43
LINE = 21
MARGIN = 18
BACKGROUND, PLAIN, DIM = "#16181d", "#d7dae0", "#8b929e"
COLOURS = {
    32: "#98c379",
    33: "#e5c07b",
    34: "#61afef",
    35: "#c678dd",
    36: "#56b6c2",
    92: "#b5e890",
    94: "#7cc4ff",
    95: "#e08ef5",
    96: "#7fe0ec",
}
SGR = re.compile(r"\x1b\[([\d;]*)m")


def record() -> str:
    """Run the example through one restart; everything that came to the terminal."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "shop")
        shutil.copytree(HERE / "examples" / "qcluster", folder, ignore=shutil.ignore_patterns("*.sqlite3*"))
        environment = dict(os.environ) | {"TERM": "xterm-256color", "FORCE_COLOR": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        subprocess.run(["python", "manage.py", "migrate", "-v0"], cwd=folder, env=environment, check=True)
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe("reloader", COMMAND.split(), environment)
        shown = _until(fd, b"", READY)
        tasks = folder / "shop" / "tasks.py"
        tasks.write_text(tasks.read_text().replace('"v1"', '"v2"'))
        shown = _until(fd, shown, READY + rb".*drain")
        os.write(fd, b"\x03")
        shown = _until(fd, shown, None)
        os.waitpid(pid, 0)
        os.close(fd)
        return shown.decode()


def _until(fd: int, shown: bytes, pattern: bytes | None) -> bytes:
    """Read until the pattern has come and its line has ended, or (None) until the end."""
    deadline = time.monotonic() + LIMIT
    while pattern is None or not re.search(pattern + rb".*\n", shown):
        if not select.select((fd,), (), (), deadline - time.monotonic())[0]:
            raise SystemExit(f"it did not come: {pattern!r} in\n{shown.decode()}")
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            chunk = b""  # the other side of the terminal is closed
        if not chunk:
            break
        shown += chunk
    return shown


def draw(shown: str) -> str:
    """The text with its colours as SVG."""
    lines = [f"\x1b[1m$\x1b[0m {COMMAND}", *shown.replace("\r\n", "\n").rstrip("\n").split("\n")]
    width = max(len(SGR.sub("", line)) for line in lines) * ADVANCE + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="A restart, as a terminal shows it">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{FONT}" '
        f'fill="{PLAIN}" xml:space="preserve">',
    ]
    for number, line in enumerate(lines):
        y = MARGIN + number * LINE + FONT
        parts.append(f'<text x="{MARGIN}" y="{y}">{_spans(line)}</text>')
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _spans(line: str) -> str:
    pieces = SGR.split(line)
    style = ""
    spans = [html.escape(pieces[0])]
    for codes, text in zip(pieces[1::2], pieces[2::2], strict=True):
        for code in codes.split(";"):
            number = int(code or 0)
            if number == 0:
                style = ""
            elif number == 1:
                style += ' font-weight="bold" fill="#ffffff"'
            elif number == 2:
                style += f' fill="{DIM}"'
            elif number in COLOURS:
                style += f' fill="{COLOURS[number]}"'
        if text:
            spans.append(f"<tspan{style}>{html.escape(text)}</tspan>")
    return "".join(spans)


if __name__ == "__main__":
    (HERE / "restart.svg").write_text(draw(record()), encoding="utf-8")
