"""Makes system calls of a run fail, or wait, when the test says so.

A seccomp filter asks the test about each of these calls (seccomp_unotify(2)). What the program under test sees
is the kernel's own refusal, in every process of the run, without a line of it being changed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Callable, Sequence

import pytest

# The numbers of the system calls, and the filter's own, on the machines where this was looked up.
NUMBERS = {
    "x86_64": {
        "fork": 56,
        "kill": 62,
        "chdir": 80,
        "pidfd_send_signal": 424,
        "pidfd_open": 434,
        "seccomp": 317,
        "madvise": 28,
        "sched_setscheduler": 144,
        "sched_getscheduler": 145,
        "prctl": 157,
        "inotify_add_watch": 254,
        "inotify_init1": 294,
        "memfd_create": 319,
        "close_range": 436,
    },
    "aarch64": {
        "fork": 220,
        "kill": 129,
        "chdir": 49,
        "pidfd_send_signal": 424,
        "pidfd_open": 434,
        "seccomp": 277,
        "inotify_init1": 26,
        "inotify_add_watch": 27,
        "sched_setscheduler": 119,
        "sched_getscheduler": 120,
        "prctl": 167,
        "madvise": 233,
        "memfd_create": 279,
        "close_range": 436,
    },
}
_PR_SET_NO_NEW_PRIVS, _SET_FILTER = 38, 1
# The second one is known to Linux 5.19 and newer: no signal interrupts a call that waits for our answer.
_NEW_LISTENER, _WAIT_KILLABLE = 8, 32
_ALLOW, _ASK, _FAIL = 0x7FFF0000, 0x7FC00000, 0x00050000
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101
_CONTINUE = 1


def lacking(error: int, *calls: str) -> Callable[[], None]:
    """For `preexec`: a system where these calls always fail with this errno, as an old one or a sandbox."""
    numbers = _numbers()
    load = struct.pack("HBBI", 0x20, 0, 0, 0)
    compares = b"".join(
        struct.pack("HBBI", 0x15, len(calls) - place, 0, numbers[call]) for place, call in enumerate(calls)
    )
    answers = struct.pack("HBBI", 0x06, 0, 0, _ALLOW) + struct.pack("HBBI", 0x06, 0, 0, _FAIL | error)

    def install() -> None:
        assert _install(load + compares + answers, numbers["seccomp"], (0,)) == 0

    return install


def _numbers() -> dict[str, int]:
    numbers = NUMBERS.get(platform.machine())
    if numbers is None or not os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        pytest.skip("system calls cannot be refused here")
    return numbers


def _install(filter_: bytes, seccomp: int, tried: Sequence[int]) -> int:
    """Install a filter in this process, with the first of these flags that the system takes; what it says."""
    program = ctypes.create_string_buffer(filter_, len(filter_))
    described = struct.pack("HxxxxxxP", len(filter_) // 8, ctypes.addressof(program))
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    result = -1
    for flags in tried:
        result = system.syscall(seccomp, _SET_FILTER, flags, ctypes.create_string_buffer(described, 16))
        if result >= 0:
            break
    return result


class Refusing:
    """`preexec` goes to the run. Until `refuse` or `hold` is called everything is allowed."""

    def __init__(self, call: str) -> None:
        numbers = _numbers()
        self._number, self._seccomp = numbers[call], numbers["seccomp"]
        self._ours, self._theirs = socket.socketpair()
        self._error = 0
        self.asked = threading.Event()
        """A call has been refused or is being held."""
        self.before: Callable[[Sequence[int]], None] = _do_nothing
        """Called with the arguments of each such call, which waits for it."""
        self._go_on = threading.Event()
        self._go_on.set()
        self._stop, self._stopping = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def preexec(self) -> None:
        """In the new process: ask the test about each such call from now on."""
        load = struct.pack("HBBI", 0x20, 0, 0, 0)
        compare = struct.pack("HBBI", 0x15, 1, 0, self._number)
        answers = struct.pack("HBBI", 0x06, 0, 0, _ALLOW) + struct.pack("HBBI", 0x06, 0, 0, _ASK)
        flags = (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER)
        fd = _install(load + compare + answers, self._seccomp, flags)
        socket.send_fds(self._theirs, [b"y" if fd >= 0 else b"n"], [fd] if fd >= 0 else [])
        if fd >= 0:
            os.close(fd)

    def refuse(self, error: int) -> None:
        """From now on the call fails with this errno; 0 allows it again."""
        self.asked.clear()
        self._error = error

    def hold(self) -> None:
        """The next call waits until `release`."""
        self.asked.clear()
        self._go_on.clear()

    def release(self) -> None:
        """Whatever is being held goes on."""
        self._go_on.set()

    def close(self) -> None:
        """Allow everything, and end with the run."""
        self._error = 0
        self._go_on.set()
        os.close(self._stopping)
        self._thread.join()
        os.close(self._stop)
        self._ours.close()
        self._theirs.close()

    def _serve(self) -> None:
        if self._stop in select.select((self._ours.fileno(), self._stop), (), ())[0]:
            return
        _, fds, _, _ = socket.recv_fds(self._ours, 1, 1)
        if not fds:
            return
        (fd,) = fds
        while self._stop not in select.select((fd, self._stop), (), ())[0]:
            request = bytearray(80)
            try:
                fcntl.ioctl(fd, _RECEIVE, request)
            except OSError:
                if not _has_users(fd):
                    break
                continue  # whoever asked has been killed
            (identity,) = struct.unpack_from("Q", request)
            self.before(struct.unpack_from("6Q", request, 32))
            error = self._error
            if error or not self._go_on.is_set():
                self.asked.set()
            self._go_on.wait()
            try:
                answer = (identity, 0, -error, 0 if error else _CONTINUE)
                fcntl.ioctl(fd, _ANSWER, struct.pack("QqiI", *answer))
            except OSError:
                pass  # it was killed while it was held
        os.close(fd)


def _do_nothing(_arguments: Sequence[int]) -> None:
    """The call need not wait."""


def _has_users(fd: int) -> bool:
    """Whether any process is below the filter still."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return not any(events & select.POLLHUP for _, events in poll.poll(0))
