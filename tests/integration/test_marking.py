"""What arrives and breaks a rule is marked by the receiver itself: one issue for one rule and record, closed by itself,
bounded, and never against what the origin keeps with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.dues import Item
from node.marking import Marking
from node.testing import Member, Topology
from node.testing.topology import DEMO
from sync.values import Row
from tests.integration.kit import CODE_COLUMNS, START_US, code_row, node_of, run
from tests.integration.test_publications import sound
from tiers.dues import Standing, Why

SITE = """
[dataset.x_pump]
version = 1
zh = "泵站"
en = "Pumps"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["on_change"]
owner = ["city", "provincial"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 9, nullable = false, zh = "a", en = "a" },
  { name = "state", type = "text", length = 9, zh = "a", en = "a" },
]

[publication."x_pump.ancestors"]
route = "ancestors"
lane = "normal"
"""
COLUMNS = (
    "case_id",
    "category",
    "source",
    "division",
    "state",
    "reported_at",
    "supervised",
    "class_scheme",
    "class_version",
    "class_code",
    "dispatched_at",
    "handled_at",
)
ON = '\n[quality.case]\nper_day = 3\nexclude = true\n\n[quality.case_stat]\nkinds = ["missing", "late"]\n'


def case(name: str, *, dispatched: int | None = 0, handled: int | None = 1, code: str = "") -> Row:
    """Handled before it was dispatched, it breaks a check of severity warn, and no other."""
    times = tuple(None if at is None else START_US + at for at in (dispatched, handled))
    scheme = "local:330100" if code else None
    return (
        name,
        "event",
        "public",
        "330106",
        "handling",
        START_US,
        False,
        scheme,
        1 if code else None,
        code or None,
        *times,
    )


async def bring(member: Member, *rows: Row) -> None:
    result = await member.put("case", COLUMNS, rows)
    assert not result.rejected, list(result.rejected)


async def found(member: Member) -> dict[str, dict[str, Any]]:
    """The issues of a node by key of the record, or by period."""
    issues = (await member.command("quality.list"))["issues"]
    assert len({one["record"] or one["period"] for one in issues}) == len(issues)
    return {one["record"] or one["period"]: one for one in issues}


def alarms(member: Member) -> list[dict[str, Any]]:
    return [alarm for alarm in node_of(member).alarms if alarm["name"] == "quality_marks_full"]


def test_rows_that_break_a_check_are_marked_once_and_closed_when_they_keep_it(tmp_path: Path) -> None:
    """What was there before is not looked at. A correction closes the issue, a correction that is none asks again, and
    what the origin keeps is left alone."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO[:3], overrides=ON) as net:
            city, province = net["hangzhou"], net["province"]
            marking = Marking(node_of(province))
            await bring(city, case("before", dispatched=5, handled=1))
            await net.level()
            await marking.look([])
            await bring(
                city, case("good"), case("wrong", dispatched=5, handled=1), case("kept", dispatched=5, handled=1)
            )
            await net.level()
            await marking.look([])
            await Marking(node_of(province)).look([])  # as after a start
            marked = await found(province)
            assert set(marked) == {'["wrong"]', '["kept"]'}
            wrong, kept = marked['["wrong"]'], marked['["kept"]']
            assert (wrong["kind"], wrong["state"], wrong["excluded"]) == ("contradicts", "notified", True)
            assert "处置完成时间早于派遣时间 / handled before it was dispatched" in wrong["problem"]
            await net.level()
            await city.command("quality.answer", issue=kept["issue"], move="keep", reason="时钟有误")
            await bring(city, case("wrong", dispatched=9, handled=2), case("kept", dispatched=9, handled=2))
            await city.command("quality.answer", issue=wrong["issue"], move="correct")
            await net.level()
            await marking.look([])
            marked = await found(province)
            assert [(marked[key]["state"], marked[key]["round"]) for key in ('["wrong"]', '["kept"]')] == [
                ("disputed", 2),
                ("kept", 1),
            ]
            await bring(city, case("wrong"))
            await city.put("case", COLUMNS, [], [("kept",)])
            await net.level()
            await marking.look([])
            assert {one["state"] for one in (await found(province)).values()} == {"closed"}
            await bring(city, case("wrong", dispatched=5, handled=1))
            await net.level()
            await marking.look([])
            assert (await found(province))['["wrong"]']["state"] == "disputed", "it is wrong once more"
            await sound(net)

    run(work())


def test_a_broken_feed_makes_so_many_issues_a_day_and_an_alarm(tmp_path: Path) -> None:
    async def work() -> None:
        async with Topology(tmp_path, DEMO[:3], overrides=ON) as net:
            city, province = net["hangzhou"], net["province"]
            marking = Marking(node_of(province))
            await marking.look([])
            await bring(city, *(case(f"w{n}", dispatched=5, handled=1) for n in range(10)))
            await net.level()
            await marking.look([])
            await bring(city, *(case(f"v{n}", dispatched=5, handled=1) for n in range(10)))
            await net.level()
            await marking.look([])
            assert len(await found(province)) == 3
            (told,) = alarms(province)
            assert (told["dataset"], told["limit"], told["not_marked"]) == ("case", 3, 7)

    run(work())


def test_an_extension_code_has_one_issue_until_it_is_registered(tmp_path: Path) -> None:
    async def work() -> None:
        async with Topology(tmp_path, DEMO[:3], overrides=ON) as net:
            city, province = net["hangzhou"], net["province"]
            marking = Marking(node_of(province))
            await marking.look([])
            assert not (await net["nation"].put("class_code", CODE_COLUMNS, [code_row("GB", "01")])).rejected
            await bring(city, case("a", code="7"), case("b", code="7"))
            await net.level()
            await marking.look([])
            (one,) = (await found(province)).values()
            assert (one["kind"], one["column"], one["excluded"]) == ("code_unknown", "class_code", False)
            columns = ("division", "table_name", "code", "name_zh", "mapped_table", "mapped_to", "status")
            row = ("330100", "local:330100", "7", "井盖异响", "GB", "01", "effective")
            assert not (await city.put("class_extension", columns, [row])).rejected
            await net.level()
            await marking.look([])
            (one,) = (await found(province)).values()
            assert one["state"] == "closed"

    run(work())


def test_a_record_that_two_tiers_both_send_is_marked_once(tmp_path: Path) -> None:
    """The upper one's: the other is nearer to where it comes from. At the upper one itself the lower one's is marked,
    for nobody marks an own record. Taken out by one of them, the issue is over."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO[:3], catalogue=SITE, overrides="\n[quality.x_pump]\n") as net:
            city, province, nation = net["hangzhou"], net["province"], net["nation"]
            looks = [Marking(node_of(member)) for member in (province, nation)]
            for look in looks:
                await look.look([])
            for member, names in ((province, ("both",)), (city, ("both", "one"))):
                assert not (await member.put("x_pump", ("id", "state"), [(name, "on") for name in names])).rejected
            for _ in range(2):
                await net.level()
                for look in looks:
                    await look.look([])
            known = (await province.command("quality.list"))["issues"]
            (one,) = [issue for issue in known if issue["finder"] == province.node]
            assert (one["kind"], one["origin"], one["record"]) == ("duplicate", city.node, '["both"]')
            above = {one["origin"]: one for one in (await nation.command("quality.list"))["issues"]}
            assert above[province.node]["finder"] == nation.node
            assert city.node in above[province.node]["problem"]
            await city.put("x_pump", ("id", "state"), [], [("both",)])
            await net.level()
            for look in looks:
                await look.look([])
            for member in (province, nation):
                own = [one for one in (await member.command("quality.list"))["issues"] if one["finder"] == member.node]
                assert [one["state"] for one in own] == ["closed"]

    run(work())


def test_a_period_that_did_not_come_is_marked_when_it_closes(tmp_path: Path) -> None:
    """Once; it is over when the figures come, and that they came late is another thing."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO[:3], overrides=ON) as net:
            city, province = net["hangzhou"], net["province"]
            marking, now = Marking(node_of(province)), node_of(province).clock.now_us()
            owing = Item(
                "case_stat", "2026-03", city.node, "杭州", now - 9, now - 1, Standing.OVERDUE, Why.NOT_FILLED, 0, False
            )
            await marking.look([owing._replace(cut_off=now + 10**9)])
            assert not await found(province), "not closed yet"
            await marking.look([owing])
            await marking.look([owing])
            (one,) = (await found(province)).values()
            assert (one["kind"], one["origin"], one["period"], one["state"]) == (
                "missing",
                city.node,
                "2026-03",
                "notified",
            )
            await marking.look([owing._replace(standing=Standing.CORRECTION, arrived=now)])
            states = [(one["kind"], one["state"]) for one in (await province.command("quality.list"))["issues"]]
            assert sorted(states) == [("late", "notified"), ("missing", "closed")]

    run(work())
