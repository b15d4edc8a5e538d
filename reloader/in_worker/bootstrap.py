"""What runs in the worker's own interpreter, before the program: the recorder, and the way into a template.

Standard library only, for Python 3.8 and newer, and run by path. It is called by `hook/sitecustomize.py`
while the interpreter sets up; when it returns, the interpreter goes on to the program as ever. A template
does not return: it imports modules, then forks. It is the forked worker in which it returns.

What to do stands in a file that PYTHONPATH names behind the hook, marshalled: `words`, the program and its
arguments, by which the worker is told from what stands in front of it; `path`, PYTHONPATH as it was; `lines`,
whether what is printed is to arrive in whole lines; `record`, the file to tell imports to, if any; `control`,
the name of a template's socket, if any; `package`, the folder that holds reloader. A Python program that the
worker starts finds the hook there, and no order.
"""

from __future__ import annotations

import marshal
import os
import sys
from _weakref import ref
from time import monotonic

# For type checkers alone: what a program finds imported should be its own.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds.
MOMENT = 0.001
# By name, the weak references to the locks of what is being imported.
module_locks: dict[str, Any] = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})


def begin(hook: str, lines: Any) -> None:
    """Record, or be a template, or (what stands in front of the worker may be Python too) do neither.

    `hook` is the folder that was found in PYTHONPATH, `lines` what there is in `lines.py`.
    """
    place = place_in(os.environ.get("PYTHONPATH", ""), hook)
    order = None if place is None else read(place)
    if order is None:
        take_away(hook, place, None)
        if place is None:
            lines["install"](hook)
        error = _import_the_other()
    elif not _is_worker(order["words"], lines["own_words"]()):
        if order["lines"]:
            lines["install"](None)
        error = _import_the_other()
    else:
        take_away(hook, place, order["path"])
        if order["lines"]:
            lines["install"](hook)
        if order["control"] is None:
            error = _import_the_other()
        else:
            try:
                template, hidden = _template(order["package"])
                error = _import_the_other()
                order = template.serve(order, hidden)
            except BaseException:
                # Whoever went on from here would be one more worker, of whom nobody knows.
                os._exit(1)
        if order["record"] is not None:
            recorder: Any = Recorder(order["record"])
            sys.meta_path.insert(0, recorder)
    if error is not None:
        raise error


def place_in(path: str, hook: str) -> str | None:
    """What stands behind the hook in this PYTHONPATH: where the order lies. None where there is none."""
    entries = iter(path.split(os.pathsep))
    behind = next(entries, "") if hook in entries else ""
    return behind if behind.startswith("/proc/") else None


def read(place: str) -> Any:
    """The order that lies there; None where there is none any more."""
    path, _, identity = place.rpartition("/")
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        if f"{status.st_dev}-{status.st_ino}" != identity:
            return None  # its number has gone to another file
        return marshal.loads(os.pread(file, status.st_size, 0))
    except OSError:
        return None
    finally:
        os.close(file)


def take_away(hook: str, place: str | None, path: str | None) -> None:
    """Leave no trace in the environment, which the worker's children inherit: PYTHONPATH was this `path`.

    What something in front of the worker has put there as well stays.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    for one in (hook, place):
        if one in entries:
            entries.remove(one)
    sys.path[:] = [entry for entry in sys.path if entry != place]
    if place is not None:
        sys.path_importer_cache.pop(place, None)
    left = os.pathsep.join(entries)
    if left or path is not None:
        os.environ["PYTHONPATH"] = left or path or ""
    else:
        os.environ.pop("PYTHONPATH", None)


def _is_worker(words: list[str], own: list[str]) -> bool:
    """Whether this process, with its `own` words, is what those run: by the interpreter or as a script."""
    program = os.path.basename(words[0])
    if program.startswith(("python", "pypy")):
        return own[1:] == words[1:]
    # The kernel puts the interpreter in front, and one option of it where the first line has some.
    script = 2 if own[1:2] and own[1].startswith("-") else 1
    return own[script + 1 :] == words[1:] and os.path.basename((own[script:] or [""])[0]) == program


def _template(package: str) -> Any:
    """The template's program, and the modules that it needs, which nobody else is to find imported.

    It comes from where reloader is, and what it needs from the interpreter's own library; neither is what the
    worker may have by such a name.
    """
    before, looked_at, path = set(sys.modules), set(sys.path_importer_cache), list(sys.path)
    finder: Any = _Package(package)
    sys.meta_path.insert(0, finder)
    from reloader.common.import_path import standard

    sys.path[:] = standard(path)
    from reloader.in_worker import template_process

    sys.path[:] = path
    sys.meta_path.remove(finder)
    for place in set(sys.path_importer_cache) - looked_at:
        del sys.path_importer_cache[place]
    return template_process, {name: sys.modules.pop(name) for name in set(sys.modules) - before}


def _import_the_other() -> BaseException | None:
    """Import the sitecustomize that would have been found without ours; what `site` is to hear of it."""
    mine = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name == "sitecustomize":
            return ImportError("there is none", name="sitecustomize")
        return error
    except Exception as error:
        return error
    finally:
        del mine
    return None


def _nothing() -> None:
    """What a weak reference gives whose object is gone."""


class _Package:
    """Finds reloader's own modules, and nothing else that lies beside them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of a module of reloader."""
        if name.partition(".")[0] != "reloader":
            return None
        from _frozen_importlib_external import PathFinder

        return PathFinder.find_spec(name, path or [self.folder])


class Recorder:
    """A finder that asks the others and tells a file what they say, in lines.

    `s folder` is the standard library's; `f name places` for what was found, `m name` for what was not, both
    at once; `i name` when it turns out that it was really imported and not just looked for; `p folder` for
    what is new in sys.path, `e name` for a variable of the environment that has changed. A forked child goes
    on telling. The file is opened each time, so that no descriptor stays open in the worker. To do so for
    each of a thousand imports would take longer than a start may: those inside of another are told with it,
    or after a moment.
    """

    def __init__(self, record: tuple[str, int, int]) -> None:
        path, device, inode = record
        self.path: str | None = path
        self.identity = (device, inode)
        self.found: list[str] = []
        self.folders: list[str] = []
        # What lies below os.environ is compared, since that is done for every import.
        self.variables: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]
        self.untold: list[str] = []
        self.told_at = 0.0
        self.outermost: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders say."""
        spec = None
        finders: list[Any] = list(sys.meta_path)
        for finder in finders:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                break
        lines = [] if self.folders else ["s " + os.path.dirname(os.__file__)]
        found, self.found = self.found, []
        for one in found:
            module = sys.modules.get(one)
            if getattr(getattr(module, "__spec__", None), "_initializing", False):
                self.found.append(one)
            elif module is not None:
                lines.append("i " + one)
        if sys.path != self.folders:
            lines += ["p " + str(one) for one in sys.path if one not in self.folders]
            self.folders = list(sys.path)
        variables: Any = os.environ._data  # type: ignore[attr-defined]
        if variables != self.variables:
            both = {**variables, **self.variables}
            changed = [one for one in both if variables.get(one) != self.variables.get(one)]
            lines += ["e " + os.fsdecode(one) for one in changed]
            self.variables = dict(variables)
        if spec is None:
            lines.append("m " + name)
        elif spec.origin not in ("built-in", "frozen"):
            self.found.append(name)
            lines.append("\t".join(["f " + name, *places_of(spec)]))
        self.untold += lines
        if monotonic() - self.told_at > MOMENT or not self._is_inside(name):
            self.tell_all()
        return spec

    def _is_inside(self, name: str) -> bool:
        """Whether all will be told when an import ends: this one, or another that it is a part of."""
        if self.outermost is None or self.outermost() is None:
            # Who imports holds this lock until the end; then nobody refers to it any more.
            lock = module_locks.get(name, _nothing)()
            self.outermost = None if lock is None else ref(lock, self.tell_all)
        return self.outermost is not None

    def tell_all(self, _ended: object = None) -> None:
        """Tell what was not told yet."""
        untold, self.untold, self.told_at = self.untold, [], monotonic()
        if untold:
            self.tell("".join(line.replace("\n", "?") + "\n" for line in untold))

    def tell(self, text: str) -> None:
        """Write, unless nobody wants to know any more."""
        if self.path is None:
            return
        try:
            # Whatever it is by now, nobody waits for it, and no terminal becomes ours.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            self.path = None
            return
        try:
            status = os.fstat(file)
            if (status.st_dev, status.st_ino) != self.identity:
                self.path = None  # its number has gone to another file, in which we have no business
            else:
                os.write(file, text.encode("utf-8", "surrogateescape"))
        except OSError:
            self.path = None
        finally:
            os.close(file)


def places_of(spec: Any) -> list[str]:
    """Where a module is found: its file, the folders of a package without one, or who makes it up."""
    if spec.origin:
        return [str(spec.origin)]
    if spec.submodule_search_locations:
        return [str(one) for one in spec.submodule_search_locations]
    maker = sys.modules.get(type(spec.loader).__module__)
    return [file] if isinstance(file := getattr(maker, "__file__", None), str) else []
