"""The template's program, in the worker's interpreter: it imports modules, then forks guards with workers.

Once it has answered "preload" with "loaded", its protocol is a forkserver's (wire.py). Python 3.8 and newer.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import _socket
import ctypes
import gc
import os
import select
import sys

from reloader.common.peers import is_ours
from reloader.guard import child_status, draining, process_tree, service, session, spawn, stop_targets, wire
from reloader.in_worker.bootstrap import Recorder, place_in, read
from reloader.in_worker.page_prefault import PagePrefault
from reloader.in_worker.preload import Preload
from reloader.in_worker.staleness import Staleness

# A guard imports these when it needs them, and could not find them then.
_FOR_GUARDS = (process_tree, stop_targets, draining)

# TYPE_CHECKING of typing would be an import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# How many seconds one import may take; then the system ends us (SIGALRM).
PATIENCE = 60


def serve(order: dict, hidden: dict[str, ModuleType]) -> dict:  # type: ignore[type-arg]
    """Preload, then fork a worker for every "start", or ahead of it. Returns in the worker, with its order.

    `hidden` are the modules that only a guard needs, by name.
    """
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    control.connect("\0" + order["control"])
    # The process that listens there decides what we run.
    if not is_ours(control):
        raise PermissionError("another user listens there")
    # Programs in front of the worker may have changed it: `cd app && ...`.
    folder = os.getcwdb()
    request = _receive(control)
    while request.kind != "preload":
        request = _receive(control)
    staleness = Staleness(request["deciding_files"])
    note = Recorder(order["record"]).write

    preload = Preload(request.fields, staleness, note, lambda: _may_go_on(control))
    # At low priority: the user waits for other processes.
    before = _set_scheduling(None)
    left_out = preload.run()
    signal.alarm(0)
    _set_scheduling(before)
    loaded = sum(name in sys.modules for name in preload.names)
    wire.send(control, "loaded", modules=loaded, left_out=left_out, is_clean=not preload.left_out)
    staleness.settle()
    pages = PagePrefault()
    _keep((staleness, preload, request, hidden, pages))
    gc.collect()
    gc.freeze()
    # The system collects guards that end.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # The guard that was forked ahead, the pid of its worker, and that of the last worker that was started.
    preforked: _socket.socket | None = None
    waiting = worker = 0
    while True:
        request = _receive(control)
        files = request.files
        if request.kind == "learn" and worker and not pages.ranges:
            pages.learn(worker, lambda: bool(select.select([control], [], [], 0)[0]))
        if request.kind not in ("prefork", "start"):
            continue
        why = staleness.why_stale()
        if why is None and preforked is None:
            ours, theirs = _socket.socketpair()
            try:
                if not os.fork():
                    break
                theirs.close()
                preforked, waiting, why = _await_prefork(ours)
            except OSError as error:
                ours.close()
                theirs.close()
                why = os.strerror(error.errno or 0).lower()
        if request.kind == "start":
            if why is None and preforked is not None:
                why = _start_preforked(preforked, request)
                preforked, worker = None, waiting
            if why is not None:
                answer = _socket.socket(fileno=files.pop(wire.CONTROL))
                wire.send(answer, "stale", why=why)
                answer.close()
        for fd in files:
            os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)
    # In the child; the parent passes the request's descriptors on with the order.
    terminal: int | None = None
    if request.kind == "prefork":
        terminal = os.dup(files[0]) if files else None
    elif request["terminal"]:
        terminal = os.dup(wire.terminal_of(files))
    ahead = pages if request.kind == "prefork" else None
    for fd in files:
        os.close(fd)
    staleness.close()
    control.close()
    ours.close()
    workers_order = _guard_or_worker(theirs, hidden, terminal, ahead, folder)
    return _become_worker(workers_order["environment"], order["words"])


def _set_scheduling(policy: int | None) -> int | None:
    """Set the scheduling policy, SCHED_BATCH for None; returns the one before, None where that fails."""
    try:
        before = os.sched_getscheduler(0)
        os.sched_setscheduler(0, os.SCHED_BATCH if policy is None else policy, os.sched_param(0))
    except (AttributeError, OSError):
        return None  # musl and some sandboxes have no such call
    return before


def _keep(anything: object) -> None:
    """Never free it: a worker that freed it would have to copy every page on which it lies."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(anything))


def _await_prefork(guard: _socket.socket) -> tuple[_socket.socket | None, int, str | None]:
    """Wait for a guard that was forked: its socket and its worker's pid, or else why there is none."""
    received = wire.receive(guard)
    if received is not None and received.kind == "preforked":
        return guard, received["pid"], None
    guard.close()
    return None, 0, "the guard has ended" if received is None else os.strerror(received["error"]).lower()


def _start_preforked(guard: _socket.socket, start: wire.Received) -> str | None:
    """Pass "start" on to the guard that was forked ahead; returns why that failed, else None."""
    try:
        wire.send(guard, "start", start.files, **start.fields)
    except OSError:
        return "the guard has ended"
    finally:
        guard.close()
    return None


def _receive(control: _socket.socket) -> wire.Received:
    """The next message of the supervisor; ends this process where there is none any more."""
    received = wire.receive(control)
    if received is None:
        os._exit(0)
    return received


def _may_go_on(control: _socket.socket) -> None:
    """Wait while the supervisor holds us, and set the time limit of the next import."""
    signal.alarm(0)
    while select.select([control], [], [], 0)[0]:
        request = _receive(control)
        while request.kind == "hold":
            request = _receive(control)
        assert request.kind == "go"
    signal.alarm(PATIENCE)


def _guard_or_worker(
    template: _socket.socket,
    hidden: dict[str, ModuleType],
    terminal: int | None,
    ahead: PagePrefault | None,
    folder: bytes,
) -> dict:  # type: ignore[type-arg]
    """Fork a worker, and guard it for ever. Returns in the worker, with the order to start it.

    With a terminal, whose descriptor is closed here, a third process leads the session of the two. A worker
    that is forked ahead copies the pages of `ahead` while it waits.
    """
    workers_end, guards_end = _socket.socketpair()
    leader = 0
    try:
        if terminal is not None:
            leader = os.getpid()
            session.fork_member(terminal)
            os.close(terminal)
        guard = os.getpid()
        pid = os.fork()
        if not pid:
            template.close()
            guards_end.close()
            _renew()
            if ahead is not None:
                ahead.copy()
            return _worker(workers_end, guard, folder)
    except OSError as error:
        wire.send(template, "failed", error=error.errno or 0)
        os._exit(0)
    try:
        workers_end.close()
        sys.modules.update(hidden)
        spawn.call_itself("reloader-guard")
        spawn.set_all_signals(signal.SIG_IGN)
        # Where SIGCHLD is ignored, the status of a worker that ends before the order is lost.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if leader:
            session.leave()
        _guard(template, guards_end, pid, leader)
    finally:
        os._exit(0)


def _guard(template: _socket.socket, worker: _socket.socket, pid: int, leader: int) -> None:
    """Wait for "start" from the template, hand the order to the worker, and guard it.

    `pid` is the worker's, `leader` that of the leader of its session, or 0 where there is none.
    """
    wire.send(template, "preforked", pid=pid)
    received = wire.receive(template)
    if received is None:
        return  # the worker ends as well, since our end of its socket is closed
    template.close()
    files = received.files
    order = wire.read_order(files[wire.ORDER])
    workers_files = files[wire.WORKERS : wire.PIPES]
    if not leader:
        os.setpgid(0, 0)
    spawn.become_subreaper()
    control = _socket.socket(fileno=os.dup(files[wire.CONTROL]))
    wire.send(control, "here", pid=os.getpid(), leader=leader)
    wire.send(worker, "start", workers_files, order=order)
    for fd in workers_files:
        os.close(fd)
    failed = wire.receive(worker)
    worker.close()
    if failed is not None:
        os.waitpid(pid, 0)
        wire.send(control, failed.kind, **failed.fields)
        return
    control.close()
    one = service.Guard(files, [])
    one.take(pid, order)
    one.serve()


def _worker(guard: _socket.socket, guards_pid: int, folder: bytes) -> dict:  # type: ignore[type-arg]
    """In the worker: wait for the order, prepare this process as it says, and return it."""
    received = _receive(guard)
    order: dict = received["order"]  # type: ignore[type-arg]
    try:
        spawn.enter(guards_pid, folder, order["stop_signal"], received.files, order["terminal"])
    except child_status.SpawnError as error:
        wire.send(guard, "failed", error=error.number, at_folder=error.at_folder)
        os._exit(127)
    except OSError as error:
        wire.send(guard, "failed", error=error.errno or 0, at_folder=False)
        os._exit(127)
    guard.close()
    return order


def _become_worker(environment: dict[bytes, bytes], words: list[str]) -> dict:  # type: ignore[type-arg]
    """In the worker: take over what differs from start to start; returns the hook's order for it.

    `words` is the template's command line; a generation may have other words at its end. Of the environment
    only our own variables are set: the rest may have been changed by programs in front, or by imports.
    """
    for name, value in environment.items():
        if name.startswith(b"RELOADER"):
            os.environb[name] = value
    path = os.fsdecode(environment[b"PYTHONPATH"])
    order: dict = read(place_in(path, path.partition(os.pathsep)[0]) or "")  # type: ignore[type-arg]
    own = order["words"]
    same = 0
    while words[same : same + 1] == own[same : same + 1] != []:
        same += 1
    # From Python 3.10 on, orig_argv also has the interpreter and its options.
    for arguments in (sys.argv, getattr(sys, "orig_argv", [])):
        if arguments:
            arguments[len(arguments) - len(words) + same :] = own[same:]
    _set_clocks()
    return order


def _renew() -> None:
    """Renew what imports have read from random sources or from the system, and a fork keeps."""
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading.main_thread()._set_native_id()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)


def _set_clocks() -> None:
    """Renew what imports have read from the clock."""
    logging: Any = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "_startTime"):
        import time

        # In nanoseconds from Python 3.13 on.
        unit = 1e9 if isinstance(logging._startTime, int) else 1
        logging._startTime = type(logging._startTime)(time.time() * unit)
