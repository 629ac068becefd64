"""Files that moves of a task name: each side of the task has those of the other, and nobody else has any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.attachments.files import Files
from node.faults import Code, UserFault
from node.testing import Member, Topology
from sync.effects import Fetched
from sync.events import FetchAttachment
from sync.reasons import Reason
from tests import pictures
from tests.integration.kit import node_of, run
from tests.integration.test_attachments import attach, held, refused


async def started(issuer: Member, holder: Member, files: str = "") -> str:
    """A supervision task whose opening move names files."""
    fields = {"title": "路面破损", **({"files": files} if files else {})}
    then = [{"move": "issue", "fields": {"requirement": "整改", "due": "2026-12-31"}}]
    first = {"flow": "W2", "move": "register", "holder": holder.node, "fields": fields, "then": then}
    return str((await issuer.command("task.move", **first))["task"])


async def asked(asker: Member, origin: Member, name: str) -> Reason:
    """What becomes of it if a node asks another without looking whether anything here names the file."""
    digest = bytes.fromhex(name)
    end = await node_of(asker).writer.call(lambda t: FetchAttachment(t, origin.node, digest, 0, 1 << 20))
    assert isinstance(end, Fetched)
    return end.reason


async def files_of(member: Member, task: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await member.command("task.show", task=task))["files"]
    return found


def test_each_side_has_the_files_of_the_other_and_the_tier_between_has_none(tmp_path: Path) -> None:
    """From the nation to a city and back, over a province that carries the moves and the bytes: it is told that it may
    not."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            down, up = await attach(nation, pictures.jpeg(seed=31)), await attach(city, pictures.jpeg(seed=32))
            task = await started(nation, city, down)
            await net.level()
            assert [(one["hash"], one["here"]) for one in await files_of(city, task)] == [(down, False)]
            shown = await city.command("attachment.show", hash=down)
            assert [(ref["task"], ref["origin"]) for ref in shown["references"]] == [(task, nation.node)]
            missing = (await city.command("attachment.list", missing=True))["missing"]
            assert missing == [{"hash": down, "rows": 0, "tasks": 1}]
            await city.command("attachment.fetch", hash=down)
            assert held(city, down) == held(nation, down)
            said = {"text": "现场照片", "files": up}
            await city.command("task.move", task=task, move="comment", fields=said)
            await net.level()
            await nation.command("attachment.fetch", hash=up)
            assert held(nation, up) == held(city, up)
            for side in (nation, city):
                files = await files_of(side, task)
                assert [(one["hash"], one["here"], one["by"]) for one in files] == [
                    (up, True, [city.node]),
                    (down, True, [nation.node]),
                ]
            for origin, name in ((nation, down), (city, up)):
                assert (await refused(province, name)).code is Code.ATTACHMENT_UNKNOWN
                assert await asked(province, origin, name) is Reason.ATTACHMENT_NOT_SHARED
                assert Files(province.home).find(name) is None

    run(work())


def test_to_name_a_file_of_the_other_side_entitles_to_nothing(tmp_path: Path) -> None:
    """A city was told the SHA-256 of a file that the nation keeps. It names it in a move of its own: the nation has
    said nothing of it, and gives nothing. Nor does it give what it said in the task of another."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            kept, other = await attach(nation, pictures.jpeg(seed=33)), await attach(nation, pictures.jpeg(seed=34))
            task = await started(nation, city)
            await started(nation, province, other)
            await net.level()
            await city.command("task.move", task=task, move="comment", fields={"text": "x", "files": f"{kept},{other}"})
            await net.level()
            assert await asked(city, nation, kept) is Reason.ATTACHMENT_NOT_SHARED
            assert await asked(city, nation, other) is Reason.ATTACHMENT_NOT_SHARED
            assert await asked(province, nation, other) is Reason.NONE

    run(work())


def test_a_move_that_names_no_sha_256_is_refused(tmp_path: Path) -> None:
    """With what is wrong, and nothing is made."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            with pytest.raises(UserFault) as told:
                await started(net["nation"], net["city"], "photo.jpg")
            assert told.value.code is Code.MOVE_REFUSED
            assert "64" in str(told.value.message)
            assert (await net["nation"].command("task.list"))["tasks"] == []

    run(work())
