"""Where our own processes find modules: the interpreter's library first, then what is installed beside us.

Never in the working folder, nor where only PYTHONPATH or a project that is installed editable leads: a file
of the project that has the name of a module (`json.py`, `select.py`) is the worker's alone. For Python 3.8
and newer, and of few imports, since it is needed before all others and in the worker's interpreter too.
"""

# No `from __future__`, which would be looked for as any other module.
import os
import sys
from _frozen_importlib_external import PathFinder

_INSTALLED = ("site-packages", "dist-packages")
# What we import that is not ours: some installers give each package a folder of its own.
_NEEDED = (
    *("click", "psutil", "watchfiles"),
    *(() if sys.version_info >= (3, 11) else ("tomli",)),
)


def standard(path):
    # type: (list[str]) -> list[str]
    """The entries of this search path that are the interpreter's own library."""
    library = os.path.dirname(os.__file__)
    version = os.path.basename(library)
    own = {
        library,
        os.path.join(os.path.dirname(library), "python{}{}.zip".format(*sys.version_info[:2])),
        *(os.path.join(sys.base_exec_prefix, lib, version, "lib-dynload") for lib in ("lib", "lib64")),
    }
    return [entry for entry in path if entry in own]


def import_only_what_is_installed():
    # type: () -> None
    """Change where this process looks for modules from now on, as the top of this file says."""
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    given = set(map(_absolute, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    kept = [*standard(sys.path), own]
    installed = [entry for entry in sys.path if os.path.basename(entry) in _INSTALLED]
    kept += [entry for entry in installed if _absolute(entry) not in given and entry not in kept]
    for name in _NEEDED:
        if PathFinder.find_spec(name, kept) is None:
            here = os.path.join(_absolute(os.curdir), "")
            away = [entry for entry in sys.path if not os.path.join(_absolute(entry), "").startswith(here)]
            kept += [entry for entry in away if PathFinder.find_spec(name, [entry]) is not None][:1]
    sys.path[:] = kept


def _absolute(entry):
    # type: (str) -> str
    """Where an entry of the search path leads; it stays as it is where the working folder is gone."""
    try:
        return os.path.realpath(entry)
    except OSError:
        return entry
