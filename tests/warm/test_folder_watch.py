"""Whatever can change what is found in a folder is heard of, or known to be not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reloader.in_worker.folder_watch import FolderWatch


@pytest.fixture
def folders() -> Iterator[FolderWatch]:
    one = FolderWatch()
    yield one
    one.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "real" / "lib").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "lib" / "one.py").write_text("1\n")
    return tmp_path


def write_in_place(place: Path) -> None:
    with (place / "real/lib/one.py").open("r+") as file:
        file.write("2")


def replace(place: Path) -> None:
    (place / "new").write_text("2\n")
    (place / "new").replace(place / "real/lib/one.py")


def move_the_folder(place: Path) -> None:
    (place / "real/lib").rename(place / "real/old")
    (place / "real/lib").mkdir()


def move_a_folder_above(place: Path) -> None:
    (place / "real").rename(place / "old")
    (place / "real/lib").mkdir(parents=True)


def lead_elsewhere(place: Path) -> None:
    (place / "other/lib").mkdir(parents=True)
    (place / "link").unlink()
    (place / "link").symlink_to("other")


def overflow(place: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    one, other = (place / "real/lib" / name for name in "ab")
    one.touch()
    for _ in range(most // 2 + 10):
        one.rename(other)
        other.rename(one)


CHANGES: dict[str, Callable[[Path], object]] = {
    "written in place": write_in_place,
    "replaced": replace,
    "created": lambda place: (place / "real/lib/two.py").touch(),
    "deleted": lambda place: (place / "real/lib/one.py").unlink(),
    "another time stamp": lambda place: os.utime(place / "real/lib/one.py", (1, 1)),
    "another mode": lambda place: (place / "real/lib/one.py").chmod(0),
    "a folder": lambda place: (place / "real/lib/two").mkdir(),
    "the folder moved": move_the_folder,
    "a folder above moved": move_a_folder_above,
    "a link above leads elsewhere": lead_elsewhere,
    "more than the queue takes": overflow,
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_heard_of(folders: FolderWatch, place: Path, case: str) -> None:
    assert folders.add(str(place / "link/lib"))
    assert folders.are_quiet()
    assert folders.are_quiet()
    CHANGES[case](place)
    assert not folders.are_quiet()


def test_what_is_read_and_what_happens_beside_it_is_no_change(folders: FolderWatch, place: Path) -> None:
    assert folders.add(str(place / "link/lib"))
    (place / "real/lib/one.py").read_text()
    os.listdir(place / "real/lib")
    (place / "real/beside.py").touch()
    assert folders.are_quiet()


def test_after_a_change_it_is_quiet_again(folders: FolderWatch, place: Path) -> None:
    assert folders.add(str(place / "real/lib"))
    write_in_place(place)
    assert not folders.are_quiet()
    assert folders.are_quiet()


@pytest.mark.parametrize("name", ["real/lib/one.py", "nothing"])
def test_what_is_no_folder_is_not_heard_of(folders: FolderWatch, place: Path, name: str) -> None:
    assert not folders.add(str(place / name))
    assert folders.are_quiet()


def test_file_systems_that_do_not_tell_are_known(folders: FolderWatch) -> None:
    assert not folders.add("/proc")
