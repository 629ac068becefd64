"""Heads statements and receipts: "nothing new" becomes a fact, withholding is noticed, an origin knows what arrived.

When something changed, at most every 5 s; otherwise every 60 s. Only the newest of each is kept and relayed as it is.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from sync import limits, withheld
from sync.core import Core
from sync.counting import count_parts
from sync.effects import FeedState, SaveStatement
from sync.link import Link, Phase
from sync.suites import HEADS, RECEIPT, Suite
from sync.values import NO_EPOCH, REFUSALS, FeedName, Route
from sync.wire.v1.frame_pb2 import (
    FeedHead,
    FeedReceipt,
    Frame,
    HeadsBody,
    HeadsStatement,
    ReceiptBody,
    ReceiptStatement,
    Statements,
)

Early = ReceiptStatement | HeadsStatement
HEADS_SORT = "heads"
RECEIPT_SORT = "receipt"


def heads_digest(suite: Suite, heads: list[FeedHead]) -> bytes:
    """Digest of a list of heads by the suite of whoever states them, sorted by publication and addressee; fields
    length-prefixed (uint32, big-endian)."""
    parts: list[bytes] = []
    for head in sorted(heads, key=lambda h: (h.publication, h.addressee)):
        fields = (
            head.publication.encode(),
            head.addressee.encode(),
            int(head.route).to_bytes(4, "big"),
            head.epoch,
            head.seq.to_bytes(8, "big"),
            head.header_hash,
            head.row_digest,
        )
        parts.extend(len(f).to_bytes(4, "big") + f for f in fields)
    return suite.hash(HEADS + b"".join(parts))


# --- saying -----------------------------------------------------------------------------------------------------------


def begin(core: Core, link: Link) -> None:
    """A session has come to exchange: the peer gets the newest statements kept for it and those behind it, and fresh
    receipts for every origin there (some may have been lost with an earlier link or start)."""
    link.statements_at = core.now
    for feed, state in core.feeds.items():
        if core.applies(feed, int(state.route)) and core.source(feed) == link.peer and feed.publication != REFUSALS:
            core.receipts_due.add(feed.origin)
    kept: list[Statements] = []
    for (sort, by, about), (body, signature, detail) in core.statements.items():
        if by == core.me.node or core.next_hop(by) == link.peer:
            continue
        if sort == RECEIPT_SORT and core.next_hop(about) == link.peer:
            kept.append(Statements(receipts=[ReceiptStatement(body=body, signature=signature)]))
        elif sort == HEADS_SORT and _concerns(core, by, heads := _heads_of((body, signature, detail)), link.peer):
            whole = HeadsStatement(body=body, signature=signature, heads=heads, whole=True)
            kept.append(Statements(heads=[whole]))
    for statements in kept:
        core.send(link, Frame(statements=statements))


def say(core: Core) -> None:
    """Sends what is due on every working link."""
    for link in list(core.links.values()):
        if link.phase is not Phase.EXCHANGE or core.now < link.statements_at or not core.enrolment:
            continue
        heads, receipts = Statements(), Statements()
        changed = _own_heads(core, link, heads)
        changed = _own_receipts(core, link, receipts) or changed
        link.statements_at = core.now + (limits.STATEMENT_CHANGED_US if changed else limits.STATEMENT_IDLE_US)
        for statements in (heads, receipts):
            # Each list may nearly fill a frame by itself.
            if statements.heads or statements.receipts:
                core.send(link, Frame(statements=statements))


def hasten(core: Core) -> None:
    """Something changed: the next statement is due within 5 s of the last."""
    for link in core.links.values():
        if link.phase is Phase.EXCHANGE:
            soon = core.now + limits.STATEMENT_CHANGED_US
            if link.statements_at > soon:
                link.statements_at = soon
                core.wake(soon)


def _own_heads(core: Core, link: Link, statements: Statements) -> bool:
    """A statement over own acknowledged heads that go out on this link: the whole list when it changed."""
    heads = [head for state in core.feeds.values() if (head := _acknowledged_head(core, link, state)) is not None]
    # Nobody takes more feeds of one origin, or a longer list.
    heads = heads[: limits.FEEDS_PER_ORIGIN_MAX]
    if not heads:
        return False
    digest = heads_digest(core.suite, heads)
    changed = digest != link.statements_told
    link.statements_told = digest
    body = HeadsBody(
        federation=core.me.federation,
        origin=core.me.node,
        instance=core.me.instance,
        boot=core.me.boot,
        counter=core.next_counter(),
        hlc=core.tick_hlc(),
        digest=digest,
        enrolment=core.enrolment,
    ).SerializeToString()
    signature = core.seams.signer.sign(HEADS + core.suite.hash(body))
    statements.heads.append(
        HeadsStatement(body=body, signature=signature, heads=heads if changed else [], whole=changed)
    )
    return changed


def _acknowledged_head(core: Core, link: Link, state: FeedState) -> FeedHead | None:
    """An own head that the peer has acknowledged: one that exists only here could be lost, and is not stated."""
    feed = state.name
    if feed.origin != core.me.node or not core.goes_to(feed, state.route, link.peer) or state.frozen:
        return None
    seq, acked = _acknowledged(core, link, state)
    if not seq:
        return None
    level = seq == state.head.seq and _is_level(core, feed)
    return FeedHead(
        publication=feed.publication,
        addressee=feed.addressee,
        route=int(state.route),  # type: ignore[arg-type]
        epoch=state.head.epoch,
        seq=seq,
        header_hash=acked,
        row_digest=state.digest if level else b"",
    )


def _is_level(core: Core, feed: FeedName) -> bool:
    """Whether an own feed's digest is that of its head: nothing waits to be sealed, or to be found out."""
    unsealed = core.waiting.get(feed) or feed in core.pending
    return not (unsealed or core.settle_due or core.republishing or feed in core.recovering)


def _acknowledged(core: Core, link: Link, state: FeedState) -> tuple[int, bytes]:
    """How far the peer has acknowledged what is held here of an own feed; 0 if not at all. What follows is under
    way, in a feed that is written all the time always something."""
    seq, acked = link.acked.get(state.name, (0, b""))
    return (seq, acked) if acked and acked == _own_hash(core, state, seq) else (0, b"")


def _own_hash(core: Core, state: FeedState, seq: int) -> bytes:
    if seq >= state.head.seq:
        return state.head.hash if seq == state.head.seq else b""
    held = core.log.headers(state.name, state.head.epoch, seq, 1)
    return held[0].header_hash if held else b""


def _own_receipts(core: Core, link: Link, statements: Statements) -> bool:
    """Receipts to the origins that lie behind this link, as many as a frame holds; the others stay due."""
    due = sorted(o for o in core.receipts_due if core.next_hop(o) == link.peer)
    size = 0
    for origin in due[: limits.STATEMENTS_PER_FRAME_MAX]:
        if size >= limits.RECEIPTS_BYTES_ENOUGH:
            break
        core.receipts_due.discard(origin)
        receipt = _receipt(core, origin)
        size += receipt.ByteSize()
        statements.receipts.append(receipt)
    return bool(due)


def _receipt(core: Core, origin: str) -> ReceiptStatement:
    body = ReceiptBody(
        federation=core.me.federation,
        receiver=core.me.node,
        origin=origin,
        instance=core.me.instance,
        counter=core.next_counter(),
        hlc=core.tick_hlc(),
        enrolment=core.enrolment,
    )
    for feed, state in core.feeds.items():
        if feed.origin != origin or feed.publication == REFUSALS or not core.applies(feed, int(state.route)):
            continue
        applied_seq, applied_hash = _applied(core, state)
        body.feeds.append(
            FeedReceipt(
                publication=feed.publication,
                addressee=feed.addressee,
                received_epoch=state.head.epoch,
                received_seq=state.head.seq,
                received_hash=state.head.hash,
                applied_epoch=state.head.epoch,
                applied_seq=applied_seq,
                applied_hash=applied_hash,
                row_digest=b"" if state.parked or state.refused or state.frozen else state.digest,
            )
        )
    refusals = core.feeds.get(FeedName(core.me.node, REFUSALS, origin))
    body.refusals_epoch, body.refusals_seq, body.refusals_hash = refusals.head if refusals else (NO_EPOCH, 0, b"")
    data = body.SerializeToString()
    signature = core.seams.signer.sign(RECEIPT + core.suite.hash(data))
    core.statements[(RECEIPT_SORT, core.me.node, origin)] = (data, signature, b"")
    core.do(SaveStatement(RECEIPT_SORT, core.me.node, origin, data, signature))
    return ReceiptStatement(body=data, signature=signature)


def _applied(core: Core, state: FeedState) -> tuple[int, bytes]:
    """Applied = nothing parked up to there."""
    if not state.parked:
        return state.head.seq, state.head.hash
    first = core.log.first_parked(state.name)
    if not first:
        return state.head.seq, state.head.hash
    entry = core.log.entry(state.name, state.head.epoch, first - 1) if first > 1 else None
    return (entry.seq, entry.header_hash) if entry is not None else (0, b"")


# --- hearing ----------------------------------------------------------------------------------------------------------


def recall(core: Core) -> None:
    """The process starts: what was stated before is still to be held."""
    kept = [(by, _heads_of(said)) for (sort, by, _), said in core.statements.items() if sort == HEADS_SORT]
    for by, heads in kept:
        if by != core.me.node:
            withheld.stated(core, by, heads)


def arrived(core: Core, link: Link, statements: Statements) -> None:
    """Takes and relays what verifies and is newer; the rest is counted."""
    count = len(statements.heads) + len(statements.receipts)
    if count > limits.STATEMENTS_PER_FRAME_MAX:
        core.alarm("statements_refused", peer=link.peer, count=count)
        return
    for receipt in statements.receipts:
        _take_receipt(core, link, receipt)
    for heads in statements.heads:
        _take_heads(core, link, heads)


def _is_early(core: Core, link: Link, sort: str, by: str, about: str, enrolment: int, said: Early) -> bool:
    """Whether a registry record is still on its way that would prove a statement, or show whom it is about: it is
    looked at again then. Nothing about a node that nobody enrolled is ever kept."""
    shown = not about or core.registry.newest(about) is not None
    if shown and core.registry.enrolment(by, enrolment) is not None:
        return False
    key, size = (sort, by, about), said.ByteSize()
    others = sum(core.early_sizes.values()) - core.early_sizes.get(key, 0)
    if len(core.early) < limits.EARLY_STATEMENTS_MAX and others + size <= limits.EARLY_STATEMENTS_BYTES_MAX:
        core.early[key], core.early_sizes[key] = (link.id, said), size
    return True


def look_again(core: Core) -> None:
    """The registry has grown: statements that came before their record may be taken now."""
    early, core.early, core.early_sizes = core.early, {}, {}
    for link_id, said in early.values():
        link = core.links.get(link_id)
        if link is None:
            continue
        if isinstance(said, ReceiptStatement):
            _take_receipt(core, link, said)
        else:
            _take_heads(core, link, said)


def _verified(core: Core, signer: str, enrolment: int, domain: bytes, body: bytes, signature: bytes) -> Suite | None:
    """The suite of the enrolment that signed; None if it did not."""
    record = core.registry.enrolment(signer, enrolment)
    suite = core.seams.suites.get(record.suite) if record is not None else None
    if record is None or suite is None or not suite.verify(record.public_key, signature, domain + suite.hash(body)):
        return None
    return suite


def _take_receipt(core: Core, link: Link, statement: ReceiptStatement) -> None:
    most = limits.FEEDS_PER_ORIGIN_MAX + limits.MESSAGE_FIELDS_MAX
    if statement.ByteSize() > limits.STATEMENT_BYTES_MAX or count_parts(statement.body, most, depth=1) > most:
        core.alarm("statement_refused", peer=link.peer, sort=RECEIPT_SORT)
        return
    try:
        body = ReceiptBody.FromString(statement.body)
    except DecodeError:
        core.alarm("statement_refused", peer=link.peer, sort=RECEIPT_SORT)
        return
    key = (RECEIPT_SORT, body.receiver, body.origin)
    held = core.statements.get(key)
    if held is not None and ReceiptBody.FromString(held[0]).counter >= body.counter:
        return
    if _is_early(core, link, *key, body.enrolment, statement):
        return
    if (
        body.federation != core.me.federation
        or core.next_hop(body.receiver) != link.peer
        or not _verified(core, body.receiver, body.enrolment, RECEIPT, statement.body, statement.signature)
    ):
        core.alarm("statement_refused", peer=link.peer, sort=RECEIPT_SORT, by=body.receiver)
        return
    core.statements[key] = (statement.body, statement.signature, b"")
    core.do(SaveStatement(RECEIPT_SORT, body.receiver, body.origin, statement.body, statement.signature))
    if body.origin != core.me.node:
        _pass_on(core, body.origin, Statements(receipts=[statement]))
    else:
        _compare_rows(core, body)


def _compare_rows(core: Core, body: ReceiptBody) -> None:
    """What a receiver says of its rows of own feeds against the own ones, where both stand at the same head."""
    for said in body.feeds:
        state = core.feeds.get(FeedName(core.me.node, said.publication, said.addressee))
        if state is None or not said.row_digest or not _is_level(core, state.name):
            continue
        if (said.received_epoch, said.received_seq, said.received_hash) != state.head or state.frozen:
            continue
        about = f"{state.name} {body.receiver}"
        if said.row_digest == state.digest:
            core.alarmed.discard(("rows_diverge_there", about))
        else:
            core.alarm_once("rows_diverge_there", about, feed=str(state.name), seq=state.head.seq, by=body.receiver)


def _pass_on(core: Core, target: str, statements: Statements) -> None:
    link = core.link_to(core.next_hop(target))
    if link is not None and link.phase is Phase.EXCHANGE:
        core.send(link, Frame(statements=statements))


def _take_heads(core: Core, link: Link, statement: HeadsStatement) -> None:
    try:
        body = HeadsBody.FromString(statement.body)
    except DecodeError:
        core.alarm("statement_refused", peer=link.peer, sort=HEADS_SORT)
        return
    key = (HEADS_SORT, body.origin, "")
    held = core.statements.get(key)
    if held is not None:
        before = HeadsBody.FromString(held[0])
        if before.boot == body.boot and before.counter >= body.counter:
            if before.counter > body.counter:
                core.alarm("statement_refused", peer=link.peer, sort=HEADS_SORT, by=body.origin)
            return
    if _is_early(core, link, *key, body.enrolment, statement):
        return
    suite = _verified(core, body.origin, body.enrolment, HEADS, statement.body, statement.signature)
    if suite is None or body.federation != core.me.federation or core.next_hop(body.origin) != link.peer:
        core.alarm("statement_refused", peer=link.peer, sort=HEADS_SORT, by=body.origin)
        return
    heads = list(statement.heads) if statement.whole else _heads_of(held)
    whole = HeadsStatement(body=statement.body, signature=statement.signature, heads=heads, whole=True)
    if len(statement.heads) > limits.FEEDS_PER_ORIGIN_MAX or whole.ByteSize() > limits.STATEMENT_BYTES_MAX:
        core.alarm("statement_refused", peer=link.peer, sort=HEADS_SORT, by=body.origin)
        return
    if heads_digest(suite, heads) != body.digest:
        # The list that belongs to this statement did not come: it will, whole, with the next session or change.
        return
    detail = HeadsStatement(heads=heads).SerializeToString()
    core.statements[key] = (statement.body, statement.signature, detail)
    core.do(SaveStatement(HEADS_SORT, body.origin, "", statement.body, statement.signature, detail))
    withheld.stated(core, body.origin, heads)
    for other in core.links.values():
        if other.phase is Phase.EXCHANGE and other is not link and _concerns(core, body.origin, heads, other.peer):
            core.send(other, Frame(statements=Statements(heads=[whole])))


def _heads_of(held: tuple[bytes, bytes, bytes] | None) -> list[FeedHead]:
    return list(HeadsStatement.FromString(held[2]).heads) if held is not None else []


def _concerns(core: Core, origin: str, heads: list[FeedHead], peer: str) -> bool:
    return any(
        h.route in (1, 2, 3, 4, 5)
        and core.goes_to(FeedName(origin, h.publication, h.addressee), Route(int(h.route)), peer)
        for h in heads
    )
