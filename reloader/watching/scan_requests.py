"""What the surveyor can be asked for; it answers in this order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Compare:
    """Compare these paths, or everything (None), with the baseline."""

    paths: frozenset[str] | None
    at_once: bool


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
class WatchAlso:
    """Watch those of these files that lie beside the tree."""

    files: frozenset[str]


Request = Compare | RenewBaseline | Poll | WatchAlso
