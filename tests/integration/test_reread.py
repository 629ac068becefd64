"""A real node that was put back lists what must be read again from its source, until that was done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from node.testing import Member, Topology
from tests.integration.kit import COLUMNS, cases, put, run

WITH_HELD_BACK = (*COLUMNS, "description")


def _rows(text: str, *numbers: int) -> list[tuple[Any, ...]]:
    return [(*row, f"stays at home {text}") for n in numbers for row in cases(1, first=n, text=text)]


async def _listed(city: Member) -> list[tuple[str, str]]:
    found = await city.command("reread")
    assert found["count"] == len(found["reread"]) == (await city.status())["reread"]
    assert all(one["dataset"] == "case" and one["since"] for one in found["reread"])
    return [(one["key"], one["why"]) for one in found["reread"]]


def test_rows_leave_the_list_when_they_come_from_their_source_again(tmp_path: Path) -> None:
    """Rows that came back without held-back columns, and one changed in both lives; over a restart; by puts that
    change them, by one that does not, and by a void."""

    async def work() -> None:
        async with Topology(tmp_path / "net") as net:
            city, province = net["city"], net["province"]
            await put(city, _rows("first", 1), WITH_HELD_BACK)
            await net.level()
            assert await _listed(city) == []
            await city.stop()
            shutil.copytree(city.home, tmp_path / "copy")
            await city.start()
            await put(city, _rows("second", 1, 2, 3, 4), WITH_HELD_BACK)
            await net.level()
            await city.stop()
            await province.stop()
            city.home = tmp_path / "copy"
            await city.start()
            await put(city, _rows("third", 1), WITH_HELD_BACK)
            await province.start()
            await city.until(lambda status: status["reread"] == 4 and status["state"] == "working")
            await net.level()
            keys = [f'["3301-{n:06d}"]' for n in (1, 2, 3, 4)]
            assert await _listed(city) == [(keys[0], "both_lives"), *((key, "columns") for key in keys[1:])]
            _, rows = await (await city.client()).query("case", columns=("summary", "description"))
            assert rows == [("third", "stays at home third"), *[("second", None)] * 3]
            alarms = {alarm["name"] for alarm in (await city.status())["alarms"]}
            assert {"rows_lack_held_back_columns", "rows_changed_in_both_lives"} <= alarms
            await city.restart()
            assert len(await _listed(city)) == 4
            await put(city, _rows("second", 2), WITH_HELD_BACK)
            unchanged = await city.put("case", WITH_HELD_BACK, _rows("third", 1))
            assert (unchanged.accepted, unchanged.unchanged) == (0, 1)
            await (await city.client()).put("case", (), (), [cases(1, first=3)[0][:1]], "a mistake")
            assert await _listed(city) == [(keys[3], "columns")]
            await put(city, _rows("second", 4), WITH_HELD_BACK)
            assert await _listed(city) == []
            await net.level()

    run(work())
