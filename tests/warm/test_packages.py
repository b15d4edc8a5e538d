"""Real packages, preloaded or left out by the rules: results are right after the fork, and in children."""

from __future__ import annotations

from pathlib import Path

import pytest
from environments import with_packages
from generations import Environment, Start, next_start, warmed, write
from harness import Run, save

# What is imported, and what is asked of it in every generation: a list of values that must always be the same.
PACKAGES = {
    "numpy": ("import numpy", "numpy.linalg.norm(numpy.ones((900, 900)) @ numpy.ones((900, 900)))"),
    "pandas": ("import pandas", "pandas.Series(range(9)).groupby(lambda one: one % 2).sum().tolist()"),
    # Its threads for computing, and those for files.
    "pyarrow": (
        "import pyarrow, pyarrow.parquet",
        "(lambda one: (pyarrow.parquet.write_table(one, 'a.parquet'),"
        " pyarrow.parquet.read_table('a.parquet').group_by('a').aggregate([('b', 'sum')]).sort_by('a').to_pylist()))"
        "(pyarrow.table({'a': [1, 2] * 9999, 'b': range(19998)}))",
    ),
    "grpc": ("import grpc, rpc", "rpc.call()"),
    "psycopg": ("import psycopg", "psycopg.pq.version() > 0"),
    "cryptography": (
        "from cryptography.hazmat.primitives.hashes import Hash, SHA256",
        "(lambda one: (one.update(b'a'), one.finalize().hex())[1])(Hash(SHA256()))",
    ),
    "requests": ("import requests", "requests.Request('GET', 'http://a/b').prepare().url"),
    "sqlalchemy": (
        "import sqlalchemy",
        "sqlalchemy.create_engine('sqlite://').connect().execute(sqlalchemy.text('select 41 + 1')).scalar()",
    ),
    "rest_framework": (
        "from django.conf import settings\nsettings.configure()\nimport django\ndjango.setup()\n"
        "from rest_framework import serializers",
        "serializers.IntegerField().run_validation('7')",
    ),
    "celery": ("import celery", "celery.Celery('x', broker='memory://').signature('a').task"),
    # Its own threads compute forwards and backwards.
    "torch": (
        "import torch",
        "(lambda one: (one.sum().backward(), one.grad.sum().item(), (one @ one).sum().item())[1:])"
        "(torch.ones(600, 600, requires_grad=True))",
    ),
    "prometheus_client": ("import prometheus_client", "prometheus_client.Counter('a', 'b')._value.get()"),
}
RPC = """
import concurrent.futures
import grpc

def call():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "s", {"m": grpc.unary_unary_rpc_method_handler(lambda request, context: request + b"!")}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = channel.unary_unary("/s/m")(b"hello", timeout=20)
    server.stop(None).wait()
    return answer
"""
WORKER = """
import os, time
{imports}
import work

def values():
    return repr({expression})

def in_child():
    reading, writing = os.pipe()
    if not os.fork():
        try:
            os.write(writing, values().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        return file.read().decode()

child = in_child() if {forks} else ""
here = values()
print("ready", os.environ["RELOADER_GENERATION"], "[" + here + "]", "[" + (child or here) + "]", flush=True)
while True:
    time.sleep(60)
"""


def begin(
    start: Start,
    folder: Path,
    imports: str,
    expression: str = "0",
    forks: bool = False,
    overlap: str = "--no-overlap",
    place: str = "packages",
) -> Run:
    write(folder / "rpc.py", RPC)
    write(folder / "worker.py", WORKER.format(imports=imports, expression=expression, forks=forks))
    write(folder / "work.py", "VERSION = 1\n")
    command = (with_packages(place), "worker.py")
    return start(
        *("-v", overlap, "--ready", "^ready", "--", *command),
        env={"XDG_CACHE_HOME": str(folder / ".cache")},
        folder=folder,
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_gives_the_same_results_in_a_warm_worker(tmp_path: Path, start: Start, name: str) -> None:
    imports, expression = PACKAGES[name]
    place = "torch" if name == "torch" else "packages"
    run = begin(start, tmp_path, imports, expression, forks=name != "grpc", place=place)
    first = run.out.wait_for(r"ready 1 (\[.*\]) (\[.*\])")
    assert first[1] == first[2]
    run.err.wait_for("ready in")
    warmed(run)
    if name != "rest_framework":
        one = object.__new__(Environment)
        one.cache = tmp_path / ".cache"
        assert name in one.preloaded(run)
    for generation in (2, 3):
        assert next_start(run, tmp_path / "work.py") == "warm"
        again = run.out.wait_for(rf"ready {generation} (\[.*\]) (\[.*\])")
        assert again[1] == again[2] == first[1]


@pytest.mark.parametrize(
    ("imports", "package"),
    [
        ("from gevent import monkey\nmonkey.patch_all()", "gevent"),
        ("import eventlet\neventlet.monkey_patch()", "eventlet"),
    ],
)
def test_a_worker_that_patches_first_thing_is_always_started_cold(
    tmp_path: Path, start: Start, imports: str, package: str
) -> None:
    run = begin(start, tmp_path, imports)
    run.out.wait_for("ready 1")
    run.err.wait_for("ready in")
    for _ in range(2):
        assert next_start(run, tmp_path / "work.py") == f"{package} patches the standard library"


@pytest.mark.parametrize("overlap", ["--overlap", "--no-overlap"])
def test_a_worker_that_begins_to_patch_while_there_is_a_template_is_started_once_more_cold(
    tmp_path: Path, start: Start, overlap: str
) -> None:
    """Seen to fail where it stays as it is, with modules imported that should have been patched before."""
    run = begin(start, tmp_path, "import json", overlap=overlap)
    run.out.wait_for("ready 1")
    run.err.wait_for("ready in")
    warmed(run)
    patching = WORKER.format(
        imports="from gevent import monkey\nmonkey.patch_all()", expression="0", forks=False
    )
    assert next_start(run, tmp_path / "worker.py", patching) == "warm"
    run.out.wait_for("ready 2")
    run.err.wait_for("gevent patches the standard library → restarting worker, cold")
    run.out.wait_for("ready 3")
    run.err.wait_for("ready in .*cold: gevent patches the standard library")
    assert next_start(run, tmp_path / "work.py") == "gevent patches the standard library"
    run.out.wait_for("ready 4")
    assert run.err.text.count("→ restarting") == 1


def test_one_that_begins_to_patch_and_is_never_ready_is_not_started_warm_again(
    tmp_path: Path, start: Start
) -> None:
    """Seen to fail where only workers that have become ready tell what they import."""
    run = begin(start, tmp_path, "import json", overlap="--overlap")
    run.out.wait_for("ready 1")
    run.err.wait_for("ready in")
    warmed(run)
    broken = "from gevent import monkey\nmonkey.patch_all()\nprint('ends', flush=True)\nraise SystemExit(3)\n"
    save(tmp_path / "worker.py", broken)
    run.out.wait_for("ends")
    run.err.wait_for("exit status 3")
    assert next_start(
        run, tmp_path / "worker.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"
    ) == ("gevent patches the standard library")


def test_a_library_that_names_a_variable_which_the_program_sets_is_not_preloaded(
    tmp_path: Path, start: Start
) -> None:
    first = "os.environ['OPENBLAS_NUM_THREADS'] = '1'\nimport json, numpy"
    run = begin(start, tmp_path, first, "len(os.listdir('/proc/self/task'))")
    run.out.wait_for(r"ready 1 \[1\]")
    run.err.wait_for("ready in")
    warmed(run)
    one = object.__new__(Environment)
    one.cache = tmp_path / ".cache"
    assert "knows OPENBLAS_NUM_THREADS" in one.left_out()["numpy"]
    assert next_start(run, tmp_path / "work.py") == "warm"
    run.out.wait_for(r"ready 2 \[1\]")


def test_a_short_name_in_a_library_is_no_evidence(tmp_path: Path, start: Start) -> None:
    """As Django does in every project. Seen to fail before: each of these has the two letters somewhere."""
    first = "import time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\nimport json, pandas, cryptography.x509, psycopg"
    shown = (
        "[pandas.Timestamp(0, unit='s', tz='UTC').tz_convert('Asia/Tokyo').hour, time.localtime(0).tm_hour]"
    )
    run = begin(start, tmp_path, first, shown)
    run.out.wait_for("ready 1 .*9.*9")
    run.err.wait_for("ready in")
    warmed(run)
    one = object.__new__(Environment)
    one.cache = tmp_path / ".cache"
    assert not [name for name, why in one.left_out().items() if "knows TZ" in why]
    assert next_start(run, tmp_path / "work.py") == "warm"
    run.out.wait_for("ready 2 .*9.*9")
