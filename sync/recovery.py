"""A node that comes back wrong: its own sealed tail is pulled back first, then it says what its feeds lack (section 8).

While that goes on it seals nothing; local work goes into the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync import limits
from sync.chain import Opened, open_content
from sync.core import Core
from sync.effects import (
    ClearOutbox,
    DeleteRows,
    DropReread,
    FeedState,
    PatchRows,
    Reply,
    Republish,
    Reread,
    SaveMeta,
    SaveReread,
    Unqueue,
    UpsertRows,
)
from sync.errors import InputFault
from sync.events import LocalDifferences, LocalEnded, LocalRevised
from sync.judge import Outgoing
from sync.origin import emit_rows
from sync.overtaken import take_move_back
from sync.payload import encode_records
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.rows import EndKind, RowBatch, key_getter
from sync.values import FeedName, Key, Kind
from sync.wire.v1.entry_pb2 import EntryHeader, MovePayload, RegistryPayload


def begin(core: Core, feed: FeedName, peer: str, until: int) -> None:
    """A neighbour holds more of an own feed than this node: state recovering, shown everywhere."""
    if not core.pulling and not core.republishing:
        core.local_keys = _changed_since_start(core)
    claims = core.recovering.setdefault(feed, {})
    if claims.get(peer) != until:
        claims[peer] = until
        core.save_recovering()
    core.do(SaveMeta("republish", 1))
    core.alarm("recovering", feed=str(feed), peer=peer)


def holds_no_more(core: Core, feed: FeedName, peer: str) -> None:
    """What this neighbour was known to hold beyond the own head is back, or it does not hold it (any more)."""
    state = core.feeds.get(feed)
    held = 0 if state is None else state.head.seq
    _keep_claims(core, feed, lambda who, until: who != peer and until > held)


def forget_strangers(core: Core) -> None:
    """Who is no neighbour any more cannot bring what it claimed to hold, and nobody else waits for it."""
    neighbours = core.neighbours()
    for feed in list(core.recovering):
        _keep_claims(core, feed, lambda who, _: who in neighbours)


def _keep_claims(core: Core, feed: FeedName, kept: Callable[[str, int], bool]) -> None:
    claims = core.recovering.get(feed, {})
    left = {who: until for who, until in claims.items() if kept(who, until)}
    if left == claims:
        return
    core.recovering[feed] = left
    if not left:
        del core.recovering[feed]
        # A move that waited for this arbiter to be level may be numbered now.
        core.rejudge_wanted = core.rejudge_wanted or bool(core.parked)
    core.save_recovering()


def settle(core: Core) -> None:
    """Nothing more comes back for now: versions go on above all that was found, and the outbox is made anew."""
    core.settle_due = False
    core.group_floor = max(core.group, core.found_group, _highest_group(core))
    core.leap_group(core.group_floor)
    core.rejudge_wanted = True
    ask_for_differences(core)


def take_own_back(core: Core, state: FeedState, fresh: Sequence[Opened]) -> None:
    """Own sealed entries come back from a neighbour: their rows hold, except where this life has changed them since."""
    written: dict[tuple[str, Key], int] = {}
    for opened in fresh:
        header, content = opened.header, opened.content
        core.found_group = max(core.found_group, header.group)
        core.returned.add(opened.entry.payload_digest)
        if isinstance(content, RowBatch):
            _take_rows(core, header, content, written)
        elif isinstance(content, MovePayload):
            take_move_back(core, content.body)
        elif isinstance(content, RegistryPayload):
            for record in content.records:
                core.registry.admit(core.me.node, record, header.enrolment)
            core.registry_grew = True


def ask_for_differences(core: Core) -> None:
    """Asks the runner to compare rows with feeds; nothing is sealed until the answer is here."""
    core.republishing = True
    core.do(SaveMeta("republish", 1))
    core.do(Republish())


def differences(core: Core, event: LocalDifferences) -> None:
    """Says, above all versions found, what own feeds lack, and how many rows are to be read again from their source.

    It replaces what waits in the outbox of record changes: all of that is in the rows.
    """
    core.republishing = False
    core.do(SaveMeta("republish", 0))
    for feed in [f for f, count in core.waiting.items() if count and _carries_records(core, f)]:
        core.waiting[feed] = 0
    core.do(ClearOutbox())
    core.local_keys, core.voided = {}, {}
    for feed, (digest, rows) in event.feeds.items():
        state = core.feeds.get(feed)
        if state is not None:
            state.digest, state.rows = digest, rows
            core.save(state)
    group = core.next_group()
    for out in event.outgoing:
        _emit(core, out, group)
        schema = core.seams.judge.schema("", out.dataset)
        if out.puts and schema is not None:
            # Only the version moves: what leaves of a row may be less than what is kept of it.
            keys = list(map(key_getter(schema, out.columns), out.puts))
            core.do(PatchRows(out.dataset, core.me.node, schema.key, keys, [group] * len(keys)))
    core.outbox_id_at_start = core.outbox_id
    if count := core.to_reread.pop(Reread.COLUMNS, 0):
        core.alarm("rows_lack_held_back_columns", count=count)
    if count := core.to_reread.pop(Reread.BOTH_LIVES, 0):
        core.alarm("rows_changed_in_both_lives", count=count)


def revised(core: Core, event: LocalRevised) -> None:
    """Says what own feeds have to say of some rows since publications changed. Raises InputFault RECOVERING while a
    comparison of all rows with all feeds is due: that says this too."""
    if is_compare_due(core):
        raise InputFault(Reason.RECOVERING, Phrase("all rows are about to be compared with all feeds"))
    schema = core.seams.judge.schema("", event.dataset)
    assert schema is not None, "its rows are kept here"
    group = core.next_group()
    if event.moved:
        core.do(UpsertRows(event.dataset, core.me.node, None, schema.names, event.moved, group))
    for out in event.outgoing:
        _emit(core, out, group)
    core.do(Reply(event.token, group))


def ended(core: Core, event: LocalEnded) -> None:
    """Takes back what was sealed of feeds that end; of what waits in them nothing leaves any more.

    By contract no comparison of all rows with all feeds is due: that says this too.
    """
    assert not is_compare_due(core), "the comparison says this too"
    for feed, (digest, rows) in event.feeds.items():
        state = core.feeds[feed]
        core.pending.pop(feed, None)
        if core.waiting.get(feed):
            core.waiting[feed] = 0
            core.do(Unqueue(feed, core.outbox_id))
        state.digest, state.rows = digest, rows
        core.save(state)
    group = core.next_group()
    for out in event.outgoing:
        _emit(core, out, group)


def is_compare_due(core: Core) -> bool:
    """Whether all rows are about to be compared with all feeds."""
    return bool(core.recovering) or core.settle_due or core.republishing


def _emit(core: Core, out: Outgoing, group: int) -> None:
    """In as few entries as their bounds allow: a table may be larger than an entry."""
    if len(out.puts) + len(out.ends) <= limits.ROWS_PER_ENTRY_MAX:
        try:
            emit_rows(core, out, encode_records(out.dataset, out.columns, out.puts, out.ends), group)
            return
        except InputFault:
            assert len(out.puts) + len(out.ends) > 1, "a single row was let in, so it fits"
    half_puts, half_ends = len(out.puts) // 2, len(out.ends) // 2
    if out.puts and out.ends:
        first, second = out._replace(ends=()), out._replace(puts=())
    else:
        first = out._replace(puts=out.puts[:half_puts], ends=out.ends[:half_ends])
        second = out._replace(puts=out.puts[half_puts:], ends=out.ends[half_ends:])
    # What the feed said before of all of them is taken off with the first part.
    _emit(core, first, group)
    _emit(core, second._replace(was=()), group)


def _highest_group(core: Core) -> int:
    """The newest version in the logs of own feeds: an earlier start may have pulled it back."""
    heads = [(f, s.head) for f, s in core.feeds.items() if f.origin == core.me.node and s.head.seq]
    entries = [core.log.entry(feed, head.epoch, head.seq) for feed, head in heads]
    return max((EntryHeader.FromString(entry.header).group for entry in entries if entry is not None), default=0)


def _carries_records(core: Core, feed: FeedName) -> bool:
    items = core.log.outbox(feed, 1, 1)
    return bool(items) and items[0].kind is Kind.RECORDS


def _changed_since_start(core: Core) -> dict[str, set[Key]]:
    """Keys of own rows changed since this start, by dataset: for them this life's row holds."""
    changed: dict[str, set[Key]] = {}
    for feed, count in core.waiting.items():
        if not count:
            continue
        for item in core.log.outbox(feed, 1 << 62, 1 << 30):
            if item.id <= core.outbox_id_at_start or item.kind is not Kind.RECORDS:
                continue
            header = EntryHeader(
                publication=feed.publication,
                codec=item.codec,
                payload_size=len(item.payload),
                plain_size=item.plain_size,
                rows=item.rows,
                kind=int(item.kind),  # type: ignore[arg-type]
                format=1,
                schema_version=item.schema_version,
            )
            content = open_content(header, item.payload, core.seams.judge.schema)
            schema = (
                core.seams.judge.schema(feed.publication, content.dataset) if isinstance(content, RowBatch) else None
            )
            if isinstance(content, RowBatch) and schema is not None:
                keys = changed.setdefault(content.dataset, set())
                keys.update(map(key_getter(schema, content.columns), content.puts))
                keys.update(end.key for end in content.ends)
    return changed


def _take_rows(core: Core, header: EntryHeader, batch: RowBatch, written: dict[tuple[str, Key], int]) -> None:
    """Own rows as an own entry says them, where neither this life nor a later entry says otherwise.

    `written`: versions of rows written by this event and not performed yet, 0 where they were taken out.
    """
    dataset, group = batch.dataset, header.group
    schema = core.seams.judge.schema(header.publication, dataset)
    if schema is None:
        return
    ours = core.local_keys.get(dataset, set())
    key_of = key_getter(schema, batch.columns)
    both = [key for key in (*map(key_of, batch.puts), *(end.key for end in batch.ends)) if key in ours]
    _list(core, dataset, Reread.BOTH_LIVES, both)
    puts = [put for put in batch.puts if key_of(put) not in ours]
    ended = [end.key for end in batch.ends if end.kind is EndKind.VOID and end.key not in ours]
    versions = {
        key: row.version for key, row in core.log.held(dataset, core.me.node, [*map(key_of, puts), *ended]).items()
    }
    versions.update({key: version for (name, key), version in written.items() if name == dataset})
    # Equal versions are of one transaction, whose other feed may carry other columns.
    patch = [p for p in puts if 0 < versions.get(key_of(p), 0) <= group]
    new = [p for p in puts if not versions.get(key_of(p), 0)]
    if new or ended:
        voided = _voided(core, dataset)
        voided.update({key: max(voided.get(key, 0), group) for key in ended})
        # Another own feed may have said already that a row ended: it does not come back to life by this one.
        new = [p for p in new if voided.get(key_of(p), 0) <= group]
    if patch:
        core.do(PatchRows(dataset, core.me.node, batch.columns, patch, [group] * len(patch)))
    if new:
        core.do(UpsertRows(dataset, core.me.node, None, batch.columns, new, group))
    if len(batch.columns) < len(schema.names):
        # In rows of this very transaction the rest is what it wrote.
        older = [key_of(p) for p in patch if versions[key_of(p)] < group]
        _list(core, dataset, Reread.COLUMNS, [*map(key_of, new), *older])
    else:
        lacks = core.seams.publisher.lacks
        _list(core, dataset, Reread.COLUMNS, [key_of(p) for p in (*new, *patch) if lacks(dataset, batch.columns, p)])
    gone = [key for key in ended if versions.get(key, 0) <= group]
    if gone:
        core.do(DeleteRows(dataset, core.me.node, gone))
        core.do(DropReread(dataset, gone))
    written.update({(dataset, key_of(put)): group for put in (*patch, *new)})
    written.update({(dataset, key): 0 for key in gone})


def _list(core: Core, dataset: str, why: Reread, keys: Sequence[Key]) -> None:
    if keys:
        core.do(SaveReread(dataset, why, keys, core.now))
        core.to_reread[why] += len(keys)


def _voided(core: Core, dataset: str) -> dict[Key, int]:
    """Versions at which own rows of a dataset were voided, by the logs of all own feeds. Read once, when it matters."""
    known = core.voided.get(dataset)
    if known is not None:
        return known
    found = core.voided[dataset] = {}
    for feed, state in core.feeds.items():
        if feed.origin != core.me.node or core.seams.judge.schema(feed.publication, dataset) is None:
            continue
        seq = 1
        while entries := core.log.entries(feed, state.head.epoch, seq, 1 << 20, 4_096):
            for entry in entries:
                header = EntryHeader.FromString(entry.header)
                content = open_content(header, entry.payload, core.seams.judge.schema)
                for end in content.ends if isinstance(content, RowBatch) else ():
                    if end.kind is EndKind.VOID:
                        found[end.key] = max(found.get(end.key, 0), header.group)
            seq = entries[-1].seq + 1
    return found
