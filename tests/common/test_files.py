"""What is read, and what is refused without a wait."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from reloader.common.files import read_regular


def why(path: Path | str, limit: int = 100, follow: bool = True) -> str:
    """Why the file is not read."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is looked at
        read_regular(str(path), limit, follow=follow)
    return caught.value.strerror or ""


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for size in (0, 1, 99, 100):
        file.write_bytes(b"x" * size)
        assert read_regular(str(file), 100) == b"x" * size
    file.write_bytes(b"x" * 101)
    assert why(file) == "larger than 100 bytes"
    os.truncate(file, 1 << 40)
    assert why(file) == "larger than 100 bytes"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for name in ("fifo", "link", "/dev/zero", "/dev/tty"):
        assert why(tmp_path / name) in ("not a regular file", "No such device or address"), name
    assert why(tmp_path / "socket") == "No such device or address"
    assert why(tmp_path) == "Is a directory"
    assert why(tmp_path / "a\0b") == "embedded null byte"


def test_a_link_is_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(str(tmp_path / "link"), 100) == b"x"
    assert why(tmp_path / "link", follow=False) == "Too many levels of symbolic links"


def test_the_file_that_was_opened_is_checked(tmp_path: Path) -> None:
    def refuse(status: os.stat_result) -> None:
        raise PermissionError(1, f"owner {status.st_uid}")

    (tmp_path / "file").write_text("x")
    with pytest.raises(PermissionError, match=f"owner {os.getuid()}"):
        read_regular(str(tmp_path / "file"), 100, check=refuse)
