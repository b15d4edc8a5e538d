"""`why` and a run agree: what is explained to count is what a survey finds, whatever the options."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reloader.common import run_folder
from reloader.messages import events
from reloader.settings import Settings, Trigger
from reloader.watching.explain import explain
from reloader.watching.imported import Imported
from reloader.watching.tree import Tree

FOLDERS = ["app", "app/build", "app/gen", "build", "lib", "node_modules", "app/templates", "clone", "venv"]
NAMES = ["a.py", "b.txt", "c.toml", "data.log", "run", "mod.so", ".env", "__init__.py"]
LINES = [
    "*.py",
    "!a.py",
    "build/",
    "gen",
    "/app/gen",
    "app/*.toml",
    "*",
    "!*/",
    "b.txt",
    "lib/",
    "!lib/a.py",
    "**/gen",
]
LINKS = {
    "link.toml": "app/c.toml",
    "linked": "app",
    "app/up": "..",
    "lib/linked": "../build",
    "build/again.py": "../lib/a.py",
    "broken.py": "nowhere.py",
}
PATTERNS = [*LINES, "./app/gen", "../p/lib", "{app,lib}/*.py", "app/build/a.py", "build/b.txt", "venv"]

files = st.sets(
    st.tuples(st.sampled_from(["", *FOLDERS]), st.sampled_from(NAMES)).map(
        lambda pair: "/".join(filter(None, pair))
    ),
    min_size=4,
    max_size=25,
)
ignore_files = st.dictionaries(
    st.sampled_from(["", "app", "lib", "app/gen"]),
    st.lists(st.sampled_from(LINES), max_size=4),
    max_size=3,
)
some = st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple)
wanted = st.fixed_dictionaries(
    {
        "watch": st.lists(
            st.sampled_from([".", "app", "lib", "app/gen", "app/c.toml", "build"]), min_size=1, max_size=3
        ),
        "ignore": some,
        "include": some,
        "gitignore": st.booleans(),
        "python": st.booleans(),
        "scripts": st.sampled_from([(), ("run",), ("build/run",), ("lib/run",), ("venv/run",)]),
        "trigger": st.sampled_from(Trigger),
        "warm": st.booleans(),
        "from_file": st.booleans(),
    }
)


@contextmanager
def made(names: set[str], rules: Mapping[str, list[str]], links: set[str], tracked: bool) -> Iterator[Path]:
    """A repository with these files, as the current folder."""
    top = Path(tempfile.mkdtemp())
    root = top / "p"
    before = run_folder._started_in
    try:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("x")
        for folder, lines in rules.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / ".gitignore").write_text("\n".join(lines))
        for link in links:
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(LINKS[link])
        if (root / "clone").is_dir():
            (root / "clone" / ".git").mkdir()
            (root / "clone" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        if (root / "venv").is_dir():
            (root / "venv" / "pyvenv.cfg").write_text("")
        root.mkdir(exist_ok=True)
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        if tracked:
            subprocess.run(["git", "-C", str(root), "add", "-f", "--", *sorted(names)[::3]], check=False)
        run_folder._started_in = str(root)
        yield root
    finally:
        run_folder._started_in = before
        shutil.rmtree(top)


def found(options: Settings, imports: Imported | None) -> set[str]:
    """The files that a run comes to watch."""
    tree = Tree(options, lambda _path, _reason: None)
    tree.count_scripts()
    tree.survey()
    if not options.learns:
        tree.count_tracked()
    elif imports is not None:
        tree.count_imported(imports.files)
    tree.survey()
    return {os.path.join(folder, name) for folder, names in tree.snapshot().items() for name in names}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files, ignore_files, st.sets(st.sampled_from(sorted(LINKS)), max_size=3), wanted, st.data())
def test_why_and_a_run_agree(
    names: set[str],
    rules: dict[str, list[str]],
    links: set[str],
    options: dict[str, object],
    data: st.DataObject,
) -> None:
    with made(names, rules, links, data.draw(st.booleans())) as root:
        from_file = options.pop("from_file")
        watch = tuple(path for path in options.pop("watch") if (root / path).exists()) or (".",)  # type: ignore[attr-defined]
        if from_file:
            options["origins"] = tuple((one, f"{one} in x", str(root)) for one in ("ignore", "include"))
        asked = Settings(
            ("python", "run"),
            program=("python", "run"),
            watch=tuple(str(root / path) for path in watch),
            **options,  # type: ignore[arg-type]
        )
        imports = None
        if asked.learns and data.draw(st.booleans()):
            modules = frozenset(
                str(root / name) for name in sorted(names)[::2] if name.endswith((".py", ".so"))
            )
            folders = frozenset(map(os.path.dirname, modules))
            imports = Imported(modules, frozenset({"a"}), folders, modules)
        counted = found(asked, imports)
        if asked.trigger is Trigger.LOADED and imports is not None:
            counted = {path for path in counted if imports.concerns(events.Change(path, events.Kind.CHANGED))}
        real = {os.path.realpath(path) for path in counted}
        for folder, below, here in os.walk(root):
            below[:] = [name for name in below if name != ".git"]
            for name in here:
                path = os.path.join(folder, name)
                reason = explain(asked, path, imports)
                # A linked folder is entered by one of its names, and the other is explained as well.
                fits = path in counted if path == os.path.realpath(path) else reason.counts
                assert reason.counts == fits, (os.path.relpath(path, root), reason, sorted(counted))
                assert path not in counted or reason.counts
                assert not reason.counts or os.path.realpath(path) in real or not os.path.exists(path)
