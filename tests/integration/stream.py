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
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from harness import Run
from systems import BEHIND, SYSTEMS, Fate
from workshop import LONG, READY, ROOT, Outcome, Servers, Workshop, saves_at_a_long_task, stream

RESULTS = ROOT / "docs" / "workers.json"
Result = TypeVar("Result")
ALL = SYSTEMS | BEHIND
# A task that is in flight while so many saves happen takes so long, in seconds.
SAVES, LASTS = 5, 20.0


def measure(name: str, reloads: int, overlap: bool, folder: Path) -> tuple[Outcome, str]:
    """One system under a stream; with what was seen where something went wrong."""
    outcome, wrong = _with(name, folder, overlap, lambda shop, run: stream(shop, run, reloads, overlap))
    if outcome.lost or outcome.doubled or outcome.left or outcome.killed:
        wrong = f"{outcome}\n{wrong}"
    return outcome, wrong


def measure_saves(name: str, alone: threading.Lock, folder: Path) -> list[float]:
    """The seconds from saves to the new code's first task, while the old one is at a long task.

    Raises AssertionError where that task, or another, was not done once.
    """
    times, wrong = _with(
        name, folder, True, lambda shop, run: saves_at_a_long_task(shop, run, SAVES, LASTS, alone, True)
    )
    assert not wrong, wrong
    return times


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
    shop = Workshop(ALL[name], place, servers, start)
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
    parser.add_argument("names", nargs="*", default=list(ALL), metavar="NAME")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=3, help="how many side by side")
    parser.add_argument("--no-overlap", action="store_true", help="drain first, everywhere")
    parser.add_argument("--verbose", action="store_true", help="show the output where something was lost")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args()
    # A shell's & leaves it ignored, and what is started from here would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def beside(name: str) -> bool:
        return ALL[name].overlaps and not options.no_overlap

    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}

    def store() -> None:
        if not options.dry:
            ordered = {name: stored[name] for name in ALL if name in stored}
            RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")

    folder = Path(tempfile.mkdtemp(prefix="reloader-stream-"))
    failed = 0
    # The servers end with the last who asks them, and that is not one who pauses between two systems.
    with closing(Servers(folder)), ThreadPoolExecutor(options.jobs) as pool:
        futures = {
            pool.submit(measure, name, options.reloads, beside(name), folder): name for name in options.names
        }
        for future in as_completed(futures):
            name = futures[future]
            try:
                outcome, wrong = future.result()
            except (AssertionError, OSError) as error:
                print(f"{name}: {error}", flush=True)
                failed += 1
                continue
            print(
                f"{name}, {'overlap' if beside(name) else 'drained first'}: lost {len(outcome.lost)}, "
                f"put aside {len(outcome.kept)}, doubled {len(outcome.doubled)}, left {len(outcome.left)}, "
                f"killed {outcome.killed} in {outcome.reloads} reloads, {outcome.tasks} tasks",
                flush=True,
            )
            if wrong and options.verbose:
                print(wrong)
            failed += bool(wrong) and ALL[name].fate is Fate.ENDS
            counted = {
                key: len(value) if isinstance(value, list) else value
                for key, value in asdict(outcome).items()
            }
            told: dict[str, object] = {
                "in flight": ALL[name].fate.value,
                "overlap": beside(name),
                "serves": [],
            }
            stored[name] = {**counted, **told}
            store()
    # Beside nothing else, and not two at once: the rest of such a task is waiting. The servers of the streams
    # have ended, and what was prepared in them went with them.
    alone, own = threading.Lock(), Path(tempfile.mkdtemp(dir=folder))
    with closing(Servers(own)), ThreadPoolExecutor(options.jobs) as pool:
        saving = {
            pool.submit(measure_saves, name, alone, own): name
            for name in options.names
            if beside(name) and ALL[name].fate is Fate.ENDS and name in stored
        }
        for done in as_completed(saving):
            name = saving[done]
            try:
                times = done.result()
            except (AssertionError, OSError) as error:
                print(f"{name}: {error}", flush=True)
                failed += 1
                continue
            print(
                f"{name}: new code has a task after {', '.join(f'{one:.2f}' for one in times)} s", flush=True
            )
            stored[name]["serves"] = [round(one, 2) for one in times]
            store()
    shutil.rmtree(folder)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
