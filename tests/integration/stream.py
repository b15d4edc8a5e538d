"""Runs every system under a stream of tasks and many reloads, and writes what came of it into a table.

`python tests/integration/stream.py [--reloads N] [NAME]...`; the table is `docs/workers.json`, from which
`docs/refresh.py` makes that of the README.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import Run
from systems import SYSTEMS, Fate
from workshop import LONG, READY, ROOT, Outcome, Servers, Workshop, stream

RESULTS = ROOT / "docs" / "workers.json"


def measure(name: str, reloads: int, folder: Path) -> tuple[Outcome, str]:
    """One system; with what was seen where something went wrong."""
    runs: list[Run] = []

    def start(*arguments: str | bytes, **options: Any) -> Run:
        runs.append(Run(options.pop("folder"), *arguments, **options))
        return runs[-1]

    place = folder / str(list(SYSTEMS).index(name))
    place.mkdir()
    servers = Servers(folder)
    shop = Workshop(SYSTEMS[name], place, servers, start)
    try:
        run = shop.start()
        run.err.wait_for(READY, LONG)
        outcome = stream(shop, run, reloads)
        run.send(signal.SIGINT)
        status = run.wait(2 * LONG)
        wrong = [f"exit status {status}"] if status else []
        wrong += [f"survives: {run.survivors()}"] if run.survivors() else []
        odd = sorted({*outcome.lost, *outcome.doubled})
        wrong += [f"{note}" for note in shop.notes if note.number in odd]
        if wrong or outcome.left or outcome.killed or odd:
            wrong += [run.out.text, run.err.text]
        return outcome, "\n".join(wrong)
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
    parser.add_argument("--verbose", action="store_true", help="show the output where something was lost")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args()
    # A shell's & leaves it ignored, and what is started from here would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    folder = Path(tempfile.mkdtemp(prefix="reloader-stream-"))
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(measure, name, options.reloads, folder): name for name in options.names}
        for future in as_completed(futures):
            name = futures[future]
            try:
                outcome, wrong = future.result()
            except (AssertionError, OSError) as error:
                print(f"{name}: {error}", flush=True)
                failed += 1
                continue
            print(
                f"{name}: lost {len(outcome.lost)}, put aside {len(outcome.kept)}, "
                f"doubled {len(outcome.doubled)}, left {len(outcome.left)}, killed {outcome.killed} "
                f"in {outcome.reloads} reloads, {outcome.tasks} tasks",
                flush=True,
            )
            if wrong and options.verbose:
                print(outcome, wrong, sep="\n")
            failed += bool(wrong) and SYSTEMS[name].fate is Fate.ENDS
            counted = {
                key: len(value) if isinstance(value, list) else value
                for key, value in asdict(outcome).items()
            }
            stored[name] = {**counted, "in flight": SYSTEMS[name].fate.value}
            if not options.dry:
                ordered = {name: stored[name] for name in SYSTEMS if name in stored}
                RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")
    shutil.rmtree(folder)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
