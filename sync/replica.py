"""The core's one door: `handle(event, now) -> effects`.

Sans-I/O: it opens nothing, sends nothing, asks no clock. The runner performs the writes of one or more events in one
transaction (BeforeCommit last), commits, does the acts in order, and tells Committed; what is passed on is read from
the log after that. If anything fails on the way, the replica is thrown away and rebuilt from the store.
"""

from __future__ import annotations

from typing import assert_never

from sync import attachments, compare, origin, receive, recovery, sending, session, statements, withheld
from sync.apply import open_again, rejudge
from sync.core import Core, Identity, Seams, feed_of, named_feeds
from sync.effects import Effect, FeedState
from sync.events import (
    AnchorKnown,
    AttachmentRead,
    BeforeCommit,
    Committed,
    Drain,
    Event,
    FetchAttachment,
    FrameArrived,
    LinkClosed,
    LinkOpened,
    LocalDifferences,
    LocalEnded,
    LocalMove,
    LocalPut,
    LocalRevised,
    RegistryChange,
    Rejudge,
    RowsMadeAgain,
    RunArrived,
    StopFetching,
    Tick,
)
from sync.forks import closed_beyond, evidence_arrived
from sync.link import Link, Phase
from sync.ports import Rebuilt
from sync.reasons import Reason
from sync.values import REGISTRY, Route, is_well_named
from sync.wire.v1.entry_pb2 import Anchor, EntryHeader, RegistryPayload
from sync.wire.v1.frame_pb2 import Frame

_OF_LATER_USE = frozenset({"snapshot_chunk", "version_request"})
"""Kinds that have their place in the wire and no meaning yet."""


class Replica:
    """One node's replication: its feeds, links and registry. One thread owns it."""

    def __init__(self, me: Identity, seams: Seams, rebuilt: Rebuilt) -> None:
        self.core = Core(me, seams, rebuilt)
        _rebuild_registry(self.core)
        self._starting = True
        self._more = True

    def handle(self, event: Event, now: int) -> tuple[Effect, ...]:
        """What follows from an event at this time (microseconds). Raises InputFault, with nothing done, if a local
        caller gave what cannot be taken."""
        core = self.core
        core.now = max(core.now, now)
        core.effects = []
        core.known.forget()
        if self._starting:
            self._starting = False
            self._start()
        self._dispatch(event)
        return tuple(core.effects)

    @property
    def more(self) -> bool:
        """Whether there is work that needs no further event: a Tick should follow at once."""
        return self._more

    def _start(self) -> None:
        core = self.core
        recovery.forget_strangers(core)
        if core.settle_due:
            core.leap_group(core.group)
        statements.recall(core)
        # What parked may have lost its reason just before the last life ended.
        core.rejudge_wanted = bool(core.parked)

    def _dispatch(self, event: Event) -> None:
        core = self.core
        match event:
            case LocalPut():
                origin.local_put(core, event)
                self._more = self._more or core.rejudge_wanted
            case RunArrived():
                link = core.links.get(event.link)
                if link is not None:
                    session.heard(core, link)
                    receive.run_arrived(core, link, event.run)
                    self._after_registry()
                    session.advance(core)
                    self._more = self._more or core.rejudge_wanted
            case FrameArrived():
                link = core.links.get(event.link)
                if link is not None:
                    session.heard(core, link)
                    self._frame(link, event.frame)
                    self._after_registry()
                    session.advance(core)
            case BeforeCommit():
                origin.seal_pending(core)
            case Committed():
                self._committed()
            case Tick():
                self._tick()
            case LocalMove():
                origin.local_move(core, event)
            case RegistryChange():
                origin.registry_change(core, event)
                core.registry_grew = True
                self._after_registry()
            case LinkOpened():
                session.opened(core, event)
            case LinkClosed():
                session.gone(core, event.link)
                session.advance(core)
            case LocalDifferences():
                recovery.differences(core, event)
            case LocalRevised():
                recovery.revised(core, event)
            case LocalEnded():
                recovery.ended(core, event)
            case RowsMadeAgain():
                self._made_again(event)
            case Drain():
                session.drain(core, event.until)
            case Rejudge():
                core.rejudge_wanted = True
                self._more = True
            case FetchAttachment():
                attachments.fetch(core, event)
            case StopFetching():
                attachments.stop(core, event)
            case AttachmentRead():
                attachments.was_read(core, event)
            case AnchorKnown():
                session.take_anchor(core, event.anchor)
                self._after_registry()
            case _:
                assert_never(event)

    def _made_again(self, event: RowsMadeAgain) -> None:
        core = self.core
        for feed, (digest, rows) in event.feeds.items():
            state = core.feeds[feed]
            state.digest, state.rows = digest, rows
            core.save(state)
            core.receipts_due.add(feed.origin)
        # What parked may have waited for a row that was missing.
        core.rejudge_wanted = bool(core.parked)

    def _frame(self, link: Link, frame: Frame) -> None:
        core = self.core
        kind = frame.WhichOneof("kind")
        if kind is None or kind in _OF_LATER_USE:
            link.unknown_frames += 1
        elif not all(is_well_named(feed_of(feed)) for feed in named_feeds(frame, kind)):
            session.close(core, link, Reason.MALFORMED, f"{kind} with a feed's name that is none")
        elif kind == "hello":
            session.hello_arrived(core, link, frame.hello)
        elif link.phase in (Phase.HELLO, Phase.CONTESTED) and kind not in ("notice", "ping", "pong"):
            session.close(core, link, Reason.MALFORMED, f"{kind} before both have said Hello")
        elif link.unproved and kind not in ("cursors", "notice", "ping", "pong"):
            pass  # nothing else is said to whom the registry does not show; in the next session it is
        elif kind == "ack":
            sending.ack_arrived(core, link, frame.ack)
            statements.hasten(core)
        elif kind == "cursors":
            session.cursors_arrived(core, link, frame.cursors)
        elif kind == "want":
            compare.want_arrived(core, link, frame.want)
        elif kind == "statements":
            statements.arrived(core, link, frame.statements)
        elif kind == "notice":
            session.notice_arrived(core, link, frame.notice)
        elif kind == "evidence":
            if not evidence_arrived(core, frame.evidence):
                core.alarm("evidence_refused", peer=link.peer)
        elif kind == "ping":
            session.ping_arrived(core, link, frame.ping)
        elif kind == "pong":
            session.pong_arrived(core, link, frame.pong)
        elif kind == "attachment_want":
            self._of_attachments(link, attachments.want_arrived(core, link, frame.attachment_want))
        elif kind == "attachment_chunk":
            self._of_attachments(link, attachments.chunk_arrived(core, link, frame.attachment_chunk))
        elif kind == "drain" and link.phase is Phase.EXCHANGE:
            # It takes nothing more; what it had under way is still answered.
            link.phase = Phase.DRAINING
        self._more = self._more or core.rejudge_wanted or any(core.waiting.values())

    def _of_attachments(self, link: Link, bad: tuple[Reason, str] | None) -> None:
        if bad is not None:
            session.close(self.core, link, *bad)

    def _after_registry(self) -> None:
        core = self.core
        if not core.registry_grew:
            return
        core.registry_grew = False
        recovery.forget_strangers(core)
        closed_beyond(core)
        core.keep_heirs()
        receive.retry_waiting(core)
        statements.look_again(core)
        for link in list(core.links.values()):
            session.records_came(core, link)
            compare.registry_grew(core, link)
            compare.note_addressees(core, link)
        self._more = True

    def _committed(self) -> None:
        """Everything written so far is durable: it may be passed on."""
        core = self.core
        if core.dirty_out or core.receipts_due:
            statements.hasten(core)
        sending.offer_new(core)
        for link in list(core.links.values()):
            link.taken.clear()  # every run that came before this commit was answered in it
            sending.pump(core, link)

    def _tick(self) -> None:
        core = self.core
        for link in list(core.links.values()):
            session.check_times(core, link)
        session.advance(core)
        for link in list(core.open_links()):
            receive.retry_dropped(core, link)
        more = origin.drain_outbox(core)
        if core.rejudge_wanted or core.rejudge_left:
            rejudge(core)
            more = more or core.rejudge_wanted or bool(core.rejudge_left)
        statements.say(core)
        withheld.check(core)
        attachments.check(core)
        for link in core.links.values():
            # The runner keeps the earliest wish only, and a Tick uses it up.
            core.wake(session.next_deadline(core, link))
        self._more = more


def _rebuild_registry(core: Core) -> None:
    """Replays the registry feeds held, from the root down, then what of the own one waits in the outbox."""
    if core.anchor:
        body = core.seams.verify_anchor(Anchor.FromString(core.anchor))
        if body is not None:
            core.registry.set_anchor(body)
    todo = [
        state
        for name, state in core.feeds.items()
        if name.publication == REGISTRY and state.route is Route.EVERYWHERE and state.head.seq
    ]
    while True:
        ready = [s for s in todo if core.registry.newest(s.name.origin) is not None]
        if not ready:
            break
        for state in ready:
            todo.remove(state)
            _replay(core, state.name.origin, _payloads(core, state))
    own = next((f for f in core.waiting if f.publication == REGISTRY), None)
    if own is not None:
        _replay(
            core,
            own.origin,
            [(0, RegistryPayload.FromString(item.payload)) for item in core.log.outbox(own, 1 << 62, 1 << 30)],
        )


def _payloads(core: Core, state: FeedState) -> list[tuple[int, RegistryPayload]]:
    """(enrolment version it is sealed under, payload) of each entry of a registry feed."""
    found: list[tuple[int, RegistryPayload]] = []
    seq = 1
    while entries := core.log.entries(state.name, state.head.epoch, seq, 1 << 20, 4_096):
        for entry in entries:
            header = EntryHeader.FromString(entry.header)
            # As when it came: what could not be read then, of a later format say, does not count now either.
            content = open_again(core, header, entry.payload)
            if isinstance(content, RegistryPayload):
                found.append((header.enrolment, content))
        seq = entries[-1].seq + 1
    return found


def _replay(core: Core, sealer: str, payloads: list[tuple[int, RegistryPayload]]) -> None:
    for under, payload in payloads:
        for record in payload.records:
            core.registry.admit(sealer, record, under)
