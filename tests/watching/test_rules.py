"""Which files count and which folders are entered: what is built in, and which layer has the last word."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product

import pytest

from reloader.watching.gitignore_patterns import Layer
from reloader.watching.rules import BUILT_IN_IGNORES, COUNTED_FOR_PYTHON, Verdict, View, layer

# --- helpers --------------------------------------------------------------------------------------


def rules(
    *,
    python: bool = False,
    git: Sequence[str] = (),
    ignore: Sequence[str] = (),
    include: Sequence[str] = (),
) -> View:
    """The rules inside the watched folder /p, whose .gitignore has the lines `git`."""
    return View(
        built_in=layer("/p", BUILT_IN_IGNORES, "built-in"),
        git=(layer("/p", git, "/p/.gitignore"),) if git else (),
        options=layer("/p", ignore, "--ignore"),
        counted=layer("/p", COUNTED_FOR_PYTHON, "python") if python else None,
        include=layer("/p", include, "--include"),
    )


def counts(view: View, path: str) -> bool:
    """Whether the file at this path below /p counts, each folder on the way asked first."""
    inside = entered(view, os.path.dirname(path))
    return inside is not None and inside.file(f"/p/{path}", os.path.basename(path)) is Verdict.KEEP


def entered(view: View, path: str) -> View | None:
    """The rules inside a folder below /p; None if it, or one on the way, is not entered."""
    at = "/p"
    for name in filter(None, path.split("/")):
        at = f"{at}/{name}"
        verdict = view.folder(at, name)
        if verdict is Verdict.SKIP:
            return None
        view = view.inside(verdict)
    return view


# --- what counts ----------------------------------------------------------------------------------

COUNTED = {
    "*.py": "pkg/tasks.py",
    "*.so": "pkg/fast.cpython-312-x86_64-linux-gnu.so",
    "*.pyd": "pkg/fast.cp312-win_amd64.pyd",
    "*.mo": "locale/de/LC_MESSAGES/django.mo",
    "*.toml": "pyproject.toml",
    "*.yaml": "conf/logging.yaml",
    "*.yml": "compose.yml",
    "*.ini": "alembic.ini",
    "*.cfg": "setup.cfg",
    ".env": ".env",
    ".env.*": "deploy/.env.local",
    "*.env": "local.env",
    "*.html": "pkg/page.html",
    "*.htm": "pkg/page.htm",
    "*.jinja": "mail.txt.jinja",
    "*.jinja2": "mail.jinja2",
    "*.j2": "nginx.conf.j2",
    "*.djhtml": "page.djhtml",
    "*.mako": "page.mako",
    "**/templates/**": "pkg/templates/mail/welcome.txt",
}


def test_every_counted_pattern_has_an_example() -> None:
    assert set(COUNTED_FOR_PYTHON) <= set(COUNTED)


@pytest.mark.parametrize("pattern", COUNTED_FOR_PYTHON)
def test_code_and_configuration_count_for_python(pattern: str) -> None:
    path = COUNTED[pattern]
    assert layer("/p", [pattern], "test").match(f"/p/{path}", os.path.basename(path), False)
    assert counts(rules(python=True), path)


NOT_FOR_PYTHON = [
    *("pkg/tasks.pyi", "README.md", "docs/guide.rst", "notes.txt", "Makefile", "static/app.js", "app.css"),
    *("data.json", "data.csv", "photo.png", "python", "py", "tasks.py.txt", "templates.txt", "locale/de.po"),
    *("env", "envfile", "uv.lock", "LICENSE", "templates"),
]


@pytest.mark.parametrize("path", NOT_FOR_PYTHON)
def test_other_files_do_not_count_for_python(path: str) -> None:
    assert not counts(rules(python=True), path)


@pytest.mark.parametrize("path", [*(COUNTED[pattern] for pattern in COUNTED_FOR_PYTHON), *NOT_FOR_PYTHON])
def test_for_another_command_every_file_counts_that_is_not_ignored(path: str) -> None:
    assert counts(rules(), path)


# --- what is ignored by itself --------------------------------------------------------------------

# For every built-in entry: paths that it ignores, and near ones that it leaves alone.
IGNORED: dict[str, tuple[list[str], list[str]]] = {
    ".git": ([".git/config", "sub/.git/HEAD", "worktree/.git"], [".gitignore", ".github/ci.yml", "a.git/x"]),
    ".hg": ([".hg/dirstate"], [".hgignore"]),
    ".svn": ([".svn/entries"], ["svn/x"]),
    ".bzr": ([".bzr/checkout"], [".bzrignore"]),
    ".jj": ([".jj/repo/store"], ["jj/x"]),
    ".sl": ([".sl/store"], ["a.sl"]),
    ".pijul": ([".pijul/config"], ["pijul/x"]),
    "_darcs": (["_darcs/prefs"], ["darcs/x"]),
    "CVS": (["pkg/CVS/Entries"], ["cvs/x", "CVSROOT/x"]),
    "__pycache__/": (["pkg/__pycache__/tasks.cpython-312.pyc", "__pycache__/x.py"], ["__pycache__.py"]),
    "*.py[co]": (["old.pyc", "old.pyo"], ["a.py", "a.pyx", "a.pyi", "a.pycc", "win.pyd"]),
    "*.egg-info/": (
        ["pkg.egg-info/PKG-INFO", "src/pkg.egg-info/top_level.txt"],
        ["a.egg-info", "egg-info/x"],
    ),
    ".eggs/": ([".eggs/x/y.py"], [".eggs", "eggs/x.py"]),
    "site-packages/": (["lib/site-packages/six.py"], ["site-packages", "packages/six.py"]),
    ".venv/": ([".venv/lib/x.py", "service/.venv/bin/python"], [".venv", "venv.py"]),
    ".direnv/": ([".direnv/python-3.12/x.py"], [".direnv", ".envrc"]),
    "node_modules/": (["node_modules/left-pad/index.js", "web/node_modules/a/b.py"], ["node_modules.py"]),
    "bower_components/": (["web/bower_components/jquery/x.js"], ["components/x.js"]),
    "/build/": (["build/lib/tasks.py"], ["build", "pkg/build/steps.py", "builder/x.py"]),
    "/dist/": (["dist/pkg.whl"], ["dist", "pkg/dist/x.py", "distance/x.py"]),
    "/bazel-*": (["bazel-out/k8/x.py", "bazel-bin"], ["tools/bazel-out/x.py", "bazel/x.py"]),
    ".gradle/": ([".gradle/8.5/x.bin"], ["build.gradle"]),
    ".terraform/": (["infra/.terraform/modules/x.tf"], [".terraform.lock.hcl"]),
    ".next/": (["web/.next/server/x.js"], ["next/x.js"]),
    ".nuxt/": (["web/.nuxt/x.js"], ["nuxt/x.js"]),
    ".svelte-kit/": (["web/.svelte-kit/x.js"], ["svelte-kit/x.js"]),
    ".parcel-cache/": ([".parcel-cache/x"], ["parcel-cache/x"]),
    ".turbo/": ([".turbo/x"], ["turbo/x"]),
    ".mypy_cache/": ([".mypy_cache/3.12/x.json"], ["mypy.ini"]),
    ".ruff_cache/": ([".ruff_cache/0.6/x"], [".ruff.toml"]),
    ".pytest_cache/": ([".pytest_cache/v/x"], ["pytest_cache/x"]),
    ".tox/": ([".tox/py312/x.py"], ["tox.ini"]),
    ".nox/": ([".nox/tests/x.py"], ["noxfile.py"]),
    ".hypothesis/": ([".hypothesis/examples/x"], ["hypothesis/x"]),
    ".cache/": ([".cache/pip/x"], ["cache/x.py", ".cache"]),
    ".ipynb_checkpoints/": (["nb/.ipynb_checkpoints/a-checkpoint.ipynb"], ["nb/a.ipynb"]),
    ".pytype/": ([".pytype/pyi/x.pyi"], ["pytype.cfg"]),
    ".pyre/": ([".pyre/x"], [".pyre_configuration"]),
    ".sass-cache/": (["css/.sass-cache/x"], ["css/a.sass"]),
    ".coverage": ([".coverage", "sub/.coverage"], [".coveragerc", "coverage/x.py"]),
    ".coverage.*": ([".coverage.host.4711.123456"], [".coveragerc", "a.coverage"]),
    "htmlcov/": (["htmlcov/index.html"], ["htmlcov.py"]),
    ".idea/": ([".idea/workspace.xml"], ["idea/x.py"]),
    ".vscode/": ([".vscode/settings.json"], ["vscode/x.py"]),
    "4913": (["pkg/4913", "4913"], ["4914", "4913.py"]),
    "*~": (["tasks.py~", "pkg/a.html~"], ["~tasks.py", "a~b.py"]),
    ".*.sw?": ([".tasks.py.swp", "pkg/.a.swx"], ["a.swp", ".tasks.sw", ".a.swap"]),
    ".sw?": ([".swp", "pkg/.swo"], ["swp", ".sw", ".swift"]),
    ".*.un~": ([".tasks.py.un~"], ["a.un"]),
    ".#*": ([".#tasks.py"], ["#tasks.py", "a.#b"]),
    "\\#*#": (["#tasks.py#"], ["#tasks.py", "tasks.py#"]),
    "5036": (["5036"], ["5037"]),
    "5159": (["pkg/5159"], ["5159.py"]),
    "5282": (["5282"], ["528"]),
    "*.bck": (["example.txtU77clA.bck"], ["bck.py"]),
    ".*.kate-swp": ([".tasks.py.kate-swp"], ["kate-swp.py"]),
    ".*.kak.??????": ([".tasks.py.kak.a1B2c3"], ["tasks.kak", ".tasks.py.kak"]),
    ".~lock.*#": ([".~lock.prices.ods#"], ["prices.ods"]),
    ".history/": ([".history/tasks_20260101.py"], ["history"]),
    "flycheck_*": (["pkg/flycheck_tasks.py"], ["flycheck.py"]),
    "*_flymake.py": (["tasks_flymake.py"], ["flymake.py"]),
    ".*.*.[0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z][0-9A-Za-z]": (
        [".tasks.py.X7dQ2k"],
        [".env.docker", "tasks.py.X7dQ2k", ".tasks.py.X7dQ2"],
    ),
    ".~tmp~/": ([".~tmp~/tasks.py"], ["tmp"]),
    ".mutagen-temporary-*": ([".mutagen-temporary-file"], ["mutagen.yml"]),
    ".stversions/": ([".stversions/tasks~2026.py"], ["stversions"]),
    ".dropbox.cache/": ([".dropbox.cache/x.py"], ["dropbox"]),
    "*___jb_*___": (["tasks.py___jb_tmp___", "a.py___jb_old___"], ["a___jb.py"]),
    ".goutputstream-*": ([".goutputstream-A1B2C3"], ["goutputstream-A1"]),
    ".fuse_hidden*": ([".fuse_hidden0000000300000001"], ["fuse_hidden.py"]),
    ".nfs????????????????*": ([".nfs0000000000a1b2c300000001"], [".nfs.conf", ".nfs123"]),
    ".DS_Store": (["pkg/.DS_Store"], ["DS_Store"]),
    "*.orig": (["tasks.py.orig"], ["orig.py"]),
    "*_BACKUP_[0-9]*": (["tasks_BACKUP_4711.py"], ["tasks_backup_1.py", "A_BACKUP_OF.py"]),
    "*_BASE_[0-9]*": (["tasks_BASE_4711.py"], ["tasks_base_1.py", "A_BASE_OF.py"]),
    "*_LOCAL_[0-9]*": (["tasks_LOCAL_4711.py"], ["tasks_local_1.py", "A_LOCAL_OF.py"]),
    "*_REMOTE_[0-9]*": (["tasks_REMOTE_4711.py"], ["tasks_remote_1.py", "A_REMOTE_OF.py"]),
    "*.rej": (["tasks.py.rej"], ["rej.py"]),
    "*.bak": (["tasks.py.bak"], ["bak.py"]),
    "*.sqlite3*": (["db.sqlite3", "db.sqlite3-wal", "db.sqlite3-journal"], ["sqlite3.py", "db.sqlite"]),
    "*.db-journal": (["app.db-journal"], ["app.db"]),
    "*.db-wal": (["app.db-wal"], ["db-wal"]),
    "*.db-shm": (["app.db-shm"], ["db-shm"]),
    "*.log": (["worker.log", "logs/worker.log"], ["log.py", "worker.log.conf", "log"]),
    "*.pid": (["run/worker.pid"], ["pid.py"]),
    "*.sock": (["run/worker.sock"], ["sock.py"]),
    "*.tmp": (["tasks.py.tmp"], ["tmp.py", "tmp/x.py"]),
    "celerybeat-schedule*": (["celerybeat-schedule", "celerybeat-schedule.db"], ["celerybeat.py"]),
    "dump.rdb": (["dump.rdb"], ["a.rdb"]),
    "nohup.out": (["nohup.out"], ["out.py"]),
}


def test_every_built_in_ignore_has_a_case() -> None:
    assert set(IGNORED) == set(BUILT_IN_IGNORES)
    assert all(hit and miss for hit, miss in IGNORED.values())


def test_no_built_in_ignore_is_there_twice() -> None:
    assert len(set(BUILT_IN_IGNORES)) == len(BUILT_IN_IGNORES)


@pytest.mark.parametrize("entry", BUILT_IN_IGNORES)
def test_a_built_in_ignore_ignores_what_it_is_for(entry: str) -> None:
    alone = View(layer("/p", [entry], "test"), (), Layer("/p", ()), None, Layer("/p", ()))
    for path in IGNORED[entry][0]:
        assert not counts(alone, path), path
        assert not counts(rules(), path), path


@pytest.mark.parametrize("entry", BUILT_IN_IGNORES)
def test_a_built_in_ignore_leaves_alone_what_only_looks_like_it(entry: str) -> None:
    for path in IGNORED[entry][1]:
        assert counts(rules(), path), path


@pytest.mark.parametrize("entry", [entry for entry in BUILT_IN_IGNORES if entry.endswith("/")])
def test_a_built_in_folder_is_not_entered(entry: str) -> None:
    name = entry.strip("/").replace("*", "x")
    assert entered(rules(), name) is None


# --- which layer has the last word ----------------------------------------------------------------


@pytest.mark.parametrize(("git", "option", "include"), list(product([None, "", "!"], repeat=3)))
def test_the_highest_layer_that_matches_has_the_last_word(
    git: str | None, option: str | None, include: str | None
) -> None:
    # x.log is ignored by what is built in; each layer above says nothing, "x.log" or "!x.log".
    view = rules(
        git=[f"{git}x.log"] if git is not None else [],
        ignore=[f"{option}x.log"] if option is not None else [],
        include=[f"{include}x.log"] if include is not None else [],
    )
    if include is not None:
        expected = include == ""
    else:
        ignoring = next(mark for mark in (option, git, "") if mark is not None)
        expected = ignoring == "!"
    assert counts(view, "x.log") is expected


def test_git_takes_back_what_is_built_in() -> None:
    assert counts(rules(git=["!*.log"]), "x.log")


def test_a_lower_folder_of_git_wins_over_a_higher_one() -> None:
    view = rules(git=["*.gen"])
    lower = view.with_git((*view.git, layer("/p/keep", ["!a.gen"], "/p/keep/.gitignore")))
    assert lower.file("/p/keep/a.gen", "a.gen") is Verdict.KEEP
    assert lower.file("/p/keep/b.gen", "b.gen") is Verdict.SKIP


def test_an_ignore_option_wins_over_git_in_any_folder() -> None:
    view = rules(git=["!a.txt"], ignore=["a.txt"])
    lower = view.with_git((*view.git, layer("/p/sub", ["!a.txt"], "/p/sub/.gitignore")))
    assert not counts(view, "a.txt")
    assert lower.file("/p/sub/a.txt", "a.txt") is Verdict.SKIP


def test_an_ignore_is_taken_back_by_an_option_with_an_exclamation_mark() -> None:
    view = rules(git=["generated.py"], ignore=["!generated.py"], python=True)
    assert counts(view, "generated.py")
    assert counts(view, "deep/generated.py")


def test_an_option_takes_back_a_built_in_folder() -> None:
    view = rules(ignore=["!/build/"])
    assert counts(view, "build/a.py")
    assert counts(view, "build/lib/a.py")


def test_taking_an_ignore_back_does_not_make_a_file_count_for_python() -> None:
    assert not counts(rules(ignore=["!a.log"], python=True), "a.log")


def test_within_the_options_the_last_one_that_matches_wins() -> None:
    assert counts(rules(ignore=["*.txt", "!a.txt"]), "a.txt")
    assert not counts(rules(ignore=["!a.txt", "*.txt"]), "a.txt")


def test_an_option_reaches_not_into_a_folder_that_is_ignored() -> None:
    assert not counts(rules(ignore=["!node_modules/mine/a.py"]), "node_modules/mine/a.py")


def test_an_anchored_option_is_relative_to_the_watched_folder() -> None:
    view = rules(ignore=["/gen"])
    assert not counts(view, "gen/a.py")
    assert counts(view, "pkg/gen/a.py")


# --- include --------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", [True, False])
def test_an_include_wins_over_every_ignore(python: bool) -> None:
    view = rules(python=python, git=["*.log"], ignore=["*.log"], include=["*.log"])
    assert counts(view, "x.log")
    assert counts(view, "deep/er/x.log")


def test_an_include_widens_what_counts_for_python() -> None:
    view = rules(python=True, include=["*.proto"])
    assert counts(view, "api/a.proto")
    assert counts(view, "a.py")
    assert not counts(view, "a.md")


def test_a_negated_include_makes_a_file_not_count_even_for_python() -> None:
    view = rules(python=True, include=["!gen.py"])
    assert not counts(view, "gen.py")
    assert counts(view, "a.py")


def test_within_the_includes_the_last_one_that_matches_wins() -> None:
    view = rules(python=True, include=["*.proto", "!old.proto"])
    assert counts(view, "a.proto")
    assert not counts(view, "old.proto")


def test_an_include_leads_through_an_ignored_folder_to_what_it_names_alone() -> None:
    view = rules(python=True, include=["build/gen/*.py"])
    assert counts(view, "build/gen/a.py")
    assert not counts(view, "build/gen/a.toml")
    assert not counts(view, "build/setup.py")
    assert not counts(view, "build/gen/deeper/a.py")
    assert entered(view, "build") is not None
    assert entered(view, "build/gen") is not None
    assert entered(view, "build/lib") is None
    assert entered(view, "build/gen/deeper") is None


def test_an_include_leads_through_several_ignored_folders() -> None:
    view = rules(ignore=["b"], include=["/node_modules/a/b/*.js"])
    assert counts(view, "node_modules/a/b/x.js")
    assert not counts(view, "node_modules/a/x.js")
    assert entered(view, "node_modules/c") is None


def test_an_include_leads_through_any_depth_by_asterisks() -> None:
    view = rules(include=["node_modules/mine/**/*.js"])
    assert counts(view, "node_modules/mine/x.js")
    assert counts(view, "node_modules/mine/a/b/x.js")
    assert not counts(view, "node_modules/mine/a/b/x.css")
    assert entered(view, "node_modules/other") is None


@pytest.mark.parametrize("pattern", ["*.js", "x.js", "**/x.js"])
def test_an_include_without_an_anchor_opens_no_ignored_folder(pattern: str) -> None:
    view = rules(include=[pattern])
    assert entered(view, "node_modules") is None
    assert counts(view, "web/x.js")


def test_a_negated_include_opens_no_ignored_folder() -> None:
    assert entered(rules(include=["!node_modules/a/x.js"]), "node_modules") is None


def test_an_included_folder_counts_with_all_that_is_not_ignored_in_it() -> None:
    view = rules(python=True, include=["data/"])
    assert counts(view, "data/a.csv")
    assert counts(view, "data/deep/er/a.bin")
    assert counts(view, "pkg/data/a.csv")
    assert not counts(view, "data/a.log")
    assert not counts(view, "data/__pycache__/a.pyc")
    assert not counts(view, "other/a.csv")


def test_an_included_folder_counts_although_it_is_ignored() -> None:
    view = rules(python=True, include=["/node_modules/mine/"])
    assert counts(view, "node_modules/mine/index.js")
    assert counts(view, "node_modules/mine/lib/a.css")
    assert not counts(view, "node_modules/other/index.js")
    assert not counts(view, "node_modules/index.js")


def test_an_include_of_all_inside_a_folder_widens_it() -> None:
    view = rules(python=True, include=["data/**"])
    assert counts(view, "data/a.csv")
    assert counts(view, "data/deep/a.csv")
    assert not counts(view, "a.csv")


# --- verdicts -------------------------------------------------------------------------------------


def test_the_verdict_on_a_folder_says_how_it_is_entered() -> None:
    view = rules(include=["/data/", "build/gen/*.py"])
    assert view.folder("/p/pkg", "pkg") is Verdict.KEEP
    assert view.folder("/p/data", "data") is Verdict.WIDEN
    assert view.folder("/p/build", "build") is Verdict.PASS
    assert view.folder("/p/dist", "dist") is Verdict.SKIP


def test_the_deciding_rule_tells_where_it_stands() -> None:
    view = rules(git=["# generated", "gen.py"], ignore=["*.md"])
    found = view.deciding("/p/gen.py", "gen.py", False)
    assert found is not None
    assert (found.source, found.line, found.text) == ("/p/.gitignore", 2, "gen.py")
    assert view.deciding("/p/a.py", "a.py", False) is None
    option = view.deciding("/p/a.md", "a.md", False)
    assert option is not None
    assert option.source == "--ignore"
