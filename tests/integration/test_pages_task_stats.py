"""The page of task statistics: a place over twelve months, those below in order of their codes, nothing ranked."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.testing import Member, Topology
from node.testing.topology import THREE, Place
from tests.integration.http_kit import configure_http
from tests.integration.kit import node_of, run
from tests.integration.test_pages_browser import CHROMIUM, reading
from tests.integration.test_rollups import ZONE, StoodClock
from tiers.periods import midnight_us, parse_period

EVIL = "<script>alert(1)</script>"
PLACES = (
    *THREE[:2],
    Place("later", "city", "330200", EVIL, "province"),
    Place("first", "city", "330100", "杭州市平台", "province"),
)
COLUMNS = ("division", "period", "dim_tier", "dim_flow", "complete", "final")
COUNTED = ("issued", "closed", "closed_in_time", "closed_returned", "open", "overdue")


async def bring(member: Member, month: str, *counts: int, tier: str = "*", flow: str = "*") -> None:
    """Figures as another system would bring them."""
    row = (member.place.region, month, tier, flow, True, True, *counts)
    told = await member.put("task_stat", (*COLUMNS, *COUNTED), [row])
    assert not told.rejected, list(told.rejected)


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine: apt-get install chromium")
def test_a_place_sees_itself_over_time_and_those_below_each_beside_its_own_past(tmp_path: Path) -> None:
    """A month without a figure interrupts the line; who did better stands no higher; a name is text; no script runs."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES) as net:
            province, later, first = net["province"], net["later"], net["first"]
            configure_http(province)
            await province.restart()
            for month in ("2026-01", "2026-02", "2026-04", "2026-05"):
                await bring(province, month, 9, 8, 6, 1, 5, 2)
                await bring(first, month, 4, 4, 1, 2, 3, 1)
                await bring(later, month, 5, 4, 4, 0, 2, 0)
            await bring(province, "2026-05", 9, 8, 6, 1, 5, 2, tier="city", flow="W1")
            await net.level()
            node_of(province).clock = StoodClock(midnight_us(parse_period("2026-06").first, ZONE))
            await province.command("people.add", person="li", shown="李", org="督查处", roles=["viewer"])
            async with reading(province, "en-GB", "task", person="li") as reader:
                text = await reader.go("/task-stats")
                assert "over twelve months" in text
                assert "75 %" in text
                assert "not heard" in text
                assert await reader.page.locator("svg polyline.first").count() >= 2, "March interrupts the line"
                below = text[text.index("Places below in 2026-05") :]
                assert below.index("330100") < below.index("330200"), "by code: the second did better"
                assert EVIL in below
                assert "Key task (W1)" in text
                of_flow = await reader.go("/task-stats?flow=W2&period=2026-04")
                assert "by tier and flow" not in of_flow
                zh = await reader.go("/task-stats?lang=zh")
                assert "不作排名" in zh
                assert "按时办结率" in zh
                assert reader.complaints == []
                answer = await reader.page.goto(reader.base + "/task-stats?period=2031-01")
                assert answer.status == 400
                assert "2031-01" in await reader.page.inner_text("body")

    run(work())
