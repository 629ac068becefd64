"""Own feeds: from a local change to a sealed entry (protocol 8, "An origin seals only what it is about to send").

A local change is committed to the row tables and, per feed, either sealed in the same transaction (a neighbour it goes
to is past compare) or put into the outbox. The outbox keeps order; a sealed entry is never taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync import limits
from sync.chain import Draft, adoption_message, entry_size, make_entry, seal
from sync.core import Core
from sync.effects import (
    Append,
    BurnInvite,
    DeleteRows,
    FeedState,
    LogEntry,
    OutboxItem,
    Queue,
    Reply,
    SaveMeta,
    SaveMoves,
    Unqueue,
    UpsertRows,
)
from sync.errors import InputFault
from sync.events import LocalMove, LocalPut, RegistryChange
from sync.judge import Outgoing
from sync.overtaken import still_stands
from sync.payload import CODEC_MESSAGE, Encoded, encode_records
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.refusals import in_payloads
from sync.rows import key_getter, row_hash, shift_digest, sum_hashes, to_schema_order
from sync.suites import PAYLOAD
from sync.values import MOVES, REFUSALS, REGISTRY, FeedName, Head, Kind, Lane, Route
from sync.wire.v1.entry_pb2 import (
    AdoptionPayload,
    MoveBody,
    MovePayload,
    Refusal,
    RegistryPayload,
)

DRAIN_BYTES = 1024 * 1024
DRAIN_ITEMS = 2_000


# --- local changes ----------------------------------------------------------------------------------------------------


def local_put(core: Core, event: LocalPut) -> None:
    """Commits rows of this node and what each publication says of them. Raises InputFault with nothing written."""
    check_living(core)
    rows = event.rows
    outgoing = core.seams.publisher.publish(rows)
    encoded = [encode_records(o.dataset, o.columns, o.puts, o.ends) for o in outgoing if o.puts or o.ends]
    schema = core.seams.judge.schema("", rows.dataset)
    if schema is None:
        raise InputFault(Reason.UNKNOWN_DATASET, Phrase("dataset '{}'", rows.dataset))
    group = core.next_group()
    if rows.puts:
        core.do(UpsertRows(rows.dataset, core.me.node, None, schema.names, rows.puts, group))
    if rows.voids:
        core.do(DeleteRows(rows.dataset, core.me.node, [key for key, _ in rows.voids]))
    core.rows_changed(rows.dataset)
    if core.pulling or core.republishing:
        # Work goes on while the own tail comes back, and what is done now holds against it.
        keys = core.local_keys.setdefault(rows.dataset, set())
        keys.update(map(key_getter(schema, schema.names), rows.puts), (key for key, _ in rows.voids))
    for out, payload in zip((o for o in outgoing if o.puts or o.ends), encoded, strict=True):
        emit_rows(core, out, payload, group)
    core.do(Reply(event.token, group))


def check_living(core: Core) -> None:
    """Raises InputFault once this node was succeeded: what it took would go nowhere."""
    if core.succeeded_by:
        raise InputFault(
            Reason.ENROLMENT_CLOSED,
            Phrase("this node was succeeded by {}: write there", ", ".join(core.succeeded_by)),
        )


def emit_rows(core: Core, out: Outgoing, encoded: Encoded, group: int) -> None:
    """Puts what one transaction contributes to one feed on its way, and moves the feed's digest."""
    feed = FeedName(core.me.node, out.publication, out.addressee)
    if not _has_audience(core, feed, out.route):
        return
    state = core.own_feed(feed, out.route, out.lane)
    state.lane = out.lane
    # By the dataset alone: rows are also taken back out of a publication that is no longer declared.
    schema = core.seams.judge.schema("", out.dataset)
    assert schema is not None
    order = to_schema_order(schema, out.columns)
    cells = out.puts if order is None else list(map(order, out.puts))
    added = sum_hashes(group, cells)
    before = to_schema_order(schema, out.was_columns) if out.was_columns else order
    removed = sum(row_hash(version, was if before is None else before(was)) for _, version, was in out.was)
    state.digest = shift_digest(state.digest, added, removed)
    state.rows += len(out.puts) - len(out.was)
    draft = Draft(
        Kind.RECORDS,
        out.lane,
        encoded.codec,
        encoded.payload,
        encoded.plain_size,
        encoded.rows,
        out.schema_version,
        group,
    )
    _emit(core, state, draft)


def local_move(core: Core, event: LocalMove) -> None:
    """Commits a move made here and sends it to the other side. Raises InputFault RECOVERING before it is level."""
    check_living(core)
    if core.restored or core.recovering:
        raise InputFault(
            Reason.RECOVERING, Phrase("this node is not yet level with its neighbours; try again in a moment")
        )
    core.do(SaveMoves(event.body.task, [event.body]))
    emit_move(core, event.body, event.to)
    core.do(Reply(event.token, event.body.move_id))


def emit_move(core: Core, body: MoveBody, to: str) -> None:
    """One move, one entry, in the feed addressed to the other side."""
    payload = MovePayload(body=body).SerializeToString()
    feed = FeedName(core.me.node, MOVES, to)
    _emit_message(core, feed, Route.NODE, Lane.URGENT, Kind.MOVE, payload, rows=1)


def emit_refusals(core: Core, origin: str, refusals: Sequence[Refusal]) -> None:
    """Tells an origin what was refused or parked here, in the transaction that did so."""
    feed = FeedName(core.me.node, REFUSALS, origin)
    for told in in_payloads(refusals):
        payload, rows = told.SerializeToString(), len(told.refusals)
        _emit_message(core, feed, Route.NODE, Lane.NORMAL, Kind.REFUSALS, payload, rows=rows)


def registry_change(core: Core, event: RegistryChange) -> None:
    """Says records about own children. Raises InputFault, with none taken, when one could not count anywhere."""
    trial = core.registry.copy()
    said = [trial.admit(core.me.node, record) for record in event.records]
    said += [trial.confirm_epoch(core.me.node, confirmation) for confirmation in event.epochs]
    for reason, detail in said:
        if reason is not Reason.NONE:
            raise InputFault(reason, detail)
    if event.burn:
        core.do(BurnInvite(event.burn, event.records[0].node if event.records else ""))
    for record in event.records:
        core.registry.admit(core.me.node, record)
    payload = RegistryPayload(records=event.records, epochs=event.epochs).SerializeToString()
    feed = FeedName(core.me.node, REGISTRY, "")
    rows = len(event.records) + len(event.epochs)
    _emit_message(core, feed, Route.EVERYWHERE, Lane.URGENT, Kind.REGISTRY, payload, rows=rows)
    core.do(Reply(event.token, tuple(r.node for r in event.records)))


def _emit_message(
    core: Core, feed: FeedName, route: Route, lane: Lane, kind: Kind, payload: bytes, *, rows: int
) -> None:
    group = core.next_group()
    state = core.own_feed(feed, route, lane)
    _emit(core, state, Draft(kind, lane, CODEC_MESSAGE, payload, len(payload), rows, 1, group))


def _has_audience(core: Core, feed: FeedName, route: Route) -> bool:
    """Whether a feed can ever go anywhere from here: the nation has no parent, a node does not address itself."""
    if route in (Route.PARENT, Route.ANCESTORS):
        return bool(core.me.parent)
    return not (route is Route.NODE and feed.addressee == core.me.node)


def _emit(core: Core, state: FeedState, draft: Draft) -> None:
    core.outbox_id += 1
    feed = state.name
    item = OutboxItem(
        core.outbox_id,
        feed,
        state.route,
        draft.lane,
        draft.kind,
        draft.codec,
        draft.payload,
        draft.plain_size,
        draft.rows,
        draft.schema_version,
        draft.group,
    )
    if core.waiting.get(feed, 0) == 0 and core.live(feed, state.route):
        core.pending.setdefault(feed, []).append(item)
    else:
        _queue(core, state, item)


def _queue(core: Core, state: FeedState, item: OutboxItem) -> None:
    core.waiting[state.name] = core.waiting.get(state.name, 0) + 1
    core.do(Queue(item))
    core.do(SaveMeta("outbox_id", core.outbox_id))
    core.save(state)


# --- sealing ----------------------------------------------------------------------------------------------------------


def seal_pending(core: Core) -> None:
    """Before the commit: everything that waits in a working session gets its place in the chain and a seal.

    A later event of the same transaction may have closed the way (a neighbour showed that it holds more, a fork came to
    light): then it goes into the outbox after all.
    """
    pending, core.pending = core.pending, {}
    for feed, items in pending.items():
        state = core.feeds[feed]
        if core.live(feed, state.route):
            _extend(core, state, items)
        else:
            for item in items:
                _queue(core, state, item)


def drain_outbox(core: Core) -> bool:
    """Seals part of what waits in the outbox of live feeds; True when there is more to do."""
    more = False
    for feed, count in sorted(core.waiting.items(), key=lambda item: _drain_rank(core, item[0])):
        state = core.feeds.get(feed)
        if not count or state is None or not core.live(feed, state.route):
            continue
        items = core.log.outbox(feed, DRAIN_BYTES, DRAIN_ITEMS)
        if not items:
            core.waiting[feed] = 0
            continue
        _extend(core, state, items)
        core.do(Unqueue(feed, items[-1].id))
        core.waiting[feed] = max(0, count - len(items))
        more = True
        break
    return more


def _drain_rank(core: Core, feed: FeedName) -> tuple[int, int]:
    state = core.feeds.get(feed)
    return (0 if feed.publication == REGISTRY else 1, int(state.lane) if state else 9)


@dataclass(slots=True)
class _SinceSeal:
    """What has gathered since the last seal of a feed that is being extended."""

    bytes: int = 0
    entries: int = 0
    plain_bytes: int = 0
    rows: int = 0

    def add(self, entry: LogEntry) -> None:
        self.bytes += entry_size(entry)
        self.entries += 1
        self.plain_bytes += entry.plain_size
        self.rows += entry.rows

    def is_due(self, following: LogEntry) -> bool:
        """Whether a seal must stand before the entry that follows: relays cut runs at seals only, so what lies between
        two of them must fit into one."""
        return self.entries > 0 and (
            self.bytes >= limits.SEAL_EVERY_BYTES
            or self.entries >= limits.SEAL_EVERY_ENTRIES
            or self.plain_bytes + following.plain_size > limits.RUN_PLAIN_BYTES_MAX
            or self.rows + following.rows > limits.RUN_ROWS_MAX
        )


def _extend(core: Core, state: FeedState, items: Sequence[OutboxItem]) -> None:
    """Adds entries for these items to the feed, sealed at the last and at the distance of limits."""
    head = state.head
    drafts: list[LogEntry] = []
    times: list[int] = []
    adoption = _adoption(core, state)
    if adoption is not None:
        drafts.append(adoption)
        times.append(core.hlc)
        head = Head(head.epoch, adoption.seq, adoption.header_hash)
    author, suite, signer = core.author, core.suite, core.seams.signer
    state.enrolment, state.suite = author.enrolment, suite.number
    since = _SinceSeal()
    for item in items:
        if (
            core.returned
            and item.kind in (Kind.MOVE, Kind.REFUSALS)
            and suite.hash(PAYLOAD + item.payload) in core.returned
        ):
            continue
        if item.kind is Kind.MOVE and not still_stands(core, item.payload):
            continue
        # Rows keep the version they have in the row table; for other kinds a number that was used twice gets replaced.
        used = item.group <= core.group_floor and item.kind is not Kind.RECORDS
        group = core.next_group() if used else item.group
        draft = Draft(
            item.kind, item.lane, item.codec, item.payload, item.plain_size, item.rows, item.schema_version, group
        )
        entry = make_entry(suite, author, state.name, state.route, head, draft, core.tick_hlc())
        if since.is_due(entry):
            drafts[-1] = seal(signer, drafts[-1])
            since = _SinceSeal()
        since.add(entry)
        drafts.append(entry)
        times.append(core.hlc)
        head = Head(head.epoch, entry.seq, entry.header_hash)
    if not drafts:
        return
    if not drafts[-1].seal:
        drafts[-1] = seal(signer, drafts[-1])
    state.head = head
    state.entries += len(drafts)
    core.do(Append(state.name, head.epoch, drafts, times))
    core.save(state)
    core.dirty_out[state.name] = None


def _adoption(core: Core, state: FeedState) -> LogEntry | None:
    """The entry by which a feed takes a new enrolment version into use, if it is behind the newest (section 6).

    Without the old key at hand (it is not this signer's) the payload is empty: receivers take that only if the record
    says that the old key is lost.
    """
    newest = core.enrolment
    if state.head.seq == 0 or state.enrolment in (0, newest):
        return None
    old = core.registry.enrolment(core.me.node, state.enrolment)
    signature = b""
    # A new version need not bring a new key: then this signer is the old one too.
    for signer in (core.seams.signer, core.seams.old_signer):
        if old is not None and signer is not None and signer.public_key == old.public_key:
            message = adoption_message(core.suite, state.head.hash, newest, core.seams.signer.public_key)
            signature = signer.sign(message)
    payload = AdoptionPayload(old_signature=signature).SerializeToString()
    draft = Draft(Kind.ADOPTION, state.lane, CODEC_MESSAGE, payload, len(payload), 0, 1, core.next_group())
    entry = make_entry(core.suite, core.author, state.name, state.route, state.head, draft, core.tick_hlc())
    return seal(core.seams.signer, entry)
