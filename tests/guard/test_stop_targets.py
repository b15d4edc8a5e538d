"""Whom the stop signal is for, by a table of processes."""

from __future__ import annotations

import signal

import pytest

from reloader.guard.stop_targets import Process, Selection, Selector
from reloader.presets.wrappers import front_names, shell_names

WORKER = ("python", "manage.py", "qcluster")


def mask(*numbers: int) -> int:
    """Signals as proc(5) tells them."""
    return sum(1 << number - 1 for number in numbers)


class Table:
    """Processes as they are started: `add` returns the pid."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}

    def add(
        self,
        *words: str,
        below: int = 0,
        reads: str = "",
        writes: str = "",
        caught: int = 0,
    ) -> int:
        pid = len(self.processes) + 1
        names = frozenset({words[0].rpartition("/")[2]})
        self.processes[pid] = Process(pid, below, words, names, reads, frozenset({writes}), 0, caught)
        return pid

    def select(
        self, target: str = "worker", words: tuple[str, ...] = (), number: int = signal.SIGTERM
    ) -> Selection:
        selector = Selector(self.processes, list(words), front_names(), shell_names())
        return selector.select([1], target, number)


def pids(processes: list[Process]) -> list[int]:
    return sorted(process.pid for process in processes)


def test_a_program_that_is_started_directly_gets_it_and_not_its_children() -> None:
    table = Table()
    leader = table.add(*WORKER)
    table.add(*WORKER, below=leader)
    selection = table.select(words=WORKER)
    assert pids(selection.targets) == [leader]
    assert selection.is_sure
    assert not [*selection.fronts, *selection.filters, *selection.others]
    assert not selection.is_doubtful


def test_the_worker_behind_a_shell_and_a_runner() -> None:
    table = Table()
    shell = table.add("sh", "-c", "true && uv run python manage.py qcluster")
    runner = table.add("uv", "run", *WORKER, below=shell)
    worker = table.add("/venv/bin/python", *WORKER[1:], below=runner)
    selection = table.select(words=WORKER)
    assert pids(selection.targets) == [worker]
    assert pids(selection.fronts) == [shell, runner]
    assert pids(selection.sequences) == [shell]


def test_the_known_worker_behind_a_runner_that_nobody_knows() -> None:
    table = Table()
    runner = table.add("./our-runner", *WORKER)
    worker = table.add(*WORKER, below=runner)
    assert pids(table.select(words=WORKER).targets) == [worker]


def test_a_known_worker_has_a_name_like_a_front() -> None:
    """`python script.py` is not script(1), whatever its children are."""
    table = Table()
    leader = table.add("python", "script.py")
    table.add("python", "-c", "child", below=leader)
    assert pids(table.select().targets) == [leader]


@pytest.mark.parametrize("words", [(), WORKER], ids=["unknown", "known"])
def test_a_filter_is_no_worker(words: tuple[str, ...]) -> None:
    table = Table()
    shell = table.add("sh", "-c", "python manage.py qcluster | grep x | tee log")
    worker = table.add(*WORKER, below=shell, writes="a")
    first = table.add("grep", "x", below=shell, reads="a", writes="b")
    second = table.add("tee", "log", below=shell, reads="b")
    selection = table.select(words=words)
    assert pids(selection.targets) == [worker]
    assert pids(selection.filters) == [first, second]
    assert not selection.is_doubtful


def test_what_reads_the_output_of_an_unknown_program_may_be_the_worker() -> None:
    """The first hears of the end, which then is the end of the other's input."""
    table = Table()
    shell = table.add("sh", "-c", "./make-events | ./work")
    source = table.add("./make-events", below=shell, writes="a")
    other = table.add("./work", below=shell, reads="a")
    selection = table.select()
    assert pids(selection.targets) == [source]
    assert pids(selection.others) == [other]


def test_what_feeds_the_worker_is_none() -> None:
    table = Table()
    shell = table.add("sh", "-c", "tail -f events | ./work")
    table.add("tail", "-f", "events", below=shell, writes="a")
    worker = table.add("./work", below=shell, reads="a")
    assert pids(table.select().targets) == [worker]


def test_two_children_of_a_shell_each_may_be_the_worker() -> None:
    table = Table()
    shell = table.add("sh", "-c", "./a & ./b")
    both = [table.add("./a", below=shell), table.add("./b", below=shell)]
    selection = table.select()
    assert pids(selection.targets) == both
    assert selection.is_doubtful


def test_the_known_one_of_two_children_of_a_shell() -> None:
    table = Table()
    shell = table.add("sh", "-c", "redis-server & python manage.py qcluster")
    table.add("redis-server", below=shell)
    worker = table.add(*WORKER, below=shell)
    selection = table.select(words=WORKER)
    assert pids(selection.targets) == [worker]
    assert not selection.is_doubtful


def test_an_unknown_runner_of_several() -> None:
    """It gets the signal alone; the drain lasts as long as one of those that it runs."""
    table = Table()
    runner = table.add("./run-all")
    children = [table.add("./a", below=runner), table.add("./b", below=runner)]
    selection = table.select()
    assert pids(selection.targets) == [runner]
    assert pids(selection.others) == children
    assert selection.is_doubtful


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, [1]), (signal.SIGINT, [2])], ids=["TERM", "INT"]
)
def test_a_shell_with_a_trap_stops_in_its_own_way(number: int, expected: list[int]) -> None:
    """A shell that waits for a command catches SIGINT whether it has a trap or not."""
    table = Table()
    shell = table.add("sh", "run.sh", caught=mask(signal.SIGTERM, signal.SIGINT))
    table.add("./work", below=shell)
    assert pids(table.select(number=number).targets) == expected


@pytest.mark.parametrize(("target", "expected"), [("leader", [1]), ("tree", [1, 2, 3])])
def test_whom_the_user_names(target: str, expected: list[int]) -> None:
    table = Table()
    shell = table.add("sh", "-c", "python manage.py qcluster; true")
    worker = table.add(*WORKER, below=shell)
    table.add(*WORKER, below=worker)
    assert pids(table.select(target, WORKER).targets) == expected
