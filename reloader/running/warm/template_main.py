"""The template's program, in the worker's interpreter: it imports modules, then forks guards with workers.

It speaks as a nursery does. Before that: (PRELOAD, what is known of the program, files that decide what is
installed) in, (LOADED, number, {name: why it is to be left out}) out; HOLD and GO in between. Python 3.8 and
newer.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import _socket
import gc
import marshal
import os
import select
import sys

from reloader.running import aiming, guard_main, leftovers, spawn, wire
from reloader.running.warm.preload import Preload
from reloader.running.warm.seed import ORDER, Recorder
from reloader.running.warm.stamps import Stamps
from reloader.running.wire import GO, HOLD, LOADED, STALE

assert leftovers  # a guard needs these, and could not find them any more
assert aiming

# TYPE_CHECKING of typing would be an import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# So many seconds without another import are a hang; the system then ends us, whether or not anybody waits.
PATIENCE = 60


def serve(order: dict, hidden: dict[str, ModuleType]) -> dict:  # type: ignore[type-arg]
    """Preload, then fork a worker for every request. Returns in the worker alone, with its own order.

    `hidden` are the modules that a guard needs, and nobody else.
    """
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    control.connect("\0" + order["control"])
    request = _receive(control)
    while request[0] != wire.PRELOAD:
        request = _receive(control)
    stamps = Stamps(request[2])
    preload = Preload(request[1], stamps, Recorder(order["record"]).tell, lambda: _may_go_on(control))
    # What somebody waits for comes first.
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    left_out = preload.run()
    signal.alarm(0)
    os.sched_setscheduler(0, before, os.sched_param(0))
    wire.send(control, (LOADED, sum(name in sys.modules for name in preload.names), left_out))
    gc.collect()
    gc.freeze()
    # Guards that end are collected by the system.
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        received = wire.receive(control)
        if received is None:
            os._exit(0)
        request, files = received
        if request[0] != wire.START:
            continue
        why = stamps.why_stale()
        pid = -1
        if why is None:
            try:
                pid = os.fork()
            except OSError as error:
                why = (error.strerror or str(error)).lower()
        if not pid:
            break
        if why is not None:
            answer = _socket.socket(fileno=files.pop(wire.CONTROL))
            wire.send(answer, (STALE, why))
            answer.close()
        for fd in files:
            os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)
    control.close()
    _guard_or_worker(request, files, hidden)
    return _become(request[2], order["words"])


def _receive(control: _socket.socket) -> tuple:  # type: ignore[type-arg]
    received = wire.receive(control)
    if received is None:
        os._exit(0)
    return received[0]


def _may_go_on(control: _socket.socket) -> None:
    """Wait while we are held: somebody else needs the machine now."""
    signal.alarm(0)
    while select.select([control], [], [], 0)[0]:
        request = _receive(control)
        while request[0] == HOLD:
            request = _receive(control)
        assert request[0] == GO
    signal.alarm(PATIENCE)


def _guard_or_worker(request: tuple, files: list[int], hidden: dict[str, ModuleType]) -> None:  # type: ignore[type-arg]
    """Fork the worker, and guard it for ever. Returns in the worker alone."""
    os.setpgid(0, 0)
    spawn.become_subreaper()
    _, _, _, folder, stop_signal, _, _, terminal, _ = request
    standard = files[wire.WORKERS : wire.PIPES]
    control = _socket.socket(fileno=files[wire.CONTROL])
    wire.send(control, (wire.HERE, os.getpid()))
    with open("/proc/self/comm", "rb") as file:
        comm = file.read().rstrip(b"\n")
    spawn.call_itself("reloader-guard")
    try:
        pid = spawn.fork_worker(folder, stop_signal, standard, terminal)
    except spawn.SpawnError as error:
        wire.send(control, (wire.FAILED, error.number, error.at_folder))
        os._exit(0)
    files[wire.CONTROL] = control.detach()
    if pid:
        try:
            sys.modules.update(hidden)
            spawn.set_all_signals(signal.SIG_IGN)
            one = guard_main.Guard(guard_main.show_at(files), [])
            one.take(pid, request, files[wire.PIPES :])
            one.serve()
        finally:
            os._exit(0)
    spawn.call_itself(os.fsdecode(comm))
    for fd in (*files[: wire.WORKERS], *files[wire.PIPES :]):
        os.close(fd)


def _become(environment: dict[bytes, bytes], words: list[str]) -> dict:  # type: ignore[type-arg]
    """In the worker: what differs from start to start, and what must not be the same twice.

    `words` are the program and its arguments as we were started; a generation may have others at its end.

    The rest of the environment stays: what stands in front of the worker may have set it, or an import.
    """
    for name, value in environment.items():
        if name.startswith(b"RELOADER"):
            os.environb[name] = value
    order: dict = marshal.loads(bytes.fromhex(os.environ.pop(ORDER)))  # type: ignore[type-arg]
    own = order["words"]
    same = 0
    while words[same : same + 1] == own[same : same + 1] != []:
        same += 1
    # From Python 3.10 on there is a second list, with the interpreter and its own options in it.
    for arguments in (sys.argv, getattr(sys, "orig_argv", [])):
        if arguments:
            arguments[len(arguments) - len(words) + same :] = own[same:]
    _renew()
    return order


def _renew() -> None:
    """What imports have taken from the clock, from chance or from the system, and a fork does not renew."""
    numpy: Any = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    logging: Any = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "_startTime"):
        import time

        # In nanoseconds from Python 3.13 on.
        unit = 1e9 if isinstance(logging._startTime, int) else 1
        logging._startTime = type(logging._startTime)(time.time() * unit)
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading.main_thread()._set_native_id()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)
