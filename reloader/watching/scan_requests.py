"""What the scanner can be asked for; it answers in this order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reloader.watching.imported import Recording


@dataclass(frozen=True)
class Compare:
    """Compare these paths, or everything (None), with the baseline."""

    paths: frozenset[str] | None
    at_once: bool
    recording: Recording | None
    """What the newest worker has imported; None where nobody asks it."""


@dataclass(frozen=True)
class RenewBaseline:
    """Look at these paths, or everything (None), and make what is seen the baseline."""

    generation: int
    paths: frozenset[str] | None
    at_once: bool


@dataclass(frozen=True)
class Poll:
    """Events may be missing, or are relied upon again."""

    needed: bool


@dataclass(frozen=True)
class CountImported:
    """Count what the worker has imported."""

    recording: Recording


@dataclass(frozen=True)
class Heard:
    """There were events at these paths."""

    paths: Collection[str]


Request = Heard | Compare | RenewBaseline | Poll | CountImported
