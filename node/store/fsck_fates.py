"""The part of fsck that holds fates against what this node has told: a fate decides whether a row is in effect at all.

Each fate is told to the row's origin in the transaction that records it, so this node's own feeds of refusals, sealed
or waiting, hold the same facts. A restored node may have told more than its fates say (it judged in a life that was
lost, under another instance), but never less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from node.store.checks import Fault, Finding
from node.store.names import entry_id
from node.store.schema import SEQ_MAX
from node.store.session import Session
from sync.values import REFUSALS, Fate, FeedName, Kind
from sync.wire.v1.entry_pb2 import EntryHeader, RefusalsPayload

_CHAINS = """SELECT feed.addressee, chain.id FROM feed JOIN chain ON chain.feed = feed.id
    WHERE feed.origin = ? AND feed.publication = ? ORDER BY chain.id"""
_ENTRIES = """SELECT header, coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest))
    FROM log WHERE id BETWEEN ? AND ?"""
_OUTBOX = """SELECT feed.addressee, payload FROM outbox JOIN feed ON feed.id = outbox.feed
    WHERE feed.origin = ? AND feed.publication = ? AND kind = ?"""


_NAMES = {fate.value: fate.name.lower() for fate in Fate}


class KeptFate(NamedTuple):
    """A row of the table of fates."""

    seq: int
    place: int
    dataset: str
    key: str
    fate: int


_Chain = tuple[FeedName, bytes]
_Row = tuple[int, str, str]
"""(seq, dataset, key): a refusal does not say the place."""
_Word = tuple[int, str, str, int]
"""The same, with the fate."""


class ToldFates:
    """What this node has told of others' rows. Reads its own feeds of refusals once."""

    def __init__(self, session: Session, node: str, instance: object) -> None:
        self._told: dict[_Chain, Counter[_Word]] = {}
        self._refused: dict[_Chain, set[_Row]] = {}
        # An entry lists so many refusals at most and counts the others: they are of the same chain.
        self._not_listed: Counter[_Chain] = Counter()
        for origin, chain in session.rows(_CHAINS, (node, REFUSALS)):
            for header, payload in session.rows(_ENTRIES, (entry_id(chain, 0), entry_id(chain, SEQ_MAX))):
                self._take_entry(origin, header, payload or b"", instance)
        for origin, payload in session.rows(_OUTBOX, (node, REFUSALS, Kind.REFUSALS.value)):
            self._take(origin, payload, in_this_life=True)

    def compare(self, feed: FeedName, epoch: bytes, held_to: int, kept: Iterable[KeptFate]) -> Iterator[Finding]:
        """Fates of a chain that were not told, and rows that were told to be refused and have no fate any more.

        held_to: the last entry held; of later ones a node that fell back may have told in the life it lost.
        """
        chain = feed, epoch
        told, spare = self._told.get(chain, Counter()), self._not_listed[chain]
        fates = Counter((one.seq, one.dataset, one.key, one.fate) for one in kept)
        for word, count in sorted(fates.items()):
            for _ in range(count - told[word]):
                if spare:
                    spare -= 1
                    continue
                seq, dataset, key, fate = word
                yield Finding(Fault.FATE_UNTOLD, feed, seq, key, f"{dataset}, {_NAMES.get(fate, fate)}")
        with_fate = {word[:3] for word in fates}
        for seq, dataset, key in sorted(self._refused.get(chain, set()) - with_fate):
            if seq <= held_to:
                yield Finding(Fault.FATE_MISSING, feed, seq, key, dataset)

    def _take_entry(self, origin: str, header: bytes, payload: bytes, instance: object) -> None:
        try:
            parsed = EntryHeader.FromString(header)
        except DecodeError:
            return  # the check of the log names it
        if int(parsed.kind) == Kind.REFUSALS:
            self._take(origin, payload, in_this_life=parsed.instance == instance)

    def _take(self, origin: str, payload: bytes, *, in_this_life: bool) -> None:
        try:
            said = RefusalsPayload.FromString(payload)
        except DecodeError:
            return
        for one in said.refusals:
            chain = FeedName(origin, one.publication, one.addressee), one.epoch
            self._told.setdefault(chain, Counter())[one.seq, one.dataset, one.key, int(one.fate)] += 1
            if in_this_life and int(one.fate) == Fate.REFUSED:
                self._refused.setdefault(chain, set()).add((one.seq, one.dataset, one.key))
        if said.not_listed and said.refusals:
            first = said.refusals[0]
            self._not_listed[FeedName(origin, first.publication, first.addressee), first.epoch] += said.not_listed
