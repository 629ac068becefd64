"""What a file is, by its content: names and what a sender says of it count for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "jpeg": "image/jpeg",
        "png": "image/png",
        "webp": "image/webp",
        "pdf": "application/pdf",
        "ofd": "application/ofd",
    }
)
"""The kinds that a node can take, each as HTTP calls it."""
KINDS: Final = tuple(MEDIA_TYPES)
PICTURES: Final = ("jpeg", "png", "webp")
"""Kinds out of which metadata is taken; of the others it is not."""
HEIC: Final = "heic"
"""Known so that it can be refused with a word that helps."""

_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"})
_OFD_ENTRY: Final = "OFD.xml"


def kind_of(data: bytes) -> str:
    """One of KINDS, HEIC, or '' for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"%PDF-"):
        return "pdf"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return HEIC
    if data.startswith(b"PK\x03\x04") and _is_ofd(data):
        return "ofd"
    return ""


def _is_ofd(data: bytes) -> bool:
    """Whether an archive has what makes it an OFD document (GB/T 33190). Only its list of files is read."""
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _OFD_ENTRY in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
