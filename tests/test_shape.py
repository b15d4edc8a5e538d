"""The shape of the package: who imports whom, and what only some may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reloader

ROOT = Path(reloader.__file__).parent
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))

# The files that everything speaks by, and the folders, each of which knows these files and itself.
SHARED = {"errors", "events", "effects", "folder", "notices", "peers", "reading", "settings", "trust"}
FOLDERS = {
    "watching": SHARED,
    "running": SHARED | {"__init__", "fingerprint", "importing", "presets"},
    "showing": SHARED,
    "presets": SHARED,
    "controlling": SHARED | {"fingerprint"},
    "deciding": {"events", "effects", "notices", "settings"},
}
# What each file beside the folders may import as it is loaded.
TOP = {
    "__init__": set(),
    "__main__": set(),
    "errors": set(),
    "folder": {"errors"},
    "events": {"message"},
    "fingerprint": set(),
    "message": set(),
    "effects": {"message", "notices"},
    "notices": {"events", "message"},
    "peers": set(),
    "reading": set(),
    "trust": set(),
    "settings": {"errors"},
    "help": set(),
    "importing": set(),
    "config": {"errors", "folder", "reading", "trust"},
    "kinds": {"settings"},
    "options": {"__init__", "help", "kinds", "settings"},
    "building": {"errors", "presets", "settings"},
    "cli": {"building", "config", "errors", "folder", "help", "options", "presets", "trust"},
    "verbs": {"events", "folder", "presets", "settings", "showing", "trust", "watching"},
    "asking": {"controlling", "errors", "events", "folder", "showing"},
    "living": {"events", "notices", "running", "settings", "showing"},
    "stage": {"errors", "events", "folder", "living", "notices", "running", "settings", "showing"},
    "threads": {"events"},
    "app": SHARED | set(FOLDERS) | {"stage", "threads"},
}
# What may be imported besides once a run begins, since it costs time.
LATE = {
    "__main__": {"cli", "folder", "importing"},
    "cli": {"app", "asking", "running", "showing", "verbs"},
    "building": {"showing"},
    "app": {"controlling", "watching"},
    "verbs": {"running"},
}

# Nothing that waits, runs elsewhere or looks at the world is needed to decide.
NOT_FOR_DECIDING = {"os", "time", "threading", "subprocess", "queue", "select"} | {
    *(
        "asyncio",
        "concurrent",
        "datetime",
        "io",
        "multiprocessing",
        "pathlib",
        "psutil",
        "random",
        "selectors",
    ),
    *("shutil", "socket", "sys", "tempfile", "watchfiles", "click"),
}

# Who reads the clock: the main loop, which passes it on, and threads for waits of their own.
CLOCK = {
    "app.py",
    "running/prompt.py",
    "stage.py",  # how long it was stopped
    "verbs.py",
    "running/usage.py",
    "running/leftovers.py",  # for the guard
    "running/process.py",
    "running/draining.py",
    "running/guard_main.py",  # a process of its own
    "running/warm/builder.py",
    "running/warm/seed.py",  # in the worker, how long it has told nothing
    "showing/console.py",
    "showing/pump.py",
    "showing/sink.py",
    "watching/contents.py",
    "watching/surveyor.py",
    "watching/watcher.py",
}


# --- reading the sources --------------------------------------------------------------------------


def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), file)


def _imports(file: str) -> Iterator[tuple[str, bool]]:
    """Every module that is imported, with its full name, and whether that is as the file is loaded."""
    tree = _tree(file)
    late = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in late
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) not in late


def _ours(file: str, *, late: bool) -> set[str]:
    """The parts of the package that a file imports: files beside the folders, or folders."""
    found = set()
    for name, at_once in _imports(file):
        package, _, rest = name.partition(".")
        if package == "reloader" and at_once is not late:
            part = rest.split(".")[0]
            is_part = (ROOT / part).is_dir() or (ROOT / f"{part}.py").is_file()
            found.add(part if part and is_part else "__init__")
    return found


def _others(file: str) -> set[str]:
    return {name.partition(".")[0] for name, _ in _imports(file)} - {"reloader"}


def _part(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


# --- arrows ---------------------------------------------------------------------------------------


def test_every_file_has_its_place() -> None:
    assert {_part(file) for file in FILES} == set(TOP) | set(FOLDERS)
    assert all(file.count("/") <= 1 for file in FILES if _part(file) != "running")


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_its_place_allows(file: str) -> None:
    part = _part(file)
    allowed = FOLDERS[part] | {part} if part in FOLDERS else TOP[part]
    assert _ours(file, late=False) <= allowed
    assert _ours(file, late=True) <= allowed | LATE.get(part, set())


@pytest.mark.parametrize("name", sorted(TOP))
def test_no_arrow_is_allowed_that_is_not_there(name: str) -> None:
    if name not in ("settings", "app"):  # what these may import is a rule of the style, used or not
        assert _ours(f"{name}.py", late=False) == TOP[name]
        assert _ours(f"{name}.py", late=True) - TOP[name] == LATE.get(name, set())


def test_the_check_of_arrows_would_see_a_wrong_one() -> None:
    assert _ours("app.py", late=False) >= set(FOLDERS) - {"presets"}
    assert _ours("cli.py", late=True) >= LATE["cli"]
    assert not _ours("app.py", late=False) <= FOLDERS["watching"] | {"watching"}


@pytest.mark.parametrize("name", ["events", "effects", "notices", "errors"])
def test_the_words_of_the_program_need_little(name: str) -> None:
    assert _others(f"{name}.py") <= {"__future__", "dataclasses", "enum"}


# --- deciding -------------------------------------------------------------------------------------

DECIDING = [file for file in FILES if _part(file) == "deciding"]


@pytest.mark.parametrize("file", DECIDING)
def test_deciding_touches_nothing_of_the_world(file: str) -> None:
    others = _others(file)
    assert not others & NOT_FOR_DECIDING
    assert others <= sys.stdlib_module_names


@pytest.mark.parametrize("file", DECIDING)
def test_deciding_prints_opens_and_asks_nothing(file: str) -> None:
    names = {node.id for node in ast.walk(_tree(file)) if isinstance(node, ast.Name)}
    assert not names & {"print", "open", "input", "exec", "eval", "__import__"}


# --- the clock, and printing ----------------------------------------------------------------------


def _names(file: str) -> set[str]:
    """Every name that is used, whether by itself or of something."""
    found = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_only_the_main_loop_and_threads_of_their_own_read_the_clock() -> None:
    clocks = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
    assert {file for file in FILES if _names(file) & clocks} == CLOCK


def test_what_time_it_is_is_asked_only_to_compare_it_with_time_stamps() -> None:
    asking = {"app.py", "watching/surveyor.py", "watching/watcher.py"}
    assert {file for file in FILES if "time_ns" in _names(file)} == asking


def test_nothing_prints() -> None:
    assert {file for file in FILES if "print" in _names(file)} == set()


# --- other rules of the house ---------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_a_file_begins_with_a_sentence_about_it(file: str) -> None:
    text = ast.get_docstring(_tree(file))
    assert text is not None
    assert text.split("\n\n")[0].rstrip().endswith((".", ":"))


# Lists of things of one kind, which grow with what there is.
LISTS = {
    *("events.py", "effects.py", "notices.py", "options.py", "showing/wording.py"),
    *("presets/table.py", "presets/wrappers.py"),
}


@pytest.mark.parametrize("file", sorted(set(FILES) - LISTS))
def test_a_file_is_no_longer_than_one_idea(file: str) -> None:
    """A longer one is seldom one idea; where it is, it belongs to the lists above."""
    assert len((ROOT / file).read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", FILES)
def test_no_process_is_begun_by_a_function_that_runs_between_fork_and_exec(file: str) -> None:
    keywords = {node.arg for node in ast.walk(_tree(file)) if isinstance(node, ast.keyword)}
    assert "preexec_fn" not in keywords


def test_a_run_needs_no_openssl() -> None:
    """hashlib brings it: 4 MB, and 5 ms of every start."""
    names = [
        name[: -len(".py")].replace("/", ".") for name in FILES if "main" not in name and "hook" not in name
    ]
    code = "".join(
        f"import reloader.{name.removesuffix('.__init__')}\n" for name in names if name != "__init__"
    )
    code += "import sys; print(*{'_hashlib', '_ssl'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
