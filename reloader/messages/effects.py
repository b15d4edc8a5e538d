"""Everything that the supervisor can order; `app/runtime.py` performs it."""

from __future__ import annotations

from reloader.messages import notices
from reloader.messages.base import Message


class StartWorker(Message):
    """Start the worker's command as this generation."""

    generation: int
    lost: str | None = None
    """Why the last try to start the same generation was lost; None at the first one."""


class StopWorker(Message):
    """Send the stop signal to the worker, once."""

    generation: int


class KillWorker(Message):
    """SIGKILL to the worker's whole tree."""

    generation: int


class AbandonStart(Message):
    """Nobody answers the request to start this generation: kill what was asked; LaunchLost follows."""

    generation: int


class ReapWorker(Message):
    """Forget the generation, which has ended or was never started; its pid may be reused from here on."""

    generation: int


class LearnFromWorker(Message):
    """The worker is at work: learn what it has imported, for the next start and for what matters to it."""


class NoteWrites(Message):
    """Let the next worker note which files it writes: it may restart itself."""


class TakeTemplate(Message):
    """Fork workers from the template that was built; or know why none was, for the cold starts to come."""

    why: str | None = None


class CheckMemory(Message):
    """Look whether there is memory for the coming generation beside the one at work; if not, MemoryShort."""

    generation: int
    at_work: int


class Reply(Message):
    """Answer the peer that asked."""

    peer: int
    status: notices.Status


class Suspend(Message):
    """Stop the worker's tree and ourselves, as Ctrl-Z does; Resumed follows once we go on."""


class TakeTerminal(Message):
    """Read our terminal key by key, if we are in the foreground."""


class PassInterrupt(Message):
    """Let Ctrl-C be typed at the worker's terminal."""


class ClearScreen(Message):
    """Clear our terminal."""


class ShowEmptyLine(Message):
    """Show an empty line, to tell what was from what comes."""


class FollowSize(Message):
    """Make the worker's terminal as large as ours."""


class ReapOrphans(Message):
    """Collect ended processes that the system has made our children."""


class BeginWatching(Message):
    """Take the first snapshot and watch from now on."""


class CompareTree(Message):
    """Compare these paths, or everything (None), with the snapshot of the last start.

    While Git is at work the answer is TreeBusy, and where files look half written FilesUnfinished, unless
    it is wanted at once.
    """

    paths: frozenset[str] | None
    at_once: bool = False


class Preflight(Message):
    """Find out whether these files, and the user's check, speak against a restart."""

    number: int
    paths: tuple[str, ...]
    unread: frozenset[str] = frozenset()
    """Those of them that the worker does not read: that they are broken speaks against nothing."""


class LookAtPrompt(Message):
    """Look whether the worker asks for input; PromptSeen follows."""

    number: int


class CancelPreflight(Message):
    """Give up the preflight under way; whatever it would find does not matter any more."""


class TakeBaseline(Message):
    """Bring the snapshot up to date at these paths and let the generation start from it.

    While Git is at work the answer is TreeBusy, and where files look half written FilesUnfinished, unless
    it is wanted at once.
    """

    generation: int
    paths: frozenset[str] | None
    at_once: bool = False


class WatchFolders(Message):
    """Ask the system for events of exactly these folders."""

    folders: frozenset[tuple[str, int, int]]


class FlushOutput(Message):
    """Pass on what the ended worker has printed; OutputFlushed follows."""


class Tell(Message):
    """Say something to the user."""

    notice: notices.Notice


Effect = (
    StartWorker
    | StopWorker
    | KillWorker
    | AbandonStart
    | ReapWorker
    | LearnFromWorker
    | NoteWrites
    | TakeTemplate
    | CheckMemory
    | Reply
    | Suspend
    | TakeTerminal
    | PassInterrupt
    | ClearScreen
    | ShowEmptyLine
    | FollowSize
    | ReapOrphans
    | BeginWatching
    | CompareTree
    | Preflight
    | CancelPreflight
    | LookAtPrompt
    | TakeBaseline
    | WatchFolders
    | FlushOutput
    | Tell
)
