"""What the user is told before the first start: what the worker was taken for, and what to beware of."""

from __future__ import annotations

from reloader.effects import Effect, Tell
from reloader.notices import Caution, InterruptIgnored, Recognised
from reloader.settings import Settings


def introduced(settings: Settings, pid_to_kill: int | None = None) -> list[Effect]:
    """The first words of a run; `pid_to_kill` is given where no Ctrl-C ends it."""
    told: list[Effect] = [Tell(Recognised())]
    told += [Tell(Caution(what, remedy)) for what, remedy in settings.cautions]
    return told if pid_to_kill is None else [*told, Tell(InterruptIgnored(pid_to_kill))]
