"""The command `reloader`, and `python -m reloader`, which is the same."""

# Of the system and of the interpreter: what is imported takes time in which Ctrl-C may come.
import _signal as signal  # type: ignore[import-not-found]
import gc
import os

# How many new objects make the interpreter look for cycles.
GARBAGE = 50_000


def main() -> None:
    """The entry point; Ctrl-C ends us without a traceback until there is a worker to drain."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    # Modules, and the snapshot of a large tree, live long and have no cycles. With the default threshold,
    # looking for cycles would take a thirtieth of our start, and a sixth of the first survey.
    gc.set_threshold(GARBAGE)
    from reloader.common.import_path import import_only_what_is_installed

    import_only_what_is_installed()
    from reloader.cli import main as command_line
    from reloader.common.run_folder import remember_folder

    remember_folder()
    command_line.main()


def _end(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container is spared by the system: end as a shell would tell it.
    os._exit(128 + number)


if __name__ == "__main__":
    main()
