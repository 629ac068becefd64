"""A record is marked above, answered for by its origin, and closed: over real tiers, and while the link is down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.faults import Code, UserFault
from node.testing import DEMO, Member, Topology
from tests.integration.kit import cases, feed, has_no_link, put, run
from tests.integration.test_publications import sound

KEY = ["3301-000001"]


async def issue_of(member: Member) -> dict[str, Any]:
    """The one issue that a node knows."""
    (one,) = (await member.command("quality.list"))["issues"]
    return dict(one)


def test_a_province_marks_and_a_city_corrects(tmp_path: Path) -> None:
    """The nation hears of it, the sibling does not; the answer goes to the finder alone; the row stays the city's."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, province, nation, sibling = net["hangzhou"], net["province"], net["nation"], net["ningbo"]
            await put(city, cases(2))
            await net.level()
            marked = await province.command(
                "quality.mark", dataset="case", kind="contradicts", key=KEY, problem="与照片不符", dry_run=True
            )
            assert not (await province.command("quality.list"))["issues"]
            marked = await province.command("quality.mark", dataset="case", kind="contradicts", key=KEY)
            assert (marked["state"], marked["origin"], marked["record_changed"]) == ("notified", city.node, False)
            await net.level()
            assert (await city.status())["quality"] == {"marked": 0, "to_answer": 1}
            assert (await issue_of(nation))["issue"] == marked["issue"]
            assert not (await sibling.command("quality.list"))["issues"]
            with pytest.raises(UserFault) as unchanged:
                await city.command("quality.answer", issue=marked["issue"], move="correct")
            assert unchanged.value.code is Code.MOVE_REFUSED
            await put(city, cases(1, text="改正"))
            said = await city.command("quality.answer", issue=marked["issue"], move="correct", reason="已改")
            assert (said["state"], said["record_changed"]) == ("corrected", True)
            await net.level()
            heard = await issue_of(province)
            assert (heard["state"], heard["reason"], heard["record_changed"]) == ("corrected", "已改", True)
            assert not feed(await nation.status(), f"{city.node}/quality_answer.finder@{province.node}").get("rows")
            with pytest.raises(UserFault):
                await city.command("quality.close", issue=marked["issue"])
            assert (await province.command("quality.close", issue=marked["issue"]))["state"] == "closed"
            await net.level()
            assert (await issue_of(city))["state"] == "closed"
            assert (await city.status())["quality"] == {"marked": 0, "to_answer": 0}
            await sound(net)

    run(work())


def test_answers_that_cross_a_reopening_count_for_their_round(tmp_path: Path) -> None:
    """The link is down while both sides move: what the city says of the first round does not settle the second."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(1))
            await net.level()
            one = await province.command("quality.mark", dataset="case", kind="out_of_range", key=KEY)
            await net.level()
            await city.command("quality.answer", issue=one["issue"], move="keep", reason="属实")
            await net.level()
            await city.stop()
            await province.until(has_no_link(city))
            again = await province.command("quality.reopen", issue=one["issue"], reason="仍不符")
            assert (again["state"], again["round"]) == ("disputed", 2)
            await city.start()
            await net.level()
            seen = await issue_of(city)
            assert (seen["state"], seen["round"], seen["next"]) == ("disputed", 2, ["verify", "correct", "keep"])
            await city.command("quality.answer", issue=one["issue"], move="keep", reason="再次核实，属实")
            await net.level()
            assert (await issue_of(province))["state"] == "kept"
            await sound(net)

    run(work())


def test_what_is_missing_can_be_marked_and_a_record_of_nobody_cannot(tmp_path: Path) -> None:
    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            with pytest.raises(UserFault) as nobody:
                await province.command("quality.mark", dataset="case", kind="duplicate", key=["none"], origin=city.node)
            assert nobody.value.code is Code.BAD_ARGUMENT
            with pytest.raises(UserFault) as ghost:
                await province.command("quality.mark", dataset="case", kind="missing", origin="ghost.cn-demo")
            assert ghost.value.code is Code.PEER_UNKNOWN
            told = await province.command(
                "quality.mark", dataset="case_stat", kind="missing", origin=city.node, period="2026-03"
            )
            assert (told["record"], told["period"], told["record_changed"]) == ("", "2026-03", None)
            await net.level()
            assert (await issue_of(city))["next"] == ["verify", "correct", "keep"]

    run(work())
