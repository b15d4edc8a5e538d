"""A worker that was forked from a template is like one that was started: all that it can see is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from generations import PYTHON, Start, Two, differences, run_twice, write_project

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
