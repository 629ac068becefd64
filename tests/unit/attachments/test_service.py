"""What a node takes as an attachment, and where it stops."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from node.attachments.pictures import clean
from node.attachments.service import Attachments
from node.faults import Code, UserFault
from node.settings import AttachmentsSection
from sync.errors import InputFault
from sync.reasons import Reason
from tests import pictures

T = TypeVar("T")


def made(home: Path, told: list[tuple[str, dict[str, Any]]] | None = None, **settings: Any) -> Attachments:
    def alarm(name: str, **fields: Any) -> None:
        if told is not None:
            told.append((name, fields))

    return Attachments(home, AttachmentsSection(**settings), lambda: None, alarm)


def run(here: Attachments, work: Callable[[], Awaitable[T]]) -> T:
    async def all_of_it() -> T:
        await here.start(0)
        try:
            return await work()
        finally:
            here.close()

    return asyncio.run(all_of_it())


def refused(here: Attachments, data: bytes) -> UserFault:
    with pytest.raises(UserFault) as told:
        run(here, lambda: here.take(data))
    assert list(here.files.all()) == []
    return told.value


def test_a_picture_is_kept_clean_whoever_brings_it(tmp_path: Path) -> None:
    """The door of the node takes out what the caller should have; what is on disk has no trace of it."""
    here = made(tmp_path)
    taken = run(here, lambda: here.take(pictures.jpeg()))
    assert taken.new
    assert "Exif" in taken.removed
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert stored
    assert pictures.traces(stored) == []


def test_a_dry_run_keeps_nothing(tmp_path: Path) -> None:
    """It says what would be taken."""
    here = made(tmp_path)
    assert run(here, lambda: here.take(pictures.png(), dry_run=True)).kind == "png"
    assert list(here.files.all()) == []


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(40), "no kind"),
        (b"MZ" + bytes(400), "no kind"),
        (b"<svg onload='alert(1)'/>", "no kind"),
        (b"%PDF-1.7\n", "pdf"),
        (HEIC, "HEIC"),
        (b"PK\x03\x04" + bytes(60), "no kind"),
    ],
)
def test_kinds_that_are_not_taken(tmp_path: Path, data: bytes, word: str) -> None:
    """By content: a program called photo.jpg is none. HEIC has words of its own."""
    fault = refused(made(tmp_path), data)
    assert fault.code is Code.ATTACHMENT_REFUSED
    assert word in str(fault.message)


def test_documents_are_taken_where_they_are_switched_on(tmp_path: Path) -> None:
    """A PDF, and an OFD by what is in it; any other archive is none."""
    packed, other = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("OFD.xml", "<ofd/>")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("run.exe", "x")
    here = made(tmp_path, kinds=("pdf", "ofd"))

    async def work() -> list[str]:
        return [(await here.take(data)).kind for data in (b"%PDF-1.7\nx", packed.getvalue())]

    assert run(here, work) == ["pdf", "ofd"]
    assert refused(made(tmp_path / "b", kinds=("pdf", "ofd")), other.getvalue()).code is Code.ATTACHMENT_REFUSED


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """The words say how large it may be."""
    fault = refused(made(tmp_path, file_bytes_max=1024), pictures.jpeg())
    assert (fault.code, "1024" in str(fault.message)) == (Code.ATTACHMENT_REFUSED, True)


def test_the_quota_is_a_bound_and_tells_before(tmp_path: Path) -> None:
    """Nine tenths raise an alarm, once; beyond the quota nothing is taken, except what is here already; what is removed
    makes room again."""
    sizes = [pictures.jpeg(1, seed=n) for n in (1, 2)]
    told: list[tuple[str, dict[str, Any]]] = []
    largest = max(len(clean("jpeg", one).data) for one in sizes)
    here = made(tmp_path / "a", told, quota_bytes=largest + 10)

    async def work() -> None:
        first = await here.take(sizes[0])
        assert [name for name, _ in told] == ["attachments_full"]
        for _ in range(2):
            with pytest.raises(UserFault) as fault:
                await here.take(sizes[1])
            assert fault.value.code is Code.ATTACHMENTS_FULL
        assert not (await here.take(sizes[0])).new
        assert len(told) == 1
        assert await here.remove(first.hash)
        assert (await here.take(sizes[1])).new
        assert len(told) == 2

    run(here, work)


def test_a_disk_without_room_takes_nothing(tmp_path: Path) -> None:
    """As the door takes no rows then."""

    def full() -> None:
        raise InputFault(Reason.DISK_FULL, "full")

    here = Attachments(tmp_path, AttachmentsSection(), full, lambda *_: None)
    with pytest.raises(InputFault):
        run(here, lambda: here.take(pictures.jpeg()))
