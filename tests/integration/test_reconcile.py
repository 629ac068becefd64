"""Two tiers that hold different rows: told by itself, named by range, mended from what was signed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from node.demo.reader import fsck
from node.store.driver import connect_writer
from node.store.home import DATABASE_FILE
from node.testing import Member, Topology
from tests.integration.kit import cases, node_of, put, run, same_cases

UP = {"case.parent": "province"}


def plant(member: Member, *statements: str) -> None:
    """Damage behind the back of a stopped node."""
    connection = connect_writer(member.home / DATABASE_FILE)
    try:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        connection.commit()
    finally:
        connection.close()


async def compared(member: Member, of: Member, *, dry_run: bool = True) -> dict[str, Any]:
    """What `reconcile` says of case.parent, with how much was mended."""
    found = await member.command("reconcile", node=of.node, dataset="case", dry_run=dry_run)
    feed = next(one for one in found["feeds"] if one["feed"].endswith("/case.parent"))
    return {**feed, "mended": found["mended"]}


async def compared_at_the_head(member: Member, of: Member) -> dict[str, Any]:
    """The same, once the origin has signed a digest at the newest entry held."""
    while True:
        changed = node_of(member).changed
        found = await compared(member, of)
        if found["position"] == found["seq"]:
            return found
        await asyncio.wait_for(changed.wait(), 60)


async def stated(at: Member, holder: Member) -> dict[str, Any]:
    """What a node has stated of feeds of cases in `reconciliation`, as it is known at another: result, rows."""
    names = ("feed", "result", "differing_rows")
    rows = await node_of(at).read(
        lambda reader: reader.query("reconciliation", '"holder" = ? AND "dataset" = ?', (holder.node, "case"), names)
    )
    return {str(feed): tuple(rest) for feed, *rest in rows if str(feed).endswith("/case.parent")}


def told(status: dict[str, Any], name: str = "rows_diverge") -> int:
    return sum(alarm["name"] == name for alarm in status["alarms"])


def test_rows_that_differ_raise_an_alarm_are_named_and_made_again(tmp_path: Path) -> None:
    """Altered and lost rows at a province, and a digest with them: made again from what the city sealed."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(20))
            await net.level()
            await province.stop()
            plant(
                province,
                "UPDATE rows_case SET summary = 'altered' WHERE case_id IN ('3301-000003', '3301-000004')",
                "DELETE FROM rows_case WHERE case_id = '3301-000010'",
                "UPDATE feed_state SET digest = zeroblob(32) WHERE rows = 20",
            )
            await province.start()
            await province.until(lambda status: told(status) > 0)
            there = await city.until(lambda status: told(status, "rows_diverge_there") > 0)
            assert next(a["by"] for a in there["alarms"] if a["name"] == "rows_diverge_there") == province.node
            found = await compared_at_the_head(province, city)
            assert (found["same_there"], found["same_here"], found["differing"]) == (True, False, 3)
            assert [(r["first"], r["last"], r["differing"], r["missing"]) for r in found["ranges"]] == [
                ('["3301-000003"]', '["3301-000004"]', 2, 0),
                ('["3301-000010"]', '["3301-000010"]', 0, 1),
            ]
            assert not await stated(province, province), "a dry run states nothing"
            mended = await compared(province, city, dry_run=False)
            assert mended["mended"] == 3
            feed = f"{city.node}/case.parent"
            assert await stated(province, province) == {feed: ("differs", 3)}
            await net.level()
            assert await stated(net["nation"], province) == {feed: ("differs", 3)}
            before = told(await province.status())
            await put(city, cases(1, first=50))
            await net.level()
            again = await compared_at_the_head(province, city)
            assert (again["same_there"], again["same_here"], again["ranges"]) == (True, True, [])
            assert again["earlier_epochs"] == 0
            await compared(province, city, dry_run=False)
            assert await stated(province, province) == {feed: ("same", 0)}
            assert told(await province.status()) == before, "no new alarm"
            assert same_cases(net, "city", UP) == 21
            await net.stop()
            assert fsck(province).sound

    run(work())


def test_an_origin_whose_rows_are_not_what_it_published_publishes_them_again(tmp_path: Path) -> None:
    """By ordinary signed changes; a dry run says which rows, and changes nothing."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(9))
            await net.level()
            await city.stop()
            plant(city, "UPDATE rows_case SET category = 'component' WHERE case_id = '3301-000002'")
            await city.start()
            await net.settled()
            found = await compared(city, city)
            assert (found["same_here"], found["differing"], found["mended"]) == (False, 1, 0)
            assert [(r["first"], r["last"]) for r in found["ranges"]] == [('["3301-000002"]',) * 2]
            assert (await compared(city, city, dry_run=False))["mended"] == 1
            await net.level()
            assert (await compared(city, city))["same_here"] is True
            assert (await compared_at_the_head(province, city))["same_there"] is True
            assert same_cases(net, "city", UP) == 9
            await net.stop()
            assert fsck(city).sound
            assert fsck(province).sound

    run(work())
