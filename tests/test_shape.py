"""The shape of the package: who imports whom, and what only some may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import reloader

ROOT = Path(reloader.__file__).parent
FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))

# What each folder, and each file beside them, may import of the others as it is loaded.
ARROWS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": set(),
    "errors": set(),
    "settings": {"messages"},
    "common": {"errors"},
    "messages": set(),
    "deciding": {"errors", "messages", "settings"},
    "guard": {"common"},
    "in_worker": {"common", "guard"},
    "terminal": {"common", "guard", "messages"},
    "presets": {"common", "errors", "messages", "settings"},
    "showing": {"common", "errors", "messages", "settings"},
    "watching": {"common", "errors", "messages", "settings"},
    "controlling": {"common", "messages"},
    "processes": {"common", "errors", "guard", "in_worker", "messages", "presets", "settings"},
    "warm": {"__init__", "common", "guard", "in_worker", "messages", "processes", "settings"},
    "app": {
        *("common", "deciding", "errors", "guard", "messages", "processes", "settings", "showing"),
        "terminal",
    },
    "cli": {
        *("__init__", "common", "controlling", "errors", "messages", "presets", "processes", "settings"),
        *("showing", "watching"),
    },
}
# What may be imported besides once a run begins, since it costs time.
LATE = {
    "__main__": {"cli", "common"},
    "app": {"controlling", "warm", "watching"},
    "cli": {"app", "warm"},
}
# What runs in the guard, the forkserver or the worker's own interpreter.
BELOW = ("guard", "in_worker")

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
    "app/generation_processes.py",  # how long it was stopped
    "app/main_loop.py",
    "cli/commands.py",
    "guard/draining.py",
    "guard/process_tree.py",
    "guard/service.py",
    "in_worker/bootstrap.py",  # how long it has told nothing
    "processes/resources.py",
    "processes/guard_client.py",
    "terminal/prompt.py",
    "warm/builder.py",
    "showing/console.py",
    "showing/pump.py",
    "showing/sink.py",
    "watching/content_cache.py",
    "watching/scanner.py",
    "watching/watcher.py",
    "in_worker/preload.py",
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
        or (isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.dump(outer.test))
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


def test_every_folder_and_file_beside_them_is_in_the_table() -> None:
    assert {_part(file) for file in FILES} == set(ARROWS)
    folders = {_part(file) for file in FILES if "/" in file}
    assert all(file.count("/") == 1 for file in FILES if "/" in file and "hook" not in file)
    assert len(ARROWS) - len(folders) <= 6
    assert folders == {_part(file) for file in FILES if file.endswith("/__init__.py")}


def _cycle(arrows: Mapping[str, set[str]]) -> set[str]:
    """What is part of a circle of these arrows, or leads to one."""
    left = dict(arrows)
    while free := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    return set(left)


def test_the_arrows_have_no_circle() -> None:
    assert _cycle(ARROWS) == set()
    assert _cycle({**ARROWS, "common": {"app"}}) >= {"common", "app"}


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_its_folder_may(file: str) -> None:
    part = _part(file)
    allowed = ARROWS[part] | {part}
    assert _ours(file, late=False) <= allowed
    assert _ours(file, late=True) <= allowed | LATE.get(part, set())


@pytest.mark.parametrize("name", sorted(ARROWS))
def test_no_arrow_is_allowed_that_is_not_there(name: str) -> None:
    files = [file for file in FILES if _part(file) == name]
    early = set().union(*(_ours(file, late=False) for file in files)) - {name}
    late = set().union(*(_ours(file, late=True) for file in files)) - {name}
    assert early | (late & ARROWS[name]) == ARROWS[name]
    assert late - ARROWS[name] == LATE.get(name, set())


def test_the_check_of_arrows_would_see_a_wrong_one() -> None:
    assert _ours("app/main_loop.py", late=False) >= {"deciding", "processes"}
    assert _ours("cli/run.py", late=True) >= {"app"}
    assert not _ours("app/main_loop.py", late=False) <= ARROWS["watching"] | {"watching"}


@pytest.mark.parametrize("name", ["messages/events", "messages/effects", "messages/notices", "errors"])
def test_the_words_of_the_program_need_little(name: str) -> None:
    assert _others(f"{name}.py") <= {"__future__", "dataclasses", "enum"}


# --- below: the guard and the worker's interpreter ------------------------------------------------


def _needed(files: Iterable[str]) -> set[str]:
    """These files and those of ours that they import, and so on."""
    found: set[str] = set()
    todo = list(files)
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        for name, _ in _imports(file):
            for part in (name, name.rpartition(".")[0]):
                path = part.removeprefix("reloader.").replace(".", "/") + ".py"
                if part.startswith("reloader.") and path in FILES:
                    todo.append(path)
    return found


RUN_BELOW = sorted(_needed(file for file in FILES if _part(file) in BELOW))


@pytest.mark.parametrize("file", RUN_BELOW)
def test_what_runs_below_is_for_old_pythons_and_needs_nothing_else(file: str) -> None:
    """Seen to fail with a match statement, and with an import of click."""
    ast.parse((ROOT / file).read_text(), file, feature_version=(3, 8))
    # psutil: where there is no /proc, in the guard, which runs by our own interpreter there.
    assert _others(file) <= {*sys.stdlib_module_names, "_frozen_importlib_external", "psutil"}


def test_the_check_of_old_pythons_would_see_a_new_one() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1: pass\n", feature_version=(3, 8))
    assert not _others("cli/options.py") <= set(sys.stdlib_module_names)


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
    asking = {"app/runtime.py", "watching/scanner.py", "watching/hints.py"}
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
    *("messages/events.py", "messages/notices.py", "cli/options.py", "showing/wording.py"),
    "deciding/worker.py",  # one class, whose steps a table names
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
    programs = ("__main__", "hook", "compile_check")
    names = [name[: -len(".py")].replace("/", ".") for name in FILES if not any(p in name for p in programs)]
    code = "".join(
        f"import reloader.{name.removesuffix('.__init__')}\n" for name in names if name != "__init__"
    )
    code += "import sys; print(*{'_hashlib', '_ssl'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
