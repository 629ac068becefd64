"""After a recovery: what own feeds say is compared with each row's published image (protocol section 8.2).

What differs goes out again above all versions found; the answer is one LocalDifferences event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from node.store.store import Store
from sync.chain import open_content
from sync.core import Core
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
from sync.values import FeedName, Key, Kind, Row, dataset_of
from sync.wire.v1.entry_pb2 import EntryHeader

READ_BYTES = 1024 * 1024


class Said(NamedTuple):
    """What a feed says of one row: cells in schema order."""

    version: int
    cells: Row


def replay(store: Store, judge: Judge, state: FeedState, dataset: str) -> tuple[dict[Key, Said], tuple[str, ...]]:
    """The live rows of a feed, from its stored entries alone, and the columns that its newest entry carries."""
    rows: dict[Key, Said] = {}
    columns: tuple[str, ...] = ()
    for header, batch in _batches(store, judge, state):
        schema = judge.schema("", batch.dataset)
        if schema is None or batch.dataset != dataset:
            continue
        columns = batch.columns
        key_of, order = key_getter(schema, columns), to_schema_order(schema, columns)
        for put in batch.puts:
            rows[key_of(put)] = Said(header.group, put if order is None else order(put))
        for end in batch.ends:
            rows.pop(end.key, None)
    return rows, columns


def _batches(store: Store, judge: Judge, state: FeedState) -> Iterator[tuple[EntryHeader, RowBatch]]:
    seq = 1
    while entries := store.entries(state.name, state.head.epoch, seq, READ_BYTES, 4_096):
        for entry in entries:
            header = EntryHeader.FromString(entry.header)
            if int(header.kind) == Kind.RECORDS:
                # By the dataset alone: own feeds of publications that are no longer declared are read too.
                content = open_content(header, entry.payload, lambda _, dataset: judge.schema("", dataset))
                if isinstance(content, RowBatch):
                    yield header, content
        seq = entries[-1].seq + 1


def find_differences(store: Store, publisher: Publisher, replica: Replica) -> LocalDifferences:
    """Compares every own row with every own feed of records."""
    core = replica.core
    outgoing: list[Outgoing] = []
    feeds: dict[FeedName, tuple[bytes, int]] = {}
    for schema in store.schemas():
        current = {key: (version, row) for key, version, row in store.scan(schema.dataset, core.me.node)}
        ways = list(_ways(store, publisher, core, schema, [row for _, row in current.values()]))
        # A row's version moves in every feed that carries it, or the next change would take away what was never there.
        differing = {key for out, said in ways for key in _differing(schema, out, said, current)}
        for out, said in ways:
            name = FeedName(core.me.node, out.publication, out.addressee)
            if name in core.feeds:
                # Of the columns it is to carry from now on: what it said in others leaves with the rows that said it.
                carried = _carried(schema, out.columns)
                live = ((s.version, carried(s.cells)) for s in said.values())
                feeds[name] = (digest_rows(live) if said else EMPTY_DIGEST, len(said))
            found = _to_say(schema, out, said, current, differing)
            if found.puts or found.ends:
                outgoing.append(found)
    return LocalDifferences(outgoing, feeds)


def _carried(schema: RowSchema, columns: tuple[str, ...]) -> Callable[[Row], Row]:
    """A function of cells in schema order that leaves these columns only."""
    if len(columns) == len(schema.names):
        return lambda cells: cells
    keep = [name in columns for name in schema.names]
    return lambda cells: tuple(cell if kept else None for cell, kept in zip(cells, keep, strict=True))


def _ways(
    store: Store, publisher: Publisher, core: Core, schema: RowSchema, rows: list[Row]
) -> Iterator[tuple[Outgoing, dict[Key, Said]]]:
    """What each own feed of a dataset should say now, and what it says; also feeds that should say nothing any more."""
    judge, node, dataset = core.seams.judge, core.me.node, schema.dataset
    named: set[FeedName] = set()
    for out in publisher.publish(LocalRows(dataset, rows, (), {})):
        name = FeedName(node, out.publication, out.addressee)
        named.add(name)
        state = core.feeds.get(name)
        yield out, replay(store, judge, state, dataset)[0] if state is not None else {}
    for name, state in core.feeds.items():
        if name.origin != node or name in named or dataset_of(name.publication) != dataset:
            continue
        said, columns = replay(store, judge, state, dataset)
        to = name.publication, name.addressee, state.route, state.lane
        yield Outgoing(*to, dataset, schema.version, columns or schema.key, (), (), ()), said


def _differing(
    schema: RowSchema, out: Outgoing, said: dict[Key, Said], current: dict[Key, tuple[int, Row]]
) -> Iterator[Key]:
    """Keys of rows that a feed says otherwise, or with another version, than they are."""
    key_of, order = key_getter(schema, out.columns), to_schema_order(schema, out.columns)
    for put in out.puts:
        key = key_of(put)
        before = said.get(key)
        cells = put if order is None else order(put)
        if before is None or before.cells != cells or before.version != current[key][0]:
            yield key


def _to_say(
    schema: RowSchema,
    out: Outgoing,
    said: dict[Key, Said],
    current: dict[Key, tuple[int, Row]],
    differing: Collection[Key],
) -> Outgoing:
    """The puts and ends that bring a feed from what it says to what the rows are."""
    key_of = key_getter(schema, out.columns)
    places = [schema.names.index(c) for c in out.columns]
    published = {key_of(put) for put in out.puts}
    puts = [put for put in out.puts if key_of(put) in differing]
    gone = [key for key in said if key not in published]
    ends = [End(key, EndKind.LEFT if key in current else EndKind.VOID) for key in gone]
    moved = [*map(key_of, puts), *gone]
    was = [(key, said[key].version, tuple(said[key].cells[p] for p in places)) for key in moved if key in said]
    return out._replace(puts=puts, ends=ends, was=was)
