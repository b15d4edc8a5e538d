"""The programs that stand in front of a worker, and how their command lines are read. Data only.

It answers two questions: which worker a command line starts (unwrap.py), and through which processes the
guard looks when it signals the worker (`front_names`, `shell_names`). A wrong entry sends a signal to the
wrong process, so each entry names where its options are documented.
"""

from __future__ import annotations

from collections.abc import Mapping

from reloader.messages.base import Message

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "busybox"})
# Options of Python that have a separate value.
PYTHON_VALUES = frozenset({"-W", "-X", "--check-hash-based-pycs"})


class Wrapper(Message):
    """A program that runs another one, whose command line follows its own words and options."""

    documented: str
    """Where its options are documented: a manual page such as `name(1)`, or an address."""
    value_options: frozenset[str] = frozenset()
    """Its options that have a separate value."""
    operands: int = 0
    """How many words of its own, besides options, come before the command or name the task."""
    texts: frozenset[str] = frozenset()
    """The options whose value is a text for a shell, in place of a command."""
    folders: frozenset[str] = frozenset()
    """The options whose value is the folder in which the command runs."""
    is_text: bool = False
    """The command is one word, a text for a shell."""
    project: bool = False
    """It sets up the Python environment of a project first."""
    dashes: bool = False
    """The command stands behind `--`, and nowhere else."""
    python: bool = False
    """It runs a Python program within its own process: a file, or a module after `-m`."""
    task: bool = False
    """It runs a task from a file of its own, such as a Makefile; the command line has at most its name."""
    stays: bool = True
    """Its process stays in front of the worker; otherwise the worker replaces it (exec)."""
    cold: str = ""
    """Why a worker behind it cannot be started warm; empty if it can."""
    no_overlap_reason: str = ""
    """Why two of it cannot run at once; empty if they can."""


def _wrapper(
    documented: str,
    value_options: str = "",
    *,
    texts: str = "",
    folders: str = "",
    in_front: str = "",
    **rest: bool | int | str,
) -> Wrapper:
    """`in_front` names a program that must be in front at every start, so that no start is warm."""
    return Wrapper(
        documented,
        frozenset(f"{value_options} {texts} {folders}".split()),
        texts=frozenset(texts.split()),
        folders=frozenset(folders.split()),
        cold=f"{in_front} would not be in front of a warm start" if in_front else "",
        **rest,  # type: ignore[arg-type]
    )


def _tool(documented: str, value_options: str = "", no_overlap_reason: str = "") -> Wrapper:
    """A debugger, profiler or the like that runs the worker in its own process."""
    return Wrapper(
        documented,
        frozenset(value_options.split()),
        python=True,
        stays=False,
        cold="{} needs to see the imports as well",
        no_overlap_reason=no_overlap_reason,
    )


def _task(documented: str, value_options: str = "", operands: int = 1) -> Wrapper:
    return Wrapper(documented, frozenset(value_options.split()), operands, task=True)


_PYTHON_DOCS = "https://docs.python.org/3/library/"
_NPM = "https://docs.npmjs.com/cli/commands/"

# The keys are the first words of the command line; options may stand between them.
WRAPPERS: Mapping[tuple[str, ...], Wrapper] = {
    # They set something and are then replaced by the worker.
    ("env",): _wrapper("env(1)", "-u --unset", folders="-C --chdir", texts="-S --split-string", stays=False),
    ("exec",): _wrapper("bash(1)", "-a", stays=False),
    ("command",): _wrapper("bash(1)", stays=False),
    ("nice",): _wrapper("nice(1)", "-n --adjustment", stays=False),
    ("ionice",): _wrapper("ionice(1)", "-c --class -n --classdata", stays=False),
    ("chrt",): _wrapper(
        *("chrt(1)", "-T --sched-runtime -P --sched-period -D --sched-deadline"), operands=1, stays=False
    ),
    ("taskset",): _wrapper("taskset(1)", operands=1, stays=False),
    ("prlimit",): _wrapper("prlimit(1)", "-o --output", stays=False),
    ("choom",): _wrapper("choom(1)", "-n --adjust", stays=False),
    ("nohup",): _wrapper("nohup(1)", stays=False),
    ("stdbuf",): _wrapper("stdbuf(1)", "-i --input -o --output -e --error", stays=False),
    ("setsid",): _wrapper("setsid(1)"),
    ("direnv", "exec"): _wrapper("https://direnv.net/man/direnv.1.html", operands=1, stays=False),
    ("cross-env",): _wrapper("https://github.com/kentcdodds/cross-env"),
    # They start Python with something added.
    ("ddtrace-run",): _wrapper(
        "https://ddtrace.readthedocs.io/en/stable/installation_quickstart.html", stays=False
    ),
    ("opentelemetry-instrument",): _wrapper(
        "https://opentelemetry.io/docs/zero-code/python/configuration/", stays=False
    ),
    ("newrelic-admin", "run-program"): _wrapper(
        "https://docs.newrelic.com/docs/apm/agents/python-agent/installation/python-agent-admin-script-advanced-usage/",
        stays=False,
    ),
    # They wait for the worker, or give it something that ends with them.
    ("time",): _wrapper("time(1)", "-f --format -o --output", in_front="time"),
    ("timeout",): _wrapper("timeout(1)", "-k --kill-after -s --signal", operands=1, in_front="timeout"),
    ("flock",): _wrapper(
        "flock(1)",
        "-w --wait --timeout -E --conflict-exit-code",
        texts="-c --command",
        operands=1,
        in_front="flock",
        no_overlap_reason="the new one would wait for the lock of flock, which the old one holds",
    ),
    ("script",): _wrapper(
        "script(1)",
        "-I --log-in -O --log-out -B --log-io -T --log-timing -m --logging-format -E --echo "
        "-o --output-limit",
        texts="-c --command",
        dashes=True,
        in_front="script",
    ),
    ("unbuffer",): _wrapper("unbuffer(1)", in_front="unbuffer"),
    ("xvfb-run",): _wrapper(
        "xvfb-run(1)",
        "-e --error-file -f --auth-file -n --server-num -p --xauth-protocol -s --server-args -w --wait",
        in_front="xvfb-run",
        no_overlap_reason="two of xvfb-run would have one display",
    ),
    ("dbus-run-session",): _wrapper(
        "dbus-run-session(1)", "--config-file --dbus-daemon", in_front="dbus-run-session"
    ),
    ("tini",): _wrapper("https://github.com/krallin/tini", "-p -e"),
    ("dumb-init",): _wrapper("https://github.com/Yelp/dumb-init", "-r --rewrite"),
    ("strace",): _wrapper("strace(1)", "-a -b -e -E -I -o -O -p -P -s -S -u -U -X", in_front="strace"),
    # They run the worker as another user.
    ("sudo",): _wrapper(
        "sudo(8)",
        "-C --close-from -g --group -h --host -p --prompt -R --chroot -r --role -t --type "
        "-T --command-timeout -U --other-user -u --user",
        folders="-D --chdir",
        in_front="sudo",
    ),
    ("doas",): _wrapper("doas(1)", "-C -u", stays=False, in_front="doas"),
    ("su",): _wrapper(
        "su(1)",
        "-g --group -G --supp-group -s --shell -w --whitelist-environment",
        texts="-c --command --session-command",
        dashes=True,
        in_front="su",
    ),
    ("runuser",): _wrapper(
        "runuser(1)",
        "-u --user -g --group -G --supp-group -s --shell -w --whitelist-environment",
        texts="-c --command --session-command",
        in_front="runuser",
    ),
    ("gosu",): _wrapper("https://github.com/tianon/gosu", operands=1, stays=False, in_front="gosu"),
    ("setpriv",): _wrapper(
        "setpriv(1)",
        "--ambient-caps --inh-caps --bounding-set --ruid --euid --rgid --egid --reuid --regid --groups "
        "--securebits --pdeathsig --selinux-label --apparmor-profile",
        stays=False,
        in_front="setpriv",
    ),
    # Projects and environments of Python.
    ("uv", "run"): _wrapper(
        "https://docs.astral.sh/uv/reference/cli/#uv-run",
        "--with --with-editable --with-requirements --extra --no-extra --group --only-group --no-group "
        "--env-file --package --no-editable-package --project -p --python --index "
        "--default-index -i --index-url --extra-index-url -f --find-links -P --upgrade-package "
        "--refresh-package --reinstall-package -C --config-setting --config-file --cache-dir --color "
        "--index-strategy --keyring-provider --resolution --prerelease --exclude-newer --link-mode -w",
        folders="--directory",
        project=True,
    ),
    ("uvx",): _wrapper(
        "https://docs.astral.sh/uv/reference/cli/#uv-tool-run",
        "--from --with --with-editable --with-requirements -p --python --index --default-index --env-file "
        "--project -w",
        folders="--directory",
    ),
    ("pipx", "run"): _wrapper(
        "https://pipx.pypa.io/stable/docs/", "--spec --python --pip-args -i --index-url"
    ),
    ("poetry", "run"): _wrapper(
        "https://python-poetry.org/docs/cli/#run", "-P --project", folders="-C --directory", project=True
    ),
    ("pdm", "run"): _wrapper(
        "https://pdm-project.org/latest/reference/cli/#run", "-p --project -c --config --venv", project=True
    ),
    ("hatch", "run"): _wrapper(
        "https://hatch.pypa.io/latest/cli/reference/#hatch-run",
        "-e --env -p --project --config",
        project=True,
    ),
    ("pipenv", "run"): _wrapper("https://pipenv.pypa.io/en/latest/commands.html", "--python", project=True),
    ("rye", "run"): _wrapper("https://rye.astral.sh/guide/commands/run/", "--pyproject", project=True),
    ("pixi", "run"): _wrapper(
        "https://pixi.sh/latest/reference/cli/pixi/run/",
        "-e --environment -m --manifest-path --color",
        project=True,
    ),
    ("conda", "run"): _wrapper(
        "https://docs.conda.io/projects/conda/en/stable/commands/run.html",
        "-n --name -p --prefix",
        folders="--cwd",
    ),
    **dict.fromkeys(
        (("mise", "exec"), ("mise", "x")),
        _wrapper(
            "https://mise.jdx.dev/cli/exec.html",
            "-E --env -j --jobs",
            folders="-C --cd",
            texts="-c --command",
            dashes=True,
            stays=False,
        ),
    ),
    ("pyenv", "exec"): _wrapper("https://github.com/pyenv/pyenv/blob/master/COMMANDS.md", stays=False),
    # Secrets and variables.
    ("dotenv", "run"): _wrapper(
        "https://saurabh-kumar.com/python-dotenv/", "-f --file -q --quote -e --export"
    ),
    ("dotenv",): _wrapper("https://github.com/entropitor/dotenv-cli", "-e -v -p", dashes=True),
    ("dotenvx", "run"): _wrapper(
        "https://dotenvx.com/docs/cli/run", "-f --env-file -fv --env-vault-file -e --env", dashes=True
    ),
    ("doppler", "run"): _wrapper(
        "https://docs.doppler.com/docs/cli",
        "-p --project -c --config -t --token --mount --mount-template --fallback --scope",
        texts="--command",
        dashes=True,
    ),
    ("op", "run"): _wrapper(
        "https://developer.1password.com/docs/cli/reference/commands/run/",
        "--env-file --account --config --session --environment",
        dashes=True,
    ),
    ("infisical", "run"): _wrapper(
        "https://infisical.com/docs/cli/commands/run",
        "--env --path --projectId --token --tags --project-config-dir",
        texts="-c --command",
        dashes=True,
    ),
    ("aws-vault", "exec"): _wrapper(
        "https://github.com/99designs/aws-vault/blob/master/USAGE.md", dashes=True
    ),
    ("chamber", "exec"): _wrapper("https://github.com/segmentio/chamber", dashes=True),
    ("teller", "run"): _wrapper("https://github.com/tellerops/teller", dashes=True),
    ("sops", "exec-env"): _wrapper("https://getsops.io/docs/", operands=1, is_text=True),
    ("honcho", "run"): _wrapper(
        "https://honcho.readthedocs.io/en/latest/using_procfiles.html",
        "-e --env -f --procfile",
        folders="-d --app-root",
    ),
    # JavaScript: they look for the program in the project.
    ("npx",): _wrapper(_NPM + "npx", "-p --package -w --workspace", texts="-c --call"),
    ("npm", "exec"): _wrapper(_NPM + "npm-exec", "-p --package -w --workspace --prefix", texts="-c --call"),
    ("pnpm", "exec"): _wrapper("https://pnpm.io/cli/exec", "-C --dir --filter -F"),
    **dict.fromkeys((("pnpx",), ("pnpm", "dlx")), _wrapper("https://pnpm.io/cli/dlx", "--package")),
    ("yarn", "exec"): _wrapper("https://yarnpkg.com/cli/exec", "--cwd"),
    ("bunx",): _wrapper("https://bun.sh/docs/cli/bunx", "-p --package"),
    # It reruns the command at every change itself.
    ("watchman-make",): _wrapper(
        "https://facebook.github.io/watchman/docs/watchman-make",
        "-p --pattern -t --target -s --settle --make --root --statefile --connect-timeout",
        texts="--run",
        dashes=True,
        in_front="watchman-make",
    ),
    # They run in the worker's own process and look into it.
    ("debugpy",): _tool(
        "https://github.com/microsoft/debugpy/wiki/Command-Line-Reference",
        "--listen --connect --log-to --parent-session-pid --adapter-access-token --configure-qt "
        "--configure-subProcess --configure-python --configure-pythonEnv",
        no_overlap_reason="its debugger is for one at a time",
    ),
    ("coverage", "run"): _tool(
        "https://coverage.readthedocs.io/en/latest/cmd.html",
        "--concurrency --context --data-file --include --omit --rcfile --save-signal --source --debug",
    ),
    ("pdb",): _tool(_PYTHON_DOCS + "pdb.html", "-c --command"),
    ("ipdb",): _tool("https://github.com/gotcha/ipdb", "-c"),
    **dict.fromkeys(
        (("cProfile",), ("profile",)), _tool(_PYTHON_DOCS + "profile.html", "-o --outfile -s --sort")
    ),
    ("memray", "run"): _tool("https://bloomberg.github.io/memray/run.html", "-o --output -p --live-port"),
    # They run a task from a file of their own.
    **dict.fromkeys(
        (("make",), ("gmake",)), _task("make(1)", "-C --directory -f --file -I --include-dir -o -W -E --eval")
    ),
    ("just",): _task(
        "https://just.systems/man/en/",
        "-f --justfile -d --working-directory --shell --shell-arg --dotenv-path --dotenv-filename -E",
    ),
    ("task",): _task("https://taskfile.dev/reference/cli", "-t --taskfile -d --dir -C -o --output -I"),
    ("poe",): _task("https://poethepoet.natn.io/", "-C --directory -X --executor -e"),
    **dict.fromkeys(
        (("inv",), ("invoke",)),
        _task("https://docs.pyinvoke.org/en/stable/invoke.html", "-c --collection -r -f"),
    ),
    ("npm", "run"): _task(_NPM + "npm-run", "-w --workspace --prefix"),
    ("npm", "start"): _task(_NPM + "npm-start"),
    **dict.fromkeys((("pnpm",), ("pnpm", "run")), _task("https://pnpm.io/cli/run", "-C --dir --filter -F")),
    **dict.fromkeys((("yarn",), ("yarn", "run")), _task("https://yarnpkg.com/cli/run", "--cwd")),
    ("bun", "run"): _task("https://bun.sh/docs/cli/run", "--cwd --filter"),
    # Managers of several processes.
    ("honcho", "start"): _task(
        "https://honcho.readthedocs.io/en/latest/using_procfiles.html",
        "-e --env -d --app-root -f --procfile -c --concurrency -p --port -q --quiet",
    ),
    ("foreman", "start"): _task(
        "https://ddollar.github.io/foreman/",
        "-m --formation -e --env -f --procfile -p --port -t --timeout -d",
    ),
    ("overmind", "start"): _task(
        "https://github.com/DarthSim/overmind", "-f --procfile -l --processes -d --root -p --port -N"
    ),
    ("hivemind",): _task(
        "https://github.com/DarthSim/hivemind", "-p --port -P -t --timeout -r --root -l", operands=0
    ),
    ("concurrently",): _task("https://github.com/open-cli-tools/concurrently", operands=0),
}


def shell_names() -> frozenset[str]:
    """The process names of shells."""
    return SHELLS


def front_names() -> frozenset[str]:
    """The process names of the programs that stay in front of a worker, without shells.

    The name of a process is its executable, its own name for itself, or the script that it interprets.
    """
    return frozenset(words[0] for words, wrapper in WRAPPERS.items() if wrapper.stays)
