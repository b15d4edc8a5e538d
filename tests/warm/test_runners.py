"""What stands in front of the worker is seen through where it is known: a warm worker has what it sets up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from environments import runner
from generations import PYTHON, Start, run_twice, write_project
from test_same import check

PROJECT = """
[project]
name = "worked-on"
version = "1"
requires-python = ">=3.8"

[tool.hatch.envs.default]
skip-install = true

[tool.poetry]
package-mode = false
"""
RUNNERS = {
    "uv": ["run", "--no-project", "--offline", "python", "probe.py", "one"],
    "poetry": ["run", "python", "probe.py", "one"],
    "pdm": ["run", "python", "probe.py", "one"],
    "hatch": ["run", "python", "probe.py", "one"],
}

# These stay in front of what they run, and pass signals on to it.
WAIT = ("uv", "pdm", "hatch")


@pytest.mark.parametrize("name", RUNNERS)
def test_a_worker_behind_a_runner_is_started_warm(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, start: Start, name: str
) -> None:
    path = runner(name)
    write_project(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    home = tmp_path_factory.mktemp("home")
    env = {
        "PATH": f"{os.path.dirname(path)}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "VIRTUAL_ENV": "" if name == "hatch" else str(tmp_path / ".venv"),
        **{variable: str(home) for variable in ("HATCH_DATA_DIR", "HATCH_CACHE_DIR", "POETRY_CACHE_DIR")},
        "PDM_CHECK_UPDATE": "0",
    }
    command = [name, *RUNNERS[name]]
    cold = run_twice(start, tmp_path, command, warm=False, env=env)
    warm = run_twice(start, tmp_path, command, warm=True, env=env)
    assert warm.how == "warm"
    if name in WAIT:
        # Nobody waits in front of a warm worker: it is led by the guard itself.
        for dump in (cold.second, warm.first):
            assert dump["process"]["parent"] != "reloader-guard\n"
            dump["process"] |= {key: warm.second["process"][key] for key in ("parent", "leads", "death")}
    check(cold, warm)


@pytest.mark.parametrize(
    "text",
    [
        "cd app && {python} probe.py one",
        "set -e; . ./app/.env; export KEY=value; cd app; exec {python} -m pkg one",
    ],
)
def test_a_worker_whose_shell_goes_elsewhere_first_is_started_warm_there(
    tmp_path: Path, start: Start, text: str
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    write_project(app)
    write_project(tmp_path)
    (app / ".env").write_text("OTHER=thing; export OTHER\n")
    command = ["sh", "-c", text.format(python=PYTHON)]
    cold = run_twice(start, tmp_path, command, warm=False, work=app / "work.py")
    warm = run_twice(start, tmp_path, command, warm=True, work=app / "work.py")
    assert warm.how == "warm"
    for dump in (cold.second, warm.first):
        # Nobody waits in front of a warm worker: it is led by the guard itself.
        dump["process"] |= {key: warm.second["process"][key] for key in ("parent", "leads", "death")}
    check(cold, warm)
