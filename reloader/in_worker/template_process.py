"""The template's program, in the worker's interpreter: it imports modules, then forks guards with workers.

It speaks as a forkserver does, once it has answered "preload" with "loaded" (wire.py). Python 3.8 and newer.
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
from reloader.guard import draining, process_tree, service, session, spawn, start, stop_targets, wire
from reloader.in_worker.bootstrap import Recorder, place_in, read
from reloader.in_worker.page_prefault import PagePrefault
from reloader.in_worker.preload import Preload
from reloader.in_worker.staleness import Staleness

assert process_tree  # a guard needs these, and could not find them any more
assert stop_targets
assert draining

# TYPE_CHECKING of typing would be an import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# So many seconds without another import are a hang; the system then ends us, whether or not anybody waits.
PATIENCE = 60


def serve(order: dict, hidden: dict[str, ModuleType]) -> dict:  # type: ignore[type-arg]
    """Preload, then fork a worker for every request, or ahead of it. Returns in the worker, with its order.

    `hidden` are the modules that a guard needs, and nobody else.
    """
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    control.connect("\0" + order["control"])
    # Whoever has this name now tells us what to run.
    if not is_ours(control):
        raise PermissionError("another user listens there")
    # What stands in front of the worker may have gone elsewhere: `cd app && ...`.
    folder = os.getcwdb()
    request = _receive(control)
    while request.kind != "preload":
        request = _receive(control)
    stamps = Staleness(request["deciding_files"])
    preload = Preload(request.fields, stamps, Recorder(order["record"]).tell, lambda: _may_go_on(control))
    # What somebody waits for comes first.
    before = _give_way(None)
    left_out = preload.run()
    signal.alarm(0)
    _give_way(before)
    loaded = sum(name in sys.modules for name in preload.names)
    wire.send(control, "loaded", modules=loaded, left_out=left_out)
    stamps.settle()
    pages = PagePrefault()
    _keep((stamps, preload, request, hidden, pages))
    gc.collect()
    gc.freeze()
    # Guards that end are collected by the system.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parked: _socket.socket | None = None
    waiting = worker = 0
    while True:
        received = wire.receive(control)
        if received is None:
            os._exit(0)
        request, files = received, received.files
        if request.kind == "learn" and worker and not pages.ranges:
            pages.learn(worker, lambda: bool(select.select([control], [], [], 0)[0]))
        if request.kind not in ("prefork", "start"):
            continue
        why = stamps.why_stale()
        if why is None and parked is None:
            ours, theirs = _socket.socketpair()
            try:
                if not os.fork():
                    break
                theirs.close()
                parked, waiting, why = _await_parked(ours)
            except OSError as error:
                ours.close()
                theirs.close()
                why = os.strerror(error.errno or 0).lower()
        if request.kind == "start":
            if why is None and parked is not None:
                why = _hand_over(parked, request)
                parked, worker = None, waiting
            if why is not None:
                answer = _socket.socket(fileno=files.pop(wire.CONTROL))
                wire.send(answer, "stale", why=why)
                answer.close()
        for fd in files:
            os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)
    # All that came with the request is the parent's to pass on.
    terminal: int | None = None
    if request.kind == "prefork":
        terminal = os.dup(files[0]) if files else None
    elif request["terminal"]:
        terminal = os.dup(wire.terminal_of(files))
    ahead = pages if request.kind == "prefork" else None
    for fd in files:
        os.close(fd)
    stamps.close()
    control.close()
    ours.close()
    given = _guard_or_worker(theirs, hidden, terminal, ahead, folder)
    return _become(given["environment"], order["words"])


def _give_way(policy: int | None) -> int | None:
    """Compute after all others, or by this policy; the one before, None where the system has none for us."""
    try:
        before = os.sched_getscheduler(0)
        os.sched_setscheduler(0, os.SCHED_BATCH if policy is None else policy, os.sched_param(0))
    except (AttributeError, OSError):
        return None  # musl and some sandboxes have no such call
    return before


def _keep(anything: object) -> None:
    """Never free it: a worker that did would first copy every page on which it lies."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(anything))


def _await_parked(parked: _socket.socket) -> tuple[_socket.socket | None, int, str | None]:
    """The socket, when a guard waits at its other end with a worker, and its pid; else why there is none."""
    received = wire.receive(parked)
    if received is not None and received.kind == "preforked":
        return parked, received["pid"], None
    parked.close()
    return None, 0, "the guard has ended" if received is None else os.strerror(received["error"]).lower()


def _hand_over(parked: _socket.socket, start: wire.Received) -> str | None:
    """Let those that wait begin; why they do not."""
    try:
        wire.send(parked, "start", start.files, **start.fields)
    except OSError:
        return "the guard has ended"
    finally:
        parked.close()
    return None


def _receive(control: _socket.socket) -> wire.Received:
    received = wire.receive(control)
    if received is None:
        os._exit(0)
    return received


def _may_go_on(control: _socket.socket) -> None:
    """Wait while we are held: somebody else needs the machine now."""
    signal.alarm(0)
    while select.select([control], [], [], 0)[0]:
        request = _receive(control)
        while request.kind == "hold":
            request = _receive(control)
        assert request.kind == "go"
    signal.alarm(PATIENCE)


def _guard_or_worker(
    supervisor: _socket.socket,
    hidden: dict[str, ModuleType],
    terminal: int | None,
    ahead: PagePrefault | None,
    folder: bytes,
) -> dict:  # type: ignore[type-arg]
    """Fork a worker, wait for the order to start, and guard it for ever. Returns the order, in the worker.

    With a terminal, which is closed here, both are forked in a session that another process leads. Where the
    worker is forked `ahead`, it makes its copies of these pages.
    """
    given, giving = _socket.socketpair()
    above = 0
    try:
        if terminal is not None:
            above = os.getpid()
            session.fork_member(terminal)
            os.close(terminal)
        guard = os.getpid()
        pid = os.fork()
        if not pid:
            supervisor.close()
            giving.close()
            _renew()
            if ahead is not None:
                ahead.copy()
            return _worker(given, guard, folder)
    except OSError as error:
        wire.send(supervisor, "failed", error=error.errno or 0)
        os._exit(0)
    try:
        given.close()
        sys.modules.update(hidden)
        spawn.call_itself("reloader-guard")
        spawn.set_all_signals(signal.SIG_IGN)
        # Whoever ends early is to be ours still, as it would be later.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if above:
            session.leave()
        _guard(supervisor, giving, pid, above)
    finally:
        os._exit(0)


def _guard(supervisor: _socket.socket, giving: _socket.socket, pid: int, above: int) -> None:
    """Hand the order to the worker, once it comes, and guard it.

    `above` is the pid of the leader of its session; 0 where there is none.
    """
    wire.send(supervisor, "preforked", pid=pid)
    received = wire.receive(supervisor)
    if received is None:
        return  # and the worker hears it from us
    supervisor.close()
    files = received.files
    order = wire.read_order(files[wire.ORDER])
    workers_files = files[wire.WORKERS : wire.PIPES]
    if not above:
        os.setpgid(0, 0)
    spawn.become_subreaper()
    control = _socket.socket(fileno=os.dup(files[wire.CONTROL]))
    wire.send(control, "here", pid=os.getpid(), leader=above)
    wire.send(giving, "start", workers_files, order=order)
    for fd in workers_files:
        os.close(fd)
    failed = wire.receive(giving)
    giving.close()
    if failed is not None:
        os.waitpid(pid, 0)
        wire.send(control, failed.kind, **failed.fields)
        return
    control.close()
    one = service.Guard(start.take_output(files), [])
    one.take(pid, order, files[wire.PIPES :])
    one.serve()


def _worker(given: _socket.socket, guard: int, folder: bytes) -> dict:  # type: ignore[type-arg]
    """Wait for the order and enter what it names, and the folder; returns it."""
    received = wire.receive(given)
    if received is None:
        os._exit(0)
    order: dict = received["order"]  # type: ignore[type-arg]
    try:
        spawn.enter(guard, folder, order["stop_signal"], received.files, order["terminal"])
    except spawn.SpawnError as error:
        wire.send(given, "failed", error=error.number, at_folder=error.at_folder)
        os._exit(127)
    except OSError as error:
        wire.send(given, "failed", error=error.errno or 0, at_folder=False)
        os._exit(127)
    given.close()
    return order


def _become(environment: dict[bytes, bytes], words: list[str]) -> dict:  # type: ignore[type-arg]
    """In the worker: what differs from start to start, and what must not be the same twice.

    `words` are the program and its arguments as we were started; a generation may have others at its end.

    The rest of the environment stays: what stands in front of the worker may have set it, or an import.
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
    # From Python 3.10 on there is a second list, with the interpreter and its own options in it.
    for arguments in (sys.argv, getattr(sys, "orig_argv", [])):
        if arguments:
            arguments[len(arguments) - len(words) + same :] = own[same:]
    _set_clocks()
    return order


def _renew() -> None:
    """What imports have taken from chance or from the system, and a fork does not renew."""
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
    """What imports have taken from the clock."""
    logging: Any = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "_startTime"):
        import time

        # In nanoseconds from Python 3.13 on.
        unit = 1e9 if isinstance(logging._startTime, int) else 1
        logging._startTime = type(logging._startTime)(time.time() * unit)
