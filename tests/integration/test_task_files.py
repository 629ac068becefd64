"""Files that moves of a task name: each side of the task has those of the other, and nobody else has any."""

from __future__ import annotations

from dataclasses import replace
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
from tests.integration.test_traps import CITIES


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


def test_neither_a_sibling_nor_a_tier_above_the_issuer_has_the_files_of_a_task(tmp_path: Path) -> None:
    """Between a province and one city: the other city and the nation are no side of it. Told the SHA-256 by telephone,
    their own nodes know of no such file; asked all the same, neither side gives them a byte."""

    async def work() -> None:
        async with Topology(tmp_path, CITIES) as net:
            city, sibling, province, nation = net["city"], net["second"], net["province"], net["nation"]
            down, up = await attach(province, pictures.jpeg(seed=41)), await attach(city, pictures.jpeg(seed=42))
            task = await started(province, city, down)
            await net.level()
            await city.command("task.move", task=task, move="comment", fields={"text": "x", "files": up})
            await net.level()
            for stranger in (sibling, nation):
                for origin, name in ((province, down), (city, up)):
                    assert (await refused(stranger, name)).code is Code.ATTACHMENT_UNKNOWN
                    assert await asked(stranger, origin, name) is Reason.ATTACHMENT_NOT_SHARED
                assert (await stranger.command("task.list"))["tasks"] == []
            for member in (city, province):
                assert "given_bytes" not in (await member.status())["attachments"]["counts"]
            await city.command("attachment.fetch", hash=down)
            await province.command("attachment.fetch", hash=up)
            assert (held(city, down), held(city, up)) == (held(province, down), held(province, up))

    run(work())


def test_the_receiving_end_has_limits_of_its_own(tmp_path: Path) -> None:
    """Of kind and of size: what the issuer takes, its holder need not. Nothing stays of what was refused."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            there, here = node_of(nation).attachments, node_of(city).attachments
            there.settings = replace(there.settings, kinds=("jpeg", "pdf"))
            document, picture = await attach(nation, b"%PDF-1.7 x"), await attach(nation, pictures.jpeg(seed=43))
            await started(nation, city, f"{document},{picture}")
            await net.level()
            fault = await refused(city, document)
            assert (fault.code, "pdf" in str(fault.message)) == (Code.ATTACHMENT_REFUSED, True)
            assert Files(city.home).find(document) is None
            assert here.files.used() == 0
            small = replace(node_of(city).config.attachments, file_bytes_max=1_024)
            node_of(city).config = replace(node_of(city).config, attachments=small)
            fault = await refused(city, picture)
            assert (fault.code, "LIMIT_EXCEEDED" in str(fault.message)) == (Code.ATTACHMENT_NOT_HAD, True)
            assert here.files.used() == 0

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
