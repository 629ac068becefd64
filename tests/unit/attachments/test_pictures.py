"""Metadata is taken out of pictures; their pixels stay."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from node.attachments.kinds import kind_of
from node.attachments.pictures import clean
from node.faults import Code, UserFault
from tests import pictures

ALL: dict[str, Callable[[], bytes]] = {
    "jpeg": pictures.jpeg,
    "progressive jpeg": lambda: pictures.jpeg(progressive=True),
    "jpeg as it stands": lambda: pictures.jpeg(1),
    "png": pictures.png,
    "png of palette": lambda: pictures.png("P"),
    "png, grey": lambda: pictures.png("L"),
    "webp": pictures.webp,
    "webp without loss": lambda: pictures.webp(lossless=True),
    "webp without alpha": lambda: pictures.webp(mode="RGB"),
}


@pytest.mark.parametrize("name", ALL)
def test_a_phone_number_and_a_place_are_gone_and_the_pixels_stay(name: str) -> None:
    """Trap 12: whatever a telephone wrote beside the picture; what it shows is the same to the last bit."""
    before = ALL[name]()
    assert pictures.PHONE.encode() in before
    kind = kind_of(before)
    after = clean(kind, before)
    assert pictures.traces(after.data) == []
    assert after.removed
    assert pictures.shown(after.data) == pictures.shown(before)
    assert kind_of(after.data) == kind
    with Image.open(io.BytesIO(after.data)) as picture:
        kept = {tag: value for tag, value in picture.getexif().items() if tag != 0x0112}
        assert kept == {}
        assert not {"xmp", "comment", "icc_profile", "photoshop", "Author", "dpi"} & set(picture.info) - {"dpi"}


@pytest.mark.parametrize("name", ALL)
def test_what_is_clean_stays_as_it_is(name: str) -> None:
    """So a node can ask of every file whether it is clean, whoever brings it."""
    data = ALL[name]()
    once = clean(kind_of(data), data)
    assert clean(kind_of(data), once.data) == (once.data, ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_it_did(orientation: int) -> None:
    """How a camera was held is told by Exif alone: that number stays, in a part made anew."""
    after = clean("jpeg", pictures.jpeg(orientation)).data
    with Image.open(io.BytesIO(after)) as picture:
        assert picture.getexif().get(0x0112, 1) == orientation
        assert len(picture.getexif()) == (orientation != 1)


def test_colours_of_pictures_coded_in_four_stay() -> None:
    """CMYK with its Adobe part, whose one byte says how colours are coded."""
    out = io.BytesIO()
    pictures.pixels(mode="CMYK").save(out, "JPEG", comment=pictures.PHONE.encode())
    after = clean("jpeg", out.getvalue())
    assert pictures.shown(after.data) == pictures.shown(out.getvalue())
    assert after.removed == ("comment",)


def test_what_was_taken_out_is_told_by_name() -> None:
    """Short names, each once."""
    assert set(clean("jpeg", pictures.jpeg()).removed) == {
        "Exif", "XMP", "comment", "colour profile", "IPTC", "part EA", "bytes behind the picture"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_a_picture_that_ends_too_early_is_refused(name: str) -> None:
    """At whatever byte it ends, nothing is kept of it and the program does not fail; of its end some bytes may be
    missing that hold nothing of it."""
    whole = clean(name, ALL[name]()).data
    for end in range(12, len(whole) - 1, 7):
        with pytest.raises(UserFault) as told:
            clean(name, whole[:end])
        assert told.value.code is Code.ATTACHMENT_REFUSED


def test_a_part_that_lies_about_its_sum_is_refused() -> None:
    """PNG: what stands in a part that counts may be anything then."""
    whole = bytearray(clean("png", pictures.png()).data)
    whole[20] ^= 1
    with pytest.raises(UserFault):
        clean("png", bytes(whole))


def test_a_long_part_under_a_good_name_is_refused() -> None:
    """A gamma of four bytes has no room for a phone number; one of twenty is none."""
    whole = clean("png", pictures.png()).data
    body = b"gAMA" + pictures.PHONE.encode()
    part = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    with pytest.raises(UserFault):
        clean("png", whole[:33] + part + whole[33:])


def test_a_picture_that_moves_is_refused() -> None:
    """Each of its frames could hold metadata of its own."""
    out = io.BytesIO()
    frames = [pictures.pixels(seed) for seed in (1, 5)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(UserFault, match="it moves"):
        clean("webp", out.getvalue())


def test_of_moving_pngs_the_first_picture_stays() -> None:
    """Its other frames stand in parts that a plain viewer leaves alone."""
    out = io.BytesIO()
    pictures.pixels(1).save(out, "PNG", save_all=True, append_images=[pictures.pixels(5)])
    after = clean("png", out.getvalue())
    assert set(after.removed) >= {"acTL", "fcTL", "fdAT"}
    assert pictures.shown(after.data) == pictures.shown(out.getvalue())


@given(st.sampled_from(["jpeg", "png", "webp"]), st.data())
def test_hostile_bytes_are_refused_or_cleaned(name: str, data: st.DataObject) -> None:
    """Bytes turned, cut out or put in anywhere: a numbered refusal, or a picture that is clean as it is. Never a fault
    of the program."""
    whole = bytearray(_WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    once = _cleaned(name, bytes(whole))
    assert once is None or clean(name, once) == (once, ())


def _cleaned(name: str, data: bytes) -> bytes | None:
    try:
        return clean(name, data).data
    except UserFault as fault:
        if fault.code is Code.ATTACHMENT_REFUSED:
            return None
        raise


_WHOLE = {"jpeg": pictures.jpeg(), "png": pictures.png(), "webp": pictures.webp()}
