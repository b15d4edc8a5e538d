"""What is known of each worker. Data only, one entry a system.

SIGINT to the leader alone is the one signal that drains every queue that can drain: SIGTERM cuts the
tasks of huey, of rocketry and of plain scripts. Each entry was tried with the version it names. Generations
overlap where a stream of tasks has gone through many such reloads, and a long task through several.
"""

from __future__ import annotations

import signal

from reloader.presets.preset import Case, Preset
from reloader.settings import StopTarget

_CELERY = ("-A", "--app", "-b", "--broker", "--result-backend", "--loader", "--config", "--workdir")
_NO_LINE = "no line tells when it is ready"
_PID_FILE = "its pid file is for one process"
_RESTARTS_ITSELF = "the old one would restart itself as well"
_RQ_KILLED = (
    "the job counts as started until its heartbeat is 90 s old, then as failed; it runs again only if it was "
    "given a Retry"
)
_SCHEDULERS_LOCK = "the new one would not get the scheduler's lock, which the old one holds"
_SAYS_MORE = ("-l=info", "-l=debug", "--loglevel=info", "--loglevel=debug")

PRESETS = (
    # 1.11. TERM to the whole group hangs it for ever.
    Preset(
        "django-q2",
        match=("manage.py qcluster",),
        ready=r"Q Cluster .+ running\.",
        apart="",
        killed="with the ORM broker a task runs again once it is older than `retry`; with Redis it is lost, "
        "and so is what the workers had taken ahead",
        cases=(
            # Its guard counts 30 s of its own cycles.
            Case(
                within=32.0,
                caution="a cluster looks at its schedules only 30 s after its start, so while restarts come "
                "more often none of them runs",
                hint='python manage.py shell -c "from django_q.scheduler import scheduler; scheduler()" '
                "looks at them now",
            ),
        ),
        notes="Everything that the workers have taken ahead is done by the old code before it ends. A worker "
        "imports a task's module at its first call.",
    ),
    # rq 3.0, django-rq 4.2. A second signal kills the job; each job runs in a process group of its own.
    Preset(
        "rq",
        match=("manage.py rqworker", "rqworker", "rq worker", "rq.cli worker"),
        ready=r"\*\*\* Listening on ",
        apart="",
        named_by=("--name", "-n"),
        killed=_RQ_KILLED,
        cases=(
            Case(has=("--with-scheduler", "-s"), apart=_SCHEDULERS_LOCK),
            Case(has=("--pid",), apart=_PID_FILE),
            Case(
                has=("--name", "-n"),
                overlaps=False,
                caution="a worker that is killed keeps its --name for up to two minutes, and the next ends",
                hint="leave --name out in development: names are then made up",
            ),
        ),
        notes="With --with-scheduler a worker that dies with its scheduler, as when the machine does, holds "
        "the scheduler's lock for up to ten minutes more; one that was asked to stop has given it back.",
    ),
    # Each of its workers runs a scheduler too, if it gets the lock.
    Preset(
        "rq-pool",
        match=("manage.py rqworker-pool", "rq worker-pool", "rq.cli worker-pool"),
        ready=r"\*\*\* Listening on ",
        apart=_SCHEDULERS_LOCK,
        killed=_RQ_KILLED,
    ),
    # django-rq 4.2. Two of it enqueue everything twice.
    Preset(
        "rq-cron",
        match=("manage.py rqcron", "rq cron", "rq.cli cron"),
        ready=r"Starting cron scheduler with",
        apart="two of it enqueue everything twice",
        killed="it runs no jobs, so none is cut",
        cases=(
            Case(
                within=60.0,
                caution="every start enqueues its interval jobs at once",
                hint="register them with cron= in place of interval=, which goes by the clock",
            ),
        ),
        notes="Every start enqueues its interval jobs at once.",
    ),
    # rq-scheduler 0.14.
    Preset(
        "rq-scheduler",
        match=("manage.py rqscheduler", "rqscheduler"),
        ready=r"Registering birth",
        apart="a scheduler of which two at once are not known to be safe",
        killed="it runs no jobs, so none is cut",
    ),
    # django-tasks-scheduler 4.4. Even idle it takes until its scheduler's next tick, up to 10 s, to end.
    Preset(
        "django-tasks-scheduler",
        match=("manage.py scheduler_worker",),
        ready=r"Starting worker for queues|Listening to queues",
        stop_timeout=75.0,
        apart=_SCHEDULERS_LOCK,
        named_by=("--name",),
        killed="the job was not seen to come back",
        cases=(
            Case(has=("--without-scheduler",), apart=""),
            Case(has=("--pid",), apart=_PID_FILE),
            Case(
                lacks=("--without-scheduler",),
                caution="stopped while idle, it loses the job that comes before its scheduler has ended",
                hint="scheduler_worker --without-scheduler, or SCHEDULER_INTERVAL=1 in SCHEDULER_CONFIG",
            ),
            Case(
                has=("--name",),
                overlaps=False,
                caution="a worker that is killed keeps its --name for a while, and the next one ends",
                hint="leave --name out in development: names are then made up",
            ),
        ),
        notes="Its scheduler looks up every 10 s, and only then a stop is noticed: SCHEDULER_INTERVAL in "
        "SCHEDULER_CONFIG makes that shorter, --without-scheduler leaves it out.",
    ),
    # dramatiq 2.2, django-dramatiq 0.15. Its leader passes the signal on, and a second one kills.
    Preset(
        "dramatiq",
        match=("manage.py rundramatiq", "dramatiq", "dramatiq-gevent"),
        ready=r"Worker process is ready for action",
        apart="",
        killed="the message comes back by a maintenance that happens by chance, at the earliest after 60 s",
        cases=(
            Case(has=("--pid-file",), apart=_PID_FILE),
            Case(
                has=("--reload", "--watch"),
                apart=_RESTARTS_ITSELF,
                caution="dramatiq restarts itself as well, and kills tasks at the second change",
                hint="leave --watch and --reload out",
            ),
        ),
        notes="The broker options heartbeat_timeout=5000 and maintenance_chance=1_000_000 bring killed "
        "messages back within seconds.",
    ),
    # 3.10.
    Preset(
        "procrastinate",
        match=("manage.py procrastinate worker", "procrastinate worker"),
        valued=("-a", "--app", "--log-level", "--log-format", "--log-format-style"),
        ready=r"Launching a worker on",
        apart="",
        killed="the job stays in the state `doing` until something retries stalled jobs",
        notes="`python -m procrastinate` finds the app in the current folder; the console script does not.",
    ),
    # 5.7. INT twice, QUIT, and TERM to the group are cold: they cut tasks.
    Preset(
        "celery",
        match=("celery worker",),
        valued=_CELERY,
        ready=r"\S+@\S+ ready\.",
        apart="",
        named_by=("-n", "--hostname"),
        own_name="celery@%h",
        # It waits a whole second for the answers of other nodes, whether or not there is one.
        later_options=("--without-mingle",),
        killed="the task is lost unless acks_late is on; then it comes back after the visibility timeout",
        cases=(
            # The banner comes a second before the first task can be taken; what is queued waits.
            Case(lacks=_SAYS_MORE, ready=r"\[queues\]"),
            Case(lacks=_SAYS_MORE, has=("-q", "--quiet"), ready="", apart=_NO_LINE),
            Case(has=("-B", "--beat"), apart="two of beat share the file of its schedule"),
            Case(has=("--pidfile",), apart=_PID_FILE),
            Case(has=("--statedb", "-S"), apart="its --statedb is for one process"),
            Case(has=("--detach", "-D"), apart="it goes into the background"),
            Case(
                env="REMAP_SIGTERM=SIGQUIT",
                stop_signal=signal.SIGTERM,
                caution="REMAP_SIGTERM=SIGQUIT is set, so the stop signal cuts tasks",
                hint="--stop-signal INT drains, or unset REMAP_SIGTERM",
            ),
        ),
        notes="--without-mingle saves a second of the first start as well; a generation that has it does not "
        "know what was revoked before, as after any restart. -l info gives the line by which it is ready.",
    ),
    # 5.7. Killed, it ticks once more at its next start; two of it share the schedule's file.
    Preset(
        "celery-beat",
        match=("celery beat",),
        valued=_CELERY,
        name="beat",
        ready=r"beat: Starting",
        apart="two of beat share the file of its schedule",
        killed="an interval task may be sent once more at the next start",
        cases=(
            Case(lacks=_SAYS_MORE, ready=r"celery beat v\S+ .*is starting"),
            Case(lacks=_SAYS_MORE, has=("-q", "--quiet"), ready=""),
        ),
    ),
    # django-pgpubsub 1.3. The leader ends at any signal, and its listener would consume on for ever.
    Preset(
        "pgpubsub",
        match=("manage.py listen",),
        ready=r"Listening for notifications",
        stop_target=StopTarget.TREE,
        stop_timeout=10.0,
        apart="without lock_notifications every notification would be handled twice",
        killed="with lock_notifications and --recover it is handled again at the next start; else it is lost",
        cases=(
            Case(
                lacks=("--recover",),
                caution="listen cannot drain: without --recover a notification in flight is lost",
                hint="listen --worker --recover, and lock_notifications = True in the channel",
            ),
            Case(has=("--loglevel=warning", "--loglevel=error", "--loglevel=critical"), ready=""),
        ),
        notes="It cannot drain: a callback under way is cut by every stop. --worker saves a process and half "
        "of the start.",
    ),
    # 4.0. What is async is dropped by every stop, with exit status 0.
    Preset(
        "wakaq",
        match=("wakaq-worker",),
        ready=r"redis pubsub connected",
        apart="",
        killed="the task is lost",
        notes="It drains sync tasks only: an async task in flight is dropped by any stop.",
    ),
    # 4.0. Two of it double everything.
    Preset(
        "wakaq-scheduler",
        match=("wakaq-scheduler",),
        ready=r"starting scheduler",
        apart="two of it send everything twice",
        killed="it runs no tasks, so none is cut; what was due meanwhile is not caught up",
    ),
    # 3.5. TERM cuts tasks.
    Preset(
        "huey",
        match=("manage.py run_huey", "huey_consumer", "huey_consumer.py", "huey.bin.huey_consumer"),
        ready=r"Huey consumer started",
        apart="periodic tasks would run twice (-n leaves them out)",
        killed="the task is lost",
        cases=(
            Case(has=("-n", "--no-periodic"), apart=""),
            Case(
                has=("-f", "--flush-locks"), apart="the new one would free the locks that the old one holds"
            ),
            Case(
                stop_signal=signal.SIGTERM,
                caution="SIGTERM cuts huey's tasks",
                hint="--stop-signal INT drains",
            ),
            Case(has=("-q", "--quiet"), ready="", apart=_NO_LINE),
            Case(
                lacks=("-n", "--no-periodic"),
                within=60.0,
                caution="periodic tasks run once more for every restart in their minute",
                hint="-n leaves them out",
            ),
        ),
        notes="Periodic tasks run once more for every restart in their minute; -n leaves them out.",
    ),
    # 0.28.
    Preset(
        "arq",
        match=("arq",),
        ready=r"Starting worker for",
        apart="without job_completion_wait a stop cuts its jobs",
        killed="the job is blocked by its own key for some five minutes, then it runs again",
        cases=(
            Case(
                has=("--watch",),
                caution="--watch starts the worker again without importing the new code, and cancels jobs",
                hint="leave --watch out",
            ),
        ),
        notes="It drains only with job_completion_wait in WorkerSettings; otherwise a stop cancels its jobs, "
        "which run again from their beginning.",
    ),
    # 0.13.
    Preset(
        "taskiq",
        match=("taskiq worker",),
        ready=r"Listening started",
        apart="",
        killed="with a list broker the task is lost; with a stream broker it comes back after idle_timeout",
        cases=(
            Case(
                has=("-r", "--reload"),
                apart=_RESTARTS_ITSELF,
                caution="taskiq restarts itself as well, twice for each change",
                hint="leave --reload out",
            ),
        ),
        notes="Without uvloop (pip install 'taskiq[uv]') an idle worker ends only after its next message: "
        "with ListQueueBroker always, with RedisStreamBroker on Python 3.11.",
    ),
    # 0.13.
    Preset(
        "taskiq-scheduler",
        match=("taskiq scheduler",),
        ready=r"Startup completed",
        apart="two of it send everything twice",
        killed="it runs no tasks, so none is cut",
    ),
    # django-tasks-db 0.13 and django-tasks up to 0.8.
    Preset(
        "django-tasks",
        match=("manage.py db_worker",),
        ready=r"Starting worker",
        apart="without --no-reload the old one would restart itself as well",
        named_by=("--worker-id",),
        # Up to a second, made up, so that many workers do not ask at once. The option is there from 0.6 on.
        later_options=("--no-startup-delay",),
        killed="the task stays in the state RUNNING and is not run again",
        cases=(
            Case(has=("--no-reload",), apart=""),
            Case(
                lacks=("--no-reload",),
                caution="db_worker restarts itself as well while DEBUG is on, and cuts tasks",
                hint="db_worker --no-reload",
            ),
        ),
    ),
    # No command of its own: --preset rocketry, or preset = "rocketry" in the settings. TERM cuts tasks.
    Preset(
        "rocketry",
        apart="each has the whole schedule",
        killed="the task is cut, and its schedule begins anew",
        cases=(
            Case(
                stop_signal=signal.SIGTERM,
                caution="SIGTERM cuts rocketry's tasks",
                hint="--stop-signal INT drains",
            ),
        ),
        notes="A plain script. INT lets running tasks end; every start runs what has an interval at once.",
    ),
    # As rocketry, but nothing drains it unless the script has a handler.
    Preset(
        "schedule",
        apart="each has the whole schedule",
        killed="the job is cut, and every timer begins anew",
        cases=(
            Case(
                within=60.0,
                caution="every timer begins anew at each start: one that is longer than the time between two "
                "restarts never comes",
                hint="shorter intervals in development",
            ),
        ),
        notes="A plain script. It drains only with a handler of its own for INT, which ends the loop; every "
        "timer begins anew at each start.",
    ),
    # BullMQ's documentation has SIGINT and SIGTERM handled by hand; TERM is what Node is used to.
    Preset(
        "node",
        match=("node", "nodejs", "tsx", "ts-node"),
        valued=("-r", "--require", "--import", "--loader", "--env-file", "-C", "--conditions"),
        python=False,
        stop_signal=signal.SIGTERM,
        apart="a Node program may have a port",
        killed="with BullMQ the job counts as stalled once its lock of 30 s is over, and runs again",
        notes="A Node program has to handle SIGTERM itself; with BullMQ: await worker.close().",
    ),
)
