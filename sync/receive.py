"""Runs that arrive: where they may come from, whether they join what is held, and what is done with those that do.

One transaction per run: entries, seals, head, judged rows, refusals. Then Ack, and only then is it passed on.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from sync import limits
from sync.apply import apply_entries
from sync.chain import BadRun, Opened, OpenedRun, adoption_message
from sync.compare import want_done
from sync.core import Core, wire_feed
from sync.effects import Append, FeedState
from sync.errors import RemoteFault
from sync.forks import bisect, contradiction
from sync.link import InFeed, Link, Phase
from sync.reasons import Reason
from sync.recovery import take_own_back
from sync.registry import Enrolment, Registry
from sync.session import BENIGN, close
from sync.suites import Suites
from sync.values import REGISTRY, FeedName, Head, Kind, Lane, Route, is_well_named
from sync.way import check_way, waits_for_addressee
from sync.wire.v1.entry_pb2 import AdoptionPayload
from sync.wire.v1.frame_pb2 import Ack, Credit, Cursor, Frame

# A record may also show that a feed goes this way: then it is this node's business after all.
_WAITS_FOR_REGISTRY = (Reason.UNKNOWN_ENROLMENT, Reason.EPOCH_NOT_CONFIRMED, Reason.NOT_YOUR_ORIGIN)
_NOT_TO_BE_ASKED_AGAIN = (Reason.FORK, Reason.FROZEN, Reason.NOT_YOUR_ORIGIN)


def run_arrived(core: Core, link: Link, run: OpenedRun | BadRun) -> None:
    """Takes a run, or drops it with a Notice; either way its credit goes back."""
    opened = link.phase in (Phase.COMPARE, Phase.EXCHANGE, Phase.DRAINING)
    if not opened or (link.unproved and run.feed.publication != REGISTRY):
        core.notice(link, Reason.MALFORMED, run.feed, "a run before the session was open")
        return
    link.progress_at = core.now
    if _beyond_credit(core, link, run):
        return
    try:
        check_way(core, link, run.feed, run.route, run.answer)
        if isinstance(run, BadRun):
            raise _found_bad(run)
        if waits_for_addressee(core, run.feed, run.route):
            core.alarm_once("addressee_unknown", str(run.feed), feed=str(run.feed))
        state = core.feeds.get(run.feed)
        wanted = link.wants.get(run.feed)
        if state is not None and wanted is not None and wanted.one and state.frozen and run.answer:
            bisect(core, link, state, wanted, run)
            _acknowledge(core, link, state, run)
            return
        if run.feed in core.evidence or (state is not None and state.frozen):
            raise RemoteFault(Reason.FROZEN, "a fork was found in this feed; a person decides")
        if state is None or not state.head.seq:
            state = _begun(core, run, state)
        fresh = _join(core, link, state, run)
        _check_enrolment(core, state, fresh)
    except RemoteFault as fault:
        drop(core, link, run, run.first_seq, fault.reason, fault.detail)
        return
    _take(core, link, state, run, fresh)


def drop(core: Core, link: Link, run: OpenedRun | BadRun, seq: int, reason: Reason, detail: str) -> None:
    """Never stored: counted against the link, told with its credit, asked for again (fate a)."""
    credit = Credit(lane=int(run.lane), bytes=run.size)  # type: ignore[arg-type]
    core.notice(link, reason, run.feed, detail, epoch=run.epoch, seq=seq, credit=credit)
    if not is_well_named(run.feed):
        core.alarm("run_dropped", peer=link.peer, feed=str(run.feed)[:200], seq=seq, reason=reason.name, detail=detail)
        return  # of no feed, so there is nothing to ask for again
    if run.feed not in link.inn and len(link.inn) >= limits.FEEDS_PER_LINK_MAX:
        close(core, link, Reason.LIMIT_EXCEEDED, "trouble with too many feeds")
        return
    trouble = link.inn.setdefault(run.feed, InFeed())
    if reason is Reason.GAP and trouble.retry_at:
        return  # it was under way behind the one that was dropped
    trouble.bad += 1
    if reason in _WAITS_FOR_REGISTRY:
        trouble.waits_for_registry = True
    if reason not in _NOT_TO_BE_ASKED_AGAIN:
        wait = min(limits.CURSOR_RETRY_MAX_US, limits.CURSOR_RETRY_FIRST_US << min(trouble.bad - 1, 10))
        trouble.retry_at = core.now + wait
        core.wake(trouble.retry_at)
    if reason not in BENIGN:
        core.alarm("run_dropped", peer=link.peer, feed=str(run.feed), seq=seq, reason=reason.name, detail=detail)
    if trouble.bad == limits.BAD_RUNS_ALARM:
        core.alarm("feed_keeps_failing", peer=link.peer, feed=str(run.feed), reason=reason.name)


def send_cursor(core: Core, link: Link, feed: FeedName) -> None:
    """Says "go on from here" for one feed."""
    state = core.feeds.get(feed)
    cursor = Cursor(feed=wire_feed(feed))
    if state is not None:
        cursor.epoch, cursor.seq, cursor.header_hash = state.head
    frame = Frame()
    frame.cursors.cursors.append(cursor)
    core.send(link, frame)


def retry_dropped(core: Core, link: Link) -> None:
    """Asks again for feeds whose back-off has passed."""
    for feed, trouble in link.inn.items():
        if trouble.retry_at and trouble.retry_at <= core.now:
            trouble.retry_at = 0
            send_cursor(core, link, feed)


def retry_waiting(core: Core) -> None:
    """The registry has grown: asks at once for what waited for it."""
    for link in core.open_links():
        for feed, trouble in link.inn.items():
            if trouble.waits_for_registry:
                trouble.waits_for_registry = False
                trouble.retry_at = 0
                send_cursor(core, link, feed)


# --- checks in order --------------------------------------------------------------------------------------------------


def _beyond_credit(core: Core, link: Link, run: OpenedRun | BadRun) -> bool:
    """A second run without credit is a fault of the peer: the session ends."""
    if link.takes_beyond_credit(run.lane, run.size):
        close(core, link, Reason.NO_CREDIT, "a second run without credit")
        return True
    return False


def _found_bad(run: BadRun) -> RemoteFault:
    """Why a run could not be opened, whose way is right."""
    if run.reason is Reason.NOT_YOUR_ORIGIN:
        # It was looked at before the record came that shows the way: ask for it again.
        return RemoteFault(Reason.UNKNOWN_ENROLMENT, "the registry did not show this way yet")
    return RemoteFault(run.reason, run.detail)


def _begun(core: Core, run: OpenedRun, own: FeedState | None) -> FeedState:
    """The state of a feed of which nothing is held, in the epoch of the run. An own feed may have changes that wait:
    after a restore they belong behind what a neighbour still holds of it."""
    header = run.entries[0].header
    suite = core.seams.suites[header.suite]
    if own is not None:
        own.head = core.genesis(run.feed, run.epoch, suite)
        return own
    if sum(1 for name in core.feeds if name.origin == run.feed.origin) >= limits.FEEDS_PER_ORIGIN_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"more than {limits.FEEDS_PER_ORIGIN_MAX} feeds of {run.feed.origin}")
    lane = Lane(header.lane) if header.lane in (1, 2, 3) else Lane.BULK
    return FeedState(run.feed, Route(header.route), lane, core.genesis(run.feed, run.epoch, suite), suite=header.suite)


def _join(core: Core, link: Link, state: FeedState, run: OpenedRun) -> tuple[Opened, ...]:
    """The entries that are new here; RemoteFault if the run does not join the head, FORK if it contradicts it."""
    head = state.head
    if run.epoch != head.epoch:
        raise RemoteFault(Reason.EPOCH_NOT_CONFIRMED, "another epoch than the one held, and none was confirmed")
    if run.first_seq > head.seq + 1:
        raise RemoteFault(Reason.GAP, f"entry {run.first_seq} after head {head.seq}")
    first = run.entries[0]
    fresh = tuple(e for e in run.entries if e.entry.seq > head.seq)
    if fresh:
        if fresh[0].header.prev == head.hash:
            return fresh
        if head.seq == 0:
            raise RemoteFault(Reason.BAD_PREV, "the first entry does not begin this feed")
        contradiction(core, link, state, run)
        raise RemoteFault(Reason.FORK, f"entry {fresh[0].entry.seq} follows another entry {head.seq} than the one held")
    held = core.log.entry(state.name, head.epoch, run.last.seq)
    if held is not None and held.header_hash != run.last.header_hash:
        contradiction(core, link, state, run)
        raise RemoteFault(Reason.FORK, f"another entry {first.entry.seq} than the one held")
    return ()


def _check_enrolment(core: Core, state: FeedState, fresh: tuple[Opened, ...]) -> None:
    """Along a feed the version never falls and rises only by adoption; no entry stands beyond a closing (section 6)."""
    version, suite, prev = state.enrolment, state.suite, state.head.hash
    for opened in fresh:
        header = opened.header
        if int(header.route) != int(state.route):
            raise RemoteFault(Reason.ROUTE_CHANGED, f"route {header.route} in a feed of route {int(state.route)}")
        enrolment = core.registry.enrolment(header.origin, header.enrolment)
        if enrolment is None:
            raise RemoteFault(Reason.UNKNOWN_ENROLMENT, f"version {header.enrolment} of {header.origin}")
        if version and header.enrolment < version:
            raise RemoteFault(Reason.ENROLMENT_FELL, f"version {header.enrolment} after {version}")
        if header.suite < suite:
            raise RemoteFault(Reason.SUITE_FELL, f"suite {header.suite} after {suite}")
        if version and header.enrolment > version:
            check_adoption(core.registry, core.seams.suites, opened, version, enrolment, prev)
        limit = core.registry.closed_at(header.origin, header.enrolment, header.publication, header.addressee)
        if limit is not None and (limit[0] != header.epoch or header.seq > limit[1]):
            raise RemoteFault(Reason.ENROLMENT_CLOSED, f"version {header.enrolment} counts up to entry {limit[1]}")
        version, suite, prev = header.enrolment, header.suite, opened.entry.header_hash


def check_adoption(
    registry: Registry, suites: Suites, opened: Opened, version: int, new: Enrolment, prev: bytes
) -> None:
    """Whether an entry may pass its feed from `version` to the enrolment `new`; RemoteFault if not. fsck asks too."""
    header, payload = opened.header, opened.content
    old = registry.enrolment(header.origin, version)
    if int(header.kind) != Kind.ADOPTION or old is None:
        raise RemoteFault(Reason.ADOPTION_MISSING, f"version {new.version} without an adoption entry")
    if not isinstance(payload, AdoptionPayload):
        try:
            payload = AdoptionPayload.FromString(opened.entry.payload)
        except DecodeError as error:
            raise RemoteFault(Reason.MALFORMED, "an adoption that does not parse") from error
    if any(
        later.key_lost for v in range(version + 1, new.version + 1) if (later := registry.enrolment(header.origin, v))
    ):
        return
    if new.suite not in suites or old.suite not in suites:
        raise RemoteFault(Reason.MALFORMED, "an enrolment of a suite that is not known here")
    message = adoption_message(suites[new.suite], prev, new.version, new.public_key)
    if not suites[old.suite].verify(old.public_key, payload.old_signature, message):
        raise RemoteFault(
            Reason.ADOPTION_MISSING, f"the adoption of version {new.version} is not signed by the old key"
        )


# --- taking -----------------------------------------------------------------------------------------------------------


def _take(core: Core, link: Link, state: FeedState, run: OpenedRun, fresh: tuple[Opened, ...]) -> None:
    """Stores, applies, acknowledges. The caller commits; the Ack is done after that."""
    if fresh:
        last = fresh[-1]
        core.feeds[state.name] = state
        state.head = Head(run.epoch, last.entry.seq, last.entry.header_hash)
        state.enrolment, state.suite = last.header.enrolment, last.header.suite
        state.entries += len(fresh)
        if last.header.lane in (1, 2, 3):
            state.lane = Lane(last.header.lane)
        times = [opened.header.hlc for opened in fresh]
        core.do(Append(state.name, run.epoch, [opened.entry for opened in fresh], times))
        core.tick_hlc(last.header.hlc)
        if state.name.origin == core.me.node:
            take_own_back(core, state, fresh)
        elif core.applies(state.name, int(state.route)):
            apply_entries(core, state, fresh)
            core.receipts_due.add(state.name.origin)
        core.save(state)
        core.dirty_out[state.name] = None
        if state.name.publication == REGISTRY:
            core.registry_grew = True
    trouble = link.inn.pop(run.feed, None)
    if trouble is not None and (trouble.retry_at or trouble.waits_for_registry):
        # The sender was told to leave this feed alone, and this run was on its way already.
        send_cursor(core, link, run.feed)
    _progress_want(core, link, state, fresh)
    _acknowledge(core, link, state, run)


def _progress_want(core: Core, link: Link, state: FeedState, fresh: tuple[Opened, ...]) -> None:
    wanted = link.wants.get(state.name)
    if wanted is None:
        return
    if fresh:
        # One answer goes out after the other, so this one's progress is that of all. What was held already is none.
        for other in link.wants.values():
            other.progress_at = core.now
    if wanted.one or state.head.seq >= wanted.until_seq:
        want_done(core, link, state.name)


def _acknowledge(core: Core, link: Link, state: FeedState, run: OpenedRun) -> None:
    ack = Ack()
    ack.committed.append(
        Cursor(feed=wire_feed(state.name), epoch=state.head.epoch, seq=state.head.seq, header_hash=state.head.hash)
    )
    ack.credit.append(Credit(lane=int(run.lane), bytes=run.size))  # type: ignore[arg-type]
    core.send(link, Frame(ack=ack))
