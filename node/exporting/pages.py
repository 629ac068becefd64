"""Rows in order of origin and key, a page at a time, each page found by the key that ended the one before.

Each page is a read of its own, so that nothing is held open while a file is written. What changes meanwhile stands in
the file as it was before or after; no row stands there twice, and none is left out that was there all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from node.queries import filter_of
from node.storable import check_storable
from node.store.readers import Reader
from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import Cell, Key, Row
from tiers.dataset import Dataset
from tiers.filters import filter_sql

PAGE_ROWS = 1_000
OF_EACH_ROW = ("_origin", "_version")


class Wish(NamedTuple):
    """columns: in the order of the file; may name _origin and _version. filter: JSON, '' = all. origin: '' = all."""

    dataset: Dataset
    columns: tuple[str, ...]
    filter: str = ""
    origin: str = ""


class Source:
    """What a wish asks for, checked. Raises InputFault, UserFault when it is made."""

    def __init__(self, reader: Reader, wish: Wish) -> None:
        check_storable([wish.filter, wish.origin])
        known = (*wish.dataset.schema.names, *OF_EACH_ROW)
        for name in wish.columns:
            if name not in known:
                raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' of dataset '{}'", name, wish.dataset.id))
        self._reader, self._wish = reader, wish
        self._where, self._values = "", list[Cell]()
        if wish.filter:
            self._where, self._values = filter_sql(filter_of(wish.filter, wish.dataset.schema))

    @property
    def dataset(self) -> str:
        """Its id."""
        return self._wish.dataset.id

    def count(self) -> int:
        """How many rows there are now."""
        where, values = self._where, self._values
        if self._wish.origin:
            where = f'"_origin" = ?{f" AND ({where})" if where else ""}'
            values = [self._wish.origin, *values]
        return self._reader.count(self._wish.dataset.id, where, values)

    def pages(self) -> Iterator[list[Row]]:
        """Cells in the order of the wish's columns; no page is empty."""
        for origin in [self._wish.origin] if self._wish.origin else self._reader.nodes():
            yield from self._of(origin)

    def _of(self, origin: str) -> Iterator[list[Row]]:
        wish, key = self._wish, self._wish.dataset.schema.key
        width = len(wish.columns)
        after: Key | None = None
        while True:
            found = self._reader.page(
                wish.dataset.id, origin, after, (*wish.columns, *key), PAGE_ROWS, self._where, self._values
            )
            if found:
                after = found[-1][width:]
                yield [row[:width] for row in found]
            if len(found) < PAGE_ROWS:
                return
