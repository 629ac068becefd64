"""A database that is away is tried again with pauses; what trying does not mend is told at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from node.clock import SystemClock
from node.faults import Code, UserFault
from node.sources.running import TRIES, Runner


class Hurried(Runner):
    """Does not wait; counts how often it would have."""

    def __init__(self, folder: Path) -> None:
        nothing: Any = None
        super().__init__(folder, nothing, nothing, SystemClock(), {}, threading.Event())
        self.pauses = 0

    def _pause(self, seconds: float) -> None:
        self.pauses += 1


class Work:
    """Fails so often, then gives a result."""

    def __init__(self, code: Code, failures: int) -> None:
        self._fault = UserFault(code, "away", "wait")
        self._failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._fault
        return "done"


def test_a_database_that_comes_back_soon_is_read_in_the_same_turn(tmp_path: Path) -> None:
    """Otherwise at its next time."""
    runner, soon, never = Hurried(tmp_path), Work(Code.SOURCE_AWAY, TRIES - 1), Work(Code.SOURCE_AWAY, TRIES)
    assert runner._tried(soon, TRIES) == "done"
    assert runner.pauses == TRIES - 1
    with pytest.raises(UserFault):
        runner._tried(never, TRIES)
    assert never.calls == TRIES


def test_a_mistake_is_told_at_once_and_a_stop_waits_for_nothing(tmp_path: Path) -> None:
    """A column that does not exist comes by no waiting; who stops the process does not wait for a server."""
    runner, wrong, away = Hurried(tmp_path), Work(Code.SOURCE_INVALID, 1), Work(Code.SOURCE_AWAY, 1)
    with pytest.raises(UserFault):
        runner._tried(wrong, TRIES)
    runner.stop.set()
    with pytest.raises(UserFault):
        runner._tried(away, TRIES)
    assert (wrong.calls, away.calls, runner.pauses) == (1, 1, 0)
