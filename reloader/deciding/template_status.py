"""What is known of the template: whether there is one, and why not."""

from __future__ import annotations

from reloader.deciding.transitions import Goal
from reloader.deciding.worker import Worker
from reloader.messages import effects, events, notices

Happened = events.TemplateBegun | events.TemplateBuilt | events.TemplateFailed | events.TemplateLost


class TemplateStatus:
    """Hears of every template. `off` is why there is never one; None where there can be."""

    def __init__(self, off: str | None, worker: Worker) -> None:
        self._worker = worker
        self.template = notices.TemplateIs("off" if off else "none", why=off)
        """As it is told to those who ask."""

    def heard(self, event: Happened, now: float) -> list[effects.Effect]:
        """What follows."""
        before = self.template
        match event:
            case events.TemplateBegun():
                self.template = notices.TemplateIs("being built", before.modules)
                return []
            case events.TemplateBuilt(modules, seconds):
                self.template = notices.TemplateIs("ready", modules)
                return [effects.TakeTemplate(), effects.Tell(events.TemplateBuilt(modules, seconds))]
            case events.TemplateFailed(why):
                # One that was to be replaced goes on.
                had_one = before.modules is not None
                self.template = (
                    notices.TemplateIs("ready", before.modules)
                    if had_one
                    else notices.TemplateIs("none", why=why)
                )
                return [effects.TakeTemplate(why), effects.Tell(events.TemplateFailed(why))]
            case events.TemplateLost(why, too_late):
                building = before.state == "being built"
                self.template = notices.TemplateIs(
                    "being built" if building else "none", why=None if building else why
                )
                if too_late and self._worker.goal is Goal.UP and self._worker.is_up:
                    return [effects.Tell(notices.WarmInVain(why)), *self._worker.restart(now)]
                return []
