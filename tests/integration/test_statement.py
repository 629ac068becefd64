"""The statement of a day: the same figures at both ends, and what nobody can prove is said to be not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.clock import SystemClock
from node.stating import Days
from node.testing import Member, Topology
from tests.integration.kit import COLUMNS, cases, has_no_link, node_of, publish_all_columns, put, run

STATED = ("holder", "feed", "day", "division", "dataset", "seq", "rows", "digest", "brought", "taken", "unchanged")
STATED += ("rejected", "waiting", "sent_entries", "sent_rows")
OUTCOME = ("received", "applied", "refused", "parked", "overtaken")


async def line_of(member: Member, origin: Member, dataset: str = "case") -> dict[str, Any]:
    """What the statement of today at one node says of a dataset of another."""
    found = await member.command("statement", child=origin.node, dataset=dataset)
    (line,) = found["lines"]
    return dict(line)


def feed_in(line: dict[str, Any], publication: str) -> dict[str, Any]:
    return next(dict(one) for one in line["feeds"] if one["publication"] == publication)


def tier_in(feed: dict[str, Any], member: Member) -> dict[str, Any]:
    return next({name: one[name] for name in OUTCOME} for one in feed["tiers"] if one["node"] == member.node)


async def signed(origin: Member, by: Member, publication: str) -> None:
    """Waits until the origin has a receipt for all of a feed, and every word on what was refused."""

    def enough(status: dict[str, Any]) -> bool:
        feed = next((f for f in status["feeds"] if f["own"] and f["publication"] == publication), None)
        return feed is not None and any(
            r["by"] == by.node and r["received"] == feed["seq"] and not feed["waiting"] for r in feed["receipts"]
        )

    await origin.until(enough)


def test_both_ends_show_the_same_figures(tmp_path: Path) -> None:
    """What the city concludes from receipts and refusals equals what the province counts itself."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(3))
            await city.put("case", COLUMNS, [*cases(1, first=3), *cases(1, first=4, division="440106")])
            publish_all_columns(node_of(city))
            await put(city, cases(2, first=10))
            await put(city, cases(1, first=10, text="again"))
            await net.level()
            await signed(city, province, "case.parent")
            at_city, at_province = await line_of(city, city), await line_of(province, city)
            assert at_city["door"] | {"last": ""} == {
                "in_source": None,
                "brought": 8,
                "taken": 6,
                "unchanged": 1,
                "rejected": 1,
                "last": "",
            }
            assert at_province["door"] is None
            ours, theirs = feed_in(at_city, "case.parent"), feed_in(at_province, "case.parent")
            assert ours["sent"] == theirs["sent"]
            assert ours["sent"]["rows"] == 6
            expected = {"received": 6, "applied": 3, "refused": 3, "parked": 0, "overtaken": 0}
            assert tier_in(ours, province) == tier_in(theirs, province) == expected

    run(work())


def test_a_feed_for_somebody_else_is_not_called_missing(tmp_path: Path) -> None:
    """The nation hears what a city stated to its province: what goes to the province alone has not failed to arrive."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            await put(city, cases(2, supervised=True))
            await net.level()
            node, changed = node_of(nation), node_of(nation).changed
            while not any(
                row[:2] == ("heads", city.node) for row in await node.read(lambda reader: reader.statements())
            ):
                await changed.wait()
                changed = node.changed
            feeds = (await line_of(nation, city))["feeds"]
            assert [(one["publication"], one["missing"]) for one in feeds] == [("case.nation", None)]

    run(work())


def test_what_has_not_been_signed_for_is_not_known(tmp_path: Path) -> None:
    """With the parent away nothing is claimed of it; what waits is counted where it waits."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(2))
            await net.level()
            await signed(city, province, "case.parent")
            await province.stop()
            await city.until(has_no_link(province))
            await put(city, cases(5, first=20))
            line = await line_of(city, city)
            assert (line["door"]["taken"], line["waiting"]) == (7, 1)
            assert tier_in(feed_in(line, "case.parent"), province)["received"] == 2

    run(work())


class Tomorrow(SystemClock):
    """The machine's clock, two days ahead."""

    def now_us(self) -> int:
        return super().now_us() + 2 * 86_400_000_000


def test_a_day_that_is_over_is_stated_and_its_parent_shows_both_columns(tmp_path: Path) -> None:
    """Once: looking again states nothing more. Until it has come, the parent knows nothing of the city's door; and of
    that only the city is believed."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(3))
            await city.put("case", COLUMNS, cases(1, first=4, division="440106"))
            await net.level()
            day = (await city.command("statement"))["day"]
            assert await Days(node_of(city)).look() == 0, "the day is not over"
            days = Days(node_of(city))
            assert await days.look() == 0
            node_of(city).clock = Tomorrow()
            assert await days.look() > 0
            assert await days.look() == 0
            assert await Days(node_of(city)).look() == 0, "after a start it is looked, and all is there"
            await net.level()
            words = (city.node, f"{city.node}/case.parent", day, "330000", "case", 3, 3, "", 99, 99, 0, 0, 0, 1, 99)
            assert (await province.put("reconciliation", STATED, [words])).accepted == 1
            for member in (city, province):
                found = await member.command("statement", child=city.node, dataset="case", day=day)
                (line,) = found["lines"]
                assert [line["door"][n] for n in ("brought", "taken", "unchanged", "rejected")] == [4, 3, 0, 1]
                assert line["waiting"] == 0
            feed = feed_in(line, "case.parent")
            assert feed["stated"] == {"entries": feed["sent"]["entries"], "rows": 3}

    run(work())
