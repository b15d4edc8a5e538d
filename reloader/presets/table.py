"""The presets: what is known of each worker. Data only.

SIGINT to the first process alone drains every queue that can drain at all: SIGTERM cuts the tasks of huey, of
rocketry and of plain scripts. Each entry was tried with the version in its comment. Overlap is allowed where
a stream of short tasks survived many overlapping reloads, and a long task several.
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
    # 1.11. SIGTERM to the whole group makes it hang for ever.
    Preset(
        "django-q2",
        match=("manage.py qcluster",),
        ready=r"Q Cluster .+ running\.",
        no_overlap_reason="",
        killed_task_outcome="with the ORM broker a task runs again once it is older than `retry`; with Redis "
        "it is lost, and so is what the workers had taken ahead",
        cases=(
            # The cluster's guard counts 30 s in cycles of its own, so it takes a little longer.
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
        no_overlap_reason="",
        named_by=("--name", "-n"),
        killed_task_outcome=_RQ_KILLED,
        cases=(
            Case(has=("--with-scheduler", "-s"), no_overlap_reason=_SCHEDULERS_LOCK),
            Case(has=("--pid",), no_overlap_reason=_PID_FILE),
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
    # Each of its workers also runs a scheduler, if it gets the lock.
    Preset(
        "rq-pool",
        match=("manage.py rqworker-pool", "rq worker-pool", "rq.cli worker-pool"),
        ready=r"\*\*\* Listening on ",
        no_overlap_reason=_SCHEDULERS_LOCK,
        killed_task_outcome=_RQ_KILLED,
    ),
    # django-rq 4.2. Two of it enqueue everything twice.
    Preset(
        "rq-cron",
        match=("manage.py rqcron", "rq cron", "rq.cli cron"),
        ready=r"Starting cron scheduler with",
        no_overlap_reason="two of it enqueue everything twice",
        killed_task_outcome="it runs no jobs, so none is cut",
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
        no_overlap_reason="a scheduler of which two at once are not known to be safe",
        killed_task_outcome="it runs no jobs, so none is cut",
    ),
    # django-tasks-scheduler 4.4. It ends only at its scheduler's next tick, up to 10 s later, even when idle.
    Preset(
        "django-tasks-scheduler",
        match=("manage.py scheduler_worker",),
        ready=r"Starting worker for queues|Listening to queues",
        stop_timeout=75.0,
        no_overlap_reason=_SCHEDULERS_LOCK,
        named_by=("--name",),
        killed_task_outcome="the job was not seen to come back",
        cases=(
            Case(has=("--without-scheduler",), no_overlap_reason=""),
            Case(has=("--pid",), no_overlap_reason=_PID_FILE),
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
    # dramatiq 2.2, django-dramatiq 0.15. Its first process passes the signal on; a second signal kills.
    Preset(
        "dramatiq",
        match=("manage.py rundramatiq", "dramatiq", "dramatiq-gevent"),
        ready=r"Worker process is ready for action",
        no_overlap_reason="",
        killed_task_outcome="the message comes back by a maintenance that happens by chance, at the earliest "
        "after 60 s",
        cases=(
            Case(has=("--pid-file",), no_overlap_reason=_PID_FILE),
            Case(
                has=("--reload", "--watch"),
                no_overlap_reason=_RESTARTS_ITSELF,
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
        value_options=("-a", "--app", "--log-level", "--log-format", "--log-format-style"),
        ready=r"Launching a worker on",
        no_overlap_reason="",
        killed_task_outcome="the job stays in the state `doing` until something retries stalled jobs",
        notes="`python -m procrastinate` finds the app in the current folder; the console script does not.",
    ),
    # 5.7. SIGINT twice, SIGQUIT, and SIGTERM to the group are a cold shutdown: they cut tasks.
    Preset(
        "celery",
        match=("celery worker",),
        value_options=_CELERY,
        ready=r"\S+@\S+ ready\.",
        no_overlap_reason="",
        named_by=("-n", "--hostname"),
        own_name="celery@%h",
        # Without it, celery waits a whole second for answers of other nodes, even if there are none.
        later_options=("--without-mingle",),
        killed_task_outcome="the task is lost unless acks_late is on; then it comes back after the "
        "visibility timeout",
        cases=(
            # The banner comes a second before it takes the first task; queued tasks wait until then.
            Case(lacks=_SAYS_MORE, ready=r"\[queues\]"),
            Case(lacks=_SAYS_MORE, has=("-q", "--quiet"), ready="", no_overlap_reason=_NO_LINE),
            Case(has=("-B", "--beat"), no_overlap_reason="two of beat share the file of its schedule"),
            Case(has=("--pidfile",), no_overlap_reason=_PID_FILE),
            Case(has=("--statedb", "-S"), no_overlap_reason="its --statedb is for one process"),
            Case(has=("--detach", "-D"), no_overlap_reason="it goes into the background"),
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
    # 5.7. After a kill it ticks once more at its next start. Two of it would share the schedule's file.
    Preset(
        "celery-beat",
        match=("celery beat",),
        value_options=_CELERY,
        name="beat",
        ready=r"beat: Starting",
        no_overlap_reason="two of beat share the file of its schedule",
        killed_task_outcome="an interval task may be sent once more at the next start",
        cases=(
            Case(lacks=_SAYS_MORE, ready=r"celery beat v\S+ .*is starting"),
            Case(lacks=_SAYS_MORE, has=("-q", "--quiet"), ready=""),
        ),
    ),
    # django-pgpubsub 1.3. The first process ends at any signal, and its listener would go on for ever.
    Preset(
        "pgpubsub",
        match=("manage.py listen",),
        ready=r"Listening for notifications",
        stop_target=StopTarget.TREE,
        stop_timeout=10.0,
        no_overlap_reason="without lock_notifications every notification would be handled twice",
        killed_task_outcome="with lock_notifications and --recover it is handled again at the next start; "
        "else it is lost",
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
    # 4.0. Every stop drops async tasks, with exit status 0.
    Preset(
        "wakaq",
        match=("wakaq-worker",),
        ready=r"redis pubsub connected",
        no_overlap_reason="",
        killed_task_outcome="the task is lost",
        notes="It drains sync tasks only: an async task in flight is dropped by any stop.",
    ),
    # 4.0.
    Preset(
        "wakaq-scheduler",
        match=("wakaq-scheduler",),
        ready=r"starting scheduler",
        no_overlap_reason="two of it send everything twice",
        killed_task_outcome="it runs no tasks, so none is cut; what was due meanwhile is not caught up",
    ),
    # 3.5. TERM cuts tasks.
    Preset(
        "huey",
        match=("manage.py run_huey", "huey_consumer", "huey_consumer.py", "huey.bin.huey_consumer"),
        ready=r"Huey consumer started",
        no_overlap_reason="periodic tasks would run twice (-n leaves them out)",
        killed_task_outcome="the task is lost",
        cases=(
            Case(has=("-n", "--no-periodic"), no_overlap_reason=""),
            Case(
                has=("-f", "--flush-locks"),
                no_overlap_reason="the new one would free the locks that the old one holds",
            ),
            Case(
                stop_signal=signal.SIGTERM,
                caution="SIGTERM cuts huey's tasks",
                hint="--stop-signal INT drains",
            ),
            Case(has=("-q", "--quiet"), ready="", no_overlap_reason=_NO_LINE),
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
        no_overlap_reason="without job_completion_wait a stop cuts its jobs",
        killed_task_outcome="the job is blocked by its own key for some five minutes, then it runs again",
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
        no_overlap_reason="",
        killed_task_outcome="with a list broker the task is lost; with a stream broker it comes back after "
        "idle_timeout",
        cases=(
            Case(
                has=("-r", "--reload"),
                no_overlap_reason=_RESTARTS_ITSELF,
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
        no_overlap_reason="two of it send everything twice",
        killed_task_outcome="it runs no tasks, so none is cut",
    ),
    # django-tasks-db 0.13 and django-tasks up to 0.8.
    Preset(
        "django-tasks",
        match=("manage.py db_worker",),
        ready=r"Starting worker",
        no_overlap_reason="without --no-reload the old one would restart itself as well",
        named_by=("--worker-id",),
        # Without it, a worker waits up to a second at random, so that not all ask at once. Since 0.6.
        later_options=("--no-startup-delay",),
        killed_task_outcome="the task stays in the state RUNNING and is not run again",
        cases=(
            Case(has=("--no-reload",), no_overlap_reason=""),
            Case(
                lacks=("--no-reload",),
                caution="db_worker restarts itself as well while DEBUG is on, and cuts tasks",
                hint="db_worker --no-reload",
            ),
        ),
    ),
    # It has no command of its own: --preset rocketry, or preset = "rocketry". SIGTERM cuts tasks.
    Preset(
        "rocketry",
        no_overlap_reason="each has the whole schedule",
        killed_task_outcome="the task is cut, and its schedule begins anew",
        cases=(
            Case(
                stop_signal=signal.SIGTERM,
                caution="SIGTERM cuts rocketry's tasks",
                hint="--stop-signal INT drains",
            ),
        ),
        notes="A plain script. INT lets running tasks end; every start runs what has an interval at once.",
    ),
    # Like rocketry, but it drains only if the script has a handler.
    Preset(
        "schedule",
        no_overlap_reason="each has the whole schedule",
        killed_task_outcome="the job is cut, and every timer begins anew",
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
    # BullMQ's documentation handles SIGINT and SIGTERM by hand; SIGTERM is the usual one for Node.
    Preset(
        "node",
        match=("node", "nodejs", "tsx", "ts-node"),
        value_options=("-r", "--require", "--import", "--loader", "--env-file", "-C", "--conditions"),
        python=False,
        stop_signal=signal.SIGTERM,
        no_overlap_reason="a Node program may have a port",
        killed_task_outcome="with BullMQ the job counts as stalled once its lock of 30 s is over, and runs "
        "again",
        notes="A Node program has to handle SIGTERM itself; with BullMQ: await worker.close().",
    ),
)
