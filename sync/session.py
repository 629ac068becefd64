"""One conversation with one neighbour: hello, compare, exchange, draining (protocol sections 4, 5, 7)."""

from __future__ import annotations

from sync import attachments, limits, sending, statements, withheld
from sync.attachments import ATTACHMENTS
from sync.chain import FORMAT
from sync.compare import compare_all, compare_outgoing, compare_registry, cursor_of, go_on, registry_progress, want_done
from sync.core import Core, feed_of
from sync.effects import CloseLink, SaveAnchor, SaveMeta, SaveSeen
from sync.events import LinkOpened
from sync.forks import tell_evidence
from sync.link import Link, Phase
from sync.reasons import Reason
from sync.recovery import settle
from sync.standing import objection
from sync.values import REGISTRY
from sync.wire.v1.entry_pb2 import Anchor
from sync.wire.v1.frame_pb2 import Cursors, Drain, Frame, Hello, Limits, Notice, Ping, Pong

BENIGN = frozenset({Reason.UNKNOWN_ENROLMENT, Reason.EPOCH_NOT_CONFIRMED, Reason.GAP, Reason.RECOVERING})
"""Reasons that belong to ordinary work (a record is on its way, a run was behind a dropped one): nobody is woken."""

CAPABILITIES = ("rows-msgpack-zstd", "statements", "evidence", ATTACHMENTS)
FORMAT_FLOOR = 1


# --- opening and closing ----------------------------------------------------------------------------------------------


def opened(core: Core, event: LinkOpened) -> None:
    """A link stands; the dialling side says Hello first."""
    link = Link(event.link, event.peer, event.dialled, event.peer == core.me.parent, core.now, event.transport_key_hash)
    link.progress_at = link.heard_at = core.now
    core.links[link.id] = link
    if event.dialled:
        for older in [other for other in core.links.values() if other.peer == link.peer and other is not link]:
            close(core, older, Reason.NONE, "dialled again")
        _say_hello(core, link)
    core.wake(core.now + limits.STEP_TIMEOUT_US)


def close(core: Core, link: Link, reason: Reason, detail: str = "") -> None:
    """Ends a session and says why."""
    if link.phase is Phase.CLOSED:
        return
    if reason is not Reason.NONE:
        core.notice(link, reason, None, detail, closing=True)
    link.phase = Phase.CLOSED
    core.do(CloseLink(link.id, reason, detail))
    gone(core, link.id)


def turn_out(core: Core, link: Link) -> None:
    """Ends the session if the registry does not, or no longer, let this neighbour in."""
    refusal = objection(core, link)
    if refusal is not None:
        close(core, link, *refusal)


def records_came(core: Core, link: Link) -> None:
    """The registry has grown: who is linked may have been suspended, or enrolled with another key."""
    if link.phase in (Phase.COMPARE, Phase.EXCHANGE, Phase.DRAINING) and not link.unproved:
        turn_out(core, link)


def gone(core: Core, link_id: int) -> None:
    """A link has ended; own feeds that were being pulled back over it are no longer."""
    link = core.links.pop(link_id, None)
    if link is None:
        return
    link.phase = Phase.CLOSED
    attachments.link_gone(core, link)
    withheld.count_time(core, link)
    if any(feed in core.recovering for feed in link.wants):
        # Part of an own tail may have come back before the link broke. That feed waits for the rest; others go on.
        core.settle_due = True
    for other in list(core.links.values()):
        if other.contested_by == link_id:
            other.contested_by = 0
        if other.phase is Phase.CONTESTED and not any(
            o.peer == other.peer and o is not other for o in core.links.values()
        ):
            other.phase = Phase.HELLO
            assert other.hello is not None
            _welcome(core, other, other.hello)


def _say_hello(core: Core, link: Link) -> None:
    link.told_not_level = core.restored and core.me.parent not in core.compared and bool(core.me.parent)
    hello = Hello(
        format=FORMAT,
        software=core.me.software,
        capabilities=CAPABILITIES,
        federation=core.me.federation,
        node=core.me.node,
        instance=core.me.instance,
        boot=core.me.boot,
        clock_us=max(0, core.now),
        limits=Limits(
            message_bytes=limits.MESSAGE_BYTES_MAX,
            entry_bytes=limits.ENTRY_BYTES_MAX,
            urgent_credit_bytes=limits.URGENT_CREDIT_BYTES,
            bulk_credit_bytes=limits.BULK_CREDIT_BYTES,
        ),
        restored_not_level=link.told_not_level,
    )
    if core.anchor:
        hello.anchor.ParseFromString(core.anchor)
    held = [name for name, state in core.feeds.items() if name.publication == REGISTRY and not state.frozen]
    # The peer's own tells it whether it came back wrong. Of what is left out it sends again what is held already.
    held.sort(key=lambda name: (name.origin != link.peer, core.registry.depth(name.origin)))
    for name in held[: limits.CURSORS_PER_FRAME_MAX]:
        hello.registry.append(cursor_of(core, name))
    core.send(link, Frame(hello=hello))


# --- hello ------------------------------------------------------------------------------------------------------------


def hello_arrived(core: Core, link: Link, hello: Hello) -> None:
    """Checks who speaks; refuses with the reason, or goes on to compare."""
    if link.hello is not None:
        close(core, link, Reason.MALFORMED, "Hello twice")
        return
    link.hello = hello
    refusal = _refuse(core, link, hello)
    if refusal is not None:
        close(core, link, *refusal)
        return
    link.format = min(FORMAT, hello.format)
    link.capabilities = frozenset(CAPABILITIES) & frozenset(hello.capabilities)
    older = [o for o in core.links.values() if o.peer == link.peer and o is not link and o.phase is not Phase.CLOSED]
    if older and not link.dialled:
        link.phase = Phase.CONTESTED
        for other in older:
            other.contested_by = link.id
            other.ping_at = core.now
            core.send(other, Frame(ping=Ping(nonce=link.id, clock_us=max(0, core.now))))
        core.wake(core.now + limits.OLD_SESSION_ANSWER_US)
        return
    _welcome(core, link, hello)


def _refuse(core: Core, link: Link, hello: Hello) -> tuple[Reason, str] | None:
    if hello.federation != core.me.federation:
        return Reason.FEDERATION_MISMATCH, f"this is federation {core.me.federation}"
    if hello.format < FORMAT_FLOOR:
        return Reason.VERSION_TOO_OLD, f"format {hello.format}, at least {FORMAT_FLOOR}"
    if hello.node != link.peer:
        return Reason.NOT_ENROLLED, "the certificate is not the one of the node that speaks"
    if len(hello.instance) != 16 or len(hello.boot) != 16:
        return Reason.MALFORMED, "instance or boot id is not 16 bytes"
    # A parent that was enrolled anew brings the record of it itself: it is asked when its registry has come (compare).
    return None if link.to_parent else objection(core, link)


def _welcome(core: Core, link: Link, hello: Hello) -> None:
    """The peer may speak: answer, compare. A parent that the registry does not show brings its registry first."""
    if hello.HasField("anchor"):
        take_anchor(core, hello.anchor.SerializeToString(), from_child=not link.to_parent)
    link.unproved = link.to_parent and objection(core, link) is not None
    if not link.unproved and not _remember(core, link, hello):
        return
    if not link.dialled:
        _say_hello(core, link)
    link.phase = Phase.COMPARE
    link.progress_at = core.now
    credit = hello.limits
    link.urgent.credit = min(limits.URGENT_CREDIT_BYTES, credit.urgent_credit_bytes or limits.URGENT_CREDIT_BYTES)
    link.bulk.credit = min(limits.BULK_CREDIT_BYTES, credit.bulk_credit_bytes or limits.BULK_CREDIT_BYTES)
    compare_registry(core, link, hello)


def _prove(core: Core, link: Link) -> None:
    """All of its registry that this parent named has come, or will not: now the registry shows it, or it never does."""
    turn_out(core, link)
    if link.phase is not Phase.COMPARE:
        return
    assert link.hello is not None
    link.unproved = False
    if _remember(core, link, link.hello):
        compare_outgoing(core, link, link.hello)
        registry_progress(core, link)


def _remember(core: Core, link: Link, hello: Hello) -> bool:
    """The peer is who it says: keeps this life of it. False, and the session is closed, if it is not alone.

    Of a parent not shown by the registry nothing is kept: an impostor's life would make a clone of the true one.
    """
    if link.peer in core.clones or not core.note_seen(link.peer, hello.instance, hello.boot):
        core.clones.add(link.peer)
        core.do(SaveMeta("suspended_clone", " ".join(sorted(core.clones))))
        core.alarm("clone", peer=link.peer, instance=hello.instance.hex())
        close(core, link, Reason.CLONE, "a copy of this node was seen; an operator must clear it")
        return False
    core.seen_order += 1
    core.do(SaveSeen(link.peer, hello.instance, hello.boot, core.seen_order, core.now))
    return True


def take_anchor(core: Core, data: bytes, from_child: bool = False) -> bool:
    """Takes an anchor if the root signed it and it is newer; False if it is not acceptable."""
    if data == core.anchor:
        return True
    body = core.seams.verify_anchor(Anchor.FromString(data))
    if body is None:
        core.alarm("anchor_refused", reason="signature")
        return False
    reason = core.registry.set_anchor(body)
    if reason is not Reason.NONE:
        if body.serial >= core.registry.anchor_serial or not from_child:
            # A child that was away still has an older one, and gets the newer.
            core.alarm("anchor_refused", reason=reason.name)
        return False
    core.anchor = data
    core.registry_grew = True
    core.do(SaveAnchor(data))
    return True


# --- compare ----------------------------------------------------------------------------------------------------------


def cursors_arrived(core: Core, link: Link, cursors: Cursors) -> None:
    """In compare: pages up to "end". Later: "go on from here" for one feed."""
    if len(cursors.cursors) > limits.CURSORS_PER_FRAME_MAX:
        close(core, link, Reason.LIMIT_EXCEEDED, "too many cursors in a frame")
        return
    link.progress_at = core.now
    if link.phase is Phase.COMPARE and not link.cursors_ended:
        single_registry = [c for c in cursors.cursors if c.feed.publication == REGISTRY]
        for cursor in single_registry:
            go_on(core, link, cursor)
        link.peer_cursors.extend(c for c in cursors.cursors if c.feed.publication != REGISTRY)
        if len(link.peer_cursors) > limits.FEEDS_PER_LINK_MAX:
            close(core, link, Reason.LIMIT_EXCEEDED, "too many cursors in a session")
            return
        if cursors.end:
            link.cursors_ended = True
            # Before the registry is level, it is not known which feeds go this way.
            if link.cursors_sent:
                compare_all(core, link)
        return
    for cursor in cursors.cursors:
        go_on(core, link, cursor)


def advance(core: Core) -> None:
    """Compares that nothing holds up any longer, or only for so long, are over, and what came back is settled."""
    for link in list(core.links.values()):
        registry_progress(core, link)
        if link.unproved and not link.registry_goal:
            _prove(core, link)
        maybe_compared(core, link)
    if core.settle_due and not core.pulling and any(link.working for link in core.links.values()):
        settle(core)


def maybe_compared(core: Core, link: Link) -> None:
    """Compare is over when both have said "end" and no Want is open; then each pushes what the other lacks."""
    if link.phase is not Phase.COMPARE or not (link.cursors_sent and link.cursors_ended) or link.wants:
        return
    link.phase = Phase.EXCHANGE
    link.progress_at = link.counted_at = core.now
    for feed in core.evidence:
        tell_evidence(core, link, feed)
    for feed, state in core.feeds.items():
        if core.goes_to(feed, state.route, link.peer) and feed not in link.out and state.head.seq:
            sending.start_feed(core, link, feed, 1)
    for feed in link.out:
        # What had its turn while a Want was open was passed over.
        link.queue(feed, core.feeds[feed].lane)
    _count_as_compared(core, link)
    statements.begin(core, link)
    attachments.go_on(core)
    core.wake(core.now)


def _count_as_compared(core: Core, link: Link) -> None:
    """After a declared restore a feed waits for every neighbour it goes to (protocol section 8.3)."""
    if not core.restored:
        return
    if link.to_parent and link.hello is not None and link.hello.restored_not_level:
        return
    core.compared.add(link.peer)
    core.settle_due = True
    core.do(SaveMeta("compared", " ".join(sorted(core.compared))))
    if all(neighbour in core.compared for neighbour in core.neighbours() if core.is_awaited(neighbour)):
        core.restored = False
        core.do(SaveMeta("restored", 0))
        core.do(SaveMeta("compared", ""))
    if link.to_parent:
        # For a child that was restored too, this node counts as compared only in a session after this one.
        for child in [other for other in core.links.values() if other.told_not_level]:
            close(core, child, Reason.RECOVERING, "level with the parent again: compare anew")


# --- the rest of the conversation -------------------------------------------------------------------------------------


def ping_arrived(core: Core, link: Link, ping: Ping) -> None:
    """Answers; a session that answers while a newer one knocks proves a clone."""
    core.send(link, Frame(pong=Pong(nonce=ping.nonce, clock_us=max(0, core.now))))


def pong_arrived(core: Core, link: Link, pong: Pong) -> None:
    """The peer lives."""
    link.pings_missed = 0
    newer = core.links.get(link.contested_by)
    if newer is None or pong.nonce != link.contested_by:
        return
    core.clones.add(link.peer)
    core.do(SaveMeta("suspended_clone", " ".join(sorted(core.clones))))
    core.alarm("clone", peer=link.peer, instance=newer.hello.instance.hex() if newer.hello else "")
    for other in (newer, link):
        close(core, other, Reason.CLONE, "two live sessions of one node; an operator must clear it")


def notice_arrived(core: Core, link: Link, notice: Notice) -> None:
    """The peer dropped something, or ends the session."""
    reason = Reason(notice.reason) if notice.reason in Reason._value2member_map_ else Reason.MALFORMED
    if notice.HasField("credit"):
        sending.give_back(core, link, notice.credit)
    if notice.HasField("feed"):
        feed = feed_of(notice.feed)
        out = link.out.get(feed)
        if out is not None:
            # Left alone on this link until the peer says where to go on (protocol section 3).
            out.paused = True
        wanted = link.wants.get(feed)
        if reason in (Reason.CURSOR_BEYOND_HEAD, Reason.EPOCH_UNKNOWN) and wanted is not None:
            want_done(core, link, feed)
    if reason not in BENIGN:
        core.alarm(
            "peer_notice", peer=link.peer, reason=reason.name, detail=notice.detail[:300], feed=_feed_text(notice)
        )
    if notice.closing:
        if reason is Reason.CLONE:
            core.alarm("clone", peer=link.peer, instance=core.me.instance.hex())
        link.phase = Phase.CLOSED
        core.do(CloseLink(link.id, reason, notice.detail[:300]))
        gone(core, link.id)


def _feed_text(notice: Notice) -> str:
    return str(feed_of(notice.feed)) if notice.HasField("feed") else ""


def check_times(core: Core, link: Link) -> None:
    """Ten seconds without progress in a step, silence on the link, an old session that does not answer."""
    if link.phase is Phase.CLOSED:
        return
    unproved = [feed for feed, wanted in link.wants.items() if core.now - wanted.progress_at >= limits.STEP_TIMEOUT_US]
    stuck = link.phase in (Phase.HELLO, Phase.COMPARE) and core.now - link.progress_at >= limits.STEP_TIMEOUT_US
    for feed in unproved:
        # Said in compare or later: while a Want for an own feed is open, this node seals nothing.
        epoch = link.wants[feed].epoch
        core.notice(link, Reason.CURSOR_BEYOND_HEAD, feed, "the cursor was not proved", epoch=epoch)
        core.alarm("cursor_not_proved", peer=link.peer, feed=str(feed))
    if unproved or stuck:
        # The feed is not taken for level: the next session compares it anew.
        close(core, link, Reason.TIMEOUT, f"no progress in {link.phase.value}")
        return
    if link.phase is Phase.CONTESTED:
        older = [o for o in core.links.values() if o.contested_by == link.id]
        if all(core.now - o.ping_at >= limits.OLD_SESSION_ANSWER_US for o in older):
            for other in older:
                close(core, other, Reason.TIMEOUT, "a newer session of the same node took over")
        return
    if link.sent and core.now - link.sent[0].at >= limits.RUN_ANSWER_US:
        # Its bytes became something else, or the peer forgot it. The next session compares heads and sends it again.
        close(core, link, Reason.TIMEOUT, "a run was not answered")
        return
    _check_silence(core, link)


def _check_silence(core: Core, link: Link) -> None:
    quiet = core.now - max(link.heard_at, link.ping_at if link.pings_missed else 0)
    if quiet >= limits.PING_AFTER_US:
        if link.pings_missed >= limits.PINGS_MISSED_MAX:
            close(core, link, Reason.TIMEOUT, "no sign of life")
            return
        link.pings_missed += 1
        link.ping_at = core.now
        link.ping_nonce += 1
        core.send(link, Frame(ping=Ping(nonce=link.ping_nonce | 1 << 48, clock_us=max(0, core.now))))


def next_deadline(core: Core, link: Link) -> int:
    """When this link next needs a Tick, if nothing comes before."""
    deadline = max(link.heard_at, link.ping_at if link.pings_missed else 0) + limits.PING_AFTER_US
    if link.phase in (Phase.HELLO, Phase.COMPARE):
        deadline = min(deadline, link.progress_at + limits.STEP_TIMEOUT_US)
        if link.registry_goal:
            deadline = min(deadline, link.goal_at + limits.REGISTRY_GOAL_US)
    elif link.phase is Phase.CONTESTED:
        asked = [o.ping_at for o in core.links.values() if o.contested_by == link.id]
        # However long nothing is heard of it: newer sessions of the same node may put off its answer again and again.
        deadline = max(asked, default=core.now) + limits.OLD_SESSION_ANSWER_US
    elif link.phase is Phase.EXCHANGE and core.enrolment:
        deadline = min(deadline, link.statements_at)
    if link.sent:
        deadline = min(deadline, link.sent[0].at + limits.RUN_ANSWER_US)
    for wanted in link.wants.values():
        deadline = min(deadline, wanted.progress_at + limits.STEP_TIMEOUT_US)
    return min([deadline, *(trouble.retry_at for trouble in link.inn.values() if trouble.retry_at)])


def heard(core: Core, link: Link) -> None:
    """Any frame is a sign of life."""
    link.heard_at = core.now
    link.pings_missed = 0


def drain(core: Core, until: int) -> None:
    """Says "no more from me; I wait for your acks" on every working link."""
    for link in core.links.values():
        if link.phase is Phase.EXCHANGE:
            core.send(link, Frame(drain=Drain(until_us=until)))
            link.phase = Phase.DRAINING
