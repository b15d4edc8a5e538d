"""Files of other users in a shared folder: they are named, and tell us nothing unless that is wanted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import RELOADER, Run, save

from reloader.cli import settings_file
from reloader.common import trust
from reloader.watching.gitignore_files import repository_of

# Users that exist in the test alone.
OTHER, THIRD = 65533, 65532
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs the superuser, to make files of other users")


def theirs(path: Path, text: str | None = None) -> Path:
    """Make it another user's."""
    if text is not None:
        path.write_text(text)
    os.chown(path, OTHER, OTHER, follow_symlinks=False)
    return path


@pytest.fixture
def shared(project: Path) -> Path:
    """A project in a folder that others write to."""
    theirs(project / "reloader.toml", f"check = 'touch {project}/pwned'\nhold = true\n")
    theirs(project / "pyproject.toml", "[tool.reloader\nbroken")
    return project


@pytest.mark.parametrize("wanted", [False, True])
def test_a_check_of_another_user_is_run_only_where_that_is_wanted(
    start: Callable[..., Run], shared: Path, wanted: bool
) -> None:
    """Seen to fail: the command in their file ran as us at the first save."""
    run = start(
        "--", "python", "worker.py", folder=shared, env={"RELOADER_TRUST": str(shared)} if wanted else {}
    )
    run.out.wait_for("ready 1")
    run.err.wait_for("watching")
    save(shared / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    assert (shared / "pwned").exists() is wanted
    told = f"reloader: does not follow reloader.toml: it belongs to uid {OTHER}\nhint: RELOADER_TRUST={shared} follows"
    assert (told in run.err.text) is not wanted
    assert ("pyproject.toml" in run.err.text) is not wanted


def test_ignore_files_and_repositories_of_another_user_hide_nothing(
    start: Callable[..., Run], project: Path
) -> None:
    (project / "mine").mkdir()
    save(project / "mine" / "more.py", "")
    theirs(project / ".gitignore", "*.py\n")
    theirs(project / "mine" / ".gitignore", "*\n")
    (project / ".git" / "info").mkdir(parents=True)
    theirs(project / ".git" / "info" / "exclude", "mine/\n")
    (project / ".git" / "index.lock").touch()
    theirs(project / ".git")
    why = [RELOADER, "why", "task.py", "mine/more.py"]
    asked = subprocess.run(why, cwd=project, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stdout
    doctor = subprocess.run([RELOADER, "doctor"], cwd=project, capture_output=True, text=True)
    assert f"not followed       .gitignore: it belongs to uid {OTHER}" in doctor.stdout
    run = start("--", "python", "worker.py", folder=project)
    run.out.wait_for("ready 1")
    run.err.wait_for(rf"does not follow mine/.gitignore: it belongs to uid {OTHER}")
    run.err.wait_for("watching")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    assert run.err.text.count("does not follow") == 2
    asked = subprocess.run(
        why, cwd=project, capture_output=True, text=True, env={**os.environ, "RELOADER_TRUST": "*"}
    )
    assert asked.stdout.count("does not count: it is ignored (.gitignore:1: *.py)") == 1, asked.stdout
    assert asked.stdout.count("does not count: mine/ is ignored (.git/info/exclude:1: mine/)") == 1, (
        asked.stdout
    )


def test_a_link_that_another_user_has_made_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("name = 'x'\n")
    theirs_link = tmp_path / "reloader.toml"
    theirs_link.symlink_to("own")
    theirs(theirs_link)
    told: list[tuple[str, str]] = []
    (tmp_path / ".git").mkdir()
    assert settings_file.find(str(tmp_path), lambda *refused: told.append(refused)) is None
    assert told == [(str(theirs_link), f"uid {OTHER}")]


def test_what_another_user_puts_above_hides_no_settings_further_up(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "reloader.toml").write_text("name = 'x'\n")
    below = tmp_path / "a"
    below.mkdir()
    theirs(below / "reloader.toml", "name = 'y'\n")
    assert settings_file.find(str(below)) == str(tmp_path / "reloader.toml")


def test_the_search_ends_where_the_owner_changes_and_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above, home, below = tmp_path, tmp_path / "home", tmp_path / "home" / "a" / "b"
    below.mkdir(parents=True)
    (above / "reloader.toml").write_text("")
    assert settings_file.find(str(below)) == str(above / "reloader.toml")
    monkeypatch.setenv("HOME", str(home))
    assert settings_file.find(str(below)) is None
    (home / "reloader.toml").write_text("")
    assert settings_file.find(str(below)) == str(home / "reloader.toml")
    monkeypatch.undo()
    for folder in (below, below.parent):
        theirs(folder)
    assert settings_file.find(str(below)) is None


def test_who_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = theirs(tmp_path / "file", "")
    roots = tmp_path / "roots"
    roots.touch()
    trust.check(str(roots))
    with pytest.raises(trust.UntrustedError):
        trust.check(str(file))
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    trust.check(str(file))
    monkeypatch.setenv("SUDO_UID", str(THIRD))
    for named, follows in (
        (f"/nowhere:{tmp_path}", True),
        (str(file), True),
        (f"{tmp_path}/fil", False),
        ("", False),
        ("/", True),
    ):
        monkeypatch.setenv("RELOADER_TRUST", named)
        if follows:
            trust.check(str(file))
        else:
            with pytest.raises(trust.UntrustedError, match=f"belongs to uid {OTHER}"):
                trust.check(str(file))


def test_another_user_trusts_themselves_and_root_alone(tmp_path: Path) -> None:
    """In a child that is another user: root's files and their own are followed, a third one's are not."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    for name, owner in (("roots", 0), ("own", OTHER), ("third", THIRD)):
        (place / name).touch()
        os.chown(place / name, owner, owner)
    (place / ".git").mkdir()
    os.chown(place / ".git", THIRD, THIRD)
    pid = os.fork()
    if not pid:
        os.setuid(OTHER)
        followed = []
        for name in ("roots", "own", "third"):
            try:
                trust.check(str(place / name))
                followed.append(name)
            except trust.UntrustedError:
                pass
        os._exit(0 if followed == ["roots", "own"] and repository_of(str(place)) != str(place) else 1)
    assert os.waitpid(pid, 0)[1] == 0
