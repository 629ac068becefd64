"""The issuer's node keeps the time of its tasks by itself: link or no link, once each, over restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from node.app import Node
from node.calendar import calendar_of
from node.clock import iso
from node.faults import UserFault
from node.jobs import MoveWish
from node.settings import CalendarSection
from node.store.readers import Reader
from node.testing import Member, Topology
from node.testing.topology import THREE
from node.timekeeper import Timekeeper
from sync.errors import InputFault
from sync.reasons import Reason
from tests.integration.kit import has_no_link, node_of, run
from tests.integration.test_rollups import StoodClock, sound
from tiers.calendar import Kind, Source
from tiers.flows.consequences import started_id
from tiers.flows.standing import Act, TaskStanding, standing
from tiers.flows.table import Start
from tiers.periods import day_of

TASK = "t-1"


async def issue(member: Member, holder: Member, due: str = "2099-12-31") -> None:
    said: Sequence[tuple[str, dict[str, str]]] = (
        ("register", {"title": "路面破损"}),
        ("issue", {"requirement": "修复", "due": due}),
    )
    for move, fields in said:
        await member.command("task.move", flow="W2", task=TASK, move=move, holder=holder.node, fields=fields)


async def stands(node: Node, flow: str = "W2") -> TaskStanding:
    """As the issuer's own calendar has it."""
    history = await node.read(partial(Reader.moves, task=TASK))
    calendar = await node.read(lambda reader: calendar_of(reader, node.config))
    found = standing(node.catalogue.flows[flow], history, calendar, node.clock.now_us())
    assert found is not None
    return found


async def next_act(node: Node) -> Act:
    found = await stands(node)
    assert found.act is not None
    return found.act


async def moves(member: Member, task: str = TASK) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await member.command("task.show", task=task))["moves"]
    return found


def test_a_holder_without_a_link_is_warned_and_overdue_all_the_same(tmp_path: Path) -> None:
    """At 80 %, at the end, and no more; a node that starts again tells nothing twice; the holder hears of it later."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            await issue(province, city)
            await net.level()
            await city.stop()
            await province.until(has_no_link(city))
            node = node_of(province)
            keeper = Timekeeper(node)
            assert await keeper.look() == []
            for wanted in ("warned", "overdue"):
                act = await next_act(node)
                assert act.move == wanted
                node.clock = StoodClock(act.at_us - 1)
                assert await keeper.look() == []
                node.clock = StoodClock(act.at_us)
                assert await keeper.look() == [(TASK, wanted)]
                assert await keeper.look() == []
            assert (await stands(node)).times == 1
            told = await moves(province)
            assert [m["move"] for m in told] == ["register", "issue", "warned", "overdue"]
            assert told[-1]["due_at"] == told[-2]["due_at"] == told[-3]["due_at"]
            assert await Timekeeper(node).look() == []
            await city.start()
            await net.level()
            assert await moves(city) == told
            await sound(net)

    run(work())


def test_who_was_off_when_a_limit_ended_tells_it_at_the_next_start(tmp_path: Path) -> None:
    """And does not warn any more of what is over. The holder's node keeps no time of what it did not issue."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            await issue(net["province"], net["city"])
            await net.level()
            end = (await stands(node_of(net["province"]))).due
            assert end is not None
            late = StoodClock(end.at_us + 1)
            holder = node_of(net["city"])
            holder.clock = late
            assert await Timekeeper(holder).look() == []
            issuer = node_of(net["province"])
            issuer.clock = late
            assert await Timekeeper(issuer).look() == [(TASK, "overdue")]

    run(work())


def test_a_holiday_that_is_entered_later_moves_the_limit(tmp_path: Path) -> None:
    """The next day is made a day of rest: what would be overdue is not. The province's table is in force below it."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province = net["province"]
            node = node_of(province)
            await issue(province, net["city"])
            keeper = Timekeeper(node)
            assert await keeper.look() == []
            before = (await stands(node)).due
            assert before is not None
            day = day_of(before.at_us, calendar_zone(node))
            rows = [((day + timedelta(days=n)).isoformat(), "330000", "rest", False) for n in range(10)]
            put = await province.put("calendar_day", ("day", "division", "kind", "whole_year"), rows)
            assert not put.rejected
            node.clock = StoodClock(before.at_us + 1)
            assert await keeper.look() == [(TASK, "restated")]
            assert await keeper.look() == []
            after = (await stands(node)).due
            assert after is not None
            assert day_of(after.at_us, calendar_zone(node)) >= day + timedelta(days=10)
            await net.level()
            (holder,) = (await net["city"].command("task.list"))["tasks"]
            assert (holder["ends"], holder["overdue"]) == (iso(after.at_us), False)
            below = node_of(net["city"])
            told = (await below.read(partial(calendar_of, config=below.config))).told(day)
            assert (told.kind, told.source) == (Kind.REST, Source.TABLE), "for what the city issues itself, too"
            node.clock = StoodClock(after.at_us + 1)
            assert await keeper.look() == [(TASK, "overdue")]

    run(work())


def calendar_zone(node: Node) -> Any:
    from node.calendar import offices_of

    return offices_of(node.config).zone


def test_what_a_flow_declares_is_started_once_with_words_of_its_cause(tmp_path: Path) -> None:
    """A task that is overdue starts another one with the same holder, however often it is looked at."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            node = node_of(province)
            fields = MappingProxyType({"title": "@title", "cause": "@task", "state": "@state", "kind": "overdue"})
            start = Start("overdue", "W2", fields)
            flow = replace(node.catalogue.flows["W2"], starts=(start,))
            node.catalogue = replace(node.catalogue, flows={**node.catalogue.flows, "W2": flow})
            await issue(province, city)
            end = (await stands(node)).due
            assert end is not None
            node.clock = StoodClock(end.at_us + 1)
            task = started_id(province.node, TASK, start)
            assert await Timekeeper(node).look() == [(TASK, "overdue"), (task, "register")]
            assert await Timekeeper(node).look() == []
            (opened,) = await moves(province, task)
            assert opened["fields"] == {"title": "路面破损", "cause": TASK, "state": "issued", "kind": "overdue"}
            shown = await province.command("task.show", task=task)
            assert shown["holder"] == city.node

    run(work())


def test_an_issuer_escalates_while_its_holder_is_away(tmp_path: Path) -> None:
    """A key task that nobody receives: warned, overdue, overdue by once more its limit, and then supervised (W2), all
    at the issuer alone. The holder finds it when it is back."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            said = (("draft", {"title": "内涝点整治"}), ("issue", {"requirement": "y", "due": "2099-12-31"}))
            for move, fields in said:
                await province.command("task.move", flow="W1", task=TASK, move=move, holder=city.node, fields=fields)
            await net.level()
            await city.stop()
            node = node_of(province)
            keeper, told = Timekeeper(node), list[tuple[str, str]]()
            while len(told) < 4:
                act = (await stands(node, "W1")).act
                assert act is not None
                node.clock = StoodClock(act.at_us)
                told += await keeper.look()
            task = told[-1][0]
            assert [move for _, move in told] == ["warned", "overdue", "overdue", "register"]
            await city.start()
            await net.level()
            found = await city.command("task.show", task=task)
            assert (found["flow"], found["state"], found["title"]) == ("W2", "registered", "内涝点整治")

    run(work())


def test_what_came_in_between_is_not_told_over(tmp_path: Path) -> None:
    """An automatic move is about the task as it was seen: after another move it is not made."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            await issue(net["province"], net["city"])
            node = node_of(net["province"])
            for after in (1, 0, 3):
                with pytest.raises(InputFault) as caught:
                    await node.move(MoveWish("", TASK, "overdue", "", "", "", {}, automatic=True, after=after))
                assert caught.value.reason is Reason.CROSSED
            await node.move(MoveWish("", TASK, "overdue", "", "", "", {}, automatic=True, after=2))

    run(work())


def test_places_of_moves_that_were_taken_back_are_read_again(tmp_path: Path) -> None:
    """After a return to an older state the newest place is lower than the one that was read; all is looked at anew."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            await issue(net["province"], net["city"])
            node = node_of(net["province"])
            keeper = Timekeeper(node)
            await keeper.look()
            newest = await node.read(Reader.newest_move)
            assert keeper._place == newest
            keeper._place, keeper._watched = newest + 7, {}
            assert await keeper.look() == []
            assert keeper._place == newest
            assert TASK in keeper._watched

    run(work())


def test_both_ends_show_the_end_that_the_issuer_said(tmp_path: Path) -> None:
    """With each move that it numbers, the holder's among them; the holder's office hours change nothing."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            holder = node_of(city)
            holder.config = replace(holder.config, calendar=CalendarSection(("00:00-01:00",)))
            await issue(province, city)
            await net.level()
            await city.command("task.move", task=TASK, move="sign")
            await net.level()
            shown = [(await member.command("task.list"))["tasks"][0] for member in (province, city)]
            assert shown[0] == shown[1]
            assert (shown[0]["state"], shown[0]["owner"], shown[0]["usual"]) == ("signed", "holder", "reply")
            found = await stands(node_of(province))
            assert found.due is not None
            assert (shown[0]["ends"], shown[0]["overdue"]) == (iso(found.due.at_us), False)
            assert shown[0]["provisional"] is found.due.is_provisional
            late = StoodClock(found.due.at_us + 1)
            for member in (province, city):
                assert (await member.command("task.list", overdue=True))["tasks"] == []
                node_of(member).clock = late
                assert [one["task"] for one in (await member.command("task.list", overdue=True))["tasks"]] == [TASK]
            await province.command("task.move", task=TASK, move="withdraw", fields={"reason": "x"})
            await net.level()
            assert (await city.command("task.list"))["tasks"][0]["ends"] == ""

    run(work())


def test_what_must_be_in_time_is_not_made_too_late(tmp_path: Path) -> None:
    """A target declines a key task within a working day, and not after it."""

    async def work() -> None:
        async with Topology(tmp_path, THREE) as net:
            province, city = net["province"], net["city"]
            said = (("draft", {"title": "x"}), ("issue", {"requirement": "y", "due": "2099-12-31"}))
            for move, fields in said:
                await province.command("task.move", flow="W1", task=TASK, move=move, holder=city.node, fields=fields)
            client = await city.client()
            async for _ in client.follow(20):
                listed = (await client.command("task.list"))["tasks"]
                if any(one["state"] == "issued" for one in listed):
                    break
            node = node_of(city)
            late = StoodClock(node.clock.now_us() + 30 * 86_400_000_000)
            early, node.clock = node.clock, late
            wish = {"task": TASK, "move": "decline", "fields": {"reason": "not our duty"}}
            with pytest.raises(UserFault) as caught:
                await city.command("task.move", **wish)
            assert "MOVE_REFUSED" in str(caught.value)
            node.clock = early
            assert (await city.command("task.move", **wish))["pending_moves"] == ["decline"]

    run(work())
