"""Statistics of tasks in a real country: each task counted once, whatever was done late, up to the nation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from node.rollups import RollUps
from node.testing import Member, Topology
from node.testing.topology import Place
from tests.integration.kit import has_no_link, node_of, run
from tests.integration.test_rollups import HOUR_US, ZONE, StoodClock, first_day, set_clocks, sound
from tiers.dataset import Cadence
from tiers.periods import midnight_us, period_of

COUNTRY = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("province", "provincial", "330000", "浙江省平台", "nation"),
    Place("hangzhou", "city", "330100", "杭州市平台", "province"),
    Place("ningbo", "city", "330200", "宁波市平台", "province"),
)


async def issue(issuer: Member, holder: Member, task: str) -> None:
    moves: tuple[tuple[str, dict[str, str]], ...] = (
        ("register", {"title": "路面破损"}),
        ("issue", {"requirement": "修复", "due": "2099-12-31"}),
    )
    for move, fields in moves:
        await issuer.command("task.move", flow="W2", task=task, move=move, holder=holder.node, fields=fields)


async def make(member: Member, task: str, move: str, **fields: str) -> None:
    await member.command("task.move", task=task, move=move, fields=fields)


async def roll(net: Topology, period: str, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        await net.level()
        answer = await net[name].command("rollup.run", dataset="task_stat", period=period)
        (found[name],) = answer["rollups"][0]["periods"]
    await net.level()
    return found


async def stats(member: Member, period: str, **asked: str) -> dict[str, Any]:
    """What the node shows of the last of the months."""
    found: dict[str, Any] = await member.command("task.stats", period=period, **asked)
    return found


def test_each_task_counts_once_at_every_tier_and_what_comes_late_corrects_the_month(tmp_path: Path) -> None:
    """The nation's task at the province, two of the province's at a city, and an alarm of that city; another city is
    down. Then it comes back, the month closes, and a move that was made in it is heard of."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY) as net:
            nation, province, city = net["nation"], net["province"], net["hangzhou"]
            month = period_of(Cadence.MONTHLY, first_day(net))
            name, after = str(month), midnight_us(month.until, ZONE)
            await net["ningbo"].stop()
            await province.until(has_no_link(net["ningbo"]))
            set_clocks(net, midnight_us(month.last, ZONE) + 10 * HOUR_US)
            await issue(nation, province, "n-1")
            await issue(province, city, "p-1")
            await issue(province, city, "p-2")
            alarm = {"title": "燃气泄漏", "alarm": "a-1", "level": "1"}
            await city.command("task.move", flow="W10", task="c-1", move="raise", holder=province.node, fields=alarm)
            await net.level()
            await make(city, "p-1", "sign")
            await make(city, "p-1", "reply", result="已修复")
            await net.level()
            await make(province, "p-1", "close")
            await net.level()

            set_clocks(net, after + HOUR_US)
            up = ("hangzhou", "province", "nation")
            rolled = await roll(net, name, *up)
            assert rolled["nation"]["parts"] == {"all": 4, "counted": 3, "no_data": 0, "pending": 0, "down": 1}
            shown = await stats(nation, name)
            (last,) = shown["here"]["months"][-1:]
            assert (last["issued"], last["closed"], last["closed_in_time"], last["open"]) == (4, 1, 1, 3)
            assert (last["in_time_rate"], last["complete"], last["final"]) == ("1.0000", False, False)
            by = {(one["tier"], one["flow"]): one for one in shown["cells"]}
            assert by["provincial", "*"]["issued"] == by["provincial", "W2"]["issued"] == 1
            assert by["city", "*"]["issued"] == 3
            assert by["city", "W10"]["overdue"] == 1, "half an hour to confirm it"
            assert (await stats(city, name))["here"]["months"][-1]["issued"] == 3, "an alarm is the city's own work"

            await net["ningbo"].start()
            set_clocks(net, after + HOUR_US)
            looked = {one.period: one for one in await RollUps(node_of(net["ningbo"])).look(rollup_of(net["ningbo"]))}
            assert looked[name].tally.parts.counted == 1
            await roll(net, name, "province", "nation")
            shown = await stats(province, name)
            assert [(one["division"], one["months"][-1]["issued"]) for one in shown["below"]] == [
                ("330100", 3),
                ("330200", 0),
            ]
            assert shown["here"]["months"][-1]["complete"] is True
            assert shown["below"][0]["months"][0] == {"period": shown["months"][0], "state": "unknown"}

            set_clocks(net, midnight_us(month.until + timedelta(days=10), ZONE))
            everyone = ("hangzhou", "ningbo", "province", "nation")
            assert all(one["final"] and not one["corrections"] for one in (await roll(net, name, *everyone)).values())
            assert all(not one["written"] for one in (await roll(net, name, *everyone)).values())
            node_of(city).clock = StoodClock(after - HOUR_US)
            await make(city, "p-2", "sign")
            await net.level()
            set_clocks(net, midnight_us(month.until + timedelta(days=10), ZONE))
            await roll(net, name, *up)
            (last,) = (await stats(nation, name, flow="W2"))["here"]["months"][-1:]
            assert (last["replied"], last["final"]) == (2, True)
            assert last["corrections"] > 0

            known = node_of(city).catalogue
            flows = {name: flow for name, flow in known.flows.items() if name != "W10"}
            node_of(city).catalogue = replace(known, flows=flows)
            answer = await city.command("rollup.run", dataset="task_stat", period=name, dry_run=True)
            assert answer["rollups"][0]["periods"][0]["complete"] is False, "a task of a flow that it does not know"
            await sound(net)

    run(work())


def rollup_of(member: Member) -> Any:
    return node_of(member).catalogue.rollups["task_stat"]
