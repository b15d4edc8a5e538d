"""Makes docs/pictures/timeline-*.svg: what ran when, while three saves met a long task, from a real run.

A consumer of jobs runs under `reloader --overlap`; one job takes long, files are saved meanwhile. Every
process and every job notes when it begins and ends; that is drawn, and nothing else.
"""

from __future__ import annotations

import html
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
LIMIT = 30.0
# Seconds that the long job takes, and when each version is saved, counted from when it began.
LONG = 5.0
SAVES = {2: 1.0, 3: 2.2, 4: 3.4}

WORKER = """
import os, pathlib, signal, sys, time
import task

def note(*words):
    with open("notes", "a") as file:
        print(time.time(), os.environ["RELOADER_GENERATION"], *words, file=file)

def stop(number, frame):
    note("stop")
    stopping.append(number)

stopping = []
signal.signal(signal.SIGINT, stop)
note("begins")
time.sleep(task.BOOT)
note("ready")
print("ready", flush=True)
while not stopping:
    for job in sorted(pathlib.Path("jobs").iterdir()):
        try:
            job.rename("taken/" + job.name)
        except FileNotFoundError:
            continue
        note("job", job.name)
        time.sleep(float(job.name.partition("-")[2]))
        note("done", job.name)
        break
    time.sleep(0.005)
note("ends")
"""

THEMES = {
    "dark": {"back": "#16181d", "text": "#d7dae0", "dim": "#8b929e", "grid": "#2c313a"}
    | {"start": "#e5c07b", "work": "#98c379", "drain": "#61afef", "job": "#56b6c2", "save": "#e06c75"},
    "light": {"back": "#fafafa", "text": "#383a42", "dim": "#6a6f7a", "grid": "#e1e4e8"}
    | {"start": "#c18401", "work": "#3a7d22", "drain": "#2f5fd0", "job": "#0f6f86", "save": "#c4281c"},
}
LEFT, WIDTH, ROW, TOP = 110, 620, 34, 46


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it took too long")
        time.sleep(0.01)


def run(folder: Path) -> list[tuple[float, str, list[str]]]:
    """What happened: when, in which generation (0 for a save), and what."""
    for name in ("jobs", "taken"):
        (folder / name).mkdir()
    (folder / "worker.py").write_text(WORKER)
    (folder / "task.py").write_text("VERSION = 1\nBOOT = 0.25\n")
    notes = folder / "notes"
    notes.touch()
    saved: list[tuple[float, str, list[str]]] = []
    reloader = Path(sys.executable).with_name("reloader")
    command = [str(reloader), "--overlap", "--ready", "^ready", "--", sys.executable, "worker.py"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: " ready" in notes.read_text())
        time.sleep(1.0)
        (folder / "jobs" / f"a-{LONG}").touch()
        wait_for(lambda: "job a" in notes.read_text())
        began = time.time()
        for version, after in SAVES.items():
            time.sleep(max(0.0, began + after - time.time()))
            (folder / "task.py").write_text(f"VERSION = {version}\nBOOT = 0.25\n")
            saved.append((time.time(), "0", ["save", str(version)]))
            ready = f" {version} ready"
            wait_for(lambda ready=ready: ready in notes.read_text())  # type: ignore[misc]
            (folder / "jobs" / f"{'abcd'[version - 1]}-0.3").touch()
        wait_for(lambda: "done a" in notes.read_text())
        wait_for(lambda: "1 ends" in notes.read_text())
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
    lines = [line.split() for line in notes.read_text().splitlines()]
    return sorted([*saved, *((float(at), number, words) for at, number, *words in lines)])


def draw(events: list[tuple[float, str, list[str]]], theme: str) -> str:
    """The timeline as a picture."""
    colours = THEMES[theme]
    first = min(at for at, _, words in events if words[0] == "ready")
    last = max(at for at, _, words in events if words == ["ends"])
    generations = sorted({number for _, number, _ in events if number != "0"}, key=int)
    height = TOP + ROW * len(generations) + 44

    def x(at: float) -> float:
        return LEFT + WIDTH * max(0.0, at - first) / (last - first)

    parts = [f'<rect width="{LEFT + WIDTH + 20}" height="{height}" fill="{colours["back"]}" rx="6"/>']

    def bar(begin: float, end: float, y: float, tall: float, colour: str) -> None:
        wide = max(1.5, x(end) - x(begin))
        parts.append(f'<rect x="{x(begin):.1f}" y="{y}" width="{wide:.1f}" height="{tall}" fill="{colour}"/>')

    def text(at: float, y: float, words: str, colour: str, anchor: str = "start") -> None:
        said = html.escape(words)
        parts.append(f'<text x="{at:.1f}" y="{y}" fill="{colour}" text-anchor="{anchor}">{said}</text>')

    bottom = TOP + ROW * len(generations)

    def line(at: float, colour: str, more: str = "") -> None:
        ends = f'x1="{at:.1f}" y1="{TOP - 8}" x2="{at:.1f}" y2="{bottom}"'
        parts.append(f'<line {ends} stroke="{colour}"{more}/>')

    for second in range(int(last - first) + 1):
        place = x(first + second)
        line(place, colours["grid"])
        text(place, bottom + 14, f"{second} s", colours["dim"], "middle")
    for row, number in enumerate(generations):
        own = {words[0]: at for at, of, words in events if of == number and len(words) == 1}
        y = TOP + ROW * row
        text(10, y + 15, f"worker.{number}", colours["text"])
        stop, end = own.get("stop", last), own.get("ends", last)
        bar(own["begins"], own["ready"], y + 4, 8, colours["start"])
        bar(own["ready"], stop, y + 4, 8, colours["work"])
        bar(stop, end, y + 4, 8, colours["drain"])
        jobs = {words[1]: at for at, of, words in events if of == number and words[0] == "job"}
        for at, of, words in events:
            if of == number and words[0] == "done":
                bar(jobs[words[1]], at, y + 15, 5, colours["job"])
    for at, number, _ in events:
        if number == "0":
            line(x(at), colours["save"], ' stroke-dasharray="3 3"')
            text(x(at), TOP - 14, "save", colours["save"], "middle")
    place = float(LEFT)
    for key, said in (("start", "starts"), ("work", "at work"), ("drain", "drains"), ("job", "a job")):
        parts.append(f'<rect x="{place}" y="{height - 20}" width="12" height="8" fill="{colours[key]}"/>')
        text(place + 17, height - 12, said, colours["text"])
        place += 110
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">{"".join(parts)}</svg>\n'
    )


def main() -> None:
    """Run it, and draw what came of it."""
    with tempfile.TemporaryDirectory(prefix="timeline-") as folder:
        events = run(Path(folder))
    for theme in THEMES:
        (PICTURES / f"timeline-{theme}.svg").write_text(draw(events, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
