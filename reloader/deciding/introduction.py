"""What the user is told before the first start: what the worker was taken for, and what to beware of."""

from __future__ import annotations

from reloader.messages import effects, notices
from reloader.settings import Settings


def introduced(settings: Settings, pid_to_kill: int | None = None) -> list[effects.Effect]:
    """The first words of a run; `pid_to_kill` is given where no Ctrl-C ends it."""
    told: list[effects.Effect] = [effects.Tell(notices.Recognised())]
    told += [effects.Tell(notices.Caution(what, remedy)) for what, remedy in settings.cautions]
    return told if pid_to_kill is None else [*told, effects.Tell(notices.InterruptIgnored(pid_to_kill))]
