"""What one generation of the worker is, a process and its tree, and the table of its life.

Rule: every happening is answered in every state, in LIVES and nowhere else. An answer is the name of a
step of Generation. A happening that the table calls impossible raises Impossible and changes nothing.
"""

from __future__ import annotations

import enum


class Life(enum.Enum):
    """What is."""

    STARTING = "starting"
    """Spawned, not ready."""
    READY = "ready"
    """At work."""
    DRAINING = "draining"
    """The stop signal is sent; the task in flight may end."""
    KILLING = "killing"
    """SIGKILL is sent to the whole tree."""
    ENDED = "ended"
    """Nothing of its tree is left."""


class Turn(enum.Enum):
    """What a generation can meet."""

    STOP = "stop asked"
    KILL = "kill asked"
    FORCE = "second quit"
    READY = "ready"
    FAILED = "start failed"
    EXITED = "worker exited"
    DEADLINE = "deadline"


L, T = Life, Turn
LIVES: dict[Life, dict[Turn, str]] = {
    L.STARTING: {
        T.STOP: "drain",
        T.KILL: "stay",
        T.FORCE: "kill",
        T.READY: "be_ready",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "assume_ready_or_give_up",
    },
    L.READY: {
        T.STOP: "drain",
        T.KILL: "stay",
        T.FORCE: "kill",
        T.READY: "ignore",
        T.FAILED: "impossible",
        T.EXITED: "end",
        T.DEADLINE: "ignore",
    },
    L.DRAINING: {
        T.STOP: "stay",
        T.KILL: "kill",
        T.FORCE: "kill",
        T.READY: "ignore",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "wait_or_kill",
    },
    L.KILLING: {
        T.STOP: "stay",
        T.KILL: "stay",
        T.FORCE: "stay",
        T.READY: "ignore",
        T.FAILED: "end",
        T.EXITED: "end",
        T.DEADLINE: "complain",
    },
    L.ENDED: {
        T.STOP: "stay",
        T.KILL: "stay",
        T.FORCE: "stay",
        T.READY: "ignore",
        T.FAILED: "impossible",
        T.EXITED: "impossible",
        T.DEADLINE: "ignore",
    },
}


class Impossible(AssertionError):  # noqa: N818 - it reads as the table does
    """The shell reported something that cannot happen in this state."""
