"""Whether a native library may read a variable, told from real libraries and from files that are made."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from reloader.in_worker import native_libraries


@pytest.fixture
def c_library() -> str:
    """Which reads TZ, as every C library does."""
    return next(
        path for path in native_libraries.loaded() if Path(path).name.startswith(("libc.so", "ld-musl"))
    )


def test_the_c_library_reads_the_variables_that_it_names(c_library: str) -> None:
    assert native_libraries.named_in(c_library, ["TZ", "RELOADER_NOBODY_HAS_THIS"]) == ["TZ"]


@pytest.mark.parametrize("name", ["array", "_decimal", "_asyncio", "_struct", "_pickle"])
def test_a_library_that_cannot_read_the_environment_reads_no_variable(name: str) -> None:
    """Two letters are found by chance in its code, or in what is there for debuggers."""
    file = getattr(importlib.import_module(name), "__file__", None)
    if file is None:
        pytest.skip("it is built into the interpreter")
    assert native_libraries.named_in(file, ["TZ"]) == []


def test_what_lies_outside_of_constants_and_variables_does_not_count(tmp_path: Path, c_library: str) -> None:
    copy = tmp_path / "copy.so"
    copy.write_bytes(Path(c_library).read_bytes() + b"\0RELOADER_NOBODY_HAS_THIS\0")
    assert native_libraries.named_in(str(copy), ["TZ", "RELOADER_NOBODY_HAS_THIS"]) == ["TZ"]


@pytest.mark.parametrize("way", [b"getenv", b"_Z7qgetenvPKc", b"__environ", b"/proc/self/environ", b"setenv"])
def test_in_a_file_of_another_kind_all_of_it_counts(tmp_path: Path, way: bytes) -> None:
    file = tmp_path / "odd.so"
    file.write_bytes(b"odd\0" + way + b"\0SOME_NAME\0")
    assert native_libraries.named_in(str(file), ["SOME_NAME", "NAME", "SOME"]) == ["SOME_NAME", "NAME"]
    file.write_bytes(b"odd\0SOME_NAME\0")
    assert native_libraries.named_in(str(file), ["SOME_NAME"]) == []


def test_a_file_that_is_cut_off_counts_as_a_whole(tmp_path: Path, c_library: str) -> None:
    file = tmp_path / "cut.so"
    file.write_bytes(Path(c_library).read_bytes()[:50] + b"\0getenv\0SOME_NAME\0")
    assert native_libraries.named_in(str(file), ["SOME_NAME"]) == ["SOME_NAME"]


def test_a_file_that_is_not_there_names_nothing(tmp_path: Path) -> None:
    assert native_libraries.named_in(str(tmp_path / "none.so"), ["TZ"]) == []
