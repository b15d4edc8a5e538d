"""Which files count and which folders are entered.

Pure, and safe to ask from any thread. Rules of a higher layer win over those of a lower one, and
within a layer the last rule that matches wins, from low to high: built-in ignores, core.excludesFile,
.git/info/exclude, the .gitignore files from the repository's root down (those of Git have no say about
`INPUTS`), settings and options (`ignore`), and last `include`. An ignored folder is not entered, unless an
anchored include leads through it: then only what is included counts there.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reloader.watching.gitignore_patterns import REMEMBERED, Layer, Rule, parse

BUILT_IN_IGNORES = (
    # version control
    *(".git", ".hg", ".svn", ".bzr", ".jj", ".sl", ".pijul", "_darcs", "CVS"),
    # Python's own products, and virtual environments (most are found by their pyvenv.cfg)
    *("__pycache__/", "*.py[co]", "*.egg-info/", ".eggs/", "site-packages/", ".venv/", ".direnv/"),
    # other languages' packages and build output
    *("node_modules/", "bower_components/", "/build/", "/dist/", "/bazel-*", ".gradle/", ".terraform/"),
    *(".next/", ".nuxt/", ".svelte-kit/", ".parcel-cache/", ".turbo/"),
    # caches of tools
    *(".mypy_cache/", ".ruff_cache/", ".pytest_cache/", ".tox/", ".nox/", ".hypothesis/", ".cache/"),
    *(".ipynb_checkpoints/", ".pytype/", ".pyre/", ".sass-cache/", ".coverage", ".coverage.*", "htmlcov/"),
    # editors: their folders, swap, lock, backup and temporary files
    *(".idea/", ".vscode/", "4913", "*~", ".*.sw?", ".sw?", ".*.un~", ".#*", "\\#*#", "*___jb_*___"),
    *(".goutputstream-*", ".fuse_hidden*", ".nfs????????????????*", ".DS_Store", "*.orig", "*.rej", "*.bak"),
    # vim tries 4913 and, where that is there, 123 more each time; then Helix, Kate, Kakoune, LibreOffice
    *("5036", "5159", "5282", "*.bck", ".*.kate-swp", ".*.kak.??????", ".~lock.*#", ".history/"),
    # checkers that check a copy beside the file: flycheck (flycheck-temp-prefix), flymake's older backends
    *("flycheck_*", "*_flymake.py"),
    # what brings files: rsync (a dot, the name, six letters; --delay-updates), mutagen, syncthing, Dropbox
    *(".*.*." + 6 * "[0-9A-Za-z]", ".~tmp~/", ".mutagen-temporary-*", ".stversions/", ".dropbox.cache/"),
    # the versions of a conflict that git mergetool lays beside the file
    *("*_BACKUP_[0-9]*", "*_BASE_[0-9]*", "*_LOCAL_[0-9]*", "*_REMOTE_[0-9]*"),
    # what a program writes while it runs
    *("*.sqlite3*", "*.db-journal", "*.db-wal", "*.db-shm", "*.log", "*.pid", "*.sock", "*.tmp"),
    *("celerybeat-schedule*", "dump.rdb", "nohup.out"),
)

# Git has no say about these: they are left out of a repository since they are secret, or built from what is
# in it, and the program reads them all the same.
INPUTS = (".env", ".env.*", "*.env", "*.mo", "*.so", "*.pyd")

COUNTED_FOR_PYTHON = (
    *("*.py", "*.so", "*.pyd", "*.mo"),
    *("*.toml", "*.yaml", "*.yml", "*.ini", "*.cfg", ".env", ".env.*", "*.env"),
    *("*.html", "*.htm", "*.jinja", "*.jinja2", "*.j2", "*.djhtml", "*.mako", "**/templates/**"),
)


class Verdict(enum.Enum):
    """What becomes of an entry of a folder."""

    KEEP = "keep"
    """A file counts, a folder is entered."""
    WIDEN = "widen"
    """An included folder is entered, and in it whatever is not ignored counts."""
    PASS = "pass"
    """An ignored folder is entered only for what an include names inside it."""
    SKIP = "skip"


Verdicts = dict[tuple[str, bool], Verdict]
"""What was decided about entries (name, whether it is a folder), so that it is decided once."""


def layer(base: str, lines: Sequence[str], source: str) -> Layer:
    """The rules of these lines, relative to the folder `base`."""
    parsed = (parse(line, source, number) for number, line in enumerate(lines, 1))
    return Layer(base, [rule for rule in parsed if rule is not None])


_inputs = layer("/", INPUTS, "an input")


@dataclass(frozen=True)
class View:
    """The rules as they stand inside one folder."""

    built_in: Layer
    git: tuple[Layer, ...]
    """From the lowest to the highest."""
    options: Layer
    counted: Layer | None
    """What counts among all that is not ignored; None for everything."""
    include: Layer
    passing: bool = False
    """The folder is ignored itself: only what an include names counts."""
    _by_name: Verdicts = field(default_factory=dict, init=False, repr=False, compare=False)

    def verdicts(self, folder: str) -> Verdicts:
        """Where verdicts about entries of this folder are noted.

        In most folders an entry's name is all that matters; these share one note.
        """
        layers = [self.options, *self.git, self.built_in, *([self.counted] if self.counted else [])]
        if self.include.anchored or any(layer.asks_for_paths(folder) for layer in layers):
            return {}
        if len(self._by_name) > REMEMBERED:
            self._by_name.clear()
        return self._by_name

    def inside(self, verdict: Verdict) -> View:
        """The rules inside a folder of this one that was entered with this verdict."""
        if verdict is Verdict.WIDEN:
            return replace(self, counted=None, passing=False)
        return replace(self, passing=True) if verdict is Verdict.PASS else self

    def with_git(self, git: tuple[Layer, ...]) -> View:
        """The same rules with these layers of Git's."""
        return replace(self, git=git)

    def folder(self, path: str, name: str) -> Verdict:
        """Whether the folder `path` is entered."""
        return self.why_folder(path, name)[0]

    def file(self, path: str, name: str) -> Verdict:
        """Whether the file `path` counts."""
        return self.why_file(path, name)[0]

    def why_folder(self, path: str, name: str) -> tuple[Verdict, Rule | None]:
        """Whether the folder `path` is entered, and the rule that decided, if one did."""
        rule = self.include.match(path, name, True)
        if rule is not None and not rule.negated:
            return Verdict.WIDEN, rule
        rule = self.deciding(path, name, True)
        if not self.passing and (rule is None or rule.negated):
            return Verdict.KEEP, rule
        return (Verdict.PASS if self.include.leads_through(path) else Verdict.SKIP), rule

    def why_file(self, path: str, name: str) -> tuple[Verdict, Rule | None]:
        """Whether the file `path` counts, and the rule that decided, if one did."""
        rule = self.include.match(path, name, False)
        if rule is not None:
            return (Verdict.SKIP if rule.negated else Verdict.KEEP), rule
        if self.passing:
            return Verdict.SKIP, None
        rule = self.deciding(path, name, False)
        if rule is not None and not rule.negated:
            return Verdict.SKIP, rule
        if self.counted is None:
            return Verdict.KEEP, rule
        rule = self.counted.match(path, name, False)
        return (Verdict.KEEP if rule is not None else Verdict.SKIP), rule

    def deciding(self, path: str, name: str, is_folder: bool) -> Rule | None:
        """The ignore rule that has the last word on this entry."""
        is_input = not is_folder and _inputs.match(path, name, False) is not None
        git: Iterable[Layer] = () if is_input else reversed(self.git)
        for candidate in (self.options, *git, self.built_in):
            rule = candidate.match(path, name, is_folder)
            if rule is not None:
                return rule
        return None
