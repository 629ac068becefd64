"""Receipts in a file: which node signed for which entries, and when by its own clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from certs.suites import SUITES
from node.evidence.result import Result
from node.evidence.sealed import SealedMove
from node.texts import N_, Text
from sync import limits
from sync.counting import count_parts
from sync.days import hlc_us
from sync.registry import Registry
from sync.stretches import ShownFeed
from sync.suites import RECEIPT
from sync.values import MOVES, FeedName
from sync.wire.v1.frame_pb2 import ReceiptBody, ReceiptStatement
from sync.wire.v1.task_evidence_pb2 import TaskEvidenceBody


class Signed(NamedTuple):
    """What a node has signed of one feed: it had received all up to `seq`."""

    by: str
    at: int
    feed: FeedName
    epoch: bytes
    seq: int

    def covers(self, move: SealedMove) -> bool:
        """Whether it had received this very move."""
        there = (move.feed.feed, move.feed.epoch)
        return there == (self.feed, self.epoch) and move.shown.header.seq <= self.seq


def receipts_of(result: Result, body: TaskEvidenceBody, registry: Registry, feeds: Sequence[ShownFeed]) -> list[Signed]:
    """What the two sides have signed of each other's feed; what does not hold is told to `result`."""
    hashes = {(f.feed, f.epoch, one.header.seq): one.entry.header_hash for f in feeds for one in f.entries}
    found = []
    for statement in body.receipts:
        said = _opened(statement, registry)
        if said is None or {said.receiver, said.origin} != {result.issuer, result.holder}:
            text = N_("A receipt is not signed by the node that it names, or is of other nodes than the two sides.")
            result.wrong("receipt", Text(text))
            continue
        for feed in said.feeds:
            if (feed.publication, feed.addressee) != (MOVES, said.receiver):
                continue
            name = FeedName(said.origin, MOVES, said.receiver)
            place = (name, feed.received_epoch, feed.received_seq)
            if hashes.get(place, feed.received_hash) != feed.received_hash:
                text = N_("{node} signed for another entry {seq} of the feed {feed} than the one in the file.")
                result.wrong("receipt", Text(text, node=said.receiver, seq=feed.received_seq, feed=str(name)))
            else:
                found.append(Signed(said.receiver, hlc_us(said.hlc), *place))
    return found


def _opened(statement: ReceiptStatement, registry: Registry) -> ReceiptBody | None:
    """What a receipt says, if the receiver's key signed it."""
    most = limits.FEEDS_PER_ORIGIN_MAX + limits.MESSAGE_FIELDS_MAX
    if len(statement.body) > limits.STATEMENT_BYTES_MAX or count_parts(statement.body, most, depth=1) > most:
        return None
    try:
        body = ReceiptBody.FromString(statement.body)
    except DecodeError:
        return None
    known = registry.enrolment(body.receiver, body.enrolment)
    suite = SUITES.get(known.suite) if known is not None else None
    if known is None or suite is None or body.federation != registry.federation:
        return None
    signed = suite.verify(known.public_key, statement.signature, RECEIPT + suite.hash(statement.body))
    return body if signed else None
