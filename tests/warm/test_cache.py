"""What is kept between runs is data: nothing that lies there ends a run, holds it up, or leads elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from generations import Environment, Start, warmed

from reloader.warm import cache
from reloader.warm.cache import Cache
from reloader.warm.import_record import ImportRecord

OTHER = 65533
SOME = Cache(
    ImportRecord(("a",), {"a": ("/usr/lib/a.py",)}, ("b",), ("/p",), ("X",), ("/s",)), {"c": "prints"}, "1"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = cache.path_for(["worker.py"], "/project", {"HOME": str(tmp_path)})
    assert path is not None
    return Path(path)


def told(file: Path) -> tuple[Cache, list[str]]:
    """What is read, and what is said of it."""
    said: list[str] = []
    return cache.load(str(file), said.append), said


def test_what_is_kept_is_read_again(file: Path) -> None:
    assert told(file) == (Cache(), [])
    cache.save(str(file), SOME)
    assert told(file) == (SOME, [])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(file.parent) == [file.name]
    cache.forget(str(file))
    assert told(file) == (Cache(), [])


NOT_OURS = "it is not what a run has written"
TEXTS = {
    "nothing": "",
    "a number": "7",
    "null": "null",
    "a list": "[1, 2]",
    "nested": "[" * 200_000,
    "nested objects": '{"record":' * 100_000,
    "digits": "1" * 10_000,
    "no UTF-8": b"\xff\xfe",
    "names that are numbers": {"record": [[1], {}, [], [], [], []], "left_out": {}},
    "a text for a list": {"record": ["abc", {}, [], [], [], []], "left_out": {}},
    "places that are none": {"record": [["a"], {"a": 3}, [], [], [], []], "left_out": {}},
    "too few lists": {"record": [], "left_out": {}},
    "too many lists": {"record": [["a"], {}, [], [], [], [], [], []], "left_out": {}},
    "a zero byte": {"record": [["a\0b"], {}, [], [], [], []], "left_out": {}},
    "reasons that are none": {"record": [["a"], {}, [], [], [], []], "left_out": {"a": []}},
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_not_understood_is_told_and_written_anew(file: Path, name: str) -> None:
    file.parent.mkdir(parents=True, mode=0o700)
    text = TEXTS[name]
    data = text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
    file.write_bytes(data)
    assert told(file) == (Cache(), [NOT_OURS])
    said: list[str] = []
    assert cache.load_own(str(file), said.append) == ImportRecord()
    assert said == [NOT_OURS]
    cache.save(str(file), SOME)
    assert told(file) == (SOME, [])


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _link(file: Path) -> None:
    (file.parent / "elsewhere").write_text("precious")
    file.symlink_to(file.parent / "elsewhere")


def _gigabytes(file: Path) -> None:
    file.touch()
    os.truncate(file, 1 << 33)


@pytest.mark.parametrize(
    ("make", "why"),
    [(_fifo, "not a regular file"), (_link, "it is a link"), (_gigabytes, "larger than 16,777,216 bytes")],
)
def test_what_is_no_file_of_ours_is_told_and_written_anew(
    file: Path, make: Callable[[Path], None], why: str
) -> None:
    file.parent.mkdir(parents=True, mode=0o700)
    make(file)
    assert told(file) == (Cache(), [why])
    cache.save(str(file), SOME)
    assert told(file) == (SOME, [])
    assert not (file.parent / "elsewhere").exists() or (file.parent / "elsewhere").read_text() == "precious"


def test_nothing_is_kept_in_the_working_folder() -> None:
    """Seen to fail: with an empty HOME it was `.cache` wherever one stood."""
    for environment in ({}, {"HOME": ""}, {"HOME": "here"}, {"HOME": "", "XDG_CACHE_HOME": "cache"}):
        assert cache.path_for(["x"], "/p", environment) is None
    relative = cache.path_for(["x"], "/p", {"HOME": "/home/me", "XDG_CACHE_HOME": "cache"})
    assert relative is not None
    assert relative.startswith("/home/me/.cache/reloader/")
    assert cache.load(None) == Cache()
    cache.save(None, SOME)
    cache.forget(None)


def test_nothing_is_written_behind_a_link(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / file.name).write_text("precious")
    file.parent.parent.mkdir()
    file.parent.symlink_to(elsewhere)
    cache.save(str(file), SOME)
    cache.forget(str(file))
    assert [path.name for path in elsewhere.iterdir()] == [file.name]
    assert (elsewhere / file.name).read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the superuser, to make files of another user")
def test_root_keeps_nothing_in_the_home_folder_of_another_user(file: Path, tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER, OTHER)
    cache.save(str(file), SOME)
    assert os.listdir(tmp_path) == []
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text(json.dumps({"record": SOME.record, "left_out": {}}))
    for path in (file, file.parent, file.parent.parent):
        os.chown(path, OTHER, OTHER)
    assert told(file) == (Cache(), [])
    cache.save(str(file), SOME)
    cache.forget(str(file))
    assert file.stat().st_uid == OTHER
    assert os.listdir(file.parent) == [file.name]


def test_a_full_disk_leaves_what_was_kept_and_no_temporary_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code = (
        "import os, sys\n"
        "from reloader.warm.cache import Cache, load, path_for, save\n"
        "from reloader.warm.import_record import ImportRecord\n"
        "path = path_for(['x'], '/p', {'HOME': sys.argv[1]})\n"
        "save(path, Cache(ImportRecord(('a',))))\n"
        "save(path, Cache(ImportRecord(('a' * 1_000_000,))))\n"
        "print(os.listdir(os.path.dirname(path)) == [os.path.basename(path)], load(path).record.imported)\n"
    )
    mount = 'mount -t tmpfs -o size=64k none "$1" || exit 77; shift; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", disk, sys.executable, "-c", code, disk],
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or (done.returncode and "unshare" in done.stderr):
        pytest.skip(f"no disk can be made here: {done.stderr}")
    assert done.stdout == "True ('a',)\n", done.stderr


# --- the real command ------------------------------------------------------------------------------


def test_a_run_goes_on_and_writes_it_anew(start: Start, tmp_path: Path) -> None:
    one = Environment(tmp_path)
    one.install(good="VERSION = 'good'\n")
    run = one.begin(start, "import good")
    warmed(run)
    assert run.stop() == 0
    (path,) = (one.cache / "reloader").glob("preload-*.json")
    path.unlink()
    os.mkfifo(path)
    run = one.begin(start, "import good")
    warmed(run)
    assert run.err.text.count(f"{path.name}: not a regular file") == 1
    assert one.again(run) == "warm"
    assert run.stop() == 0
    assert path.is_file()
    assert "good" in json.loads(path.read_text())["record"][0]


def test_what_one_environment_makes_print_is_forgotten_in_another(start: Start, tmp_path: Path) -> None:
    """Seen to fail: a single run with PYTHONPROFILEIMPORTTIME left every module out for ever."""
    one = Environment(tmp_path)
    one.install(good="import os\nif 'LOUD' in os.environ:\n    print('hello')\n", other="")
    run = one.begin(start, "import good, other", env={"LOUD": "1"})
    warmed(run)
    assert one.left_out() == {"good": "prints"}
    assert run.stop() == 0
    run = one.begin(start, "import good, other")
    warmed(run)
    assert one.left_out() == {}
    assert run.stop() == 0
    assert cache.conditions({"A": "1"}) != cache.conditions({"A": "2"})
    assert cache.conditions({"A": "1", "SHLVL": "1"}) == cache.conditions({"A": "1", "SHLVL": "2"})
