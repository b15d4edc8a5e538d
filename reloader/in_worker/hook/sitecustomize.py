"""Found first by the worker's interpreter, since this folder leads PYTHONPATH: hands over to `bootstrap`.

What the interpreter has set up by now (arguments, flags, streams, signal handlers) it has set up itself, and
after this it goes on to run the program itself: so a worker that was forked in between is like any other.
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
# What they need is the interpreter's own (`__future__` is a file), whatever PYTHONPATH leads to.
sys.path[:] = [os.path.dirname(os.__file__)]
_bootstrap, _lines = _load("bootstrap"), _load("line_writes")
for _name in set(sys.modules) - _before:
    del sys.modules[_name]
sys.path[:] = [entry for entry in _path if entry != _here]
sys.path_importer_cache.pop(_here, None)
_bootstrap["begin"](_here, _lines)
