"""What is looked at before a file becomes an attachment: what it is, how large, what it says that must not leave."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from node.attachments.kinds import HEIC, kind_of
from node.attachments.pictures import clean
from node.faults import Code, UserFault
from node.texts import N_


class Examined(NamedTuple):
    """A file that may be kept. data: without the metadata that it had; removed: what that was, in short names."""

    kind: str
    data: bytes
    removed: tuple[str, ...]


def examine(data: bytes, kinds: Collection[str], bytes_max: int) -> Examined:
    """Raises UserFault ATTACHMENT_REFUSED. What was examined once is examined again without a change."""
    if len(data) > bytes_max:
        raise UserFault(
            Code.ATTACHMENT_REFUSED,
            N_("It has {size} bytes, and at most {most} are taken."),
            N_("Make the picture smaller, or raise `file_bytes_max` in node.toml under [attachments]."),
            size=len(data),
            most=bytes_max,
        )
    if not data:
        raise UserFault(
            Code.ATTACHMENT_REFUSED, N_("It is empty: it has no byte."), N_("Save it again where it came from.")
        )
    kind = kind_of(data)
    need_kind(kind, kinds)
    cleaned = clean(kind, data)
    return Examined(kind, cleaned.data, cleaned.removed)


def need_kind(kind: str, kinds: Collection[str]) -> None:
    """Raises UserFault ATTACHMENT_REFUSED where a file is of none of the kinds that are taken."""
    if kind == HEIC:
        raise UserFault(
            Code.ATTACHMENT_REFUSED,
            N_("It is a HEIC picture, out of which metadata cannot be taken here."),
            N_("Save it as JPEG; telephones have a setting for it ('most compatible')."),
        )
    if not kind:
        raise UserFault(
            Code.ATTACHMENT_REFUSED,
            N_("By its content it is of no kind that is known here. Taken are: {kinds}."),
            N_("Its name counts for nothing. Open it; if it shows a picture, save that as JPEG."),
            kinds=", ".join(kinds),
        )
    if kind not in kinds:
        raise UserFault(
            Code.ATTACHMENT_REFUSED,
            N_("By its content it is '{kind}', and taken are: {kinds}."),
            N_("Its name counts for nothing. Other kinds are switched on in node.toml under [attachments]."),
            kind=kind,
            kinds=", ".join(kinds),
        )
