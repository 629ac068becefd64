"""What both sides of a session hold, feed by feed, and what follows from the difference (protocol section 5)."""

from __future__ import annotations

from sync import limits, sending
from sync.core import Core, feed_of, wire_feed
from sync.forks import tell_evidence
from sync.link import Answering, Link, Phase, Wanted
from sync.reasons import Reason
from sync.recovery import begin, holds_no_more
from sync.values import REGISTRY, FeedName
from sync.wire.v1.frame_pb2 import Cursor, Cursors, Frame, Hello, Want


def compare_registry(core: Core, link: Link, hello: Hello) -> None:
    """Registry feeds go first, up to the heads that each side named (protocol section 4)."""
    named = _named(hello)
    for feed, cursor in named.items():
        held = core.feeds.get(feed)
        source = core.source(feed)
        # An origin not in the registry yet can only be news from above.
        comes_from_peer = source == link.peer or (source == "" and link.to_parent and feed.origin != core.me.node)
        behind = held is None or (held.head.seq < cursor.seq and not held.frozen)
        if comes_from_peer and behind and cursor.seq:
            link.registry_goal[feed] = cursor.seq
    if not link.unproved:
        compare_outgoing(core, link, hello)
    registry_grew(core, link)


def compare_outgoing(core: Core, link: Link, hello: Hello) -> None:
    """The registry feeds that go to the peer, and what it holds of the own one, by what its Hello named."""
    named = _named(hello)
    outgoing = [f for f, s in core.feeds.items() if f.publication == REGISTRY and core.goes_to(f, s.route, link.peer)]
    for feed in sorted(outgoing, key=lambda f: core.registry.depth(f.origin)):
        compare(core, link, feed, named.get(feed))
    for feed, cursor in named.items():
        if feed not in core.feeds and feed.origin == core.me.node:
            compare(core, link, feed, cursor)
    own = FeedName(core.me.node, REGISTRY)
    if own not in named:
        holds_no_more(core, own, link.peer)


def _named(hello: Hello) -> dict[FeedName, Cursor]:
    return {feed_of(c.feed): c for c in hello.registry if c.feed.publication == REGISTRY}


def registry_grew(core: Core, link: Link) -> None:
    """Records have come: the heads that this link waits for may be reached, and are given their time anew."""
    link.goal_at = core.now
    registry_progress(core, link)
    if link.registry_goal:
        core.wake(core.now + limits.REGISTRY_GOAL_US)


def registry_progress(core: Core, link: Link) -> None:
    """Once the named registry heads are reached, or cannot be, this side sends its other cursors."""
    if link.phase is not Phase.COMPARE or link.cursors_sent:
        return
    in_time = core.now - link.goal_at < limits.REGISTRY_GOAL_US
    link.registry_goal = {
        feed: goal for feed, goal in link.registry_goal.items() if in_time and _to_be_reached(core, link, feed, goal)
    }
    if link.registry_goal or link.unproved:
        return
    link.cursors_sent = True
    if link.cursors_ended:
        compare_all(core, link)
    cursors = [
        cursor_of(core, feed)
        for feed, state in core.feeds.items()
        if feed.publication != REGISTRY
        and state.head.seq
        and core.source(feed) == link.peer
        # What a record has closed is not to be proved: an origin that came back with less must not ask for it.
        and (not state.frozen or feed in core.evidence)
    ]
    page = limits.CURSORS_PER_FRAME_MAX
    for start in range(0, max(1, len(cursors)), page):
        last = start + page >= len(cursors)
        core.send(link, Frame(cursors=Cursors(cursors=cursors[start : start + page], end=last)))


def _to_be_reached(core: Core, link: Link, feed: FeedName, goal: int) -> bool:
    """Whether this link can still bring that head: a later record may show that the feed comes from elsewhere."""
    state = core.feeds.get(feed)
    missing = state is None or (state.head.seq < goal and not state.frozen)
    return missing and feed not in core.evidence and core.source(feed) in ("", link.peer)


def go_on(core: Core, link: Link, cursor: Cursor) -> None:
    if link.unproved:
        return
    feed = feed_of(cursor.feed)
    state = core.feeds.get(feed)
    if state is None or core.goes_to(feed, state.route, link.peer):
        compare(core, link, feed, cursor if cursor.seq else None)


def compare_all(core: Core, link: Link) -> None:
    named = {feed_of(c.feed): c for c in link.peer_cursors}
    link.peer_cursors = []
    for feed in [f for f in core.recovering if f.publication != REGISTRY and f not in named]:
        holds_no_more(core, feed, link.peer)
    for feed, state in list(core.feeds.items()):
        if feed.publication != REGISTRY and core.goes_to(feed, state.route, link.peer):
            compare(core, link, feed, named.pop(feed, None))
    for feed, cursor in named.items():
        if feed not in core.feeds and (feed.origin == core.me.node or core.source(feed) not in ("", link.peer)):
            compare(core, link, feed, cursor)


def compare(core: Core, link: Link, feed: FeedName, cursor: Cursor | None) -> None:
    """Every case of protocol section 5. R is the peer, S is this node."""
    state = core.feeds.get(feed)
    if feed in core.evidence:
        tell_evidence(core, link, feed)
        return
    if state is not None and state.frozen:
        return  # by a record that closed it, which the peer has too
    if feed in core.recovering and (cursor is None or state is None or cursor.seq <= state.head.seq):
        holds_no_more(core, feed, link.peer)
    if cursor is None or cursor.seq == 0:
        if state is not None and state.head.seq:
            sending.start_feed(core, link, feed, 1)
        return
    if state is None or state.head.seq == 0:
        _want(core, link, feed, cursor, 1)
        return
    if cursor.epoch != state.head.epoch:
        core.notice(link, Reason.EPOCH_UNKNOWN, feed, "an epoch not held here", epoch=cursor.epoch, seq=cursor.seq)
        core.alarm("epoch_unknown", peer=link.peer, feed=str(feed))
        return
    if cursor.seq > state.head.seq:
        _want(core, link, feed, cursor, state.head.seq + 1)
        return
    held = core.log.entry(feed, cursor.epoch, cursor.seq)
    if held is not None and held.header_hash == cursor.header_hash:
        link.acked[feed] = (cursor.seq, cursor.header_hash)
        sending.start_feed(core, link, feed, cursor.seq + 1)
        return
    _ask(core, link, feed, cursor, cursor.seq, one=True)


def _want(core: Core, link: Link, feed: FeedName, cursor: Cursor, from_seq: int) -> None:
    """This side lost its tail: the peer is asked for it, and must prove its cursor by seals."""
    new_own = feed.origin == core.me.node and feed not in core.recovering
    if (feed not in link.wants and len(link.wants) >= limits.FEEDS_PER_LINK_MAX) or (
        new_own and len(core.recovering) >= limits.FEEDS_PER_ORIGIN_MAX
    ):
        core.notice(link, Reason.LIMIT_EXCEEDED, feed, "too many cursors beyond what is held", epoch=cursor.epoch)
        return
    if feed.origin == core.me.node:
        begin(core, feed, link.peer, cursor.seq)
    _ask(core, link, feed, cursor, from_seq)


def _ask(core: Core, link: Link, feed: FeedName, cursor: Cursor, from_seq: int, *, one: bool = False) -> None:
    before = link.wants.get(feed)
    # A cursor that is named again gives its peer no more time to prove it.
    since = before.progress_at if before is not None else core.now
    link.wants[feed] = Wanted(cursor.epoch, from_seq, cursor.seq, since)
    core.send(link, Frame(want=Want(feed=wire_feed(feed), epoch=cursor.epoch, from_seq=from_seq, one=one)))
    core.wake(since + limits.STEP_TIMEOUT_US)


def want_arrived(core: Core, link: Link, want: Want) -> None:
    """The peer asks for entries that this side holds."""
    feed = feed_of(want.feed)
    state = core.feeds.get(feed)
    related = core.source(feed) == link.peer or (state is not None and core.goes_to(feed, state.route, link.peer))
    if state is None or not related or want.epoch != state.head.epoch or not 1 <= want.from_seq <= state.head.seq:
        core.notice(link, Reason.CURSOR_BEYOND_HEAD, feed, "not held here", epoch=want.epoch, seq=want.from_seq)
        return
    link.answering = type(link.answering)(a for a in link.answering if a.feed != feed)
    link.answering.append(Answering(feed, want.epoch, want.from_seq, want.one))


def want_done(core: Core, link: Link, feed: FeedName) -> None:
    """The lost tail is back, or could not be had: the peer is pushed what comes after it. Others may have brought more
    meanwhile, which this peer lacks.
    """
    wanted = link.wants.pop(feed)
    state = core.feeds.get(feed)
    if feed in core.recovering:
        holds_no_more(core, feed, link.peer)
        core.settle_due = True
    if state is not None and not state.frozen and core.goes_to(feed, state.route, link.peer):
        sending.start_feed(core, link, feed, min(state.head.seq, wanted.until_seq) + 1)


def note_addressees(core: Core, link: Link) -> None:
    """A new registry record may open the way of feeds that waited for their addressee, or show new neighbours."""
    for feed, state in core.feeds.items():
        if feed in link.out or not state.head.seq or state.frozen:
            continue
        if link.phase is Phase.EXCHANGE and core.goes_to(feed, state.route, link.peer):
            sending.start_feed(core, link, feed, 1)


def cursor_of(core: Core, feed: FeedName) -> Cursor:
    state = core.feeds[feed]
    return Cursor(feed=wire_feed(feed), epoch=state.head.epoch, seq=state.head.seq, header_hash=state.head.hash)
