"""Where Git keeps its ignore rules, read as layers: core.excludesFile, info/exclude, .gitignore files.

Those of other users are not followed (see `trust`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from reloader.common import trust
from reloader.common.files import read_regular, upwards
from reloader.watching.gitignore_patterns import Layer, Rule
from reloader.watching.rules import layer

GITIGNORE = ".gitignore"
Refuse = Callable[[str, str], None]
_Status = tuple[int, int, int, int] | None


class GitRules:
    """Reads the rules, and knows whether a file that it has read outside of the watched folders has changed.

    `refuse(path, owner)` is called for every file that belongs to another user.
    """

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self.outside: dict[str, _Status] = {}
        """The files outside that hold rules or name such files, there or not, as they were read."""

    def layers_above(self, root: str) -> tuple[Layer, ...]:
        """The layers that hold in `root` from outside of it, lowest first; its own .gitignore is not read.

        Rules that ignore the root itself are not among them: whoever names it wants to have it watched,
        although it lies in a virtual environment (`*`) or in a home folder that is a repository.
        """
        top = repository_of(root)
        if top is None:
            return ()
        layers = list(self.repository_layers(top))
        between = [] if root == top else list(upwards(os.path.dirname(root)))
        for folder in reversed(between):
            if folder == top or folder.startswith(top.rstrip(os.sep) + os.sep):
                self._note(os.path.join(folder, GITIGNORE))
                layers += self.layer_of(folder)
        return tuple(_without_hiding(one, root) for one in layers)

    def layer_of(self, folder: str) -> tuple[Layer, ...]:
        """The rules of the folder's own .gitignore file, if it has one."""
        return self._read(os.path.join(folder, GITIGNORE), folder, follow=False)

    def repository_layers(self, top: str) -> tuple[Layer, ...]:
        """The rules that hold in the whole repository whose work tree is `top`."""
        common = _common_folder(top)
        exclude, excludes_file = os.path.join(common, "info", "exclude"), _excludes_file(top)
        for path in (os.path.join(common, "config"), *_user_settings(), exclude, excludes_file):
            self._note(path)
        return self._read(excludes_file, top) + self._read(exclude, top)

    def have_changed(self) -> bool:
        """Whether a file outside is not what it was when it was read."""
        return any(_status(path) != status for path, status in self.outside.items())

    def _note(self, path: str) -> None:
        self.outside[path] = _status(path)

    def _read(self, path: str, base: str, follow: bool = True) -> tuple[Layer, ...]:
        """The rules of the file; none where Git takes none from it, as from a .gitignore that is a link."""
        try:
            content = os.fsdecode(read_regular(path, follow=follow, check=trust.checker(path)))
        except trust.UntrustedError as untrusted:
            self._refuse(path, untrusted.owner)
            return ()
        except OSError:
            return ()  # not there, or not for us to read: Git ignores it as well
        found = layer(base, content.removeprefix("\ufeff").split("\n"), path)
        return (found,) if found else ()


def _without_hiding(one: Layer, root: str) -> Layer:
    """The layer without the rules that ignore the root, or a folder between it and the layer's own."""
    inside = one.base.rstrip(os.sep) + os.sep
    between = [path for path in upwards(root) if path.startswith(inside)]

    def hides(rule: Rule) -> bool:
        alone = Layer(one.base, [rule])
        return any(alone.match(path, os.path.basename(path), True) for path in between)

    return Layer(one.base, [rule for rule in one.rules if rule.negated or not hides(rule)])


def repository_of(path: str) -> str | None:
    """The top of the work tree of Git that this folder lies in; not one of another user."""
    return next((folder for folder in upwards(path) if is_top(folder)), None)


def is_top(folder: str) -> bool:
    """Whether it is the top of a work tree whose Git folder may be followed."""
    try:
        trust.check(os.path.join(folder, ".git"))
    except OSError:
        return False
    return True


def is_nested(top: str) -> bool:
    """Whether this work tree lies in another one and is no part of it, as a clone or a worktree."""
    if repository_of(os.path.dirname(top)) is None:
        return False
    _, is_submodule, below = git_folder(top).partition(f"{os.sep}modules{os.sep}")
    return not is_submodule or f"{os.sep}worktrees{os.sep}" in below


def git_folder(top: str) -> str:
    """The Git folder of this work tree; in a worktree or submodule .git is a file that leads there."""
    git = os.path.join(top, ".git")
    try:
        return os.path.join(top, os.fsdecode(read_regular(git)).removeprefix("gitdir:").strip())
    except OSError:
        return git  # it is a folder


def _common_folder(top: str) -> str:
    """The Git folder that the worktrees of one repository have in common."""
    git = git_folder(top)
    try:
        return os.path.join(git, os.fsdecode(read_regular(os.path.join(git, "commondir"))).strip())
    except OSError:
        return git  # there is one work tree only


def tracked(folder: str) -> list[str]:
    """The files below this folder that are in Git's index, with the folder in front; none outside of Git."""
    listed = _ask_git(folder, "ls-files", "-z", "--cached")
    return [os.path.join(folder, os.fsdecode(name)) for name in listed.split(b"\0") if name]


def _ask_git(folder: str, *words: str) -> bytes:
    """What Git answers in this folder; nothing where there is no Git, or it refuses or takes too long."""
    try:
        return subprocess.run(
            ["git", "-C", folder, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""


def _excludes_file(top: str) -> str:
    """core.excludesFile as Git itself reads its configuration, or Git's default for it."""
    answer = _ask_git(top, "config", "--type=path", "--null", "--get", "core.excludesFile")
    if answer:
        return os.fsdecode(answer.rstrip(b"\0"))
    return os.path.join(_settings_folder(), "ignore")


def _user_settings() -> list[str]:
    """The files of the user's settings of Git, which may name core.excludesFile (git-config(1))."""
    if name := os.environ.get("GIT_CONFIG_GLOBAL"):
        return [name]
    return [os.path.expanduser("~/.gitconfig"), os.path.join(_settings_folder(), "config")]


def _settings_folder() -> str:
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "git")


def _status(path: str) -> _Status:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns
