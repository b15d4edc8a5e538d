"""What stands between a change and the end of a working worker: a look at whether the code is worth it.

Rule: at most one preflight is under way, and only its own answer counts.
"""

from __future__ import annotations

import enum

from reloader.messages import effects, events, notices
from reloader.settings import Settings, Tty

# A prompt that stays longer than this, in seconds, may be forgotten, or none: the next change does not wait.
PROMPT_LIMIT = 60.0
# Whether the worker still asks for input is looked at this often, in seconds.
PROMPT_PAUSE = 0.2


class GateState(enum.Enum):
    """What becomes of changes at the gate."""

    OPEN = "open"
    """No change waits."""
    CHECKING = "checking"
    """A preflight is under way."""
    AT_PROMPT = "at prompt"
    """The preflight has passed; what is awaited is that the worker asks for no input."""
    HELD = "held"
    """The preflight of these changes has failed; the worker runs the last good code."""
    LEFT = "left"
    """These changes are broken, and none of them is read by the worker: they wait for nothing."""


Answer = tuple[tuple[events.Change, ...], list[effects.Effect]]
"""The changes that may go on now, if any, and what to do besides."""


class PreflightGate:
    """Asked with every new state of the changes; lets them through once a preflight has passed.

    Times are in seconds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.state = GateState.OPEN
        self._number = 0
        self._of: int | None = None
        self._changes: tuple[events.Change, ...] = ()
        self._ignores_prompt = False
        """Whether these changes do not wait for a prompt."""
        self._look_at: float | None = None
        """When to look again whether the worker asks for input."""
        self._is_told = False
        """Whether the user knows that these changes wait for a prompt."""
        self._prompt_since: float | None = None
        """Since when changes wait for a prompt."""
        self._told_of_limit = False

    @property
    def deadline(self) -> float | None:
        """When to call `deadline_passed`."""
        return self._look_at

    @property
    def pending(self) -> notices.Pending | None:
        """The changes that are checked, or wait for a save that mends them."""
        waits = {
            GateState.CHECKING: notices.Wait.CHECK,
            GateState.AT_PROMPT: notices.Wait.CHECK,
            GateState.HELD: notices.Wait.MEND,
        }
        return notices.Pending(waits[self.state], self._changes) if self.state in waits else None

    def wants_to_look(self, changes: tuple[events.Change, ...]) -> bool:
        """Whether anything about these changes can speak against a restart."""
        if not self._settings.hold:
            return False
        # At a terminal somebody may be typing.
        may_be_read = self._settings.tty is not Tty.NEVER
        # With files that are deleted the whole folder may be gone.
        deleted = any(change.kind is events.Kind.DELETED for change in changes)
        return may_be_read or self._settings.check is not None or deleted or bool(self._sources(changes))

    def ask(
        self, changes: tuple[events.Change, ...], state: int, unread: frozenset[str] = frozenset()
    ) -> list[effects.Effect]:
        """Begin a preflight of these changes, unless this very state is looked at or held already.

        Faults in `unread` hold nothing.
        """
        if self.state is not GateState.OPEN and state == self._of:
            return []
        result = self._cancel()
        self._number += 1
        self._of = state
        self._changes = changes
        self._ignores_prompt = self._told_of_limit
        self._look_at = None
        self._is_told = False
        self.state = GateState.CHECKING
        if self._settings.check is not None:
            result.append(effects.Tell(notices.Checking(changes, self._settings.check)))
        sources = self._sources(changes)
        return [*result, effects.Preflight(self._number, sources, unread.intersection(sources))]

    def passed(self, event: events.PreflightPassed) -> Answer:
        """Nothing about the changes speaks against a restart, or nothing but broken code asks for one."""
        if self.state is not GateState.CHECKING or event.number != self._number:
            return (), []
        told: list[effects.Effect] = []
        if event.broken:
            broken = tuple(fault.path for fault in event.broken)
            error = event.broken[0].error if len(broken) == 1 else ""
            told.append(effects.Tell(notices.BrokenUnread(broken, error)))
            self._changes = tuple(change for change in self._changes if change.path not in broken)
            if not self._changes:
                self.state = GateState.LEFT
                self._forget_prompt()
                return (), told
        if self._ignores_prompt:
            self._open()
            return self._changes, told
        self.state = GateState.AT_PROMPT
        return (), [*told, effects.LookAtPrompt(event.number)]

    def prompt_seen(self, event: events.PromptSeen, now: float) -> Answer:
        """The worker asks somebody for input, or does not."""
        if self.state is not GateState.AT_PROMPT or event.number != self._number:
            return (), []
        if not event.is_asking:
            self._open()
            return self._changes, []
        self._look_at = now + PROMPT_PAUSE
        if self._prompt_since is None:
            self._prompt_since = now
        if self._is_told:
            return (), []
        self._is_told = True
        return (), [effects.Tell(notices.AwaitingPrompt(PROMPT_LIMIT))]

    def deadline_passed(self, now: float) -> list[effects.Effect]:
        """Look at the prompt again; once it has stayed for long, say that the next change does not wait."""
        self._look_at = None
        result: list[effects.Effect] = [effects.LookAtPrompt(self._number)]
        since = self._prompt_since
        if since is not None and now >= since + PROMPT_LIMIT and not self._told_of_limit:
            self._told_of_limit = True
            result.append(effects.Tell(notices.PromptStays(PROMPT_LIMIT)))
        return result

    def failed(self, event: events.PreflightFailed) -> list[effects.Effect]:
        """Hold the changes."""
        if self.state is not GateState.CHECKING or event.number != self._number:
            return []
        self.state = GateState.HELD
        self._forget_prompt()
        return [effects.Tell(notices.Held(self._changes, event.command, event.report, event.missing))]

    def clear(self) -> list[effects.Effect]:
        """Nothing differs any more."""
        told: list[effects.Effect] = (
            [effects.Tell(notices.Released())] if self.state is GateState.HELD else []
        )
        return self.forget() + told

    def forget(self) -> list[effects.Effect]:
        """The worker ends anyway, or ended."""
        result = self._cancel()
        self._open()
        return result

    def _open(self) -> None:
        self.state = GateState.OPEN
        self._forget_prompt()

    def _forget_prompt(self) -> None:
        self._look_at = None
        self._prompt_since = None
        self._told_of_limit = False

    def _cancel(self) -> list[effects.Effect]:
        return [effects.CancelPreflight()] if self.state is GateState.CHECKING else []

    def _sources(self, changes: tuple[events.Change, ...]) -> tuple[str, ...]:
        if not self._settings.python:
            return ()
        return tuple(c.path for c in changes if c.kind is not events.Kind.DELETED and c.path.endswith(".py"))
