"""Attachments between real nodes: fetched over two hops, through a cut, by whoever is entitled and by nobody else."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from node.attachments.files import FOLDER, Files
from node.demo.reader import catalogue_of
from node.faults import Code, UserFault
from node.testing import Member, Topology
from sync.effects import Fetched, KeepAttachment
from sync.events import FetchAttachment
from sync.limits import ATTACHMENT_CHUNK_BYTES
from sync.reasons import Reason
from tests import pictures
from tests.integration.filled import Filler
from tests.integration.kit import node_of, run
from tests.integration.test_traps import CITIES

REPORT = "work_task_report"


async def attach(member: Member, data: bytes) -> str:
    """The SHA-256 that a file is called by."""
    async with member_client(member) as client:
        return str((await client.attach(data))["hash"])


def member_client(member: Member):  # type: ignore[no-untyped-def]
    from node.control.client import ControlClient

    return ControlClient(member.home)


async def report(member: Member, region: str, *names: str) -> None:
    """A row that names files, published to everybody above."""
    dataset = catalogue_of(member).datasets[REPORT]
    (row,) = Filler(member.node, region).rows(dataset, 1)
    at = dataset.schema.names.index("evidence")
    result = await member.put(REPORT, dataset.schema.names, [(*row[:at], ",".join(names), *row[at + 1 :])])
    assert result.accepted == 1, list(result.rejected)


def noise(size: int) -> bytes:
    """A PNG that cannot be packed, of so many pixels square."""
    out = io.BytesIO()
    Image.frombytes("RGB", (size, size), os.urandom(3 * size * size)).save(out, "PNG", compress_level=0)
    return out.getvalue()


def held(member: Member, name: str) -> bytes:
    """The bytes that a node shows."""
    found = Files(member.home).find(name)
    assert found is not None
    return found.path.read_bytes()


async def refused(member: Member, name: str) -> UserFault:
    with pytest.raises(UserFault) as told:
        await member.command("attachment.fetch", hash=name)
    return told.value


def test_a_picture_is_fetched_by_the_nation_and_nothing_of_its_metadata_is_above(tmp_path: Path) -> None:
    """Trap 12: the telephone of whoever reported it stands in the picture that a city takes. The row goes up, the
    picture when it is asked for; the province carries it and keeps nothing; no byte of what was beside the pixels is in
    any file of a tier above."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            original = pictures.jpeg(size=(640, 480))
            name = await attach(city, original)
            await report(city, "330100", name)
            await net.level()
            assert not (nation.home / FOLDER / "fetched").exists()
            shown = await nation.command("attachment.show", hash=name)
            assert (shown["here"], [ref["origin"] for ref in shown["references"]]) == (False, [city.node])
            found = await nation.command("attachment.fetch", hash=name)
            assert (found["kind"], found["own"]) == ("jpeg", False)
            data = held(nation, name)
            assert sha256(data).hexdigest() == name
            assert pictures.shown(data) == pictures.shown(original)
            assert Files(province.home).find(name) is None
            counts = (await province.status())["attachments"]["counts"]
            assert counts["passed_bytes"] == len(data)
            await net.stop()
            for above in (province, nation):
                stored = b"".join(path.read_bytes() for path in above.home.rglob("*") if path.is_file())
                assert len(stored) > len(data)
                assert [trace for trace in pictures.traces(stored) if trace not in (b"GPS", b"30/1")] == []

    run(work())


def test_a_file_goes_on_where_a_link_was_cut(tmp_path: Path) -> None:
    """The province goes away in the middle and comes back; nothing that had come is asked for again."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            name = await attach(city, noise(1_400))
            await report(city, "330100", name)
            await net.level()
            size = len(held(city, name))
            travel, enough, offsets = node_of(nation).travel, asyncio.Event(), list[int]()
            keep = travel.keep

            def counted(act: KeepAttachment) -> None:
                offsets.append(act.offset)
                keep(act)
                if len(offsets) == 20:
                    enough.set()

            travel.keep = counted  # type: ignore[method-assign]
            fetching = asyncio.create_task(nation.command("attachment.fetch", hash=name))
            await enough.wait()
            await province.stop()
            came = len(offsets)
            assert came * ATTACHMENT_CHUNK_BYTES < size
            assert not fetching.done()
            await province.start()
            assert (await fetching)["size"] == size
            assert sha256(held(nation, name)).hexdigest() == name
            assert offsets == [n * ATTACHMENT_CHUNK_BYTES for n in range(-(-size // ATTACHMENT_CHUNK_BYTES))]

    run(work())


def test_a_start_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What had come lies on the disk of who fetches it; it is shown to nobody meanwhile."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            name = await attach(city, noise(300))
            await report(city, "330100", name)
            await net.level()
            whole = held(city, name)
            await nation.stop()
            Files(nation.home).add(name, 0, whole[:100_000])
            await nation.start()
            assert not (await nation.command("attachment.show", hash=name))["here"]
            await nation.command("attachment.fetch", hash=name)
            assert held(nation, name) == whole
            given = (await city.status())["attachments"]["counts"]["given_bytes"]
            assert given == len(whole) - 100_000

    run(work())


def test_a_node_that_no_row_was_published_to_gets_nothing(tmp_path: Path) -> None:
    """Another city knows the hash (it may have been told by telephone): its own node knows no row that names it, and
    asked for all the same, the origin gives it no byte. Nor does it give what no row names."""

    async def work() -> None:
        async with Topology(tmp_path, CITIES) as net:
            city, other, province = net["city"], net["second"], net["province"]
            name, unnamed = await attach(city, pictures.jpeg()), await attach(city, pictures.jpeg(seed=9))
            await report(city, "330100", name)
            await net.level()
            assert (await refused(other, name)).code is Code.ATTACHMENT_UNKNOWN
            for asker, what in ((other, name), (province, unnamed), (province, "ab" * 32)):
                writer = node_of(asker).writer
                digest, origin = bytes.fromhex(what), city.node
                end = await writer.call(lambda t, d=digest, o=origin: FetchAttachment(t, o, d, 0, 1 << 20))
                assert end == Fetched(Reason.ATTACHMENT_NOT_SHARED, city.node, 0)
            assert "given_bytes" not in (await city.status())["attachments"]["counts"]
            assert (await province.command("attachment.fetch", hash=name))["size"]

    run(work())


def test_wrong_bytes_are_shown_to_nobody(tmp_path: Path) -> None:
    """The origin's disk rotted: an alarm, nothing is kept, and the words say whose it is."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await net.level()
            found = Files(city.home).find(name)
            assert found is not None
            found.path.write_bytes(found.path.read_bytes()[:-2] + b"xx")
            fault = await refused(nation, name)
            assert fault.code is Code.ATTACHMENT_NOT_HAD
            assert city.node in str(fault.message)
            assert "attachment_wrong" in [alarm["name"] for alarm in (await nation.status())["alarms"]]
            assert [path for path in (nation.home / FOLDER).rglob("*") if path.is_file()] == []

    run(work())


def test_what_its_origin_has_removed_is_not_to_be_had(tmp_path: Path) -> None:
    """Who fetched it before still has it; who asks now is told by the origin."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await net.level()
            await province.command("attachment.fetch", hash=name)
            await city.command("attachment.remove", hash=name, reason="asked for")
            fault = await refused(nation, name)
            assert "ATTACHMENT_NOT_SHARED" in str(fault.message)
            assert Files(province.home).find(name) is not None
            await province.command("attachment.remove", hash=name, reason="asked for")
            assert Files(province.home).find(name) is None

    run(work())


def test_a_receiver_without_room_stops_it(tmp_path: Path) -> None:
    """It says so before any of it is kept: what fits comes all the same, and this too when there is room."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            name, small = await attach(city, noise(300)), await attach(city, noise(100))
            await report(city, "330100", name, small)
            await net.level()
            here = node_of(nation).attachments
            settings = here.settings
            here.settings = replace(settings, quota_bytes=100_000)
            assert (await refused(nation, name)).code is Code.ATTACHMENTS_FULL
            assert Files(nation.home).begun(name) == 0
            assert (await nation.command("attachment.fetch", hash=small))["size"]
            here.settings = settings
            assert (await nation.command("attachment.fetch", hash=name))["size"]

    run(work())


def test_an_older_program_in_between_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A province of before: who fetches is told at once that it cannot be had through it; rows go on."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await province.stop()
            monkeypatch.setattr("sync.session.CAPABILITIES", ("rows-msgpack-zstd", "statements", "evidence"))
            await province.start()
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await net.level()
            fault = await refused(nation, name)
            assert "VERSION_TOO_OLD" in str(fault.message)
            assert province.node in str(fault.message)

    run(work())


SITE = """
[dataset.x_photo]
version = 1
zh = "照片"
en = "Photos"
definition = "For tests."
definition_zh = "测试用。"
owner = ["city"]
cadence = ["event"]
key = ["id"]
fields = [
  { name = "id", type = "text", nullable = false, zh = "编号", en = "Id" },
  { name = "state", type = "text", nullable = false, zh = "状态", en = "State" },
  { name = "photo", type = "text", length = 400, attachment = true, zh = "照片", en = "Photo" },
  { name = "inner", type = "text", length = 400, attachment = true, zh = "内部", en = "Inner" },
]

[publication."x_photo.x_up"]
dataset = "x_photo"
route = "parent"
columns = ["id", "state", "photo"]
filter = { column = "state", op = "=", value = "open" }
"""


def test_columns_filters_and_audience_decide_who_gets_a_file(tmp_path: Path) -> None:
    """The parent gets the photo of an open row. Not that of a closed one, not that of a column that stays, and the tier
    above the parent none; when the row is closed, nobody any more."""

    async def work() -> None:
        async with Topology(tmp_path, catalogue=SITE) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            opened, closed, inner = [await attach(city, pictures.jpeg(seed=n)) for n in (21, 22, 23)]
            columns = ("id", "state", "photo", "inner")
            await city.put("x_photo", columns, [("a", "open", opened, inner), ("b", "closed", closed, None)])
            await net.level()

            async def asked(asker: Member, name: str) -> Reason:
                digest = bytes.fromhex(name)
                end = await node_of(asker).writer.call(lambda t: FetchAttachment(t, city.node, digest, 0, 1 << 20))
                assert isinstance(end, Fetched)
                return end.reason

            assert await asked(province, closed) is Reason.ATTACHMENT_NOT_SHARED
            assert await asked(province, inner) is Reason.ATTACHMENT_NOT_SHARED
            assert await asked(nation, opened) is Reason.ATTACHMENT_NOT_SHARED
            assert await asked(province, opened) is Reason.NONE
            await city.put("x_photo", columns, [("a", "closed", opened, inner)])
            await net.level()
            node_of(city).travel.forget()
            assert await asked(province, opened) is Reason.ATTACHMENT_NOT_SHARED

    run(work())
