"""Announced maintenance between real nodes: neither silence nor a lost link is an alarm meanwhile, and afterwards only
what lasts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from node.app import Node
from node.clock import SystemClock, iso
from node.excused import Excused
from node.faults import Code, UserFault
from node.link.pipe import LinkTrouble
from node.maintenance import look
from node.overview import overview_of
from node.testing import Member, Topology
from node.testing.topology import THREE, Place
from sync.reasons import Reason
from tests.integration.kit import cases, has_no_link, node_of, put, run
from tests.integration.test_audited import audited

HOUR_US = 3_600_000_000
FOUR = (*THREE, Place("other", "city", "330200", "宁波市平台", "province"))


class At(SystemClock):
    """The machine's clock, hours ahead."""

    def __init__(self, hours: float) -> None:
        self.ahead = int(hours * HOUR_US)

    def now_us(self) -> int:
        return super().now_us() + self.ahead


def moment(hours: float) -> str:
    return iso(At(hours).now_us())


def told(node: Node) -> list[str]:
    return [str(alarm["name"]) for alarm in node.alarms]


async def grade(node: Node, about: str, excused: Excused) -> tuple[str, bool]:
    """(grade, whether the page says that it is being maintained)."""
    now = node.clock.now_us()
    seen = (await node.writer.ask(lambda replica, store: overview_of(replica, store, now, excused)))["seen"][about]
    return seen["grade"], seen["maintenance"] is not None


async def refusal(work: Awaitable[object]) -> Code:
    with pytest.raises(UserFault) as fault:
        await work
    return fault.value.code


async def announced(member: Member, **said: Any) -> dict[str, Any]:
    return await member.command("maintenance.announce", **{"from": moment(0.1), "until": moment(5), **said})


def counting(found: list[dict[str, Any]]) -> int:
    return sum(one["counts"] for one in found)


async def until(member: Member, there: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """What is listed, once it is as wanted and the node has looked at it."""
    client = await member.client()
    async for _ in client.follow(20):
        found = (await member.command("maintenance.list", all=True))["windows"]
        if there(found):
            return list(found)
    raise AssertionError("it never was")


def test_what_was_announced_in_time_raises_no_alarm_and_counts_nowhere(tmp_path: Path) -> None:
    """By the node itself, for a while; what still lasts behind the end is told then, and a bad certificate at once."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            node = node_of(province)
            await put(city, cases(2))
            await net.level()
            await announced(city, reason="更换存储")
            assert await refusal(announced(city, reason="late", **{"from": moment(-1)})) is Code.BAD_ARGUMENT
            assert await refusal(announced(city, reason="long", until=moment(80))) is Code.BAD_ARGUMENT
            assert await refusal(announced(city, node=nation.node, reason="not ours")) is Code.PEER_UNKNOWN
            (window,) = await until(province, lambda found: [one["counts"] for one in found] == [True])
            assert (window["node"], window["counts"], window["state"]) == (city.node, True, "announced")
            await until(nation, lambda found: [one["counts"] for one in found] == [True])
            for hours, why in ((0.05, Reason.TIMEOUT), (2, Reason.TIMEOUT), (4.9, Reason.NOT_ENROLLED)):
                node.clock = At(hours)
                node.board._troubled(city.node, LinkTrouble(why, ""))
            assert told(node) == ["link_closed", "link_closed"]  # too early, and not for silence
            assert await grade(node, city.node, node.excused) == ("data", True)
            nothing = Excused(province.node, node.clock.now_us, node.core)
            assert await grade(node, city.node, nothing) == ("interrupted", False)
            await city.stop()
            await province.until(has_no_link(city))
            assert told(node) == ["link_closed"] * 2
            node.clock = At(5.5)
            await look(node)
            assert told(node) == ["link_closed"] * 3
            assert len(audited(province, "link_closed")) >= 3
            node.clock = At(16)  # of which 11 hours count, and 12 are allowed
            await node.look_for_silence()
            assert node.silent == []
            node.clock = At(18)
            await node.look_for_silence()
            assert [one.origin for one in node.silent] == [city.node]

    run(work())


def test_a_parent_announces_for_a_child_and_only_those_two_and_who_is_above_hear(tmp_path: Path) -> None:
    """Its own is for all below it too; what is taken back before it begins is gone, and what has begun ends."""

    async def work() -> None:
        async with Topology(tmp_path, FOUR) as net:
            city, other, province, nation = (net[name] for name in ("city", "other", "province", "nation"))
            node = node_of(province)
            await net.level()
            await announced(province, node=city.node, reason="机房停电")
            await announced(province, reason="升级")
            for member, count in ((city, 2), (other, 1), (nation, 2), (province, 2)):
                found = await until(member, lambda found, count=count: counting(found) == count)  # type: ignore[misc]
                assert {one["announcer"] for one in found} == {province.node}
            own, of_city = sorted(found, key=lambda one: str(one["node"]) == city.node)
            assert await refusal(city.command("maintenance.cancel", window=of_city["window"])) is Code.BAD_ARGUMENT
            assert (await province.command("maintenance.cancel", window=own["window"], dry_run=True))["state"] == (
                "cancelled"
            )
            await province.command("maintenance.cancel", window=own["window"])
            await until(other, lambda found: found == [])
            node.clock = At(2)
            assert node.excused.window_of(city.node, node.clock.now_us()) is not None
            ended = await province.command("maintenance.cancel", window=of_city["window"])
            assert ended["state"] == "over"
            await until(city, lambda found: found[0]["ended"] != "")
            await look(node)
            assert node.excused.covered_us(city.node, 0, At(9).now_us()) == pytest.approx(1.9 * HOUR_US, rel=0.01)
            assert node.excused.put_off(city.node, At(1).now_us()) < At(2.1).now_us()
            assert [line["about"] for line in audited(province, "maintenance_cancelled")] == [province.node, city.node]

    run(work())
