"""A city is merged into another, on real nodes: its open tasks go on there, whole, once, over restarts (ADR 0027)."""

from __future__ import annotations

from base64 import b64decode
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certs.forms import fingerprint, from_pem
from node.evidence.check import check_evidence
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.testing import Member, Topology
from node.testing.topology import DEMO, Place
from node.timekeeper import Timekeeper
from tests.integration.kit import node_of, run
from tests.integration.test_audited import audited
from tests.integration.test_crossing_cities import follow, make, part_of, show, told
from tests.integration.test_publications import sound
from tests.integration.test_succession import succeed
from tests.unit.tiers.kit import CATALOGUE
from tiers.judging import TierJudge

PLACES = (*DEMO[:4], Place("wenzhou", "city", "330300", "温州市平台", "province"))
OLD, NEW = "ningbo", "hangzhou"


async def open_task(by: Member, holder: Member, task: str, flow: str, *moves: tuple[str, dict[str, str]]) -> None:
    (move, fields), *then = moves
    more = [{"move": name, "fields": said} for name, said in then]
    wish = {"task": task, "flow": flow, "holder": holder.node}
    await by.command("task.move", move=move, fields=fields, then=more, **wish)


async def going_on(member: Member, task: str) -> str:
    """The id under which a task goes on, as it ended here."""
    ended = await show(member, task)
    assert (ended["state"], ended["final"]) == ("passed_over", True)
    return str(ended["moves"][-1]["fields"].get("task", ""))


async def looked(*members: Member) -> None:
    for member in members:
        await Timekeeper(node_of(member)).look()


async def tasks(member: Member) -> list[str]:
    return sorted(one["task"] for one in (await member.command("task.list"))["tasks"])


async def moves(member: Member, task: str) -> list[tuple[Any, ...]]:
    shown = await show(member, task)
    return [(m["number"], m["move"], m["by"], m["counted_at"], m["accepted"], m["state"]) for m in shown["moves"]]


async def prepared(net: Topology) -> dict[str, str]:
    """Tasks of all sorts, settled as far as links go; then the old city is cut off, with an answer that it does not
    hear any more."""
    nation, province, old = net["nation"], net["province"], net[OLD]
    await open_task(nation, old, "key", "W1", ("draft", {"title": "防汛", "bundle": "b"}), ("issue", DUE))
    await open_task(province, old, "repair", "W2", ("register", {"title": "路面"}), ("issue", {**DUE, "level": "2"}))
    await open_task(province, old, "joining", "W7", ("open", {"title": "入网"}))
    await net.level()
    await make(old, "key", "receive")
    await make(old, "repair", "sign")
    await make(old, "repair", "ask_extension", reason="雨季", due="2099-12-01")
    asked = {"title": "河道", "request": "请协调", "urgency": "normal", "other": "330300"}
    await open_task(old, province, "river", "W3U", ("ask", asked))
    await net.level()
    await make(province, "river", "accept")
    await net.level()
    await make(province, "river", "direct", requirement="请温州办理")
    await follow(net)
    part = await part_of(province, "river")
    await old.stop()
    del net.members[OLD]
    await make(province, "river", "ask_more", text="照片")
    return {"part": part}


DUE = {"requirement": "整改", "due": "2099-11-30"}


def test_open_tasks_go_on_at_the_successor(tmp_path: Path) -> None:
    """Those laid on the old city and those that it had issued; limits, parts and answers with them; nothing twice."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES) as net:
            nation, province, new, other, old = (net[name] for name in ("nation", "province", NEW, "wenzhou", OLD))
            part = (await prepared(net))["part"]
            before = {task: await moves(province, task) for task in ("repair", "river")}
            limit = (await show(province, "repair"))["ends"]
            await province.command("child.succeed", old=old.node, new=new.node)
            await new.until(lambda s: any("3302*" in m["scope"] for m in s["tree"] if m["node"] == new.node))
            await looked(province, nation)
            await province.restart()
            await follow(net)
            key, repair = await going_on(nation, "key"), await going_on(province, "repair")
            assert await going_on(province, "joining") == ""
            river = await going_on(province, "river")
            assert [line["task"] for line in audited(nation, "task_passed_over")] == ["key"]
            assert (await moves(new, repair)) == before["repair"] == (await moves(province, repair))
            assert (await show(new, repair))["ends"] == limit
            assert (await moves(new, river))[: len(before["river"])] == before["river"]
            assert (await show(new, river))["moves"][-1]["move"] == "ask_more"
            assert (await show(province, river))["pending"] == []
            assert sorted({key, repair, river}) == await tasks(new)
            held = {name: await tasks(net[name]) for name in ("nation", "province", NEW)}

            await make(province, repair, "grant_extension", due="2099-12-01")
            await make(new, river, "supply", text="照片如下")
            await make(other, part, "accept")
            await follow(net)
            assert [stage for stage, _ in told(await show(new, river))] == ["已受理"]
            with pytest.raises(UserFault, match="override_reason"):
                await make(province, river, "advise", opinion="x")
            assert [t["task"] for t in (await show(province, river))["parts"]["tasks"]] == [part]
            assert [t["task"] for t in (await show(nation, key))["bundle"]["tasks"]] == [key]
            for move, fields in (("begin", {}), ("submit", {"result": "完成"})):
                await make(new, key, move, **fields)
            await net.level()
            await make(nation, key, "approve")
            await make(nation, key, "close")
            await follow(net)
            assert (await show(new, key))["state"] == "closed"
            assert {name: await tasks(net[name]) for name in held} == held
            proves(new, (await new.command("task.evidence", task=key))["file"])

            net.members[OLD] = old
            await comes_back(old, new)
            await old.stop()
            del net.members[OLD]
            await sound(net)

    run(work())


async def comes_back(old: Member, new: Member) -> None:
    """It hears that its tasks went on elsewhere, and decides nothing any more."""
    await old.start()
    await old.until(lambda s: s["state"] == "succeeded")
    async for _ in (await old.client()).follow(20):
        if {(await show(old, task))["state"] for task in ("key", "repair", "joining")} == {"passed_over"}:
            break
    await looked(old)
    river = await show(old, "river")
    assert river["moves"][-1]["fields"]["successor"] == new.node
    assert "ask_more" not in [one["move"] for one in river["moves"]]


def proves(member: Member, file: str) -> None:
    """What was told again is genuine and lawful, and says of itself that it was."""
    root = fingerprint(from_pem((member.home / "certs" / "root.pem").read_bytes())[0])
    result = check_evidence(b64decode(file), TierJudge(CATALOGUE), root)
    assert not [found for found in result.findings if found.wrong]
    again = [bool(one.step.body.retold.task) for one in result.moves]
    assert again == [True] * sum(again) + [False] * (len(again) - sum(again))
    assert sum(again) == 3


def test_of_a_divided_city_a_person_says_who_goes_on(tmp_path: Path) -> None:
    """Nobody can know it: an alarm, once; then it goes where it is said, and only to one that succeeded the city."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES) as net:
            province, new, other, old = net["province"], net[NEW], net["wenzhou"], net[OLD]
            await open_task(province, old, "repair", "W2", ("register", {"title": "路面"}), ("issue", DUE))
            await net.level()
            with pytest.raises(UserFault) as fault:
                await province.command("task.pass_over", task="repair", to=new.node)
            assert fault.value.code is Code.WRONG_STATE
            await succeed(net, regions="330206")
            await province.command("child.succeed", old=old.node, new=other.node, regions="330212")
            await net.level()
            keeper = Timekeeper(node_of(province))
            assert await keeper.look() == []
            assert await keeper.look() == []
            alarms = [one["name"] for one in (await province.status())["alarms"]]
            assert alarms.count("task_without_successor") == 1
            with pytest.raises(UserFault) as fault:
                await province.command("task.pass_over", task="repair", to=old.node)
            assert fault.value.code is Code.BAD_ARGUMENT
            await province.command("task.pass_over", task="repair", to=other.node)
            await net.level()
            task = await going_on(province, "repair")
            assert (await show(other, task))["state"] == "issued"
            history = await node_of(new).read(partial(Reader.moves, task=task))
            assert history == []
            with pytest.raises(UserFault) as fault:
                await province.command("task.pass_over", task="repair", to=new.node)
            assert fault.value.code is Code.WRONG_STATE

    run(work())
