"""Pictures as cameras and telephones make them: with a phone number, a place and a maker beside the pixels."""

from __future__ import annotations

import io
from typing import Any, Final

from PIL import Image, PngImagePlugin

PHONE: Final = "13812345678"
TRACES: Final = (
    PHONE.encode(),
    PHONE.encode("utf-16-le"),
    "张三".encode(),
    b"GPS",
    b"SecretCam",
    b"30/1",
    b"Photoshop",
    b"ns.adobe",
    b"JFXX",
    b"ICC_PROFILE",
)
"""What must be found nowhere once a picture was taken."""
_XMP: Final = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>张三 {PHONE}</dc:creator></x:xmpmeta>'.encode()


def pixels(seed: int = 1, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """A picture with something in it."""
    width, height = size
    made = Image.new(mode, size)
    for x in range(0, width, 2):
        for y in range(0, height, 2):
            colour: Any = ((x * seed) % 256, (y * 3) % 256, (x * y + seed) % 256, 255 - x)
            made.putpixel((x, y), colour[: len(made.getbands())] if len(made.getbands()) > 1 else colour[0])
    return made


def exif(orientation: int = 6) -> Image.Exif:
    """The telephone of whoever reported it, its owner, and where he stood."""
    said = Image.Exif()
    said[0x0112] = orientation
    said[0x010E] = f"call {PHONE}"
    said[0x010F] = "SecretCam"
    said[0x013B] = "张三".encode().decode("latin-1")
    said[0x9C9C] = PHONE.encode("utf-16-le")  # what Windows calls comments
    gps = said.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (30.0, 15.0, 59.0), "E", (120.0, 9.0, 1.0)
    return said


def jpeg(orientation: int = 6, *, progressive: bool = False, seed: int = 1, size: tuple[int, int] = (96, 64)) -> bytes:
    """A JPEG with Exif, XMP, a comment, a colour profile, IPTC, an unknown part, and a film behind its end."""
    out = io.BytesIO()
    pixels(seed, size).save(
        out,
        "JPEG",
        quality=90,
        progressive=progressive,
        exif=exif(orientation),
        xmp=_XMP,
        comment=f"{PHONE}".encode(),
        icc_profile=b"SecretCam" * 20,
    )
    data = out.getvalue()
    iptc = _part(0xED, b"Photoshop 3.0\x008BIM" + PHONE.encode())
    maker = _part(0xEA, b"Huawei\x00" + PHONE.encode())
    return data[:2] + iptc + maker + data[2:] + b"ftypmp42" + PHONE.encode() * 3


def _part(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def png(mode: str = "RGBA") -> bytes:
    """A PNG with Exif and texts, one of them packed, and something behind its end."""
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", f"SecretCam {PHONE}")
    told.add_itxt("XML:com.adobe.xmp", _XMP.decode(), zip=True)
    out = io.BytesIO()
    pixels(mode=mode).save(out, "PNG", exif=exif(), pnginfo=told, dpi=(300, 300), icc_profile=b"SecretCam" * 20)
    return out.getvalue() + PHONE.encode()


def webp(*, lossless: bool = False, mode: str = "RGBA") -> bytes:
    """A WebP with Exif, XMP and a colour profile."""
    out = io.BytesIO()
    pixels(mode=mode).save(
        out, "WEBP", lossless=lossless, exif=exif().tobytes(), xmp=_XMP, icc_profile=b"SecretCam" * 20
    )
    return out.getvalue()


def shown(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    """What a viewer shows of a picture: mode, size, pixels."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.mode, picture.size, picture.tobytes()


def traces(data: bytes) -> list[bytes]:
    """What of TRACES stands in these bytes."""
    return [trace for trace in TRACES if trace in data]
