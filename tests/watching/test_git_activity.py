"""Whether Git is at work in a work tree: real repositories, and real Gits held in the middle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import LIMIT, eventually

from reloader.watching.git_activity import under_way
from reloader.watching.gitignore_files import git_folder

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

HOUR = 3600.0
# A name that only bytes can tell.
ODD = os.fsdecode(b"sp ace\nline caf\xe9")

# --- helpers --------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """Nothing of the user's Git, nor of one that runs these tests in a hook."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    who = {
        f"GIT_{role}_{what}": f"{role}@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**mine, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true"}


def git(top: str, *arguments: str, fails: bool = False) -> str:
    """Run Git to its end; it must fail just when that is expected."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=top,
        env=environment(),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (done.returncode != 0) is fails, done
    return os.fsdecode(done.stdout.removesuffix(b"\n"))


def write(top: str, name: str, text: str) -> None:
    with open(os.path.join(top, name), "w") as file:
        file.write(text)


def commit(top: str, text: str) -> None:
    write(top, "a.txt", text)
    git(top, "add", "-A")
    git(top, "commit", "-m", text)


def repository(top: str) -> str:
    """A repository whose branches `main`, checked out, and `side` cannot be merged."""
    os.makedirs(top)
    git(top, "init", "-b", "main")
    write(top, ".gitattributes", "*.txt filter=held\n")
    commit(top, "base\n")
    git(top, "checkout", "-b", "side")
    commit(top, "side\n")
    git(top, "checkout", "main")
    commit(top, "main\n")
    return top


def operation(top: str) -> str | None:
    """What Git is doing, as it is told."""
    found = under_way(top)
    return None if found is None else found.operation


def lock_of(top: str) -> str:
    return os.path.join(git_folder(top), "index.lock")


def age(path: str, seconds: float = HOUR) -> None:
    """Make a file look old, if it is there."""
    then = time.time() - seconds
    if os.path.exists(path):
        os.utime(path, (then, then))


class Hold:
    """A script that lets a Git wait in it: `flag` tells that it is reached, `go` lets it go on."""

    def __init__(self, folder: Path) -> None:
        self.flag, self.go = folder / "flag", folder / "go"
        script = folder / "hold"
        # It gives up by itself, so that nothing is left for ever by tests that are killed.
        script.write_text(
            f"#!/bin/sh\ntouch '{self.flag}'\nn=0\n"
            f"while [ ! -e '{self.go}' ] && [ $n -lt 3000 ]; do n=$((n + 1)); sleep 0.02; done\n"
        )
        script.chmod(0o755)
        hooks = folder / "hooks"
        hooks.mkdir()
        (hooks / "pre-applypatch").symlink_to(script)
        self.command = f"'{script}'"
        self.smudge = ("-c", f"filter.held.smudge={self.command}; cat")
        self.editor = ("-c", f"core.editor={self.command}", "-c", f"core.hooksPath={hooks}")

    @contextmanager
    def git(self, top: str, *arguments: str) -> Iterator[None]:
        """A Git that runs, and is held while the body is; at the end it has succeeded."""
        env = environment()
        del env["GIT_EDITOR"]  # it would win over core.editor
        process = subprocess.Popen(
            ["git", *arguments],
            cwd=top,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: self.flag.exists() or process.poll() is not None, "git reaches the script")
            assert process.poll() is None
            yield
        finally:
            self.go.touch()
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        assert code == 0


@pytest.fixture
def top(tmp_path: Path) -> str:
    return repository(str(tmp_path / "repository"))


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    folder = tmp_path / "hold"
    folder.mkdir()
    return Hold(folder)


# What stops at a conflict: its name, and the command that begins it on `main`.
OPERATIONS = {
    "merge": ("merge", ["merge", "side"]),
    "cherry-pick": ("cherry-pick", ["cherry-pick", "side"]),
    "cherry-pick of several": ("cherry-pick", ["cherry-pick", "side", "side~0"]),
    "revert": ("revert", ["revert", "--no-edit", "main~1"]),
    "rebase": ("rebase", ["rebase", "--merge", "side"]),
    "rebase by patches": ("rebase", ["rebase", "--apply", "side"]),
}


def stop_at_a_conflict(top: str, operation: str) -> str:
    """Begin the operation, which stops; what it is called."""
    name, command = OPERATIONS[operation]
    if name == "revert":
        commit(top, "newer\n")
    git(top, *command, fails=True)
    return name


# --- where the Git folder is ----------------------------------------------------------------------


def real_git_folder(top: str) -> str:
    return os.path.realpath(git(top, "rev-parse", "--absolute-git-dir"))


@pytest.mark.parametrize("name", ["plain", ODD])
def test_the_git_folder_of_a_repository_is_found(tmp_path: Path, name: str) -> None:
    top = repository(str(tmp_path / name))
    assert git_folder(top) == os.path.join(top, ".git")


@pytest.mark.parametrize("name", ["plain", ODD])
def test_the_git_folder_of_a_worktree_is_its_own(tmp_path: Path, name: str) -> None:
    top = repository(str(tmp_path / name))
    tree = str(tmp_path / f"{name} tree")
    git(top, "worktree", "add", tree, "side")
    found = os.path.realpath(git_folder(tree))
    assert found == real_git_folder(tree)
    assert os.path.dirname(found) == os.path.realpath(os.path.join(top, ".git", "worktrees"))


def test_the_git_folder_of_a_submodule_is_in_that_of_the_repository(tmp_path: Path, top: str) -> None:
    inner = with_submodule(tmp_path, top)
    found = os.path.realpath(git_folder(inner))
    assert found == real_git_folder(inner)
    assert found == os.path.realpath(os.path.join(top, ".git", "modules", "inner"))


def with_submodule(tmp_path: Path, top: str) -> str:
    """Add a submodule that has the branches of `repository`; its top."""
    source = repository(str(tmp_path / "source"))
    git(top, "-c", "protocol.file.allow=always", "submodule", "add", source, "inner")
    git(top, "commit", "-m", "inner")
    return os.path.join(top, "inner")


# --- nothing under way ----------------------------------------------------------------------------


def test_nothing_is_under_way_where_git_rests(top: str) -> None:
    assert under_way(top) is None


def test_nothing_is_under_way_where_there_is_no_git(tmp_path: Path) -> None:
    assert under_way(str(tmp_path)) is None
    assert under_way(str(tmp_path / "gone")) is None


def test_a_git_file_that_leads_nowhere_is_no_operation(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: ../gone/.git\n")
    assert under_way(str(tmp_path)) is None


def test_a_git_file_of_other_bytes_is_no_operation(tmp_path: Path) -> None:
    (tmp_path / ".git").write_bytes(b"\xff\0\n")
    assert under_way(str(tmp_path)) is None


def test_processes_are_not_looked_at_while_git_rests(top: str) -> None:
    code = (
        "import sys; from reloader.watching.git_activity import under_way\n"
        "assert under_way(sys.argv[1]) is None; assert 'psutil' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, top], check=True, timeout=LIMIT)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_stopped_at_a_conflict_is_not_under_way(top: str, operation: str) -> None:
    stop_at_a_conflict(top, operation)
    assert under_way(top) is None


# --- the lock of the index ------------------------------------------------------------------------


def test_a_fresh_lock_is_under_way_though_no_git_is_seen(top: str) -> None:
    write(top, ".git/index.lock", "")
    assert operation(top) == "git"


def test_a_stale_lock_is_not_under_way(top: str) -> None:
    write(top, ".git/index.lock", "")
    age(lock_of(top))
    assert under_way(top) is None


def test_a_fresh_lock_during_a_conflict_is_told_by_the_operation(top: str) -> None:
    stop_at_a_conflict(top, "rebase")
    write(top, ".git/index.lock", "")
    assert operation(top) == "rebase"


# --- a Git at work --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", ODD])
def test_a_checkout_is_under_way_until_it_ends(tmp_path: Path, hold: Hold, name: str) -> None:
    top = repository(str(tmp_path / name))
    with hold.git(top, *hold.smudge, "checkout", "side"):
        assert os.path.exists(lock_of(top))
        assert operation(top) == "git"
    assert under_way(top) is None


@pytest.mark.parametrize("name", ["plain", ODD])
def test_a_checkout_that_takes_long_is_known_by_its_process(tmp_path: Path, hold: Hold, name: str) -> None:
    top = repository(str(tmp_path / name))
    with hold.git(top, *hold.smudge, "checkout", "side"):
        age(lock_of(top))
        assert operation(top) == "git"
    assert under_way(top) is None


def test_a_git_that_was_begun_elsewhere_is_known_by_where_it_works(
    tmp_path: Path, top: str, hold: Hold
) -> None:
    with hold.git(str(tmp_path), "-C", top, *hold.smudge, "checkout", "side"):
        age(lock_of(top))
        assert operation(top) == "git"


def test_a_top_behind_a_link_is_the_same(tmp_path: Path, top: str, hold: Hold) -> None:
    link = tmp_path / "link"
    link.symlink_to(top)
    with hold.git(top, *hold.smudge, "checkout", "side"):
        age(lock_of(top))
        assert operation(str(link)) == "git"


def test_a_commit_is_under_way_while_its_message_is_written(top: str, hold: Hold) -> None:
    write(top, "a.txt", "newer\n")
    with hold.git(top, *hold.editor, "commit", "-a", "--amend"):
        age(lock_of(top))
        assert operation(top) == "git"
    assert under_way(top) is None


def test_a_rebase_is_under_way_between_its_commits(top: str, hold: Hold) -> None:
    commit(top, "newer\n")
    with hold.git(top, "rebase", "--exec", hold.command, "main~1"):
        assert not os.path.exists(lock_of(top))
        assert operation(top) == "rebase"
    assert under_way(top) is None


def test_the_step_stays_while_git_waits_and_changes_when_it_goes_on(top: str, hold: Hold) -> None:
    commit(top, "newer\n")
    commit(top, "newest\n")
    with hold.git(top, "rebase", "--exec", hold.command, "--exec", "true", "main~2"):
        first = under_way(top)
        assert first == under_way(top)
        write(top, "b.txt", "saved meanwhile\n")
        assert first == under_way(top)
        done = os.path.join(top, ".git", "rebase-merge", "done")
        with open(done, "a") as file:
            file.write("\n")
        later = under_way(top)
    assert first is not None
    assert later is not None
    assert later.operation == first.operation
    assert later.step != first.step


def test_only_a_git_that_may_wait_for_an_editor_has_a_step(tmp_path: Path, top: str, hold: Hold) -> None:
    """A checkout that takes long goes on to change files: whoever waits for it does so at each of them."""
    with hold.git(top, *hold.smudge, "checkout", "side"):
        checkout = under_way(top)
    write(top, "a.txt", "newer\n")
    hold.flag.unlink()
    hold.go.unlink()
    with hold.git(top, *hold.editor, "commit", "-a", "--amend"):
        commit_with_editor = under_way(top)
    assert checkout is not None
    assert checkout.step == ""
    assert commit_with_editor is not None
    assert commit_with_editor.step


def test_a_git_that_waits_in_the_tool_of_a_conflict_is_not_at_work(top: str, hold: Hold) -> None:
    stop_at_a_conflict(top, "merge")
    settings = ("-c", f"mergetool.held.cmd={hold.command}", "-c", "mergetool.held.trustExitCode=true")
    with hold.git(top, *settings, "mergetool", "--no-prompt", "--tool=held"):
        assert under_way(top) is None


# --- worktrees and submodules ---------------------------------------------------------------------


def test_a_worktree_and_its_repository_are_apart(tmp_path: Path, top: str, hold: Hold) -> None:
    tree = str(tmp_path / "tree")
    git(top, "worktree", "add", "--detach", tree)
    stop_at_a_conflict(top, "merge")
    with hold.git(tree, *hold.smudge, "checkout", "side"):
        age(lock_of(tree))
        assert operation(tree) == "git"
        assert under_way(top) is None
    assert under_way(tree) is None


def test_a_repository_and_its_worktree_are_apart(tmp_path: Path, top: str, hold: Hold) -> None:
    tree = str(tmp_path / "tree")
    git(top, "worktree", "add", "--detach", tree)
    stop_at_a_conflict(tree, "merge")
    with hold.git(top, *hold.smudge, "checkout", "side"):
        age(lock_of(top))
        assert operation(top) == "git"
        assert under_way(tree) is None


def test_a_submodule_is_under_way_by_itself(tmp_path: Path, top: str, hold: Hold) -> None:
    inner = with_submodule(tmp_path, top)
    with hold.git(inner, *hold.smudge, "checkout", "-b", "side", "origin/side"):
        age(lock_of(inner))
        assert operation(inner) == "git"
        assert under_way(top) is None
    assert under_way(inner) is None


# --- processes of Git that are not at work here ---------------------------------------------------


def test_a_git_in_a_folder_with_a_longer_name_is_another(top: str, hold: Hold) -> None:
    stop_at_a_conflict(top, "rebase")
    other = repository(f"{top}-other")
    with hold.git(other, *hold.smudge, "checkout", "side"):
        assert under_way(top) is None
        assert operation(other) == "git"


def test_a_git_that_waits_for_questions_is_not_at_work(top: str) -> None:
    stop_at_a_conflict(top, "rebase")
    with subprocess.Popen(
        ["git", "cat-file", "--batch-check"],
        cwd=top,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"HEAD\n")
        process.stdin.flush()
        assert b" commit " in process.stdout.readline()
        assert under_way(top) is None
        process.stdin.close()


def test_a_git_that_ended_and_was_not_reaped_is_not_at_work(top: str) -> None:
    stop_at_a_conflict(top, "rebase")
    with subprocess.Popen(
        ["git", "status"], cwd=top, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert under_way(top) is None


def test_another_program_in_the_work_tree_is_no_git(top: str, hold: Hold) -> None:
    stop_at_a_conflict(top, "rebase")
    script = hold.command.strip("'")
    with subprocess.Popen([script], cwd=top) as process:
        try:
            eventually(hold.flag.exists, "the script runs")
            assert under_way(top) is None
        finally:
            hold.go.touch()
        assert process.wait(LIMIT) == 0
