"""Runs every system that fires by time through many reloads, and writes what became of its schedule into a table.

Each has its real package and broker and no option of reloader, so generations overlap where its preset says so.
A firing is noted with what it was due for, where the system tells, and with the generation that sent it.

`python tests/integration/schedules.py [--reloads N] [NAME]...`; the table is `docs/schedules.json`, from which
`docs/refresh.py` makes that of docs/workers.md.
"""

from __future__ import annotations

import argparse
import enum
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness import Run, eventually
from systems import System
from workshop import HANDED_OVER, LONG, READY, ROOT, Servers, Workshop, await_ends

RESULTS = ROOT / "docs" / "schedules.json"
# How long after its due time a firing may come after all, in seconds, at the end of a run.
PATIENCE = 60.0
_MIGRATE = ("python", "manage.py", "migrate", "--verbosity", "0")


class Kind(enum.Enum):
    """What a due time is."""

    PLANNED = "single times, planned before"
    CLOCK = "multiples of the interval on the clock"
    TIMER = "the interval after the last firing"


@dataclass(frozen=True)
class Schedule:
    """A system that fires by time. Times are in seconds."""

    system: System
    kind: Kind
    every: float = 3.0
    beside: tuple[str, ...] = ()
    """Who does what is sent: a worker that nobody restarts."""
    plan: tuple[str, ...] = ()
    """Plans single firings and prints their due times."""
    gap: float = 4.0
    """So long after a generation is ready comes the next save."""
    options: tuple[str, ...] = ()
    """Of reloader, where the system has no command that could be recognised."""
    again: bool = False
    """Every start fires at once, or once more for the same due time, whoever starts it: no doing of reloader."""


class Firing(NamedTuple):
    """What was noted of one. Times are in seconds since the epoch."""

    due: float
    at: float
    generation: int


@dataclass(frozen=True)
class Came:
    """What became of a schedule."""

    reloads: int
    due: int
    """How many times it was due."""
    fired: int
    doubled: int
    """Firings for a due time that another generation, or the same, had fired for."""
    again: int
    """Firings by which a start came before the next due time, or fired for one once more."""
    skipped: int
    latest: float
    """The latest firing, in seconds after its due time."""
    overlap: bool
    every: float
    gap: float
    due_is: str


def judged(
    schedule: Schedule, firings: Sequence[Firing], planned: Sequence[float], began: float, ended: float
) -> dict[str, Any]:
    """The counts of what fired between these times, and of what did not."""
    every = schedule.every
    if schedule.kind is Kind.TIMER:
        return _of_timer(every, firings)
    if schedule.kind is Kind.CLOCK:
        # Who has no due time of its own to tell is taken to have fired for the last before it.
        firings = [one._replace(due=one.due or one.at // every * every) for one in firings]
        first = int(began // every + 1)
        planned = [place * every for place in range(first, int(ended // every) + 1)]
    firsts: dict[float, Firing] = {}
    doubled = again = 0
    for one in sorted(firings, key=lambda one: one.at):
        if one.due not in planned:
            continue
        if (before := firsts.setdefault(one.due, one)) is not one:
            restarted = schedule.again and one.generation > before.generation
            again += restarted
            doubled += not restarted
    return {
        "due": len(planned),
        "fired": sum(one.due in planned for one in firings),
        "doubled": doubled,
        "again": again,
        "skipped": len(set(planned) - set(firsts)),
        "latest": max((one.at - one.due for one in firsts.values()), default=0.0),
    }


def _of_timer(every: float, firings: Sequence[Firing]) -> dict[str, Any]:
    """The same where every firing, or every start, begins the interval anew.

    A second generation that had the schedule too would fire between, or after, those of the other.
    """
    doubled = again = skipped = 0
    late = [0.0]
    highest = 0
    ordered = sorted(firings, key=lambda one: one.at)
    for before, one in itertools.pairwise(ordered):
        highest = max(highest, before.generation)
        waited = one.at - before.at
        early = waited < 0.6 * every
        if one.generation < highest or (early and one.generation == before.generation):
            doubled += 1
        elif early:
            again += 1
        late.append(waited - every)
        skipped += max(0, int((waited + 0.4 * every) // every) - 1)
    return {
        "due": len(firings) - doubled - again + skipped,
        "fired": len(firings),
        "doubled": doubled,
        "again": again,
        "skipped": skipped,
        "latest": max(late),
    }


def noted(path: Path) -> list[Firing]:
    """All firings so far."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Firing(float(due), float(at), int(generation)) for due, at, generation in map(str.split, lines)]


def reload_on(shop: Workshop, run: Run, schedule: Schedule, planned: Sequence[float], reloads: int) -> Came:
    """Reload so many times while firings are due at the planned times, or as the schedule says.

    Raises AssertionError where the worker, or its system, does not go on.
    """
    pause = threading.Event()
    notes = Path(shop.environment["NOTES"])
    overlap = schedule.system.overlaps
    run.err.wait_for(READY, LONG)
    if not schedule.plan and schedule.gap > schedule.every:
        # From its first firing on: what is measured is what reloads do.
        eventually(lambda: noted(notes), "it fires", 2 * schedule.every + LONG)
    began = time.time()
    for version in range(2, reloads + 2):
        # Not in step with the schedule: the saves fall anywhere between two due times.
        pause.wait(schedule.gap + 0.37 * (version % 5))
        shop.save(version)
        run.err.wait_for(HANDED_OVER if overlap else r"→ draining", LONG)
        if not overlap:
            run.err.wait_for(READY, LONG)
    if overlap:
        await_ends(run, reloads)
    until = max(planned, default=time.time() + 2 * schedule.every)
    pause.wait(max(0.0, until - time.time()))
    ended = time.time() if not planned else until
    patience = time.monotonic() + (PATIENCE if planned else schedule.every)
    while time.monotonic() < patience:
        pause.wait(0.2)
        if planned and {one.due for one in noted(notes)} >= set(planned):
            # A second one would come now.
            pause.wait(2.0)
            break
    firings = [one for one in noted(notes) if schedule.kind is Kind.PLANNED or began <= one.at]
    counted = judged(schedule, firings, planned, began, ended)
    return Came(
        reloads,
        overlap=overlap,
        every=schedule.every,
        gap=schedule.gap,
        due_is=schedule.kind.value,
        **{**counted, "latest": round(counted["latest"], 1)},
    )


def measure(
    schedule: Schedule, reloads: int, folder: Path, start: Callable[..., Run], servers: Servers
) -> tuple[Came, str]:
    """One system in a folder of its own; with what it printed."""
    # So many single times as fall into the reloads, and some after.
    times = int(reloads * (schedule.gap + 2.0) / schedule.every) + 4
    system = schedule.system
    env = {"EVERY": f"{schedule.every:g}", "TIMES": str(times), **system.env}
    shop = Workshop(replace(system, env=env), folder, servers, start)
    beside: subprocess.Popen[bytes] | None = None
    try:
        if schedule.beside:
            program = shutil.which(schedule.beside[0], path=shop.environment["PATH"])
            assert program, schedule.beside
            with (folder / "beside.log").open("wb") as log:
                beside = subprocess.Popen(
                    [program, *schedule.beside[1:]],
                    cwd=shop.folder,
                    env={**os.environ, **shop.environment},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        # Before anybody looks at them: django-tasks-scheduler schedules a row itself that has no job yet, and
        # then the plan's job would be a second one.
        planned = [float(line) for line in shop.run(*schedule.plan).split()] if schedule.plan else []
        run = shop.start(*schedule.options)
        try:
            came = reload_on(shop, run, schedule, planned, reloads)
            run.send(signal.SIGINT)
            assert run.wait(2 * LONG) == 0, "it ends well"
        except AssertionError as error:
            raise AssertionError(f"{error}\n{run.out.text}\n{run.err.text}") from None
        return came, run.out.text + run.err.text
    finally:
        if beside is not None:
            os.killpg(beside.pid, signal.SIGKILL)
            beside.wait()
        shop.close()


def _django(name: str, verb: str, project: str, broker: str = "", **others: Any) -> System:
    return System(
        name,
        ("python", "manage.py", *verb.split()),
        ("timed/shared", "django", f"timed/{project}"),
        broker,
        **others,
    )


def _plain(name: str, command: str, project: str, source: str, broker: str = "", **others: Any) -> System:
    return System(
        name, tuple(command.split()), ("timed/shared", f"timed/{project}"), broker, source, **others
    )


_PLAN = ("python", "plan.py")
_RQ_WORKER = ("python", "manage.py", "rqworker", "default")

_ALL = (
    Schedule(
        _django("django-q2, a save every 4 s", "qcluster", "q2", overlaps=True, prepare=(_MIGRATE,)),
        Kind.PLANNED,
        plan=_PLAN,
    ),
    Schedule(
        _django("django-q2, a save every 35 s", "qcluster", "q2", overlaps=True, prepare=(_MIGRATE,)),
        Kind.PLANNED,
        plan=_PLAN,
        gap=34.0,
    ),
    Schedule(
        _django(
            "django-q2, its schedules looked at beside", "qcluster", "q2", overlaps=True, prepare=(_MIGRATE,)
        ),
        Kind.PLANNED,
        plan=_PLAN,
        beside=("python", "look.py"),
    ),
    Schedule(
        _plain("celery beat", "celery -A tasks beat -l info", "beat", "tasks.py", "redis"),
        Kind.TIMER,
    ),
    Schedule(
        _plain(
            "celery worker -B",
            "celery -A tasks worker -B -P threads -c 2 -l info",
            "beat",
            "tasks.py",
            "redis",
        ),
        Kind.TIMER,
    ),
    Schedule(
        _django("rqworker --with-scheduler", "rqworker default --with-scheduler", "rq", "redis"),
        Kind.PLANNED,
        plan=_PLAN,
    ),
    Schedule(
        _django("rqworker-pool", "rqworker-pool default --num-workers 2", "rq", "redis"),
        Kind.PLANNED,
        plan=_PLAN,
    ),
    Schedule(
        _django("rqcron", "rqcron cron_config.py", "rq", "redis", source="cron_config.py"),
        Kind.TIMER,
        beside=_RQ_WORKER,
        again=True,
    ),
    Schedule(
        _django("rqscheduler", "rqscheduler --interval 1", "rq", "redis"),
        Kind.PLANNED,
        beside=_RQ_WORKER,
        plan=(*_PLAN, "rqscheduler"),
    ),
    Schedule(
        _django("django-tasks-scheduler", "scheduler_worker", "scheduler", "redis", prepare=(_MIGRATE,)),
        Kind.PLANNED,
        plan=_PLAN,
    ),
    Schedule(
        _plain(
            "huey, periodic",
            "huey_consumer app.huey -w 2",
            "huey",
            "app.py",
            "redis",
            env={"PERIODIC": "1"},
        ),
        Kind.CLOCK,
        every=60.0,
        gap=12.0,
        again=True,
    ),
    Schedule(
        _plain(
            "huey -n, scheduled", "huey_consumer app.huey -w 2 -n", "huey", "app.py", "redis", overlaps=True
        ),
        Kind.PLANNED,
        plan=_PLAN,
    ),
    Schedule(
        _django(
            "procrastinate",
            "procrastinate worker",
            "procrastinate",
            "postgres",
            overlaps=True,
            prepare=(_MIGRATE,),
        ),
        Kind.CLOCK,
    ),
    Schedule(
        _plain("wakaq-scheduler", "wakaq-scheduler --app=tasks.wakaq", "wakaq", "tasks.py", "redis"),
        Kind.CLOCK,
        beside=("wakaq-worker", "--app=tasks.wakaq"),
    ),
    Schedule(
        _plain("rocketry", "python app.py", "rocketry", "app.py", environment="older"),
        Kind.TIMER,
        options=("--preset", "rocketry"),
    ),
    Schedule(
        _plain("schedule", "python jobs.py", "plain", "jobs.py"), Kind.TIMER, options=("--preset", "schedule")
    ),
    Schedule(
        _plain("arq, cron jobs", "arq app.WorkerSettings", "arq", "app.py", "redis", environment="older"),
        Kind.CLOCK,
    ),
    Schedule(
        _plain("taskiq scheduler", "taskiq scheduler app:scheduler", "taskiq", "app.py", "redis"),
        Kind.TIMER,
        beside=("taskiq", "worker", "app:broker", "--workers", "1"),
    ),
)
SCHEDULES = {one.system.name: one for one in _ALL}


def main() -> int:
    """Measure, print, store; 1 where anything fired twice for one due time, or could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SCHEDULES), metavar="NAME")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=6, help="how many side by side: mostly they wait")
    parser.add_argument("--verbose", action="store_true", help="show the output of each")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args()
    # A shell's & leaves it ignored, and what is started from here would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="reloader-schedules-"))
    failed = 0

    def one(name: str) -> tuple[Came, str]:
        runs: list[Run] = []

        def start(*arguments: str | bytes, **others: Any) -> Run:
            runs.append(Run(others.pop("folder"), *arguments, **others))
            return runs[-1]

        with closing(Servers(folder)) as servers:
            try:
                return measure(
                    SCHEDULES[name], options.reloads, Path(tempfile.mkdtemp(dir=folder)), start, servers
                )
            finally:
                for run in runs:
                    run.close()

    # The servers end with the last who asks them, and that is not one who pauses between two systems.
    with closing(Servers(folder)), ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(one, name): name for name in options.names}
        for future in as_completed(futures):
            name = futures[future]
            try:
                came, printed = future.result()
            except (AssertionError, OSError) as error:
                print(f"{name}: {error}", flush=True)
                failed += 1
                continue
            print(f"{name}: {came}", flush=True)
            if options.verbose:
                print(printed, flush=True)
            failed += bool(came.doubled)
            if not options.dry:
                stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                stored[name] = asdict(came)
                ordered = {key: stored[key] for key in SCHEDULES if key in stored}
                RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
