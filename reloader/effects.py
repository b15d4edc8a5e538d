"""Everything that can be ordered or told. `deciding` returns these; `app.py` performs them."""

from __future__ import annotations

from dataclasses import dataclass

from reloader.events import Change, ExitStatus, ProcessInfo

# --- orders ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StartWorker:
    """Spawn the worker's command as this generation."""

    generation: int


@dataclass(frozen=True)
class StopWorker:
    """Send the stop signal, once, to the leader."""

    generation: int


@dataclass(frozen=True)
class KillWorker:
    """SIGKILL to the leader and everything that descends from it."""

    generation: int


@dataclass(frozen=True)
class ReapWorker:
    """Collect the ended leader; its pid may be reused from here on."""

    generation: int


@dataclass(frozen=True)
class ReapOrphans:
    """Collect ended processes that the system has made our children."""


@dataclass(frozen=True)
class BeginWatching:
    """Take the first snapshot and watch from now on."""


@dataclass(frozen=True)
class CompareTree:
    """Compare these paths, or everything (None), with the snapshot of the last start."""

    paths: frozenset[str] | None


@dataclass(frozen=True)
class TakeBaseline:
    """Bring the snapshot up to date at these paths and let the generation start from it."""

    generation: int
    paths: frozenset[str] | None


@dataclass(frozen=True)
class WatchFolders:
    """Ask the system for events of exactly these folders."""

    folders: frozenset[tuple[str, int, int]]


@dataclass(frozen=True)
class FlushOutput:
    """Pass on what the ended worker has printed; OutputFlushed follows."""


@dataclass(frozen=True)
class Tell:
    """Say something to the user."""

    notice: Notice


# --- what is told ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watching:
    """What is watched, said once."""

    folders: int
    files: int


@dataclass(frozen=True)
class Started:
    """A worker without a ready line runs. `drain` is None at the first start."""

    pid: int
    total: float
    drain: float | None


@dataclass(frozen=True)
class Ready:
    """A worker printed its ready line. `drain` is None when nothing had to be stopped first."""

    pid: int | None
    total: float
    start: float
    drain: float | None


@dataclass(frozen=True)
class AssumedReady:
    """The ready line did not come within the start timeout."""

    timeout: float


@dataclass(frozen=True)
class Draining:
    """The stop signal is being sent, because of these changes or (none) because we quit."""

    pid: int | None
    changes: tuple[Change, ...]
    signal: int
    timeout: float | None
    quitting: bool


@dataclass(frozen=True)
class StillDraining:
    """The drain goes on."""

    pid: int | None
    elapsed: float
    left: float | None


@dataclass(frozen=True)
class Drained:
    """The worker ended as asked, for good."""

    elapsed: float


@dataclass(frozen=True)
class Killing:
    """SIGKILL is being sent: the stop timeout has passed, or the user forced it."""

    pid: int | None
    timeout: float | None
    """The stop timeout that has passed; None when the user forced it."""


@dataclass(frozen=True)
class Unkillable:
    """Something survived SIGKILL for this long."""

    seconds: float


@dataclass(frozen=True)
class EndedItself:
    """The worker ended without being asked to."""

    status: ExitStatus
    after: float
    crashed_at_start: bool
    retry_in: float | None
    quitting: bool


@dataclass(frozen=True)
class CannotStart:
    """The command could not be run."""

    reason: str
    remedy: str
    retry_in: float | None


@dataclass(frozen=True)
class StartingAgain:
    """A worker that had ended is started because of these changes."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class ChangesMeanwhile:
    """Changes that the restart under way takes along."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class NothingChanged:
    """There were hints, and no file that counts differs."""


@dataclass(frozen=True)
class EndingLeftovers:
    """The leader is gone and these are not."""

    processes: tuple[ProcessInfo, ...]


@dataclass(frozen=True)
class CannotRead:
    """Part of the tree is unreadable."""

    path: str
    reason: str


@dataclass(frozen=True)
class WatchingByComparing:
    """No events can be had; the tree is compared every so many seconds."""

    reason: str
    interval: float


@dataclass(frozen=True)
class OurFault:
    """A bug of ours; the worker is drained and the run ends."""

    source: str
    error: str


Notice = (
    Watching
    | Started
    | Ready
    | AssumedReady
    | Draining
    | StillDraining
    | Drained
    | Killing
    | Unkillable
    | EndedItself
    | CannotStart
    | StartingAgain
    | ChangesMeanwhile
    | NothingChanged
    | EndingLeftovers
    | CannotRead
    | WatchingByComparing
    | OurFault
)

Effect = (
    StartWorker
    | StopWorker
    | KillWorker
    | ReapWorker
    | ReapOrphans
    | BeginWatching
    | CompareTree
    | TakeBaseline
    | WatchFolders
    | FlushOutput
    | Tell
)
