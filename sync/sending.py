"""What goes out on a link: runs in turn of lane and feed, never more under way than the window allows."""

from __future__ import annotations

from sync import limits
from sync.chain import entry_size
from sync.core import Core, feed_of, wire_feed
from sync.effects import LogEntry
from sync.link import CHUNKS, Answering, Link, OutFeed, Phase, Sent
from sync.values import REGISTRY, FeedName, Lane
from sync.wire.v1.frame_pb2 import Ack, Credit, Entry, Frame, Run

_LANES = (Lane.URGENT, Lane.NORMAL, Lane.BULK)


def start_feed(core: Core, link: Link, feed: FeedName, next_seq: int) -> None:
    """From now on this feed is pushed on this link, from `next_seq`."""
    state = core.feeds[feed]
    out = link.out.get(feed)
    if out is None:
        link.out[feed] = OutFeed(next_seq)
    else:
        out.next_seq, out.paused = next_seq, False
    link.queue(feed, state.lane)


def offer_new(core: Core) -> None:
    """Feeds that moved in this transaction are put in turn on every link they go to."""
    for feed in core.dirty_out:
        state = core.feeds.get(feed)
        if state is None:
            continue
        for link in core.links.values():
            registry_early = feed.publication == REGISTRY and link.phase is Phase.COMPARE
            if link.phase is not Phase.EXCHANGE and not registry_early:
                continue
            if not core.goes_to(feed, state.route, link.peer):
                continue
            if feed not in link.out:
                if registry_early:
                    continue
                link.out[feed] = OutFeed(1)
            link.queue(feed, state.lane)
    core.dirty_out.clear()


def pump(core: Core, link: Link) -> None:
    """Sends what may be sent now: answers to Wants, registry, then urgent, normal, bulk, feeds in turn."""
    if link.phase not in (Phase.COMPARE, Phase.EXCHANGE):
        return
    while link.answering and _send_answer(core, link, link.answering[0]):
        pass
    full: set[int] = set()
    turns = [(Lane.URGENT, link.registry_turn), *((lane, link.turn[lane]) for lane in _LANES)]
    for lane, turn in turns:
        window = link.window(lane)
        while turn and window.room() > 0 and id(window) not in full:
            feed = turn.popleft()
            more = _send_chunk(core, link) if feed is CHUNKS else _send_run(core, link, feed, lane)
            if more is None:
                # It goes first when there is room; nothing of a lower lane takes that room before it.
                turn.appendleft(feed)
                full.add(id(window))
            elif more:
                turn.append(feed)


def _send_run(core: Core, link: Link, feed: FeedName, lane: Lane) -> bool | None:
    """Sends one run of a feed; True if there is more of it, None if its next run has to wait for credit."""
    state, out = core.feeds.get(feed), link.out.get(feed)
    if state is None or out is None or out.paused or state.frozen or out.next_seq > state.head.seq:
        return False
    if link.phase is Phase.COMPARE and feed.publication != REGISTRY:
        return False
    window = link.window(lane)
    entries = core.log.entries(
        feed, state.head.epoch, out.next_seq, max(1, min(window.run_bytes(), window.room())), limits.RUN_ENTRIES_MAX
    )
    if not entries:
        return False
    if not window.fits(sum(map(entry_size, entries))):
        return None
    _send_entries(core, link, feed, state.head.epoch, entries, lane, answer=False)
    out.next_seq = entries[-1].seq + 1
    return out.next_seq <= state.head.seq


def _send_chunk(core: Core, link: Link) -> bool | None:
    """Sends one part of an attachment; as _send_run."""
    if not link.chunks or link.phase is not Phase.EXCHANGE:
        return False
    size = len(link.chunks[0].data)
    if not link.bulk.fits(size):
        return None
    link.bulk.sent(size)
    link.sent.append(Sent(CHUNKS, 0, size, Lane.BULK, core.now, True))
    core.send(link, Frame(attachment_chunk=link.chunks.popleft()))
    return bool(link.chunks)


def _send_answer(core: Core, link: Link, answering: Answering) -> bool:
    """Sends the next run of an answer; False if the window is full."""
    window = link.bulk
    if window.room() <= 0:
        return False
    size = 1 if answering.one else window.run_bytes()
    entries = core.log.entries(
        answering.feed, answering.epoch, answering.next_seq, size, 1 if answering.one else limits.RUN_ENTRIES_MAX
    )
    if not entries:
        link.answering.popleft()
        return True
    if not window.fits(sum(map(entry_size, entries))):
        return False
    _send_entries(core, link, answering.feed, answering.epoch, entries, Lane.BULK, answer=True)
    answering.next_seq = entries[-1].seq + 1
    if answering.one:
        link.answering.popleft()
    return True


def _send_entries(
    core: Core, link: Link, feed: FeedName, epoch: bytes, entries: object, lane: Lane, *, answer: bool
) -> None:
    run = Run(feed=wire_feed(feed), epoch=epoch, answer=answer, lane=int(lane))  # type: ignore[arg-type]
    size = 0
    last: LogEntry | None = None
    for entry in entries:  # type: ignore[attr-defined]
        run.entries.append(Entry(header=entry.header, payload=entry.payload, seal=entry.seal))
        size += entry_size(entry)
        last = entry
    assert last is not None
    link.window(lane).sent(size)
    link.sent.append(Sent(feed, last.seq, size, lane, core.now, answer))
    core.send(link, Frame(run=run))


def ack_arrived(core: Core, link: Link, ack: Ack) -> None:
    """Frees credit and nothing else: a relay that was restored may ask for acknowledged entries again."""
    for cursor in ack.committed:
        feed = feed_of(cursor.feed)
        if feed not in link.out:
            # Not pushed on this link: nothing asks for it, and a peer might name any number.
            continue
        link.acked[feed] = (cursor.seq, cursor.header_hash)
    for credit in ack.credit:
        give_back(core, link, credit)


def give_back(core: Core, link: Link, credit: Credit) -> None:
    """A run was answered, by Ack or Notice: the oldest one sent in that lane."""
    lane = Lane(credit.lane) if credit.lane in (1, 2, 3) else Lane.BULK
    for index, sent in enumerate(link.sent):
        if sent.lane is lane and sent.size == credit.bytes:
            del link.sent[index]
            link.window(lane).answered(sent.size, sent.at, core.now)
            return
