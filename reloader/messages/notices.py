"""Everything that can be told to the user. `deciding` says what, `showing/wording.py` in which words.

An event that is told as it is has no class here; it is listed in `ToldEvent`.
"""

from __future__ import annotations

import enum

from reloader.messages import events
from reloader.messages.base import Message


class Recognised(Message):
    """What is known of the worker from its command, and what follows; said once."""


class Caution(Message):
    """What the user is to know of this worker from the start."""

    what: str
    remedy: str


class Started(Message):
    """A worker without a ready line runs. Times are as in Ready."""

    pid: int
    total: float
    detect: float
    drain: float | None
    start_kind: events.StartKind | None = None
    """None where nobody could expect a warm start."""
    generation: int | None = None
    """Which one, here and below, where there can be several."""


class Ready(Message):
    """A worker printed its ready line.

    `detect` is from the first change to the decision, checks included; `drain` is None when nothing
    had to be stopped first. `total` is all of it.
    """

    pid: int | None
    total: float
    detect: float
    start: float
    drain: float | None
    start_kind: events.StartKind | None = None
    """As in Started."""
    generation: int | None = None


class WarmInVain(Message):
    """The worker at work was started warm, which it must not be, and is therefore started again."""

    why: str


class LaunchTakesLong(Message):
    """Nobody has answered the request to start the worker for so many seconds; it is asked for anew."""

    seconds: float


class AssumedReady(Message):
    """The ready line did not come within the start timeout."""

    timeout: float
    generation: int | None = None


class NotReady(Message):
    """The ready line did not come within the start timeout, so another generation goes on."""

    timeout: float
    generation: int
    other: int


class Draining(Message):
    """The stop signal is being sent, because of these changes or (none) because we quit."""

    pid: int | None
    changes: tuple[events.Change, ...]
    signal: int
    timeout: float | None
    quitting: bool
    generation: int | None = None
    successor: int | None = None
    """The generation that is ready to take its place."""


class ProcessUse(Message):
    """A live process and what it used of a core since it was looked at last, in percent."""

    pid: int
    name: str
    cpu: float
    age: float = 0.0
    """Seconds since it was started."""


class DrainOf(Message):
    """A drain under way, and how many seconds are left of the stop timeout, where there is one."""

    pid: int | None
    elapsed: float
    left: float | None
    generation: int | None = None


class StillDraining(Message):
    """A drain goes on. Told every second where a line can be written over, else now and then."""

    drains: tuple[DrainOf, ...]
    now_and_then: bool
    alive: tuple[ProcessUse, ...] = ()


class Drained(Message):
    """The worker ended as asked, and no other one waits for that."""

    elapsed: float
    generation: int | None = None


class Killing(Message):
    """SIGKILL is being sent: the stop timeout has passed, or the user forced it."""

    pid: int | None
    timeout: float | None
    """The stop timeout that has passed; None when the user forced it."""
    alive: tuple[ProcessUse, ...] = ()
    generation: int | None = None


class TaskKilled(Message):
    """What becomes of the task that was killed; the settings know it."""


class Unkillable(Message):
    """Something survived SIGKILL for this long."""

    seconds: float
    generation: int | None = None
    refused: bool = False
    """It is another user's, and could not be sent a signal."""


class EndedItself(Message):
    """The worker ended without being asked to."""

    status: events.ExitStatus
    after: float
    crashed_at_start: bool
    retry_in: float | None
    quitting: bool
    generation: int | None = None
    other: int | None = None
    """The generation that goes on, or takes its place."""


class CannotStart(Message):
    """The command could not be run."""

    reason: str
    remedy: str
    retry_in: float | None
    other: int | None = None
    """The generation that goes on."""


class StartingAgain(Message):
    """A worker that had ended is started because of these changes."""

    changes: tuple[events.Change, ...]


class StartingBeside(Message):
    """A generation is started because of these changes, while another one is at work."""

    changes: tuple[events.Change, ...]
    generation: int


class NoLineCame(Message):
    """The ready line has not come so far, so the old one drains first."""


class AddressInUse(Message):
    """The generation has ended at its start, since another one listens there; so the old one drains first."""

    addresses: tuple[str, ...]
    """Ports, or paths of sockets: one of them is meant."""
    generation: int


class AwaitingRoom(Message):
    """The next generation starts once one of these has drained."""

    generations: tuple[int, ...]
    most: int
    """So many may drain at once."""


class ChangesMeanwhile(Message):
    """Changes that the restart under way takes along."""

    changes: tuple[events.Change, ...]


class WasUnchanged(Message):
    """These files were written and are still what they were."""

    files: tuple[events.Unchanged, ...]


class WaitingForGit(Message):
    """Files changed, and an operation of Git is under way that may change more."""

    operation: str


class WaitingForFiles(Message):
    """Files look as if they were still being written; what is waited for, in seconds, at most."""

    paths: tuple[str, ...]
    how: events.Unfinished
    limit: float


class Checking(Message):
    """The user's check is run before the worker is stopped."""

    changes: tuple[events.Change, ...]
    command: str


class Held(Message):
    """The new code is broken, so the worker goes on with the old.

    `command` is the check that failed, and None when the code cannot be compiled. `missing` is the worker's
    folder where there is none.
    """

    changes: tuple[events.Change, ...]
    command: str | None
    report: tuple[str, ...]
    missing: str | None = None


class BrokenUnread(Message):
    """These files are broken, which neither holds nor restarts: the worker does not read them."""

    paths: tuple[str, ...]
    error: str
    """Python's, where it is one file; empty where there are several."""


class Released(Message):
    """The broken code is gone again: what is on disk is what runs."""


class SetAside(Message):
    """This file, or any of this pattern, caused a restart too often; for some seconds it causes none."""

    path: str
    restarts: int
    within: float
    """The seconds in which it has caused those restarts."""
    seconds: float
    by_worker: bool = False
    """The worker is known to write it itself."""


class NothingNew(Message):
    """There were hints, and nothing differs in another way than at the last look."""


class NothingChanged(Message):
    """There were hints, and no file that counts differs."""


class AwaitingPrompt(Message):
    """A restart waits for somebody who types into the worker's terminal; nobody is waited for without end."""

    limit: float


class PromptStays(Message):
    """The restart has waited so long that the next change does not."""

    limit: float


class InterruptIgnored(Message):
    """We were started with SIGINT ignored, as a script's `&` does it; a signal to this pid ends the run."""

    pid: int


class InterruptPassed(Message):
    """Ctrl-C went to the worker, which waits for input."""


class KeysAre(Message):
    """What the keys do."""


class TemplateIs(Message):
    """What is known of the template."""

    state: str
    """`off`, `none`, `being built` (maybe beside an older one) or `ready`."""
    modules: int | None = None
    """So many are preloaded in the one that there is."""
    why: str | None = None
    """Why there is none."""


class StatusOf(Message):
    """One generation that has not ended."""

    state: str
    pid: int | None
    generation: int
    since: float
    """Seconds since it was started."""
    start_kind: events.StartKind | None = None
    """None while it is not known."""


class LastStart(Message):
    """The last generation that came to be at work. Times are as in Ready."""

    generation: int
    changes: tuple[events.Change, ...]
    """Because of which it was started; none where the user asked, or nothing ran before."""
    total: float
    detect: float
    drain: float | None
    start: float | None
    """None where no line tells that it is ready."""
    start_kind: events.StartKind | None
    ago: float
    """Seconds since then."""


class Wait(enum.Enum):
    """What something waits for."""

    LOOK = "look"
    """Files were touched, and are looked at in a moment; later, where watching is paused."""
    GIT = "git"
    """Files were touched, and an operation of Git is under way."""
    CHECK = "check"
    """Changes are being checked."""
    MEND = "mend"
    """Changes are held back, since the code is broken."""
    START = "start"
    """A start is due: once what drains has ended, and the files are quiet."""
    RETRY = "retry"
    """The worker ended by itself, and starts again."""


class Pending(Message):
    """Something that waits."""

    wait: Wait
    changes: tuple[events.Change, ...] = ()
    seconds: float | None = None
    """How long it will be, where that is known."""


class Status(Message):
    """What is, for who asks."""

    state: str
    generation: int
    """The number of the newest, even if that has ended."""
    generations: tuple[StatusOf, ...]
    """Those that have not, the newest first."""
    paused: bool
    pending: tuple[Pending, ...] = ()
    last_start: LastStart | None = None
    template: TemplateIs = TemplateIs("none")


class BeginningAnew(Message):
    """The run begins anew since its settings have changed."""

    changes: tuple[events.Change, ...]


class Paused(Message):
    """Changes are not looked at until the user wants it again."""


class Unpaused(Message):
    """Changes are looked at again."""


ToldEvent = (
    events.TreeKnown
    | events.TemplateBuilt
    | events.TemplateFailed
    | events.MemoryShort
    | events.PathsIgnored
    | events.PatternIdle
    | events.AlsoWatched
    | events.ImportedBeside
    | events.ContentsKnown
    | events.LeftoversFound
    | events.TargetDoubtful
    | events.TargetUnmoved
    | events.SignalRefused
    | events.PathUnreadable
    | events.RulesRefused
    | events.SettingsRefused
    | events.CacheIgnored
    | events.ListeningFailed
    | events.GuardLost
    | events.WatchingFailed
    | events.OutputFailed
    | events.OutputRecovered
    | events.SourceFailed
)
"""The events that are told to the user as they are."""

Notice = (
    ToldEvent
    | Recognised
    | Caution
    | Started
    | Ready
    | WarmInVain
    | LaunchTakesLong
    | AssumedReady
    | NotReady
    | Draining
    | StillDraining
    | Drained
    | Killing
    | TaskKilled
    | Unkillable
    | EndedItself
    | CannotStart
    | StartingAgain
    | StartingBeside
    | NoLineCame
    | AddressInUse
    | AwaitingRoom
    | ChangesMeanwhile
    | WasUnchanged
    | WaitingForGit
    | WaitingForFiles
    | Checking
    | Held
    | BrokenUnread
    | Released
    | SetAside
    | NothingNew
    | NothingChanged
    | AwaitingPrompt
    | PromptStays
    | InterruptIgnored
    | InterruptPassed
    | KeysAre
    | Status
    | BeginningAnew
    | Paused
    | Unpaused
)
