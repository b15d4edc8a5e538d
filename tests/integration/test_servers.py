"""The servers of these tests end with whoever uses them, however that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from harness import LIMIT, eventually
from workshop import Servers

pytestmark = pytest.mark.integration
CLIENT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from workshop import Servers
servers = Servers(Path(sys.argv[1]))
print(servers.ask("redis")[0], servers.ask("postgres", "one", None), flush=True)
sys.stdin.read()
"""


def servers_at(port: object, folder: object) -> list[psutil.Process]:
    """The first processes of both servers."""
    signs = (f"redis-server 127.0.0.1:{port}", f"unix_socket_directories={folder}")
    return [one for one in psutil.process_iter() if any(sign in _command(one) for sign in signs)]


def test_they_end_when_the_last_client_is_killed(tmp_path: Path, servers: Servers) -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", CLIENT, str(tmp_path), str(here), str(here.parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            port, folder = client.stdout.readline().split()
            found = servers_at(port, folder)
        finally:
            client.kill()
    assert len(found) == 2
    eventually(lambda: not any(process.is_running() for process in found), "both have ended", 2 * LIMIT)
    eventually(lambda: not os.path.exists(os.path.dirname(folder)), "their data is gone")


def test_they_die_with_their_keeper(tmp_path: Path, servers: Servers) -> None:
    own = Servers(tmp_path)
    port, _database = own.ask("redis")
    found = servers_at(port, folder := own.ask("postgres", "one", None))
    assert len(found) == 2
    (keeper,) = {process.ppid() for process in found}
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not any(process.is_running() for process in found), "both have ended", 2 * LIMIT)
    own.close()
    shutil.rmtree(os.path.dirname(folder))


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
