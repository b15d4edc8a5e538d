"""An address in use, by what programs print of it, and by who listens there."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reloader.processes.addresses import AddressConflict, listened_at, named_in

# As they were printed; the port that the line names, if any.
LINES = [
    ("OSError: [Errno 98] Address already in use", None),
    ("OSError: [Errno 48] Address already in use", None),
    ("2026-11-01 12:00:01,123 ERROR Can't listen for client connections: [Errno 98] Address already in use", None),
    ("ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use", "8000"),
    ("OSError: [Errno 98] error while attempting to bind on address ('::', 8080, 0, 0): address already in use", "8080"),
    ("[2026-11-01 12:00:01 +0000] [7] [ERROR] Connection in use: ('127.0.0.1', 8000)", "8000"),
    ("[7] [ERROR] connection to ('0.0.0.0', 8000) failed: [Errno 98] Address already in use", "8000"),
    ("Error: That port is already in use.", None),
    ("Port 5000 is in use by another program.", "5000"),
    ("Error: listen EADDRINUSE: address already in use :::3000", "3000"),
    ("Error: listen EADDRINUSE: address already in use 127.0.0.1:3000", "3000"),
    ("  code: 'EADDRINUSE',", None),
    ("2026/11/01 12:00:01 listen tcp :8080: bind: address already in use", "8080"),
    ("panic: listen tcp 127.0.0.1:8080: bind: address already in use", "8080"),
    ('Error: Os { code: 98, kind: AddrInUse, message: "Address already in use" }', None),
    ("Error: Address already in use (os error 98)", None),
    ('Address already in use - bind(2) for "127.0.0.1" port 9292 (Errno::EADDRINUSE)', "9292"),
    ("nginx: [emerg] bind() to 0.0.0.0:8081 failed (98: Address already in use)", "8081"),
    ("Could not create server TCP listening socket *:6379: bind: Address already in use", "6379"),
    ("java.net.BindException: Address already in use", None),
    ("OSError: [Errno 98] Address already in use: '/run/worker.sock'", None),
]  # fmt: skip
OTHERS = [
    "ModuleNotFoundError: No module named 'address'",
    "the address 127.0.0.1:8000 is used by the server",
    "OSError: [Errno 99] Cannot assign requested address",
    "listening on port 8000",
]


class Heard:
    """Collects what is told; `listening` is where the older generation listens."""

    def __init__(self, *listening: str) -> None:
        self.told: list[tuple[str, ...]] = []
        self.asked = 0
        self.listening = listening
        self.taken = AddressConflict(self.look, self.told.append)
        self.feed: Callable[[bytes], None] = self.taken.stream()

    def look(self) -> tuple[str, ...]:
        self.asked += 1
        return self.listening


@pytest.mark.parametrize(("line", "port"), LINES, ids=[line for line, _ in LINES])
def test_what_programs_print_is_understood(line: str, port: str | None) -> None:
    assert named_in(line.encode()) == port
    heard = Heard(port or "5678")
    heard.feed(f"before\n{line}\nafter\n".encode())
    assert heard.told == [(port or "5678",)]


@pytest.mark.parametrize("line", OTHERS)
def test_what_only_sounds_like_it_is_nothing(line: str) -> None:
    heard = Heard("8000")
    heard.feed(line.encode() + b"\n")
    assert (heard.told, heard.asked) == ([], 0)


def test_a_port_that_somebody_else_has_is_nothing() -> None:
    """To stop the old generation would not free it."""
    for heard in (Heard(), Heard("9999")):
        heard.feed(b"listen tcp :8080: bind: address already in use\n")
        assert heard.told == []
    heard = Heard()
    heard.feed(b"OSError: [Errno 98] Address already in use\n")
    assert heard.told == []


def test_a_line_may_come_in_pieces_and_have_no_end() -> None:
    heard = Heard("3000", "9000")
    heard.feed(b"x\nError: listen EADDR")
    heard.feed(b"INUSE: address already in use :::3000\n")
    assert heard.told == [("3000",)]
    heard = Heard("3000", "9000")
    heard.feed(b"[Errno 98] Address already in use")
    assert heard.told == [("3000", "9000")]


def test_a_traceback_tells_the_port_that_the_line_does_not() -> None:
    heard = Heard("41234", "5678")
    for line in (
        b"  File x, line 7\n",
        b"    debugpy.listen(('127.0.0.1', 5678))\n",
        b"RuntimeError: [Errno 98] x\n",
    ):
        heard.feed(line)
    assert heard.told == [("5678",)]


def test_a_later_line_is_looked_at_where_the_first_was_somebody_elses() -> None:
    heard = Heard("9000")
    heard.feed(b"listen tcp :80: bind: address already in use\n" * 3)
    heard.feed(b"listen tcp :9000: bind: address already in use\n")
    assert heard.told == [("9000",)]


def test_who_tries_for_ever_is_not_looked_at_for_ever() -> None:
    heard = Heard()
    heard.feed(b"listen tcp :80: bind: address already in use\n" * 1000)
    assert heard.told == []
    assert heard.asked <= 20


def test_it_is_told_once_and_not_any_more_when_the_start_is_over() -> None:
    heard = Heard("1")
    other = heard.taken.stream()
    for _ in range(3):
        heard.feed(b"EADDRINUSE\n")
        other(b"EADDRINUSE\n")
    assert heard.told == [("1",)]
    heard = Heard("1")
    heard.taken.over = True
    heard.feed(b"EADDRINUSE\n")
    assert heard.told == []


def test_of_a_flood_only_the_beginning_is_looked_at() -> None:
    heard = Heard("1")
    for _ in range(20):
        heard.feed(b"x" * 100_000)
    heard.feed(b"\nEADDRINUSE\n")
    assert heard.told == []


@pytest.mark.skipif(sys.platform != "linux", reason="of others' sockets other systems tell less")
def test_who_listens_is_seen_and_who_only_talks_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    with (
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket() as client,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        unix.bind(path)
        unix.listen()
        client.connect(tcp.getsockname())
        found = listened_at([os.getpid()])
        assert {str(tcp.getsockname()[1]), str(udp.getsockname()[1]), path} <= set(found)
        assert str(client.getsockname()[1]) not in found
    assert listened_at([2**22 + 1]) == ()
