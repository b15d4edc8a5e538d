"""What is known of each task queue: how it tells that it is ready, and how it is stopped. Data only."""

from __future__ import annotations

import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """How a known worker behaves. Times are in seconds."""

    queue: str
    verbs: tuple[str, ...]
    """Management commands of Django that run it."""
    ready: str
    """A regular expression for the line by which it is ready."""
    stop_signal: int
    stop_timeout: float


PRESETS = (
    # django-q2 1.11: INT or TERM to the leader lets tasks in flight end; TERM to the group hangs it.
    Preset("django-q2", ("qcluster",), r"Q Cluster .+ running\.", signal.SIGINT, 60.0),
)
