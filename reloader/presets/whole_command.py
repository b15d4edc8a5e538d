"""Checks the whole command before it is run, and adds `--wait` for setsid."""

from __future__ import annotations

import os
from collections.abc import Sequence

from reloader.common.files import read_start
from reloader.common.lazy_pattern import lazy_pattern
from reloader.errors import ExitCode, ReloaderError
from reloader.presets.unwrap import Unwrapped, unwrap

# Characters that only a shell understands.
_FOR_A_SHELL = frozenset("|&;<>$`")
# A call of setsid within the text of a shell.
_SETSID = lazy_pattern(r"(?<![^\s;&|(])(?:\S*/)?setsid(?=\s)")


def startable(command: Sequence[str]) -> tuple[str, ...]:
    """The command as it is to be run. Raises ReloaderError for one that is surely a mistake."""
    _must_be_words(command)
    candidates = unwrap(command)
    for found in candidates:
        _must_not_be_ourselves(command, found)
    forks = any(found.forks for found in candidates) and not _has_busybox()
    return _waiting(tuple(command)) if forks else tuple(command)


def _must_be_words(command: Sequence[str]) -> None:
    program = command[0]
    if len(program.split()) < 2:
        return
    import shlex
    import shutil

    if shutil.which(program) is not None:
        return
    if _FOR_A_SHELL.isdisjoint(program):
        rest = shlex.join(command[1:])
        remedy = f"leave the quotes out: reloader -- {program} {rest}".rstrip()
    else:
        remedy = f"a shell is needed for it: reloader -- sh -c {shlex.quote(program)}"
    raise ReloaderError(
        f"cannot run {program!r}: no program is called that, with spaces", remedy, ExitCode.NOT_FOUND
    )


def _must_not_be_ourselves(command: Sequence[str], found: Unwrapped) -> None:
    words = found.words
    as_module = words[1:3] == ["-m", "reloader"]
    if not words or not (as_module or _is_ours(words[0], found.folder)):
        return
    import shlex

    rest = words[3 if as_module else 1 :]
    # The inner reloader's options end where its command begins.
    worker = rest[rest.index("--") + 1 :] if "--" in rest else rest
    worker = [] if worker[:1] and worker[0].startswith("-") else worker
    own = list(command)
    before = own[: len(own) - len(words)] if own[len(own) - len(words) :] == words else []
    meant = shlex.join([*before, *worker]) or "COMMAND"
    raise ReloaderError("the worker is reloader itself", f"name it once, in front: reloader -- {meant}")


def _is_ours(program: str, folder: str) -> bool:
    """Whether it is reloader's own script; a bare `reloader` that is not in PATH counts as that too."""
    if os.path.basename(program) != "reloader":
        return False
    import shutil

    is_bare = not os.path.dirname(program)
    path = shutil.which(program if is_bare else os.path.join(folder, program))
    if path is None:
        return is_bare
    try:
        return b"reloader.__main__" in read_start(path, 4096)
    except OSError:
        return False


def _waiting(command: tuple[str, ...]) -> tuple[str, ...]:
    """Add `--wait` to setsid: as the leader of its group it would otherwise fork and end at once."""
    for index, word in enumerate(command):
        if os.path.basename(word) == "setsid":
            return (*command[: index + 1], "--wait", *command[index + 1 :])
        text, count = _SETSID.subn(r"\g<0> --wait", word)
        if count == 1:
            return (*command[:index], text, *command[index + 1 :])
    return command


def _has_busybox() -> bool:
    """Whether setsid is that of busybox, which has no such option."""
    import shutil

    path = shutil.which("setsid")
    return path is not None and os.path.basename(os.path.realpath(path)) == "busybox"
