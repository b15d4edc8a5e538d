"""Makes the output of a Python worker arrive in whole lines, though several of its processes print at once.

Runs in the worker's own interpreter: standard library only, for Python 3.8 and newer, and run by path.

With PYTHONUNBUFFERED, `print` makes one write of each argument, separator and end, and the output of another
process comes in between. Line buffering would keep back a text without a newline, such as a prompt. So the
streams stay unbuffered, and each call of `print` makes one write. The same is done in Python programs that
the worker starts: they find the hook too.
"""

from __future__ import annotations

import builtins
import os
import sys
from _functools import partial  # type: ignore[import-not-found]
from _io import StringIO, TextIOWrapper

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNBUFFERED = "PYTHONUNBUFFERED"
PATH = "PYTHONPATH"


def install(hook: str | None) -> None:
    """Replace `print`; with the folder of the `hook`, also in Python programs that this process starts."""
    if os.environ.get(UNBUFFERED) != "1" or "u" in options(own_words()[1:]):
        return
    one_write: Any = OneWrite(vars(builtins)["print"])
    vars(builtins)["print"] = one_write
    if hook is not None:
        _hook_children(hook)


class OneWrite:
    """`print`, but with a single write to an unbuffered stream."""

    def __init__(self, original: Any) -> None:
        self._original = original
        for name in ("__doc__", "__name__", "__qualname__", "__module__", "__self__", "__text_signature__"):
            self.__dict__[name] = getattr(original, name, None)

    def __call__(
        self, *args: object, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False
    ) -> None:
        stream = getattr(sys, "stdout", None) if file is None else file
        if type(stream) is not TextIOWrapper or not stream.write_through:
            self._original(*args, sep=sep, end=end, file=file, flush=flush)
            return
        text = StringIO()
        self._original(*args, sep=sep, end=end, file=text)
        stream.write(text.getvalue())
        if flush:
            stream.flush()

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> str:
        return "print"


def own_words() -> list[str]:
    """The command line of this process."""
    with open("/proc/self/cmdline", "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]


def options(words: list[str]) -> set[str]:
    """The letters of the interpreter's own options in its arguments."""
    found = set()
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(rest, None)
            continue
        if not word.startswith("-") or word == "-":
            break
        for at, letter in enumerate(word[1:], 2):
            found.add(letter)
            if letter in "cm":
                return found
            if letter in "WX":
                if at == len(word):
                    next(rest, None)
                break
    return found


# --- Python programs that the worker starts --------------------------------------------------------


def _hook_children(hook: str) -> None:
    """Put the hook into PYTHONPATH for Python programs that this process starts, and for no others."""
    import _posixsubprocess

    original: Any = _posixsubprocess.fork_exec

    def fork_exec(args: Any, programs: Any, close_fds: Any, keep: Any, cwd: Any, env: Any, *rest: Any) -> Any:
        call = partial(original, args, programs, close_fds, keep, cwd)
        if not _is_python(programs, args):
            return call(env, *rest)
        if env is None:
            return _inheriting(partial(call, None, *rest), hook)
        hooked = _hooked(dict(one.split(b"=", 1) for one in env), hook)
        return call([name + b"=" + value for name, value in hooked.items()], *rest)

    def hooked_spawn(spawn: Any) -> Any:
        def posix_spawn(path: Any, argv: Any, env: Any, **rest: Any) -> Any:
            call = partial(spawn, path, argv, **rest)
            if not _is_python([path], argv):
                return call(env)
            if env is None:
                return _inheriting(partial(call, None), hook)
            return call(_hooked({os.fsencode(name): os.fsencode(env[name]) for name in env}, hook))

        for name in ("__doc__", "__name__", "__qualname__", "__module__"):
            setattr(posix_spawn, name, getattr(spawn, name))
        return posix_spawn

    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, hooked_spawn(getattr(os, name)))
    _posixsubprocess.fork_exec = fork_exec
    # A `.pth` file may have imported subprocess already, which has a reference of its own.
    subprocess: Any = sys.modules.get("subprocess")
    if hasattr(subprocess, "_fork_exec"):
        subprocess._fork_exec = fork_exec


def _inheriting(start: Any, hook: str) -> Any:
    """Call `start` for a program that inherits our environment, with the hook in it meanwhile."""
    before = os.environ.get(PATH)
    hooked = _hooked(dict(os.environb), hook).get(PATH.encode())
    if hooked is None:
        return start()
    os.putenv(PATH, hooked)
    try:
        return start()
    finally:
        if before is None:
            os.unsetenv(PATH)
        else:
            os.putenv(PATH, before)


def _hooked(environment: dict[bytes, bytes], hook: str) -> dict[bytes, bytes]:
    """The environment of a Python program, with the hook if the program is unbuffered as well."""
    if environment.get(UNBUFFERED.encode()) != b"1":
        return environment
    path = environment.get(PATH.encode())
    first = os.fsencode(hook)
    return {**environment, PATH.encode(): first if path is None else first + b":" + path}


def _is_python(programs: Any, arguments: Any) -> bool:
    """Whether it is a Python interpreter, or a script of one, that runs the hook, which then removes itself.

    Of the paths `programs`, the first that exists is run.
    """
    words = [os.fsdecode(word) for word in arguments]
    if not names_python(os.fsdecode(programs[0])):
        words = _first_line(programs)
        while words and not names_python(words[0]):
            del words[0]
    return bool(words) and not options(words[1:]) & set("EISu")


def _first_line(programs: Any) -> list[str]:
    """The words of a script's first line, without `#!`; empty for other files."""
    for path in programs:
        try:
            with open(path, "rb") as file:
                first = file.read(256).partition(b"\n")[0]
        except OSError:
            continue
        return [os.fsdecode(word) for word in first[2:].split()] if first[:2] == b"#!" else []
    return []


def names_python(path: str) -> bool:
    """Whether the name of this file is one of a Python 3 interpreter."""
    name = os.path.basename(path)
    for kind in ("python", "pypy"):
        if name.startswith(kind):
            rest = name[len(kind) :]
            return rest in ("", "3") or (rest.startswith("3.") and rest[2:].rstrip("t").isdigit())
    return False
