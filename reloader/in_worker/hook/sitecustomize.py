"""The hook: imported by the worker's interpreter, since this folder leads PYTHONPATH; runs `bootstrap`.

The interpreter has set up arguments, flags, streams and signal handlers by now, and runs the program after
this. So a worker that is forked here is like any other.
"""

import os
import sys
from _frozen_importlib_external import SourceFileLoader  # importlib.machinery would bring more with it

_here = os.path.dirname(os.path.abspath(__file__))


def _load(name: str) -> dict:  # type: ignore[type-arg]
    path = os.path.join(os.path.dirname(_here), name + ".py")
    found = {"__name__": "_reloader_" + name, "__file__": path}
    exec(SourceFileLoader(found["__name__"], path).get_code(found["__name__"]) or "", found)
    return found


_before, _path = set(sys.modules), sys.path[:]
# They import from the interpreter's own library (`__future__` is a file), whatever PYTHONPATH has.
sys.path[:] = [os.path.dirname(os.__file__)]
_bootstrap, _lines = _load("bootstrap"), _load("line_writes")
for _name in set(sys.modules) - _before:
    del sys.modules[_name]
sys.path[:] = [entry for entry in _path if entry != _here]
sys.path_importer_cache.pop(_here, None)
_bootstrap["begin"](_here, _lines)
