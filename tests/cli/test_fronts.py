"""Whoever stands in front of the worker: its task in flight ends, it hears one signal, and nothing is left.

Each front of `fronts.py` is run as people run it, at a terminal and in pipes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fronts import FRONTS, MANAGERS, Front, MissingError, Place, keep
from harness import LIMIT, Run, eventually
from terminal import Terminal

Start = Callable[..., Run]
Begin = Callable[[Front, str], "Stage"]
PLACES = ("terminal", "pipes")
# Between two presses of one person, in seconds.
APART = 0.5


class Stage:
    """A worker behind a front, under the command: in pipes, or at a terminal."""

    def __init__(self, place: Place, runs: Run | Terminal) -> None:
        self.place = place
        self.runs = runs

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.runs.process

    def shown(self) -> str:
        """All that has been shown."""
        if isinstance(self.runs, Terminal):
            return self.runs.screen.text
        return f"{self.runs.out.text}\n{self.runs.err.text}"

    def await_watching(self) -> None:
        """Wait until a save would be seen."""
        (self.runs.screen if isinstance(self.runs, Terminal) else self.runs.err).wait_for("watching")

    def await_note(self, version: int, what: str) -> None:
        """Wait until every worker of this version has noted it."""
        self.place.await_note(version, what, self.shown)

    def look(self) -> None:
        """Remember who belongs to the run."""
        self.runs.table.look()

    def ask_to_end(self) -> None:
        """As a person does: Ctrl-C, or the signal in its place."""
        self.look()
        if isinstance(self.runs, Terminal):
            os.write(self.runs.fd, b"\x03")
        else:
            self.runs.send(signal.SIGINT)

    def kill(self) -> None:
        """End the command as the OOM killer does."""
        self.look()
        self.process.kill()
        self.process.wait()

    def nothing_is_left(self) -> None:
        """Wait until no process of the run is alive."""
        self.runs.nothing_is_left()


def set_up(folder: Path, front: Front) -> Place:
    """The folder of a worker behind this front; the test is skipped where that is not installed."""
    try:
        return Place(folder, front)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def begin(tmp_path: Path, start: Start) -> Iterator[Begin]:
    """Start a worker behind a front at a place, and wait until it has begun its task and is watched."""
    terminals: list[Terminal] = []

    def run(front: Front, where: str) -> Stage:
        place = set_up(tmp_path, front)
        # A start of this worker is too short for a template to matter.
        words = ("--cold", "--", *place.command)
        if where == "terminal":
            terminals.append(Terminal(place.folder, *words))
            stage = Stage(place, terminals[-1])
        else:
            stage = Stage(place, start(*words, folder=place.folder))
        stage.await_watching()
        stage.await_note(1, "begun")
        return stage

    yield run
    for terminal in terminals:
        terminal.close()


def ended_well(stage: Stage, version: int, before: dict[int, str]) -> None:
    """The generation has ended its task, heard one signal, and nobody else was troubled while it did."""
    place, front, shown = stage.place, stage.place.front, stage.shown()
    for name in front.workers:
        notes = place.of(version, name)
        assert ["ended"] in notes, f"{name} was cut: {notes}\n{shown}"
        heard = place.heard(version, name)
        assert len(heard) == 1, f"{name} heard {heard}\n{shown}"
        assert heard != ["SIGHUP"], shown
        assert place.heard(version, f"{name}-helper") == [], shown
    behind, slept = place.behind(version), place.slept(version)
    ended = [name for pid, name in behind.items() if not slept[pid]]
    assert bool(ended) is not front.waits, f"ended while the worker drained: {ended}\n{shown}"
    if front.quiet:
        # Shells are stopped, lest they go on with their next command, and make hears of that. A signal that
        # they feel would have ended them.
        awake = [name for pid, name in behind.items() if slept[pid] != before[pid]]
        woken = [name for name in awake if name not in ("sh", "bash", "make")]
        assert woken == [], f"signalled while the worker drained: {woken}\n{shown}"
    if front.filters:
        assert place.of(version, "filter") == [["ended"]]
    if front.log:
        assert f"last words of {version}" in place.log.read_text()


def row(stage: Stage) -> dict[str, object]:
    """What the first generation came to, for the docs."""
    place = stage.place
    behind, slept = place.behind(1), place.slept(1)
    return {
        "command": place.front.command,
        "in front": list(behind.values()),
        "heard": {name: place.heard(1, name) for name in place.front.workers},
        "ended": [name for pid, name in behind.items() if not slept.get(pid)],
        "told": "--stop-target" in stage.shown(),
    }


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", [name for name, front in FRONTS.items() if not front.swallows])
def test_a_save_and_the_end_let_the_task_in_flight_end(name: str, where: str, begin: Begin) -> None:
    front = FRONTS[name]
    stage = begin(front, where)
    before = stage.place.sleeps(1)
    stage.look()
    stage.place.save(2)
    stage.await_note(2, "begun")
    ended_well(stage, 1, before)
    keep(name, where, row(stage))
    before = stage.place.sleeps(2)
    stage.ask_to_end()
    assert stage.process.wait(LIMIT) == 0, stage.shown()
    stage.nothing_is_left()
    ended_well(stage, 2, before)
    assert stage.shown().count("--stop-target") == front.tells, stage.shown()


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", [name for name, front in FRONTS.items() if front.swallows])
def test_a_signal_that_is_swallowed_is_seen_through_or_told(name: str, where: str, begin: Begin) -> None:
    """Whoever is told why gives the option, and then the task in flight ends."""
    stage = begin(FRONTS[name], where)
    stage.look()
    stage.place.save(2)

    def done() -> bool:
        return "--stop-target" in stage.shown() or ["ended"] in stage.place.of(1)

    eventually(done, "the signal has an effect, or it is told that it has none")
    keep(name, where, {**row(stage), "heard": {"worker": stage.place.heard(1, "worker")}})
    assert len(stage.place.heard(1, "worker")) <= 1


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("name", [name for name, front in FRONTS.items() if not front.swallows])
def test_the_task_in_flight_ends_when_the_command_is_killed(name: str, where: str, begin: Begin) -> None:
    """By SIGKILL: the guard drains the worker, and whoever stands in front of it is none of its business."""
    stage = begin(FRONTS[name], where)
    before = stage.place.sleeps(1)
    stage.kill()
    stage.await_note(1, "ended")
    stage.nothing_is_left()
    ended_well(stage, 1, before)


# --- one wish told twice --------------------------------------------------------------------------


@pytest.fixture
def below(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Start the command below a manager at a terminal, and wait until the worker has begun its task."""
    terminals: list[Terminal] = []

    def run(front: Front) -> Stage:
        place = set_up(tmp_path, front)
        program, *words = place.command
        terminals.append(Terminal(place.folder, *words, program=program))
        stage = Stage(place, terminals[-1])
        stage.await_note(1, "begun")
        return stage

    yield run
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("name", MANAGERS)
def test_one_ctrl_c_is_one_wish_whoever_passes_it_on(name: str, below: Callable[..., Stage]) -> None:
    """It reaches all of the terminal's foreground, and many a manager sends it once more."""
    stage = below(MANAGERS[name])
    stage.ask_to_end()
    stage.await_note(1, "ended")
    stage.process.wait(LIMIT)
    stage.nothing_is_left()
    assert stage.place.heard(1, "worker") == ["SIGINT"], stage.shown()


@pytest.mark.parametrize("name", ["no manager", "concurrently", "make", "honcho run"])
def test_two_presses_are_two_wishes(name: str, below: Callable[..., Stage]) -> None:
    """The second one kills: the task in flight would take longer than anybody waits here."""
    stage = below(replace(MANAGERS[name], hold=600.0))
    stage.ask_to_end()
    eventually(lambda: stage.place.heard(1, "worker"), "the first press is heard")
    threading.Event().wait(APART)
    stage.ask_to_end()
    stage.process.wait(LIMIT)
    stage.nothing_is_left()
    assert ["ended"] not in stage.place.of(1), stage.shown()
