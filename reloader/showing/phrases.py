"""Parts of sentences: paths, counts, durations, exit statuses."""

from __future__ import annotations

import os
from collections.abc import Sequence

from reloader.common.run_folder import absolute, relative
from reloader.errors import ReloaderError
from reloader.messages import events
from reloader.settings import signal_name
from reloader.showing.console import printable
from reloader.showing.links import linked

# How many of the changed files are named; the rest are counted.
_NAMED = 3


def changed(changes: Sequence[events.Change]) -> str:
    """The changed files and what happened to them: `tasks.py changed`, `shop.py → shop/`."""
    replaced = [change.path for change in changes if change.kind is events.Kind.REPLACED]
    if len(replaced) == len(changes):
        return f"{printable(replaced[0])} replaced"  # the full path, as it may be the current folder
    changes = [change for change in changes if change.path not in replaced]
    parts = []
    for module, package, is_package_now in _regrouped(changes):
        inside = package + os.sep
        changes = [one for one in changes if one.path != module and not one.path.startswith(inside)]
        before, after = path_linked(module), path_shown(package) + os.sep
        parts.append(f"{before} → {after}" if is_package_now else f"{after} → {before}")
    if changes:
        kinds = {change.kind for change in changes}
        verb = kinds.pop().value if len(kinds) == 1 else "changed"
        parts.append(f"{paths_shown([change.path for change in changes])} {verb}")
    return ", ".join(parts)


def _regrouped(changes: Sequence[events.Change]) -> list[tuple[str, str, bool]]:
    """Python modules that became packages, and packages that became modules.

    Each as the module's file, the package's folder, and whether it is a package now.
    """
    kinds = {change.path: change.kind for change in changes}
    opposite = {events.Kind.DELETED: events.Kind.ADDED, events.Kind.ADDED: events.Kind.DELETED}
    found = []
    for path, kind in kinds.items():
        package = path.removesuffix(".py")
        other = kinds.get(os.path.join(package, "__init__.py"))
        if package != path and kind in opposite and other is opposite[kind]:
            found.append((path, package, kind is events.Kind.DELETED))
    return found


def paths_shown(paths: Sequence[str]) -> str:
    """The first of the paths by name, the rest as a number."""
    named = [path_linked(path) for path in paths[:_NAMED]]
    if len(paths) > len(named):
        named.append(f"{len(paths) - len(named)} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def unchanged(files: Sequence[events.Unchanged]) -> str:
    """Why nothing restarts for these saved files."""
    reasons = {
        events.Sameness.BYTES: "saved with the same content",
        events.Sameness.SYNTAX: "saved with other comments or formatting only",
        events.Sameness.NOT_LOADED: "not imported by the worker",
    }
    parts = []
    for sameness, reason in reasons.items():
        if paths := [file.path for file in files if file.how is sameness]:
            parts.append(f"{paths_shown(paths)} {reason}")
    return f"{', '.join(parts)} → no restart"


def path_shown(path: str) -> str:
    """The path relative to the current folder if it is in there, with unprintable characters escaped."""
    try:
        below = relative(path)
    except (ReloaderError, ValueError):
        return printable(path)
    outside = below == os.pardir or below.startswith(os.pardir + os.sep)
    return printable(path if outside else below)


def path_linked(path: str, line: int | None = None) -> str:
    """The shown path and the line as a link, see `links.rendered`."""
    text = path_shown(path) + ("" if line is None else f":{line}")
    try:
        return linked(text, absolute(path), line)
    except ReloaderError:
        return text  # the current folder is gone


def exit_shown(status: events.ExitStatus) -> str:
    """`exit status 1`, or the name of the signal."""
    if status.signal is not None:
        return signal_name(status.signal)
    return f"exit status {status.code}"


def processes_shown(processes: Sequence[events.ProcessInfo]) -> str:
    """The processes by name and pid."""
    return ", ".join(f"{printable(process.name)} (pid {process.pid})" for process in processes)


def counted(number: int, thing: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """`2.5 s`, `3 min 4 s`, `1 h 2 min`, `1 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    larger, smaller = (f"{hours} h", f"{minutes} min") if hours else (f"{minutes} min", f"{rest} s")
    return larger if smaller.startswith("0 ") else f"{larger} {smaller}"


def lowered(reason: str) -> str:
    """The reason with a small first letter, as a part of a sentence."""
    return reason[:1].lower() + reason[1:]
