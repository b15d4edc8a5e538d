"""How often, and how far apart, one Ctrl-C arrives below each process manager: `python tests/benchmarks/echoes.py`.

A listener stands where `reloader` would. The terminal sends SIGINT to all of its foreground, and many a manager
sends it, or another signal, once more. The table is in Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fronts import MANAGERS, PYTHON, MissingError, Place
from harness import LIMIT, eventually
from terminal import Terminal

# Notes when each signal comes, in seconds; ends so long after the first one.
LISTENER = """
import os, select, signal, sys, time
woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
arrivals = open("../arrivals", "a", buffering=1)
print("ready", file=arrivals)
until = None
while until is None or (left := until - time.monotonic()) > 0:
    if select.select([woken], [], [], None if until is None else left)[0]:
        now = time.monotonic()
        until = until or now + float(sys.argv[1])
        for number in os.read(woken, 64):
            print(signal.Signals(number).name, now, file=arrivals)
"""


def listen(folder: Path, manager: str, seconds: float) -> list[tuple[str, float]]:
    """The signals that one Ctrl-C becomes: their names, and when each came."""
    place = Place(folder, MANAGERS[manager], f"{PYTHON} listener.py {seconds}")
    (place.folder / "listener.py").write_text(LISTENER)
    arrivals = folder / "arrivals"
    program, *words = place.command
    terminal = Terminal(place.folder, *words, program=program)
    try:
        eventually(arrivals.exists, "the listener is ready")
        eventually(arrivals.read_text, "the listener is ready")
        terminal.table.look()
        os.write(terminal.fd, b"\x03")
        terminal.process.wait(LIMIT + seconds)
        terminal.nothing_is_left()
    finally:
        terminal.close()
    lines = [line.split() for line in arrivals.read_text().splitlines()[1:]]
    return [(name, float(at)) for name, at in lines]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MANAGERS), metavar="NAME")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long the listener takes to end")
    options = parser.parse_args()
    print(
        "| manager | one Ctrl-C becomes | SIGINT again after: median, slowest | last of all after, slowest |"
    )
    print("| --- | --- | ---: | ---: |", flush=True)
    for name in options.names:
        kinds: set[str] = set()
        again: list[float] = []
        last = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for number in range(options.times):
                try:
                    came = listen(Path(folder) / str(number), name, options.seconds)
                except MissingError as error:
                    kinds.add(str(error))
                    break
                kinds.add(", ".join(signal for signal, _ in came))
                again += [at - came[0][1] for signal, at in came[1:] if signal == came[0][0]]
                last = max(last, came[-1][1] - came[0][1])
        same = f"{1000 * sorted(again)[len(again) // 2]:.0f}, {1000 * max(again):.0f} ms" if again else "–"
        print(f"| {name} | {' / '.join(sorted(kinds))} | {same} | {1000 * last:.0f} ms |", flush=True)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
