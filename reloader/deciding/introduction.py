"""What the user is told before the first start: what the worker was taken for, and what to beware of."""

from __future__ import annotations

from reloader.messages import effects, notices
from reloader.settings import Settings

# Where nobody is given the children of those that have ended.
NO_ADOPTION = notices.Caution(
    "the system refuses prctl(PR_SET_CHILD_SUBREAPER): processes of the worker whose parent has ended "
    "are not found, and may be left behind",
    "allow prctl in the profile of the sandbox or container",
)


def introduced(
    settings: Settings, pid_to_kill: int | None = None, adopts: bool = True
) -> list[effects.Effect]:
    """The first words of a run; `pid_to_kill` is given where no Ctrl-C ends it.

    `adopts` tells whether what loses its parent becomes our child.
    """
    told: list[effects.Effect] = [effects.Tell(notices.Recognised())]
    told += [effects.Tell(notices.Caution(what, remedy)) for what, remedy in settings.cautions]
    if not adopts:
        told.append(effects.Tell(NO_ADOPTION))
    return told if pid_to_kill is None else [*told, effects.Tell(notices.InterruptIgnored(pid_to_kill))]
