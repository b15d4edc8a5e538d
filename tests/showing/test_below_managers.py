"""Which process managers are told by what they set."""

from __future__ import annotations

import pytest

from reloader.showing.managers import is_below_manager

PLAIN = {"PATH": "/bin", "PORT": "5000", "TMUX": "/tmp/tmux-1000/default,42,0", "PS": ""}


@pytest.mark.parametrize(
    "environment",
    [
        {"HONCHO_PROCESS_NAME": "worker.1"},
        {"FOREMAN_WORKER_NAME": "worker.1"},
        {"PC_PROC_NAME": "worker"},
        {"PS": "worker.1", "PORT": "5100"},
        {"TMUX": "/tmp/tmux-1000/overmind-shop-V1StGXR8_Z5jdHi6B-myT,4711,0"},
    ],
)
def test_who_sets_this_prefixes_lines(environment: dict[str, str]) -> None:
    assert is_below_manager(PLAIN | environment)


@pytest.mark.parametrize(
    "environment",
    [{}, {"PS": "$ "}, {"PS": "worker.1", "PORT": ""}, {"HONCHO_PROCESS_NAME": ""}, {"TMUX": ""}],
)
def test_whatever_else_is_set_says_nothing(environment: dict[str, str]) -> None:
    assert not is_below_manager(PLAIN | environment)
