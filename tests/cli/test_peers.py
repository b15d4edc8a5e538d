"""Sockets whose other end is another user's: neither side speaks with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import LIMIT, RELOADER, Run, eventually

from reloader.controlling import sockets
from reloader.warm.launch import TemplateLaunch

OTHER = 65533
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs the superuser, to be another user")
# Run as another user: `ask NAME TEXT` prints what comes, `listen NAME` prints what comes first.
BE_OTHER = f"""
import os, socket, sys
how, name, text = sys.argv[1:4]
one = socket.socket(socket.AF_UNIX)
one.settimeout({LIMIT})
name = chr(0) + name[1:] if name[0] == "@" else name
if how == "listen":
    one.bind(name)
    os.setuid({OTHER})
    one.listen()
    print("listens", flush=True)
    one, _ = one.accept()
    one.settimeout({LIMIT})
else:
    os.setuid({OTHER})
    one.connect(name)
try:
    if text:
        one.sendall(text.encode() + bytes([10]))
    print("came:", one.recv(1 << 16), flush=True)
except ConnectionError:
    print("came: b''", flush=True)
"""


def other(how: str, name: str, text: str = "") -> subprocess.Popen[str]:
    """Another user who asks or listens."""
    words = [sys.executable, "-c", BE_OTHER, how, name, text]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder that others may enter, with a path that leaves room for a socket's name (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="reloader-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_run_does_not_answer_another_user(start: Callable[..., Run], project: Path, short: Path) -> None:
    """Whatever the modes of the folder and of the socket have become."""
    runtime = {"XDG_RUNTIME_DIR": str(short)}
    run = start("--", "python", "worker.py", folder=project, env=runtime)
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    sockets = short / "reloader"
    eventually(lambda: list(sockets.glob("*.sock")), "the run listens")
    (path,) = sockets.glob("*.sock")
    path.chmod(0o666)
    path.parent.chmod(0o755)
    told, failed = other("ask", str(path), '{"version": 1, "verb": "status"}').communicate(timeout=LIMIT)
    assert told == "came: b''\n", failed
    path.parent.chmod(0o700)
    asked = subprocess.run([RELOADER, "status"], cwd=project, env=os.environ | runtime, capture_output=True)
    assert b"generation 1" in asked.stdout
    assert run.stop() == 0


def test_a_socket_of_another_user_is_not_asked(project: Path, short: Path) -> None:
    runtime = {"XDG_RUNTIME_DIR": str(short)}
    (short / "reloader").mkdir(mode=0o700)
    path = short / "reloader" / f"{sockets._key(str(project))}-x.sock"
    listening = other("listen", str(path))
    assert listening.stdout is not None
    assert listening.stdout.readline() == "listens\n"
    asked = subprocess.run(
        [RELOADER, "status"], cwd=project, env=os.environ | runtime, capture_output=True, text=True
    )
    assert asked.returncode == 1
    assert (
        asked.stderr == f"reloader: a run (pid {listening.pid}) belongs to another user, and was not asked\n"
    )
    assert listening.communicate(timeout=LIMIT)[0] == "came: b''\n"


def test_a_template_does_not_obey_another_user() -> None:
    """Seen to fail: it connected to a name without asking whose it was, and did what came."""
    name = f"reloader-test-{os.getpid()}"
    listening = other("listen", "@" + name)
    assert listening.stdout is not None
    assert listening.stdout.readline() == "listens\n"
    serve = "from reloader.in_worker.template_process import serve; import sys; serve({'control': sys.argv[1]}, {})"
    done = subprocess.run([sys.executable, "-c", serve, name], capture_output=True, text=True, timeout=LIMIT)
    assert "another user listens there" in done.stderr
    assert listening.communicate(timeout=LIMIT)[0] == "came: b''\n"


def test_another_user_is_not_taken_for_a_template() -> None:
    name = f"reloader-test-boot-{os.getpid()}"
    words = [
        sys.executable,
        "-c",
        BE_OTHER + "\none = socket.socket(socket.AF_UNIX)\n",
        "ask",
        "@" + name,
        "",
    ]
    boot = TemplateLaunch(words, dict(os.environ), name, False, False)
    assert boot.forkserver() is None
    with socket.socket(socket.AF_UNIX) as again, pytest.raises(ConnectionRefusedError):
        again.connect("\0" + name)
