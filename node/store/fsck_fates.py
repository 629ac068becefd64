"""The part of fsck that holds fates against what this node has told: a fate decides whether a row is in effect at all.

Each fate is told to the row's origin in the transaction that records it, so this node's own feeds of refusals, sealed
or waiting, hold the same facts. A node that came back from an older copy may have told more than its fates say (it
judged in a life that was lost), but never less; and what it told in this life to be over for good stays so.
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
from sync.limits import GROUP_LEAP
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


class Life(NamedTuple):
    """From one return of the node to the next: a restore gives another instance, any recovery a leap of the groups."""

    instance: object
    leaps: int

    @classmethod
    def of(cls, instance: object, group: int) -> Life:
        """The life in which this instance had come to this group."""
        return cls(instance, group // GROUP_LEAP)


_Chain = tuple[FeedName, bytes]
_Word = tuple[int, str, str, int]
"""(seq, dataset, key, fate): a refusal does not say the place."""


class ToldFates:
    """What this node has told of others' rows. Reads its own feeds of refusals once.

    life: that of the store; None while a lost tail comes back, when nobody can say yet which words are of this one.
    """

    def __init__(self, session: Session, node: str, life: Life | None) -> None:
        self._told: dict[_Chain, Counter[_Word]] = {}
        self._final: dict[_Chain, Counter[_Word]] = {}
        # An entry lists so many refusals at most and counts the others: they are of the same chain.
        self._not_listed: Counter[_Chain] = Counter()
        for origin, chain in session.rows(_CHAINS, (node, REFUSALS)):
            for header, payload in session.rows(_ENTRIES, (entry_id(chain, 0), entry_id(chain, SEQ_MAX))):
                self._take_entry(origin, header, payload or b"", life)
        for origin, payload in session.rows(_OUTBOX, (node, REFUSALS, Kind.REFUSALS.value)):
            self._take(origin, payload, in_this_life=life is not None)

    def compare(self, feed: FeedName, epoch: bytes, kept: Iterable[KeptFate]) -> Iterator[Finding]:
        """Fates of a chain that were not told, and rows that no longer have the fate that was told as their last."""
        chain = feed, epoch
        told, spare = self._told.get(chain, Counter()), self._not_listed[chain]
        fates = Counter((one.seq, one.dataset, one.key, one.fate) for one in kept)
        for word, count in sorted(fates.items()):
            for _ in range(count - told[word]):
                if spare:
                    spare -= 1
                    continue
                yield _finding(Fault.FATE_UNTOLD, feed, word)
        for word, count in sorted(self._final.get(chain, Counter()).items()):
            for _ in range(count - fates[word]):
                yield _finding(Fault.FATE_MISSING, feed, word)

    def _take_entry(self, origin: str, header: bytes, payload: bytes, life: Life | None) -> None:
        try:
            parsed = EntryHeader.FromString(header)
        except DecodeError:
            return  # the check of the log names it
        if int(parsed.kind) == Kind.REFUSALS:
            self._take(origin, payload, in_this_life=Life.of(parsed.instance, parsed.group) == life)

    def _take(self, origin: str, payload: bytes, *, in_this_life: bool) -> None:
        try:
            said = RefusalsPayload.FromString(payload)
        except DecodeError:
            return
        for one in said.refusals:
            chain = FeedName(origin, one.publication, one.addressee), one.epoch
            word = one.seq, one.dataset, one.key, int(one.fate)
            self._told.setdefault(chain, Counter())[word] += 1
            if in_this_life and int(one.fate) != Fate.PARKED:
                self._final.setdefault(chain, Counter())[word] += 1
        if said.not_listed and said.refusals:
            first = said.refusals[0]
            self._not_listed[FeedName(origin, first.publication, first.addressee), first.epoch] += said.not_listed


def _finding(fault: Fault, feed: FeedName, word: _Word) -> Finding:
    seq, dataset, key, fate = word
    return Finding(fault, feed, seq, key, f"{dataset}, {_NAMES.get(fate, fate)}")
