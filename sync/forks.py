"""Forks: two different entries at one seq. Both are kept as evidence, the feed is frozen, a person decides (fate d).

Evidence proves itself: each branch is a run of headers up to a seal of the origin, and they disagree about the hash at
one seq. Who sent it does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from sync import limits
from sync.chain import OpenedRun
from sync.core import Core, feed_of, wire_feed
from sync.effects import FeedState, LogEntry, SaveEvidence
from sync.link import Link, Wanted
from sync.registry import Registry
from sync.suites import HEADER, SEAL, Suites
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Entry, Evidence, EvidenceBranch, Frame, Want


def contradiction(core: Core, link: Link, state: FeedState, run: OpenedRun) -> None:
    """A validly sealed run disagrees with what is held: makes the evidence, freezes, and looks for where it began."""
    contested = _contested_seq(core, state, run)
    if contested == 0:
        return
    evidence = _evidence_at(core, state, run, contested)
    if not _fits(evidence):
        # At the last entry that both have, one of the branches is that entry alone.
        evidence = _evidence_at(core, state, run, min(state.head.seq, run.last.seq))
    freeze(core, state.name, contested, evidence)
    if contested > 1:
        _ask(core, link, state, 0, contested)


def _evidence_at(core: Core, state: FeedState, run: OpenedRun, seq: int) -> Evidence:
    """What is held and what came, each from an entry at which they differ up to a seal."""
    theirs = [opened.entry for opened in run.entries if opened.entry.seq >= seq]
    ours = core.log.headers(state.name, state.head.epoch, seq, limits.EVIDENCE_HEADERS_MAX)
    return Evidence(
        feed=wire_feed(state.name),
        epoch=state.head.epoch,
        seq=seq,
        one=EvidenceBranch(entries=_headers_only(ours)),
        other=EvidenceBranch(entries=_headers_only(_up_to_seal(theirs))),
    )


def _fits(evidence: Evidence) -> bool:
    """Whether it can be told: in one frame, and each branch up to its seal in no more headers than a receiver takes."""
    whole = all(
        len(branch.entries) <= limits.EVIDENCE_HEADERS_MAX and branch.entries[-1].seal
        for branch in (evidence.one, evidence.other)
    )
    return whole and evidence.ByteSize() <= limits.EVIDENCE_BYTES_MAX


def freeze(core: Core, feed: FeedName, contested: int, evidence: Evidence) -> None:
    """Nothing more of the feed is taken, sealed or sent; what lies from `contested` on is marked disputed."""
    state = core.feeds.get(feed)
    if state is not None:
        _stop(core, state, contested)
    if feed in core.evidence:
        return
    core.evidence[feed] = evidence.SerializeToString()
    core.do(SaveEvidence(feed, core.evidence[feed]))
    core.alarm("fork", feed=str(feed), seq=contested, origin=feed.origin)
    for link in core.open_links():
        tell_evidence(core, link, feed)
    _leave(core, feed)


def closed_beyond(core: Core) -> None:
    """Records have come: whoever holds entries beyond where one of them closed the older versions holds another branch
    than the one that counts. The record is the evidence, and reaches everybody by itself (protocol section 6)."""
    for feed, state in core.feeds.items():
        limit = core.registry.closed_at(feed.origin, state.enrolment, feed.publication, feed.addressee)
        if limit is None or state.frozen:
            continue
        # Not on the list, it counts nowhere; on it in another epoch, this one is not spoken of.
        epoch, last = limit if limit[0] else (state.head.epoch, 0)
        if epoch == state.head.epoch and state.head.seq > last:
            _stop(core, state, last + 1)
            core.alarm("fork", feed=str(feed), seq=last + 1, origin=feed.origin)
            _leave(core, feed)


def _stop(core: Core, state: FeedState, contested: int) -> None:
    state.disputed_from = min(state.disputed_from or contested, contested)
    state.frozen = True
    core.save(state)


def _leave(core: Core, feed: FeedName) -> None:
    """Nothing of the feed is waited for or asked for any longer."""
    for link in core.open_links():
        link.wants.pop(feed, None)
        link.inn.pop(feed, None)
    if core.recovering.pop(feed, None) is not None:
        core.save_recovering()
        core.settle_due = True


def tell_evidence(core: Core, link: Link, feed: FeedName) -> None:
    """Sends what proves a fork to a neighbour on the feed's way."""
    state = core.feeds.get(feed)
    on_the_way = core.source(feed) == link.peer or (state is not None and core.goes_to(feed, state.route, link.peer))
    if feed in core.evidence and on_the_way:
        frame = Frame()
        frame.evidence.ParseFromString(core.evidence[feed])
        core.send(link, frame)


def evidence_arrived(core: Core, evidence: Evidence) -> bool:
    """Takes evidence if it proves a fork; False if it does not."""
    feed = feed_of(evidence.feed)
    if not proves_fork(evidence, core.registry, core.seams.suites):
        return False
    state = core.feeds.get(feed)
    of_origin = sum(1 for other in core.evidence if other.origin == feed.origin)
    if state is None and feed not in core.evidence and of_origin >= limits.FEEDS_PER_ORIGIN_MAX:
        return False
    if state is None or state.head.epoch == evidence.epoch or not state.head.seq:
        freeze(core, feed, evidence.seq, evidence)
    return True


def bisect(core: Core, link: Link, state: FeedState, wanted: Wanted, run: OpenedRun) -> None:
    """One answer on the way to the first entry that differs: disputed_from moves down to it."""
    entry = run.entries[0].entry
    held = core.log.entry(state.name, state.head.epoch, entry.seq)
    low, high = wanted.from_seq, wanted.until_seq
    if held is None or held.header_hash != entry.header_hash:
        high = entry.seq
    else:
        low = entry.seq
    state.disputed_from = min(state.disputed_from, high)
    core.save(state)
    link.wants.pop(state.name, None)
    if high - low > 1:
        _ask(core, link, state, low, high)


def _ask(core: Core, link: Link, state: FeedState, low: int, high: int) -> None:
    """Wants the one entry between a seq known to be common and one known to differ."""
    middle = (low + high) // 2
    if middle <= low:
        return
    link.wants[state.name] = Wanted(state.head.epoch, low, high, core.now, one=True)
    want = Want(feed=wire_feed(state.name), epoch=state.head.epoch, from_seq=middle, one=True)
    core.send(link, Frame(want=want))


def _contested_seq(core: Core, state: FeedState, run: OpenedRun) -> int:
    """First seq about whose hash the run and the log disagree; the run may speak of it only by its first prev."""
    before = run.first_seq - 1
    if 0 < before <= state.head.seq:
        held = core.log.entry(state.name, state.head.epoch, before)
        if held is not None and held.header_hash != run.entries[0].header.prev:
            return before
    for opened in run.entries:
        if opened.entry.seq > state.head.seq:
            break
        held = core.log.entry(state.name, state.head.epoch, opened.entry.seq)
        if held is not None and held.header_hash != opened.entry.header_hash:
            return opened.entry.seq
    return 0


def _up_to_seal(entries: Sequence[LogEntry]) -> list[LogEntry]:
    kept: list[LogEntry] = []
    for entry in entries:
        kept.append(entry)
        if entry.seal:
            break
    return kept


def _headers_only(entries: Sequence[LogEntry]) -> list[Entry]:
    return [Entry(header=e.header, seal=e.seal) for e in entries]


def proves_fork(evidence: Evidence, registry: Registry, suites: Suites) -> bool:
    """Whether the origin has sealed two different entries at the contested seq. Pure: who asks does not matter."""
    one = _branch_hash(evidence, evidence.one, registry, suites)
    other = _branch_hash(evidence, evidence.other, registry, suites)
    return one is not None and other is not None and one != other


def _branch_hash(evidence: Evidence, branch: EvidenceBranch, registry: Registry, suites: Suites) -> bytes | None:
    """The hash at the contested seq that this branch proves under the origin's seal; None if it proves nothing."""
    if not 0 < len(branch.entries) <= limits.EVIDENCE_HEADERS_MAX or not branch.entries[-1].seal:
        return None
    proven: bytes | None = None
    before = b""
    for position, wire in enumerate(branch.entries):
        try:
            header = EntryHeader.FromString(wire.header)
        except DecodeError:
            return None
        suite = suites.get(header.suite)
        feed = feed_of(evidence.feed)
        same_feed = (header.origin, header.publication, header.addressee) == feed and header.epoch == evidence.epoch
        if suite is None or not same_feed or header.federation != registry.federation:
            return None
        entry_hash = suite.hash(HEADER + wire.header)
        if position == 0:
            proven = {evidence.seq: entry_hash, evidence.seq + 1: header.prev}.get(header.seq)
        elif header.prev != before:
            return None
        before = entry_hash
        if position == len(branch.entries) - 1:
            enrolment = registry.enrolment(header.origin, header.enrolment)
            if enrolment is None or not suite.verify(enrolment.public_key, wire.seal, SEAL + entry_hash):
                return None
    return proven
