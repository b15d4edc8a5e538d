"""What follows from a preset for one command line: what differs, and what the user is told."""

from __future__ import annotations

import shlex
import signal

import pytest

from reloader.presets.detect import recognise
from reloader.presets.preset import applied, cautions, hurried

INFO = r"\S+@\S+ ready\."
BANNER = r"\[queues\]"


@pytest.mark.parametrize(
    ("line", "ready", "overlap"),
    [
        ("celery -A p worker -l info", INFO, True),
        ("celery -A p worker -linfo", INFO, True),
        ("celery -A p worker -l INFO", INFO, True),
        ("celery -A p worker --loglevel=debug", INFO, True),
        ("celery -A p worker --loglevel DEBUG", INFO, True),
        ("celery -A p worker", BANNER, True),
        ("celery -A p worker -l warning", BANNER, True),
        ("celery -A p -q worker", None, False),
        ("celery -A p worker -l info -B", INFO, False),
        ("celery -A p beat -l info", "beat: Starting", False),
        ("celery -A p beat", r"celery beat v\S+ .*is starting", False),
        ("rq worker", r"\*\*\* Listening on ", True),
        ("rq worker --with-scheduler", r"\*\*\* Listening on ", False),
        ("rq worker --name=w1", r"\*\*\* Listening on ", True),
        ("manage.py scheduler_worker", "Starting worker for queues|Listening to queues", False),
        ("manage.py scheduler_worker --without-scheduler", "Starting worker for queues|Listening to queues", True),
        ("huey_consumer app.huey", "Huey consumer started", False),
        ("huey_consumer app.huey --no-periodic", "Huey consumer started", True),
        ("huey_consumer app.huey -q", None, False),
        ("manage.py listen --loglevel error", None, False),
    ],
)  # fmt: skip
def test_what_the_options_change(line: str, ready: str | None, overlap: bool) -> None:
    found = recognise(shlex.split(line))
    assert found.preset is not None
    preset = applied(found.preset, found.arguments, {})
    assert (preset.ready, preset.overlap) == (ready, overlap)


@pytest.mark.parametrize(
    ("line", "environment", "number", "told"),
    [
        ("celery -A p worker", {}, signal.SIGTERM, None),
        ("celery -A p worker", {"REMAP_SIGTERM": "SIGQUIT"}, signal.SIGINT, None),
        ("celery -A p worker", {"REMAP_SIGTERM": "SIGQUIT"}, signal.SIGTERM, "the stop signal cuts tasks"),
        ("celery -A p worker", {"REMAP_SIGTERM": "other"}, signal.SIGTERM, None),
        ("manage.py listen", {}, signal.SIGINT, "listen cannot drain"),
        ("manage.py listen --worker --recover", {}, signal.SIGINT, None),
        ("manage.py rundramatiq --reload", {}, signal.SIGINT, "restarts itself as well"),
        ("dramatiq app --watch src", {}, signal.SIGINT, "restarts itself as well"),
        ("dramatiq app", {}, signal.SIGINT, None),
        ("rq worker --name w1", {}, signal.SIGINT, "keeps its --name"),
        ("rq worker -- --name", {}, signal.SIGINT, None),
        ("huey_consumer app.huey", {}, signal.SIGINT, None),
        ("huey_consumer app.huey", {}, signal.SIGTERM, "SIGTERM cuts huey's tasks"),
        ("taskiq worker app:broker -r", {}, signal.SIGINT, "restarts itself as well"),
        ("arq app.W --watch src", {}, signal.SIGINT, "--watch"),
        ("manage.py scheduler_worker", {}, signal.SIGINT, "stopped while idle"),
        ("manage.py scheduler_worker --without-scheduler", {}, signal.SIGINT, None),
        ("manage.py db_worker", {}, signal.SIGINT, "while DEBUG is on"),
        ("manage.py db_worker --no-reload", {}, signal.SIGINT, None),
    ],
)
def test_what_the_user_is_told(line: str, environment: dict[str, str], number: int, told: str | None) -> None:
    found = recognise(shlex.split(line))
    assert found.preset is not None
    texts = cautions(found.preset, found.arguments, environment, number)
    assert len(texts) == (told is not None)
    for what, remedy in texts:
        assert what.startswith(f"{found.preset.key}: ")
        assert told is not None
        assert told in what
        assert remedy


@pytest.mark.parametrize(
    ("line", "within", "told"),
    [
        ("manage.py qcluster", 32.0, "looks at its schedules only 30 s after its start"),
        ("huey_consumer app.huey", 60.0, "once more for every restart in their minute"),
        ("huey_consumer app.huey -n", 0.0, ""),
        ("manage.py rqcron cron_config.py", 60.0, "enqueues its interval jobs at once"),
        ("celery -A proj worker", 0.0, ""),
    ],
)
def test_what_the_user_is_told_where_restarts_come_soon_after_each_other(
    line: str, within: float, told: str
) -> None:
    found = recognise(shlex.split(line))
    assert found.preset is not None
    texts = hurried(found.preset, found.arguments, {})
    assert [one[0] for one in texts] == ([within] if within else [])
    for _, what, remedy in texts:
        assert told in what
        assert remedy
    at_start = cautions(found.preset, found.arguments, {}, signal.SIGINT)
    assert not {what for what, _ in at_start} & {what for _, what, _ in texts}
