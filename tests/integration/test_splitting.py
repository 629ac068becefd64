"""A province hands a key task on to its cities in one act: drafted, approved once, and all of it or nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from node.faults import Code, UserFault
from node.testing import Member, Topology
from node.testing.topology import THREE, Place
from tests.integration.http_kit import calling, configure_http
from tests.integration.kit import run
from tests.integration.test_audited import audited

FOUR = (*THREE, Place("other", "city", "330200", "宁波市平台", "province"))
SAID = {"requirement": "6 月底前完成", "due": "2099-06-30", "basis": "建督〔2026〕1 号"}


async def reaches(member: Member, task: str, state: str) -> dict[str, Any]:
    """The task, once it is confirmed to stand so."""
    client = await member.client()
    async for _ in client.follow(20):
        listed = (await client.command("task.list", limit=1_000))["tasks"]
        if any(one["task"] == task and one["state"] == state and not one["pending_moves"] for one in listed):
            return await client.command("task.show", task=task)
    raise AssertionError("it never stood so")


async def over_http(member: Member, token: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The draft that the same request is, however often it is sent."""
    body = {"to": asked["to"], "fields": asked["fields"]}
    async with calling(member, token) as client:
        dry = await client.post("/tasks/k1/split", json={**body, "dry_run": True})
        assert (dry.json()["needs_approval"], dry.json()["draft"]) == (True, 0)
        keyed = {"idempotency-key": "split-1"}
        first, again = [await client.post("/tasks/k1/split", json=body, headers=keyed) for _ in range(2)]
        assert (first.status_code, again.json()) == (200, first.json())
        assert (first.json()["needs_approval"], first.json()["move_ids"]) == (True, [])
        draft = (await client.get(f"/drafts/{first.json()['draft']}")).json()
        assert [one["task"] for one in draft["parts"]] == [one["task"] for one in first.json()["parts"]]
        return dict(draft)


async def refusal(work: Awaitable[object]) -> Code:
    with pytest.raises(UserFault) as fault:
        await work
    return fault.value.code


def test_a_task_is_handed_on_in_one_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be made as a whole makes nothing; parts say what the task says; each end hears of its own."""

    async def work() -> None:
        async with Topology(tmp_path, FOUR) as net:
            nation, province, city, other = (net[name] for name in ("nation", "province", "city", "other"))
            wish = {"flow": "W1", "task": "k1", "holder": province.node, "fields": {"title": "燃气安全"}}
            await nation.command("task.move", move="draft", **wish, then=[{"move": "issue", "fields": SAID}])
            await reaches(province, "k1", "issued")
            both = [city.node, "330200"]
            configure_http(province)
            await province.restart()
            too_early = province.command("task.split", task="k1", to=both)
            assert await refusal(too_early) is Code.MOVE_REFUSED, "it was not received"
            await province.command("task.move", task="k1", move="receive")
            await reaches(province, "k1", "received")
            for bad, code in (
                ({"to": []}, Code.BAD_ARGUMENT),
                ({"to": ["330200", "330200"]}, Code.BAD_ARGUMENT),
                ({"to": [other.node, "330200"]}, Code.BAD_ARGUMENT),
                ({"to": ["330900"]}, Code.PEER_UNKNOWN),
                ({"to": [nation.node]}, Code.PEER_UNKNOWN),
                ({"to": both, "task": "nope"}, Code.TASK_UNKNOWN),
                ({"to": both, "fields": {"due": "soon"}}, Code.MOVE_REFUSED),
            ):
                assert await refusal(province.command("task.split", **{"task": "k1", **bad})) is code, bad
            assert await refusal(nation.command("task.split", task="k1", to=[province.node])) is Code.MOVE_REFUSED
            assert len((await province.command("task.list"))["tasks"]) == 1, "none of them made anything"

            for name, role in (("li", "officer"), ("wang", "approver")):
                await province.command("people.add", person=name, shown=name, org="督查处", roles=[role])
            token = (await province.command("token.make", title="desk", roles=["task"], person="li"))["secret"]
            monkeypatch.setenv("SUDO_USER", "li")
            asked = {"task": "k1", "to": both, "fields": {"due": "2099-06-20"}}
            dry = await province.command("task.split", **asked, dry_run=True)
            assert (dry["needs_approval"], [one["holder"] for one in dry["parts"]]) == (True, [city.node, other.node])
            draft = await over_http(province, token, asked)
            assert [one["holder"] for one in draft["parts"]] == [city.node, other.node]
            assert len((await province.command("task.list"))["tasks"]) == 1, "nothing has left"
            monkeypatch.setenv("SUDO_USER", "wang")
            made = await province.command("draft.approve", draft=draft["draft"])
            assert made["parts"]["open"] == 2
            at_nation = await reaches(nation, "k1", "in_progress")
            assert at_nation["moves"][-1]["fields"] == {"parts": "2"}
            for one, member in zip(made["parts"]["tasks"], (city, other), strict=True):
                assert one["holder"] == member.node
                part = await reaches(member, one["task"], "issued")
                said = {name: text for move in part["moves"] for name, text in move["fields"].items()}
                assert said == {**SAID, "due": "2099-06-20", "title": "燃气安全", "part_of": "k1"}
                assert {move["role"] for move in part["moves"]} == {"approver"}
            signed = [(line["task"], line["move"]) for line in audited(province, "move_signed")][-5:]
            assert [move for _, move in signed] == ["split", "draft", "issue", "draft", "issue"]
            assert len({task for task, _ in signed}) == 3
            stuck = province.command("task.move", task="k1", move="submit", fields={"result": "完成"})
            assert await refusal(stuck) is Code.MOVE_REFUSED, "its parts are open"

    run(work())
