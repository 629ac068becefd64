"""After a recovery: what own feeds say is compared with each row's published image (protocol section 8.2).

What differs goes out again above all versions found; the answer is one LocalDifferences event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from node.store.store import Store
from sync.chain import open_content
from sync.effects import FeedState
from sync.events import LocalDifferences
from sync.judge import Judge, LocalRows, Outgoing, Publisher
from sync.replica import Replica
from sync.rows import (
    EMPTY_DIGEST,
    End,
    EndKind,
    RowBatch,
    digest_rows,
    key_getter,
    to_schema_order,
)
from sync.schema import RowSchema
from sync.values import FeedName, Key, Kind, Row
from sync.wire.v1.entry_pb2 import EntryHeader

READ_BYTES = 1024 * 1024


class Said(NamedTuple):
    """What a feed says of one row: cells in schema order."""

    version: int
    cells: Row


def replay(store: Store, judge: Judge, state: FeedState, dataset: str) -> dict[Key, Said]:
    """The live rows of a feed, from its stored entries alone."""
    rows: dict[Key, Said] = {}
    for header, batch in _batches(store, judge, state):
        schema = judge.schema(state.name.publication, batch.dataset)
        if schema is None or batch.dataset != dataset:
            continue
        key_of, order = key_getter(schema, batch.columns), to_schema_order(schema, batch.columns)
        for put in batch.puts:
            rows[key_of(put)] = Said(header.group, put if order is None else order(put))
        for end in batch.ends:
            rows.pop(end.key, None)
    return rows


def _batches(store: Store, judge: Judge, state: FeedState) -> Iterator[tuple[EntryHeader, RowBatch]]:
    seq = 1
    while entries := store.entries(state.name, state.head.epoch, seq, READ_BYTES, 4_096):
        for entry in entries:
            header = EntryHeader.FromString(entry.header)
            if int(header.kind) == Kind.RECORDS:
                content = open_content(header, entry.payload, judge.schema)
                if isinstance(content, RowBatch):
                    yield header, content
        seq = entries[-1].seq + 1


def find_differences(store: Store, publisher: Publisher, replica: Replica) -> LocalDifferences:
    """Compares every own row with every own feed of records."""
    core = replica.core
    judge, node = core.seams.judge, core.me.node
    outgoing: list[Outgoing] = []
    feeds: dict[FeedName, tuple[bytes, int]] = {}
    for schema in store.schemas():
        current = {key: (version, row) for key, version, row in store.scan(schema.dataset, node)}
        now = publisher.publish(LocalRows(schema.dataset, [row for _, row in current.values()], (), {}))
        for out in now:
            state = core.feeds.get(FeedName(node, out.publication, out.addressee))
            said = replay(store, judge, state, schema.dataset) if state is not None else {}
            if state is not None:
                live = ((key, s.version, s.cells) for key, s in said.items())
                feeds[state.name] = (digest_rows(live) if said else EMPTY_DIGEST, len(said))
            found = _differ(schema, out, said, current)
            if found.puts or found.ends:
                outgoing.append(found)
    changed = [(dataset, key) for dataset, keys in core.local_keys.items() for key in keys]
    return LocalDifferences(outgoing, feeds, changed)


def _differ(schema: RowSchema, out: Outgoing, said: dict[Key, Said], current: dict[Key, tuple[int, Row]]) -> Outgoing:
    """The puts and ends that bring a feed from what it says to what the rows are."""
    key_of, order = key_getter(schema, out.columns), to_schema_order(schema, out.columns)
    puts: list[Row] = []
    was: list[tuple[Key, int, Row]] = []
    published: set[Key] = set()
    places = [schema.names.index(c) for c in out.columns]
    for put in out.puts:
        key = key_of(put)
        published.add(key)
        before = said.get(key)
        cells = put if order is None else order(put)
        if before is None or before.cells != cells or before.version != current[key][0]:
            puts.append(put)
            if before is not None:
                was.append((key, before.version, tuple(before.cells[p] for p in places)))
    ends: list[End] = []
    for key, before in said.items():
        if key not in published:
            ends.append(End(key, EndKind.LEFT if key in current else EndKind.VOID))
            was.append((key, before.version, tuple(before.cells[p] for p in places)))
    return out._replace(puts=puts, ends=ends, was=was)
