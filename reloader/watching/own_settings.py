"""Whether the settings file says something else than what this run goes by. The scanner's thread."""

from __future__ import annotations

import os
from collections.abc import Callable

from reloader.errors import ReloaderError
from reloader.messages import events
from reloader.settings import Settings, SettingsSource


class OwnSettings:
    """Reads the settings anew whenever one of the files is another than before."""

    def __init__(
        self,
        settings: Settings,
        source: SettingsSource | None,
        since_ns: int,
        post: Callable[[events.Event], None],
    ) -> None:
        """Files that changed at or after `since_ns` (wall clock, nanoseconds) may have been read before."""
        self._settings = settings
        self._source = source
        self._post = post
        stamps = self._look()
        self._is_new = any(stamp is not None and stamp[0] >= since_ns for stamp in stamps.values())
        self._stamps = stamps
        self._change: events.Change | None = None

    @property
    def paths(self) -> frozenset[str]:
        """The files that may set something."""
        return frozenset(self._stamps)

    def _look(self) -> dict[str, tuple[int, int, int] | None]:
        stamps: dict[str, tuple[int, int, int] | None] = {}
        for path in self._source.paths if self._source is not None else ():
            try:
                status = os.stat(path)
            except OSError:
                stamps[path] = None
            else:
                stamps[path] = status.st_mtime_ns, status.st_size, status.st_ino
        return stamps

    def change(self) -> events.Change | None:
        """The file that changed the settings; None while they are those of this run.

        A mistake in the file is told with SettingsRefused.
        """
        before, self._stamps = self._stamps, self._look()
        changed = [path for path, stamp in self._stamps.items() if stamp != before[path]]
        if self._source is None or not (changed or self._is_new):
            return self._change
        path = next(iter(changed), self._source.paths[0])
        self._is_new = False
        self._change = None
        try:
            if self._source.read() != self._settings:
                self._change = events.Change(path, events.Kind.SETTINGS)
        except ReloaderError as error:
            self._post(events.SettingsRefused(error.what, error.remedy))
        return self._change

    def among(self, changes: tuple[events.Change, ...]) -> tuple[events.Change, ...]:
        """The changes of files, with that of the settings in place of the file's."""
        change = self.change()
        return changes if change is None else (*(one for one in changes if one != change), change)
