"""Every mistake is one clear line with a hint and the right status, and never a traceback."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import COLD, LIMIT, RELOADER, Run

Start = Callable[..., Run]
PYTHON = sys.executable
# Ctrl-C is pressed the moment that this module is looked for.
INTERRUPTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


def fails(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run to the end; the status and what was said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RELOADER")} | (env or {})
    result = subprocess.run(
        [RELOADER, *arguments], cwd=folder, env=environment, capture_output=True, timeout=LIMIT, check=False
    )
    assert result.stdout == b""
    said = result.stderr.decode()
    assert "Traceback" not in said
    return result.returncode, said


@pytest.mark.parametrize(
    ("arguments", "status", "what", "hint"),
    [
        (
            ["--", "no-such-program"],
            127,
            "cannot run no-such-program: command not found",
            "check the spelling",
        ),
        (["--", "./missing.sh"], 127, "cannot run ./missing.sh: command not found", "check the spelling"),
        (["--", "./plain.sh"], 126, "cannot run ./plain.sh: not executable", "chmod +x ./plain.sh"),
        (["--", "./folder"], 126, "cannot run ./folder: it is a folder", "name a program in it"),
        (
            ["--", "./no-interpreter"],
            126,
            "the interpreter named in its first line does not exist",
            "head -1",
        ),
        (["--", "./no-format"], 126, "cannot run ./no-format: not a program", "#!/bin/sh"),
        (
            ["--", "python manage.py qcluster"],
            127,
            "cannot run 'python manage.py qcluster': no program is called that, with spaces",
            "leave the quotes out: reloader -- python manage.py qcluster",
        ),
        (
            ["-v", "--", RELOADER, "--", "python", "worker.py"],
            2,
            "the worker is reloader itself",
            "name it once, in front: reloader -- python worker.py",
        ),
        (
            ["-m", "reloader", "--", "python", "worker.py"],
            2,
            "the worker is reloader itself",
            "name it once, in front: reloader -- python worker.py",
        ),
        (
            ["--", "sh", "-c", "cd folder && env A=b reloader -- python worker.py"],
            2,
            "the worker is reloader itself",
            "name it once, in front: reloader -- python worker.py",
        ),
        ([], 2, "no command given", "reloader -- python manage.py qcluster"),
        (["-w", "nowhere", "--", "true"], 2, "cannot watch nowhere: no such file or directory", "--watch"),
        (["--debounce", "soon", "--", "true"], 2, "'soon' is not a duration", "-h"),
        (
            ["--debounce", "none", "--", "true"],
            2,
            "--debounce must not be none: nothing would ever restart",
            "50ms",
        ),
        (["-t", "5 parsecs", "--", "true"], 2, "'5 parsecs' is not a duration", "-h"),
        (["-s", "TREM", "--", "true"], 2, "'TREM' is not a signal; did you mean TERM?", "-h"),
        (["--on-exit", "explode", "--", "true"], 2, "'explode' is not one of", "-h"),
        (["--ready", "(", "--", "true"], 2, "'(' is not a regular expression", "-h"),
        (["--stop-timout", "1", "--", "true"], 2, "No such option", "-h"),
    ],
)
def test_mistakes_on_the_command_line(
    tmp_path: Path, arguments: list[str], status: int, what: str, hint: str
) -> None:
    (tmp_path / "plain.sh").write_text("echo")
    (tmp_path / "folder").mkdir()
    for name, text in (("no-interpreter", "#!/no/such/thing\n"), ("no-format", "echo hello\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    code, said = fails(tmp_path, *arguments)
    assert code == status
    lines = said.splitlines()
    assert lines[0].startswith("reloader: ")
    assert what in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[tool.reloader]\nstop-timout = '2m'", "pyproject.toml: unknown key 'stop-timout'", "stop-timeout?"),
        ("[tool.reloader]\nwatch = 3", "pyproject.toml: watch = 3", "list of strings"),
        ("[tool.reloader]\ntimestamps = 'yes'", "pyproject.toml: timestamps = 'yes'", "true or false"),
        ("[tool.reloader", "cannot read pyproject.toml", "TOML"),
        ("[tool.reloader]\ndebounce = 'soon'", "'soon' is not a duration", ""),
    ],
)
def test_mistakes_in_the_settings_file(tmp_path: Path, text: str, what: str, hint: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    code, said = fails(tmp_path, "--", "true")
    assert code == 2
    assert said.startswith("reloader: ")
    assert what in said
    assert hint in said


def test_a_mistake_in_the_environment(tmp_path: Path) -> None:
    code, said = fails(tmp_path, "--", "true", env={"RELOADER_STOP_SIGNAL": "NOPE"})
    assert code == 2
    assert "'NOPE' is not a signal" in said


def test_settings_from_all_places_and_which_wins(project: Path, start: Start) -> None:
    (project / "src").mkdir()
    (project / "pyproject.toml").write_text(
        "[tool.reloader]\nname = 'from-file'\ntimestamps = true\nwatch = ['src']\nstop_signal = 'TERM'\n"
    )
    inner = project / "inner"
    inner.mkdir()
    environment = {"RELOADER_NAME": "from-env", "RELOADER_TIMESTAMPS": "0"}
    run = start("-s", "INT", "--", PYTHON, "../worker.py", env=environment, folder=inner)
    run.out.wait_for(r"^from-env \| ready")
    run.err.wait_for(r"^reloader \| watching \S*/src \(0 files in 1 folder\)")
    assert run.stop() == 0
    assert "got SIGINT" in run.out.text


def test_a_command_that_goes_away_later_is_told_and_waited_for(project: Path, start: Start) -> None:
    script = project / "job.sh"
    script.write_text("#!/bin/sh\necho ready; sleep 100 & wait\n")
    script.chmod(0o755)
    run = start("--", "./job.sh")
    run.out.wait_for("ready")
    run.err.wait_for("watching")
    script.chmod(0o644)
    (project / "data").write_text("1")
    run.err.wait_for(r"cannot run ./job.sh: not executable → waiting for a change")
    run.err.wait_for(r"hint: chmod \+x ./job.sh")
    script.chmod(0o755)
    (project / "data").write_text("22")
    run.out.wait_for("ready")
    assert run.stop() == 0


def test_the_current_folder_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["sh", "-c", f"rmdir ../gone; exec '{RELOADER}' -- true"]
    result = subprocess.run(command, cwd=gone, capture_output=True, timeout=LIMIT, check=False, text=True)
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == "reloader: the current folder does not exist any more"
    assert "Traceback" not in result.stderr


def without_the_right_to_read_everything() -> None:
    """Root reads what it may not, by capabilities that a process can drop for what it executes."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(24, capability, 0, 0, 0) != 0 and os.getuid() == 0:
            os._exit(99)


def test_an_unreadable_folder_is_told_and_the_rest_is_watched(project: Path, start: Start) -> None:
    secret = project / "secret"
    secret.mkdir()
    secret.chmod(0)
    try:
        run = start("--", PYTHON, "worker.py", preexec=without_the_right_to_read_everything)
        run.out.wait_for("ready 1")
        run.err.wait_for("cannot watch secret: permission denied; changes in it go unnoticed")
        run.err.wait_for("hint: make it readable, or --ignore it")
        (project / "task.py").write_text("VERSION = 2\n")
        run.out.wait_for("ready 2")
        assert run.stop() == 0
    finally:
        secret.chmod(0o755)


def test_an_unreadable_root_is_an_error(project: Path, start: Start) -> None:
    secret = project / "secret"
    secret.mkdir()
    secret.chmod(0)
    try:
        command = ("-w", "secret", "--", PYTHON, "worker.py")
        run = start(*command, preexec=without_the_right_to_read_everything)
        assert run.wait() == 2
        assert run.err.text.splitlines()[0] == "reloader: cannot watch secret: permission denied"
    finally:
        secret.chmod(0o755)


def test_a_module_and_its_arguments(project: Path, start: Start) -> None:
    (project / "job.py").write_text("import sys; print(sys.argv[1:], __name__)")
    run = start("--on-exit", "quit", "-m", "job", "-v", "--name", "x", "--", "y")
    assert run.wait() == 0
    assert run.out.text == "job      | ['-v', '--name', 'x', '--', 'y'] __main__\n"


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "job"],
        ["-mjob"],
        ["--module", "job"],
        ["--module=job"],
        ["-vm", "job"],
        ["-vmjob"],
        ["-vs", "TERM", "-m", "job"],
        ["--stop-signal=TERM", "-q", "-m", "job"],
    ],
    ids=" ".join,
)
def test_a_module_in_every_form_that_people_type(words: list[str], project: Path, start: Start) -> None:
    """Seen to fail, but for the first, where `-m` was looked for beside the parser."""
    (project / "job.py").write_text("import sys; print(sys.argv[1:])")
    run = start("--on-exit", "quit", *words, "--flag", "-v", "--name", "x", "--", "y")
    assert run.wait() == 0
    assert run.out.text == "job      | ['--flag', '-v', '--name', 'x', '--', 'y']\n"


def test_the_worker_gets_its_words_untouched(project: Path, start: Start) -> None:
    run = start("--on-exit", "quit", PYTHON, "-c", "import sys; print(sys.argv)", "-v", "--", "--help")
    assert run.wait() == 0
    assert "['-c', '-v', '--', '--help']" in run.out.text


def test_help_and_version(tmp_path: Path) -> None:
    for option, said in (("-h", "--watch PATH"), ("--help", "Exit status:"), ("--version", "reloader 0.")):
        result = subprocess.run([RELOADER, option], capture_output=True, timeout=LIMIT, check=True, text=True)
        assert said in result.stdout
        assert result.stderr == ""


def test_python_m_is_the_same_command(tmp_path: Path) -> None:
    result = subprocess.run([PYTHON, "-m", "reloader", "-h"], capture_output=True, timeout=LIMIT, check=True)
    again = subprocess.run([RELOADER, "-h"], capture_output=True, timeout=LIMIT, check=True)
    assert result.stdout == again.stdout


@pytest.mark.parametrize("command", [[RELOADER], [PYTHON, "-m", "reloader"]])
@pytest.mark.parametrize(
    ("options", "while_it"),
    [
        (["-v"], "click"),
        (["-v"], "reloader.app.main_loop"),
        ([], "reloader.cli"),
        ([], "reloader.app.main_loop"),
    ],
)
def test_ctrl_c_while_we_start_ends_without_a_word(
    tmp_path: Path, command: list[str], options: list[str], while_it: str
) -> None:
    """At the import of what we need first, and of what we need last.

    Seen to fail with the handler of the interpreter, which raises wherever that is.
    """
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(while_it))
    result = subprocess.run(
        [*command, *options, "--", "sleep", "600"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.skipif(bool(COLD), reason="a variable is set, and has to be parsed")
@pytest.mark.parametrize("dashes", [["--"], []])
def test_a_command_alone_is_run_without_a_parser(project: Path, start: Start, dashes: list[str]) -> None:
    """Whoever imports it is interrupted: seen to fail with an option."""
    (project / "sitecustomize.py").write_text(INTERRUPTING.format("click"))
    run = start(*dashes, PYTHON, "worker.py", env={"PYTHONPATH": str(project)})
    run.out.wait_for("ready")
    assert run.stop() == 0
