"""What origins have stated and does not arrive, and origins of which no statement arrives any more.

Only the time counts in which the link towards the origin works: one that is off-line is no sign of anything. An origin
that falls silent behind such a link may be off-line itself; from here that cannot be told from a relay that keeps its
statements back, so both are told as what they are: silence.
"""

from __future__ import annotations

from sync import limits
from sync.core import Core, Missing
from sync.effects import FeedState
from sync.link import Link
from sync.values import REGISTRY, FeedName, Route, is_well_named
from sync.wire.v1.frame_pb2 import FeedHead


def stated(core: Core, origin: str, heads: list[FeedHead]) -> None:
    """An origin's newest statement against what is held: missing, contradicted, or rows that differ."""
    _forget_unstated(core, origin, heads)
    concerned = [head for head in heads if _concerns_this_node(core, origin, head)]
    if any(_judged(core, origin, head) for head in concerned):
        core.heard_from[origin] = _worked(core, origin)
        core.alarmed.discard(("origin_silent", origin))
    for head in concerned:
        _compare(core, origin, head)


def check(core: Core) -> None:
    """Now and then: what has been missing for too long while the way to its origin worked."""
    if core.now - core.looked_at < limits.LOOK_EVERY_US:
        return
    core.looked_at = core.now
    for link in core.links.values():
        count_time(core, link)
    for feed, missing in list(core.withheld.items()):
        _check_missing(core, feed, missing)
    for origin, heard in list(core.heard_from.items()):
        enrolment = core.registry.newest(origin)
        if enrolment is None or not enrolment.is_living:
            del core.heard_from[origin]
        elif _worked(core, origin) - heard >= limits.SILENT_AFTER_US:
            core.alarm_once("origin_silent", origin, origin=origin, peer=core.next_hop(origin))


def count_time(core: Core, link: Link) -> None:
    """Adds what passed to the working time of a neighbour's links: as long as it was heard, and compare was over."""
    if link.counted_at:
        until = min(core.now, link.heard_at + limits.PING_AFTER_US)
        core.worked[link.peer] = core.worked.get(link.peer, 0) + max(0, until - link.counted_at)
        link.counted_at = core.now


def _worked(core: Core, origin: str) -> int:
    return core.worked.get(core.next_hop(origin), 0)


def _concerns_this_node(core: Core, origin: str, head: FeedHead) -> bool:
    feed = FeedName(origin, head.publication, head.addressee)
    route = int(head.route)
    if route not in (1, 2, 3, 4, 5) or not is_well_named(feed):
        return False
    return core.applies(feed, route) or any(core.goes_to(feed, Route(route), n) for n in core.neighbours())


def _judged(core: Core, origin: str, head: FeedHead) -> bool:
    """Whether rows of this feed are kept here, so that silence of its origin matters."""
    feed = FeedName(origin, head.publication, head.addressee)
    return feed.publication != REGISTRY and feed not in core.evidence and core.applies(feed, int(head.route))


def _forget_unstated(core: Core, origin: str, heads: list[FeedHead]) -> None:
    """A head that its origin states no longer is waited for no longer."""
    named = {FeedName(origin, h.publication, h.addressee) for h in heads}
    for feed in [f for f in core.withheld if f.origin == origin and f not in named]:
        _arrived(core, feed)


def _compare(core: Core, origin: str, head: FeedHead) -> None:
    feed = FeedName(origin, head.publication, head.addressee)
    state = core.feeds.get(feed)
    if not _is_held(state, head.epoch, head.seq):
        held = state.head.seq if state is not None else 0
        missing = core.withheld.setdefault(feed, Missing(head.epoch, head.seq, held, _worked(core, origin)))
        missing.epoch, missing.seq = head.epoch, head.seq
        return
    _arrived(core, feed)
    assert state is not None
    if (state.head.epoch, state.head.seq) != (head.epoch, head.seq):
        return
    if state.head.hash != head.header_hash:
        core.alarm("head_contradicts", feed=str(feed), seq=head.seq, origin=origin)
        return
    judged = core.applies(feed, int(head.route)) and not state.parked and not state.refused
    if judged and head.row_digest and head.row_digest != state.digest:
        core.alarm("rows_diverge", feed=str(feed), seq=head.seq, origin=origin)


def _check_missing(core: Core, feed: FeedName, missing: Missing) -> None:
    state = core.feeds.get(feed)
    held = state.head.seq if state is not None else 0
    if _is_held(state, missing.epoch, missing.seq):
        _arrived(core, feed)
    elif held != missing.held:
        # It comes, however slowly.
        missing.held, missing.since = held, _worked(core, feed.origin)
        core.alarmed.discard(("feed_withheld", str(feed)))
    elif _worked(core, feed.origin) - missing.since >= limits.WITHHELD_AFTER_US:
        core.alarm_once("feed_withheld", str(feed), feed=str(feed), seq=missing.seq, peer=core.source(feed))


def _is_held(state: FeedState | None, epoch: bytes, seq: int) -> bool:
    """Of a frozen feed nothing more is taken, so nothing is missing."""
    return state is not None and (state.frozen or (state.head.epoch == epoch and state.head.seq >= seq))


def _arrived(core: Core, feed: FeedName) -> None:
    core.withheld.pop(feed, None)
    core.alarmed.discard(("feed_withheld", str(feed)))
