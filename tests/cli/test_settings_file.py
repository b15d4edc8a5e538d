"""Settings files: which one is found, what is read from it, and what is said of a mistake in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest

from reloader.cli import settings_file
from reloader.cli.options import PARAMS
from reloader.cli.parsing import RUN, given, settings_from_file
from reloader.cli.resolve import build
from reloader.errors import ExitCode, ReloaderError
from reloader.settings import Color, LogFormat, OnExit, RestartOn, Settings, StopTarget, Trigger, Tty

KNOWN: dict[str, type] = {"watch": list, "stop_timeout": str, "prefix": bool, "name": str}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing above the test's folder is a settings file, and no variable sets anything."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("RELOADER"):
            monkeypatch.delenv(name)


def put(path: Path, text: str) -> Path:
    """Make a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def complaint(error: pytest.ExceptionInfo[ReloaderError]) -> tuple[str, str]:
    """What was wrong and what to do about it."""
    assert error.value.exit_code is ExitCode.USAGE
    return error.value.what, error.value.remedy


# --- which file -----------------------------------------------------------------------------------

OURS = "[tool.reloader]\nname = 'jobs'\n"


def test_without_a_file_none_is_found(tmp_path: Path) -> None:
    assert settings_file.find(str(tmp_path)) is None


@pytest.mark.parametrize(("name", "text"), [("pyproject.toml", OURS), ("reloader.toml", "name = 'jobs'\n")])
@pytest.mark.parametrize("start", [".", "a", "a/b/c"])
def test_the_file_is_found_from_its_folder_and_below(
    tmp_path: Path, name: str, text: str, start: str
) -> None:
    (tmp_path / start).mkdir(parents=True, exist_ok=True)
    path = put(tmp_path / name, text)
    assert settings_file.find(str(tmp_path / start)) == str(path)


def test_the_nearest_file_is_found(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", OURS)
    nearest = put(tmp_path / "a" / "pyproject.toml", OURS)
    (tmp_path / "a" / "b").mkdir()
    assert settings_file.find(str(tmp_path / "a" / "b")) == str(nearest)
    assert settings_file.find(str(tmp_path)) == str(tmp_path / "pyproject.toml")


def test_of_two_files_in_a_folder_the_one_that_is_only_ours_is_found(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", OURS)
    ours = put(tmp_path / "reloader.toml", "")
    assert settings_file.find(str(tmp_path)) == str(ours)


@pytest.mark.parametrize(
    "text",
    ["", "[project]\nname = 'x'\n", "[tool.other]\n", "[project]\nname = 'reloader'\n", "[tool.reloader]\n"],
)
def test_a_project_file_that_sets_nothing_for_us_is_passed_by(tmp_path: Path, text: str) -> None:
    above = put(tmp_path / "pyproject.toml", OURS)
    put(tmp_path / "a" / "pyproject.toml", text)
    assert settings_file.find(str(tmp_path / "a")) == str(above)


@pytest.mark.parametrize("is_worktree", [True, False])
def test_the_search_ends_at_the_top_of_the_repository(tmp_path: Path, is_worktree: bool) -> None:
    put(tmp_path / "pyproject.toml", OURS)
    inner = tmp_path / "inner"
    (inner / "a").mkdir(parents=True)
    if is_worktree:
        put(inner / ".git", "gitdir: elsewhere\n")
    else:
        (inner / ".git").mkdir()
    assert settings_file.find(str(inner / "a")) is None
    path = put(inner / "pyproject.toml", OURS)
    assert settings_file.find(str(inner / "a")) == str(path)


def test_a_folder_of_the_name_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "reloader.toml").mkdir()
    path = put(tmp_path / "pyproject.toml", OURS)
    assert settings_file.find(str(tmp_path)) == str(path)


# --- what is in it --------------------------------------------------------------------------------


def test_settings_are_read_with_their_types(tmp_path: Path) -> None:
    text = "watch = ['src', 'conf']\nstop-timeout = 5\nprefix = false\nname = 'jobs'\n"
    expected = {"watch": ["src", "conf"], "stop-timeout": 5, "prefix": False, "name": "jobs"}
    assert settings_file.read(str(put(tmp_path / "reloader.toml", text))) == expected
    assert settings_file.read(str(put(tmp_path / "pyproject.toml", f"[tool.reloader]\n{text}"))) == expected


def test_of_a_project_file_only_our_section_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "pyproject.toml", f"[project]\nname = 'p'\n{OURS}[tool.other]\nname = 'x'\n")
    assert settings_file.read(str(path)) == {"name": "jobs"}


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'p'\n", "# reloader\n", "[project]\nname = 'reloader'\n"]
)
def test_a_project_file_without_our_section_sets_nothing(tmp_path: Path, text: str) -> None:
    assert settings_file.read(str(put(tmp_path / "pyproject.toml", text))) == {}


def test_a_project_file_that_does_not_speak_of_us_is_not_even_parsed(tmp_path: Path) -> None:
    assert settings_file.read(str(put(tmp_path / "pyproject.toml", "this is [not TOML\n"))) == {}


@pytest.mark.parametrize("name", settings_file.FILES)
@pytest.mark.parametrize(
    "text", [b"[tool.reloader\n", b"reloader = \n", b"a = 1\na = 2\n# reloader\n", b"# reloader caf\xe9\n"]
)
def test_a_file_that_is_not_toml_is_told_with_its_place(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ReloaderError) as error:
        settings_file.read(str(tmp_path / name))
    what, remedy = complaint(error)
    assert what.startswith(f"cannot read {name}: ")
    assert remedy


@pytest.mark.parametrize("start", [".", "a/b"])
def test_a_file_on_the_way_that_is_not_toml_is_an_error(tmp_path: Path, start: str) -> None:
    (tmp_path / start).mkdir(parents=True, exist_ok=True)
    put(tmp_path / "pyproject.toml", "[tool.reloader\n")
    with pytest.raises(ReloaderError, match=r"cannot read pyproject\.toml"):
        settings_file.find(str(tmp_path / start))


def test_a_file_that_cannot_be_read_is_told_with_the_cause(tmp_path: Path) -> None:
    with pytest.raises(ReloaderError) as error:
        settings_file.read(str(tmp_path / "a" / "reloader.toml"))
    assert complaint(error) == (
        "cannot read a/reloader.toml: No such file or directory",
        "ls -l a/reloader.toml",
    )


@pytest.mark.parametrize(
    "text",
    [
        "[tool]\nreloader = 1\n",
        "[tool]\nreloader = 'x'\n",
        "[[tool.reloader]]\nname = 'x'\n",
        "tool = 'reloader'\n",
        "[[tool]]\nreloader = 1\n",
    ],
)
def test_a_section_of_ours_that_is_no_table_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReloaderError) as error:
        settings_file.read(str(put(tmp_path / "pyproject.toml", text)))
    what, remedy = complaint(error)
    assert what.startswith("pyproject.toml: ")
    assert "[tool.reloader]" in remedy


# --- keys and values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ({}, {}),
        ({"watch": ["a", "b"]}, {"watch": ["a", "b"]}),
        ({"watch": "a"}, {"watch": ["a"]}),
        ({"watch": []}, {"watch": []}),
        ({"stop-timeout": "5s"}, {"stop_timeout": "5s"}),
        ({"stop_timeout": "5s"}, {"stop_timeout": "5s"}),
        ({"stop-timeout": 5}, {"stop_timeout": "5"}),
        ({"stop-timeout": 2.5}, {"stop_timeout": "2.5"}),
        ({"prefix": True}, {"prefix": True}),
        ({"prefix": False}, {"prefix": False}),
        ({"name": ""}, {"name": ""}),
    ],
)
def test_settings_are_returned_by_the_names_of_options(
    given: dict[str, Any], checked: dict[str, Any]
) -> None:
    assert settings_file.check(given, "reloader.toml", KNOWN) == checked


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("stop-timout", "did you mean stop-timeout?"),
        ("stop_timeouts", "did you mean stop-timeout?"),
        ("wacth", "did you mean watch?"),
        ("names", "did you mean name?"),
        ("prefixes", "did you mean prefix?"),
        ("xyzzy", "known: watch, stop-timeout, prefix, name"),
        ("", "known: watch, stop-timeout, prefix, name"),
    ],
)
def test_an_unknown_key_is_told_with_the_near_miss(key: str, near: str) -> None:
    with pytest.raises(ReloaderError) as error:
        settings_file.check({"name": "x", key: 1}, "conf/reloader.toml", KNOWN)
    assert complaint(error) == (f"conf/reloader.toml: unknown key {key!r}", near)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("prefix", "yes", "write true or false"),
        ("prefix", 1, "write true or false"),
        ("prefix", 0, "write true or false"),
        ("prefix", [True], "write true or false"),
        ("watch", 1, "write a list of strings"),
        ("watch", True, "write a list of strings"),
        ("watch", [1], "write a list of strings"),
        ("watch", ["a", ["b"]], "write a list of strings"),
        ("watch", {"a": "b"}, "write a list of strings"),
        ("name", True, "write a string"),
        ("name", ["a"], "write a string"),
        ("name", {}, "write a string"),
        ("stop-timeout", False, "write a string"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_the_right_kind(key: str, value: Any, remedy: str) -> None:
    with pytest.raises(ReloaderError) as error:
        settings_file.check({key: value}, "reloader.toml", KNOWN)
    assert complaint(error) == (f"reloader.toml: {key} = {value!r}", remedy)


# --- through the command line ---------------------------------------------------------------------


def parsed(*arguments: str) -> dict[str, Any]:
    """What is given by all places together."""
    with RUN.make_context("reloader", [*arguments, "--", "worker"]) as context:
        return given(context)


def test_without_a_file_nothing_is_set() -> None:
    assert settings_from_file() == {}


def test_of_a_command_alone_nothing_else_is_given() -> None:
    """So that it can be run without being parsed, as `main` does."""
    assert parsed() == {"command": ("worker",)}


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "reloader.toml", "watch = ['src', '.', '../other', '/absolute']\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    found = [os.path.abspath(path) for path in settings_from_file()["watch"]]
    assert found == [str(tmp_path / "src"), str(tmp_path), str(tmp_path.parent / "other"), "/absolute"]
    assert parsed()["watch"] == settings_from_file()["watch"]


def test_paths_on_the_command_line_are_relative_to_the_current_folder_and_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "reloader.toml", "watch = ['src']\n")
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert parsed("-w", "b")["watch"] == ("b",)


# For every option that a file may set: the text in a file, another on the command line, one in a
# variable, and what comes of each.
VALUES: dict[str, tuple[str, list[str], str, Any, Any, Any]] = {
    "watch": ("['a', 'b']", ["--watch", "c"], "d:e", ("a", "b"), ("c",), ("d", "e")),
    "ignore": ("'*.a'", ["--ignore", "*.b"], "*.c:*.d", ("*.a",), ("*.b",), ("*.c", "*.d")),
    "include": ("['*.a']", ["--include", "*.b"], "*.c", ("*.a",), ("*.b",), ("*.c",)),
    "gitignore": ("false", ["--gitignore"], "0", False, True, False),
    "debounce": ("'100ms'", ["--debounce", "1s"], "2", 0.1, 1.0, 2.0),
    "poll": ("'1s'", ["--poll", "2s"], "3", 1.0, 2.0, 3.0),
    "restart-on": (
        "'any'",
        ["--restart-on", "change"],
        "any",
        RestartOn.ANY,
        RestartOn.CHANGE,
        RestartOn.ANY,
    ),
    "trigger": ("'loaded'", ["--trigger", "tree"], "loaded", Trigger.LOADED, Trigger.TREE, Trigger.LOADED),
    "warm": ("false", ["--warm"], "0", False, True, False),
    "sudo-kill": ("true", ["--no-sudo-kill"], "1", True, False, True),
    "hold": ("false", ["--hold"], "0", False, True, False),
    "check": ("'a'", ["--check", "b c"], "d", "a", "b c", "d"),
    "stop-signal": ("'HUP'", ["--stop-signal", "SIGTERM"], "2", 1, 15, 2),
    "stop-target": (
        "'tree'",
        ["--stop-target", "leader"],
        "worker",
        StopTarget.TREE,
        StopTarget.LEADER,
        StopTarget.WORKER,
    ),
    "preset": ("'rq'", ["--preset", "none"], "celery", "rq", "none", "celery"),
    "stop-timeout": ("90", ["--stop-timeout", "2m"], "none", 90.0, 120.0, None),
    "start-timeout": ("'1m'", ["--start-timeout", "5s"], "3", 60.0, 5.0, 3.0),
    "overlap": ("true", ["--no-overlap"], "1", True, False, True),
    "max-draining": ("2", ["--max-draining", "4"], "5", 2, 4, 5),
    "on-exit": ("'quit'", ["--on-exit", "restart"], "wait", OnExit.QUIT, OnExit.RESTART, OnExit.WAIT),
    "ready": ("'up'", ["--ready", "ready$"], "a.*b", "up", "ready$", "a.*b"),
    "name": ("'jobs'", ["--name", "n"], "v", "jobs", "n", "v"),
    "prefix": ("false", ["--prefix"], "no", False, True, False),
    "timestamps": ("true", ["--no-timestamps"], "1", True, False, True),
    "color": ("'never'", ["--color", "always"], "auto", Color.NEVER, Color.ALWAYS, Color.AUTO),
    "log-format": (
        "'json'",
        ["--log-format", "json"],
        "text",
        LogFormat.JSON,
        LogFormat.JSON,
        LogFormat.TEXT,
    ),
    "tty": ("'never'", ["--tty", "always"], "auto", Tty.NEVER, Tty.ALWAYS, Tty.AUTO),
    "verbose": ("2", ["-v"], "3", 2, 1, 3),
    "quiet": ("1", ["-qq"], "3", 1, 2, 3),
}


def test_every_option_that_is_a_setting_has_a_case() -> None:
    names = {str(p.name).replace("_", "-") for p in PARAMS}
    assert set(VALUES) == names - {"module"}


@pytest.mark.parametrize("key", VALUES)
def test_a_setting_comes_from_the_file_then_a_variable_then_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    text, option, variable, from_file, from_option, from_variable = VALUES[key]
    name = key.replace("-", "_")
    put(tmp_path / "pyproject.toml", f"[tool.reloader]\n{key} = {text}\n")
    assert parsed()[name] == from_file
    monkeypatch.setenv(f"RELOADER_{name.upper()}", variable)
    assert parsed()[name] == from_variable
    assert parsed(*option)[name] == from_option


@pytest.mark.parametrize("key", ["module", "command", "help", "version", "short-help", "long-help"])
def test_what_is_no_setting_is_an_unknown_key(tmp_path: Path, key: str) -> None:
    put(tmp_path / "reloader.toml", f"{key} = 'x'\n")
    with pytest.raises(ReloaderError, match=rf"reloader\.toml: unknown key '{key}'"):
        settings_from_file()


def test_a_mistake_in_a_file_above_is_told_with_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "reloader.toml", "wacth = '.'\n")
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    with pytest.raises(ReloaderError) as error:
        settings_from_file()
    assert complaint(error) == ("../reloader.toml: unknown key 'wacth'", "did you mean watch?")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("debounce = 'soon'", "'soon' is not a duration"),
        ("stop-signal = 'TREM'", "did you mean TERM?"),
        ("on-exit = 'stop'", "'stop' is not one of"),
        ("ready = '('", "is not a regular expression"),
        ("verbose = 'very'", "'very' is not a valid integer"),
    ],
)
def test_a_value_that_an_option_does_not_take_is_told_with_the_file_and_the_key(
    tmp_path: Path, line: str, reason: str
) -> None:
    put(tmp_path / "reloader.toml", f"{line}\n")
    with pytest.raises((ReloaderError, click.UsageError)) as error:
        parsed()
    told = error.value.format_message() if isinstance(error.value, click.UsageError) else str(error.value)
    assert reason in told
    assert "reloader.toml" in told
    assert line.partition(" ")[0] in told


def test_the_file_is_stronger_than_what_is_known_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    put(tmp_path / "reloader.toml", "watch = 'src'\nstop-timeout = '5s'\nname = 'jobs'\nverbose = 1\n")
    words = ["-q", "-q", "python", "manage.py", "qcluster"]
    with RUN.make_context("reloader", words) as context:
        settings = build(given(context))
    assert settings.command == ("python", "manage.py", "qcluster")
    assert (settings.watch, settings.stop_timeout, settings.name) == (("src",), 5.0, "jobs")
    assert settings.verbosity == -1
    assert settings.ready is not None


# --- presets --------------------------------------------------------------------------------------


def built(*command: str) -> Settings:
    """The settings of a run of that command, with the file of the current folder."""
    with RUN.make_context("reloader", ["--", *command]) as context:
        return build(given(context))


def test_a_file_changes_a_known_worker_and_leaves_the_rest_of_it(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", "[tool.reloader.presets.celery]\nstop-timeout = '5m'\nname = 'c'\n")
    settings = built("celery", "-A", "p", "worker", "-l", "info")
    assert (settings.preset, settings.name, settings.stop_timeout) == ("celery", "c", 300.0)
    assert settings.ready == r"\S+@\S+ ready\."
    assert built("python", "manage.py", "qcluster").preset == "django-q2"


@pytest.mark.parametrize(
    "command",
    [
        "manage.py send_mails",
        "python manage.py send_mails",
        "django-admin send_mails",
        "python -m shop.mailer",
        "uv run python -m shop.mailer --fast",
        "mailer -c x run",
    ],
)
def test_a_file_adds_a_worker(tmp_path: Path, command: str) -> None:
    put(
        tmp_path / "reloader.toml",
        "[presets.mailer]\nmatch = ['python ./manage.py send_mails', 'python -m shop.mailer', 'mailer run']\n"
        "value-options = '-c'\nready = 'waiting'\nstop-signal = 'TERM'\nstop-target = 'tree'\n"
        "stop-timeout = 'none'\nkilled = 'it is sent again.'\ncounts = 'everything'\n",
    )
    settings = built(*command.split())
    assert (settings.preset, settings.ready, settings.stop_signal) == ("mailer", "waiting", 15)
    assert (settings.stop_target, settings.stop_timeout) == (StopTarget.TREE, None)
    assert (settings.killed, settings.python) == ("it is sent again", False)


def test_a_worker_that_is_added_takes_what_it_does_not_say_from_its_command(tmp_path: Path) -> None:
    put(tmp_path / "reloader.toml", "[presets.p]\nmatch = ['worker.py', './run worker.py']\n")
    settings = built("python", "worker.py")
    assert (settings.preset, settings.python, settings.stop_signal) == ("p", True, 2)
    assert (settings.stop_timeout, settings.ready) == (60.0, None)
    settings = built("./run", "worker.py")
    assert (settings.preset, settings.python, settings.stop_signal) == (None, False, 15)


def test_of_two_that_match_equally_well_the_files_own_is_taken(tmp_path: Path) -> None:
    put(tmp_path / "reloader.toml", "[presets.mine]\nmatch = 'manage.py qcluster'\n")
    assert built("python", "manage.py", "qcluster").preset == "mine"


def test_a_ready_line_in_the_file_holds_in_every_case(tmp_path: Path) -> None:
    put(tmp_path / "reloader.toml", "[presets.celery]\nready = 'up'\n")
    assert built("celery", "-A", "p", "worker").ready == "up"


def test_a_file_says_whether_generations_overlap_and_how_they_are_named(tmp_path: Path) -> None:
    command = ("celery", "-A", "p", "worker", "-B")
    assert not built(*command).overlap
    put(tmp_path / "reloader.toml", "[presets.celery]\noverlap = true\n")
    assert built(*command).overlap
    assert built("celery", "-A", "p", "worker").overlap
    put(tmp_path / "reloader.toml", "[presets.celery]\noverlap = false\n")
    settings = built("celery", "-A", "p", "worker")
    assert (settings.overlap, settings.apart) == (False, "it is set so")
    put(tmp_path / "reloader.toml", "overlap = false\n[presets.celery]\noverlap = true\n")
    assert not built("celery", "-A", "p", "worker").overlap
    mine = "[presets.mine]\nmatch = 'mine'\noverlap = true\nnamed-by = ['--as']\nown-name = 'me'\n"
    put(tmp_path / "reloader.toml", mine)
    assert built("mine", "x").command_of(4) == ("mine", "x", "--as", "me.4")
    assert built("mine", "--as", "you").command_of(4) == ("mine", "--as", "you.4")
    put(
        tmp_path / "reloader.toml",
        "[presets.mine]\nmatch = 'mine'\noverlap = true\nlater-options = ['--quick']\n",
    )
    assert built("mine", "x").command_of(1) == ("mine", "x")
    assert built("mine", "x").command_of(2) == ("mine", "x", "--quick")
    assert built("sh", "-c", "exec mine x").command_of(2) == ("sh", "-c", "exec mine x")
    put(tmp_path / "reloader.toml", "[presets.celery]\nlater-options = []\n")
    assert built("celery", "-A", "p", "worker").command_of(2)[-2:] == ("-n", "celery.2@%h")


def test_defaults_then_preset_then_file_then_variable_then_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("celery", "-A", "p", "worker")
    assert built("./other").stop_timeout == 10.0
    assert built(*command).stop_timeout == 60.0
    put(tmp_path / "reloader.toml", "[presets.celery]\nstop-timeout = 70\n")
    assert built(*command).stop_timeout == 70.0
    put(tmp_path / "reloader.toml", "stop-timeout = 80\n[presets.celery]\nstop-timeout = 70\n")
    assert built(*command).stop_timeout == 80.0
    put(tmp_path / "reloader.toml", "stop-timeout = 'none'\n[presets.celery]\nstop-timeout = 70\n")
    assert built(*command).stop_timeout is None
    monkeypatch.setenv("RELOADER_STOP_TIMEOUT", "90")
    assert built(*command).stop_timeout == 90.0
    assert built_with("-t", "100", command=command).stop_timeout == 100.0


def built_with(*options: str, command: tuple[str, ...]) -> Settings:
    with RUN.make_context("reloader", [*options, "--", *command]) as context:
        return build(given(context))


def test_a_preset_can_be_wanted_and_unwanted(tmp_path: Path) -> None:
    worker = ("python", "manage.py", "qcluster")
    assert built_with("--preset", "none", command=worker).preset is None
    assert built_with("--preset", "none", command=worker).stop_timeout == 10.0
    settings = built_with("--preset", "rocketry", command=("python", "app.py"))
    assert (settings.preset, settings.name, settings.stop_signal) == ("rocketry", "app", 2)
    put(tmp_path / "reloader.toml", "preset = 'mine'\n[presets.mine]\nmatch = 'x'\nready = 'up'\n")
    assert built(*worker).ready == "up"
    with pytest.raises(ReloaderError) as error:
        built_with("--preset", "celry", command=worker)
    assert complaint(error) == ("no preset is called 'celry'", "did you mean celery?")


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("presets = 1", "presets = 1", "write [presets.NAME] above the keys"),
        ("presets.celery = 'x'", "presets.celery = 'x'", "write [presets.NAME] above the keys"),
        ("presets.celery.stop-timout = 1", "unknown key 'presets.celery.stop-timout'", "stop-timeout"),
        ("presets.celery.xyzzy = 1", "unknown key 'presets.celery.xyzzy'", "known: match, value-options"),
        ("presets.celery.match = 1", "presets.celery.match = 1", "write a list of strings"),
        ("presets.celery.named-by = 'n'", "presets.celery.named-by: 'n' is no option", ""),
        ("presets.celery.later-options = 'n'", "presets.celery.later-options: 'n' is no option", ""),
        (
            "presets.mine = {match = 'x', own-name = 'me'}",
            "presets.mine: an own-name needs named-by",
            "named-by",
        ),
        ("presets.celery.overlap = 'yes'", "presets.celery.overlap = 'yes'", "write true or false"),
        ("presets.celery.stop-timeout = 'soon'", "presets.celery.stop-timeout: 'soon' is not a duration", ""),
        ("presets.celery.stop-signal = 'TREM'", "presets.celery.stop-signal: 'TREM' is not a signal", "TERM"),
        ("presets.celery.stop-target = 'all'", "presets.celery.stop-target: 'all' is not one of", ""),
        ("presets.celery.counts = 'all'", "presets.celery.counts: 'all' is not one of", ""),
        ("presets.celery.ready = '('", "presets.celery.ready: '(' is not a regular expression", ""),
        ("presets.celery.match = ['python -m']", "presets.celery.match: 'python -m' names no program", ""),
        ("presets.celery.match = 'manage.py'", "'manage.py' names no management command", ""),
        (
            "presets.djnago-q2.name = 'x'",
            "presets.djnago-q2 is no known worker and has no match",
            "django-q2",
        ),
        ("presets.mine.name = 'x'", "presets.mine is no known worker and has no match", "match = ["),
    ],
)
def test_a_mistake_in_a_preset_is_told_with_the_file_and_the_key(
    tmp_path: Path, text: str, what: str, remedy: str
) -> None:
    put(tmp_path / "reloader.toml", f"{text}\n")
    with pytest.raises(ReloaderError) as error:
        settings_from_file()
    told, hint = complaint(error)
    assert told.startswith("reloader.toml: ")
    assert what in told
    assert remedy in f"{told} {hint}"
    assert hint


def test_in_a_project_file_the_hint_names_the_whole_section(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", "[tool.reloader]\npresets = 1\n")
    with pytest.raises(ReloaderError) as error:
        settings_from_file()
    assert complaint(error)[1] == "write [tool.reloader.presets.NAME] above the keys"


# --- where it was set -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (
            "poll = 0",
            "poll in reloader.toml needs a time between two looks",
            'write for example poll = "1s"',
        ),
        (
            "start-timeout = 'none'",
            "start-timeout in reloader.toml needs a time after which a start is over",
            'write for example start-timeout = "2m"',
        ),
        (
            "watch = 'gone'",
            "cannot watch gone: no such file or directory",
            "check watch in reloader.toml; it is relative to that file",
        ),
        (
            "watch = 'src/*'",
            "cannot watch src/*: no such file or directory",
            'watch in reloader.toml takes paths, not patterns: watch = ["one", "another"]',
        ),
        ("preset = 'celry'", "preset in reloader.toml: no preset is called 'celry'", "did you mean celery?"),
        (
            "ignore = '*.html, *.css'",
            "ignore in reloader.toml: commas do not separate patterns: *.html, *.css",
            'ignore = ["*.html", "*.css"]; a comma in a name is written as \\,',
        ),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_key(
    tmp_path: Path, text: str, what: str, remedy: str
) -> None:
    put(tmp_path / "reloader.toml", text)
    with pytest.raises(ReloaderError) as error:
        built("python", "manage.py", "qcluster")
    assert complaint(error) == (what, remedy)


@pytest.mark.parametrize(
    ("name", "value", "what", "remedy"),
    [
        ("POLL", "0", "RELOADER_POLL needs a time between two looks", "write for example RELOADER_POLL=1s"),
        (
            "IGNORE",
            "*.html,*.css",
            "RELOADER_IGNORE: commas do not separate patterns: *.html,*.css",
            "RELOADER_IGNORE='*.html:*.css'; a comma in a name is written as \\,",
        ),
    ],
)
def test_a_mistake_is_told_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str, remedy: str
) -> None:
    monkeypatch.setenv(f"RELOADER_{name}", value)
    with pytest.raises(ReloaderError) as error:
        built("python", "manage.py", "qcluster")
    assert complaint(error) == (what, remedy)


def test_the_command_line_is_told_where_it_is_stronger_than_the_file(tmp_path: Path) -> None:
    put(tmp_path / "reloader.toml", "poll = '1s'\n")
    with pytest.raises(ReloaderError) as error:
        built_with("--poll", "0", command=("true",))
    assert complaint(error)[0] == "--poll needs a time between two looks"


# --- patterns that the shell has expanded -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "command", "option", "remedy"),
    [
        (
            ("--ignore", "media/a.html"),
            ("media/b.html", "media/c.css", "--", "true"),
            "--ignore",
            "quote it: --ignore 'media/*.html'",
        ),
        (
            ("--ignore", "media/a.html"),
            ("media/b.html", "true"),
            "--ignore",
            "quote it: --ignore 'media/*.html'",
        ),
        (
            ("--ignore", "media/a.html"),
            ("media/c.css", "--", "a"),
            "--ignore",
            "quote it: --ignore 'media/*'",
        ),
        (
            ("--include", "a.html", "--ignore", "x"),
            ("b.html", "true"),
            "--include",
            "quote it: --include '*.html'",
        ),
        (
            ("--watch", "media"),
            ("other", "--", "true"),
            "--watch",
            "repeat --watch for each of them: --watch media --watch other",
        ),
    ],
)
def test_a_pattern_without_quotes_is_recognised(
    tmp_path: Path, options: tuple[str, ...], command: tuple[str, ...], option: str, remedy: str
) -> None:
    """Seen to fail before: it was said that media/b.html cannot be run."""
    (tmp_path / "other").mkdir()
    for name in ("media/a.html", "media/b.html", "media/c.css", "a.html", "b.html"):
        put(tmp_path / name, "")
    with RUN.make_context("reloader", [*options, *command]) as context:
        values = given(context)
    with pytest.raises(ReloaderError) as error:
        build(values)
    first = command[0]
    assert complaint(error) == (
        f"the shell has made several words of what follows {option}: {first} is one",
        remedy,
    )


@pytest.mark.parametrize("options", [("--watch", "."), ("--watch", "task.py"), ("--ignore", "*.html")])
def test_who_has_left_out_the_interpreter_is_told_nothing_of_patterns(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Seen to fail before: it was said that the shell has made several words of `.`."""
    for name in ("task.py", "worker.py"):
        put(tmp_path / name, "")
    assert built_with(*options, command=("worker.py",)).command == ("worker.py",)


def test_a_program_of_the_project_is_no_pattern(tmp_path: Path) -> None:
    put(tmp_path / "run.sh", "#!/bin/sh\n").chmod(0o755)
    (tmp_path / "sh").mkdir()
    assert built_with("--ignore", "a", command=("./run.sh",)).command == ("./run.sh",)
    assert built_with("--ignore", "a", command=("sh", "-c", "true")).command == ("sh", "-c", "true")


@pytest.mark.parametrize("name", ["PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"])
def test_where_each_import_is_shown_starts_are_cold(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Seen to fail before: all modules seemed to print, and next to nothing was preloaded, in later runs too."""
    assert built("python", "manage.py", "qcluster").why_cold is None
    monkeypatch.setenv(name, "1")
    assert built("python", "manage.py", "qcluster").why_cold == f"{name} shows each import"
