"""Runs every system under a stream of tasks and many reloads, and writes what came of it into a table.

Each runs as it does without an option: where its preset says so, generations overlap, and then it is measured too
how soon after a save the new code has a task, while the old one is at a task of 20 s. With --no-overlap none does.

`python tests/integration/stream.py [--reloads N] [NAME]...`; the table is `docs/workers.json`, from which
`docs/refresh.py` makes that of the README.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from harness import Run
from systems import SYSTEMS, Fate
from workshop import LONG, READY, ROOT, Outcome, Servers, Workshop, saves_at_a_long_task, stream

RESULTS = ROOT / "docs" / "workers.json"
Result = TypeVar("Result")
# A task that is in flight while so many saves happen takes so long, in seconds.
SAVES, LASTS = 5, 20.0


def measure(name: str, reloads: int, overlap: bool, folder: Path) -> tuple[Outcome, list[float], str]:
    """One system; with the seconds from saves to the new code's first task, where that was measured, and with
    what was seen where something went wrong.
    """
    outcome, wrong = _with(name, folder, overlap, lambda shop, run: stream(shop, run, reloads, overlap))
    odd = sorted({*outcome.lost, *outcome.doubled})
    if odd or outcome.left or outcome.killed:
        wrong = f"{outcome}\n{wrong}"
    times: list[float] = []
    if overlap and SYSTEMS[name].fate is Fate.ENDS:
        times, more = _with(
            name, folder, overlap, lambda shop, run: saves_at_a_long_task(shop, run, SAVES, LASTS)
        )
        wrong += more
    return outcome, times, wrong


def _with(
    name: str, folder: Path, overlap: bool, work: Callable[[Workshop, Run], Result]
) -> tuple[Result, str]:
    """What the work on the worker at work comes to; and what was not well at the end."""
    runs: list[Run] = []

    def start(*arguments: str | bytes, **options: Any) -> Run:
        runs.append(Run(options.pop("folder"), *arguments, **options))
        return runs[-1]

    place = Path(tempfile.mkdtemp(dir=folder))
    servers = Servers(folder)
    shop = Workshop(SYSTEMS[name], place, servers, start)
    try:
        run = shop.start(*(() if overlap else ("--no-overlap",)))
        run.err.wait_for(READY, LONG)
        result = work(shop, run)
        run.send(signal.SIGINT)
        status = run.wait(2 * LONG)
        wrong = [f"exit status {status}"] if status else []
        wrong += [f"survives: {run.survivors()}"] if run.survivors() else []
        return result, "\n".join([*wrong, run.out.text, run.err.text] if wrong else [])
    finally:
        shop.close()
        for one in runs:
            one.close()
        servers.close()


def main() -> int:
    """Measure, print, store; 1 where anything was lost, doubled or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=3, help="how many side by side")
    parser.add_argument("--no-overlap", action="store_true", help="drain first, everywhere")
    parser.add_argument("--verbose", action="store_true", help="show the output where something was lost")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args()
    # A shell's & leaves it ignored, and what is started from here would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def beside(name: str) -> bool:
        return SYSTEMS[name].overlaps and not options.no_overlap

    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    folder = Path(tempfile.mkdtemp(prefix="reloader-stream-"))
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        futures = {
            pool.submit(measure, name, options.reloads, beside(name), folder): name for name in options.names
        }
        for future in as_completed(futures):
            name = futures[future]
            try:
                outcome, times, wrong = future.result()
            except (AssertionError, OSError) as error:
                print(f"{name}: {error}", flush=True)
                failed += 1
                continue
            print(
                f"{name}: lost {len(outcome.lost)}, put aside {len(outcome.kept)}, "
                f"doubled {len(outcome.doubled)}, left {len(outcome.left)}, killed {outcome.killed} "
                f"in {outcome.reloads} reloads, {outcome.tasks} tasks, {'overlap' if beside(name) else 'drained first'}"
                f"{', save to new code ' if times else ''}{', '.join(f'{one:.2f}' for one in times)}",
                flush=True,
            )
            if wrong and options.verbose:
                print(outcome, wrong, sep="\n")
            failed += bool(wrong) and SYSTEMS[name].fate is Fate.ENDS
            counted = {
                key: len(value) if isinstance(value, list) else value
                for key, value in asdict(outcome).items()
            }
            stored[name] = {
                **counted,
                "in flight": SYSTEMS[name].fate.value,
                "overlap": beside(name),
                "serves": round(statistics.median(times), 2) if times else None,
            }
            if not options.dry:
                ordered = {name: stored[name] for name in SYSTEMS if name in stored}
                RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")
    shutil.rmtree(folder)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
