"""What is committed is pushed, not polled: no timer is needed on the way from a city's door to the nation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.engine import Engine
from node.testing import DEMO, Topology
from tests.integration.kit import (
    CODE_COLUMNS,
    CODED,
    cases,
    code_row,
    coded,
    feed,
    has_heard,
    node_of,
    put,
    run,
    same_cases,
    seq,
)


def stop_the_clocks(net: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no replica of the tree is ever woken by time, whatever it asks for."""
    monkeypatch.setattr(Engine, "wake_at", property(lambda self: None))
    plain = Engine.step

    def step(self: Engine, items: Any, now: int) -> None:
        self._wake_at = None
        plain(self, items, now)

    monkeypatch.setattr(Engine, "step", step)
    for member in net.members.values():
        # A queue that is being waited on with a time-out ends that wait once, now.
        node_of(member).writer.submit(_Nothing())


class _Nothing:
    """A job that does nothing."""

    token = None

    def run(self, store: object) -> tuple[()]:
        return ()


def test_a_row_reaches_the_nation_with_all_timers_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row and many, at a city below a province and at a municipality: each hop follows from the commit before."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            nation = net["nation"]
            stop_the_clocks(net, monkeypatch)
            for name, division in (("hangzhou", "330106"), ("shanghai", "310101")):
                city = net[name]
                last = f"{city.node}/case.nation@{nation.node}"
                await put(city, cases(1, division=division, supervised=True))
                await nation.until(lambda s, last=last: seq(s, last) == 1)
                for n in range(20):
                    await put(city, cases(50, first=100 * (n + 1), division=division, supervised=True))
                await nation.until(lambda s, last=last: seq(s, last) == 21)
                above = {"case.parent": city.place.parent, "case.nation": "nation"}
                assert same_cases(net, name, above) == 2 * 1_001

    run(work())


def test_a_refusal_comes_back_with_all_timers_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way down is pushed too: the word that a row waits, and the word that it applies."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            stop_the_clocks(net, monkeypatch)
            await put(city, [coded(1, "zj-2026", "0110")], CODED)
            await city.until(has_heard("MISSING_DEPENDENCY", "PARKED"))
            await nation.put("class_code", CODE_COLUMNS, [code_row("zj-2026", "0110")])
            await city.until(lambda s: any(h["fate"] == "APPLIED" for h in s["heard"]))
            assert feed(await net["province"].status(), f"{city.node}/case.parent")["parked"] == 0

    run(work())
