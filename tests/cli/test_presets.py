"""What is known of a worker by name, in real runs: shown, overridden, added, and told when it matters."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import RELOADER, Run, eventually, save

Start = Callable[..., Run]
PYTHON = sys.executable

# A management command of the name that django-q2 has; what it prints and does is its own.
MANAGE = """
import os, signal, sys, time
import task

def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    sys.exit(0)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
print("up", task.VERSION, flush=True)
while True:
    time.sleep(60)
"""
# Holds on to its task for ever, in itself and in a child.
OVERSTAYS = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, lambda *_: print("got SIGINT", flush=True))
subprocess.Popen([sys.executable, "-c", "import signal\\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\\nwhile True: pass"])
print("up", flush=True)
while True:
    time.sleep(60)
"""
# Notes every signal that it gets, and takes a second to end.
NOTES = """
import os, signal, sys, time

def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    time.sleep(1)
    print("drained", flush=True)
    sys.exit(0)

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, stop)
print("up", os.getpid(), flush=True)
while True:
    time.sleep(60)
"""


def ask(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELOADER")}
    done = subprocess.run([RELOADER, *words], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


# --- asked ----------------------------------------------------------------------------------------


def test_the_known_workers_are_listed(tmp_path: Path) -> None:
    status, said, _ = ask(tmp_path, "presets")
    assert status == 0
    head, *lines = said.splitlines()
    assert head.split() == ["NAME", "RECOGNISED", "BY", "STOP", "AT", "MOST", "OVERLAP", "READY", "AT"]
    (line,) = (line for line in lines if line.startswith("django-q2 "))
    assert line.split() == [
        "django-q2",
        "manage.py",
        "qcluster",
        "INT",
        "60",
        "s",
        "yes",
        "Q",
        "Cluster",
        ".+",
        r"running\.",
    ]
    for name in ("celery", "celery-beat", "rq", "dramatiq", "procrastinate", "wakaq", "pgpubsub", "rocketry"):
        assert any(line.startswith(f"{name} ") for line in lines)


def test_one_is_told_in_full_with_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "reloader.toml").write_text("[presets.celery]\nstop-timeout = '5m'\nmatch = 'mycelery'\n")
    status, said, _ = ask(tmp_path, "presets", "celery")
    assert status == 0
    fields = dict(line.split(maxsplit=1) for line in said.splitlines() if line[0] != " ")
    assert fields["preset"] == "celery"
    assert fields["recognised"] == "by mycelery, celery worker"
    assert "\nat most       300 s\n" in said
    assert "the task is lost unless acks_late is on" in said
    assert "\noverlap       yes: the new one starts beside the old\n" in said
    assert "-n or --hostname; with overlap the name gets the generation's number" in said
    assert "with -B or --beat: no overlap: two of beat share" in said
    assert "without -l info" in said


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("presets", "celry"), 2, "reloader: no preset is called 'celry'\nhint: did you mean celery?\n"),
        (("presets", "a", "b"), 2, "unexpected extra argument"),
        (("--preset", "xyzzy", "true"), 2, "no preset is called 'xyzzy'\nhint: reloader presets lists them"),
    ],
)
def test_a_name_that_nobody_has(tmp_path: Path, words: tuple[str, ...], status: int, told: str) -> None:
    code, _, said = ask(tmp_path, *words)
    assert (code, "Traceback" in said) == (status, False)
    assert told in said


# --- in a run -------------------------------------------------------------------------------------


def test_the_first_line_tells_what_was_recognised_and_what_follows(project: Path, start: Start) -> None:
    (project / "manage.py").write_text(MANAGE)
    run = start("-v", "--", PYTHON, "manage.py", "qcluster")
    run.out.wait_for("up 1")
    first = run.err.text.splitlines()[0]
    assert (
        first == r"reloader    | django-q2: SIGINT, at most 60 s, ready at 'Q Cluster .+ running\.', overlap"
    )
    assert run.stop() == 0


@pytest.mark.parametrize(
    ("options", "line", "told"),
    [
        (("--no-overlap",), "manage.py qcluster", "no overlap: it is set so"),
        ((), "manage.py rqworker --pid w.pid", "no overlap: its pid file is for one process"),
        ((), "manage.py rqworker --name w1", "overlap"),
        ((), "worker.py", "no overlap"),
    ],
)
def test_the_first_line_tells_why_generations_do_not_overlap(
    project: Path, start: Start, options: tuple[str, ...], line: str, told: str
) -> None:
    (project / "manage.py").write_text(MANAGE)
    run = start("-v", *options, "--", PYTHON, *line.split())
    run.err.wait_for(rf", {told}$")
    run.err.wait_for("watching")
    assert run.stop() == 0


def test_without_more_words_nothing_is_told_of_it(project: Path, start: Start) -> None:
    (project / "manage.py").write_text(MANAGE)
    run = start("--", PYTHON, "manage.py", "qcluster")
    run.out.wait_for("up 1")
    assert run.stop() == 0
    assert "django-q2" not in run.err.text


def test_file_variable_and_option_are_each_stronger_than_the_one_before(project: Path, start: Start) -> None:
    (project / "manage.py").write_text(MANAGE)
    (project / "reloader.toml").write_text(
        "stop-timeout = '40s'\n[presets.django-q2]\nready = 'up [0-9]'\nstop-signal = 'TERM'\n"
        "stop-timeout = '50s'\nname = 'from-preset'\n"
    )
    words = ("-v", "-s", "HUP", "--", PYTHON, "manage.py", "qcluster")
    run = start(*words, env={"RELOADER_STOP_TIMEOUT": "30s", "RELOADER_STOP_SIGNAL": "INT"})
    run.err.wait_for(r"^reloader +\| django-q2: SIGHUP, at most 30 s, ready at 'up \[0-9\]'")
    run.out.wait_for("^from-preset +| up 1")
    run.err.wait_for(r"ready in \d")
    assert run.stop() == 0
    assert run.out.text.count("got SIGHUP") == 1


def test_a_worker_of_the_users_own(project: Path, start: Start) -> None:
    (project / "mailer.py").write_text(MANAGE)
    (project / "pyproject.toml").write_text(
        "[tool.reloader.presets.mailer]\nmatch = 'mailer.py send'\nready = 'up'\nstop-signal = 'TERM'\n"
    )
    run = start("-v", "--", PYTHON, "mailer.py", "--fast", "send")
    run.err.wait_for("mailer: SIGTERM, at most 60 s, ready at 'up'")
    run.err.wait_for("watching")
    eventually(lambda: "ready in" in run.err.text, "its ready line is known")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGTERM")
    run.out.wait_for("up 2")
    assert run.stop() == 0


def test_what_to_beware_of_is_told_once_with_a_hint(project: Path, start: Start) -> None:
    (project / "manage.py").write_text(MANAGE)
    run = start("--", PYTHON, "manage.py", "listen")
    run.err.wait_for("pgpubsub: listen cannot drain: .*\n.*hint: listen --worker --recover")
    run.out.wait_for("up 1")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("up 2")
    assert run.stop() == 0
    assert run.err.text.count("cannot drain") == 1


def test_before_the_kill_it_is_told_who_is_there_and_after_it_what_becomes_of_the_task(
    project: Path, start: Start
) -> None:
    (project / "manage.py").write_text(OVERSTAYS)
    run = start("--no-overlap", "-t", "1.5s", "--", PYTHON, "manage.py", "qcluster")
    run.out.wait_for("up")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("got SIGINT")
    told = run.err.wait_for(
        r"qcluster did not end within 1.5 s → SIGKILL to its whole process tree; still there: (.*)\n"
    )
    # The busy child comes first.
    assert b"(pid " in told[1]
    child, leader = told[1].split(b", CPU ")[0], told[1].split(b", CPU ")[1]
    assert b" for " in child
    assert b" for " in leader
    run.err.wait_for("if a task was in flight: django-q2: with the ORM broker a task runs again")
    run.out.wait_for("up")
    assert run.stop() == 1
    assert not run.survivors()


# --- whom the stop signal is for ------------------------------------------------------------------


def test_every_process_of_the_tree_gets_it_where_that_is_wanted(project: Path, start: Start) -> None:
    """The leader ends at once, and a process in a session of its own takes a second to drain."""
    (project / "notes.py").write_text(NOTES)
    (project / "worker.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, 'notes.py'], start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    run = start("-s", "INT", "--stop-target", "tree", "--", PYTHON, "worker.py")
    run.out.wait_for(r"up \d+")
    assert run.stop() == 0
    run.out.wait_for("got SIGINT")
    run.out.wait_for("drained")
    assert run.out.text.count("got") == 1
    assert not run.survivors()


BEHIND = {
    "a shell with more to do": "sh -c 'true; {worker}; echo after'",
    "bash with more to do": "bash -c 'true; {worker}; echo after'",
    "a shell that becomes the worker": "sh -c 'exec {worker}'",
    "a shell in a shell": "sh -c 'true; sh -c \"true; {worker}\"; true'",
    "a shell script": "./run.sh",
    "a shell that waits for a job": "sh -c '{worker} & wait'",
}


@pytest.mark.parametrize("number", ["INT", "TERM"])
@pytest.mark.parametrize("line", BEHIND.values(), ids=BEHIND)
def test_behind_a_shell_the_worker_gets_it_once_and_drains(
    project: Path, start: Start, line: str, number: str
) -> None:
    worker = f"{PYTHON} notes.py"
    (project / "notes.py").write_text(NOTES)
    (project / "run.sh").write_text(f"#!/bin/sh\ntrue\n{worker}\necho after\n")
    (project / "run.sh").chmod(0o755)
    run = start("-s", number, "--", *shlex.split(line.format(worker=worker)))
    run.out.wait_for(r"up \d+")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for(f"got SIG{number}")
    run.out.wait_for("drained")
    run.out.wait_for(r"up \d+")
    assert run.out.text.count("got") == 1
    assert run.stop() == 0
    assert run.out.text.count("got") == run.out.text.count("drained") == 2
    assert not run.survivors()


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_behind_uv_the_worker_gets_it_once_and_drains(project: Path, start: Start, number: str) -> None:
    (project / "notes.py").write_text(NOTES)
    uv = str(Path(PYTHON).with_name("uv"))
    run = start("-s", number, "--", uv, "run", "--no-project", "--offline", "--python", PYTHON, "notes.py")
    run.out.wait_for(r"^notes +\| up \d+")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for(f"got SIG{number}")
    run.out.wait_for("drained")
    run.out.wait_for(r"up \d+")
    assert run.out.text.count("got") == 1
    assert run.stop() == 0
    assert run.out.text.count("got") == run.out.text.count("drained") == 2
    assert not run.survivors()


def test_a_shell_with_a_trap_stops_in_its_own_way(project: Path, start: Start) -> None:
    (project / "notes.py").write_text(NOTES)
    (project / "run.sh").write_text(
        f"#!/bin/sh\ntrap 'echo trapped; kill -TERM $child' TERM\n{PYTHON} notes.py & child=$!\nwait $child\nwait $child\n"
    )
    run = start("--", "sh", "run.sh")
    run.out.wait_for(r"up \d+")
    assert run.stop() == 0
    assert run.out.text.count("trapped") == run.out.text.count("got SIGTERM") == 1
    assert "drained" in run.out.text


def test_the_first_process_alone_where_that_is_wanted(project: Path, start: Start) -> None:
    (project / "notes.py").write_text(NOTES)
    run = start("--stop-target", "leader", "-s", "TERM", "--", "sh", "-c", f"true; {PYTHON} notes.py; true")
    run.out.wait_for(r"up \d+")
    run.send(signal.SIGINT)
    # The shell is gone at once, and what it left behind is ended.
    run.err.wait_for("ending what notes left behind")
    assert run.wait() == 0


def test_when_reloader_is_killed_the_worker_behind_a_shell_drains_too(project: Path, start: Start) -> None:
    (project / "notes.py").write_text(NOTES)
    run = start("--", "sh", "-c", f"true; {PYTHON} notes.py; true", merged=True)
    run.out.wait_for(r"up \d+")
    run.send(signal.SIGKILL)
    run.out.wait_for("got SIGINT")
    run.out.wait_for("drained")
    eventually(lambda: not run.survivors(), "nothing is left")
    assert run.out.text.count("got") == 1
