"""The part of fsck that reads rows: what the tables hold against what the feeds say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from node.store.checks import Fault, Finding
from node.store.names import Names
from node.store.replay import Said
from node.store.rows import unpack_cells
from node.store.rowsql import RowTable
from node.store.session import Session
from sync.effects import Image
from sync.merge import combine
from sync.rows import EMPTY_DIGEST, key_text, row_hash, shift_digest, to_schema_order
from sync.schema import RowSchema
from sync.values import FeedName, Key, Row

Published = Callable[[str, Row], Mapping[FeedName, tuple[tuple[str, ...], Row]]]
"""(dataset, row in schema order) -> per own feed that carries it: columns, and cells in their order."""

_IMAGES_OF_FEED = "SELECT key, version, columns, cells FROM row_image WHERE feed = ? AND dataset = ?"
_IMAGES = "SELECT feed, key, version, columns, cells FROM row_image WHERE dataset = ? ORDER BY feed"


class RowChecks:
    """Reads row tables and images; `digest` and `count` are those of the feed compared last."""

    def __init__(self, session: Session, names: Names, node: str, schemas: Sequence[RowSchema]) -> None:
        self._session = session
        self._names = names
        self._node = node
        self._tables = [RowTable(schema) for schema in schemas]
        self.seen = 0
        self.digest = EMPTY_DIGEST
        self.count = 0

    def compare(self, feed: FeedName, number: int, said: dict[tuple[str, Key], Said]) -> Iterator[Finding]:
        """The rows that the tables hold of a feed against its replay (which is used up)."""
        total = self.count = 0
        for dataset, key, found in self.carried(feed, number):
            self.count += 1
            total += found.hash
            expected = said.pop((dataset, key), None)
            if expected is None:
                yield Finding(Fault.ROW_EXTRA, feed, 0, key_text(key), dataset)
            elif expected != found:
                yield Finding(Fault.ROW_DIFFERS, feed, 0, key_text(key), dataset)
        for dataset, key in said:
            yield Finding(Fault.ROW_MISSING, feed, 0, key_text(key), dataset)
        self.digest = shift_digest(EMPTY_DIGEST, total, 0)
        self.seen += self.count

    def combined(self) -> Iterator[Finding]:
        """Rows of others that several feeds carry: each column from the highest version that carries it."""
        for table in self._tables:
            shared = self._shared(table)
            where = ' WHERE "_feed" IS NULL AND "_origin" <> ?'
            with self._session.stepping(table.select_all() + where, (self._node,)) as rows:
                for *stored, version, _, _, origin in rows:
                    cells = table.cells(tuple(stored))
                    key = table.key_of(cells)
                    images = shared.pop((origin, key), {})
                    feed = next(iter(images), FeedName(origin, table.schema.dataset))
                    if not images:
                        yield Finding(Fault.ROW_EXTRA, feed, 0, key_text(key), f"{table.schema.dataset}, in no feed")
                    elif combine(table.schema, images) != (cells, version):
                        yield Finding(Fault.ROW_COMBINED, feed, 0, key_text(key), table.schema.dataset)
            for (_, key), images in shared.items():
                yield Finding(Fault.ROW_MISSING, next(iter(images)), 0, key_text(key), table.schema.dataset)

    def strays(self) -> Iterator[Finding]:
        """Rows that claim a feed of another origin than their own, or one that is not known; rows of no node."""
        for table in self._tables:
            dataset = table.schema.dataset
            for key in self._session.rows(table.without_node()):
                yield Finding(Fault.ROW_EXTRA, FeedName("?", dataset), 0, key_text(key), f"{dataset}, of no node")
            where = ' WHERE "_feed" IS NOT NULL AND "_feed" NOT IN (SELECT id FROM feed WHERE feed.origin = "_origin")'
            for *stored, _, _, _, origin in self._session.rows(table.select_all() + where):
                key = table.key_of(table.cells(tuple(stored)))
                feed = FeedName(origin, table.schema.dataset)
                yield Finding(
                    Fault.ROW_EXTRA, feed, 0, key_text(key), f"{table.schema.dataset}, of another origin's feed"
                )

    def own(self, said: Mapping[FeedName, dict[tuple[str, Key], Said]], published: Published) -> Iterator[Finding]:
        """Own rows as the publications make them against what own feeds say (used up). Versions are the feeds'."""
        for table in self._tables:
            dataset = table.schema.dataset
            with self._session.stepping(table.select_all() + ' WHERE "_origin" = ?', (self._node,)) as rows:
                for *stored, _, _, _, _ in rows:
                    self.seen += 1
                    row = table.cells(tuple(stored))
                    key = table.key_of(row)
                    for feed, (columns, cells) in published(dataset, row).items():
                        if feed not in said:
                            continue  # goes nowhere from here: a publication to the parent, at a node that has none
                        expected = said[feed].pop((dataset, key), None)
                        if expected is None:
                            yield Finding(Fault.PUBLISHED_MISSING, feed, 0, key_text(key), dataset)
                        elif row_hash(expected.version, _ordered(table.schema, columns, cells)) != expected.hash:
                            yield Finding(Fault.PUBLISHED_DIFFERS, feed, 0, key_text(key), dataset)
        for feed, left in said.items():
            for dataset, key in left:
                yield Finding(Fault.PUBLISHED_EXTRA, feed, 0, key_text(key), dataset)

    def carried(self, feed: FeedName, number: int) -> Iterator[tuple[str, Key, Said]]:
        """What the tables say that a feed says: rows it alone carries, and its images of shared ones."""
        for table in self._tables:
            schema = table.schema
            where = ' WHERE "_origin" = ? AND "_feed" = ?'
            with self._session.stepping(table.select_all() + where, (feed.origin, number)) as rows:
                for *stored, version, _, _, _ in rows:
                    cells = table.cells(tuple(stored))
                    key = table.key_of(cells)
                    yield schema.dataset, key, Said(version, row_hash(version, cells))
            with self._session.stepping(_IMAGES_OF_FEED, (number, schema.dataset)) as images:
                for packed, version, listed, stored_cells in images:
                    cells = _ordered(schema, self._names.columns_of(listed), unpack_cells(stored_cells))
                    key = unpack_cells(packed)
                    yield schema.dataset, key, Said(version, row_hash(version, cells))

    def _shared(self, table: RowTable) -> dict[tuple[str, Key], dict[FeedName, Image]]:
        """All images of a dataset, by origin and key."""
        shared: dict[tuple[str, Key], dict[FeedName, Image]] = {}
        for number, packed, version, listed, cells in self._session.rows(_IMAGES, (table.schema.dataset,)):
            feed = self._names.feed_name(number)
            image = Image(version, self._names.columns_of(listed), unpack_cells(cells))
            shared.setdefault((feed.origin, unpack_cells(packed)), {})[feed] = image
        return shared


def _ordered(schema: RowSchema, columns: tuple[str, ...], cells: Row) -> Row:
    order = to_schema_order(schema, columns)
    return cells if order is None else order(cells)
