"""What the parent's node supervises by itself, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node import dues
from node.settings import TasksSection
from node.supervising import Supervising
from node.testing import Member, Topology
from sync.registry import Enrolment
from tests.integration.kit import COLUMNS, node_of, run
from tests.integration.test_dues import COUNTRY, bring
from tests.integration.test_rollups import HOUR_US, ZONE, first_day, set_clocks, sound
from tiers.periods import midnight_us
from tiers.supervision import data_task

DAY_US = 24 * HOUR_US


async def looked(member: Member, supervising: Supervising) -> list[str]:
    """As the node does it now and then."""
    owed = await dues.look_at_all(node_of(member))
    return await supervising.look([*owed.older, *owed.newest])


async def moves(member: Member, task: str) -> list[str]:
    return [one["move"] for one in (await member.command("task.show", task=task))["moves"]]


async def holder(member: Member, task: str) -> str:
    return str((await member.command("task.show", task=task))["holder"])


async def fields(member: Member, task: str) -> dict[str, str]:
    found: dict[str, str] = (await member.command("task.show", task=task))["moves"][0]["fields"]
    return found


def test_data_overdue_by_two_cycles_is_supervised_once_until_it_comes(tmp_path: Path) -> None:
    """Of the node that does not bring it, by its parent alone, not before the parent has seen it for an hour; nobody
    is supervised anew with the next day, and what comes is said. What nobody issued is over then."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:4]) as net:
            day = first_day(net)
            nation, province, ningbo = net["nation"], net["province"], net["ningbo"]
            ends = midnight_us(day + timedelta(days=1), ZONE)
            for n in range(6):
                await bring(net["hangzhou"], day + timedelta(days=n))
            await net.level()
            own, above = Supervising(node_of(province)), Supervising(node_of(nation))
            task = data_task(province.node, "operation_vitals", day.isoformat(), ningbo.node)
            set_clocks(net, ends + 3 * DAY_US - HOUR_US)
            assert await looked(province, own) == []
            set_clocks(net, ends + 3 * DAY_US + 1)
            other = Supervising(node_of(province))
            for one in (own, other):
                assert await looked(province, one) == [], "it may be under way"
            set_clocks(net, ends + 3 * DAY_US + HOUR_US + 1)
            owed = await dues.look_at_all(node_of(province))
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(Enrolment, "is_living", property(lambda one: one.node != ningbo.node))
                others = await other.look([*owed.older, *owed.newest])
                assert others
                assert not [one for one in others if await holder(province, one) == ningbo.node], "it is suspended"
            begun = await looked(province, own)
            assert task in begun
            assert await looked(province, own) == []
            assert await looked(province, Supervising(node_of(province))) == []
            shown = await province.command("task.show", task=task)
            assert (shown["state"], shown["holder"]) == ("registered", ningbo.node)
            said = await fields(province, task)
            about = said["kind"], said["dataset"], said["period"]
            assert about == ("data_quality", "operation_vitals", day.isoformat())
            same = [one for one in begun if (await fields(province, one))["dataset"] == "operation_vitals"]
            assert same == [task], "hangzhou brought its own"
            await looked(nation, above)
            set_clocks(net, ends + 3 * DAY_US + 3 * HOUR_US)
            await looked(nation, above)
            supervised = {one["holder"] for one in (await nation.command("task.list"))["tasks"]}
            assert supervised == {province.node}, "what is further down, its own parent supervises"

            await province.command("task.move", task=task, move="issue", fields={"requirement": "补报"})
            set_clocks(net, ends + 5 * DAY_US)
            later = await looked(province, own)
            set_clocks(net, ends + 5 * DAY_US + 2 * HOUR_US)
            assert not {*later, *await looked(province, own)} & {
                data_task(province.node, "operation_vitals", (day + timedelta(days=n)).isoformat(), ningbo.node)
                for n in range(5)
            }, "one is open"
            set_clocks(net, ends + 20 * DAY_US)
            await bring(ningbo, day)
            await net.level()
            await looked(province, own)
            assert await moves(province, task) == ["register", "issue", "remedied"]
            await looked(province, own)
            assert (await moves(province, task)).count("remedied") == 1
            await net.level()
            assert await moves(ningbo, task) == ["register", "issue", "remedied"]
            await sound(net)

    run(work())


def test_a_case_overdue_by_once_its_limit_is_supervised_where_that_is_switched_on(tmp_path: Path) -> None:
    """As many a day as are allowed, the longest overdue first; issued by the node where that is said too; what was
    settled before it was issued is over."""
    columns = (*COLUMNS, "deadline", "limit_value", "limit_unit")

    def late(name: str, state: str, deadline: int) -> tuple[object, ...]:
        return (name, "event", "public", "330106", state, deadline - HOUR_US, False, "", deadline, 1, "urgent_hour")

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:3]) as net:
            province, city = net["province"], net["hangzhou"]
            node = node_of(province)
            now = midnight_us(first_day(net) + timedelta(days=1), ZONE) + 10 * HOUR_US
            set_clocks(net, now)
            rows = [
                late("a", "handling", now - 3 * HOUR_US),
                late("b", "handling", now - 4 * HOUR_US),
                late("c", "closed", now - 5 * HOUR_US),
                late("d", "handling", now - HOUR_US),
                late("e", "handling", now + HOUR_US),
            ]
            assert not (await city.put("case", columns, rows)).rejected
            await net.level()
            own = Supervising(node)
            assert await own.look([]) == []
            node.config = replace(node.config, tasks=TasksSection(supervise_cases_per_day=1))
            (first,) = await own.look([])
            assert (await fields(province, first))["about"] == "b"
            assert await own.look([]) == []
            node.config = replace(node.config, tasks=TasksSection(supervise_cases_per_day=5, supervision_issued=True))
            second = (await own.look([]))[0]
            assert (await province.command("task.show", task=second))["state"] == "issued"
            assert await own.look([]) == []
            settled = [late(name, "closed", now - hours * HOUR_US) for name, hours in (("a", 3), ("b", 4))]
            assert not (await city.put("case", columns, settled)).rejected
            await net.level()
            assert {*await own.look([])} == {first, second}
            assert await moves(province, first) == ["register", "lapse"]
            assert await moves(province, second) == ["register", "issue", "remedied"]
            assert await own.look([]) == []

    run(work())
