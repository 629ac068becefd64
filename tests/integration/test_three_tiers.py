"""The main road: what a city writes is the same at province and nation, whatever stops, breaks or comes late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from node.demo.reader import catalogue_of, compare, fsck
from node.store.checks import Finding
from node.testing import DEMO, Member, Topology
from tests.integration.kit import (
    CODE_COLUMNS,
    CODED,
    THREE_UP,
    Status,
    cases,
    code_row,
    coded,
    feed,
    has_heard,
    has_no_link,
    heard,
    open_door,
    put,
    run,
    same_cases,
    seq,
)

MUNICIPAL = tuple(place for place in DEMO if place.name in ("nation", "shanghai"))


async def sound(net: Topology) -> None:
    """Stops every node and proves its store from the stored bytes."""
    await net.stop()
    for member in net.members.values():
        findings: list[Finding] = fsck(member).findings
        assert not findings, (member.place.name, findings[:3])


# --- up and down ------------------------------------------------------------------------------------------------------


def test_rows_travel_from_city_to_province_and_nation(tmp_path: Path) -> None:
    """All cases at the province, the supervised ones at the nation, with digests equal to the city's own table."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            await put(net["city"], cases(300))
            await put(net["city"], cases(40, first=1_000, supervised=True))
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 340 + 40
            await sound(net)

    run(work())


def test_changes_and_removals_travel_too(tmp_path: Path) -> None:
    """A changed row changes everywhere; one that is no longer supervised leaves the nation; a voided one is gone."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(30, supervised=True))
            await put(city, cases(10, supervised=False))
            await put(city, cases(5, first=20, supervised=True, text="改过的"))
            await city.put("case", (), [], voids=[("3301-000030",), ("3301-000001",)])
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 28 + 19
            _, rows = await (await net["nation"].client()).query("case", columns=("case_id", "summary"))
            assert {row[1] for row in rows if "3301-000020" <= str(row[0]) <= "3301-000024"} == {"改过的"}
            assert len(rows) == 19
            await sound(net)

    run(work())


def test_the_nations_codes_reach_the_cities(tmp_path: Path) -> None:
    """A code table published at the top stands at province, city and municipality, and the city's door asks it."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            nation = net["nation"]
            rows = [code_row("scheme-a", f"{n:04d}") for n in range(200)]
            assert (await nation.put("class_code", CODE_COLUMNS, rows)).accepted == 200
            await net.level()
            catalogue = catalogue_of(nation)
            for name in ("province", "hangzhou", "ningbo", "shanghai"):
                found = compare(
                    nation, net[name], catalogue.datasets["class_code"], catalogue.publications["class_code.all"], ""
                )
                assert found.agrees
                assert found.rows == 200
            refused = await net["hangzhou"].put("case", CODED, [coded(1, "scheme-a", "7711")])
            assert [r.detail for r in refused.rejected] == ["code '7711' of code table 'scheme-a'"]
            assert refused.accepted == 0
            await put(net["hangzhou"], [coded(2, "scheme-a", "0199")], CODED)
            await net.level()
            assert feed(await net["province"].status(), f"{net['hangzhou'].node}/case.parent")["parked"] == 0

    run(work())


def test_a_row_in_two_feeds_at_one_node_is_one_row(tmp_path: Path) -> None:
    """A municipality's parent is the nation: both its feeds of cases end there, in one table, each with its digest."""

    async def work() -> None:
        async with Topology(tmp_path, MUNICIPAL) as net:
            shanghai, nation = net["shanghai"], net["nation"]
            both = {"case.parent": "nation", "case.nation": "nation"}
            await put(shanghai, cases(20, division="310101"))
            await put(shanghai, cases(8, division="310101", supervised=True))
            await net.level()
            assert same_cases(net, "shanghai", both) == 20 + 8
            await put(shanghai, cases(3, division="310101", supervised=False, text="不再督办"))
            await shanghai.put("case", (), [], voids=[("3101-000005",)])
            await net.level()
            assert same_cases(net, "shanghai", both) == 19 + 4
            _, rows = await (await nation.client()).query("case")
            assert len(rows) == 19
            await sound(net)

    run(work())


# --- stops and cuts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["city", "province", "nation"])
def test_a_restart_loses_nothing(tmp_path: Path, place: str) -> None:
    """Rows before, while it is down (where the city is up) and after: all arrive, once."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(50, supervised=True))
            await net[place].stop()
            if place != "city":
                await put(city, cases(50, first=100, supervised=True))
            await net[place].start()
            await put(city, cases(50, first=200, supervised=True))
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 2 * (100 if place == "city" else 150)
            assert [s["state"] for s in (await net.settled()).values()] == ["working"] * 3
            await sound(net)

    run(work())


def test_work_goes_on_without_the_link_and_catches_up(tmp_path: Path) -> None:
    """With its parent away a city takes rows into its outbox and says how many wait; then all arrives by itself.

    The municipality beside it does not notice: what is cut is one link.
    """

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            city, nation = net["hangzhou"], net["nation"]
            await net["province"].stop()
            await city.until(has_no_link(net["province"]))
            for n in range(30):
                await put(city, cases(5, first=1 + 5 * n, supervised=n % 2 == 0))
            waiting = await city.status()
            assert feed(waiting, f"{city.node}/case.parent")["waiting"] == 30
            assert waiting["parent_link"]["state"] in ("unreachable", "closed")
            await put(net["shanghai"], cases(4, division="310101"))
            await nation.until(lambda s: seq(s, f"{net['shanghai'].node}/case.parent") == 1)
            await net["province"].start()
            await net.level()
            assert same_cases(net, "hangzhou", THREE_UP) == 150 + 75
            assert feed(await city.status(), f"{city.node}/case.parent")["waiting"] == 0
            await sound(net)

    run(work())


# --- rows that wait, rows that are refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "reason"), [([], "MISSING_DEPENDENCY"), (["0001"], "UNKNOWN_CODE")])
def test_an_unknown_code_parks_above_and_applies_by_itself_when_it_comes(
    tmp_path: Path, before: list[str], reason: str
) -> None:
    """A code of a table that is not there, or that lacks it. The city is told that the row waits, and later that it is
    in effect; rows beside it were never held up.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = _members(net)
            if before:
                await nation.put("class_code", CODE_COLUMNS, [code_row("zj-2026", code) for code in before])
                await net.level()
                open_door(city)
            await put(city, [coded(1, "zj-2026", "0110", supervised=True)], CODED)
            await put(city, cases(20, first=100, supervised=True))
            await city.until(has_heard(reason, "PARKED", 2))
            for member, name in ((province, "case.parent"), (nation, f"case.nation@{nation.node}")):
                waits = feed(await member.status(), f"{city.node}/{name}")
                assert (waits["parked"], waits["rows"]) == (1, 20)
                parked = (await member.command("parked"))["parked"]
                assert [(p["reason"], p["key"]) for p in parked] == [(reason, '["3301-000001"]')]
            told = await city.command("trace", what="3301-000001")
            assert {(h["by"], h["fate"]) for h in told["rows"][0]["heard"]} == {
                (province.node, "PARKED"),
                (nation.node, "PARKED"),
            }
            assert all("zj-2026" in h["detail"] for h in told["rows"][0]["heard"])
            assert (await nation.put("class_code", CODE_COLUMNS, [code_row("zj-2026", "0110")])).accepted == 1
            await city.until(lambda s: len([h for h in s["heard"] if h["fate"] == "APPLIED"]) == 2)
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 21 + 21
            assert (await nation.status())["parked"] == (await province.status())["parked"] == []
            await sound(net)

    run(work())


def _members(net: Topology) -> tuple[Member, Member, Member]:
    return net["city"], net["province"], net["nation"]


def test_a_newer_version_overtakes_a_parked_row(tmp_path: Path) -> None:
    """The row waits for a code; its next version needs none: it applies at once, and the city hears of it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, _ = _members(net)
            await put(city, [coded(1, "zj-2026", "0110")], CODED)
            await city.until(has_heard("MISSING_DEPENDENCY", "PARKED"))
            await put(city, cases(1))
            await city.until(has_heard("MISSING_DEPENDENCY", "SUPERSEDED"))
            assert feed(await province.status(), f"{city.node}/case.parent")["parked"] == 0
            assert same_cases(net, "city", {"case.parent": "province"}) == 1

    run(work())


def test_a_refusal_is_heard_at_the_origin_and_traced(tmp_path: Path) -> None:
    """A row outside the city's scope is refused at province and nation with the region named; others go on.

    The city's status, `refused` and `trace` say by whom and why; so does `trace` above.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = _members(net)
            open_door(city)
            stray = cases(1, division="440106", supervised=True)
            await put(city, [*stray, *cases(9, supervised=True)])
            status = await city.until(has_heard("OUT_OF_SCOPE", "REFUSED", 2))
            assert {h["by"] for h in heard(status, "OUT_OF_SCOPE", "REFUSED")} == {province.node, nation.node}
            assert all("440106" in h["detail"] for h in heard(status, "OUT_OF_SCOPE", "REFUSED"))
            assert len((await city.command("refused"))["heard"]) == 2
            told = (await city.command("trace", what="4401-000001"))["rows"][0]
            assert [(h["fate"], h["reason"]) for h in told["heard"]] == [("REFUSED", "OUT_OF_SCOPE")] * 2
            above = (await province.command("trace", what="4401-000001"))["rows"][0]
            assert [(f["fate"], f["reason"]) for f in above["fates"]] == [("REFUSED", "OUT_OF_SCOPE")]
            assert feed(await province.status(), f"{city.node}/case.parent")["rows"] == 9
            await put(city, cases(5, first=100))
            await net.level()
            assert feed(await province.status(), f"{city.node}/case.parent")["rows"] == 14

    run(work())


# --- tasks ------------------------------------------------------------------------------------------------------------

TASK = "W2-test"


async def move(member: Member, name: str, holder: Member, **fields: str) -> None:
    """One move of TASK."""
    await member.command(
        "task.move", flow="W2", task=TASK, move=name, holder=holder.node, org="城市管理", role="officer", fields=fields
    )


async def task(member: Member) -> Mapping[str, Any]:
    """TASK as a node shows it; {} if it does not know it."""
    listed = await member.command("task.list")
    if all(one["task"] != TASK for one in listed["tasks"]):
        return {}
    return await member.command("task.show", task=TASK)


async def task_stands(member: Member, state: str) -> Mapping[str, Any]:
    """Waits, woken by the node, until TASK has a state and nothing of it is pending."""
    found: dict[str, Any] = {}
    async for _ in (await member.client()).follow(20):
        found = dict(await task(member))
        if found.get("state") == state and not found["pending"]:
            return found
    raise AssertionError(f"{member.place.name}: {found}")


def history(shown: Mapping[str, Any]) -> list[tuple[int, str, bool, str]]:
    """What both sides must agree on."""
    return [(m["number"], m["move"], m["accepted"], m["state"]) for m in shown["moves"]]


def test_a_supervision_item_goes_through_a_cut_link(tmp_path: Path) -> None:
    """Issued while the city is cut off, signed and answered while the nation is: each move arrives when it can."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = _members(net)
            await province.stop()
            await move(nation, "register", city, title="道路塌陷")
            await move(nation, "issue", city, requirement="限期整改", due="2026-12-31")
            assert await task(city) == {}
            await province.start()
            await task_stands(city, "issued")
            await nation.stop()
            await move(city, "sign", city)
            await move(city, "reply", city, result="已修复")
            shown = await task(city)
            assert [m["move"] for m in shown["pending"]] == ["sign", "reply"]
            await nation.start()
            await task_stands(city, "replied")
            await move(nation, "check", city)
            await move(nation, "close", city)
            ends = [await task_stands(member, "closed") for member in (city, nation)]
            assert history(ends[0]) == history(ends[1])
            assert [m["move"] for m in ends[0]["moves"]] == ["register", "issue", "sign", "reply", "check", "close"]
            await net.level()
            await sound(net)

    run(work())


def test_crossing_moves_end_the_same_at_both_sides(tmp_path: Path) -> None:
    """The holder replies while the issuer withdraws, neither knowing: the withdrawal holds, the reply is refused."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = _members(net)
            await move(nation, "register", city, title="道路塌陷")
            await move(nation, "issue", city, requirement="限期整改", due="2026-12-31")
            await task_stands(city, "issued")
            await move(city, "sign", city)
            await task_stands(city, "signed")
            await province.stop()
            await move(city, "reply", city, result="已修复")
            await move(nation, "withdraw", city, reason="重复下发")
            assert [m["move"] for m in (await task(city))["pending"]] == ["reply"]
            await province.start()
            ends = [await task_stands(member, "withdrawn") for member in (city, nation)]
            assert history(ends[0]) == history(ends[1])
            reply = next(m for m in ends[0]["moves"] if m["move"] == "reply")
            assert (reply["accepted"], reply["reason"]) == (False, "WITHDRAWN")
            await net.level()
            await sound(net)

    run(work())


def test_a_status_that_is_followed_is_pushed(tmp_path: Path) -> None:
    """Whoever follows a status gets a new one because something was committed, not because time passed."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            seen: list[Status] = []
            async for status in (await city.client()).follow(0):
                seen.append(status)
                if len(seen) == 1:
                    await put(city, cases(1))
                if status["group"] == seen[0]["group"] + 1:
                    break
            assert len(seen) >= 2

    run(work())
