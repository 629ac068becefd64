"""A case handed from one city to another goes through their common parent, who sees, refuses or directs it; each city
holds of the other what the parent passed on, and nothing else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from node.faults import Code, UserFault
from node.store.home import DATABASE_FILE
from node.store.readers import Reader
from node.testing import Member, Topology
from node.testing.leaks import scan_home, text_canary
from node.testing.topology import DEMO, Place
from node.timekeeper import Timekeeper
from sync.effects import FeedState
from tests.integration.kit import cases, node_of, put, run
from tests.integration.test_publications import sound

PHONE = "13812345678"
PLACES = (
    *DEMO[:4],
    Place("jiangsu", "provincial", "320000", "江苏省平台", "nation"),
    Place("nanjing", "city", "320100", "南京市平台", "jiangsu"),
)


async def ask_above(city: Member, other: str, **more: str) -> str:
    """A city brings a case up, with what it should not say."""
    said = {
        "title": f"跨界河道 {PHONE}",
        "request": f"对岸有人连夜倾倒建筑垃圾，举报人 {PHONE}",
        "urgency": "normal",
        "other": other,
    }
    return str((await city.command("task.move", flow="W3U", move="ask", fields={**said, **more}))["task"])


async def make(member: Member, task: str, move: str, **fields: str) -> dict[str, Any]:
    return await member.command("task.move", task=task, move=move, fields=fields)


async def show(member: Member, task: str) -> dict[str, Any]:
    return await member.command("task.show", task=task)


async def follow(net: Topology, *names: str) -> None:
    """What follows by itself, everywhere, until nothing does."""
    keepers = [Timekeeper(node_of(net[name])) for name in (names or net.members)]
    while True:
        await net.level()
        if not [made for keeper in keepers for made in await keeper.look()]:
            return


async def part_of(member: Member, task: str) -> str:
    """The one part of a task that was handed on from here."""
    (part,) = (await show(member, task))["parts"]["tasks"]
    return str(part["task"])


def told(task: dict[str, Any]) -> list[tuple[str, str]]:
    """What was told of how it stands elsewhere: the step in Chinese, and the result."""
    moves = [one for one in task["moves"] if one["move"] == "mirror" and one["accepted"]]
    return [(one["fields"]["stage"].split()[0], one["fields"].get("result", "")) for one in moves]


def test_a_case_goes_to_another_city_through_who_stands_above_both(tmp_path: Path) -> None:
    """The province, or for a city of another province the nation; then the stores of the cities are taken apart."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES) as net:
            await through_the_province(net)
            await through_the_nation(net)
            await sound(net)
            cities = [net[name] for name in ("hangzhou", "ningbo", "nanjing", "province")]
            for member in cities:
                await member.stop()
            assert_apart(*cities)

    run(work())


async def through_the_province(net: Topology) -> None:
    """Directed in the province's words, masked; how it stands and the confirmed result come back; the province cannot
    give its opinion before that without saying why; the same again changes nothing."""
    asking, other, province = net["hangzhou"], net["ningbo"], net["province"]
    await put(asking, cases(2, text="杭州西湖边的一件城市管理案件"))
    await put(other, cases(2, division="330206", text="宁波北仑的一件城市管理案件"))
    task = await ask_above(asking, "330200")
    await net.level()
    await make(province, task, "accept")
    with pytest.raises(UserFault) as fault:
        await make(province, task, "direct", requirement="x", to_node=asking.node)
    assert fault.value.code is Code.MOVE_REFUSED
    await make(province, task, "direct", requirement=f"请清理北岸 {PHONE}")
    await follow(net)
    part = await part_of(province, task)
    with pytest.raises(UserFault, match="override_reason"):
        await make(province, task, "advise", opinion="x")
    assert (await show(other, part))["moves"][0]["fields"] == {
        "title": "跨界河道 ***********",
        "requirement": "请清理北岸 ***********",
        "urgency": "normal",
        "contact": task,
        "part_of": task,
    }
    for move in ("accept", "reply"):
        await make(other, part, move, **({"result": "已清理"} if move == "reply" else {}))
        await follow(net)
    assert told(await show(asking, task)) == [("已受理", ""), ("已回复（临时结案）", "")]
    await make(province, part, "confirm")
    await province.restart()
    await follow(net)
    await follow(net)
    done = await show(asking, task)
    assert told(done)[2:] == [("结案", "已清理")]
    assert [one["fields"]["about"] for one in done["moves"] if one["move"] == "mirror"] == [other.node] * 3
    await make(province, task, "advise", opinion="宁波已清理")
    await net.level()
    await make(asking, task, "file", result="归档")
    await follow(net)
    assert (await show(province, task))["final"]


async def through_the_nation(net: Topology) -> None:
    """Up to the own province, up to the nation, down to the other province and its city; what is told comes back the
    same way, each result once it is confirmed. Every link is one task of two sides."""
    asking, province, nation, jiangsu, nanjing = (
        net[name] for name in ("hangzhou", "province", "nation", "jiangsu", "nanjing")
    )
    task = await ask_above(asking, "320100")
    await net.level()
    await make(province, task, "accept")
    with pytest.raises(UserFault, match="320100"):
        await make(province, task, "direct", requirement="x")
    await make(province, task, "bring_up", request="请协调南京")
    await follow(net)
    above = await part_of(province, task)
    await make(nation, above, "accept")
    await make(nation, above, "direct", requirement="请江苏办理")
    await follow(net)
    beside = await part_of(nation, above)
    await make(jiangsu, beside, "accept")
    await make(jiangsu, beside, "direct", requirement="请南京办理", to_node=nanjing.node)
    await follow(net)
    last = await part_of(jiangsu, beside)
    await make(nanjing, last, "accept")
    await make(nanjing, last, "reply", result="南京已办")
    await follow(net)
    await make(jiangsu, last, "confirm")
    await follow(net)
    await make(jiangsu, beside, "reply", result="江苏已办")
    await follow(net)
    stages = [stage for stage, _ in told(await show(asking, task))]
    assert stages[0] == "协调中"
    assert stages[-1] == "已回复（临时结案）"
    assert not any(result for _, result in told(await show(asking, task)))
    await make(nation, beside, "confirm")
    await follow(net)
    await make(nation, above, "advise", opinion="请按江苏结果办理")
    await follow(net)
    assert told(await show(asking, task))[-2:] == [("结案", "江苏已办"), ("意见已下达", "请按江苏结果办理")]
    assert nanjing.node not in str(await show(asking, task))
    assert asking.node not in str(await show(nanjing, last))


def assert_apart(asking: Member, other: Member, far: Member, province: Member) -> None:
    """Of the other city a home holds no feed, and of its words only those that the province passed on. The search is
    worth something: it finds them at the province."""
    mine, theirs = "杭州西湖边的一件城市管理案件", "宁波北仑的一件城市管理案件"
    for member, alien, case in ((asking, other, theirs), (other, asking, mine), (far, asking, mine)):
        secrets = [text_canary("summary", case), text_canary("phone", PHONE)]
        if member is not asking:
            secrets.append(text_canary("request", "对岸有人连夜倾倒建筑垃圾"))
        origins = {feed.name.origin for feed in feeds(member)}
        assert alien.node not in origins
        assert member.node in origins
        assert not scan_home(member.home, secrets).leaks
        assert {leak.what for leak in scan_home(province.home, secrets).leaks} == {"summary", "request"} - (
            {"request"} if member is asking else set()
        )


def feeds(member: Member) -> list[FeedState]:
    """All that its store holds, its own and others'."""
    with closing(Reader(member.home / DATABASE_FILE, ())) as reader:
        return reader.feeds()
