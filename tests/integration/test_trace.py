"""One row's way: what each tier has signed, when, and what nobody can prove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.testing import Member, Topology
from tests.integration.kit import cases, has_heard, has_no_link, open_door, put, run
from tests.integration.test_publications_removed import ALL, COLUMNS, DATASET, PARENT, bench, start_with
from tests.integration.test_statement import signed


async def entry_of(member: Member, what: str, publication: str) -> dict[str, Any]:
    """What a node knows of the entry that carries a row by a publication."""
    (row,) = (await member.command("trace", what=what))["rows"]
    return next(dict(e) for e in row["entries"] if f"/{publication}" in e["feed"])


def known(entry: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {t["node"]: (t["proof"], t["received"], t["applied"], t["fate"]) for t in entry["tiers"]}


def test_every_tier_is_shown_with_what_it_has_signed(tmp_path: Path) -> None:
    """At the origin by receipts with their times; at a tier above by its own log, and receipts that pass through it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            nation, province, city = net["nation"], net["province"], net["city"]
            await put(city, cases(1, supervised=True))
            await net.level()
            await signed(city, province, "case.parent")
            await signed(city, nation, "case.nation")
            own = await entry_of(city, "3301-000001", "case.parent")
            assert known(own) == {province.node: ("receipt", True, True, "")}
            (tier,) = own["tiers"]
            assert own["sealed_at"] <= tier["received_at"] <= tier["applied_at"]
            up = await entry_of(city, "3301-000001", "case.nation")
            assert known(up) == {nation.node: ("receipt", True, True, "")}
            at_province = await entry_of(province, "3301-000001", "case.parent")
            assert known(at_province) == {province.node: ("log", True, True, "")}
            assert at_province["sealed_at"] == own["sealed_at"]

    run(work())


def test_what_was_refused_and_what_is_not_known_are_told_apart(tmp_path: Path) -> None:
    """A tier that refused says so; of one that has not signed nothing is claimed."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, city = net["province"], net["city"]
            open_door(city)
            await put(city, cases(1, division="440106"))
            await city.until(has_heard("OUT_OF_SCOPE", "REFUSED", 1))
            entry = await entry_of(city, "4401-000001", "case.parent")
            assert known(entry)[province.node][1:] == (True, False, "REFUSED")
            assert entry["tiers"][0]["reason"] == "OUT_OF_SCOPE"
            at_province = await entry_of(province, f"{entry['feed']}@{entry['seq']}", "case.parent")
            assert known(at_province)[province.node] == ("log", True, False, "REFUSED")
            await province.stop()
            await city.until(has_no_link(province))
            await put(city, cases(1, first=2))
            (row,) = (await city.command("trace", what="3301-000002"))["rows"]
            assert row["entries"] == []
            assert row["waiting"] == [entry["feed"]]
            assert row["not_in"] == ["case.nation"], "it is not supervised"

    run(work())


def test_a_publication_that_is_gone_is_still_traced(tmp_path: Path) -> None:
    """By the key of the row: where it had gone, and that it was taken back."""

    async def work() -> None:
        async with Topology(tmp_path, catalogue=ALL) as net:
            city, nation = net["city"], net["nation"]
            await city.put("x_bench", COLUMNS, [bench(1)])
            await net.level()
            await start_with(city, DATASET + PARENT)
            await net.level()
            assert (await entry_of(city, "b1", "x_bench.up"))["says"] == "put"
            assert (await entry_of(nation, "b1", "x_bench.up"))["says"] == "left"

    run(work())
