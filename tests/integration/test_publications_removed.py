"""A publication, and then a dataset, is taken out of a site's catalogue: what other nodes hold by it is taken back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.testing import Member, Topology
from tests.integration.kit import run
from tests.integration.test_publications import sound, told
from tiers.faults import CatalogueFault

DATASET = """
[dataset.x_bench]
version = 1
zh = "休憩设施"
en = "Benches"
definition = "A dataset of this site alone."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id"]
region = "division"
classification = "internal"
source_unit = "城市管理主管部门"
sharing = "conditional"
fields = [
  { name = "id", type = "text", length = 20, nullable = false, zh = "标识", en = "Id" },
  { name = "division", type = "text", length = 6, nullable = false, zh = "行政区划代码", en = "Division" },
  { name = "state", type = "text", length = 20, zh = "状态", en = "State" },
]
"""
UP = """
[publication."x_bench.up"]
route = "ancestors"
lane = "normal"
"""
PARENT = """
[publication."x_bench.parent"]
route = "parent"
lane = "normal"
columns = ["id", "division"]
"""
ALL = DATASET + UP + PARENT
COLUMNS = ("id", "division", "state")


def bench(number: int, state: str = "good") -> tuple[str, str, str]:
    return (f"b{number}", "330106", state)


async def rows(member: Member) -> list[tuple[object, ...]]:
    """What a node holds of the dataset, in order of the key."""
    _, found = await (await member.client()).query("x_bench", columns=COLUMNS)
    return sorted(tuple(row) for row in found)


async def start_with(member: Member, catalogue: str) -> None:
    """Stops the node if it runs, edits its catalogue, and starts it again."""
    await member.stop()
    (member.home / "site.toml").write_text(catalogue, "utf-8")
    await member.start()


def test_a_publication_that_is_taken_out_takes_its_rows_back(tmp_path: Path) -> None:
    """They leave by ordinary removals, the other publication's stay, and later changes go on by that one alone."""

    async def work() -> None:
        async with Topology(tmp_path, catalogue=ALL) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await city.put("x_bench", COLUMNS, [bench(1), bench(2)])
            await net.level()
            assert await rows(nation) == [bench(1), bench(2)]
            await province.stop()
            await city.put("x_bench", COLUMNS, [bench(3)])  # waits in both feeds
            await start_with(city, DATASET + PARENT)
            await city.put("x_bench", COLUMNS, [bench(4)])
            await province.start()
            await net.level()
            assert await rows(nation) == []
            assert await rows(province) == [(f"b{n}", "330106", None) for n in (1, 2, 3, 4)]
            assert await rows(city) == [bench(1), bench(2), bench(3), bench(4)]
            assert told(city) == 1
            await start_with(city, ALL)
            await net.level()
            assert await rows(nation) == await rows(province) == await rows(city)
            await sound(net)

    run(work())


def test_a_start_with_a_dataset_that_did_more_than_add_is_refused(tmp_path: Path) -> None:
    """It says all that is wrong, leaves the store as it was, and the node goes on with additions."""

    async def work() -> None:
        async with Topology(tmp_path, catalogue=ALL) as net:
            city = net["city"]
            await city.put("x_bench", COLUMNS, [bench(1)])
            with pytest.raises(UserFault, match=r"x_bench\.state: the column is gone") as told:
                await start_with(city, ALL.replace('name = "state"', 'name = "condition"'))
            assert told.value.code is Code.CATALOGUE_CHANGED
            assert "the version is still 1" in str(told.value)
            added = '  { name = "wood", type = "text", zh = "木", en = "Wood" },\n]'
            await start_with(city, ALL.replace("version = 1", "version = 2").replace("\n]", f"\n{added}", 1))
            await net.level()
            assert await rows(city) == [bench(1)]

    run(work())


def test_a_dataset_is_taken_out_only_after_its_rows_were_taken_back(tmp_path: Path) -> None:
    """A start without it is refused, and says what to do, while others hold rows or have not heard of the removal."""

    async def refused(city: Member) -> None:
        with pytest.raises(CatalogueFault, match=r"dataset\.x_bench: is no longer declared"):
            await start_with(city, "")

    async def work() -> None:
        async with Topology(tmp_path, catalogue=ALL) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await city.put("x_bench", COLUMNS, [bench(1), bench(2)])
            await net.level()
            await refused(city)
            await province.stop()
            await start_with(city, DATASET)
            await refused(city)
            await asyncio.gather(province.start(), city.stop())
            await start_with(city, DATASET)
            await net.level()
            assert await rows(nation) == await rows(province) == []
            await start_with(city, "")
            await net.level()
            await sound(net)

    run(work())
