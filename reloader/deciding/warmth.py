"""What is known of the template: whether there is one, and why not."""

from __future__ import annotations

from reloader.deciding.states import Goal
from reloader.deciding.worker import Worker
from reloader.effects import Effect, TakeTemplate, Tell
from reloader.events import TemplateBegun, TemplateBuilt, TemplateFailed, TemplateLost
from reloader.notices import CannotPreload, Preloaded, TemplateIs, WarmInVain

Happened = TemplateBegun | TemplateBuilt | TemplateFailed | TemplateLost


class Warmth:
    """Hears of every template. `off` is why there is never one; None where there can be."""

    def __init__(self, off: str | None, worker: Worker) -> None:
        self._worker = worker
        self.template = TemplateIs("off" if off else "none", why=off)
        """As it is told to those who ask."""

    def heard(self, event: Happened, now: float) -> list[Effect]:
        """What follows."""
        before = self.template
        match event:
            case TemplateBegun():
                self.template = TemplateIs("being built", before.modules)
                return []
            case TemplateBuilt(modules, seconds):
                self.template = TemplateIs("ready", modules)
                return [TakeTemplate(), Tell(Preloaded(modules, seconds))]
            case TemplateFailed(why):
                # One that was to be replaced goes on.
                had_one = before.modules is not None
                self.template = (
                    TemplateIs("ready", before.modules) if had_one else TemplateIs("none", why=why)
                )
                return [TakeTemplate(why), Tell(CannotPreload(why))]
            case TemplateLost(why, too_late):
                building = before.state == "being built"
                self.template = TemplateIs(
                    "being built" if building else "none", why=None if building else why
                )
                if too_late and self._worker.goal is Goal.UP and self._worker.is_up:
                    return [Tell(WarmInVain(why)), *self._worker.restart(now)]
                return []
