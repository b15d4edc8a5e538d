"""What the user is told before the first start: what the worker was taken for, and what to beware of."""

from __future__ import annotations

from reloader.effects import Effect, Tell
from reloader.notices import Caution, Recognised
from reloader.settings import Settings


def introduced(settings: Settings) -> list[Effect]:
    """The first words of a run."""
    return [Tell(Recognised()), *(Tell(Caution(what, remedy)) for what, remedy in settings.cautions)]
