"""A worker that was forked from a template is like one that was started: all that it can see is the same."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from generations import PYTHON, Start, Two, comes, differences, run_twice, write_project
from harness import LIMIT, RELOADER, save
from terminal import Terminal

COMMANDS = {
    "script": [PYTHON, "probe.py", "one", "--two"],
    "package": [PYTHON, "-m", "pkg", "one"],
    "module": [PYTHON, "-m", "pkg.mod"],
    "joined module": [PYTHON, "-mpkg.mod", "-x"],
    "command": [PYTHON, "-c", "import pkg.mod; pkg.mod.main()", "one"],
    "development mode": [PYTHON, "-X", "dev", "probe.py"],
    "warnings": [PYTHON, "-W", "error::DeprecationWarning", "probe.py"],
    "unbuffered": [PYTHON, "-u", "probe.py"],
    "optimised": [PYTHON, "-OO", "probe.py"],
    "no bytecode": [PYTHON, "-B", "probe.py"],
    "no user site": [PYTHON, "-s", "-X", "utf8", "probe.py"],
    "env": ["env", "GREETING=hello", PYTHON, "probe.py"],
    "shell": ["sh", "-c", f"exec env GREETING=hello {PYTHON} probe.py 'one two'"],
    "bare": ["python3", "probe.py"],
}


def compared(start: Start, folder: Path, command: Sequence[str], **options: object) -> Two:
    """Run it cold and warm, and find no difference; the warm one."""
    cold = run_twice(start, folder, command, warm=False, **options)  # type: ignore[arg-type]
    warm = run_twice(start, folder, command, warm=True, **options)  # type: ignore[arg-type]
    assert warm.how == "warm"
    check(cold, warm)
    return warm


def check(cold: Two, warm: Two) -> None:
    recorded, second, plain = dict(warm.first), dict(warm.second), dict(cold.second)
    chances = [one.pop("chance") for one in (recorded, second, plain)]
    for key in chances[0]:
        assert chances[0][key] != chances[1][key] != chances[2][key]
    assert abs(chances[1]["logging"]) < 60_000
    at_first = [set(one.pop("at_first")) for one in (recorded, second, plain)]
    assert at_first[0] == at_first[2]
    assert at_first[1] >= at_first[2]
    # Whatever is there earlier is what the program imports itself.
    assert at_first[1] <= set(plain["modules"]) | {"__main__", "__mp_main__", "sitecustomize"}
    assert len(at_first[1]) > len(at_first[2]) + 50
    # What is preloaded is not looked for in the program's own folder as well.
    caches = [set(one["interpreter"].pop("cache")) for one in (recorded, second, plain)]
    assert caches[0] == caches[2] >= caches[1]
    recorded["environment"]["ours"]["RELOADER_GENERATION"] = "2"
    recorded["environment"]["theirs"]["RELOADER_GENERATION"] = "2"
    assert "\n".join(differences(plain, recorded)) == ""
    assert "\n".join(differences(plain, second)) == ""
    assert second["process"]["parent"] == "reloader-guard\n"


@pytest.mark.parametrize("case", COMMANDS)
def test_a_warm_worker_is_like_a_cold_one(tmp_path: Path, start: Start, case: str) -> None:
    write_project(tmp_path)
    methods = "fork spawn forkserver" if case in ("script", "package", "module") else ""
    compared(start, tmp_path, COMMANDS[case], env={"METHODS": methods, "ANY": "thing"})


def interpreter(minor: int) -> str:
    """A Python of this version; skips the test where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in (shutil.which(f"python3.{minor}"), *map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python"))):
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    pytest.skip(f"there is no Python 3.{minor} here")


@pytest.mark.parametrize("option", ["", "-Xdev"])
@pytest.mark.parametrize("minor", range(8, 15))
def test_every_version_of_python_is_started_warm(
    tmp_path: Path, start: Start, minor: int, option: str
) -> None:
    """In an environment of its own, which is another than ours."""
    subprocess.run([interpreter(minor), "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    write_project(tmp_path)
    python = str(tmp_path / ".venv" / "bin" / "python")
    command = [python, *filter(None, [option]), "-m", "pkg", "one"]
    compared(start, tmp_path, command, env={"METHODS": "fork spawn"})


def script(folder: Path, name: str, first: str) -> Path:
    """A script that the system runs by its first line."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"#!{first}\nimport sys\nsys.path.insert(0, {str(folder)!r})\nfrom pkg.mod import main\nsys.exit(main())\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("first", [PYTHON, f"{PYTHON} -B", "/usr/bin/env python3"])
def test_a_script_by_its_first_line_is_started_warm(tmp_path: Path, start: Start, first: str) -> None:
    write_project(tmp_path)
    script(tmp_path, "bin/tool", first)
    compared(start, tmp_path, ["bin/tool", "run", "--fast"])


def test_a_script_on_the_path_is_started_warm(tmp_path: Path, start: Start) -> None:
    write_project(tmp_path)
    script(tmp_path, "bin/tool", PYTHON)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    compared(start, tmp_path, ["tool", "run"], env={"PATH": path})


def test_a_script_in_the_folder_is_started_warm(tmp_path: Path, start: Start) -> None:
    write_project(tmp_path)
    script(tmp_path, "manage.py", "/usr/bin/env python3")
    compared(start, tmp_path, ["./manage.py", "work"])


@pytest.mark.parametrize("stdin", ["pipe", "file"])
def test_any_standard_input_is_the_same(tmp_path: Path, start: Start, stdin: str) -> None:
    write_project(tmp_path)
    if stdin == "file":
        with (tmp_path / "pkg" / "mod.py").open() as file:
            compared(start, tmp_path, COMMANDS["script"], stdin=file.fileno())
    else:
        reading, writing = os.pipe()
        compared(start, tmp_path, COMMANDS["script"], stdin=reading)
        os.close(reading)
        os.close(writing)


def test_customisations_of_the_interpreter_run_as_ever(tmp_path: Path, start: Start) -> None:
    """And whatever stands in PYTHONPATH already, and variables that a runner sets."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    python = str(tmp_path / ".venv" / "bin" / "python")
    write_project(tmp_path)
    for folder, name in (("lib", "sitecustomize"), ("lib", "usercustomize")):
        path = tmp_path / folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"import os, sys\nos.environ[{name.upper()!r}] = os.environ.get('PYTHONPATH', '')\nsys.{name} = 1\n"
        )
    config = tmp_path / ".venv" / "pyvenv.cfg"
    config.write_text(config.read_text().replace("false", "true"))
    paths = f"lib{os.pathsep}{os.pathsep}other"
    warm = compared(start, tmp_path, [python, "probe.py"], env={"PYTHONPATH": paths})
    assert warm.second["environment"]["theirs"]["SITECUSTOMIZE"] == paths
    assert warm.second["environment"]["theirs"]["USERCUSTOMIZE"] == paths
    assert warm.second["environment"]["theirs"]["PYTHONPATH"] == paths


def test_one_pipe_for_both_streams_is_the_same(tmp_path: Path, start: Start) -> None:
    write_project(tmp_path)
    compared(start, tmp_path, COMMANDS["script"], merged=True)


def test_buffered_streams_are_the_same(tmp_path: Path, start: Start) -> None:
    write_project(tmp_path)
    compared(start, tmp_path, COMMANDS["script"], env={"PYTHONUNBUFFERED": ""})


def test_streams_that_print_whole_lines_are_the_same(tmp_path: Path, start: Start) -> None:
    """Children that find the hook, too."""
    write_project(tmp_path)
    unset = ("env", "-u", "PYTHONUNBUFFERED")
    compared(start, tmp_path, COMMANDS["script"], launcher=unset, env={"METHODS": "fork spawn forkserver"})


@pytest.mark.parametrize("output", ["terminal", "pipe"])
def test_at_a_terminal_a_warm_worker_has_one_of_its_own(tmp_path: Path, output: str) -> None:
    """To read from, where its output goes through a pipe."""
    write_project(tmp_path)
    told = []
    for option in ("--cold", "--warm"):
        dump = tmp_path / "dumps" / "dump"
        dump.parent.mkdir(exist_ok=True)
        environment = {"DUMP": str(dump), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
        words = ["-v", option, "--ready", "^ready", "--ignore", "dumps/", "--", PYTHON, "probe.py"]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            if output == "terminal":
                terminal = Terminal(tmp_path, *words)
            else:
                script = ("-c", '"$@" | cat', "sh", RELOADER)
                terminal = Terminal(tmp_path, *script, *words, program="/bin/sh")
        try:
            for text in (
                "ready 1",
                "watching",
                "ready in",
                "preloaded in" if option == "--warm" else "is known",
            ):
                comes(terminal.screen, text)
            save(tmp_path / "work.py", f"VERSION = {option!r}\n")
            terminal.screen.wait_for(r"ready in .*(, warm|start \d\.\d\d)\)")
            os.write(terminal.fd, b"q")
            terminal.process.wait(LIMIT)
            terminal.nothing_is_left()
        finally:
            terminal.close()
            terminal.hang_up()
        assert ("warm)" in terminal.screen.text) == (option == "--warm")
        first, second = (json.loads(Path(f"{dump}.{number}").read_text()) for number in (1, 2))
        told.append(Two(first, second, option))
    check(*told)
    assert told[1].second["process"]["terminal"]
    assert [stream["isatty"] for stream in told[1].second["streams"]] == [
        True,
        output == "terminal",
        output == "terminal",
    ]


@pytest.mark.parametrize(
    ("case", "minor"),
    [
        *(("script", minor) for minor in range(8, 15)),
        *((case, sys.version_info.minor) for case in ("package", "a script by its first line")),
    ],
)
def test_a_generation_with_a_number_in_its_name_has_that_in_its_arguments(
    tmp_path: Path, start: Start, case: str, minor: int
) -> None:
    """Seen to fail where a forked worker has the words of the template, which is called as the first generation is."""
    python = interpreter(minor)
    write_project(tmp_path)
    script(tmp_path, "probe", python)
    (tmp_path / "reloader.toml").write_text(
        "overlap = true\n[presets.probe]\nmatch = ['probe', 'probe.py', 'pkg']\nnamed-by = ['--as']\nown-name = 'me'\n"
    )
    program = {"script": [python, "probe.py"], "package": [python, "-X", "utf8", "-m", "pkg"]}.get(
        case, ["./probe"]
    )
    for more, expected in (([], ["--as", "me.2"]), (["--as", "you@%h", "x"], ["--as", "you.2@%h", "x"])):
        cold = run_twice(start, tmp_path, [*program, "one", *more], warm=False)
        warm = run_twice(start, tmp_path, [*program, "one", *more], warm=True)
        assert warm.how == "warm"
        for name in ("argv", "orig_argv") if minor > 9 else ("argv",):
            first, second, plain = (
                ast.literal_eval(one["interpreter"][name]) for one in (warm.first, warm.second, cold.second)
            )
            assert second == plain
            assert first[-len(more) - 1 :] == ["one", *more]
            assert second[-len(expected) - 1 :] == ["one", *expected]
