"""What is told before the first start."""

from __future__ import annotations

from reloader.deciding.introduction import introduced
from reloader.messages import effects, notices
from reloader.settings import Settings


def test_what_the_worker_was_taken_for_is_told_first() -> None:
    assert introduced(Settings(command=("w",))) == [effects.Tell(notices.Recognised())]


def test_then_everything_to_beware_of_and_how_to_end_the_run_where_ctrl_c_does_not() -> None:
    settings = Settings(command=("w",), cautions=(("it loses jobs", "give it --safe"),))
    assert introduced(settings, pid_to_kill=4711) == [
        effects.Tell(notices.Recognised()),
        effects.Tell(notices.Caution("it loses jobs", "give it --safe")),
        effects.Tell(notices.InterruptIgnored(4711)),
    ]
