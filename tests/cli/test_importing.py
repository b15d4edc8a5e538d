"""Files of a project that have the names of modules: none of our processes imports them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness import Run, save

import reloader

PYTHON = sys.executable
# What the library and our dependencies look for where it may be, besides all that there is.
OPTIONAL = {*("org", "java", "nt", "msvcrt", "winreg", "_winapi", "colorama", "click", "psutil", "tomli")}
TRAP = "import os\nwith open({log!r}, 'a') as file: file.write(__name__ + ' ' + open('/proc/self/comm').read())\n"


def set_traps(folder: Path, log: Path, *start: str, **environment: str) -> None:
    """Put a file of every module's name into the folder, but for what Python itself imports as it starts."""
    listed = subprocess.run([PYTHON, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True)
    for name in (sys.stdlib_module_names | OPTIONAL) - {"sitecustomize", *listed.stdout.split()}:
        (folder / f"{name}.py").write_text(TRAP.format(log=str(log)))
    while True:
        subprocess.run([PYTHON, *start], cwd=folder, env={**os.environ, **environment}, capture_output=True)
        if not log.exists():
            break
        for line in log.read_text().splitlines():
            (folder / f"{line.split()[0]}.py").unlink(missing_ok=True)
        log.unlink()
    assert (folder / "json.py").exists()
    assert (folder / "select.py").exists()


def test_as_a_module_nothing_is_imported_from_the_working_folder(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    """Seen to fail: `json.py`, `typing.py` and thirty others ended `python -m reloader`."""
    project, log = tmp_path / "project", tmp_path / "log"
    project.mkdir()
    (project / "probe.py").write_text("")
    set_traps(project, log, "-m", "probe")
    save(project / "watched.txt", "1")
    (project / "reloader.toml").write_text("check = 'true'\n")
    worker = "trap 'echo got; exit' TERM; echo ready; while :; do sleep 0.05; done"
    run = start("--", "sh", "-c", worker, folder=project, program=(PYTHON, "-m", "reloader"))
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    save(project / "watched.txt", "2")
    run.out.wait_for("got")
    run.out.wait_for("ready")
    asked = [PYTHON, "-m", "reloader", "status"]
    told = subprocess.run(asked, cwd=project, capture_output=True, text=True)
    assert "generation 2" in told.stdout, told.stderr
    assert run.stop() == 0
    assert not log.exists(), log.read_text()


@pytest.mark.parametrize("name", ["traps", "other/site-packages"])
def test_with_the_project_in_pythonpath_neither_guard_nor_template_imports_from_it(
    start: Callable[..., Run], tmp_path: Path, name: str
) -> None:
    """Packages that are installed come behind the library: the guard once had them before it."""
    project, traps, log = tmp_path / "project", tmp_path / name, tmp_path / "log"
    libraries = tmp_path / "site-packages"
    for folder in (project, traps, libraries):
        folder.mkdir(parents=True)
    (libraries / "installed.py").write_text("")
    worker = "import os, sys, time\nimport installed, task\nprint('ready', task.VERSION, flush=True)\ntime.sleep(600)\n"
    (project / "worker.py").write_text(worker)
    (project / "task.py").write_text("VERSION = 1\n")
    path = os.pathsep.join(map(str, (traps, libraries)))
    set_traps(traps, log, str(project / "task.py"), PYTHONPATH=path)
    run = start("-v", "--", PYTHON, "worker.py", folder=project, env={"PYTHONPATH": path})
    run.out.wait_for("ready 1")
    run.err.wait_for("preloaded in")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    run.err.wait_for("warm")
    run.kill()
    run.nothing_is_left()
    assert not log.exists(), log.read_text()


def test_packages_that_lie_in_a_folder_each_are_found(tmp_path: Path) -> None:
    """As pex, Bazel and Nix lay them. Seen to fail: watchfiles was "not installed", and all was polled."""
    project, folders = tmp_path / "project", []
    project.mkdir()
    for name in ("click", "psutil", "watchfiles", *(("tomli",) if sys.version_info < (3, 11) else ())):
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).symlink_to(spec.submodule_search_locations[0])
        folders.append(str(folder))
    told = (
        f"import sys; from reloader.common import import_path; sys.path += {folders}\n"
        "import_path.import_only_what_is_installed()\n"
        "from reloader.watching.event_source import EventSource; EventSource(); import click, psutil; print('ok')"
    )
    at = {**os.environ, "PYTHONPATH": str(Path(reloader.__file__).parents[1])}
    answer = subprocess.run([PYTHON, "-S", "-c", told], cwd=project, env=at, capture_output=True, text=True)
    assert answer.stdout == "ok\n", answer.stderr


def test_what_takes_long_to_import_is_imported_once_the_worker_is_on_its_way(
    start: Callable[..., Run], project: Path
) -> None:
    """Seen to fail: typing, datetime, heapq and ctypes cost a tenth of our start."""
    begin = "from reloader.__main__ import main; main()"
    worker = "import sys, time; print('ready', flush=True); time.sleep(600)"
    run = start("--", PYTHON, "-c", worker, program=(PYTHON, "-X", "importtime", "-c", begin))
    run.out.wait_for("ready")
    run.err.wait_for(r"watching \. \(")
    imported = re.findall(r"import time: .*\|\s+(\S+)", run.err.text)
    before = imported[: imported.index("reloader.app.main_loop")]
    slow = {
        "asyncio",
        "click",
        "ctypes",
        "datetime",
        "heapq",
        "json",
        "psutil",
        "socket",
        "subprocess",
        "typing",
    }
    assert not slow.intersection(before)
    assert "reloader.watching.scanner" in imported
    assert run.stop() == 0
