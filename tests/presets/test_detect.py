"""What a command line is: the name of the worker, Python or not, and which known worker."""

from __future__ import annotations

import os
import re
import shlex
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.presets.detect import recognise
from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS

# Command line; name of the worker, whether it is Python, known.key.
CASES: list[tuple[str, str, bool, str | None]] = [
    # Django's management commands
    ("python manage.py qcluster", "qcluster", True, "django-q2"),
    ("python3 manage.py qcluster", "qcluster", True, "django-q2"),
    ("python3.12 -Wd -X dev manage.py qcluster --cluster-name x", "qcluster", True, "django-q2"),
    ("python -u ./manage.py qcluster", "qcluster", True, "django-q2"),
    ("python -W error -X importtime manage.py qcluster", "qcluster", True, "django-q2"),
    ("python src/manage.py qcluster --settings=config.settings", "qcluster", True, "django-q2"),
    ("/usr/bin/python3 /srv/app/manage.py qcluster", "qcluster", True, "django-q2"),
    ("./manage.py qcluster", "qcluster", True, "django-q2"),
    ("../manage.py qcluster", "qcluster", True, "django-q2"),
    ("manage.py qcluster", "qcluster", True, "django-q2"),
    ("python -m django qcluster", "qcluster", True, "django-q2"),
    ("python -m manage qcluster", "qcluster", True, "django-q2"),
    ("pypy3.10 manage.py qcluster", "qcluster", True, "django-q2"),
    ("python3.13t manage.py qcluster", "qcluster", True, "django-q2"),
    ("python manage.py --traceback qcluster", "qcluster", True, "django-q2"),
    ("python manage.py runserver", "runserver", True, None),
    ("python manage.py migrate", "migrate", True, None),
    ("python manage.py", "manage", True, None),
    ("python manage.py --version", "manage", True, None),
    # The same behind programs that run another one
    ("uv run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("uv run manage.py qcluster", "qcluster", True, "django-q2"),
    ("uv run -- python manage.py qcluster", "qcluster", True, "django-q2"),
    ("uv run --frozen --with rich python manage.py qcluster", "qcluster", True, "django-q2"),
    ("uv run --python 3.12 --env-file .env manage.py qcluster", "qcluster", True, "django-q2"),
    ("uv run -m django qcluster", "qcluster", True, "django-q2"),
    ("poetry run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("poetry run ./manage.py qcluster", "qcluster", True, "django-q2"),
    ("pdm run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("pipenv run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("hatch run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("rye run python manage.py qcluster", "qcluster", True, "django-q2"),
    ("env DJANGO_SETTINGS_MODULE=p.settings python manage.py qcluster", "qcluster", True, "django-q2"),
    ("env -i -u HOME A= python manage.py qcluster", "qcluster", True, "django-q2"),
    ("/usr/bin/env python manage.py qcluster", "qcluster", True, "django-q2"),
    ("nice -n 10 python manage.py qcluster", "qcluster", True, "django-q2"),
    ("nice -10 python manage.py qcluster", "qcluster", True, "django-q2"),
    ("time python manage.py qcluster", "qcluster", True, "django-q2"),
    ("exec python manage.py qcluster", "qcluster", True, "django-q2"),
    ("env A=1 nice uv run python manage.py qcluster", "qcluster", True, "django-q2"),
    # Behind a shell, where its text is one simple command
    ("sh -c 'python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'exec python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("/bin/bash -lc 'A=1 exec uv run manage.py qcluster'", "qcluster", True, "django-q2"),
    ("bash -e -o pipefail -c 'python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -ec 'celery -A \"my app\" worker'", "celery", True, "celery"),
    ("env A=1 sh -c 'nice python manage.py qcluster'", "qcluster", True, "django-q2"),
    # Of a list the worker is the known one, else the last that is no tool of the shell's
    ("sh -c 'cd src && python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("bash -lc 'source .venv/bin/activate && python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'A=b C=d python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'set -e; export A=1; . ./.env; exec celery -A p worker'", "celery", True, "celery"),
    ("sh -c 'python manage.py migrate; python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'python manage.py migrate && python worker.py'", "worker", True, None),
    ("sh -c 'python manage.py qcluster; python report.py'", "qcluster", True, "django-q2"),
    ("sh -c 'python worker.py; echo after'", "worker", True, None),
    ("sh -c 'python worker.py || python mourn.py'", "worker", True, None),
    ("sh -c 'true\npython manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'python manage.py qcluster # for ever'", "qcluster", True, "django-q2"),
    ("sh -c '(cd src && python manage.py qcluster)'", "qcluster", True, "django-q2"),
    ("sh -c '{ python manage.py qcluster; }'", "qcluster", True, "django-q2"),
    ("sh -c 'while true; do python manage.py qcluster; sleep 1; done'", "qcluster", True, "django-q2"),
    ("sh -c 'if [ -f .env ]; then . ./.env; fi; python worker.py'", "worker", True, None),
    ("sh -c 'trap \"kill 0\" EXIT; python worker.py'", "worker", True, None),
    ("sh -c 'python \\\n  manage.py qcluster'", "qcluster", True, "django-q2"),
    # Of a pipeline the first
    ("sh -c 'python manage.py qcluster | tee log'", "qcluster", True, "django-q2"),
    ("sh -c 'python manage.py qcluster 2>&1 | grep --line-buffered Q | cat'", "qcluster", True, "django-q2"),
    ("sh -c 'cat feed | python worker.py | python show.py'", "worker", True, None),
    ("sh -c 'python manage.py migrate && python worker.py | tee log'", "worker", True, None),
    ("sh -c 'python manage.py qcluster > log'", "qcluster", True, "django-q2"),
    ("sh -c 'python manage.py qcluster >log 2>&1 </dev/null'", "qcluster", True, "django-q2"),
    ("sh -c 'tail -f log'", "tail", False, None),
    # Side by side only a known one is told from the others
    ("sh -c 'python manage.py qcluster &'", "qcluster", True, "django-q2"),
    ("sh -c 'python worker.py & wait'", "worker", True, None),
    ("sh -c 'redis-server & python manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'python a.py & python b.py'", "sh", False, None),
    ("sh -c 'python manage.py qcluster & celery -A p worker & wait'", "sh", False, None),
    # What is expanded
    ("sh -c '$(which python) manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c '`which python` manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c '\"${VENV}/bin/python\" manage.py qcluster'", "qcluster", True, "django-q2"),
    ("sh -c 'python manage.py qcluster -n $NAME'", "qcluster", True, "django-q2"),
    ("sh -c 'exec \"$@\"' _ python manage.py qcluster", "qcluster", True, "django-q2"),
    ("sh -c '$WORKER --fast'", "sh", False, None),
    # What is no list of commands
    ("sh -c 'run() { python manage.py qcluster; }; run'", "sh", False, None),
    ("sh -c 'for q in a b; do python worker.py; done'", "sh", False, None),
    ("sh -c 'python worker.py <<END\nx\nEND'", "sh", False, None),
    ("sh -c 'python \"manage.py qcluster'", "sh", False, None),
    ("sh -c ''", "sh", False, None),
    ("sh -c", "sh", False, None),
    ("sh worker.sh qcluster", "worker", False, None),
    # Behind programs that want `--`
    ("doppler run -- python manage.py qcluster", "qcluster", True, "django-q2"),
    ("doppler run --project x --config dev -- celery -A p worker", "celery", True, "celery"),
    ("op run --env-file .env -- celery -A p worker", "celery", True, "celery"),
    ("aws-vault exec profile -- celery -A p worker", "celery", True, "celery"),
    ("doppler run python manage.py qcluster", "doppler", False, None),
    ("dotenv run -- celery -A p worker", "celery", True, "celery"),
    ("dotenv -f .env.dev run celery -A p worker", "celery", True, "celery"),
    ("direnv exec . celery -A p worker", "celery", True, "celery"),
    ("nohup time -f %e celery -A p worker", "celery", True, "celery"),
    ("stdbuf -oL celery -A p worker", "celery", True, "celery"),
    ("ddtrace-run celery -A p worker", "celery", True, "celery"),
    ("newrelic-admin run-program celery -A p worker", "celery", True, "celery"),
    # The other known workers
    ("celery -A proj worker -l info", "celery", True, "celery"),
    ("celery --app=proj -q worker", "celery", True, "celery"),
    ("celery -A worker -b redis://x --workdir beat worker", "celery", True, "celery"),
    ("celery -A worker beat -l info", "beat", True, "celery-beat"),
    ("celery -A proj inspect ping", "celery", False, None),
    ("celery worker.py", "celery", False, None),
    ("python -m celery -A proj worker", "celery", True, "celery"),
    ("python -X dev -W error -m celery -A proj worker", "celery", True, "celery"),
    ("/srv/venv/bin/celery -A proj worker", "celery", True, "celery"),
    ("python /srv/venv/bin/celery -A proj beat", "beat", True, "celery-beat"),
    ("poetry run celery -A proj worker", "celery", True, "celery"),
    ("uv run --with redis celery -A proj worker", "celery", True, "celery"),
    ("python -m project.celery worker", "celery", True, None),
    ("python celery.py worker", "celery", True, None),
    ("python manage.py rqworker high default", "rqworker", True, "rq"),
    ("./manage.py rqworker-pool default --num-workers 2", "rqworker-pool", True, "rq-pool"),
    ("rq worker --with-scheduler", "rq", True, "rq"),
    ("python -m rq.cli worker", "cli", True, "rq"),
    ("rqworker", "rqworker", True, "rq"),
    ("rq info", "rq", False, None),
    ("rq cron cron.py", "rq", True, "rq-cron"),
    ("django-admin rqcron cron.py", "rqcron", True, "rq-cron"),
    ("rqscheduler -i 1", "rqscheduler", True, "rq-scheduler"),
    ("python manage.py rqscheduler", "rqscheduler", True, "rq-scheduler"),
    ("python manage.py scheduler_worker", "scheduler_worker", True, "django-tasks-scheduler"),
    ("python manage.py rundramatiq -p 2 -t 2", "rundramatiq", True, "dramatiq"),
    ("dramatiq app.tasks", "dramatiq", True, "dramatiq"),
    ("python -m dramatiq app.tasks", "dramatiq", True, "dramatiq"),
    ("python manage.py procrastinate worker", "procrastinate", True, "procrastinate"),
    ("python manage.py procrastinate schema --apply", "procrastinate", True, None),
    ("procrastinate --app worker.app worker", "procrastinate", True, "procrastinate"),
    ("procrastinate -v -a p.app worker", "procrastinate", True, "procrastinate"),
    ("python -m procrastinate --app=p.app worker", "procrastinate", True, "procrastinate"),
    ("python manage.py listen --recover", "listen", True, "pgpubsub"),
    ("wakaq-worker --app=wq.wakaq", "wakaq-worker", True, "wakaq"),
    ("wakaq-scheduler --app=wq.wakaq", "wakaq-scheduler", True, "wakaq-scheduler"),
    ("huey_consumer app.huey -w 2", "huey_consumer", True, "huey"),
    ("huey_consumer.py app.huey", "huey_consumer", True, "huey"),
    ("python -m huey.bin.huey_consumer app.huey", "huey_consumer", True, "huey"),
    ("python manage.py run_huey", "run_huey", True, "huey"),
    ("arq app.WorkerSettings", "arq", True, "arq"),
    ("python -m arq app.WorkerSettings", "arq", True, "arq"),
    ("taskiq worker app:broker", "taskiq", True, "taskiq"),
    ("taskiq scheduler app:scheduler", "taskiq", True, "taskiq-scheduler"),
    ("python manage.py db_worker --no-reload", "db_worker", True, "django-tasks"),
    ("node worker.js", "worker", False, "node"),
    ("node --enable-source-maps -r dotenv/config dist/jobs.mjs", "jobs", False, "node"),
    ("env A=1 npx tsx src/worker.ts", "worker", False, "node"),
    ("uv run node server.js", "server", False, "node"),
    # Other Python programs
    ("poetry run python -m celeryapp -A p worker", "celeryapp", True, None),
    ("env A=1 B=2 python -m jobs worker", "jobs", True, None),
    ("uv run -m app.worker", "worker", True, None),
    ("uv run --module app.worker --fast", "worker", True, None),
    ("uv run worker.py", "worker", True, None),
    ("python -m app.worker", "worker", True, None),
    ("python -mapp.worker", "worker", True, None),
    ("python -m app.worker.__main__", "worker", True, None),
    ("python -mapp.worker.__main__", "worker", True, None),
    ("python -m celery --app p inspect ping", "celery", True, None),
    ("python -c x", "python", True, None),
    ("python -c 'import a; a.main()' manage qcluster", "python", True, None),
    ("python3 -cpass", "python3", True, None),
    ("python", "python", True, None),
    ("python -", "python", True, None),
    ("python -m", "python", True, None),
    ("python -i", "python", True, None),
    ("python worker.py --fast", "worker", True, None),
    ("python app/__main__.py", "app", True, None),
    ("python app/", "app", True, None),
    ("python worker.py qcluster", "worker", True, None),
    ("python -X dev worker.py", "worker", True, None),
    ("python --check-hash-based-pycs always worker.py", "worker", True, None),
    ("worker.py", "worker", True, None),
    ("./jobs/worker.py -v", "worker", True, None),
    # What is not Python
    ("ruby server.rb", "server", False, None),
    ("bash run.sh", "run", False, None),
    ("env A=1 ruby server.rb", "server", False, None),
    ("uv run ruby server.rb", "server", False, None),
    ("./not-there.sh", "not-there", False, None),
    ("./not-there", "not-there", False, None),
    ("bin/worker.rb", "worker", False, None),
    ("env", "env", False, None),
    ("env A=1", "env", False, None),
    ("uv", "uv", False, None),
    ("uv sync", "uv", False, None),
    ("poetry install", "poetry", False, None),
    ("pythonic", "pythonic", False, None),
    ("qcluster", "qcluster", False, None),
]


@pytest.fixture(autouse=True)
def _a_system_with_no_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test installs is found by name or in the current folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("line", "name", "python", "queue"), CASES, ids=[case[0] for case in CASES])
def test_a_command_line_is_recognised(line: str, name: str, python: bool, queue: str | None) -> None:
    found = recognise(shlex.split(line))
    assert found.name == name
    assert found.python is python
    assert (found.preset.key if found.preset else None) == queue


# --- programs that say in their first lines what they are -----------------------------------------

PYTHON_SCRIPTS = {
    "an absolute interpreter": b"#!/venv/bin/python\nimport sys\n",
    "a version": b"#!/venv/bin/python3.12\n",
    "no newline after it": b"#!/usr/bin/python3",
    "an option": b"#!/usr/bin/python3 -I\n",
    "env": b"#!/usr/bin/env python3\n",
    "env with options": b"#!/usr/bin/env -S python3 -u\n",
    "pypy": b"#!/opt/pypy/bin/pypy3\n",
    "free threads": b"#!/venv/bin/python3.13t\n",
    "a space in its path": b"#!/bin/sh\n'''exec' \"/my venv/bin/python3\" \"$0\" \"$@\"\n' '''\nimport sys\n",
    "a path that is too long": b"#!/bin/sh\n'''exec' /" + b"x" * 200 + b"/bin/python \"$0\" \"$@\"\n' '''\n",
    "Windows line ends": b"#!/usr/bin/env python3\r\n",
}
OTHER_PROGRAMS = {
    "a shell script": b"#!/bin/sh\nset -e\nexec python3 -m app\n",
    "a shell script that calls Python at once": b"#!/bin/sh\ncd app && python3 -m setup\nexec ./serve\n",
    "a shell script with a remark on Python": b"#!/bin/bash\n# no python here\nexec ./serve\n",
    "a shell script that only speaks of Python": b"#!/bin/sh\n# starts the pythonic worker\n",
    "node": b"#!/usr/bin/env node\n",
    "an interpreter of a similar name": b"#!/usr/bin/pythonista\n",
    "a binary": b"\x7fELF\x02\x01\x01" + bytes(50) + b"/usr/bin/python3\n",
    "no first line": b"import sys\n",
    "nothing": b"",
}


def _installed(tmp_path: Path, name: str, content: bytes) -> str:
    path = tmp_path / "bin" / name
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("content", PYTHON_SCRIPTS.values(), ids=PYTHON_SCRIPTS)
def test_a_script_with_the_first_line_of_python_is_python(tmp_path: Path, content: bytes) -> None:
    path = _installed(tmp_path, "celery", content)
    for program in (path, "celery", "bin/celery", "./bin/celery"):
        found = recognise([program, "-A", "p", "inspect"])
        assert (found.name, found.python, found.preset) == ("celery", True, None)


@pytest.mark.parametrize("content", OTHER_PROGRAMS.values(), ids=OTHER_PROGRAMS)
def test_a_program_with_another_beginning_is_not_python(tmp_path: Path, content: bytes) -> None:
    path = _installed(tmp_path, "run", content)
    for program in (path, "run"):
        assert not recognise([program]).python


def test_a_shell_script_is_told_by_its_name_without_the_ending(tmp_path: Path) -> None:
    _installed(tmp_path, "run.sh", OTHER_PROGRAMS["a shell script"])
    found = recognise(["./bin/run.sh", "--fast"])
    assert (found.name, found.python, found.preset) == ("run", False, None)


def test_django_admin_runs_the_known_worker_wherever_it_is(tmp_path: Path) -> None:
    path = _installed(tmp_path, "django-admin", b"#!/venv/bin/python\n")
    for program in ("django-admin", path, "/not/there/django-admin"):
        found = recognise([program, "qcluster"])
        assert found.preset is not None
        assert (found.name, found.python, found.preset.key) == ("qcluster", True, "django-q2")


def test_a_console_script_behind_a_wrapper_is_looked_at(tmp_path: Path) -> None:
    _installed(tmp_path, "jobs", b"#!/venv/bin/python\n")
    found = recognise(["env", "A=1", "jobs", "worker"])
    assert (found.name, found.python) == ("jobs", True)


def test_a_folder_and_what_cannot_be_read_are_not_python(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert not recognise(["./folder"]).python
    assert not recognise(["./nul\0byte"]).python


def test_looking_at_a_command_runs_nothing(tmp_path: Path) -> None:
    _installed(tmp_path, "celery", b"#!/bin/sh\ntouch ran\n")
    recognise(["celery"])
    recognise(["python", "celery"])
    assert os.listdir(tmp_path) == ["bin"]


_words = st.one_of(
    st.sampled_from(
        ["env", "uv", "run", "poetry", "nice", "python", "manage.py", "qcluster", "django-admin"]
    ),
    st.sampled_from(["-n", "--", "-m", "-mx", "-c", "-", "--with", "-X", "-W", "A=1"]),
    st.sampled_from(["", "/", ".", "..", "__main__.py", "a\n", "\udcff"]),
)


@settings(max_examples=500, deadline=None)
@given(command=st.lists(_words, min_size=1, max_size=8))
def test_any_command_is_recognised_as_something(command: list[str]) -> None:
    found = recognise(command)
    assert isinstance(found.name, str)
    if found.preset is not None:
        assert found.preset.match


# --- the table ------------------------------------------------------------------------------------


def test_every_way_to_call_a_worker_belongs_to_one() -> None:
    ways = [way for preset in PRESETS for way in preset.match]
    assert len(set(ways)) == len(ways)
    keys = [preset.key for preset in PRESETS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_what_is_known_of_a_worker_can_be_used(preset: Preset) -> None:
    for pattern in (preset.ready, *(case.ready for case in preset.cases)):
        re.compile((pattern or "").encode())
    assert preset.stop_signal in {None, *signal.Signals}
    assert preset.stop_timeout is None or preset.stop_timeout >= 10
    assert preset.match or preset.notes
    assert preset.killed_task_outcome
    for sentence in (preset.killed_task_outcome, *(case.caution for case in preset.cases)):
        assert not sentence.endswith(".")


@pytest.mark.parametrize(
    ("queue", "line", "is_ready"),
    [
        ("django-q2", "12:00:00 [Q] INFO Q Cluster november-sierra-five-two running.", True),
        ("django-q2", "12:00:00 [Q] INFO Q Cluster november-sierra-five-two starting.", False),
        ("django-q2", "12:00:00 [Q] INFO Process-1:1 ready for work at 4711", False),
        ("django-q2", "12:00:00 [Q] INFO Q Cluster november-sierra-five-two stopping.", False),
    ],
)
def test_the_line_by_which_a_known_worker_is_ready(queue: str, line: str, is_ready: bool) -> None:
    (preset,) = (known for known in PRESETS if known.key == queue)
    assert preset.ready is not None
    assert bool(re.search(preset.ready, line)) is is_ready


# --- the first lines of the others, as their projects print them ----------------------------------

READY = [
    ("rq", "12:00:00 *** Listening on default...", True),
    ("rq", "12:00:00 Worker rq:worker:1: started with PID 1, version 3.0.0", False),
    (
        "dramatiq",
        "[2026-11-01 12:00:00,000] [PID 1] [MainThread] [dramatiq.WorkerProcess(0)] [INFO] Worker process is ready for action.",
        True,
    ),
    (
        "procrastinate",
        "2026-11-01 12:00:00,000 INFO procrastinate.worker Launching a worker on all queues",
        True,
    ),
    ("celery", "[2026-11-01 12:00:00,000: INFO/MainProcess] celery@host ready.", True),
    ("celery", "[2026-11-01 12:00:00,000: INFO/MainProcess] w1@host-2.example ready.", True),
    ("celery", "[2026-11-01 12:00:00,000: INFO/MainProcess] mingle: all alone", False),
    ("celery-beat", "[2026-11-01 12:00:00,000: INFO/MainProcess] beat: Starting...", True),
    ("pgpubsub", "2026-11-01 12:00:00,000 INFO Listening for notifications... ", True),
    (
        "huey",
        "[2026-11-01 12:00:00,000] INFO:huey.consumer:MainThread:Huey consumer started with 2 thread, PID 1",
        True,
    ),
    ("arq", "12:00:00: Starting worker for 1 functions: nap", True),
    (
        "taskiq",
        "[2026-11-01 12:00:00,000][taskiq.receiver.receiver][INFO   ][worker-0] Listening started.",
        True,
    ),
    ("django-tasks", "Starting worker worker_id=x queues=default", True),
]


@pytest.mark.parametrize(("key", "line", "is_ready"), READY)
def test_the_line_by_which_another_known_worker_is_ready(key: str, line: str, is_ready: bool) -> None:
    (preset,) = (known for known in PRESETS if known.key == key)
    assert bool(re.search(preset.ready or "$.", line)) is is_ready


def test_variables_that_the_command_sets_for_itself_are_known() -> None:
    found = recognise(shlex.split("env A=1 sh -c 'B=2 exec celery -A p worker'"))
    assert found.environment == {"A": "1", "B": "2"}
    assert found.arguments == ("-A", "p", "worker")
