"""What has changed since a template was built is never run as it was: the next start is cold, and says why."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from generations import Environment, Start, next_start, warmed, write
from harness import Run, eventually, name_of, template_of
from processes import status_of


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def versions(run: Run) -> str:
    """What the next generation tells of its modules."""
    return run.out.wait_for(r"ready \d+(.*)")[1].decode().strip()


def upgrade(one: Environment) -> None:
    one.install(lib="VERSION = 'newer'\n")


def touch_interpreter(one: Environment) -> None:
    os.utime(one.python, (1, 1))


def add_pth(one: Environment) -> None:
    write(one.site / "new.pth", "\n")


def edit_pth(one: Environment) -> None:
    write(one.site / "old.pth", "\n\n")


def edit_configuration(one: Environment) -> None:
    path = one.folder / ".venv" / "pyvenv.cfg"
    path.write_text(path.read_text() + "\n")


def preforked(run: Run, template: int) -> list[int]:
    """The processes that wait for their order: a guard that the template has forked, and its worker."""
    found = {pid: status for pid in run.survivors() if (status := status_of(pid)) is not None}
    group = found[template].group if template in found else -1
    guards = [pid for pid, one in found.items() if one.group == group and name_of(pid) == "reloader-guard"]
    return guards + [pid for pid, one in found.items() if one.group == group and one.parent in guards]


DRAINING = """
import os, signal, sys, time
import lib, colorsys, work
def stop(number, frame):
    print("draining", flush=True)
    while not os.path.exists("release"):
        time.sleep(0.01)
    sys.exit()
signal.signal(signal.SIGINT, stop)
print("ready", os.environ["RELOADER_GENERATION"], lib.VERSION, flush=True)
while True:
    time.sleep(60)
"""


def lock(name: str) -> Callable[[Environment], None]:
    return lambda one: write(one.folder / name, "changed\n")


CHANGES: dict[str, tuple[Callable[[Environment], None], str]] = {
    "an upgraded module": (upgrade, r"lib\.py has changed"),
    "the interpreter": (touch_interpreter, "bin/python has changed"),
    "a new .pth": (add_pth, "site-packages has changed"),
    "an edited .pth": (edit_pth, r"old\.pth has changed"),
    "pyvenv.cfg": (edit_configuration, r"pyvenv\.cfg has changed"),
    **{
        name: (lock(name), re.escape(name) + " has changed")
        for name in ("uv.lock", "poetry.lock", "pdm.lock", "requirements-dev.txt")
    },
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_what_is_installed_makes_the_next_start_cold(
    environment: Environment, start: Start, case: str
) -> None:
    one = environment
    one.install(lib="VERSION = 'old'\n")
    write(one.site / "old.pth", "\n")
    write(one.folder / "requirements-dev.txt", "")
    os.unlink(one.python)
    shutil.copy(os.path.realpath(sys.executable), one.python)
    run = one.begin(start, "import lib")
    assert versions(run) == "old"
    warmed(run)
    assert one.again(run) == "warm"
    assert versions(run) == "old"
    change, reason = CHANGES[case]
    change(one)
    assert re.search(reason + "$", one.again(run))
    assert versions(run) == ("newer" if change is upgrade else "old")
    warmed(run)
    assert one.again(run) == "warm"


def test_what_a_link_leads_to_is_compared(environment: Environment, start: Start) -> None:
    """The system tells of changes in the folder of the link alone. Seen to fail where that is relied upon."""
    one = environment
    write(one.folder / "store" / "lib.py", "VERSION = 'old'\n")
    (one.site / "lib.py").symlink_to(one.folder / "store" / "lib.py")
    run = one.begin(start, "import lib")
    assert versions(run) == "old"
    warmed(run)
    for _ in range(2):
        assert one.again(run) == "warm"
        assert versions(run) == "old"
    write(one.folder / "store" / "lib.py", "VERSION = 'newer'\n")
    assert re.search(r"lib\.py has changed$", one.again(run))
    assert versions(run) == "newer"


def test_an_environment_behind_a_link_is_another_one(environment: Environment, start: Start) -> None:
    one = environment
    one.install(lib="VERSION = 'old'\n")
    link = one.folder / ".venv"
    link.rename(one.folder / "old")
    link.symlink_to("old")
    run = one.begin(start, "import lib", "--ignore", "old/", "--ignore", "newer/")
    assert versions(run) == "old"
    warmed(run)
    for _ in range(2):
        assert one.again(run) == "warm"
        assert versions(run) == "old"
    shutil.copytree(one.folder / "old", one.folder / "newer", symlinks=True)
    write(one.folder / "newer" / one.site.relative_to(link) / "lib.py", "VERSION = 'newer'\n")
    link.unlink()
    link.symlink_to("newer")
    assert re.search(r"has changed$", one.again(run))
    assert versions(run) == "newer"


def test_a_changed_archive_makes_the_next_start_cold(environment: Environment, start: Start) -> None:
    one = environment
    archive = one.site / "packed.zip"
    for version in ("old", "newer"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("packed.py", f"VERSION = {version!r}\n")
        if version == "old":
            write(one.site / "packed.pth", "packed.zip\n")
            run = one.begin(start, "import packed")
            assert versions(run) == "old"
            warmed(run)
            assert "packed" in one.preloaded(run)
    assert re.search(r"packed\.zip.* has changed$", one.again(run))
    assert versions(run) == "newer"


@pytest.mark.parametrize("folder", ["", "src"])
def test_a_new_file_that_hides_a_preloaded_one_is_what_runs(
    environment: Environment, start: Start, folder: str
) -> None:
    one = environment
    one.install(lib="VERSION = 'old'\n")
    (one.folder / "src").mkdir()
    run = one.begin(start, "sys.path.insert(0, 'src')\nimport lib")
    assert versions(run) == "old"
    warmed(run)
    assert "lib" in one.preloaded(run)
    new = one.folder / folder / "lib.py"
    assert re.search(r"lib\.py has come$", next_start(run, new, "VERSION = 'ours'\n"))
    assert versions(run) == "ours"
    warmed(run)
    assert one.again(run) == "warm"
    assert versions(run) == "ours"


def test_a_file_that_came_while_the_template_was_not_yet_built_is_what_runs(
    environment: Environment, start: Start
) -> None:
    """The list of the last run knows another place."""
    one = environment
    one.install(lib="VERSION = 'old'\n", other="VERSION = 'other'\n")
    run = one.begin(start, "import lib, other")
    warmed(run)
    run.stop()
    write(one.folder / "lib.py", "VERSION = 'ours'\n")
    run = one.begin(start, "import lib, other")
    assert versions(run) == "ours other"
    warmed(run)
    assert one.again(run) == "warm"
    assert versions(run) in ("ours other", "other ours")


# --- modules of the tree --------------------------------------------------------------------------


@pytest.mark.parametrize("way", [".pth", "PYTHONPATH", "sys.path", "beside", "outside", "finder"])
def test_a_module_that_is_worked_on_is_never_in_a_template(
    environment: Environment, start: Start, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    one = environment
    folder = {"beside": one.folder, "outside": tmp_path_factory.mktemp("outside")}.get(
        way, one.folder / "src"
    )
    write(folder / "edited" / "__init__.py", "")
    write(folder / "edited" / "part.py", "VERSION = 1\n")
    one.install(user="import edited.part\n", lib="")
    if way in (".pth", "outside"):
        write(one.site / "edited.pth", f"{folder}\n")
    if way == "finder":
        # As installers write it for a package whose folder holds more than it.
        one.install(_finder=FINDER.format(folder=str(folder)))
        write(one.site / "edited.pth", "import _finder; _finder.install()\n")
    env = {"PYTHONPATH": "src"} if way == "PYTHONPATH" else {}
    first = "sys.path.append('src')\n" if way == "sys.path" else ""
    run = one.begin(start, f"{first}import lib, user, edited.part", env=env)
    assert versions(run) == "1"
    warmed(run)
    assert one.left_out().get("user") == "asks for edited"
    assert "lib" in one.preloaded(run)
    part = folder / "edited" / "part.py"
    if way == "outside":
        write(part, "VERSION = 22\n")
        assert one.again(run) == "warm"
    else:
        assert next_start(run, part, "VERSION = 22\n") == "warm"
    run.out.wait_for(r"ready \d+ 22")


FINDER = """
import importlib.util, os, sys

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "edited":
            file = os.path.join({folder!r}, "edited", "__init__.py")
            return importlib.util.spec_from_file_location(name, file)

def install():
    sys.meta_path.append(Finder)
"""


def test_a_namespace_that_is_partly_in_the_tree_is_not_preloaded(
    environment: Environment, start: Start
) -> None:
    one = environment
    write(one.site / "ns" / "theirs.py", "VERSION = 'theirs'\n")
    write(one.site / "pure" / "theirs.py", "VERSION = 'pure'\n")
    write(one.folder / "ns" / "ours.py", "VERSION = 'ours'\n")
    run = one.begin(start, "import pure.theirs, ns.theirs, ns.ours")
    assert versions(run) == "pure theirs ours"
    warmed(run)
    assert {"pure", "pure.theirs"} <= one.preloaded(run)
    assert "ns.theirs" not in one.preloaded(run) or "ns.theirs" in one.left_out()
    write(one.folder / "ns" / "ours.py", "VERSION = 'newer'\n")
    run.out.wait_for("ready 2 pure .*newer")


def test_an_installed_module_that_asks_for_one_of_the_tree_sees_it(
    environment: Environment, start: Start
) -> None:
    """Without the tree it would go on without, as it does where there is none."""
    one = environment
    one.install(
        lib="try:\n    import local_settings as s\nexcept ImportError:\n    VERSION = 'none'\nelse:\n    VERSION = s.MODE\n"
    )
    write(one.folder / "local_settings.py", "MODE = 'first'\n")
    run = one.begin(start, "import lib")
    assert versions(run) == "first"
    warmed(run)
    assert one.left_out()["lib"] == "asks for local_settings"
    assert next_start(run, one.folder / "local_settings.py", "MODE = 'second'\n") == "warm"
    assert versions(run) == "second"


LOOKS = "try:\n    import local_settings as s\nexcept ImportError:\n    VERSION = 'none'\nelse:\n    VERSION = s.MODE\n"


@pytest.mark.parametrize("name", ["local_settings.py", "local_settings/__init__.py"])
@pytest.mark.parametrize("trigger", ["tree", "loaded"])
def test_a_module_of_the_tree_that_comes_to_be_is_seen_by_an_installed_one(
    environment: Environment, start: Start, name: str, trigger: str
) -> None:
    """A warm worker has not looked for it itself."""
    one = environment
    one.install(lib=LOOKS)
    run = one.begin(start, "import lib, colorsys", "--trigger", trigger)
    assert versions(run) == "none"
    warmed(run)
    assert "lib" in one.preloaded(run)
    assert one.again(run) == "warm"
    assert versions(run) == "none"
    (one.folder / name).parent.mkdir(exist_ok=True)
    assert re.search("local_settings.* has come$", next_start(run, one.folder / name, "MODE = 'there'\n"))
    assert versions(run) == "there"


# --- the environment ------------------------------------------------------------------------------

READS = (
    "os.environ['MODE']",
    "os.environ.get('MODE')",
    "os.getenv('MODE')",
    "dict(os.environ)['MODE']",
    "os.environb[b'MODE'].decode()",
)


@pytest.mark.parametrize("reads", READS)
def test_a_module_that_reads_a_variable_which_the_program_sets_is_not_preloaded(
    environment: Environment, start: Start, reads: str
) -> None:
    one = environment
    one.install(reader=f"import os\nVERSION = {reads}\n", lib="import os\nHOME = os.environ.get('HOME')\n")
    write(one.folder / "mode.py", "import os\nos.environ.setdefault('MODE', 'first')\n")
    run = one.begin(start, "import mode, lib, reader")
    assert versions(run) == "first"
    warmed(run)
    assert one.left_out() == {"reader": "reads MODE, which the program sets"}
    text = (one.folder / "mode.py").read_text().replace("first", "second")
    assert next_start(run, one.folder / "mode.py", text) == "warm"
    assert versions(run) == "second"


def test_a_variable_that_an_import_sets_is_set_where_that_was_preloaded(
    environment: Environment, start: Start
) -> None:
    one = environment
    one.install(setter="import os\nos.environ['SET'] = 'by import'\n")
    run = one.begin(start, "import setter\nprint('SET is', os.environ['SET'], flush=True)")
    warmed(run)
    assert "setter" in one.preloaded(run)
    assert one.again(run) == "warm"
    run.out.wait_for("SET is by import")
    run.out.wait_for("ready 2")


def draining(one: Environment, start: Start) -> tuple[Run, int]:
    """A run whose worker drains until there is `release`, and the template, with two that wait there."""
    one.install(lib="VERSION = 'old'\n")
    one.work.write_text("VERSION = 1\n")
    (one.folder / "worker.py").write_text(DRAINING)
    run = start(
        *("-v", "--ready", "^ready", "--", one.python, "worker.py"),
        folder=one.folder,
        env={"XDG_CACHE_HOME": str(one.cache)},
    )
    run.out.wait_for("ready 1 old")
    run.err.wait_for("watching")
    warmed(run)
    template = template_of(run)
    one.work.write_text("VERSION = 2\n")
    run.out.wait_for("draining")
    eventually(lambda: len(preforked(run, template)) == 2, "a guard and a worker wait")
    return run, template


def began(pid: int) -> int:
    """When it did; 0 where it has ended."""
    status = status_of(pid)
    return 0 if status is None else status.began


def test_what_changes_while_the_old_worker_drains_is_seen(environment: Environment, start: Start) -> None:
    """The worker that comes next was forked already, and waits; it does not run."""
    one = environment
    run, template = draining(one, start)
    one.install(lib="VERSION = 'newer'\n")
    (one.folder / "release").touch()
    run.err.wait_for(r"cold: \S+lib\.py has changed")
    run.out.wait_for("ready 2 newer")
    eventually(lambda: not preforked(run, template), "those that waited are gone")
    assert run.stop() == 0
    run.nothing_is_left()


@pytest.mark.parametrize("which", [0, 1])
def test_a_start_is_cold_when_one_of_those_that_wait_for_it_is_killed(
    environment: Environment, start: Start, which: int
) -> None:
    one = environment
    run, template = draining(one, start)
    os.kill(sorted(preforked(run, template), key=began)[which], signal.SIGKILL)
    eventually(lambda: len(preforked(run, template)) < 2, "it has ended")
    (one.folder / "release").touch()
    run.err.wait_for(r"ready in .*\(detect .*cold: .* has ended\)")
    run.out.wait_for("ready 2 old")
    assert run.stop() == 0
    run.nothing_is_left()


def test_those_that_wait_end_with_the_supervisor(environment: Environment, start: Start) -> None:
    one = environment
    run, template = draining(one, start)
    run.kill()
    (one.folder / "release").touch()
    eventually(lambda: not preforked(run, template), "those that waited are gone")
    run.nothing_is_left()


def test_variables_that_were_set_in_front_of_the_worker_are_those_of_their_file(
    environment: Environment, start: Start
) -> None:
    one = environment
    one.install(lib="")
    write(one.folder / ".env", "export SETTING=first\n")
    # The folder that is named, and the program, change with every save.
    command = ["env", "-C", ".", "sh", "-c", f". ./.env; exec {one.python} worker.py"]
    run = one.begin(start, "import lib; lib.VERSION = os.environ['SETTING']", command=command)
    assert versions(run) == "first"
    warmed(run)
    assert one.again(run) == "warm"
    assert versions(run) == "first"
    # It restarts the worker by itself.
    assert ".env" in next_start(run, one.folder / ".env", "export SETTING=second\n")
    assert versions(run) == "second"
