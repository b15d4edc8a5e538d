"""The template's program, in the worker's interpreter: it imports modules, then forks guards with workers.

It speaks as a nursery does. Before that: (PRELOAD, names, names that are left out, folders of the tree) in,
(LOADED, names that stay, {name: why it is to be left out}) out; HOLD and GO in between. Python 3.8 and newer.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import _socket
import gc
import os
import sys

from reloader.running import aiming, guard_main, leftovers, spawn, wire
from reloader.running.warm.preload import Preload, Stamps
from reloader.running.warm.seed import ORDER, Recorder, take_away
from reloader.running.wire import GO, HOLD, LOADED, STALE

assert leftovers  # a guard needs these, and could not find them any more
assert aiming


def serve(order: dict) -> dict:  # type: ignore[type-arg]
    """Preload, then fork a worker for every request. Returns in the worker alone, with its own order."""
    control = _socket.socket(fileno=order["control"])
    os.set_inheritable(control.fileno(), False)
    request = _receive(control)
    while request[0] != wire.PRELOAD:
        request = _receive(control)
    tell = Recorder(order["record"]).tell
    preload = Preload(request[1], request[2], tell, lambda: _may_go_on(control))
    left_out = preload.run()
    stamps = Stamps(request[3])
    wire.send(control, (LOADED, len(preload.loaded), left_out))
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
    _guard_or_worker(request, files)
    return _become(request[2])


def _receive(control: _socket.socket) -> tuple:  # type: ignore[type-arg]
    received = wire.receive(control)
    if received is None:
        os._exit(0)
    return received[0]


def _may_go_on(control: _socket.socket) -> None:
    """Wait while we are held: somebody else needs the machine now."""
    import select

    while select.select([control], [], [], 0)[0]:
        request = _receive(control)
        while request[0] == HOLD:
            request = _receive(control)
        assert request[0] == GO


def _guard_or_worker(request: tuple, files: list[int]) -> None:  # type: ignore[type-arg]
    """Fork the worker, and guard it for ever. Returns in the worker alone."""
    os.setpgid(0, 0)
    spawn.become_subreaper()
    _, _, _, folder, stop_signal, _, _, terminal, _ = request
    standard = files[wire.WORKERS : wire.PIPES]
    control = _socket.socket(fileno=files[wire.CONTROL])
    wire.send(control, (wire.HERE, os.getpid()))
    try:
        pid = spawn.fork_worker(folder, stop_signal, standard, terminal)
    except spawn.SpawnError as error:
        wire.send(control, (wire.FAILED, error.number, error.at_folder))
        os._exit(0)
    files[wire.CONTROL] = control.detach()
    if pid:
        try:
            spawn.call_itself("reloader-guard")
            spawn.set_all_signals(signal.SIG_IGN)
            one = guard_main.Guard(guard_main.show_at(files), [])
            one.take(pid, request, files[wire.PIPES :])
            one.serve()
        finally:
            os._exit(0)
    for fd in (*files[: wire.WORKERS], *files[wire.PIPES :]):
        os.close(fd)


def _become(environment: dict[bytes, bytes]) -> dict:  # type: ignore[type-arg]
    """In the worker: what differs from start to start, and what must not be the same twice."""
    import marshal

    for name in os.environb.keys() - environment.keys():
        del os.environb[name]
    for name, value in environment.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    order: dict = marshal.loads(bytes.fromhex(os.environ[ORDER]))  # type: ignore[type-arg]
    take_away(order)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    return order
