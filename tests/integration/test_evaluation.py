"""An evaluation goes by one frozen release, cites the data it rests on, and puts no city before another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from node.faults import UserFault
from node.testing import Member, Topology
from tests.integration.kit import cases, node_of, put, run
from tests.integration.test_dues import COUNTRY
from tests.integration.test_rollups import sound

NAMES = (
    "system",
    "version",
    "code",
    "name",
    "level",
    "dimension",
    "method",
    "basic",
    "evidence_required",
    "full_score",
)
OPEN = {"title": "2026 年度评价", "system": "management-2026", "version": "1", "period": "2026", "indicators": "A"}


def indicator(code: str, version: int, score: str = "5") -> Sequence[object]:
    return ("management-2026", version, code, "道路清扫", 1, "clean", "report", True, False, score)


async def release(member: Member, *rows: Sequence[object]) -> list[str]:
    """What was turned away of it."""
    result = await member.put("eval_indicator", NAMES, rows)
    return [str(one.detail) for one in result.rejected]


async def move(member: Member, task: str, name: str, **fields: str) -> dict[str, Any]:
    return await member.command("task.move", task=task, move=name, fields=fields)


async def cited(member: Member, task: str) -> list[tuple[str, str]]:
    """(field, how it stands) of all that the task cites, in order."""
    found = (await member.command("task.show", task=task))["cited"]
    return [(one["field"], one["stands"]) for one in found]


def test_a_cycle_goes_by_one_release_and_cites_its_data(tmp_path: Path) -> None:
    """Trap 16: a newer version touches nothing; a change of the release itself is refused by who opened the cycle, and
    seen by everybody where it came from above. What a city cites the province holds too, or it says what it lacks."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:3]) as net:
            nation, province, city = net["nation"], net["province"], net["hangzhou"]
            about = {"flow": "W6", "task": "e-1", "move": "open", "holder": city.node}
            with pytest.raises(UserFault, match="BAD_ARGUMENT"):
                await province.command("task.move", **about, fields=OPEN)
            assert await release(nation, indicator("A01", 1), indicator("A02", 1)) == []
            await net.level()
            assert await release(province, indicator("A03", 1)) == []
            await net.level()
            await province.command("task.move", **about, fields={**OPEN, "release": "whatever is said"})
            await net.level()
            assert await cited(city, "e-1") == [("release", "same")]

            (told,) = await release(province, indicator("A04", 1))
            assert "management-2026" in told
            assert len(await release(province, indicator("A03", 1, "9"))) == 1
            voided = await province.put("eval_indicator", NAMES, [], voids=[("management-2026", 1, "A03")])
            assert len(voided.rejected) == 1
            assert (await province.put("eval_indicator", NAMES, [indicator("A03", 1)])).unchanged == 1
            assert await release(province, indicator("A03", 2, "9")) == []
            assert await release(nation, indicator("A01", 2, "9")) == []
            await net.level()
            assert await cited(city, "e-1") == await cited(province, "e-1") == [("release", "same")]

            with pytest.raises(UserFault, match="nowhere"):
                await move(city, "e-1", "fill", values="A01=98.2", data_position="nowhere")
            with pytest.raises(UserFault, match="case"):
                await move(city, "e-1", "fill", values="A01=98.2", data_position="case")
            await put(city, cases(3))
            await net.level()
            await move(city, "e-1", "fill", values="A01=98.2", data_position="case")
            await put(city, cases(1, first=9))
            await net.level()
            filled = (await province.command("task.show", task="e-1"))["moves"][-1]
            assert filled["fields"]["data_position"].startswith(f"{city.node}/case.")
            stands = await cited(province, "e-1")
            assert stands[0] == ("release", "same")
            assert ("data_position", "same") in stands
            assert {how for _, how in stands} <= {"same", "not_held"}
            assert {how for _, how in await cited(city, "e-1")} == {"same"}
            await move(city, "e-1", "assess", self_score="90")

            assert await release(nation, indicator("A01", 1, "7")) == []
            await net.level()
            assert (await cited(city, "e-1"))[0] == (await cited(province, "e-1"))[0] == ("release", "other")
            await sound(net)

    run(work())


def test_a_cycle_of_several_cities_has_one_phase_and_no_order_of_merit(tmp_path: Path) -> None:
    """It is where its last city is. Whoever scores more comes nowhere before the others."""

    async def work() -> None:
        async with Topology(tmp_path, COUNTRY[:4]) as net:
            province, cities = net["province"], (net["hangzhou"], net["ningbo"])
            assert await release(province, indicator("A01", 1)) == []
            for city in cities:
                about = {"flow": "W6", "task": f"e-{city.place.name}", "move": "open", "holder": city.node}
                await province.command("task.move", **about, fields={**OPEN, "bundle": "2026"})
            await net.level()

            async def cycle() -> tuple[str, list[str]]:
                shown = (await province.command("task.show", task="e-ningbo"))["bundle"]
                return shown["phase"], [one["task"] for one in shown["tasks"]]

            order = (await cycle())[1]
            assert (await cycle())[0] == "filling"
            for city, score in zip(cities, ("60", "99"), strict=True):
                task = f"e-{city.place.name}"
                await move(city, task, "fill", values="A01=1", data_position="-")
                await move(city, task, "assess", self_score=score)
                await net.level()
                for name, fields in (("review", {}), ("pass", {"reviewed_score": score})):
                    await move(province, task, name, **fields)
                await move(province, task, "settle", final_score=score)
                assert (await cycle())[0] == ("filling" if city is cities[0] else "feedback")
            assert (await cycle())[1] == order == ["e-hangzhou", "e-ningbo"]
            by_score = ["e-ningbo", "e-hangzhou"]
            await move(province, "e-hangzhou", "comment", text="x")
            listed = [one["task"] for one in (await province.command("task.list", flow="W6"))["tasks"]]
            assert listed != by_score, "the one that moved last comes first, whatever it scored"
            assert "cited" in await province.command("task.show", task="e-ningbo")
            assert node_of(province).catalogue.flows["W6"].phases[0].value == "filling"

    run(work())
