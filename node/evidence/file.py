"""The container: MAGIC, then body and signature, each after its length (uint32, big-endian); nothing behind them."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from sync.counting import count_parts
from sync.errors import RemoteFault
from sync.limits import MIB
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.wire.v1.task_evidence_pb2 import TaskEvidenceBody

MAGIC: Final = b"tiersync task evidence\n"
FORMAT: Final = 1
FILE_BYTES_MAX: Final = 32 * MIB
PARTS_MAX: Final = 524_288
"""Fields of the body down to those of entries: each takes a hundred times its bytes once it is read."""
STATEMENTS_MAX: Final = 64
"""Anchors, receipts, proofs of forks: of each kind, since each costs a signature."""
_PARTS_DEEP: Final = 4
_SIGNATURE_BYTES_MAX: Final = 1_024


class Container(NamedTuple):
    """What stands in a file. The signature is over `data`, of which `body` is the reading."""

    data: bytes
    signature: bytes
    body: TaskEvidenceBody


def pack(data: bytes, signature: bytes) -> bytes:
    """The bytes of a file."""
    return MAGIC + b"".join(len(part).to_bytes(4, "big") + part for part in (data, signature))


def unpack(file: bytes) -> Container:
    """What stands in a file, whoever made it. Raises RemoteFault MALFORMED, LIMIT_EXCEEDED, VERSION_TOO_OLD."""
    if len(file) > FILE_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, Phrase("{} bytes, at most {}", len(file), FILE_BYTES_MAX))
    if not file.startswith(MAGIC):
        raise RemoteFault(Reason.MALFORMED, Phrase("this is no evidence of a task"))
    data, rest = _part(file[len(MAGIC) :])
    signature, rest = _part(rest)
    if rest or len(signature) > _SIGNATURE_BYTES_MAX:
        raise RemoteFault(Reason.MALFORMED, Phrase("something stands behind the end of the evidence"))
    if count_parts(data, PARTS_MAX, _PARTS_DEEP) > PARTS_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, Phrase("more than {} parts", PARTS_MAX))
    try:
        body = TaskEvidenceBody.FromString(data)
    except DecodeError as error:
        raise RemoteFault(Reason.MALFORMED, Phrase("the evidence cannot be read")) from error
    if body.format > FORMAT:
        raise RemoteFault(Reason.VERSION_TOO_OLD, Phrase("the evidence is of format {}", body.format))
    if max(map(len, (body.anchors, body.receipts, body.forks))) > STATEMENTS_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, Phrase("more than {} anchors, receipts or forks", STATEMENTS_MAX))
    if body.format < 1 or not (body.federation and body.task):
        raise RemoteFault(Reason.MALFORMED, Phrase("the evidence lacks its beginning"))
    return Container(data, signature, body)


def _part(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise RemoteFault(Reason.MALFORMED, Phrase("the evidence is cut off"))
    return data[4 : 4 + size], data[4 + size :]
