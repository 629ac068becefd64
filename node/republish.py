"""After a recovery: what own feeds say is compared with each row's published image (protocol section 8.2).

What differs goes out again above all versions found; the answer is one LocalDifferences event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

from node.store.store import Store
from sync.chain import open_content
from sync.effects import FeedState, LogEntry
from sync.events import LocalDifferences
from sync.judge import LocalRows, Outgoing, Publisher
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


class Source(Protocol):
    """What is compared: the writer's store, or a reader of it."""

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        """As sync.ports.Log.entries."""
        ...

    def scan(self, dataset: str, origin: str | None) -> Iterator[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of every row of an origin, in order of key."""
        ...


class Own(NamedTuple):
    """This node's side of a comparison.

    schema_of: the newest schema known here of a dataset. on_read: told how many entries were read of a feed at a time.
    """

    source: Source
    publisher: Publisher
    schema_of: Callable[[str], RowSchema | None]
    node: str
    feeds: Mapping[FeedName, FeedState]
    on_read: Callable[[int], None] = lambda _: None


class Way(NamedTuple):
    """One own feed of a dataset: what it should carry (`wanted`), what it says, by which columns, and what it has to
    say so that both agree."""

    wanted: Outgoing
    said: dict[Key, Said]
    columns: tuple[str, ...]
    to_say: Outgoing


def replay(own: Own, state: FeedState, dataset: str) -> tuple[dict[Key, Said], tuple[str, ...]]:
    """The live rows of a feed, from its stored entries alone, and the columns that its newest entry carries."""
    rows: dict[Key, Said] = {}
    columns: tuple[str, ...] = ()
    for header, batch in _batches(own, state):
        schema = own.schema_of(batch.dataset)
        if schema is None or batch.dataset != dataset:
            continue
        columns = batch.columns
        key_of, order = key_getter(schema, columns), to_schema_order(schema, columns)
        for put in batch.puts:
            rows[key_of(put)] = Said(header.group, put if order is None else order(put))
        for end in batch.ends:
            rows.pop(end.key, None)
    return rows, columns


def _batches(own: Own, state: FeedState) -> Iterator[tuple[EntryHeader, RowBatch]]:
    seq = 1
    while entries := own.source.entries(state.name, state.head.epoch, seq, READ_BYTES, 4_096):
        for entry in entries:
            header = EntryHeader.FromString(entry.header)
            if int(header.kind) == Kind.RECORDS:
                # By the dataset alone: own feeds of publications that are no longer declared are read too.
                content = open_content(header, entry.payload, lambda _, dataset: own.schema_of(dataset))
                if isinstance(content, RowBatch):
                    yield header, content
        own.on_read(len(entries))
        seq = entries[-1].seq + 1


def find_differences(store: Store, publisher: Publisher, replica: Replica) -> LocalDifferences:
    """Compares every own row with every own feed of records."""
    core = replica.core
    judge = core.seams.judge
    own = Own(store, publisher, lambda dataset: judge.schema("", dataset), core.me.node, core.feeds)
    outgoing: list[Outgoing] = []
    feeds: dict[FeedName, tuple[bytes, int]] = {}
    for schema in store.schemas():
        for way in compare(own, schema):
            name = FeedName(core.me.node, way.wanted.publication, way.wanted.addressee)
            if name in core.feeds:
                # Of the columns it is to carry from now on: what it said in others leaves with the rows that said it.
                carried = _carried(schema, way.wanted.columns)
                live = ((s.version, carried(s.cells)) for s in way.said.values())
                feeds[name] = (digest_rows(live) if way.said else EMPTY_DIGEST, len(way.said))
            if way.to_say.puts or way.to_say.ends:
                outgoing.append(way.to_say)
    return LocalDifferences(outgoing, feeds)


def compare(own: Own, schema: RowSchema) -> list[Way]:
    """Every own row of a dataset with every own feed of it."""
    current = {key: (version, row) for key, version, row in own.source.scan(schema.dataset, own.node)}
    ways = list(_ways(own, schema, [row for _, row in current.values()]))
    # A row's version moves in every feed that carries it, or the next change would take away what was never there.
    differing = {key for out, said, _ in ways for key in _differing(schema, out, said, current)}
    return [Way(out, said, columns, _to_say(schema, out, said, current, differing)) for out, said, columns in ways]


def _carried(schema: RowSchema, columns: tuple[str, ...]) -> Callable[[Row], Row]:
    """A function of cells in schema order that leaves these columns only."""
    if len(columns) == len(schema.names):
        return lambda cells: cells
    keep = [name in columns for name in schema.names]
    return lambda cells: tuple(cell if kept else None for cell, kept in zip(cells, keep, strict=True))


def _ways(own: Own, schema: RowSchema, rows: list[Row]) -> Iterator[tuple[Outgoing, dict[Key, Said], tuple[str, ...]]]:
    """What each own feed of a dataset should say now, what it says and by which columns; also feeds that should say
    nothing any more."""
    node, dataset = own.node, schema.dataset
    named: set[FeedName] = set()
    for out in own.publisher.publish(LocalRows(dataset, rows, (), {})):
        name = FeedName(node, out.publication, out.addressee)
        named.add(name)
        state = own.feeds.get(name)
        yield out, *(replay(own, state, dataset) if state is not None else ({}, ()))
    for name, state in own.feeds.items():
        if name.origin != node or name in named or dataset_of(name.publication) != dataset:
            continue
        said, columns = replay(own, state, dataset)
        to = name.publication, name.addressee, state.route, state.lane
        yield Outgoing(*to, dataset, schema.version, columns or schema.key, (), (), ()), said, columns


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
    # In the order of `columns`, whatever a publisher that follows a change said of its own.
    return out._replace(puts=puts, ends=ends, was=was, was_columns=())
