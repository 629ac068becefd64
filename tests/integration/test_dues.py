"""Deadlines in a real tree: late for different reasons, reminded in one act, closed with a signed position."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from node import dues
from node.cli.doctor import examine
from node.cli.dues import _details, _scores
from node.cli.session import Session
from node.clock import iso
from node.commands.dues import list_dues
from node.exporting.notice import write_sheets
from node.maintenance import look
from node.testing import Member, Topology
from node.testing.topology import Place
from node.texts import translator
from tests.integration.kit import has_no_link, node_of, run, seq
from tests.integration.test_rollups import HOUR_US, ZONE, case, first_day, set_clocks, sound
from tests.integration.test_rollups import bring as bring_cases
from tiers.periods import midnight_us

DAY_US = 24 * HOUR_US
CITIES = ("hangzhou", "ningbo", "wenzhou")
COUNTRY = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("province", "provincial", "330000", "浙江省平台", "nation"),
    *(Place(name, "city", f"330{n}00", name, "province") for n, name in enumerate(CITIES, 1)),
)
COLUMNS = ("division", "period", "indicator", "value", "quality")


async def bring(member: Member, day: date, value: str = "1.5") -> None:
    row = (member.place.region, day.isoformat(), "gas_supply", value, "normal")
    result = await member.put("operation_vitals", COLUMNS, [row])
    assert not result.rejected, list(result.rejected)


async def standings(member: Member, day: date) -> dict[str, tuple[str, str]]:
    """(standing, why) of the day by title."""
    found = await member.command("due.list", dataset="operation_vitals")
    return {one["title"]: (one["standing"], one["why"]) for one in found["items"] if one["period"] == day.isoformat()}


async def closed(member: Member, day: date) -> dict[str, Any]:
    return await member.command("due.position", dataset="operation_vitals", period=day.isoformat())


def test_late_data_is_listed_reminded_and_marked_as_a_correction(tmp_path: Path) -> None:
    """One city is in time, one has no link, one was not filled in: reminded, it says why, and brings it late. The one
    that was down brings it after the day was closed."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY) as net:
            day = first_day(net)
            after = midnight_us(day + timedelta(days=1), ZONE)
            province, wenzhou = net["province"], net["wenzhou"]
            await bring(net["hangzhou"], day)
            span = {"from": iso(after + DAY_US - HOUR_US), "until": iso(after + DAY_US + HOUR_US // 2)}
            await wenzhou.command("maintenance.announce", **span, reason="机房停电")
            await net.level()
            await look(node_of(province))
            await net["ningbo"].stop()
            await province.until(has_no_link(net["ningbo"]))
            set_clocks(net, after + HOUR_US)
            node = node_of(province)
            looked = [one async for one in list_dues(node, {"dataset": "operation_vitals", "read_only": True})]
            told = {one["title"]: one["standing"] for one in looked[0]["items"] if one["period"] == day.isoformat()}
            assert told["hangzhou"] == "on_time"
            marks = await node.read(lambda reader: reader.dues.marks("operation_vitals", [day.isoformat()]))
            assert not marks, "who only looks at a page writes nothing"
            assert await standings(province, day) == {
                "hangzhou": ("on_time", ""),
                "ningbo": ("waiting", "link_down"),
                "wenzhou": ("waiting", "not_filled"),
            }
            set_clocks(net, after + DAY_US + 1)
            told = await standings(province, day)
            assert (told["ningbo"][0], told["wenzhou"][0]) == ("overdue", "waiting"), "it announced its maintenance"
            set_clocks(net, after + DAY_US + HOUR_US)
            assert (await standings(province, day))["wenzhou"] == ("overdue", "not_filled")
            assert set(await standings(net["nation"], day)) == set(CITIES), "the province owes none of its own"
            assert await standings(wenzhou, day) == {"wenzhou": ("overdue", "not_filled")}

            wish = {"dataset": "operation_vitals", "period": day.isoformat()}
            dry = await province.command("due.remind", **wish, dry_run=True)
            assert {one["title"] for one in dry["reminded"]} == {"ningbo", "wenzhou"}
            done = await province.command("due.remind", **wish)
            assert {one["move"] for one in done["reminded"]} == {"remind"}
            again = await province.command("due.remind", **wish)
            assert [one["task"] for one in again["reminded"]] == [one["task"] for one in done["reminded"]]
            assert {one["move"] for one in again["reminded"]} == {"again"}
            down = f"{province.node}/moves@{wenzhou.node}"
            await wenzhou.until(lambda status: seq(status, down) >= 2)
            (reminder,) = (await wenzhou.command("due.list"))["reminders"]
            assert (reminder["to_us"], reminder["state"]) == (True, "reminded")
            told = await asyncio.to_thread(examine, Session(home_given=wenzhou.home))
            assert [one.found.say(translator("en")) for one in told if str(one.name) == "overdue data"] == [
                "this node is reminded of 1"
            ]
            await dues.look(node_of(province))
            await dues.look(node_of(wenzhou))
            late, own = (await province.status())["dues"], (await wenzhou.status())["dues"]
            assert (late["reminded"], own["overdue"], own["reminded"]) == (0, 0, 1)
            assert late["overdue"] >= 2
            await wenzhou.command("task.move", task=reminder["task"], move="answer", fields={"text": "仪表检修"})
            await wenzhou.until(lambda status: seq(status, down) >= 3)
            assert (await province.command("task.show", task=reminder["task"]))["state"] == "answered"

            await bring(wenzhou, day)
            feed = f"{wenzhou.node}/operation_vitals.ancestors"
            await province.until(lambda status: seq(status, feed) >= 1)
            await dues.look(node_of(province))
            assert (await standings(province, day))["wenzhou"] == ("late", "")
            await wenzhou.until(lambda status: seq(status, down) >= 4)
            shown = await wenzhou.command("task.show", task=reminder["task"])
            assert shown["state"] == "settled"

            set_clocks(net, after + 4 * DAY_US)
            await dues.look(node_of(province))
            cut = await closed(province, day)
            assert cut["signed"]
            assert {f["feed"].partition(".")[0]: f["since"] for f in cut["feeds"]} == {"c330100": 0, "c330300": 0}
            await net["ningbo"].start()
            await bring(net["ningbo"], day)
            await bring(net["hangzhou"], day, "2.5")
            await net.level()
            await dues.look(node_of(province))
            assert (await standings(province, day))["ningbo"] == ("correction", "")
            later = await closed(province, day)
            assert (later["body"], later["signature"]) == (cut["body"], cut["signature"])
            assert {f["feed"].partition(".")[0]: f["since"] for f in later["feeds"]} == {"c330100": 1, "c330300": 0}

            found = await province.command("due.list", month=day.isoformat()[:7])
            (wrong,) = [s for s in found["scores"] if s["title"] == "wenzhou" and s["dataset"] == "operation_vitals"]
            assert wrong["on_time"] == 0
            out = BytesIO()
            write_sheets(out, (_scores(found, "2026-03", "=省平台"), _details(found, "Asia/Shanghai")))
            book = load_workbook(out)
            assert "=省平台" in str(book.worksheets[0]["A2"].value)
            assert book.worksheets[1].max_row > 3
            await sound(net)

    run(work())


def test_figures_that_only_say_no_data_have_not_come(tmp_path: Path) -> None:
    """Nor have those of a county that a city brought: its own place is what it owes. With figures it has come."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:4]) as net:
            day = first_day(net)
            after = midnight_us(day + timedelta(days=1), ZONE)
            province, mute, counties = net["province"], net["hangzhou"], net["ningbo"]
            set_clocks(net, after + HOUR_US)
            await mute.command("rollup.run", dataset="case_stat", period=day.isoformat())
            county = dict.fromkeys(node_of(counties).catalogue.datasets["case_stat"].key, "*")
            county |= {"division": "330206", "period": day.isoformat()}
            told = await counties.put("case_stat", (*county, "complete", "final"), [(*county.values(), True, False)])
            assert not told.rejected, list(told.rejected)

            async def case_stat() -> dict[str, tuple[str, str]]:
                await net.level()
                found = await province.command("due.list", dataset="case_stat")
                return {
                    one["title"]: (one["standing"], one["why"]) for one in found["items"] if one["period"] == str(day)
                }

            waits = await case_stat()
            assert (waits["hangzhou"], waits["ningbo"]) == (("waiting", "source_silent"), ("waiting", "not_filled"))
            await bring_cases(mute, case("h1", "330106", after - HOUR_US), case("h2", "330106", after))
            await mute.command("rollup.run", dataset="case_stat", period=day.isoformat())
            assert (await case_stat())["hangzhou"] == ("on_time", "")

    run(work())
