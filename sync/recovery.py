"""A node that comes back wrong: its own sealed tail is pulled back first, then it says what its feeds lack (section 8).

While that goes on it seals nothing; local work goes into the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.chain import Opened, open_content
from sync.core import Core
from sync.effects import (
    ClearOutbox,
    DeleteRows,
    FeedState,
    PatchRows,
    Republish,
    SaveMeta,
    SaveMoves,
    UpsertRows,
)
from sync.events import LocalDifferences
from sync.origin import emit_rows
from sync.payload import encode_records
from sync.rows import EndKind, RowBatch, key_getter
from sync.values import FeedName, Key, Kind
from sync.wire.v1.entry_pb2 import EntryHeader, MovePayload, RegistryPayload


def begin(core: Core, feed: FeedName, peer: str) -> None:
    """A neighbour holds more of an own feed than this node: state recovering, shown everywhere."""
    if not core.recovering:
        core.local_keys = _changed_since_start(core)
    core.recovering.add(feed)
    core.do(SaveMeta("recovering", 1))
    core.alarm("recovering", feed=str(feed), peer=peer)


def take_own_back(core: Core, state: FeedState, fresh: Sequence[Opened]) -> None:
    """Own sealed entries come back from a neighbour: their rows hold, except where this life has changed them since."""
    for opened in fresh:
        header, content = opened.header, opened.content
        core.found_group = max(core.found_group, header.group)
        core.returned.add(opened.entry.payload_digest)
        if isinstance(content, RowBatch):
            _take_rows(core, header, content)
        elif isinstance(content, MovePayload):
            decided = any(m.move_id == content.body.move_id for m in core.known.task(content.body.task))
            if content.body.number or not decided:
                core.do(SaveMoves(content.body.task, [content.body]))
                core.known.note([content.body])
        elif isinstance(content, RegistryPayload):
            for record in content.records:
                core.registry.admit(core.me.node, record, header.enrolment)
            core.registry_grew = True


def finished(core: Core, feed: FeedName) -> None:
    """One own feed is level with its neighbour again; when all are, the outbox is made anew."""
    core.recovering.discard(feed)
    if core.recovering:
        return
    core.group_floor = max(core.group, core.found_group)
    core.leap_group(core.group_floor)
    core.do(SaveMeta("recovering", 0))
    ask_for_differences(core)


def ask_for_differences(core: Core) -> None:
    """Empties the outbox of record changes and asks the runner to compare rows with feeds."""
    core.do(ClearOutbox())
    for feed in list(core.waiting):
        if _carries_records(core, feed):
            core.waiting[feed] = 0
    core.republishing = True
    core.do(SaveMeta("republish", 1))
    core.do(Republish())


def differences(core: Core, event: LocalDifferences) -> None:
    """Says, above all versions found, what own feeds lack; lists rows that both lives changed."""
    core.republishing = False
    core.do(SaveMeta("republish", 0))
    for feed, (digest, rows) in event.feeds.items():
        state = core.feeds.get(feed)
        if state is not None:
            state.digest, state.rows = digest, rows
            core.save(state)
    group = core.next_group()
    for out in event.outgoing:
        schema = core.seams.judge.schema(out.publication, out.dataset)
        assert schema is not None
        emit_rows(core, out, encode_records(out.dataset, out.columns, out.puts, out.ends), group)
        if out.puts:
            versions = [group] * len(out.puts)
            core.do(PatchRows(out.dataset, core.me.node, out.columns, out.puts, versions))
    if event.both_changed:
        core.alarm("rows_changed_in_both_lives", count=len(event.both_changed))


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


def _take_rows(core: Core, header: EntryHeader, batch: RowBatch) -> None:
    schema = core.seams.judge.schema(header.publication, batch.dataset)
    if schema is None:
        return
    ours = core.local_keys.get(batch.dataset, set())
    key_of = key_getter(schema, batch.columns)
    puts = [put for put in batch.puts if key_of(put) not in ours]
    held = core.log.held(batch.dataset, core.me.node, [key_of(put) for put in puts])
    patch = [p for p in puts if (row := held.get(key_of(p))) is not None and row.version < header.group]
    new = [p for p in puts if key_of(p) not in held]
    if patch:
        versions = [header.group] * len(patch)
        core.do(PatchRows(batch.dataset, core.me.node, batch.columns, patch, versions))
    if new:
        core.do(UpsertRows(batch.dataset, core.me.node, None, batch.columns, new, header.group))
        core.alarm_once("rows_lack_held_back_columns", batch.dataset, dataset=batch.dataset)
    gone = [end.key for end in batch.ends if end.kind is EndKind.VOID and end.key not in ours]
    if gone:
        core.do(DeleteRows(batch.dataset, core.me.node, gone))
