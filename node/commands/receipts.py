"""What other nodes have signed for, read once for a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from node.commands.view import View
from node.store.readers import Reader
from node.store.records import ANCHOR
from sync.days import hlc_us
from sync.effects import FeedState
from sync.statements import RECEIPT_SORT
from sync.values import REFUSALS, FeedName, Route
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from sync.wire.v1.frame_pb2 import FeedReceipt, ReceiptBody


class Receipt(NamedTuple):
    """What a node has signed of one feed, and when by its clock (microseconds).

    told: whether all that it had refused or parked by then has come here; it is told to the feed's origin alone.
    """

    feed: FeedReceipt
    at: int
    told: bool


Receipts = Mapping[FeedName, Mapping[str, Receipt]]
"""By feed and by who signed."""


def receipts_of(reader: Reader) -> Receipts:
    """The newest receipt of every node about every origin. Raises StoreFault."""
    heads = {state.name: state.head for state in reader.feeds()}
    found: dict[FeedName, dict[str, Receipt]] = {}
    for sort, by, about, body, _, _ in reader.statements():
        if sort != RECEIPT_SORT:
            continue
        receipt = ReceiptBody.FromString(body)
        told = heads.get(FeedName(by, REFUSALS, about))
        came = not receipt.refusals_seq or (
            told is not None and told.epoch == receipt.refusals_epoch and told.seq >= receipt.refusals_seq
        )
        for feed in receipt.feeds:
            name = FeedName(about, feed.publication, feed.addressee)
            found.setdefault(name, {})[by] = Receipt(feed, hlc_us(receipt.hlc), came)
    return found


def expected(view: View, state: FeedState) -> list[str]:
    """The nodes that should sign for an own feed, as far as they are known here, nearest first."""
    if state.route is Route.NODE:
        return [state.name.addressee]
    if state.route is Route.PARENT:
        return [view.parent] if view.parent else []
    if state.route is not Route.ANCESTORS or not view.parent:
        return []
    nation = _nation(view.reader)
    return [view.parent, *([nation] if nation not in ("", view.parent, view.node) else [])]


def _nation(reader: Reader) -> str:
    anchor = reader.meta(ANCHOR)
    return AnchorBody.FromString(Anchor.FromString(anchor).body).nation if isinstance(anchor, bytes) and anchor else ""
