"""Environments with what is too heavy for the suite's own: `make environments` makes them, tests skip without."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

PLACE = Path(sys.prefix) / "environments"


def runner(name: str) -> str:
    """The path of a program that runs others in a project's environment; skips the test without it."""
    found = PLACE / name / "bin" / name
    path = str(found) if found.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: make environments")
    return path


def with_packages(place: str = "packages") -> str:
    """The interpreter of the environment that has the packages, or torch; skips the test without it."""
    if not (PLACE / place / ".installed").exists():
        how = "make environments" if place == "packages" else f"make {place}"
        pytest.skip(f"the environment {place} is not there: {how}")
    return str(PLACE / place / "bin" / "python")
