"""Parts of feeds that prove themselves, away from any node: stretches of a chain that end at a seal (docs/wire.md,
"Evidence of a task"). The rules are those of a receiver; what lies before and between stretches may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sync import limits
from sync.chain import Content, Opened, check_follows, open_content, parse_header, verify_seal
from sync.core import feed_of
from sync.effects import LogEntry
from sync.errors import RemoteFault
from sync.payload import check_sizes
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.receive import check_adoption
from sync.registry import Registry
from sync.suites import HEADER, PAYLOAD, Suites, genesis
from sync.values import REGISTRY, FeedName, is_well_named
from sync.wire.v1.entry_pb2 import EntryHeader, RegistryPayload
from sync.wire.v1.frame_pb2 import Entry
from sync.wire.v1.task_evidence_pb2 import FeedProof, Stretch


class Flaw(NamedTuple):
    """The first thing that is wrong in a stretch; seq 0 where it is about none of its entries."""

    feed: FeedName
    seq: int
    reason: Reason
    detail: str


class Shown(NamedTuple):
    """An entry that a verified seal covers. held: whether its payload is there; then it is the one of the header."""

    header: EntryHeader
    entry: LogEntry
    held: bool


@dataclass(slots=True)
class ShownFeed:
    """What of one epoch of a feed is proved, in order of seq; nothing of a stretch that has a flaw."""

    feed: FeedName
    epoch: bytes
    entries: list[Shown] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)


def open_proof(proof: FeedProof, registry: Registry, suites: Suites) -> ShownFeed:
    """Checks every stretch of a feed by itself, and that they follow each other.

    (1) bounds, headers of this federation, feed and epoch  (2) each follows the one before  (3) a payload that is there
    is its header's  (4) the last is sealed, and each seal verifies with the key of its version  (5) along the feed the
    route stays, suite and version never fall, the version rises at adoptions alone, none stands beyond a closing.
    """
    feed = feed_of(proof.feed)
    shown = ShownFeed(feed, proof.epoch)
    if not is_well_named(feed):
        shown.flaws.append(Flaw(feed, 0, Reason.MALFORMED, "the name of a feed is not well-formed"))
        return shown
    for stretch in proof.stretches:
        last = shown.entries[-1] if shown.entries else None
        flaw, opened = _open_stretch(feed, proof.epoch, stretch, last, registry, suites)
        if flaw is not None:
            shown.flaws.append(flaw)
        else:
            shown.entries.extend(opened)
    return shown


def _open_stretch(
    feed: FeedName, epoch: bytes, stretch: Stretch, last: Shown | None, registry: Registry, suites: Suites
) -> tuple[Flaw | None, list[Shown]]:
    seq = 0
    opened: list[Shown] = []
    try:
        if not stretch.entries or not stretch.entries[-1].seal:
            raise RemoteFault(Reason.NO_SEAL, "a stretch that does not end at a seal")
        for wire in stretch.entries:
            header = parse_header(_bounded(wire).header, registry.federation, feed, epoch)
            seq = header.seq
            shown = _opened(header, wire, suites)
            _check_order(shown, last, joined=bool(opened))
            _check_along(shown, last, registry, suites)
            if wire.seal:
                verify_seal(header, shown.entry, registry, suites)
            opened.append(shown)
            last = shown
    except RemoteFault as fault:
        return Flaw(feed, seq, fault.reason, fault.detail), []
    return None, opened


def _bounded(wire: Entry) -> Entry:
    if len(wire.header) > limits.HEADER_BYTES_MAX or len(wire.header) + len(wire.payload) > limits.ENTRY_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"an entry of {len(wire.header) + len(wire.payload)} bytes")
    return wire


def _opened(header: EntryHeader, wire: Entry, suites: Suites) -> Shown:
    suite = suites.get(header.suite)
    if suite is None:
        raise RemoteFault(Reason.MALFORMED, Phrase("suite {} is not known here", header.suite))
    held = bool(wire.payload) or header.payload_size == 0
    if held:
        check_sizes(header, len(wire.payload))
        if suite.hash(PAYLOAD + wire.payload) != header.payload_digest:
            raise RemoteFault(Reason.BAD_PAYLOAD_DIGEST, "payload is not the one its header names")
    header_hash = suite.hash(HEADER + wire.header)
    entry = LogEntry(
        header.seq,
        wire.header,
        header_hash,
        wire.payload,
        header.payload_digest,
        wire.seal,
        header.plain_size,
        header.rows,
    )
    return Shown(header, entry, held)


def _check_order(shown: Shown, last: Shown | None, joined: bool) -> None:
    """Between two stretches entries may be left out; what stands side by side joins."""
    if last is None:
        return
    if joined or shown.header.seq <= last.header.seq + 1:
        check_follows(shown.header, last.entry)


def _check_along(shown: Shown, last: Shown | None, registry: Registry, suites: Suites) -> None:
    header = shown.header
    enrolment = registry.enrolment(header.origin, header.enrolment)
    if enrolment is None:
        raise RemoteFault(Reason.UNKNOWN_ENROLMENT, f"version {header.enrolment} of {header.origin}")
    if last is not None:
        before = last.header
        if header.route != before.route:
            raise RemoteFault(Reason.ROUTE_CHANGED, f"route {header.route} in a feed of route {before.route}")
        if header.enrolment < before.enrolment:
            raise RemoteFault(Reason.ENROLMENT_FELL, f"version {header.enrolment} after {before.enrolment}")
        if header.suite < before.suite:
            raise RemoteFault(Reason.SUITE_FELL, f"suite {header.suite} after {before.suite}")
        if header.enrolment > before.enrolment:
            adopted = Opened(header, shown.entry, None)
            check_adoption(registry, suites, adopted, before.enrolment, enrolment, header.prev)
    limit = registry.closed_at(header.origin, header.enrolment, header.publication, header.addressee)
    if limit is not None and (limit[0] != header.epoch or header.seq > limit[1]):
        raise RemoteFault(Reason.ENROLMENT_CLOSED, f"version {header.enrolment} counts up to entry {limit[1]}")


def content_of(shown: Shown) -> Content:
    """What an entry's payload says, within the bounds of every receiver. Raises RemoteFault."""
    return open_content(shown.header, shown.entry.payload, lambda *_: None)


def learn_registry(registry: Registry, proofs: Iterable[FeedProof], suites: Suites) -> list[Flaw]:
    """Takes registry feeds into a registry, each from its first entry on, whole: so no record was left out before the
    last one shown. A parent's feed stands before those of its children. What is wrong is told; the rest is taken.
    """
    flaws: list[Flaw] = []
    for proof in proofs:
        shown = open_proof(proof, registry, suites)
        flaws += shown.flaws or _incomplete(shown, registry, suites)
        for one in shown.entries:
            try:
                content = content_of(one)
            except RemoteFault as fault:
                flaws.append(Flaw(shown.feed, one.header.seq, fault.reason, fault.detail))
                continue
            # A record that does not count anywhere is no flaw of the file: nodes refuse it in the same way.
            for record in content.records if isinstance(content, RegistryPayload) else ():
                registry.admit(one.header.origin, record, one.header.enrolment)
    return flaws


def _incomplete(shown: ShownFeed, registry: Registry, suites: Suites) -> Sequence[Flaw]:
    """Why a registry feed is not shown whole from its beginning."""
    if (shown.feed.publication, shown.feed.addressee) != (REGISTRY, ""):
        return [Flaw(shown.feed, 0, Reason.MALFORMED, "a feed that is no registry")]
    before: Shown | None = None
    for one in shown.entries:
        seq = one.header.seq
        if seq != (1 if before is None else before.header.seq + 1):
            return [Flaw(shown.feed, seq, Reason.GAP, "entries of a registry are left out before this one")]
        begins = genesis(suites[one.header.suite], registry.federation, *shown.feed, shown.epoch)
        if before is None and one.header.prev != begins:
            return [Flaw(shown.feed, seq, Reason.BAD_PREV, "the first entry does not begin this feed")]
        if not one.held:
            return [Flaw(shown.feed, seq, Reason.BAD_PAYLOAD_DIGEST, "an entry of a registry lacks its payload")]
        before = one
    return []
