"""A subscription over real tiers, from application to end: what was granted comes, and in the end nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.demo.reader import catalogue_of
from node.faults import Code, UserFault
from node.subscribing import Subscriptions
from node.testing import DEMO, Member, Topology
from node.testing.leaks import scan_home, text_canary
from sync.days import DAY_MS
from tests.integration.kit import COLUMNS, cases, feed, has_no_link, node_of, put, run
from tests.integration.test_audited import audited
from tests.integration.test_publications import sound
from tests.integration.test_rollups import StoodClock
from tiers.rules import business_day

HANDLING = '{"column": "state", "op": "=", "value": "handling"}'
FOR_LONG = "2099-12-31"
ASKED = {"service": "330100-case", "purpose": "城市体检", "columns": "summary", "filter": HANDLING, "until": FOR_LONG}


async def one(member: Member) -> dict[str, Any]:
    """The one subscription that a node knows, with the rows that its feed says."""
    (found,) = (await member.command("subscription.list"))["subscriptions"]
    return await member.command("subscription.show", subscription=found["subscription"])


async def held(member: Member, origin: Member, dataset: str = "case") -> dict[str, dict[str, Any]]:
    """Rows of an origin at a node, by the end of their keys."""
    names, rows = await (await member.client()).query(dataset, origin=origin.node)
    return {str(row[0])[-2:]: dict(zip(names, row, strict=True)) for row in rows}


def sends_nothing(status: dict[str, Any]) -> bool:
    """A condition: no subscription to this node's data is in use."""
    return not status["subscriptions"]["in_use"]


async def grant(net: Topology, *names: str) -> str:
    """City one's cases, asked for by city two, checked by the province, approved; the id."""
    provider, applicant, checker = (net[name] for name in names)
    await provider.command("service.publish", dataset="case", columns="case_id,summary,state")
    asked = await applicant.command("subscription.apply", provider=provider.node, **ASKED)
    await net.level()
    await checker.command("subscription.check", subscription=asked["subscription"])
    await net.level()
    await provider.command("subscription.approve", subscription=asked["subscription"])
    await settled(net, provider)
    return str(asked["subscription"])


async def settled(net: Topology, provider: Member) -> None:
    """What has to be followed is, and has arrived."""
    await provider.until(lambda status: not status["jobs"])
    await net.level()


def test_a_city_subscribes_to_another_city_through_the_province(tmp_path: Path) -> None:
    """Applied for, checked above, approved after a look at what would leave, in use, ended by the applicant."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, sibling, province, nation = (net[n] for n in ("hangzhou", "ningbo", "province", "nation"))
            closed = [(*row[:4], "closed", *row[5:]) for row in cases(2, first=6)]
            await put(city, [*cases(5), *closed])
            await city.command("service.publish", dataset="case", columns="case_id,summary,state")
            with pytest.raises(UserFault) as unnamed:
                await sibling.command("subscription.apply", **ASKED)
            assert unnamed.value.code is Code.BAD_ARGUMENT
            tried = await sibling.command("subscription.apply", provider=city.node, dry_run=True, **ASKED)
            assert not (await sibling.command("subscription.list"))["subscriptions"]
            asked = await sibling.command("subscription.apply", provider=city.node, **ASKED)
            assert (asked["state"], asked["checker"], asked["offer_known"]) == ("applied", province.node, False)
            assert tried["subscription"] != asked["subscription"]
            wanted = {"subscription": asked["subscription"]}
            await net.level()
            waiting = {"to_check": 0, "to_approve": 0, "to_rule": 0, "in_use": 0}
            assert (await province.status())["subscriptions"] == {**waiting, "to_check": 1}
            assert (await one(nation))["next"] == []
            with pytest.raises(UserFault) as unchecked:
                await city.command("subscription.approve", **wanted)
            assert unchecked.value.code is Code.MOVE_REFUSED
            assert (await province.command("subscription.check", **wanted))["state"] == "checked"
            await net.level()
            assert (await city.status())["subscriptions"] == {**waiting, "to_approve": 1}
            tried = await city.command("subscription.approve", dry_run=True, **wanted)
            assert (tried["rows"], tried["state"]) == (5, "in_use")
            assert (await one(city))["state"] == "checked"
            said = await city.command("subscription.approve", **wanted)
            assert set(said["columns"]) == set(node_of(city).catalogue.datasets["case"].whole(("summary",)))
            await settled(net, city)
            rows = await held(sibling, city)
            assert set(rows) == {"01", "02", "03", "04", "05"}
            assert {name for name, cell in rows["01"].items() if cell is not None} == set(said["columns"])
            assert ((await one(sibling))["state"], (await one(sibling))["rows"]) == ("in_use", 5)
            await put(city, [*cases(1, text="改过的"), (*cases(1, first=2)[0][:4], "closed", *cases(1)[0][5:])])
            await city.command("subscription.list")
            await city.put("case", (), [], voids=[("3301-000003",)])
            await net.level()
            rows = await held(sibling, city)
            assert set(rows) == {"01", "04", "05"}
            assert rows["01"]["summary"] == "改过的"
            ended = await sibling.command("subscription.withdraw", reason="不再需要", **wanted)
            assert ended["state"] == "ended"
            await city.until(sends_nothing)
            await settled(net, city)
            assert await held(sibling, city) == {}
            feed_name = f"{city.node}/case.subscribers@{sibling.node}"
            before = feed(await city.status(), feed_name)["seq"]
            await put(city, cases(3, text="之后"))
            await net.level()
            assert feed(await city.status(), feed_name)["seq"] == before
            assert (await one(province))["state"] == "ended"
            assert [line["state"] for line in audited(city, "subscription_ended")] == ["ended"]
            for member, event in (
                (sibling, "applied"),
                (province, "checked"),
                (city, "approved"),
                (sibling, "withdrawn"),
            ):
                (line,) = audited(member, f"subscription_{event}")
                assert line["subscription"] == asked["subscription"]
            await sound(net)

    run(work())


def test_held_back_columns_stay_whatever_is_asked_for(tmp_path: Path) -> None:
    """Neither asked for by name nor by a filter; and what is granted never carries them."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            secret = text_canary("reporter_name", "张三-held-back")
            row = (*cases(1)[0], "张三-held-back")
            result = await city.put("case", (*COLUMNS, "reporter_name"), [row])
            assert not result.rejected
            await city.command("service.publish", dataset="case")
            await net.level()
            for columns, condition in (("reporter_name", ""), ("", HANDLING.replace("state", "reporter_name"))):
                with pytest.raises(UserFault) as refused:
                    wish = {**ASKED, "columns": columns, "filter": condition}
                    await province.command("subscription.apply", **wish)
                assert refused.value.code is Code.INPUT_FAULT
            asked = await province.command("subscription.apply", **{**ASKED, "columns": "", "filter": ""})
            assert asked["offer_known"]
            assert asked["checker"] == city.node
            assert "reporter_name" not in asked["columns"]
            await net.level()
            await city.command("subscription.check", subscription=asked["subscription"])
            await city.command("subscription.approve", subscription=asked["subscription"])
            await settled(net, city)
            assert (await one(province))["rows"] == 1
            assert (await held(province, city))["01"]["reporter_name"] is None
            await sound(net)
            held_back = catalogue_of(city).datasets["case"].held_back
            for above in (province, net["nation"]):
                assert scan_home(above.home, [secret], held_back).leaks == []

    run(work())


def test_its_last_day_ends_it_also_with_the_link_down_and_after_a_restart(tmp_path: Path) -> None:
    """By the origin's own clock; what waited is not sent, and the removals go when the link comes up."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, sibling, province = net["hangzhou"], net["ningbo"], net["province"]
            await put(city, cases(3))
            name = await grant(net, "hangzhou", "ningbo", "province")
            assert set(await held(sibling, city)) == {"01", "02", "03"}
            await province.stop()
            await city.until(has_no_link(province))
            await put(city, cases(2, first=4))
            node = node_of(city)
            tomorrow = node.clock.now_us() + 40_000 * DAY_MS * 1_000
            node.clock = StoodClock(tomorrow)
            await Subscriptions(node).look()
            assert (await one(city))["state"] == "expired"
            await city.stop()
            await city.start()
            await put(city, cases(2, first=6))
            await province.start()
            await settled(net, city)
            assert await held(sibling, city) == {}
            assert set(await held(province, city)) == {f"0{n}" for n in range(1, 8)}
            said = await one(sibling)
            assert (said["state"], said["rows"], said["subscription"]) == ("expired", 0, name)
            await sound(net)

    run(work())


def test_the_owner_withdraws_with_a_reason_and_the_next_may_begin(tmp_path: Path) -> None:
    """A second subscription of the same rows waits for the end of the first."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, sibling, province = net["hangzhou"], net["ningbo"], net["province"]
            await put(city, cases(3))
            first = await grant(net, "hangzhou", "ningbo", "province")
            again = await sibling.command("subscription.apply", provider=city.node, **ASKED)
            await net.level()
            await province.command("subscription.check", subscription=again["subscription"])
            await net.level()
            with pytest.raises(UserFault) as twice:
                await city.command("subscription.approve", subscription=again["subscription"])
            assert first in str(twice.value.message)
            with pytest.raises(UserFault):
                await city.command("subscription.withdraw", subscription=first)
            ended = await city.command("subscription.withdraw", subscription=first, reason="用途不符")
            assert ended["state"] == "withdrawn"
            await settled(net, city)
            assert await held(sibling, city) == {}
            shown = await sibling.command("subscription.show", subscription=first)
            assert (shown["state"], shown["reason"]) == ("withdrawn", "用途不符")
            await city.command("subscription.approve", subscription=again["subscription"])
            await settled(net, city)
            assert set(await held(sibling, city)) == {"01", "02", "03"}
            await sound(net)

    run(work())


def test_an_unconditional_service_is_granted_by_itself_and_follows_days(tmp_path: Path) -> None:
    """A province asks its nation, which checks by itself; it begins on its first day and not before."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            nation, province = net["nation"], net["province"]
            codes = ("table_name", "code", "table_version", "name_zh", "is_extension", "status")
            await nation.put("class_code", codes, [("SUB-2026", "0101", 1, "井盖", False, "effective")])
            await nation.command("service.publish", dataset="class_code")
            await net.level()
            node = node_of(nation)
            today = node.clock.now_us()
            later = business_day(today + 3 * DAY_MS * 1_000)
            wish = {"service": "100000-class_code", "purpose": "x", "until": FOR_LONG, "from": later}
            asked = await province.command("subscription.apply", **wish)
            assert (asked["checker"], asked["provider"]) == (nation.node, nation.node)
            await net.level()
            await nation.command("subscription.check", subscription=asked["subscription"])
            following = Subscriptions(node)
            await following.look()
            assert (await one(nation))["state"] == "granted"
            assert (await one(nation))["rows"] == 0
            node.clock = StoodClock(today + 3 * DAY_MS * 1_000)
            await following.look()
            await settled(net, nation)
            assert ((await one(province))["state"], (await one(province))["rows"]) == ("in_use", 1)
            assert len(audited(nation, "subscription_begun")) == 1
            await sound(net)

    run(work())


def test_what_is_refused_is_told_and_rows_of_it_are_not_put_from_outside(tmp_path: Path) -> None:
    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.command("service.publish", dataset="case", columns="case_id,state")
            await net.level()
            for wish, code in (
                ({"columns": "summary"}, Code.INPUT_FAULT),
                ({"columns": "nonsense"}, Code.INPUT_FAULT),
                ({"columns": "", "filter": "nonsense"}, Code.INPUT_FAULT),
                ({"columns": "", "until": "soon"}, Code.BAD_ARGUMENT),
                ({"columns": "", "provider": "nobody.cn-demo"}, Code.PEER_UNKNOWN),
                ({"columns": "", "service": "nothing"}, Code.BAD_ARGUMENT),
                ({"columns": "", "from": FOR_LONG, "until": "2098-01-01"}, Code.MOVE_REFUSED),
            ):
                with pytest.raises(UserFault) as refused:
                    await province.command("subscription.apply", **{**ASKED, **wish})
                assert refused.value.code is code, wish
            asked = await province.command("subscription.apply", **{**ASKED, "columns": "state"})
            await net.level()
            with pytest.raises(UserFault):
                await city.command("subscription.refuse", subscription=asked["subscription"])
            await city.command("subscription.refuse", subscription=asked["subscription"], reason="用途不明")
            await net.level()
            found = await one(province)
            assert (found["state"], found["reason"], found["next"]) == ("refused", "用途不明", ["dispute"])
            with pytest.raises(UserFault):
                await province.command("subscription.withdraw", subscription=asked["subscription"])
            with pytest.raises(UserFault):
                await city.command("subscription.show", subscription="none")
            with pytest.raises(UserFault) as outside:
                await city.put("subscription", ("subscription_id",), [("x",)])
            assert outside.value.code is Code.BAD_ARGUMENT
            assert (await one(city))["state"] == "refused"
            await sound(net)

    run(work())


def test_killed_while_rows_begin_to_leave_and_while_they_are_taken_back(tmp_path: Path) -> None:
    """A real process, kill -9 in the middle of the job: it goes on after the next start, to the last row."""

    async def work() -> None:
        async with Topology(tmp_path, processes=True) as net:
            city, province = net["city"], net["province"]
            for first in range(1, 6_001, 2_000):
                await put(city, cases(2_000, first=first))
            await city.command("service.publish", dataset="case")
            await net.level()
            asked = await province.command("subscription.apply", **{**ASKED, "filter": ""})
            wanted = {"subscription": asked["subscription"]}
            await net.level()
            await city.command("subscription.check", **wanted)
            assert (await city.command("subscription.approve", **wanted))["rows"] == 6_000
            await killed(city)
            await settled(net, city)
            assert (await one(province))["rows"] == 6_000
            await city.command("subscription.withdraw", reason="x", **wanted)
            await killed(city)
            await settled(net, city)
            assert (await one(province))["rows"] == 0
            assert len(await held(province, city)) > 0
            await sound(net)

    async def killed(member: Member) -> None:
        """In the middle of the job."""
        (job,) = (await member.status())["jobs"]
        assert job["publications"] == ["case.subscribers"]
        await member.kill()
        await member.start()

    run(work())


def test_a_refusal_is_disputed_once_and_the_common_parent_rules(tmp_path: Path) -> None:
    """Each word is waited for until a working day, at every end alike; who lets it pass is told. What the arbiter
    overrules the owner can only grant; and then rows flow."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, sibling, province = (net[n] for n in ("hangzhou", "ningbo", "province"))
            await put(city, cases(3))
            await city.command("service.publish", dataset="case", columns="case_id,summary,state")
            asked = await sibling.command("subscription.apply", provider=city.node, **ASKED)
            wanted = {"subscription": asked["subscription"]}
            await net.level()
            waits = await one(province)
            assert (waits["waits_for"], waits["ends"]) == ("checker", (await one(sibling))["ends"])
            node = node_of(province)
            clock = node.clock
            node.clock = StoodClock(clock.now_us() + 30 * DAY_MS * 1_000)
            told = Subscriptions(node)
            assert await told.tell_limits() == [asked["subscription"]]
            assert await told.tell_limits() == []
            assert [a["name"] for a in node.alarms if a["name"] == "subscription_overdue"] == ["subscription_overdue"]
            assert (await one(province))["overdue"]
            node.clock = clock
            await province.command("subscription.check", to_publish=True, **wanted)
            await net.level()
            assert (await one(city))["waits_for"] == "owner"
            refusal = await city.command("subscription.refuse", reason="用途不明", **wanted)
            assert (refusal["state"], refusal["waits_for"]) == ("refused", "")
            await net.level()
            disputed = await sibling.command("subscription.dispute", reason="用途已写明", **wanted)
            assert (disputed["state"], disputed["arbiter"]) == ("disputed", province.node)
            await net.level()
            assert (await province.status())["subscriptions"]["to_rule"] == 1
            shown = await one(province)
            assert (shown["reason"], shown["waits_for"]) == ("用途已写明", "arbiter")
            assert shown["next"] == ["uphold", "overrule"]
            with pytest.raises(UserFault):
                await city.command("subscription.approve", **wanted)
            await province.command("subscription.overrule", reason="符合共享条件", **wanted)
            await net.level()
            assert (await one(city))["next"] == ["approve"]
            assert (await one(sibling))["reason"] == "符合共享条件"
            await city.command("subscription.approve", **wanted)
            await settled(net, city)
            assert set(await held(sibling, city)) == {"01", "02", "03"}
            assert {(await one(member))["state"] for member in (city, sibling, province)} == {"in_use"}
            assert [line["state"] for line in audited(province, "subscription_ruled")] == ["overruled"]
            await sound(net)

    run(work())
