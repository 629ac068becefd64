"""Places where a prefix of the division code is no jurisdiction, on real nodes; a dataset of two tiers climbs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.demo.reader import catalogue_of, compare, held_back_cells
from node.faults import UserFault
from node.testing import THREE, Member, Place, Topology
from tests.integration.kit import COLUMNS, cases, has_heard, open_door, put, run, seq
from tests.integration.test_publications import sound

XINJIANG = Place("xinjiang", "provincial", "650000", "新疆维吾尔自治区平台", "nation")
URUMQI = Place("urumqi", "city", "650100", "乌鲁木齐市平台", "xinjiang")
CORPS = Place("corps", "provincial", "660000", "新疆生产建设兵团平台", "nation")
SHIHEZI = Place("shihezi", "city", "659001", "石河子市平台", "corps")
HENAN = Place("henan", "provincial", "410000", "河南省平台", "nation")
JIYUAN = Place("jiyuan", "city", "419001", "济源市平台", "henan")
SHANGHAI = Place("shanghai", "city", "310000", "上海市平台", "nation")

CROSSED = [
    pytest.param((XINJIANG, URUMQI), "650102", "659001", id="xinjiang's prefix holds the corps' cities"),
    pytest.param((CORPS, SHIHEZI), "659001", "650102", id="a city of the corps"),
    pytest.param((HENAN, JIYUAN), "419001", "419002", id="a county straight below a province"),
    pytest.param((SHANGHAI,), "310101", "320102", id="a municipality, below no province"),
]


@pytest.mark.parametrize(("places", "own", "alien"), CROSSED)
def test_a_city_writes_of_its_own_places_alone(tmp_path: Path, places: tuple[Place, ...], own: str, alien: str) -> None:
    """What is its own reaches all tiers; another's is rejected at its door, and refused above where it has no door."""

    async def work() -> None:
        async with Topology(tmp_path, (THREE[0], *places)) as net:
            city, nation = net[places[-1].name], net["nation"]
            above = [net[place.name] for place in places[:-1]] or [nation]
            await put(city, cases(3, division=own, supervised=True))
            assert (await city.put("case", COLUMNS, cases(1, division=alien))).accepted == 0
            open_door(city)
            await put(city, cases(1, first=9, division=alien, supervised=True))
            status = await city.until(has_heard("OUT_OF_SCOPE", "REFUSED", len(("case.parent", "case.nation"))))
            assert {said["by"] for said in status["heard"]} == {nation.node, *(member.node for member in above)}
            for member in {nation, *above}:
                _, rows = await (await member.client()).query("case", columns=("division",))
                assert [tuple(row) for row in rows] == [(own,)] * 3, member.place.name
            await net.level()
            await sound(net)

    run(work())


UNIT = ("uscc", "name", "division", "role", "contact_name")


async def put_unit(member: Member, number: int, name: str) -> None:
    row = (f"1133{number:014d}", name, member.place.region, "handling", "王女士")
    assert (await member.put("org_unit", UNIT, [row])).accepted == 1


def test_units_of_cities_and_provinces_climb_to_the_nation(tmp_path: Path) -> None:
    """Each stands at every tier above its origin, as the publication says it, changed and voided too; contacts stay."""

    async def work() -> None:
        async with Topology(tmp_path, (*THREE, SHANGHAI)) as net:
            city, province, shanghai, nation = (net[n] for n in ("city", "province", "shanghai", "nation"))
            for number, member in enumerate((city, province, shanghai)):
                await put_unit(member, 10 * number, "环卫中心")
                await put_unit(member, 10 * number + 1, "市政中心")
            await net.level()
            await put_unit(city, 0, "环境卫生中心")
            await city.put("org_unit", (), [], voids=[(f"1133{1:014d}",)])
            await net.level()
            with pytest.raises(UserFault, match="org_unit"):
                await put_unit(nation, 90, "国家级单位")
            catalogue = catalogue_of(nation)
            unit, up = catalogue.datasets["org_unit"], catalogue.publications["org_unit.ancestors"]
            for origin, above, rows in (
                (city, province, 1),
                (city, nation, 1),
                (province, nation, 2),
                (shanghai, nation, 2),
            ):
                found = await asyncio.to_thread(compare, origin, above, unit, up, "")
                assert (found.agrees, found.rows) == (True, rows), found
                assert held_back_cells(above, unit, origin.node) == {"contact_name": 0, "contact_phone": 0}
            # Nobody beside the way up has any of it.
            beside = await shanghai.status()
            assert not any(seq(beside, f"{member.node}/org_unit.ancestors") for member in (city, province))
            await sound(net)

    run(work())
