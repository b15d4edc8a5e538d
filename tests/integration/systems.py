"""The table of the systems that are tried: each with its real package, as people start it. Data only.

No command has an option of reloader: what each needs is known by its name, and so is whether the new
generation starts beside the old one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any


class Fate(enum.Enum):
    """What becomes of a task that is in flight when the file is saved."""

    ENDS = "it ends on the old code"
    AGAIN = "it is cut, and run again by the new code"
    LOST = "it is cut, and not run again"


@dataclass(frozen=True)
class System:
    """One worker and the small project that it runs. Times are in seconds."""

    name: str
    command: tuple[str, ...]
    projects: tuple[str, ...]
    """Folders of `projects/` that are laid over each other."""
    broker: str = ""
    """What it needs: redis or postgres."""
    source: str = "jobs/tasks.py"
    """The file that is saved; it has a line `VERSION = 1`."""
    fate: Fate = Fate.ENDS
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that make its tables, run once."""
    environment: str = "queues"
    feeder: tuple[str, ...] = ("python", "feed.py")
    env: dict[str, str] = field(default_factory=dict)
    overlaps: bool = False
    """The new generation starts beside the old one, since nobody says anything else."""
    beside: int = 20
    """How many reloads `make test` makes so under a stream of tasks: 20 for one of each package, fewer for its other
    brokers and pools.
    """
    reloads: int = 20
    """How many it makes each behind a drain, fewer where each takes long, or generations overlap otherwise.

    The table in the README is made with 20 of each.
    """
    pace: float = 0.2
    """Seconds between two tasks of that stream."""
    busy: int = 1
    """So many tasks that take longer are in flight at every other save of that stream."""
    always: bool = False
    """They are at every save.

    A stop signal that comes between two tasks is lost by some systems now and then, or with it the task
    that was just taken, even where the first process sleeps: docs/workers.md says which.
    """
    calm: bool = False
    """Nothing is queued from a save until the old worker has ended: what it is handed while it stops is lost."""
    front: str = ""
    """What stands in front of it: the name of one of `fronts.py`."""
    kept: tuple[str, ...] = ()
    """Prints the numbers of the tasks that it has put aside on its own."""


def _django(name: str, verb: str, project: str, broker: str = "", **others: Any) -> System:
    command = ("python", "manage.py", *verb.split())
    return System(name, command, ("shared", "django", project), broker, **others)


def _plain(name: str, command: str, project: str, source: str, broker: str = "", **others: Any) -> System:
    return System(name, tuple(command.split()), ("shared", project), broker, source, **others)


_MIGRATE = ("python", "manage.py", "migrate", "--verbosity", "0")
_MAKE_MIGRATIONS = ("python", "manage.py", "makemigrations", "jobs", "--verbosity", "0")
_SCHEMA = ("python", "-m", "procrastinate", "--app=papp.app", "schema", "--apply")
_BESIDE: dict[str, Any] = {"overlaps": True}
_KEPT: dict[str, Any] = {"kept": ("python", "kept.py")}
_TABLES: dict[str, Any] = {"prepare": (_MIGRATE,)}
_TRIGGERS: dict[str, Any] = {"prepare": (_MAKE_MIGRATIONS, _MIGRATE)}

_ALL = (
    _django("django-q2 (SQLite)", "qcluster", "django_q2_orm", reloads=4, **_BESIDE, **_TABLES),
    _django(
        "django-q2 (PostgreSQL)",
        "qcluster",
        "django_q2_orm",
        "postgres",
        reloads=2,
        beside=6,
        **_BESIDE,
        **_TABLES,
    ),
    _django(
        "django-q2 (Redis)", "qcluster", "django_q2_redis", "redis", reloads=2, beside=6, **_BESIDE, **_TABLES
    ),
    *(
        System(
            f"celery ({pool})",
            ("celery", "-A", "proj", "worker", "-l", "info", "-c", "2", "-P", pool),
            ("shared", "django", "celery"),
            "redis",
            overlaps=True,
            beside=20 if pool == "prefork" else 5,
            reloads=2,
            busy=1 if pool == "solo" else 2,
            always=True,
        )
        for pool in ("prefork", "threads", "solo")
    ),
    _django("rqworker", "rqworker default", "rq", "redis", reloads=4, always=True, **_BESIDE, **_KEPT),
    _django(
        "rqworker --with-scheduler", "rqworker default --with-scheduler", "rq", "redis", reloads=4, **_KEPT
    ),
    _django(
        "rqworker-pool",
        "rqworker-pool default --num-workers 2",
        "rq",
        "redis",
        reloads=4,
        busy=2,
        always=True,
        **_KEPT,
    ),
    _django("django-tasks-scheduler", "scheduler_worker", "scheduler", "redis", reloads=0, **_TABLES),
    _django(
        "django-tasks-scheduler --without-scheduler",
        "scheduler_worker --without-scheduler",
        "scheduler",
        "redis",
        reloads=4,
        always=True,
        **_BESIDE,
        **_TABLES,
    ),
    _django("django-dramatiq", "rundramatiq -p 2 -t 2", "dramatiq", "redis", reloads=2, **_BESIDE),
    _django(
        "procrastinate (Django)",
        "procrastinate worker",
        "procrastinate",
        "postgres",
        reloads=4,
        **_BESIDE,
        **_TABLES,
    ),
    _plain(
        "procrastinate",
        "python -m procrastinate --app=papp.app worker",
        "procrastinate_plain",
        "papp.py",
        "postgres",
        overlaps=True,
        reloads=4,
        prepare=(_SCHEMA,),
    ),
    _plain("wakaq", "wakaq-worker --app=tasks.wakaq", "wakaq", "tasks.py", "redis", reloads=4, **_BESIDE),
    _plain(
        "wakaq (async tasks)",
        "wakaq-worker --app=tasks.wakaq",
        "wakaq",
        "tasks.py",
        "redis",
        fate=Fate.LOST,
        overlaps=True,
        reloads=0,
        env={"ASYNC": "1"},
    ),
    _django("django-pgpubsub", "listen", "pgpubsub", "postgres", fate=Fate.LOST, reloads=0, **_TRIGGERS),
    _django(
        "django-pgpubsub --worker --recover",
        "listen --worker --recover",
        "pgpubsub",
        "postgres",
        fate=Fate.AGAIN,
        reloads=5,
        **_TRIGGERS,
    ),
    _plain("rocketry", "python app.py", "rocketry", "app.py", environment="older"),
    _plain("schedule", "python plain.py", "schedule", "jobs.py", fate=Fate.LOST, reloads=0),
    _plain("schedule, with a handler", "python draining.py", "schedule", "jobs.py"),
    _plain("huey (threads)", "huey_consumer app.huey -w 2", "huey", "app.py", "redis"),
    _plain(
        "huey (processes)", "huey_consumer app.huey -w 2 -k process", "huey", "app.py", "redis", reloads=10
    ),
    _plain(
        "huey -n (threads)", "huey_consumer app.huey -w 2 -n", "huey", "app.py", "redis", reloads=2, **_BESIDE
    ),
    _plain(
        "huey -n (processes)",
        "huey_consumer app.huey -w 2 -n -k process",
        "huey",
        "app.py",
        "redis",
        reloads=2,
        **_BESIDE,
    ),
    # A job that has been cut five times is given up.
    _plain(
        "arq",
        "arq app.WorkerSettings",
        "arq",
        "app.py",
        "redis",
        environment="older",
        fate=Fate.AGAIN,
        reloads=4,
    ),
    _plain(
        "arq, with job_completion_wait",
        "arq app.WorkerSettings",
        "arq",
        "app.py",
        "redis",
        environment="older",
        env={"WAIT": "30"},
    ),
    _plain(
        "taskiq (stream)",
        "taskiq worker app:broker",
        "taskiq",
        "app.py",
        "redis",
        reloads=2,
        calm=True,
        **_BESIDE,
    ),
    _plain(
        "taskiq (list)",
        "taskiq worker app:broker",
        "taskiq",
        "app.py",
        "redis",
        reloads=2,
        env={"LIST": "1"},
        calm=True,
        **_BESIDE,
    ),
    _django("django-tasks", "db_worker", "django_tasks", reloads=2, **_TABLES),
    _django(
        "django-tasks --no-reload", "db_worker --no-reload", "django_tasks", reloads=2, **_BESIDE, **_TABLES
    ),
    System(
        "BullMQ (Node)",
        ("node", "worker.js"),
        ("shared", "bullmq"),
        "redis",
        "worker.js",
        feeder=("node", "feed.js"),
    ),
    _plain("shell script", "./worker.sh", "shell", "worker.sh"),
)
SYSTEMS = {system.name: system for system in _ALL}

# Those that lost tasks where something stood in front of them: drained first, at a terminal, where the end of a
# session's leader hangs up all of it.
BEHIND = {
    f"{name} behind {front}": replace(
        SYSTEMS[name],
        name=f"{name} behind {front}",
        front=front,
        overlaps=False,
        # The table in the docs is made with 20 of each.
        reloads=20 if (name, front) == ("django-q2 (SQLite)", "a list") else 3,
    )
    for name in ("django-q2 (SQLite)", "celery (prefork)", "rqworker")
    for front in ("a list", "a pipeline to tee", "npm run", "make", "honcho run")
}

BEAT = System(
    "celery beat",
    ("celery", "-A", "tasks", "beat", "-l", "info"),
    ("shared", "beat"),
    "redis",
    "tasks.py",
    env={"EVERY": "60"},
)
