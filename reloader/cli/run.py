"""The run: launches the forkserver, builds the settings, and enters the main loop."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from reloader.cli import settings_file
from reloader.cli.resolve import build
from reloader.common.run_folder import run_folder
from reloader.errors import ReloaderError
from reloader.processes.launch import ensure_standard_files, launch
from reloader.settings import SettingsSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from reloader.settings import Settings


def run(given: Mapping[str, Any], read_anew: Callable[[], Settings]) -> int:
    """Run a worker until the user ends the run; returns the exit status.

    `given` is as for `resolve.build`. `read_anew` builds the settings once more when a settings file has
    changed. Raises ReloaderError where the run cannot begin.
    """
    ensure_standard_files()
    try:
        forkserver = launch()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReloaderError(f"cannot start the guard ({sys.executable}): {reason}", "") from error
    # It starts while these imports and the settings take about as long.
    try:
        settings = build(given)
        from reloader.app import main_loop

        source = SettingsSource(tuple(settings_file.places(run_folder())), read_anew)
    except BaseException:
        forkserver.control.close()
        os.waitpid(forkserver.pid, 0)
        raise
    return main_loop.run(settings, os.environ, forkserver, source)
