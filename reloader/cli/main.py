"""The entry point: chooses the command, and turns errors into a line or two and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from reloader.cli import settings_file
from reloader.common import trust
from reloader.common.run_folder import relative, run_folder
from reloader.errors import ExitCode, ReloaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from reloader.settings import Settings

# The commands besides the run; each is an attribute of that name in commands.py.
VERBS = ("why", "doctor", "presets", "status")


def main() -> NoReturn:
    """Run the command line; errors that a user can cause are a line or two, and an exit status."""
    try:
        code = _main(sys.argv[1:])
    except ReloaderError as error:
        _complain(error.what, error.remedy)
        code = error.exit_code
    except BrokenPipeError:
        # The reader has gone. The interpreter would try to write the rest at its end, and show an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = ExitCode.FAILED
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        _complain(f"cannot go on{where}: {(error.strerror or str(error)).lower()}", "")
        code = ExitCode.FAILED
    sys.exit(int(code or ExitCode.OK))


def _main(words: Sequence[str]) -> int:
    refused: list[tuple[str, str]] = []
    if _is_only_a_command(words):
        path = settings_file.find(run_folder(), lambda *file: refused.append(file))
        if path is None:
            for file in refused:
                tell_refused(*file)
            from reloader.cli.run import run

            return run({"command": words[words[0] == "--" :]}, lambda: _settings_anew(words))
    from reloader.cli.parsing import parse_and_call

    return parse_and_call(words, VERBS, tell_refused)


def _settings_anew(words: Sequence[str]) -> Settings:
    from reloader.cli.parsing import settings_anew

    return settings_anew(words)


def _is_only_a_command(words: Sequence[str]) -> bool:
    """Whether there is neither an option nor a variable nor a verb, so that nothing needs to be parsed.

    Without importing click, the worker starts in a third less time.
    """
    if not words or (words[0] != "--" and words[0].startswith("-")) or words[0] in VERBS:
        return False
    return not any(name.startswith("RELOADER_") for name in os.environ)


def tell_refused(path: str, owner: str) -> None:
    """Show that a settings file is not followed."""
    _complain(f"does not follow {relative(path)}: it belongs to {owner}", trust.remedy(path))


def _complain(what: str, remedy: str) -> None:
    from reloader.showing.console import printable

    # Both may quote a file, with any characters.
    lines = [f"reloader: {printable(what)}\n", f"hint: {printable(remedy)}\n" if remedy else ""]
    # Without standard error, only the exit status tells.
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.writelines(lines)
            sys.stderr.flush()
