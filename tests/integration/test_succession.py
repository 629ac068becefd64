"""A city merges into another, on real nodes: feeds end, regions pass, nothing is lost or shown twice (ADR 0015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.faults import UserFault
from node.testing.topology import DEMO, Member, Topology
from tests.integration.kit import COLUMNS, cases, feed, has_no_link, put, run
from tests.integration.test_audited import audited
from tests.integration.test_publications import sound

OLD, NEW = "ningbo", "hangzhou"


def _old_cases(count: int, first: int = 1, state: str = "handling") -> list[tuple[Any, ...]]:
    at = COLUMNS.index("state")
    rows = cases(count, first=first, division="330206", supervised=True)
    return [(*row[:at], state, *row[at + 1 :]) for row in rows]


async def shown(member: Member, *columns: str, origin: str = "") -> list[tuple[Any, ...]]:
    """What a person sees of the cases there."""
    _, rows = await (await member.client()).query("case", columns=columns or ("case_id",), origin=origin)
    return sorted(tuple(row) for row in rows)


async def _void(member: Member, key: str) -> Any:
    return await (await member.client()).put("case", (), (), [(key,)], "double")


async def succeed(net: Topology, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = await net["province"].command("child.succeed", old=net[OLD].node, new=net[NEW].node, **more)
    return said


def test_a_city_merges_into_another(tmp_path: Path) -> None:
    """Its rows stay shown until the successor writes or voids them; then they are shown once, as the successor says, at
    every tier; and what the old city sealed is still proved everywhere."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            old, new, province, nation = net[OLD], net[NEW], net["province"], net["nation"]
            await put(old, _old_cases(5))
            await net.level()
            dry = await succeed(net, dry_run=True)
            assert dry["regions"] == ["3302*"]
            assert (f"{old.node}/case.parent", 1) in {(c["feed"], c["seq"]) for c in dry["closings"]}
            assert not audited(province, "child_succeeded")
            assert (await new.put("case", COLUMNS, _old_cases(1))).accepted == 0

            await succeed(net)
            assert [line["by"] for line in audited(province, "child_succeeded")] == [new.node]
            await new.until(lambda s: any("3302*" in m["scope"] for m in s["tree"] if m["node"] == new.node))
            await old.until(lambda s: s["state"] == "succeeded")
            assert [a["name"] for a in (await old.status())["alarms"]] == ["node_succeeded"]
            with pytest.raises(UserFault, match=new.node):
                await put(old, _old_cases(1, first=50))

            for above in (province, nation):
                assert len(await shown(above)) == 5
            await put(new, _old_cases(2, state="closed"))
            await put(new, cases(1, first=90))
            _, taken = await (await new.client()).query("taken_over", columns=("key_text",))
            assert sorted(key for (key,) in taken) == ["'3302-000001'", "'3302-000002'"], "none of its own place"
            assert (await _void(new, "3302-000003")).accepted == 1
            assert (await _void(new, "3302-000003")).accepted == 0
            await net.level()
            for above in (province, nation):
                assert [row for row in await shown(above, "case_id", "state") if row[0].startswith("3302")] == [
                    ("3302-000001", "closed"),
                    ("3302-000002", "closed"),
                    ("3302-000004", "handling"),
                    ("3302-000005", "handling"),
                ]
                assert len(await shown(above, origin=new.node)) == 3 - (above is nation)
            # What the successor voids does not let the old row appear again.
            assert (await _void(new, "3302-000001")).accepted == 1
            await net.level()
            for above in (province, nation):
                left = [key for (key,) in await shown(above) if key.startswith("3302")]
                assert left == ["3302-000002", "3302-000004", "3302-000005"]
            await sound(net)

    run(work())


def test_a_city_that_was_away_hears_of_it_and_loses_nothing(tmp_path: Path) -> None:
    """What it wrote meanwhile waits at it, with the reason, and its successor can load it."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            old, new, province, nation = net[OLD], net[NEW], net["province"], net["nation"]
            await put(old, _old_cases(2))
            await net.level()
            await province.stop()
            await old.until(has_no_link(province))
            await put(old, _old_cases(3, first=10))
            await old.stop()
            await province.start()
            await province.until(
                lambda s: any(link["peer"] == nation.node and link["phase"] == "exchange" for link in s["links"])
            )
            await succeed(net)
            await old.start()
            status = await old.until(lambda s: s["state"] == "succeeded")
            assert feed(status, f"{old.node}/case.parent")["waiting"] == 1
            assert len(await shown(old)) == 5
            assert len(await shown(nation)) == 2
            await new.until(lambda s: any("3302*" in m["scope"] for m in s["tree"] if m["node"] == new.node))
            names = COLUMNS
            _, rows = await (await old.client()).query("case", columns=names)
            rows = [tuple(row) for row in rows]
            assert (await new.put("case", names, rows)).accepted == 5
            await old.stop()
            await net.level()
            for above in (province, nation):
                assert len(await shown(above)) == 5
                assert len(await shown(above, origin=new.node)) == 5
            await province.restart()
            await nation.restart()
            for above in (province, nation):
                assert len(await shown(above)) == 5
            await sound(net)

    run(work())


ALIEN = "no node that this one enrolled|不是由本节点登记"
CHILDREN = "has nodes below it|有下级节点"
UNLINKED = "there is no link to|没有连接"
"""In the language of whoever asks, which is that of the test before."""
REFUSED = {
    "by itself": ({"old": NEW, "new": NEW}, "no other child"),
    "by a node of another parent": ({"old": OLD, "new": "shanghai"}, ALIEN),
    "of a node of another parent": ({"old": "shanghai", "new": NEW}, ALIEN),
    "of regions that it does not have the say over": ({"old": OLD, "new": NEW, "regions": "31*"}, "not inside"),
    "of what is no region": ({"old": OLD, "new": NEW, "regions": "33x"}, "neither a division code|既不是区划代码"),
}


def test_who_may_not_be_succeeded_is_told_why(tmp_path: Path) -> None:
    """And nothing is said; nor twice into two hands, nor in a circle, nor back."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            await net.level()
            province = net["province"]
            for name, (asked, words) in REFUSED.items():
                named = {k: net[v].node if k in ("old", "new") else v for k, v in asked.items()}
                with pytest.raises(UserFault, match=words):
                    await province.command("child.succeed", **named)
                assert not audited(province, "child_succeeded"), name
            nation = net["nation"]
            with pytest.raises(UserFault, match=CHILDREN):
                await nation.command("child.succeed", old=province.node, new=net["shanghai"].node)
            await nation.stop()
            await province.until(has_no_link(nation))
            with pytest.raises(UserFault, match=UNLINKED):
                await succeed(net)
            await nation.start()
            await net.level()
            await succeed(net)
            with pytest.raises(UserFault, match="succeeded itself"):
                await province.command("child.succeed", old=net[NEW].node, new=net[OLD].node)
            with pytest.raises(UserFault, match="never lives again"):
                await province.command("invite.make", profile="city", region="330200", title="宁波市平台", again=True)

    run(work())
