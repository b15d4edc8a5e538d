"""What stands in front of a worker: for each program of the table, the worker behind it and what follows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reloader.errors import ExitCode, ReloaderError
from reloader.presets.detect import recognise
from reloader.presets.shell_syntax import simple_commands
from reloader.presets.unwrap import unwrap
from reloader.presets.whole_command import startable
from reloader.presets.wrappers import SHELLS, WRAPPERS, front_names, shell_names

W = "python manage.py qcluster"

# By the words that call it, command lines whose worker is W.
BEHIND: dict[str, list[str]] = {
    "env": [f"env A=b {W}", f"env -i -u HOME -C . {W}", f"env -S 'A=b {W}'", f"env -uHOME -- {W}"],
    "exec": [f"exec -a worker {W}"],
    "command": [f"command {W}"],
    "nice": [f"nice -n 5 {W}", f"nice -n5 {W}", f"nice -10 {W}", f"nice --adjustment=5 {W}"],
    "ionice": [f"ionice -c 3 {W}", f"ionice -c2 -n7 {W}", f"ionice -tc 2 {W}"],
    "chrt": [f"chrt -b 0 {W}", f"chrt --idle 0 {W}"],
    "taskset": [f"taskset 3 {W}", f"taskset -c 0-3 {W}"],
    "prlimit": [f"prlimit --nofile=1024 {W}", f"prlimit -n=1024 {W}"],
    "choom": [f"choom -n 500 -- {W}"],
    "nohup": [f"nohup {W}"],
    "stdbuf": [f"stdbuf -oL {W}", f"stdbuf -o L -e 0 {W}"],
    "setsid": [f"setsid {W}", f"setsid --wait {W}", f"setsid -cw {W}"],
    "direnv exec": [f"direnv exec . {W}"],
    "cross-env": [f"cross-env A=b {W}"],
    "ddtrace-run": [f"ddtrace-run {W}"],
    "opentelemetry-instrument": [f"opentelemetry-instrument {W}"],
    "newrelic-admin run-program": [f"newrelic-admin run-program {W}"],
    "time": [f"time {W}", f"time -f %e -o times {W}"],
    "timeout": [f"timeout 60 {W}", f"timeout -k 5 -s INT 1h {W}", f"timeout --foreground -k5 60 {W}"],
    "flock": [f"flock -n lock {W}", f"flock lock -c '{W}'", f"flock -w 5 -E 3 lock {W}"],
    "script": [f"script -qec '{W}' log", f"script --command='{W}'", f"script -q log -- {W}",
               f"script -c 'cd app && {W}' log"],
    "unbuffer": [f"unbuffer -p {W}"],
    "xvfb-run": [f"xvfb-run -a {W}", f"xvfb-run -s '-screen 0 800x600x24' {W}"],
    "dbus-run-session": [f"dbus-run-session -- {W}"],
    "tini": [f"tini -g -- {W}"],
    "dumb-init": [f"dumb-init -r 15:2 -- {W}"],
    "strace": [f"strace -f -e trace=file -o log {W}"],
    "sudo": [f"sudo {W}", f"sudo -u www A=b {W}", f"sudo -nEu www -- {W}", f"sudo --user=www {W}"],
    "doas": [f"doas -u www {W}"],
    "su": [f"su www -c '{W}'", f"su - www -c '{W}'", f"su -s /bin/sh -c '{W}' www"],
    "runuser": [f"runuser -u www -- {W}", f"runuser -u www {W}", f"runuser www -c '{W}'"],
    "gosu": [f"gosu www {W}"],
    "setpriv": [f"setpriv --reuid 1000 --clear-groups {W}"],
    "uv run": [f"uv run {W}", f"uv run --frozen --with x {W}", "uv run manage.py qcluster",
               "uv run -m django qcluster", f"uv --offline run -p 3.12 -- {W}", f"python -m uv run {W}"],
    "uvx": [f"uvx --from x {W}"],
    "pipx run": [f"pipx run --spec x {W}"],
    "poetry run": [f"poetry run {W}", f"poetry -C app run {W}", f"python -m poetry run {W}"],
    "pdm run": [f"pdm run -p app {W}"],
    "hatch run": [f"hatch run {W}", f"hatch -e dev run {W}"],
    "pipenv run": [f"pipenv run {W}", f"python3 -m pipenv run {W}"],
    "rye run": [f"rye run {W}"],
    "pixi run": [f"pixi run -e dev {W}"],
    "conda run": [f"conda run -n dev --no-capture-output {W}"],
    "mise exec": [f"mise exec python@3.12 -- {W}", f"mise exec -c '{W}'"],
    "mise x": [f"mise x -- {W}"],
    "pyenv exec": [f"pyenv exec {W}"],
    "dotenv run": [f"dotenv run {W}", f"dotenv -f .env.dev run -- {W}", f"python -m dotenv run {W}"],
    "dotenv": [f"dotenv -e .env.dev -- {W}"],
    "dotenvx run": [f"dotenvx run -f .env.dev -- {W}"],
    "doppler run": [f"doppler run -- {W}", f"doppler run -p x --command '{W}'"],
    "op run": [f"op run --env-file=.env -- {W}"],
    "infisical run": [f"infisical run --env dev -- {W}", f"infisical run --command '{W}'"],
    "aws-vault exec": [f"aws-vault exec dev -- {W}"],
    "chamber exec": [f"chamber exec a b -- {W}"],
    "teller run": [f"teller run -- {W}"],
    "sops exec-env": [f"sops exec-env secrets.yaml '{W}'"],
    "honcho run": [f"honcho run {W}", f"honcho -e .env run -- {W}", f"python -m honcho run {W}"],
    "npx": [f"npx --yes -p x {W}", f"npx -c '{W}'"],
    "npm exec": [f"npm exec -- {W}", f"npm exec -c '{W}'"],
    "pnpm exec": [f"pnpm exec {W}"],
    "pnpm dlx": [f"pnpm dlx {W}"],
    "pnpx": [f"pnpx {W}"],
    "yarn exec": [f"yarn exec {W}"],
    "bunx": [f"bunx {W}"],
    "watchman-make": [f"watchman-make -p '*.py' --run '{W}'"],
    "debugpy": ["python -m debugpy --listen 5678 manage.py qcluster", "debugpy --connect h:1 manage.py qcluster",
                "python -Xfrozen_modules=off -m debugpy --listen 0.0.0.0:5678 --wait-for-client -m django qcluster",
                "python -X dev -m debugpy --listen 1 --configure-subProcess false manage.py qcluster"],
    "coverage run": ["coverage run manage.py qcluster", "python -mcoverage run manage.py qcluster",
                     "python -m coverage run -p --source=app -m django qcluster",
                     "coverage run --rcfile x --branch -a manage.py qcluster"],
    "pdb": ["python -m pdb -c continue manage.py qcluster"],
    "ipdb": ["python -m ipdb -m django qcluster"],
    "cProfile": ["python -m cProfile -o out -s time manage.py qcluster"],
    "profile": ["python -m profile -m django qcluster"],
    "memray run": ["memray run -o out.bin manage.py qcluster", "python3 -m memray run -m django qcluster"],
}  # fmt: skip
# Of these the command line tells no more than a name.
TASKS = {
    "make": ("make -C app A=b worker", "worker"),
    "gmake": ("gmake worker", "worker"),
    "just": ("just --justfile x worker fast", "worker"),
    "task": ("task worker -- --fast", "worker"),
    "poe": ("poe -C app worker", "worker"),
    "inv": ("inv worker", "worker"),
    "invoke": ("invoke worker", "worker"),
    "npm run": ("npm --prefix app run worker -- --fast", "worker"),
    "npm start": ("npm start", "npm"),
    "pnpm": ("pnpm worker", "worker"),
    "pnpm run": ("pnpm run worker", "worker"),
    "yarn": ("yarn worker", "worker"),
    "yarn run": ("yarn run worker", "worker"),
    "bun run": ("bun run worker.ts", "worker"),
    "honcho start": ("honcho -f Procfile.dev start worker", "worker"),
    "foreman start": ("foreman start", "foreman"),
    "overmind start": ("overmind start -l worker", "overmind"),
    "hivemind": ("hivemind Procfile.dev", "hivemind"),
    "concurrently": ("concurrently 'a b' 'c d'", "concurrently"),
}

LINES = [(key, line) for key, lines in BEHIND.items() for line in lines]


@pytest.fixture(autouse=True)
def _a_system_with_no_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test installs is found by name or in the current folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("key", "line"), LINES, ids=[line for _, line in LINES])
def test_the_worker_behind_each_program_of_the_table_is_known(key: str, line: str) -> None:
    wrapper = WRAPPERS[tuple(key.split())]
    found = recognise(shlex.split(line))
    assert found.preset is not None
    assert (found.name, found.preset.key, found.python) == ("qcluster", "django-q2", True)
    assert found.is_sure
    assert found.arguments == ("qcluster",)
    if wrapper.python:
        assert found.words == tuple(shlex.split(line))
        assert found.why_cold
    else:
        assert found.words in (
            tuple(shlex.split(W)),
            ("python", "-m", "django", "qcluster"),
            ("manage.py", "qcluster"),
        )


@pytest.mark.parametrize(("key", "case"), TASKS.items(), ids=TASKS)
def test_of_what_a_file_says_only_the_name_is_known(key: str, case: tuple[str, str]) -> None:
    line, name = case
    found = recognise(shlex.split(line))
    assert WRAPPERS[tuple(key.split())].task
    assert (found.name, found.preset, found.python, found.is_sure) == (name, None, False, False)


def test_every_program_of_the_table_is_tried_and_documented() -> None:
    assert {tuple(key.split()) for key in (*BEHIND, *TASKS)} == set(WRAPPERS)
    for wrapper in WRAPPERS.values():
        assert re.fullmatch(r"[a-z-]+\(\d\)|https://[^ ]+", wrapper.documented)


def test_the_reference_names_every_program_of_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
    section = text.partition("### In front of a worker")[2].partition("### Presets of your own")[0]
    named = {" ".join(words) for code in re.findall(r"`([^`]+)`", section) for words in [code.split()]}
    missing = [key for key in WRAPPERS if not any(name.split()[: len(key)] == list(key) for name in named)]
    assert missing == []


def test_who_stays_in_front_is_seen_through_and_who_looks_into_the_worker_is_not() -> None:
    names = front_names()
    assert {"uv", "timeout", "sudo", "npm", "make", "honcho", "flock", "script", "dotenv", "setsid"} <= names
    # These are the worker by the time it runs.
    assert names.isdisjoint({"env", "nice", "stdbuf", "debugpy", "coverage", "pdb", "ddtrace-run", "exec"})
    assert names.isdisjoint(shell_names())
    assert shell_names() == SHELLS >= {"sh", "bash", "dash", "zsh", "busybox"}


# --- what follows from it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        (W, ""),
        (f"sh -c 'cd app && {W}'", "app"),
        (f"sh -c 'cd app; cd sub; exec {W}'", "app/sub"),
        (f"sh -c 'cd /srv && {W}'", "/srv"),
        (f"env -C app {W}", "app"),
        (f"env --chdir=app sh -c 'cd sub && {W}'", "app/sub"),
        (f"uv run --directory app {W}", "app"),
        (f"poetry -C app run {W}", "app"),
        (f"sudo -D /srv {W}", "/srv"),
    ],
)
def test_the_folder_of_the_program_is_known(line: str, folder: str) -> None:
    assert recognise(shlex.split(line)).folder == folder


@pytest.mark.parametrize(
    ("line", "is_warm"),
    [
        (f"sh -c 'cd app && {W}'", True),
        (f"bash -lc 'source .venv/bin/activate && {W}'", True),
        (f"sh -c 'set -a; . ./.env; set +a; exec {W}'", True),
        (f"sh -c 'export A=b && ulimit -n 1024 && A=c {W}'", True),
        (f"sh -c 'python manage.py migrate && {W}'", False),
        (f"sh -c '{W}; echo after'", False),
        (f"sh -c '. ./prepare.sh; {W}'", False),
        (f"sh -c '{W} | tee log'", False),
        (f"sh -c '{W} > log'", False),
        (f"sh -c 'exec 3>log; {W}'", False),
        (f"sh -c '{W} &'", False),
        (f"sh -c '({W})'", False),
        (f"sh -c 'trap : TERM; {W}'", False),
        (f"uv run {W}", True),
        (f"dotenv run {W}", True),
        (f"nice {W}", True),
        (f"timeout 60 {W}", False),
        (f"flock lock {W}", False),
        (f"sudo {W}", False),
        (f"xvfb-run {W}", False),
    ],
)
def test_a_start_without_what_is_in_front_is_warm_only_where_nobody_misses_it(
    line: str, is_warm: bool
) -> None:
    found = recognise(shlex.split(line))
    assert found.is_sure
    assert bool(found.why_cold) is not is_warm


@pytest.mark.parametrize(
    "line",
    [
        f"sh -c '{W} -n $NAME'",
        "sh run.sh",
        "sh -c 'case x in x) true;; esac'",
        "make worker",
        "doppler run python manage.py qcluster",
        "python2worker",
        "sh -c 'python a.py & python b.py'",
    ],
)
def test_words_that_may_be_others_are_not_sure(line: str) -> None:
    assert not recognise(shlex.split(line)).is_sure


def test_an_activated_environment_interprets_it(tmp_path: Path) -> None:
    programs = tmp_path / "app" / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").touch()
    (programs / "celery").write_text("#!/app/.venv/bin/python3\n")
    (programs / "celery").chmod(0o755)
    for line, interpreter in (
        (f"sh -c 'cd app && . .venv/bin/activate && {W}'", "app/.venv/bin/python"),
        ("sh -c 'cd app && . .venv/bin/activate && celery -A p worker'", "/app/.venv/bin/python3"),
        (f"sh -c 'cd app && uv run {W}'", "app/.venv/bin/python"),
        ("sh -c 'cd app && .venv/bin/python manage.py qcluster'", "app/.venv/bin/python"),
    ):
        assert recognise(shlex.split(line)).interpreter == interpreter


@pytest.mark.parametrize("name", ["x" * 200, "a\nb", "python manage.py qcluster and so on and on"])
def test_a_name_is_a_prefix_that_lines_can_have(name: str) -> None:
    shown = recognise([name]).name
    assert len(shown) <= 24
    assert shown.isprintable()


def test_a_front_within_a_front_within_a_shell() -> None:
    found = unwrap(
        shlex.split("""nohup bash -lc 'cd a && uv run -- env A=b sh -c "cd b; timeout 5 python w.py"'""")
    )
    assert [one.words for one in found] == [["python", "w.py"]]
    assert (found[0].folder, found[0].environment) == ("a/b", {"A": "b"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a \"&&\" ';' | b", [["a", "&&", ";"], ["b"]]),
        ("a >x 2>&1 b <y", [["a", "b"]]),
        ("a 2 >x", [["a", "2"]]),
        ("A=b a; # c; d\ne", [["a"], ["e"]]),
        ("a & b", [["a"], ["b"]]),
        ("a $(b; c) `d` ${e:-f}", [["a", "$(b; c)", "`d`", "${e:-f}"]]),
        ("a#b", [["a#b"]]),
        ("", []),
    ],
)
def test_a_shells_text_is_cut_as_a_shell_does(text: str, words: list[list[str]]) -> None:
    assert [command.words for command in simple_commands(text) or []] == words


@pytest.mark.parametrize(
    "text", ["a 'b", 'a "b', "a $(b", "a `b", "a\\", "f() { a; }", "a <<E", "a > ", "x=(1 2)"]
)
def test_what_cannot_be_cut_with_certainty_is_not(text: str) -> None:
    assert simple_commands(text) is None


# --- what must be said or added -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "started"),
    [
        (f"setsid {W}", f"setsid --wait {W}"),
        (f"setsid -c {W}", f"setsid --wait -c {W}"),
        (f"env A=b /usr/bin/setsid {W}", f"env A=b /usr/bin/setsid --wait {W}"),
        (f"sh -c 'cd app; setsid {W}'", f"sh -c 'cd app; setsid --wait {W}'"),
        (f"setsid -w {W}", f"setsid -w {W}"),
        (f"setsid --wait {W}", f"setsid --wait {W}"),
        (f"setsid -cw {W}", f"setsid -cw {W}"),
        (f"sh -c 'setsid -w {W}'", f"sh -c 'setsid -w {W}'"),
        (f"{W} setsid", f"{W} setsid"),
        ("make setsid", "make setsid"),
    ],
)
def test_setsid_is_made_to_wait(line: str, started: str) -> None:
    assert startable(shlex.split(line)) == tuple(shlex.split(started))


def test_the_setsid_of_busybox_knows_no_such_option(tmp_path: Path) -> None:
    (tmp_path / "busybox").touch()
    (tmp_path / "busybox").chmod(0o755)
    (tmp_path / "setsid").symlink_to("busybox")
    assert startable(["setsid", "worker"]) == ("setsid", "worker")


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ([W], f"leave the quotes out: reloader -- {W}"),
        (["python manage.py", "qcluster", "-n a b"], "leave the quotes out: reloader -- python manage.py qcluster '-n a b'"),
        (["cd app && ./run"], "a shell is needed for it: reloader -- sh -c 'cd app && ./run'"),
    ],
)  # fmt: skip
def test_words_in_one_pair_of_quotes_are_told(command: list[str], remedy: str) -> None:
    with pytest.raises(ReloaderError) as found:
        startable(command)
    assert found.value.remedy == remedy
    assert found.value.exit_code == ExitCode.NOT_FOUND


def test_a_program_may_have_spaces_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "my worker").touch()
    (tmp_path / "my worker").chmod(0o755)
    assert startable(["my worker"]) == ("my worker",)
    assert startable(["./my worker"]) == ("./my worker",)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (f"reloader -- {W}", W),
        (f"reloader {W}", W),
        (f"reloader -v -- {W}", W),
        (f"python -m reloader -- {W}", W),
        (f"uv run reloader -- {W}", f"uv run {W}"),
        (f"env A=b nice reloader -s INT -- {W}", f"env A=b nice {W}"),
        (f"sh -c 'cd app && reloader -- {W}'", W),
        ("reloader -v", "COMMAND"),
    ],
)
def test_reloader_within_itself_is_told(line: str, meant: str) -> None:
    with pytest.raises(ReloaderError) as found:
        startable(shlex.split(line))
    assert found.value.what == "the worker is reloader itself"
    assert found.value.remedy == f"name it once, in front: reloader -- {meant}"


def test_another_program_of_that_name_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "reloader").write_text("#!/bin/sh\n")
    (tmp_path / "reloader").chmod(0o755)
    assert startable(["reloader", "x"]) == ("reloader", "x")
    (tmp_path / "reloader").write_text("#!/usr/bin/python3\nfrom reloader.__main__ import main\n")
    with pytest.raises(ReloaderError):
        startable(["reloader", "x"])
