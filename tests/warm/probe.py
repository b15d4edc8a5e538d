# mypy: ignore-errors
# ruff: noqa: UP031
"""A worker that tells all that it can see of itself. Python 3.8 and newer; copied into projects by tests."""

import sys

AT_FIRST = sorted(sys.modules)

import atexit  # noqa: E402
import concurrent.futures  # noqa: E402
import ctypes  # noqa: E402
import decimal  # noqa: E402
import email.message  # noqa: E402
import gc  # noqa: E402
import http.client  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import locale  # noqa: E402
import logging  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import secrets  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
import warnings  # noqa: E402

for extra in os.environ.get("EXTRA", "").split():
    importlib.import_module(extra)

USED = (concurrent.futures, email.message, http.client, select, socket)


def told(anything):
    """Its text, without addresses."""
    return re.sub(r"0x[0-9a-f]+", "0x", repr(anything))


def read(path):
    """The text of a file of proc."""
    with open(path) as file:
        return file.read()


def stream(one):
    """What a program can ask a standard stream."""
    if one is None:
        return None
    names = ("encoding", "errors", "line_buffering", "write_through", "name", "mode", "newlines", "closed")
    found = {name: told(getattr(one, name, None)) for name in names}
    found["isatty"], found["seekable"], found["fileno"] = one.isatty(), one.seekable(), one.fileno()
    found["types"] = [
        type(one).__name__,
        type(one.buffer).__name__,
        type(getattr(one.buffer, "raw", None)).__name__,
    ]
    return found


def descriptors():
    """Every open descriptor: its kind, its flags, and whether a new program inherits it."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        if os.path.exists("/proc/self/fdinfo/" + name):  # but that by which we look
            where = re.sub(r"\[\d+\]|\d+$", "", os.readlink("/proc/self/fd/" + name))
            flags = re.search(r"flags:\s*(\d+)", read("/proc/self/fdinfo/" + name)).group(1)
            found[name] = [where, flags, os.get_inheritable(int(name))]
    return found


def of_main():
    """What is known of the program as a module."""
    main = sys.modules["__main__"]
    names = ("__file__", "__package__", "__name__", "__doc__", "__cached__")
    found = {name: told(getattr(main, name, "none")) for name in names}
    found["__spec__"] = told(getattr(main, "__spec__", "none"))
    found["__loader__"] = type(getattr(main, "__loader__", None)).__name__
    found["same"] = sys.modules["__main__"].__dict__ is globals() or __name__
    return found


def process():
    """Who we are to the system."""
    library = ctypes.CDLL(None)
    death = ctypes.c_int()
    library.prctl(2, ctypes.byref(death), 0, 0, 0)
    status = dict(line.split(":\t", 1) for line in read("/proc/self/status").splitlines() if ":\t" in line)
    stat = read("/proc/self/stat").rpartition(")")[2].split()
    kept = (
        "Name",
        "Umask",
        "SigIgn",
        "SigCgt",
        "SigBlk",
        "SigPnd",
        "CapEff",
        "NoNewPrivs",
        "Threads",
        "Groups",
    )
    mask = os.umask(0)
    os.umask(mask)
    return {
        "death": death.value,
        "status": {name: status.get(name) for name in kept},
        "leads": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()],
        "parent": read("/proc/%d/comm" % os.getppid()),
        "terminal": stat[4] != "0",
        "foreground": stat[5] == str(os.getpid()),
        "nice": [os.nice(0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
        "oom": read("/proc/self/oom_score_adj"),
        "folder": os.getcwd(),
        "umask": mask,
        "limits": read("/proc/self/limits"),
        "cmdline": read("/proc/self/cmdline").split("\0"),
        "comm": read("/proc/self/comm"),
        "timers": [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL)],
    }


def environment():
    """As Python sees it, and as a child does."""
    ours = dict(os.environ)
    path = os.environ["DUMP"] + ".env"
    os.system("env -0 > '%s'" % path)
    theirs = dict(one.split("=", 1) for one in read(path).split("\0") if one)
    for one in (ours, theirs):
        for name in ("MARK", "_", "SHLVL", "PWD", "OLDPWD"):
            one.pop(name, None)
    return {"ours": ours, "theirs": theirs}


def interpreter():
    """The settings of the interpreter."""
    names = "argv path flags orig_argv warnoptions _xoptions executable prefix base_prefix exec_prefix"
    found = {name: told(getattr(sys, name, None)) for name in names.split()}
    found["cache"] = sorted(map(str, sys.path_importer_cache))
    found["hooks"] = told(sys.path_hooks)
    found["meta_path"] = [told(one) for one in sys.meta_path if type(one).__name__ != "Recorder"]
    found["excepthook"] = [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__]
    found["gc"] = [gc.get_threshold(), gc.isenabled(), gc.get_debug()]
    found["locale"] = [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False)]
    found["encodings"] = [sys.getfilesystemencoding(), sys.getdefaultencoding()]
    found["decimal"] = told(decimal.getcontext())
    found["zone"] = time.tzname
    found["filters"] = told(warnings.filters)
    found["limits"] = [sys.getrecursionlimit(), sys.getswitchinterval()]
    found["tracing"] = [sys.gettrace() is None, sys.getprofile() is None, sys.dont_write_bytecode]
    return found


def threads():
    """Who runs besides the main thread, and whether that knows itself."""
    main = threading.main_thread()
    return {
        "names": [one.name for one in threading.enumerate()],
        "main": [main is threading.current_thread(), main.ident == threading.get_ident()],
        "native": getattr(main, "native_id", os.getpid()) == os.getpid(),
    }


def modules():
    """Everything that is imported: where it comes from, and the names in it."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        names = ("__file__", "__cached__", "__path__", "__package__", "__loader__")
        if name not in ("__main__", "__mp_main__", "sitecustomize"):
            found[name] = {one: told(getattr(module, one, None)) for one in names}
            found[name]["names"] = sorted(set(vars(module)) - {"__warningregistry__"})
    return found


def leave_mark(path):
    """Run in a child of multiprocessing."""
    with open(path, "w") as file:
        file.write("%s %s" % (__name__, sys.argv))


def children():
    """What comes of a function of this module in a child that is made in each way."""
    found = {}
    for method in os.environ.get("METHODS", "").split():
        path = os.environ["DUMP"] + "." + method
        child = multiprocessing.get_context(method).Process(target=leave_mark, args=(path,))
        child.start()
        child.join()
        found[method] = [child.exitcode, os.path.exists(path) and read(path)]
    return found


def chance():
    """What must not be the same in two workers."""
    found = {
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "secrets": secrets.token_hex(8),
        "authkey": bytes(multiprocessing.current_process().authkey).hex(),
        "logging": logging.LogRecord("a", 10, "b", 1, "c", (), None).relativeCreated,
    }
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        found["numpy"] = [float(numpy.random.random()), float(numpy.random.default_rng().random())]
    return found


def main():
    """Tell, then wait to be stopped."""
    signals = {int(one): told(signal.getsignal(one)) for one in signal.valid_signals()}
    dump = {
        "children": children(),  # first, since it imports more
        "interpreter": interpreter(),
        "main": of_main(),
        "process": process(),
        "signals": signals,
        "descriptors": descriptors(),
        "streams": [stream(one) for one in (sys.stdin, sys.stdout, sys.stderr)],
        "environment": environment(),
        "threads": threads(),
        "chance": chance(),
        "at_first": AT_FIRST,
        "modules": modules(),
    }
    path = "%s.%s" % (os.environ["DUMP"], os.environ["RELOADER_GENERATION"])
    with open(path + ".new", "w") as file:
        json.dump(dump, file)
    os.rename(path + ".new", path)
    for number in range(2):
        atexit.register(print, "atexit", number)
    print("ready", os.environ["RELOADER_GENERATION"], os.getpid(), flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
