"""A publication's settings change from one start to the next: what was published by the old ones follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from node.config import CONFIG_NAME, Publication, load_file, render
from node.demo.reader import fsck
from node.testing import Member, Topology
from tests.integration.kit import THREE_UP, cases, put, run, same_cases


def edit(member: Member, setting: str) -> None:
    """As an administrator edits node.toml."""
    path = member.home / CONFIG_NAME
    changed = replace(load_file(path), publications={"case.nation": Publication(setting)})
    path.write_text(render(changed), encoding="utf-8")


async def start_with(member: Member, setting: str) -> None:
    """Stops the node, edits its node.toml, and starts it again."""
    await member.stop()
    edit(member, setting)
    await member.start()


async def case_ids(member: Member) -> set[str]:
    """The cases that a node holds, by the number at the end of their ids."""
    _, rows = await (await member.client()).query("case", columns=("case_id",))
    return {str(row[0]).removeprefix("3301-00000") for row in rows}


async def sound(net: Topology) -> None:
    await net.stop()
    for member in net.members.values():
        findings = fsck(member).findings
        assert not findings, (member.place.name, findings[:3])


def told(member: Member) -> int:
    """How often the audit says that publications changed."""
    lines = "".join(path.read_text("utf-8") for path in member.home.rglob("audit-*.jsonl"))
    return lines.count('"publication_changed"')


def test_a_widened_publication_takes_the_rows_that_are_there_already(tmp_path: Path) -> None:
    """All cases are at the nation without another change to them, and later changes and voids reach it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            await put(city, [*cases(3), *cases(2, first=4, supervised=True)])
            await net.level()
            assert await case_ids(nation) == {"4", "5"}
            await start_with(city, "all")
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 5 + 5
            assert await case_ids(nation) == {"1", "2", "3", "4", "5"}
            await put(city, cases(1, text="改过的"))
            await city.put("case", (), [], voids=[("3301-000002",), ("3301-000004",)])
            await net.level()
            assert await case_ids(nation) == {"1", "3", "5"}
            assert same_cases(net, "city", THREE_UP) == 3 + 3
            assert told(city) == 1
            await sound(net)

    run(work())


def test_a_narrowed_publication_takes_back_what_it_said(tmp_path: Path) -> None:
    """What may no longer be at the nation leaves it at once, what waited is never sent; the rest goes on as before."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            await start_with(city, "all")
            await put(city, [*cases(3), *cases(2, first=4, supervised=True)])
            await net.level()
            assert await case_ids(nation) == {"1", "2", "3", "4", "5"}
            await net["province"].stop()
            await put(city, cases(1, first=6))  # waits at the city
            await start_with(city, "default")
            await net["province"].start()
            await net.level()
            assert await case_ids(net["province"]) == {"1", "2", "3", "4", "5", "6"}
            assert await case_ids(nation) == {"4", "5"}
            assert same_cases(net, "city", THREE_UP) == 6 + 2
            await city.put("case", (), [], voids=[("3301-000001",), ("3301-000004",)])
            await net.level()
            assert await case_ids(nation) == {"5"}
            assert same_cases(net, "city", THREE_UP) == 4 + 1
            assert told(city) == 2
            await sound(net)

    run(work())


def test_settings_that_stay_cost_no_comparison(tmp_path: Path) -> None:
    """A start with the same settings says nothing again; neither does the first."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(2, supervised=True))
            await net.level()
            before = [(f["feed"], f["seq"]) for f in (await city.status())["feeds"]]
            await city.stop()
            await city.start()
            await net.level()
            assert [(f["feed"], f["seq"]) for f in (await city.status())["feeds"]] == before
            assert told(city) == 0

    run(work())


def test_a_check_between_an_edit_and_the_next_start_says_what_it_left_out(tmp_path: Path) -> None:
    """Own feeds say what the settings were when they were written: that is no damage, and the report tells it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, [*cases(2), *cases(2, first=4, supervised=True)])
            await net.level()
            await city.stop()
            assert not fsck(city).unchecked
            edit(city, "all")
            report = fsck(city)
            assert not report.findings
            (said,) = report.unchecked
            assert "publications were changed" in said
            await city.start()
            await net.level()
            await sound(net)

    run(work())
