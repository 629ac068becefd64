"""What a node tells of the nodes right below it, and how their onboarding moves on by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.clock import iso
from node.grading import Grading
from node.overview import children_seen
from node.testing import Member, Topology
from node.testing.topology import THREE
from tests.integration.kit import cases, node_of, put, run
from tests.integration.test_rollups import StoodClock, sound
from tiers.damping import DAY_US, MINUTE_US
from tiers.grades import Grade

HOUR_US = 60 * MINUTE_US


async def seen_by(member: Member) -> dict[str, dict[str, Any]]:
    node = node_of(member)
    now = node.clock.now_us()
    return await node.writer.ask(lambda replica, store: children_seen(replica, store, now, node.excused))


async def onboarding(member: Member) -> dict[str, Any]:
    (one,) = [task for task in (await member.command("task.list"))["tasks"] if task["flow"] == "W7"]
    return await member.command("task.show", task=one["task"])


def alarms(member: Member, name: str) -> int:
    return sum(one["name"] == name for one in node_of(member).alarms)


def test_a_child_is_onboarded_and_its_faults_are_told_with_what_shows_them(tmp_path: Path) -> None:
    """Services, data, an interruption told at once and louder after hours, its end once it has held, steady after days;
    all of it in the books, in the dataset that goes up, and in the task at both ends. A start tells nothing twice."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            nation, province, city = net["nation"], net["province"], net["city"]
            node = node_of(province)
            grading = Grading(node)
            assert await grading.look() == {city.node: Grade.SERVICE}
            assert await grading.look() == {}
            shown = await onboarding(province)
            assert [one["move"] for one in shown["moves"]] == ["open", "reach_services"]
            await put(city, cases(2))
            await net.level()
            assert await grading.look() == {city.node: Grade.DATA}
            shown = await onboarding(province)
            assert (shown["state"], shown["holder"]) == ("delivering", city.node)
            assert f"data={city.node}/" in shown["moves"][-1]["fields"]["evidence"]

            well, at = (await seen_by(province))[city.node], node.clock.now_us()
            span = {"from": iso(at + 20 * MINUTE_US), "until": iso(at + 80 * MINUTE_US)}
            await province.command("maintenance.announce", node=city.node, reason="停电", **span)
            assert (await province.command("maintenance.list"))["windows"][0]["counts"]
            lost = {**well, "grade": "interrupted"}

            async def look(one: dict[str, Any], minutes: int) -> dict[str, Grade]:
                node.clock = StoodClock(at + minutes * MINUTE_US)
                return await grading.take({city.node: one}, at + minutes * MINUTE_US)

            assert await look(lost, 5) == {}, "it was not watched for so long"
            assert await look(lost, 16) == {city.node: Grade.INTERRUPTED}
            assert alarms(province, "child_interrupted") == 1
            assert await look(lost, 16 + 239) == {}
            assert alarms(province, "child_escalated") == 0
            await look(lost, 16 + 299)
            assert alarms(province, "child_escalated") == 0, "an hour of it was announced"
            await look(lost, 16 + 301)
            await look(lost, 16 + 350)
            assert alarms(province, "child_escalated") == 1
            grading = Grading(node)
            await look(lost, 400)
            await look(lost, 430)
            assert (alarms(province, "child_interrupted"), alarms(province, "child_escalated")) == (1, 1)
            assert await look(well, 431) == {}
            assert await look(well, 442) == {city.node: Grade.DATA}
            days = 8 * DAY_US // MINUTE_US
            assert await look(well, days) == {city.node: Grade.STEADY}
            assert await look({**well, "version": 9}, days + 1) == {}
            assert await look({**well, "grade": "left"}, days + 2) == {city.node: Grade.LEFT}

            moves = [
                "open",
                "reach_services",
                "reach_data",
                "observe",
                "observe",
                "reach_steady",
                "renewed",
            ]
            shown = await onboarding(province)
            assert [one["move"] for one in shown["moves"]] == moves
            assert [one["fields"]["grade"] for one in shown["moves"][3:5]] == ["interrupted", "data"]
            await net.level()
            assert [one["move"] for one in (await onboarding(city))["moves"]] == moves

            told = await province.command("child.grades", month="")
            assert [one["grade"] for one in told["children"]] == ["left"]
            episodes = (await province.command("child.grades", month="", node=city.node))["episodes"]
            assert {one["grade"] for one in episodes} <= {"service", "data", "interrupted", "steady", "left"}
            rows = await node_of(nation).read(
                lambda reader: reader.query("node_status", columns=("_origin", "peer", "grade"))
            )
            assert rows == [(province.node, city.node, "left")]
            await sound(net)

    run(work())


def test_the_onboarding_of_who_left_ends_and_who_comes_again_begins_anew(tmp_path: Path) -> None:
    """By the registry alone, as is a suspension; who left before anything was told of it is not mentioned."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            node, now = node_of(province), node_of(province).clock.now_us()
            well = (await seen_by(province))[city.node]
            left = {**well, "grade": "left"}
            grading = Grading(node)
            assert await grading.take({city.node: left}, now) == {}
            assert await grading.take({city.node: well}, now + 1) == {city.node: Grade.SERVICE}
            held = {**well, "grade": "suspended", "version": 2}
            assert await grading.take({city.node: held}, now + 2) == {city.node: Grade.SUSPENDED}
            assert (await onboarding(province))["state"] == "suspended"
            again = {**well, "version": 3}
            assert await grading.take({city.node: again}, now + 3) == {city.node: Grade.SERVICE}
            moves = [one["move"] for one in (await onboarding(province))["moves"]]
            assert moves == ["open", "reach_services", "held", "freed", "renewed", "reach_services"]
            assert await grading.take({city.node: left}, now + 4) == {city.node: Grade.LEFT}
            assert (await onboarding(province))["state"] == "left"
            assert await grading.take({city.node: {**well, "version": 4}}, now + 5) == {city.node: Grade.SERVICE}
            tasks = [task for task in (await province.command("task.list"))["tasks"] if task["flow"] == "W7"]
            assert sorted(one["state"] for one in tasks) == ["left", "serving"]

    run(work())
