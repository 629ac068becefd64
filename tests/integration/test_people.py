"""People of a real node: what they draft and approve outlives kill -9, and no name of theirs is anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.testing import Member, Topology
from node.testing.leaks import scan_home, text_canary
from tests.integration.kit import run

CALLED = {"zhangweimin": "督查员张伟民", "lixiuying": "副局长李秀英", "wangjianguo": "副局长王建国"}
CANARIES = [text_canary(word, word) for word in (*CALLED, *CALLED.values())]


async def _staff(member: Member) -> None:
    for (name, called), role in zip(CALLED.items(), ("officer", "approver", "approver"), strict=True):
        await member.command("people.add", person=name, shown=called, org="督查处", roles=[role])
    await member.command(
        "people.deputy", person="lixiuying", deputy="zhangweimin", **{"from": "2026-01-01", "until": "2026-01-02"}
    )
    await member.command("task.default", person="zhangweimin")


def test_drafts_outlive_a_kill_and_no_name_leaves_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task drafted and approved at the nation, worked on at the city by people of its own: both ends hold one history
    that names organisations and roles; each side's people stand in its own home alone."""

    async def work() -> None:
        async with Topology(tmp_path, processes=True) as net:
            nation, city = net["nation"], net["city"]
            await net.level()
            await _staff(nation)
            monkeypatch.setenv("SUDO_USER", "zhangweimin")
            wish = {"flow": "W2", "task": "t1", "holder": city.node, "fields": {"title": "路面破损"}}
            then = [{"move": "issue", "fields": {"requirement": "整改", "due": "2026-12-31"}}]
            draft = (await nation.command("task.move", move="register", **wish, then=then))["draft"]["draft"]
            await nation.kill()
            await nation.start()
            assert [one["draft"] for one in (await nation.command("draft.list"))["drafts"]] == [draft]
            with pytest.raises(UserFault) as told:
                await nation.command("draft.approve", draft=draft)
            assert told.value.code is Code.PERSON_FORBIDS
            monkeypatch.setenv("SUDO_USER", "lixiuying")
            await nation.command("draft.approve", draft=draft)
            await nation.kill()
            await nation.start()
            monkeypatch.delenv("SUDO_USER")
            shown = await nation.command("task.show", task="t1")
            assert (shown["state"], shown["person"], shown["drafts"]) == ("issued", "zhangweimin", [])
            assert (await nation.command("draft.show", draft=draft))["decided_by"] == "lixiuying"
            await net.level()
            there = await city.command("task.show", task="t1")
            assert there["moves"] == shown["moves"]
            assert {(move["org"], move["role"]) for move in there["moves"]} == {("督查处", "approver")}
            await net.stop()
            for name in ("province", "city"):
                found = scan_home(net[name].home, CANARIES)
                assert found.leaks == []
                assert found.payloads
            own = scan_home(nation.home, CANARIES)
            assert {leak.what for leak in own.leaks} == {canary.name for canary in CANARIES}, "the search can see"
            assert not [leak for leak in own.leaks if "entry " in leak.where or "outbox" in leak.where]

    run(work())
