"""The states of a worker and of its generations, and the two tables of transitions between them.

Every input is answered in every state, in WORKER_TABLE and GENERATION_TABLE and nowhere else. An answer is
the name of a step, a method of `Worker` or `Generation` with a leading underscore. "impossible" raises
ImpossibleError and changes nothing.
"""

from __future__ import annotations

import enum


class ImpossibleError(AssertionError):
    """The shell reported something that cannot happen in this state."""


# --- a worker -------------------------------------------------------------------------------------


class WorkerState(enum.Enum):
    """What comes next, whatever may still be ending."""

    STOPPED = "stopped"
    """Nothing shall run."""
    WAITING = "waiting"
    """A start is due once a generation has ended."""
    PREPARING = "preparing"
    """A start is due once the snapshot is taken that it will be compared with."""
    RUNNING = "running"
    """The newest generation is at work, or on its way, maybe beside an earlier one that is at work."""
    HELD = "held"
    """The newest generation was never ready; an earlier one goes on and waits for a change."""
    EXITED = "exited"
    """The worker ended by itself; waits for a change."""
    BACKOFF = "backoff"
    """The worker ended by itself; starts again after a delay."""


class Goal(enum.IntEnum):
    """What is wanted. GONE is final."""

    UP = 0
    DOWN = 1
    GONE = 2


class WorkerInput(enum.Enum):
    """What a worker can meet."""

    RESTART = "restart asked"
    STOP = "stop or quit asked"
    FORCE = "second quit"
    PREPARED = "snapshot taken"
    SHORT = "memory is short"
    ENDED = "a generation ended as asked"
    ORPHANED = "guard lost"
    LOST = "a generation ended by itself"
    DEADLINE = "deadline"


P, H = WorkerState, WorkerInput
WORKER_TABLE: dict[WorkerState, dict[WorkerInput, str]] = {
    P.STOPPED: {
        H.RESTART: "ask",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "ignore",
        H.ENDED: "stay",
        H.ORPHANED: "stay",
        H.LOST: "impossible",
        H.DEADLINE: "ignore",
    },
    P.WAITING: {
        H.RESTART: "stay",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "make_room",
        H.ENDED: "seek_room",
        H.ORPHANED: "stay",
        H.LOST: "bridge_and_seek_room",
        H.DEADLINE: "ignore",
    },
    P.PREPARING: {
        H.RESTART: "stay",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "launch",
        H.SHORT: "make_room",
        H.ENDED: "stay",
        H.ORPHANED: "stay",
        H.LOST: "bridge",
        H.DEADLINE: "launch",
    },
    P.RUNNING: {
        H.RESTART: "replace",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "ignore",
        H.ENDED: "stay",
        H.ORPHANED: "start_over",
        H.LOST: "fall_back",
        H.DEADLINE: "ignore",
    },
    P.HELD: {
        H.RESTART: "replace",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "ignore",
        H.ENDED: "stay",
        H.ORPHANED: "start_over",
        H.LOST: "follow_on_exit",
        H.DEADLINE: "ignore",
    },
    P.EXITED: {
        H.RESTART: "start_again",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "ignore",
        H.ENDED: "stay",
        H.ORPHANED: "stay",
        H.LOST: "impossible",
        H.DEADLINE: "ignore",
    },
    P.BACKOFF: {
        H.RESTART: "start_again",
        H.STOP: "rest",
        H.FORCE: "force",
        H.PREPARED: "ignore",
        H.SHORT: "ignore",
        H.ENDED: "stay",
        H.ORPHANED: "stay",
        H.LOST: "impossible",
        H.DEADLINE: "retry",
    },
}


# --- a generation ---------------------------------------------------------------------------------


class GenerationState(enum.Enum):
    """What is."""

    LAUNCHING = "launching"
    """Asked for; nothing runs yet that is known of."""
    STARTING = "starting"
    """It runs, and is not ready."""
    READY = "ready"
    """At work."""
    DRAINING = "draining"
    """The stop signal is sent; the task in flight may end."""
    KILLING = "killing"
    """SIGKILL is sent to the whole tree."""
    ENDED = "ended"
    """Nothing of its tree is left."""


class GenerationInput(enum.Enum):
    """What a generation can meet."""

    STOP = "stop asked"
    KILL = "kill asked"
    FORCE = "second quit"
    STARTED = "worker started"
    READY = "ready"
    LOST = "launch lost"
    FAILED = "start failed"
    EXITED = "worker exited"
    DEADLINE = "deadline"


L, T = GenerationState, GenerationInput
GENERATION_TABLE: dict[GenerationState, dict[GenerationInput, str]] = {
    L.LAUNCHING: {
        T.STOP: "drain",
        T.KILL: "stay",
        T.FORCE: "kill",
        T.STARTED: "run",
        T.READY: "be_ready",
        T.LOST: "launch_again",
        T.FAILED: "end",
        T.EXITED: "impossible",
        T.DEADLINE: "abandon_launch",
    },
    L.STARTING: {
        T.STOP: "drain",
        T.KILL: "stay",
        T.FORCE: "kill",
        T.STARTED: "ignore",
        T.READY: "be_ready",
        T.LOST: "end",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "assume_ready_or_give_up",
    },
    L.READY: {
        T.STOP: "drain",
        T.KILL: "stay",
        T.FORCE: "kill",
        T.STARTED: "ignore",
        T.READY: "ignore",
        T.LOST: "end",
        T.FAILED: "impossible",
        T.EXITED: "end",
        T.DEADLINE: "ignore",
    },
    L.DRAINING: {
        T.STOP: "stay",
        T.KILL: "kill",
        T.FORCE: "kill",
        T.STARTED: "drain_started",
        T.READY: "ignore",
        T.LOST: "end",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "wait_or_kill",
    },
    L.KILLING: {
        T.STOP: "stay",
        T.KILL: "stay",
        T.FORCE: "stay",
        T.STARTED: "ignore",
        T.READY: "ignore",
        T.LOST: "end",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "complain",
    },
    L.ENDED: {
        T.STOP: "stay",
        T.KILL: "stay",
        T.FORCE: "stay",
        T.STARTED: "impossible",
        T.READY: "ignore",
        T.LOST: "impossible",
        T.FAILED: "impossible",
        T.EXITED: "impossible",
        T.DEADLINE: "ignore",
    },
}
