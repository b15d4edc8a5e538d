"""What a worker is, what is wanted of it, and the table between.

Rule: every happening is answered in every state, in TABLE and nowhere else. An answer is the name of
a step of Worker. A happening that the table calls impossible raises Impossible and changes nothing.
"""

from __future__ import annotations

import enum


class WorkerState(enum.Enum):
    """What is."""

    STOPPED = "stopped"
    """Nothing runs and nothing shall."""
    PREPARING = "preparing"
    """Nothing runs; the snapshot that the start will be compared with is being taken."""
    STARTING = "starting"
    """Spawned, not ready."""
    READY = "ready"
    """At work."""
    DRAINING = "draining"
    """The stop signal is sent; the task in flight may end."""
    KILLING = "killing"
    """SIGKILL is sent to the whole tree."""
    EXITED = "exited"
    """Ended by itself; waits for a change."""
    BACKOFF = "backoff"
    """Ended by itself; starts again after a delay."""


class Goal(enum.IntEnum):
    """What is wanted. GONE is final."""

    UP = 0
    DOWN = 1
    GONE = 2


class Happening(enum.Enum):
    """What a worker can meet."""

    RESTART = "restart asked"
    ORPHANED = "guard lost"
    KILL = "kill asked"
    STOP = "stop or quit asked"
    FORCE = "second quit"
    PREPARED = "snapshot taken"
    READY = "ready"
    FAILED = "start failed"
    EXITED = "worker exited"
    DEADLINE = "deadline"


S, H = WorkerState, Happening
TABLE: dict[WorkerState, dict[Happening, str]] = {
    S.STOPPED: {
        H.RESTART: "prepare",
        H.ORPHANED: "stay",
        H.KILL: "stay",
        H.STOP: "stay",
        H.FORCE: "abandon",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "impossible",
        H.EXITED: "impossible",
        H.DEADLINE: "ignore",
    },
    S.PREPARING: {
        H.RESTART: "stay",
        H.ORPHANED: "stay",
        H.KILL: "stay",
        H.STOP: "rest",
        H.FORCE: "abandon",
        H.PREPARED: "launch",
        H.READY: "ignore",
        H.FAILED: "impossible",
        H.EXITED: "impossible",
        H.DEADLINE: "launch",
    },
    S.STARTING: {
        H.RESTART: "drain",
        H.ORPHANED: "drain",
        H.KILL: "stay",
        H.STOP: "drain",
        H.FORCE: "kill",
        H.PREPARED: "ignore",
        H.READY: "be_ready",
        H.FAILED: "fail",
        H.EXITED: "end_itself",
        H.DEADLINE: "assume_ready",
    },
    S.READY: {
        H.RESTART: "drain",
        H.ORPHANED: "drain",
        H.KILL: "stay",
        H.STOP: "drain",
        H.FORCE: "kill",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "impossible",
        H.EXITED: "end_itself",
        H.DEADLINE: "ignore",
    },
    S.DRAINING: {
        H.RESTART: "stay",
        H.ORPHANED: "stay",
        H.KILL: "kill",
        H.STOP: "stay",
        H.FORCE: "kill",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "fail_late",
        H.EXITED: "follow_goal",
        H.DEADLINE: "wait_or_kill",
    },
    S.KILLING: {
        H.RESTART: "stay",
        H.ORPHANED: "stay",
        H.KILL: "stay",
        H.STOP: "stay",
        H.FORCE: "abandon",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "fail_late",
        H.EXITED: "follow_goal",
        H.DEADLINE: "complain",
    },
    S.EXITED: {
        H.RESTART: "start_again",
        H.ORPHANED: "stay",
        H.KILL: "stay",
        H.STOP: "rest",
        H.FORCE: "abandon",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "impossible",
        H.EXITED: "impossible",
        H.DEADLINE: "ignore",
    },
    S.BACKOFF: {
        H.RESTART: "start_again",
        H.ORPHANED: "stay",
        H.KILL: "stay",
        H.STOP: "rest",
        H.FORCE: "abandon",
        H.PREPARED: "ignore",
        H.READY: "ignore",
        H.FAILED: "impossible",
        H.EXITED: "impossible",
        H.DEADLINE: "retry",
    },
}


class Impossible(AssertionError):  # noqa: N818 - it reads as the table does
    """The shell reported something that cannot happen in this state."""
