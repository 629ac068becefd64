"""What a feed says of rows, from the sealed entries that this node holds, and what its tables say of them.

The log is the truth (design section 3.2): where a table differs, the rows are made again from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from node.store.replay import WHOLE_ENTRY, Replay, SchemaOf
from node.store.store import Store
from sync.chain import open_content
from sync.effects import DeleteRows, DropImages, FeedState, Image, LogEntry
from sync.errors import RemoteFault
from sync.merge import Change, merge
from sync.rows import RowBatch, key_getter
from sync.schema import RowSchema
from sync.values import FeedName, Key, Kind
from sync.wire.v1.entry_pb2 import EntryHeader

READ_BYTES = 1024 * 1024
READ_ENTRIES = 4_096


class Held(Protocol):
    """What is read: the writer's store, or a reader of it."""

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        """As sync.ports.Log.entries."""
        ...

    def not_applied(self, feed: FeedName, epoch: bytes) -> Mapping[int, frozenset[int]]:
        """Places of rows that are not in effect, by seq; -1 stands for a whole entry."""
        ...


class Told:
    """A feed's rows by its entries, in order: everything that it says (`sealed`), and what of it is in effect here
    (`applied`). Of the rows in `wanted` the cells are kept too.
    """

    def __init__(self, state: FeedState, schema_of: SchemaOf, wanted: Collection[tuple[str, Key]] = ()) -> None:
        self.name, self.epoch, self.seq = state.name, state.head.epoch, 0
        self.sealed, self.applied = Replay(schema_of), Replay(schema_of)
        self.unread = 0
        self._schema_of, self._wanted = schema_of, frozenset(wanted)
        self._images: dict[tuple[str, Key], Image] = {}

    def advance(self, held: Held, up_to: int) -> None:
        """Takes the entries up to a seq that were not taken yet. Raises StoreFault."""
        without = held.not_applied(self.name, self.epoch)
        while self.seq < up_to:
            entries = held.entries(self.name, self.epoch, self.seq + 1, READ_BYTES, READ_ENTRIES)
            if not entries:
                return
            for entry in entries:
                if entry.seq <= up_to:
                    self._take(entry, without.get(entry.seq, frozenset()))
            self.seq = min(entries[-1].seq, up_to)

    def images(self) -> dict[tuple[str, Key], Image]:
        """What the feed says of the wanted rows that it has."""
        return {row: image for row, image in self._images.items() if row in self.applied.rows}

    def _take(self, entry: LogEntry, without: frozenset[int]) -> None:
        header = EntryHeader.FromString(entry.header)
        try:
            self.sealed.take(header, entry.payload, ())
            self.applied.take(header, entry.payload, without)
            if self._wanted and int(header.kind) == Kind.RECORDS and WHOLE_ENTRY not in without:
                self._keep(header, open_content(header, entry.payload, self._schema_of), without)
        except RemoteFault:
            self.unread += 1

    def _keep(self, header: EntryHeader, content: object, without: frozenset[int]) -> None:
        if not isinstance(content, RowBatch) or not content.puts:
            return
        schema = self._schema_of(header.publication, content.dataset)
        assert schema is not None, "decoded, so known"
        key_of = key_getter(schema, content.columns)
        undecoded = {bad.place for bad in content.bad}
        total = len(content.puts) + len(content.ends) + len(content.bad)
        places = (place for place in range(total) if place not in undecoded)
        for place, put in zip(places, content.puts, strict=False):
            row = (content.dataset, key_of(put))
            if row in self._wanted and place not in without:
                self._images[row] = Image(header.group, content.columns, put)


class Range(NamedTuple):
    """Rows that differ and follow each other in order of key: from the first to the last, how many, and how."""

    dataset: str
    first: Key
    last: Key
    missing: int
    extra: int
    differing: int


def ranges(said: Mapping[tuple[str, Key], object], has: Mapping[tuple[str, Key], object]) -> Iterator[Range]:
    """Where two sides differ, in order of dataset and key: `missing` are rows that only `said` has, `extra` the others.

    Two rows belong to one range if no equal row stands between them.
    """
    run: list[tuple[str, Key]] = []
    for row in sorted(said.keys() | has.keys()):
        if said.get(row) == has.get(row) or (run and run[0][0] != row[0]):
            if run:
                yield _range(run, said, has)
            run = []
        if said.get(row) != has.get(row):
            run.append(row)
    if run:
        yield _range(run, said, has)


def _range(
    run: Sequence[tuple[str, Key]], said: Mapping[tuple[str, Key], object], has: Mapping[tuple[str, Key], object]
) -> Range:
    missing, extra = sum(row not in has for row in run), sum(row not in said for row in run)
    return Range(run[0][0], run[0][1], run[-1][1], missing, extra, len(run) - missing - extra)


def make_again(store: Store, schema: RowSchema, keys: Sequence[Key], feeds: Sequence[Told]) -> None:
    """Makes rows of one origin what its feeds say of them, whatever the tables say; in the open transaction."""
    dataset, origin = schema.dataset, feeds[0].name.origin
    for told in feeds:
        store.perform(DropImages(dataset, told.name, keys))
    store.perform(DeleteRows(dataset, origin, keys))
    for told in feeds:
        images = {key: image for (of, key), image in told.images().items() if of == dataset}
        changes = [Change(image.version, image.columns, [image.cells], ()) for image in images.values()]
        held = store.held(dataset, origin, list(images))
        for write in merge(schema, told.name, changes, list(images), held).writes:
            store.perform(write)
