"""Feeds the command with what nobody means: `python tests/fuzz.py SECONDS [--seed N]`.

Settings, options, environment, ignore files, kept data, the control protocol, keys and a worker's bytes are made up
at random. A traceback, a hang, or a control character of somebody else's in our own lines is a fault, which is
printed with its case; the status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from harness import RELOADER
from terminal import Terminal

# Nothing that is tried here takes a tenth of it, in seconds.
LIMIT = 60.0
# Of ours are attributes, hyperlinks and the erasing of a line; what a file says holds none of them.
RAW = re.compile(rb"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]|\x1b(?!\[[0-9;]*m|\]8;;|\\)")
FAULTS = (b"Traceback (most recent call last)", b"a fault of reloader itself")

WORDS = (
    *(
        "0",
        "1",
        "-1",
        "nan",
        "inf",
        "1e309",
        "9" * 5000,
        "600h",
        "366d",
        "none",
        "",
        " ",
        "true",
        "false",
    ),
    *(
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\udcff",
        "é",
        "\n",
        "\t",
        "a" * 300,
        "../" * 40,
        "/",
        ".",
    ),
    *(
        "*",
        "**",
        "*a" * 20,
        "[",
        "[!",
        "\\",
        "(",
        "(" * 200,
        "{}",
        "INT",
        "SIGKILL",
        "loaded",
        "qcluster",
        "{",
    ),
)
OPTIONS = (
    *(
        "-w",
        "-i",
        "--include",
        "--debounce",
        "--poll",
        "--trigger",
        "--restart-on",
        "--check",
        "-s",
        "-t",
    ),
    *(
        "--stop-target",
        "--on-exit",
        "--ready",
        "--start-timeout",
        "--max-draining",
        "--preset",
        "-n",
        "--color",
    ),
    *(
        "--log-format",
        "--tty",
        "-v",
        "-q",
        "--hold",
        "--no-overlap",
        "--cold",
        "--prefix",
        "--timestamps",
    ),
)
KEYS = (
    *(
        "watch",
        "ignore",
        "include",
        "gitignore",
        "debounce",
        "poll",
        "check",
        "stop-signal",
        "stop-timeout",
    ),
    *(
        "ready",
        "name",
        "color",
        "verbose",
        "preset",
        "presets",
        "max-draining",
        "prefix",
        "unknown",
    ),
)
VERBS = (
    ["why", "task.py"],
    ["doctor"],
    ["presets"],
    ["status"],
    ["--on-exit", "quit", "--", "true"],
)


class FoundFaultError(Exception):
    """What went wrong, and with what."""


def _text(chance: random.Random) -> str:
    return chance.choice((chance.choice(WORDS), "".join(chance.choices(WORDS[:1] + WORDS[14:], k=2))))


def _bytes(chance: random.Random, most: int) -> bytes:
    pieces = (
        b"\x1b[",
        b"\x1b]0;",
        b"\x07",
        b"\n",
        b"\r",
        b"\x1b\\",
        b"{",
        b"}",
        b'"',
        b"200~",
        b"text",
    )
    made = b"".join(chance.choice((chance.choice(pieces), chance.randbytes(3))) for _ in range(most))
    return made[: chance.randrange(most + 1)]


def run(words: Sequence[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end. Raises FoundFaultError."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RELOADER")}
    environment = {**clean, "XDG_CACHE_HOME": str(folder / "cache"), **variables}
    passed = [word.replace("\0", "") for word in words]
    case = f"{passed!r} with {variables!r}"
    try:
        done = subprocess.run(
            [RELOADER, *passed],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FoundFaultError(f"hangs: {case}: {error.stderr!r}") from None
    for fault in FAULTS:
        if fault in done.stderr:
            raise FoundFaultError(f"{case}:\n{done.stderr.decode(errors='replace')}")
    if done.returncode not in (0, 1, 2, 126, 127):
        raise FoundFaultError(f"status {done.returncode}: {case}: {done.stderr!r}")
    if found := RAW.search(done.stdout + done.stderr):
        raise FoundFaultError(f"raw {found[0]!r}: {case}: {done.stdout!r} {done.stderr!r}")
    return done


# --- what is made up ------------------------------------------------------------------------------


def settings(chance: random.Random, folder: Path) -> None:
    """A settings file."""
    name = chance.choice(("reloader.toml", "pyproject.toml"))
    lines = ["[tool.reloader]"] if name == "pyproject.toml" else []
    for _ in range(chance.randrange(4)):
        text = json.dumps(_text(chance).encode("utf-8", "replace").decode())
        value = chance.choice(
            (
                text,
                f"[{text}]",
                "true",
                "9" * 5000,
                "1.5",
                "[" * 3000,
                f"{{a = {text}}}",
                "nan",
            )
        )
        key = chance.choice((chance.choice(KEYS), text))
        lines.append(f"{key} = {value}")
    content = "\n".join(lines).encode()
    if chance.random() < 0.2:
        content += _bytes(chance, 20)
    (folder / name).write_bytes(content)
    run(chance.choice(VERBS), folder)


def options(chance: random.Random, folder: Path) -> None:
    """Options, and the words behind them."""
    words: list[str] = []
    for _ in range(chance.randrange(1, 4)):
        words.append(chance.choice(OPTIONS))
        if chance.random() < 0.8:
            words.append(_text(chance))
    # A check may be any command: that it ends is its own affair.
    run(["--on-exit", "quit", *words, "--", "true"], folder)


def environment(chance: random.Random, folder: Path) -> None:
    """Variables."""
    names = [f"RELOADER_{key.upper().replace('-', '_')}" for key in KEYS]
    others = (
        "COLUMNS",
        "TERM",
        "LANG",
        "HOME",
        "XDG_RUNTIME_DIR",
        "NO_COLOR",
        "VIRTUAL_ENV",
        "RELOADER_TRUST",
    )
    chosen = {chance.choice((chance.choice(names), chance.choice(others))): _text(chance) for _ in range(2)}
    run(chance.choice((*VERBS, ["--help"], ["-h"])), folder, **chosen)


def ignores(chance: random.Random, folder: Path) -> None:
    """Ignore files."""
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    content = "\n".join(_text(chance) for _ in range(20)).encode("utf-8", "surrogateescape") + _bytes(
        chance, 50
    )
    (folder / chance.choice((".gitignore", ".git/info/exclude"))).write_bytes(content)
    for verb in VERBS[:2]:
        run(verb, folder)


def kept(chance: random.Random, folder: Path) -> None:
    """What is kept between runs."""
    (folder / "worker.py").write_text("import json\nprint('ready', flush=True)\n")
    words = ["--on-exit", "quit", "--", sys.executable, "worker.py"]
    run(words, folder)
    for path in (folder / "cache").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            place = chance.randrange(len(data) + 1)
            damaged = data[:place] + _bytes(chance, 8) + data[place + chance.randrange(8) :]
            path.write_bytes(chance.choice((damaged, b"[" * 100_000, b"", b'{"record": []}')))
    run(words, folder)
    run(["why", "worker.py"], folder)


def protocol(chance: random.Random, folder: Path) -> None:
    """What comes over the control socket; the run still answers after it."""
    (folder / "runtime").mkdir(mode=0o700)
    variables = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "runtime")}
    process = subprocess.Popen(
        [RELOADER, "--", "sleep", "600"],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until = time.monotonic() + LIMIT
        while not (sockets := list((folder / "runtime").rglob("*.sock"))):
            if time.monotonic() > until:
                raise FoundFaultError("no control socket")
            time.sleep(0.02)
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(OSError):
                peer.settimeout(LIMIT)
                peer.connect(str(sockets[0]))
                line = json.dumps(
                    {"version": chance.choice((1, 2, None, [])), "verb": _text(chance)}
                ).encode()
                peer.sendall(
                    chance.choice(
                        (
                            _bytes(chance, 200),
                            line + b"\n",
                            b"[" * 4000 + b"\n",
                            b"x" * 9000,
                        )
                    )
                )
                if chance.random() < 0.5:
                    peer.shutdown(socket.SHUT_WR)
                    peer.recv(1 << 16)
        if run(["status"], folder, XDG_RUNTIME_DIR=str(folder / "runtime")).returncode:
            raise FoundFaultError("the run answers no more")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            shown, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise FoundFaultError("the run does not end") from None
    if any(fault in shown for fault in FAULTS):
        raise FoundFaultError(shown.decode(errors="replace"))


def keys(chance: random.Random, folder: Path) -> None:
    """What is typed, or a terminal answers; then it ends by Ctrl-C all the same."""
    terminal = Terminal(folder, "--", "sleep", "600")
    try:
        terminal.screen.wait_for("watching")
        for _ in range(5):
            typed = _bytes(chance, 100).translate(None, b"\x03\x1a\x1c\x13\x11qk")
            os.write(terminal.fd, typed)
        os.write(terminal.fd, b"\x1b[201~\x1b\\")
        terminal.table.look()
        until = time.monotonic() + LIMIT
        while terminal.process.poll() is None:
            if time.monotonic() > until:
                raise FoundFaultError(f"hangs: {terminal.screen.text!r}")
            os.write(terminal.fd, b"\x03")
            time.sleep(0.5)
        if any(fault.decode() in terminal.screen.text for fault in FAULTS):
            raise FoundFaultError(terminal.screen.text)
    finally:
        terminal.close()


def printed(chance: random.Random, folder: Path) -> None:
    """A worker's bytes, which come out as they went in, or as text in whole objects."""
    data = _bytes(chance, 3000)
    (folder / "data").write_bytes(data)
    words = ["--on-exit", "quit", "-q", "--no-prefix", "--", "cat", "data"]
    shown = subprocess.run(
        [RELOADER, *words],
        cwd=folder,
        capture_output=True,
        timeout=LIMIT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if not shown.stdout.startswith(data) or shown.stdout[len(data) :] not in (
        b"",
        b"\n",
    ):
        raise FoundFaultError(f"{data!r} became {shown.stdout!r}")
    as_objects = subprocess.run(
        [RELOADER, "--log-format", "json", *words],
        cwd=folder,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    for line in as_objects.stdout.splitlines():
        json.loads(line)


CASES: tuple[Callable[[random.Random, Path], None], ...] = (
    *(settings, options, environment, ignores, kept, protocol, keys, printed),
)


def fuzz(seconds: float, seed: int) -> tuple[int, list[str]]:
    """How many cases were tried, and what went wrong."""
    until = time.monotonic() + seconds
    faults: list[str] = []
    number = 0
    while time.monotonic() < until or number < len(CASES):
        case = CASES[number % len(CASES)]
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        (folder / ".git").mkdir()
        try:
            case(random.Random(f"{seed} {number}"), folder)
        except FoundFaultError as fault:
            faults.append(f"{case.__name__}, seed {seed}, case {number}: {fault}")
        except Exception as error:
            faults.append(f"{case.__name__}, seed {seed}, case {number}: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        number += 1
    return number, faults


def main() -> None:
    """Try, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    tried, faults = fuzz(given.seconds, given.seed)
    for fault in faults:
        print(fault)
    print(f"{tried} cases, {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
