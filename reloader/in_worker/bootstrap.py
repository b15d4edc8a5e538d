"""Runs in the worker's interpreter before the program: installs the recorder, or becomes a template.

Standard library only, for Python 3.8 and newer, and run by path. `hook/sitecustomize.py` calls `begin` while
the interpreter sets up; when that returns, the interpreter goes on to the program. A template does not
return: it imports modules, then forks workers. In a forked worker it returns.

What to do is an order: a marshalled dict in a file, whose path is in PYTHONPATH after the hook's folder. Its
keys: `words`, the command line of the worker's program, by which it is told from programs in front of it;
`path`, PYTHONPATH without us; `lines`, whether output is to arrive in whole lines; `record`, the file that
imports are recorded in, or None; `writes`, whether it notes files that are written, too; `control`, the name
of the socket that a template connects to, or None; `package`, the folder that holds reloader. A Python
program that the worker starts finds the hook without an order.
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

# How many seconds the recorder may keep lines back while an import goes on.
MOMENT = 0.001
# The events of audit hooks that tell of a change to a file, and which of their arguments are its paths:
# https://docs.python.org/3/library/audit_events.html.
_WRITES = {"open": (0,), "os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,), "os.remove": (0,)}
_WRITING = os.O_WRONLY | os.O_RDWR
# The interpreter's weak references to the locks of modules that are being imported, by name.
module_locks: dict[str, Any] = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})


def begin(hook: str, lines: Any) -> None:
    """Record, or become a template, or, in a program in front of the worker, do neither.

    `hook` is the hook's folder, which leads PYTHONPATH; `lines` is the namespace of `line_writes.py`.
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
                # Going on from here would run the program as one more worker that nobody knows of.
                os._exit(1)
        if order["record"] is not None:
            recorder: Any = Recorder(order["record"])
            sys.meta_path.insert(0, recorder)
            if order["writes"]:
                recorder.write("w \n")
                sys.addaudithook(recorder.note_write)
    if error is not None:
        raise error


def place_in(path: str, hook: str) -> str | None:
    """The entry after the hook in this PYTHONPATH, which names the order; None where there is none."""
    entries = iter(path.split(os.pathsep))
    behind = next(entries, "") if hook in entries else ""
    return behind if behind.startswith("/proc/") else None


def read(place: str) -> Any:
    """The order that the entry names; None where its file is gone."""
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
    """Remove our entries from PYTHONPATH, which the worker's children inherit, and from sys.path.

    `path` is PYTHONPATH as it was without us, None where it was not set. Entries that a program in front of
    the worker has added stay.
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
    """Whether this process, whose command line is `own`, runs the program and arguments `words`."""
    program = os.path.basename(words[0])
    if program.startswith(("python", "pypy")):
        return own[1:] == words[1:]
    # For a script, the kernel puts the interpreter in front, and an option where the first line has one.
    script = 2 if own[1:2] and own[1].startswith("-") else 1
    return own[script + 1 :] == words[1:] and os.path.basename((own[script:] or [""])[0]) == program


def _template(package: str) -> Any:
    """Import the template's program; returns it, and the modules that this took, removed from sys.modules.

    Our modules come from where reloader is, all others from the interpreter's own library, whatever modules
    of the same names the worker has.
    """
    before, cached, path = set(sys.modules), set(sys.path_importer_cache), list(sys.path)
    finder: Any = _Package(package)
    sys.meta_path.insert(0, finder)
    from reloader.common.import_path import standard

    sys.path[:] = standard(path)
    from reloader.in_worker import template_process

    sys.path[:] = path
    sys.meta_path.remove(finder)
    for place in set(sys.path_importer_cache) - cached:
        del sys.path_importer_cache[place]
    return template_process, {name: sys.modules.pop(name) for name in set(sys.modules) - before}


def _import_the_other() -> BaseException | None:
    """Import the sitecustomize that ours hides; returns the exception that `site` is to get, if any."""
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


class _Package:
    """A finder of reloader's own modules, and nothing else that lies beside them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of a module of reloader, or None."""
        if name.partition(".")[0] != "reloader":
            return None
        from _frozen_importlib_external import PathFinder

        return PathFinder.find_spec(name, path or [self.folder])


def find_by_others(own: Any, name: str, path: Any, target: Any) -> Any:
    """The spec of the module from the finders of sys.meta_path but `own`; None where none finds it."""
    finders: list[Any] = list(sys.meta_path)
    for finder in finders:
        find = None if finder is own else getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None


class Recorder:
    """A finder that asks the other finders, and writes to a file what they find.

    Its lines: `s folder` for the folder of the standard library; `f name places` for a module that was found,
    `m name` for one that was not; `i name` once it is known that a module was imported, and not only looked
    for; `p folder` for a new entry of sys.path; `e name` for a variable of the environment that has changed;
    `w path` for a file that was written, moved or removed, after an empty `w ` where these are noted.

    A forked child goes on recording. The file is opened for each write, so that the worker has no descriptor
    of ours. As that takes time, the lines of imports within an import are written together, when that ends or
    after MOMENT.
    """

    def __init__(self, record: tuple[str, int, int]) -> None:
        path, device, inode = record
        self.path: str | None = path
        self.identity = (device, inode)
        self.found: list[str] = []
        self.folders: list[str] = []
        # The dict below os.environ, which is faster to compare at every import.
        self.variables: dict[bytes, bytes] = dict(os.environ._data)  # type: ignore[attr-defined]
        self.pending: list[str] = []
        self.written_at = 0.0
        self.outermost: Any = None
        self.noted: set[str] = set()
        """The files that were written."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders find."""
        spec = find_by_others(self, name, path, target)
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
        self.pending += lines
        if monotonic() - self.written_at > MOMENT or not self._is_inside(name):
            self.write_pending()
        return spec

    def _is_inside(self, name: str) -> bool:
        """Whether `write_pending` is called when an import ends: this one, or one that it is a part of."""
        if self.outermost is None or self.outermost() is None:
            # The interpreter keeps the module's lock until its import ends; then the lock is freed.
            reference = module_locks.get(name)
            lock = None if reference is None else reference()
            self.outermost = None if lock is None else ref(lock, self.write_pending)
        return self.outermost is not None

    def note_write(self, event: str, arguments: Any) -> None:
        """An audit hook, which cannot be removed: it is installed only where somebody wants to know."""
        for number in _WRITES.get(event, ()):
            try:
                if event == "open" and not arguments[2] & _WRITING:
                    return
                path = os.path.abspath(os.fsdecode(arguments[number]))
            except (TypeError, ValueError, IndexError, OSError):
                continue  # a descriptor, no path, or another's event of that name
            if path in self.noted or path == self.path or "__pycache__" in path:
                continue
            self.noted.add(path)
            self.write("w " + path.replace("\n", "?") + "\n")

    def write_pending(self, _lock: object = None) -> None:
        """Write the lines that were kept back."""
        pending, self.pending, self.written_at = self.pending, [], monotonic()
        if pending:
            self.write("".join(line.replace("\n", "?") + "\n" for line in pending))

    def write(self, text: str) -> None:
        """Append to the file, as long as it is there."""
        if self.path is None:
            return
        try:
            # The path may lead to another file by now: do not block, and take no terminal.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            self.path = None
            return
        try:
            status = os.fstat(file)
            if (status.st_dev, status.st_ino) != self.identity:
                self.path = None  # its number has gone to another file
            else:
                os.write(file, text.encode("utf-8", "surrogateescape"))
        except OSError:
            self.path = None
        finally:
            os.close(file)


def places_of(spec: Any) -> list[str]:
    """Where a module was found: its file, the folders of a namespace package, or the file of its loader."""
    if spec.origin:
        return [str(spec.origin)]
    if spec.submodule_search_locations:
        return [str(one) for one in spec.submodule_search_locations]
    maker = sys.modules.get(type(spec.loader).__module__)
    return [file] if isinstance(file := getattr(maker, "__file__", None), str) else []
