"""Everything that can happen, in the past tense. The main loop reads nothing else."""

from __future__ import annotations

import enum

from reloader.messages.base import Message


class Kind(enum.Enum):
    """How a path differs from the snapshot of the last start."""

    ADDED = "added"
    CHANGED = "changed"
    SAVED = "saved"
    """Its content means the same: that is a reason to start only while nothing runs."""
    DELETED = "deleted"
    REPLACED = "replaced"
    """Of the worker's folder: there is another one of its name."""
    SETTINGS = "changed the settings"
    """The settings file says something else of this run, which so has to begin anew."""


class Change(Message):
    """One path that differs from the snapshot of the last start. Changes of one path are equal."""

    path: str
    kind: Kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Change) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __lt__(self, other: Change) -> bool:
        return self.path < other.path


class Sameness(enum.Enum):
    """How little a file differs from what the running generation was started from."""

    BYTES = "same bytes"
    SYNTAX = "same syntax tree"
    NOT_LOADED = "not imported"
    """It differs, but the worker has not imported it."""


class Unchanged(Message):
    """A file that was written and is still what it was."""

    path: str
    how: Sameness


class ExitStatus(Message):
    """How a process ended: with an exit code, or by a signal (then the code is None)."""

    code: int | None = None
    signal: int | None = None


class ProcessInfo(Message):
    """A process as it is told to the user."""

    pid: int
    name: str


class TreeTouched(Message):
    """A hint: something that counts may have changed at these paths, or anywhere (None).

    `age` is how many seconds ago, at least, the last of it happened.
    """

    paths: frozenset[str] | None
    age: float = 0.0


class TreeCompared(Message):
    """How the tree differs from the snapshot of the last start; nothing differs when empty.

    `unchanged` was written since the last look and makes no difference. `state` is another number
    whenever what differs, or how, is not what it was at the last look.
    """

    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...] = ()
    state: int = 0
    own: frozenset[str] = frozenset()
    """Those of the paths that the worker has written itself."""
    foreign: frozenset[str] = frozenset()
    """Those that it has not written; a path is in neither where that is not known."""
    unread: frozenset[str] = frozenset()
    """The Python files among them that the worker is known neither to have imported nor to be about to."""


class TreeBusy(Message):
    """The tree is not looked at now, since this operation of Git is changing it."""

    operation: str
    generation: int | None = None
    """The one whose snapshot is put off by it; None where it was to be compared."""
    step: str = ""
    """Another text whenever the operation has gone on; empty where it cannot be waiting for an editor."""


class Unfinished(enum.Enum):
    """Why a file is not taken for what somebody wanted to save."""

    GROWS = "grows"
    """It is larger than at the last look."""
    EMPTY = "empty"
    """It was not at the last start."""
    OPEN = "open"
    """Somebody has opened it for writing."""
    GONE = "gone"
    """The worker has imported it, and its whole folder is gone."""
    IN_BLOCKS = "in blocks"
    """It ends where a block ends by which programs write: the rest may be to come."""


class FilesUnfinished(Message):
    """The tree was looked at, and these files look as if they were still being written."""

    paths: tuple[str, ...]
    how: Unfinished
    """Of the paths; where several apply the one that is waited for longest."""
    generation: int | None = None
    """The one whose snapshot is put off by it; None where the tree was to be compared."""


class PathsIgnored(Message):
    """Events at these paths do not count, for one reason; told only to those who want to know."""

    paths: tuple[str, ...]
    why: str
    """The rule as it was written, or a sentence where there is none."""
    source: str
    """The file or option that holds the rule; empty where there is none."""
    line: int


class PatternIdle(Message):
    """A pattern of the user's matches nothing that is there."""

    option: str
    pattern: str


class AlsoWatched(Message):
    """These files count although a rule leaves them out, or they lie beside the tree."""

    paths: tuple[str, ...]
    is_tracked: bool
    """Since they are in Git's index; else since the worker has imported them."""


class ImportedBeside(Message):
    """The worker imports what lies in these folders, which are not watched."""

    folders: tuple[str, ...]


class ContentsKnown(Message):
    """What the running generation was started from has been read, so far as there is room for it."""

    files: int
    kept: int
    """Bytes that are kept of them."""


class Fault(Message):
    """A file that Python cannot compile, and the last line of its error."""

    path: str
    error: str


class PreflightPassed(Message):
    """Nothing speaks against the code that preflight `number` looked at."""

    number: int
    broken: tuple[Fault, ...] = ()
    """What is broken and makes no difference, since the worker does not read it."""


class PreflightFailed(Message):
    """The code that preflight `number` looked at is not worth a restart.

    `command` is the check that failed, and None when the code cannot be compiled. `report` is what was
    printed about it, line by line. `missing` is the worker's folder, where that is not there.
    """

    number: int
    command: str | None
    report: tuple[str, ...]
    missing: str | None = None


class BaselineTaken(Message):
    """The snapshot that generation's start shall be compared with is in place."""

    generation: int


class MemoryShort(Message):
    """The one at work uses more memory than is free for the coming generation. In bytes."""

    generation: int
    needed: int
    free: int


class AddressTaken(Message):
    """A generation that starts beside another one finds these addresses in use, by which that one listens."""

    generation: int
    addresses: tuple[str, ...]
    """Ports, or paths of sockets."""


class FoldersChanged(Message):
    """These folders, given with their identity on disk, are to be watched from now on."""

    folders: frozenset[tuple[str, int, int]]


class TreeKnown(Message):
    """The tree has been looked at for the first time."""

    files: int
    """How many files count."""
    folders: int
    """How many folders are entered."""


class PathUnreadable(Message):
    """A folder or file inside the tree cannot be read: changes in it go unnoticed."""

    path: str
    reason: str


class CacheIgnored(Message):
    """What earlier runs have kept is not used; `reason` says why. It is written anew."""

    path: str
    reason: str


class RulesRefused(Message):
    """An ignore file is not followed: it belongs to another user."""

    path: str
    owner: str


class SettingsRefused(Message):
    """The settings file was changed, and is wrong now."""

    what: str
    remedy: str


class WatchingFailed(Message):
    """The system brings no events (for now); the tree is compared at intervals instead."""

    reason: str
    interval: float


class TemplateBegun(Message):
    """A template is being built; TemplateBuilt or TemplateFailed follows."""


class TemplateBuilt(Message):
    """So many modules are preloaded: the next start is warm."""

    modules: int
    seconds: float


class TemplateFailed(Message):
    """No template can be built; starts stay cold."""

    why: str


class TemplateLost(Message):
    """There is no template any more, or none can be thought of."""

    why: str
    too_late: bool = False
    """The generation at work was made from it all the same, and should not have been."""


class GuardLost(Message):
    """The guard has ended unasked; the system has told the worker, whose parent it was, to stop."""

    generation: int


class WarmStart(Message):
    """A worker was forked from a template."""


class ColdStart(Message):
    """A worker was not forked from a template, though it might have been."""

    why: str


StartKind = WarmStart | ColdStart


class WorkerStarted(Message):
    """The worker's first process runs."""

    generation: int
    pid: int
    start_kind: StartKind | None = None
    """None where nobody could expect a warm start."""


class LaunchLost(Message):
    """The worker was not started: what was asked for it is gone, or refuses. Another try may succeed."""

    generation: int
    why: str


class StartFailed(Message):
    """The worker could not be started at all."""

    generation: int
    reason: str
    remedy: str
    exit_code: int
    passing: bool = False
    """It is the machine's state and not the command: another try may succeed."""


class WorkerReady(Message):
    """The worker printed its ready line."""

    generation: int


class LeftoversFound(Message):
    """The leader has ended and these processes of its tree have not; they are being ended."""

    generation: int
    processes: tuple[ProcessInfo, ...]


class TargetDoubtful(Message):
    """Each of these processes may be the worker. All of them are drained."""

    generation: int
    processes: tuple[ProcessInfo, ...]


class TargetUnmoved(Message):
    """These processes got the stop signal, and nothing below them has ended since."""

    generation: int
    processes: tuple[ProcessInfo, ...]


class SignalRefused(Message):
    """The system does not let us signal these processes: they are another user's."""

    generation: int
    processes: tuple[ProcessInfo, ...]


class WorkerExited(Message):
    """The leader has ended and nothing of its tree is left."""

    generation: int
    status: ExitStatus


class PromptSeen(Message):
    """Whether the worker asks for input, now that preflight `number` has passed."""

    number: int
    is_asking: bool


class CameToForeground(Message):
    """Our terminal is for us now; a shell had started us in the background."""


class Typed(Message):
    """Something was typed at our terminal; the main thread says whom it is for."""

    data: bytes
    answers: bytes
    """What of it are answers of the terminal to a question."""
    keys: tuple[str, ...]
    """What of it are characters."""


class KeyPressed(Message):
    """A key was pressed at our terminal, and not for the worker."""

    key: str


class Verb(enum.Enum):
    """What can be asked of a run from outside."""

    STATUS = "status"


class Requested(Message):
    """Somebody asks from outside; Reply answers this peer."""

    peer: int
    verb: Verb


class ListeningFailed(Message):
    """Nobody can ask anything from outside."""

    reason: str


class Resumed(Message):
    """We and the worker were stopped, as by Ctrl-Z, and go on."""

    seconds: float


class SignalReceived(Message):
    """The supervisor got this signal."""

    number: int
    at_prompt: bool = False
    """The worker was waiting for what is typed at its terminal."""
    repeated_within: float = 0.0
    """For so many seconds somebody above us may send it once more."""
    sent_to_all_within: float = 0.0
    """Within so many seconds somebody above us sends it to every process, the worker among them."""


class OutputClosed(Message):
    """Whoever read our output is gone."""


class OutputFailed(Message):
    """What is shown is lost from now on: it cannot be written, as on a full disk."""

    stream: str
    """`standard output` or `standard error`, or both."""
    reason: str


class OutputRecovered(Message):
    """It can be written again."""

    stream: str
    lost: int
    """Bytes."""


class OutputFlushed(Message):
    """Everything the worker printed has been passed on."""


class SourceFailed(Message):
    """A helper thread met an error that it did not foresee."""

    source: str
    error: str


class DeadlinePassed(Message):
    """Nothing came before Supervisor.deadline."""


Event = (
    TreeTouched
    | TreeCompared
    | TreeBusy
    | FilesUnfinished
    | PathsIgnored
    | PatternIdle
    | AlsoWatched
    | ImportedBeside
    | ContentsKnown
    | PreflightPassed
    | PreflightFailed
    | BaselineTaken
    | MemoryShort
    | AddressTaken
    | FoldersChanged
    | TreeKnown
    | PathUnreadable
    | RulesRefused
    | SettingsRefused
    | CacheIgnored
    | WatchingFailed
    | TemplateBegun
    | TemplateBuilt
    | TemplateFailed
    | TemplateLost
    | GuardLost
    | WorkerStarted
    | LaunchLost
    | StartFailed
    | WorkerReady
    | LeftoversFound
    | TargetDoubtful
    | TargetUnmoved
    | SignalRefused
    | WorkerExited
    | PromptSeen
    | CameToForeground
    | Typed
    | KeyPressed
    | Requested
    | ListeningFailed
    | Resumed
    | SignalReceived
    | OutputClosed
    | OutputFailed
    | OutputRecovered
    | OutputFlushed
    | SourceFailed
    | DeadlinePassed
)
