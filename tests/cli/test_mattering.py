"""Which saves restart: real changes, of code that is not broken, and never for ever."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Run, eventually, restarts, save, settle

Start = Callable[..., Run]
PYTHON = sys.executable
SOURCE = 'VERSION = 1\n\n\ndef greet(name):\n    """Say hello."""\n    return {"hello": name}\n'


@pytest.fixture
def at_work(project: Path, start: Start) -> Callable[..., Run]:
    """Starts the worker, and returns once it is watched and its contents are known."""

    def begin(*options: str, command: tuple[str, ...] = (PYTHON, "worker.py")) -> Run:
        run = start("-v", *options, "--", *command)
        run.out.wait_for("ready 1")
        run.err.wait_for("watching")
        if "any" not in options:
            run.err.wait_for("the content of .* is known")
        return run

    (project / "task.py").write_text(SOURCE)
    return begin


# --- only real changes ----------------------------------------------------------------------------


def touch(path: Path) -> None:
    path.touch()


def same_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def same_bytes_by_rename(path: Path) -> None:
    other = path.with_name("other.tmp")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def deleted_and_back(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def changed_and_back(path: Path) -> None:
    content = path.read_text()
    path.write_text(content.replace("hello", "good bye"))
    path.write_text(content)


@pytest.mark.parametrize(
    "write", [touch, same_bytes, same_bytes_by_rename, deleted_and_back, changed_and_back]
)
def test_the_same_content_is_no_reason(
    project: Path, at_work: Callable[..., Run], write: Callable[[Path], None]
) -> None:
    run = at_work()
    for _ in range(2):
        write(project / "task.py")
        run.err.wait_for(r"task\.py saved with the same content → no restart")
    settle(run, project / "task.py")
    assert restarts(run) == 0
    save(project / "task.py", SOURCE.replace("= 1", "= 2"))
    run.out.wait_for("ready 2")
    # What the new generation was started from is what counts now.
    run.err.wait_for("the content of .* is known")
    write(project / "task.py")
    run.err.wait_for(r"task\.py saved with the same content → no restart")
    assert run.stop() == 0
    assert restarts(run) == 1


@pytest.mark.parametrize("options", [(), ("--restart-on", "any")])
def test_a_mode_or_another_link_is_no_reason(
    project: Path, at_work: Callable[..., Run], options: tuple[str, ...]
) -> None:
    run = at_work(*options)
    (project / "task.py").chmod(0o755)
    (project / "linked.txt").hardlink_to(project / "task.py")
    settle(run, project / "task.py")
    assert run.stop() == 0
    assert restarts(run) == 0


def test_a_write_that_leaves_size_inode_and_time_is_a_reason(
    project: Path, at_work: Callable[..., Run]
) -> None:
    """As of an archive that is unpacked with fixed times. Seen to fail without the time of change."""
    path = project / "task.py"
    os.utime(path, ns=(0, 0))
    run = at_work()
    before = path.stat()
    with path.open("r+") as file:
        file.write(SOURCE.replace("= 1", "= 2"))
    os.utime(path, ns=(0, 0))
    after = path.stat()
    assert (before.st_size, before.st_ino, before.st_mtime) == (after.st_size, after.st_ino, after.st_mtime)
    run.err.wait_for(r"task\.py changed → draining")
    assert run.stop() == 0


def commented(path: Path) -> None:
    path.write_text("# a comment\n" + path.read_text().replace("= 1", "= 1  # one"))


def formatted_by_ruff(path: Path) -> None:
    format_with("ruff", "format", "--isolated", "--quiet", path=path)


def formatted_by_black(path: Path) -> None:
    format_with("black", "--quiet", path=path)


def format_with(program: str, *options: str, path: Path) -> None:
    """Save what the program then formats, which is another tree for a moment only."""
    path.write_text(path.read_text().replace("VERSION = 1", "VERSION  =  (1)"))
    subprocess.run([str(Path(PYTHON).with_name(program)), *options, str(path)], check=True)


def blank_lines(path: Path) -> None:
    path.write_text(path.read_text().replace("\n", "\n\n"))


@pytest.mark.parametrize("write", [commented, formatted_by_ruff, formatted_by_black, blank_lines])
def test_a_python_file_with_the_same_syntax_tree_is_no_reason(
    project: Path, at_work: Callable[..., Run], write: Callable[[Path], None]
) -> None:
    run = at_work()
    write(project / "task.py")
    run.err.wait_for(r"task\.py saved with (other comments or formatting only|the same content) → no restart")
    settle(run, project / "task.py")
    assert restarts(run) == 0
    save(project / "task.py", SOURCE.replace("Say hello", "Greet"))
    run.err.wait_for("task.py changed → draining")
    assert run.stop() == 0


def test_comments_of_another_language_are_a_reason(project: Path, at_work: Callable[..., Run]) -> None:
    (project / "conf.toml").write_text("a = 1\n")
    run = at_work()
    save(project / "conf.toml", "a = 1 # one\n")
    run.err.wait_for(r"conf\.toml changed → draining")
    assert run.stop() == 0


def test_any_save_restarts_where_that_is_wanted(project: Path, at_work: Callable[..., Run]) -> None:
    run = at_work("--restart-on", "any")
    (project / "task.py").touch()
    run.err.wait_for("task.py changed → draining")
    run.out.wait_for("ready 1")
    save(project / "task.py", "# a comment\n" + SOURCE)
    run.err.wait_for("task.py changed → draining")
    assert run.stop() == 0


# --- broken code ----------------------------------------------------------------------------------


def test_broken_code_leaves_the_worker_at_work_until_it_is_mended(
    project: Path, at_work: Callable[..., Run]
) -> None:
    run = at_work()
    save(project / "task.py", "VERSION = 2\ndef broken(:\n    pass\n")
    run.err.wait_for(
        r"task\.py changed, but task\.py:2 cannot be compiled → worker goes on with the last good code"
    )
    run.err.wait_for(r'File "task\.py", line 2$')
    run.err.wait_for(r"def broken\(:$")
    run.err.wait_for(r"^reloader \|\s+\^$")
    run.err.wait_for("SyntaxError: ")
    run.err.wait_for(r"hint: .*--no-hold restarts regardless; to ignore it: --ignore /task\.py")
    settle(run, project / "worker.py")
    assert restarts(run) == 0
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_broken_code_that_is_undone_is_no_restart(project: Path, at_work: Callable[..., Run]) -> None:
    run = at_work()
    save(project / "task.py", "return\n")
    run.err.wait_for(r"SyntaxError: 'return' outside function")
    save(project / "task.py", SOURCE)
    run.err.wait_for("the broken change is gone; the files are again what worker runs")
    assert run.stop() == 0
    assert restarts(run) == 0


def test_a_whole_that_is_broken_in_one_file_is_held(project: Path, at_work: Callable[..., Run]) -> None:
    run = at_work()
    save(project / "task.py", "VERSION = 2\n")
    save(project / "other.py", "class\n")
    run.err.wait_for("goes on with the last good code")
    (project / "other.py").unlink()
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_broken_code_that_the_worker_has_not_imported_holds_nothing(
    project: Path, at_work: Callable[..., Run]
) -> None:
    for folder in ("shop", "tests/data"):
        (project / folder).mkdir(parents=True)
    (project / "shop" / "__init__.py").write_text("")
    (project / "task.py").write_text("import shop\n" + SOURCE)
    run = at_work("--ready", "^ready")
    broken = project / "tests" / "data" / "broken.py"
    save(broken, "def broken(:\n")
    run.err.wait_for(
        r"tests/data/broken\.py cannot be compiled \(SyntaxError.*does not import it → no restart"
    )
    save(project / "task.py", "import shop\n" + SOURCE.replace("= 1", "= 2"))
    run.out.wait_for("ready 2")
    run.err.wait_for("the content of .* is known")
    # Mended, it is a change like any other.
    save(broken, "")
    run.err.wait_for(r"tests/data/broken\.py changed → draining")
    run.out.wait_for("ready 2")
    run.err.wait_for("the content of .* is known")
    # Beside an imported file, and in a package that is new, it may be imported.
    save(project / "shop" / "models.py", "def broken(:\n")
    run.err.wait_for(r"shop/models\.py.* cannot be compiled → worker goes on with the last good code")
    (project / "shop" / "models.py").unlink()
    run.err.wait_for("the broken change is gone")
    (project / "till").mkdir()
    save(project / "till" / "__init__.py", "def broken(:\n")
    run.err.wait_for(r"till/__init__\.py.* cannot be compiled → worker goes on with the last good code")
    assert run.stop() == 0


def test_broken_code_restarts_where_that_is_wanted(project: Path, at_work: Callable[..., Run]) -> None:
    run = at_work("--no-hold", "--check", "false")
    save(project / "task.py", "def broken(:\n")
    run.err.wait_for(r"worker crashed at its start \(exit status 1\) → waiting for a change")
    assert run.stop() == 0


def older_python() -> str | None:
    """An interpreter whose syntax is older than ours."""
    for minor in range(8, sys.version_info.minor):
        for found in (
            *Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"),
            shutil.which(f"python3.{minor}"),
        ):
            if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
                return str(found)
    return None


def test_code_is_judged_by_the_interpreter_of_the_worker(project: Path, at_work: Callable[..., Run]) -> None:
    python = older_python()
    if python is None:
        pytest.skip("there is no older Python than ours")
    newer = {
        (3, 8): "with (open('x') as a, open('y') as b):\n    pass\n@[f][0]\ndef f():\n    pass\n",
        (3, 9): "match 1:\n    case _:\n        pass\n",
        (3, 10): "try:\n    pass\nexcept* ValueError:\n    pass\n",
        (3, 11): "type X = int\n",
        (3, 12): "class A[T = int]:\n    pass\n",
    }
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=True
    )
    run = at_work(command=(python, "worker.py"))
    save(project / "task.py", newer[3, int(version.stdout)])
    run.err.wait_for("goes on with the last good code")
    run.err.wait_for("SyntaxError: ")
    save(project / "task.py", "VERSION = 2\n")
    run.out.wait_for("ready 2")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_a_check_that_fails_holds_and_one_that_passes_lets_go(
    project: Path, at_work: Callable[..., Run]
) -> None:
    check = "python -c 'import task, sys; print(\"looked at\", task.VERSION); sys.exit(task.VERSION % 2)'"
    run = at_work("--check", check.replace("python", PYTHON))
    save(project / "task.py", "VERSION = 3\n")
    run.err.wait_for(r"task\.py changed → .*import task")
    run.err.wait_for(r"task\.py changed, but .*import task.* failed → worker goes on with the last good code")
    run.err.wait_for("looked at 3")
    run.err.wait_for("exit status 1")
    save(project / "task.py", "VERSION = 4\n")
    run.out.wait_for("ready 4")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_a_check_is_given_up_when_a_newer_change_comes(project: Path, at_work: Callable[..., Run]) -> None:
    (project / "check.sh").write_text('echo $$ >> pids.log\ngrep -q "= 2" task.py && sleep 600\nexit 0\n')
    run = at_work("--check", "sh check.sh")
    pids = project / "pids.log"
    save(project / "task.py", "VERSION = 2\n")
    eventually(lambda: pids.exists() and pids.read_text().split(), "the check runs")
    save(project / "task.py", "VERSION = 3\n")
    run.out.wait_for("ready 3")
    first = int(pids.read_text().split()[0])
    eventually(lambda: not Path(f"/proc/{first}").exists(), "the first check is gone")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_the_end_does_not_wait_for_a_check(project: Path, at_work: Callable[..., Run]) -> None:
    run = at_work("--check", "echo begun > begun.log; sleep 600")
    save(project / "task.py", "VERSION = 2\n")
    eventually((project / "begun.log").exists, "the check runs")
    assert run.stop() == 0


# Starts a child that does as told, in a process group or a session of its own, and notes its pid.
LEAVING = """
import os, sys, time
if not os.fork():
    getattr(os, sys.argv[1])()
    print(os.getpid(), file=open("pids.log", "a"), flush=True)
    time.sleep(float(sys.argv[2]))
    os._exit(0)
while not os.path.exists("pids.log"): time.sleep(0.01)
time.sleep(float(sys.argv[3]))
"""


@pytest.mark.parametrize("leave", ["setpgrp", "setsid"])
def test_the_processes_of_a_check_end_where_the_supervisor_is_killed(
    project: Path, at_work: Callable[..., Run], leave: str
) -> None:
    """Seen to fail with a check that has no guard: both processes went on."""
    (project / "leaving").write_text(LEAVING)
    run = at_work("--check", f"{PYTHON} leaving {leave} 600 600")
    save(project / "task.py", "VERSION = 2\n")
    eventually((project / "pids.log").exists, "the check runs")
    eventually((project / "pids.log").read_text, "its child as well")
    child = int((project / "pids.log").read_text())
    run.kill()
    run.nothing_is_left()
    assert not Path(f"/proc/{child}").exists()
    assert "check" not in run.err.text.partition("reloader itself was killed")[2]


@pytest.mark.parametrize("leave", ["setpgrp", "setsid"])
def test_what_a_check_leaves_behind_ends_and_is_no_zombie(
    project: Path, at_work: Callable[..., Run], leave: str
) -> None:
    """Seen to fail with a check that has no guard: in a group of its own it became a zombie of ours, and in a
    session of its own it went on.
    """
    (project / "leaving").write_text(LEAVING)
    run = at_work("--check", f"{PYTHON} leaving {leave} 600 0; exit 1")
    save(project / "task.py", "VERSION = 2\n")
    run.err.wait_for("goes on with the last good code")
    child = int((project / "pids.log").read_text())
    assert not Path(f"/proc/{child}").exists()
    eventually(lambda: not run.zombies(), "all are collected")
    assert run.stop() == 0


# --- loops ----------------------------------------------------------------------------------------


# What a worker may do at each start, and what is set aside then.
LOOPS = {
    "made.toml": ("pathlib.Path('made.toml').write_text(f'at = {time.time_ns()}\\n')", "made.toml"),
    "by rename": (
        "pathlib.Path('made.tmp').write_text(f'at = {time.time_ns()}\\n'); os.replace('made.tmp', 'made.toml')",
        "made.toml",
    ),
    "a new file": (
        "os.makedirs('reports', exist_ok=True); open(f'reports/{os.getpid()}.html', 'w').write('hello')",
        "reports/*.html",
    ),
    "its own source": (
        "pathlib.Path('task.py').write_text(f'VERSION = {time.time_ns()}\\n')",
        "task.py",
    ),
    "in a fork": (
        "pid = os.fork() or os._exit(not pathlib.Path('made.toml').write_text(f'at = {time.time_ns()}\\n'));"
        " os.waitpid(pid, 0)",
        "made.toml",
    ),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_worker_that_writes_into_its_own_tree_is_set_aside_soon(
    project: Path, start: Start, loop: str
) -> None:
    write, cause = LOOPS[loop]
    (project / "worker.py").write_text(
        "import os, pathlib, signal, sys, time\n"
        "import task\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        f"{write}\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    run = start("-v", "--", PYTHON, "worker.py")
    shown = re.escape(cause)
    run.err.wait_for(rf"worker writes {shown} after every start → it restarts nothing for 1 min", 60)
    option = f"'/{cause}'" if "*" in cause else f"/{cause}"
    run.err.wait_for(re.escape(f"hint: --ignore {option}"))
    settle(run, project / "worker.py")
    assert restarts(run) <= 6
    # Everything else restarts as before, and the option that is named helps.
    save(project / "other.py", "VERSION = 2\n")
    run.err.wait_for(r"other\.py.* (added|changed) → draining")
    assert run.stop() == 0
    run = start("-v", "--ignore", "/" + cause, "--", PYTHON, "worker.py")
    run.out.wait_for("up")
    run.err.wait_for("watching")
    settle(run, project / "worker.py")
    assert run.stop() == 0
    assert restarts(run) == 0


def test_a_command_that_is_not_python_is_set_aside_too(project: Path, start: Start) -> None:
    script = "date +%N > made.toml; echo up; while :; do sleep 60 & wait; done"
    (project / "made.toml").touch()  # else the first start may add it, which is another cause
    run = start("-v", "--", "sh", "-c", f"trap 'exit 0' INT TERM; {script}")
    run.err.wait_for(r"made\.toml caused 9 restarts within 1 min → waiting for 2 s without changes", 60)
    run.err.wait_for(r"made\.toml changes after every start → it restarts nothing for 1 min", 60)
    run.err.wait_for("hint: if sh writes it: --ignore /made.toml")
    settle(run, project / "worker.py")
    assert restarts(run) == 10
    assert run.stop() == 0


def test_whoever_saves_often_is_never_set_aside(project: Path, at_work: Callable[..., Run]) -> None:
    """A setting, which a worker might write: more restarts than a worker that writes it may cause."""
    run = at_work()
    (project / "conf.toml").write_text("at = 0\n")
    for number in range(1, 15):
        run.out.wait_for("ready")
        save(project / "conf.toml", f"at = {number}\n")
    run.out.wait_for("ready")
    assert run.stop() == 0
    assert "restarts nothing" not in run.err.text
    assert "waiting for 2 s" not in run.err.text


# --- Git ------------------------------------------------------------------------------------------


IDENTIFIED_GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")


def git(folder: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([*IDENTIFIED_GIT, *words], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path) -> Path:
    """The project in a repository, with a branch `other` of another version and 300 other files."""
    git(project, "init", "-q", "-b", "main")
    (project / "task.py").write_text(SOURCE)
    for number in range(300):
        (project / f"m{number}.py").write_text("A = 1\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    git(project, "checkout", "-qb", "other")
    (project / "task.py").write_text(SOURCE.replace("= 1", "= 2"))
    for number in range(300):
        (project / f"m{number}.py").write_text("A = 2\n")
    git(project, "commit", "-qam", "two")
    git(project, "checkout", "-q", "main")
    return project


def test_a_checkout_is_one_restart(repository: Path, at_work: Callable[..., Run]) -> None:
    run = at_work()
    git(repository, "checkout", "-q", "other")
    run.out.wait_for("ready 2")
    settle(run, repository / "worker.py")
    assert run.stop() == 0
    assert restarts(run) == 1


def test_a_checkout_there_and_back_is_none(repository: Path, at_work: Callable[..., Run]) -> None:
    run = at_work("--debounce", "1s")
    git(repository, "checkout", "-q", "other")
    git(repository, "checkout", "-q", "main")
    run.err.wait_for("saved with the same content → no restart|none that counts has changed")
    settle(run, repository / "worker.py")
    assert run.stop() == 0
    assert restarts(run) == 0


@pytest.mark.parametrize("kind", ["repository", "worktree", "submodule"])
def test_a_rebase_is_waited_out(
    repository: Path, at_work: Callable[..., Run], start: Start, kind: str
) -> None:
    """It stops between its steps for longer than any quiet period, with a file changed each time."""
    top = repository
    if kind == "worktree":
        top = repository / "tree"
        git(repository, "worktree", "add", "-q", "tree", "-b", "third")
    if kind == "submodule":
        top = repository / "sub"
        git(repository, "clone", "-q", "--bare", ".", "../bare.git")
        git(repository, "submodule", "add", "-q", "../bare.git", "sub")
        git(top, "checkout", "-qb", "third")
    for number in range(3):
        (top / f"step{number}.py").write_text("A = 1\n")
        git(top, "add", ".")
        git(top, "commit", "-qm", f"step {number}")
    run = at_work("--watch", ".", "--watch", str(top))
    go = repository / "go.log"
    command = f"touch at.log; while [ ! -e {go} ]; do sleep 0.02; done"
    rebase = subprocess.Popen(
        [*IDENTIFIED_GIT, "rebase", "-q", "--force-rebase", "--exec", command, "HEAD~3"],
        cwd=top,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run.err.wait_for("waiting for rebase to end")
    assert restarts(run) == 0
    go.touch()
    assert rebase.wait(60) == 0
    settle(run, repository / "worker.py")
    assert restarts(run) <= 1
    save(repository / "task.py", "VERSION = 5\n")
    run.out.wait_for("ready 5")
    assert run.stop() == 0
    assert not re.search("crashed", run.err.text)


def test_an_open_editor_of_git_delays_one_save_only(repository: Path, at_work: Callable[..., Run]) -> None:
    (repository / "m1.py").write_text("A = 3\n")
    run = at_work()
    go, reached = repository / "go.log", repository / "reached.log"
    editor = f"sh -c 'touch {reached}; while [ ! -e {go} ]; do sleep 0.02; done'"
    commit = subprocess.Popen(
        [*IDENTIFIED_GIT, "-c", f"core.editor={editor}", "commit", "-a", "--amend"],
        cwd=repository,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(reached.exists, "the editor is open")
    save(repository / "task.py", "VERSION = 5\n")
    run.err.wait_for("waiting for git to end")
    run.out.wait_for("ready 5")
    for version in (6, 7):
        save(repository / "task.py", f"VERSION = {version}\n")
        run.out.wait_for(f"ready {version}")
    go.touch()
    assert commit.wait(60) == 0
    assert run.stop() == 0
    assert len(re.findall("waiting for git", run.err.text)) == 1


# --- patterns -------------------------------------------------------------------------------------


def test_a_pattern_that_matches_nothing_is_told(project: Path, start: Start) -> None:
    (project / "data").mkdir()
    run = start(
        *(
            "-v",
            "--ignore",
            "data/",
            "--ignore",
            "/task.py",
            "--ignore",
            "*.pyy",
            "--include",
            "/nowhere/*.sql",
        ),
        *("--", PYTHON, "worker.py"),
    )
    run.err.wait_for(r"--ignore '\*\.pyy' matches nothing")
    run.err.wait_for(r"--include '/nowhere/\*\.sql' matches nothing")
    settle(run, project / "worker.py")
    assert run.stop() == 0
    assert run.err.text.count("matches nothing") == 2


# --- where nothing runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("write", [touch, same_bytes, same_bytes_by_rename, commented])
@pytest.mark.parametrize("options", [(), ("--on-exit", "restart")], ids=["wait", "retry"])
def test_any_save_starts_a_worker_that_has_ended(
    project: Path, start: Start, write: Callable[[Path], None], options: tuple[str, ...]
) -> None:
    """It may have ended for a reason outside of its code: a database that was not there.

    Seen to fail before: the save restarted nothing, and the worker stayed away.
    """
    outside = project / "database"
    (project / "worker.py").write_text(
        "import os, sys, time, task\n"
        "if not os.path.exists('database'): sys.exit('no database')\n"
        "print('at work', flush=True)\ntime.sleep(600)\n"
    )
    (project / "task.py").write_text(SOURCE)
    run = start("-v", *options, "--", PYTHON, "worker.py")
    # Retries come at longer and longer intervals: the save is quicker.
    crashes = 4 if options else 1
    eventually(lambda: run.err.text.count("crashed at its start") == crashes, "it has crashed so often")
    eventually(lambda: "is known" in run.err.text, "the contents are known")
    # A file's time is that of the kernel's last tick, which may lie before the end of the worker.
    ended = time.time_ns()

    def has_ticked() -> bool:
        outside.touch()
        return outside.stat().st_ctime_ns > ended

    eventually(has_ticked, "the kernel's clock has ticked")
    write(project / "task.py")
    run.err.wait_for(r"task\.py saved → starting worker")
    run.out.wait_for("at work")
    assert run.stop() == 0
