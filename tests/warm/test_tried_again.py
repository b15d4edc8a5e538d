"""What was left out is tried again when the reason may have gone, and nothing is left out for want of evidence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from generations import Environment, Start, warmed
from harness import Run

from reloader.warm.builder import TRIED_AGAIN, still_left_out

PRINTS = "print('hello from bad')\nVERSION = 'bad'\n"


@pytest.mark.parametrize(
    ("left_out", "names", "kept"),
    [
        ({"a": "prints"}, {"a"}, {"a"}),
        ({"a": "prints"}, set(), set()),
        ({"a": "prints", "b": "asks for a"}, {"a", "b"}, {"a", "b"}),
        ({"a": "prints", "b": "asks for a", "c": "asks for b"}, {"b", "c"}, set()),
        ({"b": "asks for settings"}, {"b"}, {"b"}),
        ({"a": "prints", "b": "asks for a", "c": "prints"}, {"b", "c"}, {"c"}),
    ],
)
def test_what_asked_for_something_that_is_back_is_tried_again(
    left_out: dict[str, str], names: set[str], kept: set[str]
) -> None:
    assert still_left_out(left_out, names).keys() == kept


def kept_file(one: Environment) -> Path:
    (path,) = (one.cache / "reloader").glob("preload-*.json")
    return path


def test_after_a_week_all_is_tried_again(tmp_path: Path, start: Start) -> None:
    """The file of the cache is made older; the module is another one meanwhile, in the same place."""
    one = Environment(tmp_path)
    one.install(good="VERSION = 'good'\n", bad=PRINTS)

    def begun() -> Run:
        """A run in the same environment as all others."""
        run = one.begin(start, "import good, bad, colorsys", env={"MARK": "week"})
        run.mark = "week"
        return run

    run = begun()
    warmed(run)
    assert one.left_out() == {"bad": "prints"}
    assert run.stop() == 0
    one.install(bad="VERSION = 'bad'\n")
    for age, left_out in ((TRIED_AGAIN / 2, {"bad": "prints"}), (TRIED_AGAIN + 1, {})):
        kept = json.loads(kept_file(one).read_text())
        kept["tried"] = time.time() - age
        kept_file(one).write_text(json.dumps(kept))
        run = begun()
        warmed(run)
        assert run.stop() == 0
        assert one.left_out() == left_out


def test_several_at_fault_are_left_out_in_one_template(tmp_path: Path, start: Start) -> None:
    """Each costs no more than itself: what was imported before it is imported once."""
    one = Environment(tmp_path)
    counting = "import os\nwith open(os.environ['COUNTED'], 'a') as file: file.write(__name__ + ' ')\n"
    slow = "import time\ntime.sleep(0.06)\n"
    names = [f"m{number}" for number in range(6)]
    one.install(
        **{name: f"{counting}{slow}VERSION = '{name}'\n" for name in names},
        **{f"bad{number}": f"print('bad{number}')\nVERSION = 'bad'\n" for number in range(3)},
    )
    imports = "import m0, bad0, m1, m2, bad1, m3, m4, bad2, m5, colorsys"
    counted = tmp_path / "counted"
    run = one.begin(start, imports, env={"COUNTED": str(counted)})
    warmed(run)
    assert one.left_out().keys() == {"bad0", "bad1", "bad2"}
    # Once in the worker, and once in the template.
    words = counted.read_text().split()
    assert {name: words.count(name) for name in names} == dict.fromkeys(names, 2)
    assert one.again(run) == "warm"
    assert run.stop() == 0
