"""Everything that can be ordered or told. `deciding` returns these; `app.py` performs them."""

from __future__ import annotations

from reloader.events import Change, ExitStatus, ProcessInfo
from reloader.message import Message

# --- orders ---------------------------------------------------------------------------------------


class StartWorker(Message):
    """Spawn the worker's command as this generation."""

    generation: int


class StopWorker(Message):
    """Send the stop signal, once, to the leader."""

    generation: int


class KillWorker(Message):
    """SIGKILL to the leader and everything that descends from it."""

    generation: int


class ReapWorker(Message):
    """Collect the ended leader; its pid may be reused from here on."""

    generation: int


class ReapOrphans(Message):
    """Collect ended processes that the system has made our children."""


class BeginWatching(Message):
    """Take the first snapshot and watch from now on."""


class CompareTree(Message):
    """Compare these paths, or everything (None), with the snapshot of the last start."""

    paths: frozenset[str] | None


class TakeBaseline(Message):
    """Bring the snapshot up to date at these paths and let the generation start from it."""

    generation: int
    paths: frozenset[str] | None


class WatchFolders(Message):
    """Ask the system for events of exactly these folders."""

    folders: frozenset[tuple[str, int, int]]


class FlushOutput(Message):
    """Pass on what the ended worker has printed; OutputFlushed follows."""


class Tell(Message):
    """Say something to the user."""

    notice: Notice


# --- what is told ---------------------------------------------------------------------------------


class Watching(Message):
    """What is watched, said once."""

    folders: int
    files: int


class Started(Message):
    """A worker without a ready line runs. `drain` is None at the first start."""

    pid: int
    total: float
    drain: float | None


class Ready(Message):
    """A worker printed its ready line. `drain` is None when nothing had to be stopped first."""

    pid: int | None
    total: float
    start: float
    drain: float | None


class AssumedReady(Message):
    """The ready line did not come within the start timeout."""

    timeout: float


class Draining(Message):
    """The stop signal is being sent, because of these changes or (none) because we quit."""

    pid: int | None
    changes: tuple[Change, ...]
    signal: int
    timeout: float | None
    quitting: bool


class StillDraining(Message):
    """The drain goes on."""

    pid: int | None
    elapsed: float
    left: float | None


class Drained(Message):
    """The worker ended as asked, for good."""

    elapsed: float


class Killing(Message):
    """SIGKILL is being sent: the stop timeout has passed, or the user forced it."""

    pid: int | None
    timeout: float | None
    """The stop timeout that has passed; None when the user forced it."""


class Unkillable(Message):
    """Something survived SIGKILL for this long."""

    seconds: float


class EndedItself(Message):
    """The worker ended without being asked to."""

    status: ExitStatus
    after: float
    crashed_at_start: bool
    retry_in: float | None
    quitting: bool


class CannotStart(Message):
    """The command could not be run."""

    reason: str
    remedy: str
    retry_in: float | None


class StartingAgain(Message):
    """A worker that had ended is started because of these changes."""

    changes: tuple[Change, ...]


class ChangesMeanwhile(Message):
    """Changes that the restart under way takes along."""

    changes: tuple[Change, ...]


class NothingChanged(Message):
    """There were hints, and no file that counts differs."""


class EndingLeftovers(Message):
    """The leader is gone and these are not."""

    processes: tuple[ProcessInfo, ...]


class CannotRead(Message):
    """Part of the tree is unreadable."""

    path: str
    reason: str


class WatchingByComparing(Message):
    """No events can be had; the tree is compared every so many seconds."""

    reason: str
    interval: float


class OurFault(Message):
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
