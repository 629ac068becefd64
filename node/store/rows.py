"""The row tables: what the datasets say now, and what each feed says where several carry a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec

from node.store.faults import StoreFault, StoreTrouble
from node.store.names import Names
from node.store.rowsql import LOOKUP_CHUNKS, RowTable, flat_keys, padded, pieces, quoted
from node.store.session import Session
from sync.effects import DeleteRows, DropImages, HeldRow, Image, PatchRows, SaveImages, UpsertRows
from sync.rows import key_getter
from sync.schema import RowSchema
from sync.values import FeedName, Key, Row

_SAVE_IMAGE = """INSERT INTO row_image (feed, dataset, key, version, columns, cells) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (feed, dataset, key) DO UPDATE
    SET version = excluded.version, columns = excluded.columns, cells = excluded.cells"""
_DROP_IMAGE = "DELETE FROM row_image WHERE feed = ? AND dataset = ? AND key = ?"
_ANY_IMAGE = "SELECT 1 FROM row_image WHERE feed = ? AND dataset = ? LIMIT 1"
_IMAGES = "SELECT key, version, columns, cells FROM row_image WHERE feed = ? AND dataset = ? AND key IN ({})"
_FEEDS_OF = "SELECT id FROM feed WHERE origin = ?"

_NO_IMAGES: Mapping[FeedName, Image] = MappingProxyType({})

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list).decode


def unpack_cells(stored: bytes) -> Row:
    """Cells as they stand in a row image: msgpack, so that each comes back as the very value it was."""
    return tuple(_unpack(stored))


class Rows:
    """Writes and reads of rows. Raises StoreFault, REFUSED for a dataset or column that the catalogue lacks."""

    __slots__ = ("_image_feeds", "_names", "_session", "_tables", "touched", "written")

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names
        self._tables: dict[str, RowTable] = {}
        self.written: Counter[str] = Counter()
        """Per dataset a number that changes whenever one of its rows is written or a transaction is dropped."""
        self.touched: Callable[[str, int, Sequence[Key]], None] | None = None
        """Told of every write that is done, where somebody follows the changes: dataset, number of the origin, keys."""
        # Per dataset and origin the feeds that have row images: nearly always none, and then none are looked for.
        self._image_feeds: dict[tuple[str, str], set[int]] = {}

    def learn(self, schemas: Iterable[RowSchema]) -> None:
        """Takes the catalogue's schemas, whose tables stand already."""
        for schema in schemas:
            self._tables[schema.dataset] = RowTable(schema)

    def forget(self) -> None:
        """Drops what is remembered of the database; after a roll-back."""
        self._image_feeds.clear()
        self.written.update(self._tables.keys())

    def schemas(self) -> list[RowSchema]:
        """All schemas known."""
        return [table.schema for table in self._tables.values()]

    def upsert(self, write: UpsertRows) -> None:
        """Replaces whole rows, in multi-row statements of flat parameters (the fastest way into SQLite)."""
        table = self._table(write.dataset)
        self.written[write.dataset] += 1
        columns, rows, versions = write.columns, write.rows, write.versions
        feed = listed = None
        if write.feed is not None:
            feed, listed = self._names.feed(write.feed), self._names.columns(columns)
        origin, run = self._names.node(write.origin), self._session.run
        for start, size in pieces(len(rows), table.upsert_chunks(columns)):
            part = rows[start : start + size]
            if isinstance(versions, int):
                head, cells = versions, chain.from_iterable(part)
            else:
                # Each row's cells, then its version: rows and one-tuples alternate.
                pairs = zip(part, zip(versions[start : start + size], strict=True), strict=True)
                head, cells = 0, chain.from_iterable(chain.from_iterable(pairs))
            run(table.upsert(columns, size, isinstance(versions, int)), [head, feed, listed, origin, *cells])
        if self.touched is not None:
            self.touched(write.dataset, origin, list(map(key_getter(table.schema, columns), rows)))

    def patch(self, write: PatchRows) -> None:
        """Sets some columns of rows that exist; a key without a row is left out."""
        table = self._table(write.dataset)
        self.written[write.dataset] += 1
        origin = self._names.node(write.origin)
        places = [write.columns.index(k) for k in table.schema.key]
        parameters = [
            (*row, version, origin, *(row[i] for i in places))
            for row, version in zip(write.rows, write.versions, strict=True)
        ]
        self._session.run_many(table.patch(write.columns), parameters)
        if self.touched is not None:
            self.touched(write.dataset, origin, list(map(key_getter(table.schema, write.columns), write.rows)))

    def delete(self, write: DeleteRows) -> None:
        """Takes rows out."""
        table = self._table(write.dataset)
        self.written[write.dataset] += 1
        origin, keys = self._names.node(write.origin), list(write.keys)
        for start, size in pieces(len(keys), LOOKUP_CHUNKS):
            self._session.run(table.delete(size), flat_keys(origin, keys[start : start + size]))
        if self.touched is not None:
            self.touched(write.dataset, origin, keys)

    def save_images(self, write: SaveImages) -> None:
        """Keeps what a feed says of rows."""
        self._table(write.dataset)
        feed = self._names.feed(write.feed)
        parameters = [
            (feed, write.dataset, _pack(key), image.version, self._names.columns(image.columns), _pack(image.cells))
            for key, image in write.images
        ]
        self._session.run_many(_SAVE_IMAGE, parameters)
        self._image_feeds.pop((write.dataset, write.feed.origin), None)

    def drop_images(self, write: DropImages) -> None:
        """Forgets what a feed said of rows."""
        feed = self._names.feed(write.feed)
        self._session.run_many(_DROP_IMAGE, [(feed, write.dataset, _pack(key)) for key in write.keys])
        self._image_feeds.pop((write.dataset, write.feed.origin), None)

    def held(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, HeldRow]:
        """As sync.ports.Log.held."""
        table = self._table(dataset)
        found: dict[Key, HeldRow] = {}
        shared: list[Key] = []
        for row in self._selected(table, origin, keys):
            version, feed, columns = row[-3:]
            cells = table.cells(row[:-3])
            key = table.key_of(cells)
            if feed is None:
                shared.append(key)
                found[key] = HeldRow(version, cells, None, _NO_IMAGES)
            else:
                name, carried = self._names.feed_name(feed), self._names.columns_of(columns)
                found[key] = HeldRow(version, cells, name, _NO_IMAGES, carried)
        if shared:
            for key, images in self._images(dataset, origin, shared).items():
                row = found[key]
                found[key] = HeldRow(row.version, row.cells, None, images)
        return found

    def read(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, tuple[int, Row]]:
        """(version, cells in schema order) of each key that has a row."""
        table = self._table(dataset)
        found: dict[Key, tuple[int, Row]] = {}
        for row in self._selected(table, origin, keys):
            cells = table.cells(row[:-3])
            found[table.key_of(cells)] = (row[-3], cells)
        return found

    def scan(self, dataset: str, origin: str | None) -> Iterator[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of every row of an origin (None: of all), in order of key."""
        table = self._table(dataset)
        order = ", ".join(quoted(k) for k in table.schema.key)
        where = "" if origin is None else 'WHERE "_origin" = ?'
        with self._session.stepping(
            f"{table.select_all()} {where} ORDER BY {order}", () if origin is None else (origin,)
        ) as rows:
            for row in rows:
                cells = table.cells(tuple(row[:-4]))
                yield table.key_of(cells), row[-4], cells

    def page(self, dataset: str, origin: str, after: Key | None, limit: int) -> list[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of so many rows of an origin, in order of key, from behind `after`."""
        table, number = self._table(dataset), self._names.find_node(origin)
        if number is None:
            return []
        found = self._session.rows(table.select_page(after is not None), (number, *(after or ()), limit))
        paged = ((table.cells(tuple(row[:-1])), row[-1]) for row in found)
        return [(table.key_of(cells), version, cells) for cells, version in paged]

    def count(self, dataset: str, origin: str) -> int:
        """Number of rows of an origin."""
        table, number = self._table(dataset), self._names.find_node(origin)
        return 0 if number is None else int(self._session.first(table.count(), (number,))[0])

    def _selected(self, table: RowTable, origin: str, keys: Collection[Key]) -> Iterator[Any]:
        """Rows by key, as RowTable.select gives them."""
        number = self._names.find_node(origin)
        if number is None:
            return
        for chunk in self._chunks(table, number, keys):
            yield from self._session.rows(table.select(len(chunk)), flat_keys(number, chunk))

    def _chunks(self, table: RowTable, origin: int, keys: Collection[Key]) -> Iterator[Sequence[Key]]:
        """The keys to look for. Keys mostly rise: if all lie above the greatest one held, there is nothing to find."""
        if table.keys_ordered and len(keys) >= LOOKUP_CHUNKS[1]:
            greatest = self._session.first(table.greatest_key(), (origin,))[0]
            if greatest is None or min(keys)[0] > greatest:
                return iter(())
        return padded(keys if isinstance(keys, list | tuple) else list(keys))

    def _images(self, dataset: str, origin: str, keys: Sequence[Key]) -> dict[Key, dict[FeedName, Image]]:
        found: dict[Key, dict[FeedName, Image]] = {}
        by_bytes = {_pack(key): key for key in keys}
        packed = [(key,) for key in by_bytes]
        for feed in sorted(self._feeds_with_images(dataset, origin)) if packed else ():
            name = self._names.feed_name(feed)
            for chunk in padded(packed):
                sql = _IMAGES.format(", ".join("?" * len(chunk)))
                parameters = (feed, dataset, *chain.from_iterable(chunk))
                for key, version, columns, cells in self._session.rows(sql, parameters):
                    image = Image(version, self._names.columns_of(columns), unpack_cells(cells))
                    found.setdefault(by_bytes[key], {})[name] = image
        return found

    def _feeds_with_images(self, dataset: str, origin: str) -> set[int]:
        feeds = self._image_feeds.get((dataset, origin))
        if feeds is None:
            numbers = [number for (number,) in self._session.rows(_FEEDS_OF, (origin,))]
            feeds = {n for n in numbers if self._session.first(_ANY_IMAGE, (n, dataset)) is not None}
            self._image_feeds[dataset, origin] = feeds
        return feeds

    def _table(self, dataset: str) -> RowTable:
        table = self._tables.get(dataset)
        if table is None:
            raise StoreFault(StoreTrouble.REFUSED, f"dataset {dataset!r} is not in the catalogue")
        return table
