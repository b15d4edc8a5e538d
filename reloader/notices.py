"""Everything that can be told to the user. `deciding` says what, `showing/wording.py` in which words."""

from __future__ import annotations

import enum

from reloader.events import Change, ExitStatus, ProcessInfo, Unchanged
from reloader.message import Message


class Recognised(Message):
    """What is known of the worker from its command, and what follows; said once."""


class Caution(Message):
    """What the user is to know of this worker from the start."""

    what: str
    remedy: str


class Watching(Message):
    """What is watched, said once."""

    folders: int
    files: int


class Started(Message):
    """A worker without a ready line runs. Times are as in Ready."""

    pid: int
    total: float
    detect: float
    drain: float | None
    how: str | None = None
    """`warm`, or why it is not; None where nobody could expect it."""
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
    how: str | None = None
    """As in Started."""
    generation: int | None = None


class Preloaded(Message):
    """So many modules are preloaded, which took so long."""

    modules: int
    seconds: float


class CannotPreload(Message):
    """Starts stay cold."""

    why: str


class WarmInVain(Message):
    """The worker at work was started warm, which it must not be, and is therefore started again."""

    why: str


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
    changes: tuple[Change, ...]
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

    status: ExitStatus
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

    changes: tuple[Change, ...]


class StartingBeside(Message):
    """A generation is started because of these changes, while another one is at work."""

    changes: tuple[Change, ...]
    generation: int


class MemoryIsShort(Message):
    """There is no memory for two, so the old one drains first. In bytes."""

    needed: int
    free: int


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

    changes: tuple[Change, ...]


class WasUnchanged(Message):
    """These files were written and are still what they were."""

    files: tuple[Unchanged, ...]


class WaitingForGit(Message):
    """Files changed, and an operation of Git is under way that may change more."""

    operation: str


class Checking(Message):
    """The user's check is run before the worker is stopped."""

    changes: tuple[Change, ...]
    command: str


class Held(Message):
    """The new code is broken, so the worker goes on with the old.

    `command` is the check that failed, and None when the code cannot be compiled. `missing` is the worker's
    folder where there is none.
    """

    changes: tuple[Change, ...]
    command: str | None
    report: tuple[str, ...]
    missing: str | None = None


class Released(Message):
    """The broken code is gone again: what is on disk is what runs."""


class SetAside(Message):
    """This file caused a restart too often; for some seconds it causes none."""

    path: str
    restarts: int
    seconds: float


class Ignoring(Message):
    """Events at these paths do not count, by a rule or, where `source` is empty, for another reason."""

    paths: tuple[str, ...]
    why: str
    source: str
    line: int


class MatchesNothing(Message):
    """A pattern of the user's matches nothing that is there: it may be misspelt."""

    option: str
    pattern: str


class WatchingBeside(Message):
    """These files, which the worker has imported from beside the tree, are watched as well."""

    paths: tuple[str, ...]


class Remembered(Message):
    """The contents of so many files are known; of them these many bytes are kept."""

    files: int
    kept: int


class NothingNew(Message):
    """There were hints, and nothing differs in another way than at the last look."""


class NothingChanged(Message):
    """There were hints, and no file that counts differs."""


class EndingLeftovers(Message):
    """The leader is gone and these are not."""

    processes: tuple[ProcessInfo, ...]


class WhichIsTheWorker(Message):
    """Each of these may be the worker, and is drained."""

    processes: tuple[ProcessInfo, ...]


class NotPassedOn(Message):
    """These got the stop signal, and nothing below them has ended since."""

    processes: tuple[ProcessInfo, ...]


class AnotherUsers(Message):
    """These are another user's, and cannot be signalled."""

    processes: tuple[ProcessInfo, ...]


class CacheNotUsed(Message):
    """What earlier runs have kept is not used."""

    path: str
    reason: str


class RulesNotFollowed(Message):
    """An ignore file belongs to another user."""

    path: str
    owner: str


class CannotRead(Message):
    """Part of the tree is unreadable."""

    path: str
    reason: str


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
    how: str | None = None
    """`warm`, or why it is not; None while that is not known."""


class LastStart(Message):
    """The last generation that came to be at work. Times are as in Ready."""

    generation: int
    changes: tuple[Change, ...]
    """Because of which it was started; none where the user asked, or nothing ran before."""
    total: float
    detect: float
    drain: float | None
    start: float | None
    """None where no line tells that it is ready."""
    how: str | None
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
    changes: tuple[Change, ...] = ()
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


class CannotListen(Message):
    """Nobody can ask for the status of this run."""

    reason: str


class Paused(Message):
    """Changes are not looked at until the user wants it again."""


class Unpaused(Message):
    """Changes are looked at again."""


class GuardWasLost(Message):
    """Somebody has killed the guard."""


class WatchingByComparing(Message):
    """No events can be had; the tree is compared every so many seconds."""

    reason: str
    interval: float


class OutputIsLost(Message):
    """What goes there cannot be written for now."""

    stream: str
    reason: str


class OutputIsBack(Message):
    """What goes there is written again; so many bytes were lost."""

    stream: str
    lost: int


class OurFault(Message):
    """A bug of ours; the worker is drained and the run ends."""

    source: str
    error: str


Notice = (
    Recognised
    | Caution
    | Watching
    | Started
    | Ready
    | Preloaded
    | CannotPreload
    | WarmInVain
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
    | MemoryIsShort
    | NoLineCame
    | AddressInUse
    | AwaitingRoom
    | ChangesMeanwhile
    | WasUnchanged
    | WaitingForGit
    | Checking
    | Held
    | Released
    | SetAside
    | Ignoring
    | MatchesNothing
    | WatchingBeside
    | Remembered
    | NothingNew
    | NothingChanged
    | EndingLeftovers
    | WhichIsTheWorker
    | NotPassedOn
    | AnotherUsers
    | CannotRead
    | RulesNotFollowed
    | CacheNotUsed
    | AwaitingPrompt
    | PromptStays
    | InterruptIgnored
    | InterruptPassed
    | KeysAre
    | Status
    | CannotListen
    | Paused
    | Unpaused
    | GuardWasLost
    | WatchingByComparing
    | OutputIsLost
    | OutputIsBack
    | OurFault
)
