"""The command of every generation: its name, options that hasten it, and whether generations overlap at all."""

from __future__ import annotations

import shlex

import pytest

from reloader.cli.resolve import build
from reloader.presets.preset import SET_SO, Preset
from reloader.presets.table import PRESETS
from reloader.settings import Settings


def built(line: str, **given: object) -> Settings:
    """The settings of a run of that command line, with those options."""
    return build({"command": shlex.split(line), **given})


@pytest.mark.parametrize(
    ("first", "third"),
    [
        ("celery -A p worker -l info", "celery -A p worker -l info -n celery.3@%h --without-mingle"),
        ("python -m celery -A p worker -l info", "python -m celery -A p worker -l info -n celery.3@%h --without-mingle"),
        ("celery -A p worker -n w1@%h -l info", "celery -A p worker -n w1.3@%h -l info --without-mingle"),
        ("celery -A p worker -nw1 -l info", "celery -A p worker -nw1.3 -l info --without-mingle"),
        ("celery -A p worker --hostname=w1@a.b", "celery -A p worker --hostname=w1.3@a.b --without-mingle"),
        ("celery -A p worker --hostname w1@a.b", "celery -A p worker --hostname w1.3@a.b --without-mingle"),
        # Of two the last one counts.
        ("celery -A p worker -n a@b --hostname c@d", "celery -A p worker -n a@b --hostname c.3@d --without-mingle"),
        ("celery -A p worker -- -n x", "celery -A p worker -n celery.3@%h --without-mingle -- -n x"),
        ("uv run celery -A p worker", "uv run celery -A p worker -n celery.3@%h --without-mingle"),
        ("env A=1 nice -n 5 celery -A p worker", "env A=1 nice -n 5 celery -A p worker -n celery.3@%h --without-mingle"),
        ("celery -A p worker --without-mingle -c 1", "celery -A p worker --without-mingle -c 1 -n celery.3@%h"),
        ("rq worker --name w1 default", "rq worker --name w1.3 default"),
        ("rq worker -n w1 default", "rq worker -n w1.3 default"),
        ("rq worker default", "rq worker default"),
        ("python manage.py rqworker default --name=w1", "python manage.py rqworker default --name=w1.3"),
        ("./manage.py db_worker --no-reload --worker-id w",
         "./manage.py db_worker --no-reload --worker-id w.3 --no-startup-delay"),
        ("./manage.py db_worker --no-reload", "./manage.py db_worker --no-reload --no-startup-delay"),
        ("./manage.py scheduler_worker --without-scheduler --name w",
         "./manage.py scheduler_worker --without-scheduler --name w.3"),
        ("python manage.py qcluster", "python manage.py qcluster"),
        ("python manage.py qcluster -n orders", "python manage.py qcluster -n orders"),
        ("sh -c 'exec rq worker default'", "sh -c 'exec rq worker default'"),
    ],
)  # fmt: skip
def test_the_number_goes_into_the_name_but_that_of_the_first(first: str, third: str) -> None:
    settings = built(first)
    assert settings.overlap
    assert settings.command_of(1) == settings.command == tuple(shlex.split(first))
    assert settings.command_of(3) == tuple(shlex.split(third))
    program = settings.program
    assert settings.program_of(1) == program
    behind = settings.program_of(3)
    assert behind[0] == program[0]
    if settings.later:
        assert settings.command_of(3)[-len(behind) :] == behind


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("celery -A p worker -B", "the file of its schedule"),
        ("celery -A p worker --pidfile=w.pid", "pid file"),
        ("celery -A p worker -S state", "--statedb"),
        ("celery -A p beat", "the file of its schedule"),
        ("celery -A p -q worker", "no line tells when it is ready"),
        ("sh -c 'celery -A p worker'", "cannot be given a number"),
        ("sh -c 'rq worker --name w1'", "cannot be given a number"),
        ("sh -c 'cd shop && celery -A p worker'", "cannot be given a number"),
        ("sh -c 'python manage.py migrate && python manage.py qcluster'", "the shell does more"),
        ("sh -c 'python manage.py qcluster | tee log'", "the shell does more"),
        ("flock /tmp/lock python manage.py qcluster", "the lock of flock"),
        ("xvfb-run python manage.py qcluster", "display"),
        ("python -m debugpy --listen 5678 manage.py qcluster", "its debugger"),
        ("rq worker --with-scheduler", "the scheduler's lock"),
        ("rq worker -s", "the scheduler's lock"),
        ("rq worker --pid w.pid", "pid file"),
        ("manage.py rqworker-pool", "the scheduler's lock"),
        ("manage.py rqcron", "enqueue everything twice"),
        ("manage.py scheduler_worker", "the scheduler's lock"),
        ("manage.py scheduler_worker --without-scheduler --pid x", "pid file"),
        ("manage.py rundramatiq --pid-file x", "pid file"),
        ("manage.py rundramatiq --reload", "restart itself"),
        ("taskiq worker app:broker -r", "restart itself"),
        ("manage.py db_worker", "restart itself"),
        ("huey_consumer app.huey", "periodic tasks would run twice"),
        ("huey_consumer app.huey -n -f", "free the locks"),
        ("arq app.W", "job_completion_wait"),
        ("manage.py listen --worker --recover", "handled twice"),
        ("node worker.js", "may have a port"),
        ("wakaq-scheduler", "twice"),
        ("./unknown", ""),
    ],
)
def test_where_it_is_not_safe_there_is_no_overlap_and_the_reason_is_known(line: str, why: str) -> None:
    settings = built(line)
    assert not settings.overlap
    assert settings.later == ()
    assert why in settings.apart
    assert bool(settings.apart) == bool(why)


def test_the_user_has_the_last_word() -> None:
    off = built("celery -A p worker", overlap=False)
    assert (off.overlap, off.apart, off.command_of(5)) == (False, SET_SO, off.command)
    on = built("celery -A p worker --pidfile w.pid", overlap=True)
    assert (on.overlap, on.command_of(2)[-2:]) == (True, ("celery.2@%h", "--without-mingle"))
    assert on.cautions == (("celery: its pid file is for one process", "--no-overlap drains first"),)
    assert built("./unknown", overlap=True).overlap
    assert built("rq worker --name w", overlap=False).cautions
    assert not built("rq worker --name w").cautions


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_nobody_overlaps_by_default_without_a_line_that_tells_when_it_is_ready(preset: Preset) -> None:
    """Else a worker that is not ready yet would take the place of one that is."""
    assert preset.no_overlap_reason or preset.ready
    assert all(
        case.no_overlap_reason or preset.no_overlap_reason for case in preset.cases if case.ready == ""
    )


def test_words_that_cannot_be_seen_are_not_changed() -> None:
    settings = built("sh -c 'cd shop && celery -A p worker'", preset="celery")
    assert (settings.preset, settings.overlap, settings.later) == ("celery", False, ())
    assert "cannot be given a number" in settings.apart
