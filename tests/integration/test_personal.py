"""Numbers of persons in free text stay at the city that has the text."""

from __future__ import annotations

from pathlib import Path

from node.demo.reader import fsck
from node.testing import Member, Topology
from node.testing.leaks import scan_home, text_canary
from tests.integration.kit import COLUMNS, THREE_UP, cases, run, same_cases
from tests.unit.tiers.test_personal import PHONE, TEXT, note

NUMBERS = ("13800138000", "１３８００１３８０００")
NOTES = ("id", "hidden", "barred", "open", "free", "kept")


async def _summaries(member: Member) -> dict[str, str]:
    _, rows = await (await member.client()).query("case", columns=("case_id", "summary"))
    return {str(key): str(summary) for key, summary in rows}


def test_a_phone_number_in_a_summary_is_masked_above_and_kept_at_the_city(tmp_path: Path) -> None:
    """In no payload, table, log or file of province and nation; the city has the text, is told, and counts it. Digests
    of the masked rows agree, and every store is sound, also after a change and a void."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            rows = [*cases(3, supervised=True), *cases(1, first=4, supervised=True, text=f"回电{NUMBERS[0]}谢谢")]
            rows += cases(1, first=5, supervised=True, text=f"回电{NUMBERS[1]}")
            result = await city.put("case", COLUMNS, rows)
            assert result.accepted == 5
            assert result.warnings == 2
            assert [w.index for w in result.warned] == [3, 4]
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 5 + 5
            assert (await _summaries(city))["3301-000004"] == f"回电{NUMBERS[0]}谢谢"
            for name in ("province", "nation"):
                assert (await _summaries(net[name]))["3301-000004"] == "回电***********谢谢"
                found = scan_home(net[name].home, [text_canary("phone", number) for number in NUMBERS])
                assert found.leaks == []
                assert found.rows >= 5
            status = await city.status()
            assert status["personal"] == [{"dataset": "case", "column": "summary", "rule": "mask", "cells": 2}]
            changed = cases(1, first=4, supervised=False, text=f"改为{NUMBERS[0]}")
            await city.put("case", COLUMNS, changed, voids=[("3301-000005",)])
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 4 + 3
            await net.stop()
            for member in net.members.values():
                assert fsck(member).sound, member.place.name

    run(work())


def test_what_left_before_a_column_was_masked_is_said_again_masked(tmp_path: Path) -> None:
    """The start with the new declaration compares, and the rows above are replaced. (Their old entries stay in the
    log: what has left has left.)"""

    async def work() -> None:
        loose = TEXT.replace(', personal = "mask"', "")
        async with Topology(tmp_path, catalogue=loose) as net:
            city, province = net["city"], net["province"]
            assert (await city.put("x_note", NOTES, [note("a", hidden=PHONE), note("b")])).accepted == 2
            await net.level()
            assert await _hidden(province) == {"a": PHONE, "b": None}
            await city.stop()
            (city.home / "site.toml").write_text(TEXT, "utf-8")
            await city.start()
            await net.level()
            assert await _hidden(province) == {"a": "请回电 ***-****-****", "b": None}
            assert await _hidden(city) == {"a": PHONE, "b": None}
            await net.stop()
            assert fsck(city).sound
            assert fsck(province).sound

    run(work())


async def _hidden(member: Member) -> dict[str, str | None]:
    _, rows = await (await member.client()).query("x_note", columns=("id", "hidden"))
    return {str(key): None if cell is None else str(cell) for key, cell in rows}
