"""The commands besides the run: why, presets, doctor, status. None of them starts a worker.

Each is a click command of the name in `main.VERBS`. A run does not import this.
"""

from __future__ import annotations

import json as json_text
import os
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import click

from reloader.cli.help import Section
from reloader.cli.options import PARAMS
from reloader.cli.parsing import Command, Question
from reloader.cli.resolve import build
from reloader.common import trust
from reloader.common.run_folder import run_folder
from reloader.controlling import client, protocol
from reloader.errors import ExitCode, ReloaderError
from reloader.messages import events
from reloader.presets import custom, describe
from reloader.presets.preset import Preset
from reloader.presets.table import PRESETS
from reloader.settings import Settings
from reloader.showing.console import printable
from reloader.showing.phrases import path_shown
from reloader.showing.report import status_lines
from reloader.watching import explain
from reloader.watching.folder import identity_of
from reloader.watching.gitignore_patterns import Rule
from reloader.watching.imported import Imported, imported
from reloader.watching.mounts import mount_of, mounts, silent_places
from reloader.watching.tree import Tree
from reloader.watching.watcher import Watcher

# How long, in seconds, the doctor waits for the event of its own write.
PATIENCE = 2.0
# How many of the rules that leave folders out the doctor names; it counts the rest.
NAMED = 8
# The limits of watches of the machine and of the user namespace (a container may have one of its own).
LIMITS = ("/proc/sys/fs/inotify/max_user_watches", "/proc/sys/user/max_inotify_watches")
# With --warm, since what the worker imports is only known where starts are warm.
_OF_WATCHING = [option for option in PARAMS if option.section is Section.WATCHING or option.name == "warm"]


# --- why ------------------------------------------------------------------------------------------


def _why(paths: Sequence[str], **given: Any) -> int:
    """`reloader why`: print for each path whether it counts and by which rule; 0 if all count, else 1."""
    settings = build(given)
    imported = _imported(settings)
    reasons = [explain.explain(settings, path, imported) for path in paths]
    for path, reason in zip(paths, reasons, strict=True):
        counts = "counts" if reason.counts else "does not count"
        click.echo(f"{path_shown(path)} {counts}: {printable(reason.why)}{_by(reason.rule)}")
    return 0 if all(reason.counts for reason in reasons) else 1


def _imported(settings: Settings) -> Imported | None:
    """What the worker had imported when it last ran; None where its imports are not recorded."""
    if not settings.learns:
        return None
    from reloader.warm import cache

    path = cache.path_for(settings.program, run_folder(), os.environ, "own")
    record = cache.load_own(
        path, lambda why: click.echo(f"reloader: does not use {path_shown(path or '')}: {why}", err=True)
    )
    return imported(record.places, record.missing, settings.program)


def _by(rule: Rule | None) -> str:
    return f" ({_source(rule.source, rule.line)}: {printable(rule.text)})" if rule is not None else ""


def _source(source: str, line: int) -> str:
    return f"{path_shown(source)}:{line}" if os.path.isabs(source) else source


why = Question("why", [*_OF_WATCHING, click.Argument(["paths"], nargs=-1, required=True)], callback=_why)


# --- presets --------------------------------------------------------------------------------------


def _presets(key: str | None = None, presets: Sequence[Preset] = PRESETS, **_settings: Any) -> int:
    """`reloader presets`: list the known workers, or describe one. Raises ReloaderError for another name."""
    click.echo(describe.overview(presets) if key is None else describe.details(custom.named(key, presets)))
    return 0


presets = Command("presets", [click.Argument(["key"], required=False, metavar="[NAME]")], callback=_presets)


# --- doctor ---------------------------------------------------------------------------------------


def _doctor(**given: Any) -> int:
    """`reloader doctor`: print what would be watched and what would go wrong; 1 if something would."""
    settings = build(given)
    unreadable: list[str] = []
    refused: list[str] = []
    tree = Tree(
        settings,
        lambda path, reason: unreadable.append(f"{path_shown(path)}: {reason.lower()}"),
        lambda path, owner: refused.append(
            f"{path_shown(path)}: it belongs to {owner} (see {trust.VARIABLE})"
        ),
    )
    began = time.monotonic()
    tree.survey()
    took = time.monotonic() - began
    files = sum(len(folder.files) for folder in tree.folders.values())
    folders = f"{len(tree.folders):,} folder{'' if len(tree.folders) == 1 else 's'}"
    click.echo(f"files that count   {files:,} in {folders}, found in {took:.2f} s")
    if not files:
        click.echo("                   no save restarts the worker yet; --include or --watch bring files in")
    for line in _pruned(tree):
        click.echo(line)
    wanted = len(tree.to_watch())
    limit = _limit()
    fits = limit is None or wanted < limit[0]
    most = f" of {limit[0]:,} ({limit[1]})" if limit is not None else ""
    click.echo(f"watches            {wanted:,}{most}")
    if not fits:
        click.echo(f"                   too few: sudo sysctl fs.inotify.max_user_watches={2 * wanted}")
    for text in unreadable:
        click.echo(f"unreadable         {text}")
    for text in refused:
        click.echo(f"not followed       {text}")
    watched = [_root(root, settings) for root in (*tree.roots, *tree.single)]
    for folder, mount in silent_places(tree.roots, mounts()):
        if folder in tree.folders and folder not in tree.roots:
            click.echo(f"mount              {_polled(folder, mount.kind, settings)}")
    return 0 if files and fits and not unreadable and all(watched) else 1


def _pruned(tree: Tree) -> Iterator[str]:
    found = explain.pruned(tree)
    yield f"folders left out   {found.total():,}"
    for (text, source, line), count in found.most_common(NAMED):
        where = f" ({_source(source, line)})" if source else ""
        yield f"  {count:>7,}          {printable(text)}{where}"
    if len(found) > NAMED:
        yield f"                   and by {len(found) - NAMED} more rules"


def _limit() -> tuple[int, str] | None:
    """The lower limit of watches, and its file; None where there is no limit."""
    found: list[tuple[int, str]] = []
    for path in LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                found.append((int(file.read()), path))
        except (OSError, ValueError):
            continue
    return min(found, key=lambda limit: limit[0], default=None)


def _root(root: str, settings: Settings) -> bool:
    """Print how one root is watched; returns whether that works."""
    mount = mount_of(root, mounts())
    kind = "unknown file system" if mount is None else mount.kind
    if settings.poll is not None or (mount is not None and mount.silent):
        click.echo(f"root               {_polled(root, kind, settings)}")
        return True
    head = f"root               {path_shown(root)} ({kind})"
    seconds, reason = _canary(root)
    if seconds is not None:
        click.echo(f"{head}: an event came {seconds:.2f} s after a write")
        return True
    click.echo(f"{head}: {reason}")
    return False


def _polled(path: str, kind: str, settings: Settings) -> str:
    why = "as asked" if settings.poll is not None else "events of other machines do not come here"
    return f"{path_shown(path)} ({kind}): looked at every {settings.interval:g} s, {why}"


def _canary(root: str) -> tuple[float | None, str]:
    """Write a file that never counts and wait for its event; the seconds that it took, or what failed."""
    heard: SimpleQueue[Collection[str]] = SimpleQueue()
    failures: SimpleQueue[events.Event] = SimpleQueue()
    is_watching = Event()
    watcher = Watcher(heard.put, failures.put, lambda _complete: is_watching.set())
    thread = Thread(target=watcher.run, daemon=True)
    thread.start()
    try:
        watcher.watch(frozenset({(root, *(identity_of(root) or (0, 0)))}))
        is_watching.wait(PATIENCE)
        if not failures.empty():
            return None, f"cannot be watched: {printable(str(failures.get()))}"
        with tempfile.NamedTemporaryFile(dir=root, prefix=".reloader-", suffix=".tmp") as canary:
            written = time.monotonic()
            left = PATIENCE
            while left > 0:
                if canary.name in heard.get(timeout=left):
                    return time.monotonic() - written, ""
                left = written + PATIENCE - time.monotonic()
    except OSError as error:
        return None, f"not tried, since nothing can be written: {(error.strerror or str(error)).lower()}"
    except Empty:
        pass
    finally:
        watcher.close()
        thread.join(PATIENCE)
    return None, f"no event came within {PATIENCE:g} s of a write; --poll looks instead"


doctor = Question("doctor", _OF_WATCHING, callback=_doctor)


# --- status ---------------------------------------------------------------------------------------


def _status(json: bool = False) -> int:
    """`reloader status`: print every run in this folder, or in the nearest one above it that has some.

    Returns 0 if one answers. Raises ReloaderError where there are none, or none can be looked for.
    """
    here = run_folder()
    try:
        answers, silent = client.ask(events.Verb.STATUS, here, os.environ)
    except OSError as error:
        where = printable(str(error.filename or here))
        raise ReloaderError(
            f"cannot look for runs in {where}: {(error.strerror or str(error)).lower()}",
            f"ls -ld {where}; it must be yours, and closed to others",
            ExitCode.FAILED,
        ) from error
    if not answers and not silent:
        raise ReloaderError(
            f"no reloader runs in {printable(here)}, nor in a folder above it",
            "call it where reloader was started; a run with -v tells why it cannot be asked",
            ExitCode.FAILED,
        )
    for one in answers:
        if json:
            click.echo(json_text.dumps(one))
        else:
            _print_status(one)
    for run in silent:
        pid = "" if run.pid is None else f" (pid {run.pid})"
        click.echo(f"reloader: a run{pid} {printable(run.why)}", err=True)
    return ExitCode.OK if answers else ExitCode.FAILED


def _print_status(answer: dict[str, object]) -> None:
    try:
        status = protocol.status_of(answer)
    except protocol.RefusedError as refused:
        raise ReloaderError(
            f"a run of another version answers: {refused}", "reloader status --json", ExitCode.FAILED
        ) from refused
    for line in status_lines(status, printable(str(answer.get("name")))):
        click.echo(line)
    folder = printable(str(answer.get("folder")))
    command = printable(" ".join(map(str, answer["command"]))) if isinstance(answer["command"], list) else ""
    click.echo(f"  reloader    pid {answer.get('pid')} in {folder}: {command}")


status = Command("status", [click.Option(["--json"], is_flag=True)], reads_file=False, callback=_status)
