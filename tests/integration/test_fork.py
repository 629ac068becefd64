"""Two copies of a node write on by turns, and each tells another neighbour: the feed freezes, the rest goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from node.demo.reader import fsck
from node.testing import THREE, Member, Place, Topology
from tests.integration.kit import CODE_COLUMNS, Status, cases, code_row, feed, put, run, seq
from tests.integration.test_audited import audited

PLACES = (*THREE, Place("shanghai", "city", "310000", "上海市平台", "nation"))


def reached(name: str, at: int) -> Callable[[Status], bool]:
    return lambda status: seq(status, name) >= at


def is_frozen(name: str) -> Callable[[Status], bool]:
    return lambda status: bool(feed(status, name).get("frozen")) and name in status["forks"]


async def say(nation: Member, code: str) -> None:
    """The nation releases a code."""
    await nation.put("class_code", CODE_COLUMNS, [code_row("x_kinds", code)])


def test_a_feed_of_which_two_copies_wrote_is_frozen_everywhere(tmp_path: Path) -> None:
    """The proof goes to everybody on the feed's way, with an alarm and a line of audit; cases travel on both ways."""

    async def work() -> None:
        async with Topology(tmp_path / "net", PLACES) as net:
            nation, province, city, shanghai = net["nation"], net["province"], net["city"], net["shanghai"]
            codes = f"{nation.node}/class_code.all"
            await say(nation, "01")
            await net.level()
            await nation.stop()
            shutil.copytree(nation.home, tmp_path / "copy")
            await shanghai.stop()
            await nation.start()
            await say(nation, "02")
            await province.until(reached(codes, 2))
            # The copy, on another machine, with the child that the first has not told.
            await nation.stop()
            await province.stop()
            nation.home = tmp_path / "copy"
            await nation.start()
            await shanghai.start()
            await say(nation, "03")
            await shanghai.until(reached(codes, 2))
            await province.start()
            for member in net.members.values():
                status = await member.until(is_frozen(codes))
                assert "fork" in {alarm["name"] for alarm in status["alarms"]}, member.place.name
                for event in ("fork_found", "feed_frozen"):
                    assert [line["feed"] for line in audited(member, event)] == [codes], member.place.name
                assert feed(status, codes)["disputed_from"] == 2
            await say(nation, "04")
            told = feed(await nation.status(), codes)
            assert (told["seq"], told["waiting"]) == (2, 1)
            await put(city, cases(3, supervised=True))
            await put(shanghai, cases(2, division="310101"))
            await nation.until(reached(f"{city.node}/case.nation@{nation.node}", 1))
            await nation.until(reached(f"{shanghai.node}/case.parent", 1))
            _, rows = await (await nation.client()).query("case", columns=("case_id",))
            assert len(rows) == 5
            await net.stop()
            assert all(fsck(member).sound for member in net.members.values())

    run(work())
