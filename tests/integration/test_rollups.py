"""Statistics of a real country: cities with cases, with none, without data, never heard and without a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from node.clock import SystemClock
from node.demo.reader import fsck
from node.rollups import RollUps
from node.settings import RollUpSection
from node.testing import Member, Topology
from node.testing.topology import Place
from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Row
from tests.integration.kit import COLUMNS, has_no_link, node_of, run, seq
from tiers.door import Checked, Door
from tiers.periods import midnight_us
from tiers.rules import CodesKnown

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_US = 3_600_000_000
CITIES = ("hangzhou", "ningbo", "wenzhou", "jiaxing")
COUNTRY = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("province", "provincial", "330000", "浙江省平台", "nation"),
    *(Place(name, "city", f"330{n}00", name, "province") for n, name in enumerate(CITIES, 1)),
    Place("shanghai", "city", "310000", "上海市平台", "nation"),
)


class StoodClock(SystemClock):
    """A clock on the wall that stands where the test put it."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now_us(self) -> int:
        return self._now


def case(name: str, division: str, at: int, source: str = "public") -> Row:
    return (name, "event", source, division, "handling", at, False, "")


async def bring(member: Member, *rows: Row) -> None:
    result = await member.put("case", COLUMNS, rows)
    assert not result.rejected, list(result.rejected)


def set_clocks(net: Topology, now: int) -> None:
    for member in net.members.values():
        if member.running is not None:
            node_of(member).clock = StoodClock(now)


def first_day(net: Topology) -> date:
    """The first day at whose end all were enrolled."""
    registry = node_of(net["nation"]).core().registry
    return date.fromisoformat(max(e.effective for e in registry.nodes() if e.effective))


async def roll(net: Topology, day: date, *names: str) -> dict[str, Any]:
    """Works the day out at one node after the other, each with what the one before handed up."""
    found: dict[str, Any] = {}
    for name in names:
        await net.level()
        answer = await net[name].command("rollup.run", dataset="case_stat", period=day.isoformat())
        (found[name],) = answer["rollups"][0]["periods"]
    await net.level()
    return found


async def seen(net: Topology, name: str, day: date) -> dict[str, Any]:
    """What a node shows of the day: 'here', and by title what it knows of those below."""
    shown = await net[name].command("rollup.show", dataset="case_stat", period=day.isoformat())
    (period,) = shown["periods"]
    return {"here": period["here"], **{part["title"]: part for part in period["below"]}}


async def sound(net: Topology) -> None:
    await net.stop()
    for member in net.members.values():
        assert not fsck(member).findings, member.place.name


def test_zero_no_data_not_heard_and_no_link_stay_four_things_up_to_the_nation(tmp_path: Path) -> None:
    """One city has cases, one had none, one's source brought nothing, one is down; the municipality is not heard yet.
    Then the one that was down comes back, the period closes, and what comes later is a correction."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY) as net:
            day = first_day(net)
            start = midnight_us(day, ZONE)
            after = midnight_us(day + timedelta(days=1), ZONE)
            await bring(net["hangzhou"], *(case(f"h{n}", "330106", start + n) for n in range(3)))
            await bring(net["hangzhou"], case("h4", "330106", start, "hotline"), case("h5", "330106", after))
            await bring(net["wenzhou"], case("w1", "330302", after))
            await net.level()
            await net["ningbo"].stop()
            await net["province"].until(has_no_link(net["ningbo"]))
            set_clocks(net, after + HOUR_US)

            await roll(net, day, "hangzhou", "wenzhou", "jiaxing", "province", "nation")
            found = await seen(net, "nation", day)
            here = found["here"]
            assert here["parts"] == {"all": 5, "counted": 2, "no_data": 1, "pending": 1, "down": 1}
            assert here["total"]["reported"] == 4
            assert (here["complete"], here["final"], here["state"]) == (False, False, "counted")
            states = {name: found[name]["state"] for name in (*CITIES, "上海市平台")}
            assert states == {
                "hangzhou": "counted",
                "ningbo": "not_heard",
                "wenzhou": "zero",
                "jiaxing": "no_data",
                "上海市平台": "pending",
            }
            assert found["浙江省平台"]["parts"] == {"all": 4, "counted": 2, "no_data": 1, "pending": 0, "down": 1}
            assert (await seen(net, "province", day))["ningbo"]["state"] == "down"
            assert found["hangzhou"]["withheld_cells"] == 2, "one hotline case, and the next cell that hides it"

            await net["ningbo"].start()
            set_clocks(net, after + HOUR_US)
            await bring(net["ningbo"], case("n1", "330203", start))
            await roll(net, day, "ningbo", "shanghai", "province", "nation")
            here = (await seen(net, "nation", day))["here"]
            assert here["parts"] == {"all": 5, "counted": 3, "no_data": 2, "pending": 0, "down": 0}
            assert here["total"]["reported"] == 5

            set_clocks(net, after + 4 * 24 * HOUR_US)
            everyone = (*CITIES, "shanghai", "province", "nation")
            closed = await roll(net, day, *everyone)
            assert all(one["final"] and not one["corrections"] for one in closed.values())
            again = await roll(net, day, *everyone)
            assert all(one["written"] == 0 for one in again.values())
            await bring(net["hangzhou"], case("late", "330106", start))
            await roll(net, day, "hangzhou", "province", "nation")
            here = (await seen(net, "nation", day))["here"]
            assert here["total"]["reported"] == 6
            assert here["final"]
            assert here["corrections"] > 0
            await sound(net)

    run(work())


def test_vital_signs_are_rolled_up_by_what_can_be_said_of_them(tmp_path: Path) -> None:
    """Sum, mean, greatest and smallest by indicator and unit, up to the nation; a city's figure is its own place's, not
    once more its counties'; different units stay apart, and there is no sum over indicators."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:4]) as net:
            day = first_day(net)
            after = midnight_us(day + timedelta(days=1), ZONE)
            columns = ("division", "period", "indicator", "value", "unit", "quality")
            said = {
                "hangzhou": [
                    ("330100", "water_supply", "10.5", "m³", "normal"),
                    ("330106", "water_supply", "4", "m³", "normal"),
                    ("330100", "lights_on", "98.5", "%", "estimated"),
                    ("330100", "sewage", None, "t", "missing"),
                ],
                "ningbo": [
                    ("330200", "water_supply", "20", "m³", "normal"),
                    ("330200", "lights_on", "97.0", "%", "normal"),
                    ("330200", "sewage", "3", "万t", "normal"),
                ],
            }
            for name, rows in said.items():
                whole = [(place, day.isoformat(), *rest) for place, *rest in rows]
                assert not (await net[name].put("operation_vitals", columns, whole)).rejected
            set_clocks(net, after + HOUR_US)
            for name in ("hangzhou", "ningbo", "province", "nation"):
                await net.level()
                await net[name].command("rollup.run", dataset="operation_vitals_stat", period=day.isoformat())
            await net.level()
            names = ("indicator", "unit", "reported", "value_sum", "value_mean", "value_max", "value_min", "parts")
            for member in (net["province"], net["nation"]):
                node = node_of(member)
                rows = await node.read(
                    lambda reader, origin=node.config.node.node_id: reader.page(
                        "operation_vitals_stat", origin, None, names, 100
                    )
                )
                assert set(rows) == {
                    ("*", "*", 5, None, None, None, None, 2),
                    ("lights_on", "%", 2, "195.5", "97.7500", "98.5", "97.0", None),
                    ("sewage", "t", 0, "0", None, None, None, None),
                    ("sewage", "万t", 1, "3", "3.0000", "3", "3", None),
                    ("water_supply", "m³", 2, "30.5", "15.2500", "20", "10.5", None),
                }, member.place.name
            shown = await net["nation"].command("rollup.show", dataset="operation_vitals_stat", period=day.isoformat())
            here = shown["periods"][0]["here"]
            assert (here["complete"], here["partial"], here["parts"]["counted"]) == (True, [], 2)
            await sound(net)

    run(work())


def test_a_record_that_is_marked_is_left_out_until_the_issue_is_closed(tmp_path: Path) -> None:
    """The province doubts one of its city's cases: its figures and the nation's are without it, and say so; the city's
    own are not touched. A correction of a closed period is counted; the nation does not leave it out twice."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:3]) as net:
            day = first_day(net)
            start = midnight_us(day, ZONE)
            after = midnight_us(day + timedelta(days=1), ZONE)
            rows = [case(f"h{n}", "330106", start + n) for n in range(5)]
            await bring(net["hangzhou"], *((*row[:6], True, *row[7:]) for row in rows), case("next", "330106", after))
            set_clocks(net, after + HOUR_US)
            everyone = ("hangzhou", "province", "nation")
            await roll(net, day, *everyone)
            marked = await net["province"].command(
                "quality.mark", dataset="case", kind="contradicts", key=["h1"], exclude=True
            )
            await net["province"].command("quality.mark", dataset="case", kind="duplicate", key=["h2"])
            await net["nation"].command("quality.mark", dataset="case", kind="contradicts", key=["h1"], exclude=True)
            await roll(net, day, *everyone)
            for name, reported, left_out in (("hangzhou", 5, 0), ("province", 4, 1), ("nation", 4, 1)):
                here = (await seen(net, name, day))["here"]
                assert (here["total"]["reported"], here["left_out"]) == (reported, left_out), name
                assert (here["complete"], here["parts"]["counted"]) == (True, 1), name

            set_clocks(net, after + 4 * 24 * HOUR_US)
            assert all(one["final"] and not one["corrections"] for one in (await roll(net, day, *everyone)).values())
            await net["province"].command("quality.close", issue=marked["issue"])
            await roll(net, day, *everyone)
            for name, reported, left_out in (("hangzhou", 5, 0), ("province", 5, 0), ("nation", 4, 1)):
                here = (await seen(net, name, day))["here"]
                assert (here["total"]["reported"], here["left_out"]) == (reported, left_out), name
            assert (await seen(net, "province", day))["here"]["corrections"] > 0
            await sound(net)

    run(work())


def test_the_node_works_out_what_is_open_by_itself(tmp_path: Path) -> None:
    """A look finds what changed since the last; nothing new means nothing is written; brought figures stay."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            day = first_day(net)
            start, after = midnight_us(day, ZONE), midnight_us(day + timedelta(days=1), ZONE)
            city = node_of(net["city"])
            rollup = city.catalogue.rollups["case_stat"]
            await bring(net["city"], case("a", "330106", start), case("b", "330106", after))
            set_clocks(net, after + HOUR_US)
            task = RollUps(city)
            looked = {one.period: one for one in await task.look(rollup)}
            assert looked[day.isoformat()].state == "rolled"
            assert looked[(day - timedelta(days=1)).isoformat()].state == "rolled", (
                "it has cases of later: so none then"
            )
            assert await task.look(rollup) == [], "its own rows are looked at once"
            await bring(net["city"], case("c", "330106", start))
            (one,) = [one for one in await task.look(rollup) if one.period == day.isoformat()]
            assert one.written > 0
            names = rollup.dataset.schema.names
            brought = {"division": "330100", "period": day.isoformat(), "complete": True, "final": True, "reported": 9}
            row = tuple({**dict.fromkeys(names), **dict.fromkeys(rollup.dimensions, "*"), **brought}.values())
            await net["city"].put("case_stat", names, [row])
            again = {one.period: one for one in await task.look(rollup)}
            assert again[day.isoformat()].state == "brought"
            dry = await net["city"].command("rollup.run", dry_run=True)
            assert {one["dataset"] for one in dry["rollups"]} == {
                "case_stat",
                "component_stat",
                "operation_vitals_stat",
                "task_stat",
            }
            await sound(net)

    run(work())


def test_statistics_come_by_themselves_and_what_goes_wrong_is_told(tmp_path: Path) -> None:
    """On the node's own cadence, without anybody asking; a door that lets nothing in is an alarm, and it goes on."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, node = net["city"], node_of(net["city"])
            day = first_day(net)
            await bring(city, case("a", "330106", midnight_us(day, ZONE)))
            set_clocks(net, midnight_us(day + timedelta(days=1), ZONE) + HOUR_US)
            node.config = replace(node.config, rollup=RollUpSection(every_s=1))
            task, door = RollUps(node), node.door

            class Shut(Door):
                def check_local_rows(self, dataset: str, rows: Sequence[Row], known: CodesKnown) -> Checked:
                    raise InputFault(Reason.OUT_OF_SCOPE, "shut")

            node.door = Shut(node.catalogue, node.standing)
            task.start()
            try:
                await city.until(lambda status: any(a["name"] == "rollup_failed" for a in status["alarms"]))
                node.door = door
                own = f"{city.node}/case_stat.ancestors"
                await city.until(lambda status: seq(status, own) > 0 and bool(status["dues"]["at"]))
            finally:
                await task.stop()
            await net.level()
            await sound(net)

    run(work())
