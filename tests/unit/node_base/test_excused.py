"""Alarms that wait for the end of announced maintenance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from node import excused
from node.excused import Excused
from sync.effects import Alarm
from tiers.maintenance import Maintenance, Window


def test_an_alarm_for_which_there_is_no_room_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was held back and forgotten; one that waits already waits on."""
    monkeypatch.setattr(excused, "HELD_MAX", 1)
    core = SimpleNamespace(registry=SimpleNamespace(parent=lambda node: "here" if node != "here" else ""))
    now = [15]
    waiting = Excused("here", lambda: now[0], lambda: cast(Any, core))
    waiting.maintenance = Maintenance([Window("here", "here", 10, 20, 1)])
    first, second = (Alarm("origin_silent", {"origin": name}) for name in ("a", "b"))
    assert [waiting.holds(one) for one in (first, second, first)] == [True, False, True]
    now[0] = 20
    assert list(waiting.over()) == [("a", first)]
