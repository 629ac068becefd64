"""When nodes signed for entries: of each receipt that went further than the one before, a mark per feed and minute.

The newest receipt alone is kept whole, and its time says nothing of an entry that came long before. Times are those of
the signer's clock.
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError

from node.store.names import Names
from node.store.session import Session
from sync.days import hlc_us
from sync.effects import SaveStatement
from sync.statements import RECEIPT_SORT
from sync.values import FeedName
from sync.wire.v1.frame_pb2 import ReceiptBody

MINUTE_US = 60_000_000
MARKS_MAX = 10_000
"""Of one node and epoch of a feed: a week of receipts without a pause, and years where data comes now and then."""
TIDIED_EVERY = 500

_NOTE = """INSERT INTO receipt_mark (by_node, chain, minute, received, applied, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (by_node, chain, minute) DO UPDATE SET received = max(received, excluded.received),
    applied = max(applied, excluded.applied), at = max(at, excluded.at)"""
_TIDY = """DELETE FROM receipt_mark WHERE by_node = ?1 AND chain = ?2 AND minute <=
    (SELECT minute FROM receipt_mark WHERE by_node = ?1 AND chain = ?2 ORDER BY minute DESC LIMIT 1 OFFSET ?3)"""
_FIRST = """SELECT min(at) FILTER (WHERE received >= ?3), min(at) FILTER (WHERE applied >= ?3)
    FROM receipt_mark WHERE by_node = ?1 AND chain = ?2"""


class Signed(NamedTuple):
    """When a node first signed that an entry was received, and that it was applied, microseconds; 0: not known."""

    received: int
    applied: int


class Marks:
    """Writes and reads inside the open transaction. Raises StoreFault."""

    __slots__ = ("_last", "_names", "_noted", "_session")

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names
        self._last: dict[tuple[str, int], tuple[int, int]] = {}
        self._noted: dict[tuple[str, int], int] = {}

    def forget(self) -> None:
        """The transaction was dropped."""
        self._last.clear()

    def note(self, write: SaveStatement) -> None:
        """Marks how far a receipt goes, where that is further than the last one did."""
        if write.sort != RECEIPT_SORT:
            return
        try:
            body = ReceiptBody.FromString(write.body)
        except DecodeError:
            return
        at = hlc_us(body.hlc)
        for said in body.feeds:
            feed = FeedName(write.about, said.publication, said.addressee)
            chain = self._names.find_chain(feed, said.received_epoch)
            if chain is None:
                continue
            place, now = (write.by, chain), (said.received_seq, said.applied_seq)
            if self._last.get(place) != now:
                self._last[place] = now
                self._session.run(_NOTE, (*place, at // MINUTE_US, *(min(seq, 2**62) for seq in now), at))
                self._tidy(place)

    def _tidy(self, place: tuple[str, int]) -> None:
        noted = self._noted[place] = self._noted.get(place, 0) + 1
        if noted % TIDIED_EVERY == 0:
            self._session.run(_TIDY, (*place, MARKS_MAX))

    def first(self, by: str, feed: FeedName, epoch: bytes, seq: int) -> Signed:
        """When a node first signed for an entry."""
        chain = self._names.find_chain(feed, epoch)
        found = (None, None) if chain is None else self._session.first(_FIRST, (by, chain, seq))
        return Signed(*(at or 0 for at in found))
