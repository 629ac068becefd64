"""Pictures without what cameras and telephones write beside the picture: place, time, maker, names, numbers, previews.

Only the parts that a decoder needs to show the picture are copied, in each format by a list of what may stay; whatever
is not on it goes, known or not, and so does all that stands behind the picture's end. The picture itself is not decoded
and not encoded again: its pixels stay what they were, as evidence should. Of a JPEG's Exif one number stays, how the
picture is to be turned, in a part made anew. Doing it twice changes nothing more.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from node.faults import Code, UserFault
from node.texts import N_, Text


class Cleaned(NamedTuple):
    """The picture as it may be kept, and what was taken out, in short names."""

    data: bytes
    removed: tuple[str, ...]


def clean(kind: str, data: bytes) -> Cleaned:
    """The same picture without metadata; other kinds of files as they are. Raises UserFault ATTACHMENT_REFUSED for one
    that is damaged or has parts that nobody here can judge."""
    work = _BY_KIND.get(kind)
    if work is None:
        return Cleaned(data, ())
    try:
        parts, removed = work(data)
    except _Damaged as fault:
        raise UserFault(
            Code.ATTACHMENT_REFUSED,
            N_("This {kind} picture cannot be taken: {what}."),
            N_("Open it in a viewer and save it again as JPEG or PNG, then attach that."),
            kind=kind,
            what=fault.what,
        ) from fault
    return Cleaned(b"".join(parts), tuple(dict.fromkeys(removed)))


class _Damaged(Exception):
    """What is wrong."""

    def __init__(self, what: str, **fields: object) -> None:
        super().__init__(what)
        self.what = Text(what, **fields)


_Parts = tuple[list[bytes], list[str]]
_BEHIND: Final = N_("bytes behind the picture")
_UNKNOWN: Final = N_("an unknown part")
_EARLY: Final = N_("it ends too early")
_BROKEN: Final = N_("a broken part at byte {at}")
_EMPTY: Final = N_("it holds no picture")

# --- JPEG (ITU-T T.81) ------------------------------------------------------------------------------------------------

_SOI, _EOI, _SOS, _APP0, _APP1, _APP14, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
_STAYS: Final = frozenset(
    # Frames, Huffman and arithmetic tables, quantisation, restart interval, number of lines.
    {*range(0xC0, 0xD0), 0xDB, 0xDC, 0xDD} - {0xC8}
)
_END_OF_SCAN: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JFIF: Final = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE: Final = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_EXIF: Final = b"Exif\x00\x00"
_ORIENTATION: Final = 0x0112
_ENTRIES_MAX: Final = 512
_NAMES: Final = (
    (_EXIF, "Exif"),
    (b"http://ns.adobe.com/x", "XMP"),
    (b"Photoshop", "IPTC"),
    (b"ICC_PROFILE", N_("colour profile")),
    (b"MPF\x00", N_("further pictures")),
)


def _jpeg(data: bytes) -> _Parts:
    parts, removed, turned = [b"\xff\xd8"], list[str](), 1
    for marker, body in _segments(data):
        if marker in _STAYS or marker == _SOS:
            parts.append(body)
        elif marker == _APP0 and body[4:9] == b"JFIF\x00":
            parts.append(_JFIF)
            removed += [N_("preview")] if len(body) > len(_JFIF) else []
        elif marker == _APP14 and body[4:9] == b"Adobe" and len(body) >= 16:
            # How colours are coded: without it some pictures show in wrong ones.
            parts.append(_ADOBE + body[15:16])
        elif marker == _EOI:
            parts.append(b"\xff\xd9")
            removed += [_BEHIND] if body else []
        else:
            if marker == _APP1 and body[4:10] == _EXIF:
                turned = _orientation(body[10:]) if turned == 1 else turned
                removed += [] if body == _turning(turned) else ["Exif"]
                continue
            removed.append(_named(marker, body[4:]))
    if turned != 1:
        parts.insert(2 if parts[1] == _JFIF else 1, _turning(turned))
    return parts, removed


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, bytes from the marker on); a scan with all that is coded in it; at the end EOI with what is behind."""
    at, scans = 2, 0
    while True:
        if data[at : at + 1] != b"\xff":
            raise _Damaged(_BROKEN if at < len(data) else _EARLY, at=at)
        while data[at + 1 : at + 2] == b"\xff":
            at += 1
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker == _EOI:
            if not scans:
                raise _Damaged(_EMPTY)
            yield marker, data[at + 2 :]
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(data) or marker < 0xC0 or 0xD0 <= marker <= _SOI:
            raise _Damaged(_BROKEN, at=at)
        if marker == _SOS:
            scans += 1
            found = _END_OF_SCAN.search(data, end)
            if found is None:
                raise _Damaged(_EARLY)
            end = found.start()
        yield marker, data[at:end]
        at = end


def _named(marker: int, body: bytes) -> str:
    if marker == _COM:
        return N_("comment")
    return next((name for start, name in _NAMES if body.startswith(start)), f"part {marker:02X}")


def _orientation(tiff: bytes) -> int:
    """How the picture is to be turned (1 to 8), from the first directory of its Exif; 1 where nothing sound is said."""
    if tiff[:4] not in (b"II*\x00", b"MM\x00*"):
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if tiff[:1] == b"I" else "big")

    directory = number(4, 4)
    for place in range(min(number(directory, 2), _ENTRIES_MAX)):
        at = directory + 2 + 12 * place
        if number(at, 2) == _ORIENTATION and number(at + 2, 2) == 3:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def _turning(orientation: int) -> bytes:
    """An Exif part that says how to turn the picture, and nothing else."""
    entry = _ORIENTATION.to_bytes(2, "big") + b"\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry + bytes(4)
    return b"\xff\xe1" + (2 + len(_EXIF) + len(tiff)).to_bytes(2, "big") + _EXIF + tiff


# --- PNG (ISO/IEC 15948) ----------------------------------------------------------------------------------------------

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHUNKS: Final[Mapping[bytes, int]] = {
    b"IHDR": 13,
    b"PLTE": 768,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"IDAT": 1 << 31,
    b"IEND": 0,
}
"""What stays, and how long it may be."""


def _png(data: bytes) -> _Parts:
    parts, removed, at = [_SIGNATURE], list[str](), len(_SIGNATURE)
    while True:
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if len(name) < 4 or end > len(data):
            raise _Damaged(_EARLY)
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise _Damaged(_BROKEN, at=at)
        if (len(parts) == 1) != (name == b"IHDR"):
            raise _Damaged(N_("its parts stand in a wrong order"))
        if length <= _CHUNKS.get(name, -1):
            parts.append(data[at:end])
        elif name in _CHUNKS:
            raise _Damaged(_BROKEN, at=at)
        else:
            removed.append(name.decode("latin-1") if name.isalpha() else _UNKNOWN)
        at = end
        if name == b"IEND":
            break
    removed += [_BEHIND] if at < len(data) else []
    return parts, removed


# --- WebP (RFC 9649) --------------------------------------------------------------------------------------------------

_ANIMATED, _ALPHA = 0x02, 0x10
_PICTURE: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH"})


def _webp(data: bytes) -> _Parts:
    size = 8 + int.from_bytes(data[4:8], "little")
    if size > len(data):
        raise _Damaged(_EARLY)
    parts, removed, at = list[bytes](), list[str](), 12
    removed += [_BEHIND] if size < len(data) else []
    while at < size:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        start, end = at + 8, at + 8 + length
        if start > size or end > size:
            raise _Damaged(_BROKEN, at=at)
        if name == b"VP8X" and length == 10:
            if data[start] & _ANIMATED:
                raise _Damaged(N_("it moves"))
            parts.append(name + data[at + 4 : start] + bytes([data[start] & _ALPHA, 0, 0, 0]) + data[start + 4 : end])
        elif name in _PICTURE:
            parts.append(data[at:end] + b"\x00" * (length % 2))
        else:
            removed.append(name.decode("latin-1").strip() if name.strip().isalnum() else _UNKNOWN)
        at = end + length % 2
    if not any(part[:4] in (b"VP8 ", b"VP8L") for part in parts):
        raise _Damaged(_EMPTY)
    body = b"WEBP" + b"".join(parts)
    return [b"RIFF", len(body).to_bytes(4, "little"), body], removed


_BY_KIND: Final[Mapping[str, Callable[[bytes], _Parts]]] = {"jpeg": _jpeg, "png": _png, "webp": _webp}
