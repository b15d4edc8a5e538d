"""What is planned for a worker, what is wanted of it, and the table between.

What each of its generations is stands in lives.py. Rule: every happening is answered under every plan,
in TABLE and nowhere else. An answer is the name of a step of Worker. A happening that the table calls
impossible raises Impossible and changes nothing.
"""

from __future__ import annotations

import enum


class Plan(enum.Enum):
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


class Happening(enum.Enum):
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


P, H = Plan, Happening
TABLE: dict[Plan, dict[Happening, str]] = {
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
