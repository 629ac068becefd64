"""The statements: what stands in a source, page by page in an order that no row can fall out of.

Nothing is asked of the server's catalogue: an account that may read the table, or the tables of the SELECT, is enough.
Every page is a statement of its own, so that no transaction stays open in somebody else's database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql import ColumnElement, Select

from node.faults import Code, Mistakes
from node.loading.found import as_asked
from node.sources.database.position import MARKED, Mark
from node.sources.declared import Declared
from node.texts import N_

ROWS_AT_ONCE: Final = 500
"""Rows that are fetched at a time: what a page holds in memory, whatever its size."""

Cells = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A source's rows. columns: as the server names them; asked: the same, as mapping and declaration write them, in
    the same order; key and watermark are places in it (watermark -1: none).
    """

    rows: sa.FromClause
    columns: tuple[str, ...]
    asked: tuple[str, ...]
    key: tuple[int, ...]
    watermark: int

    def page(self, part: str, low: Mark | None, after: Cells | None, limit: int) -> Select[Any]:
        """The next rows of a part: from `low` on, behind `after` (watermark in MARKED, then key)."""
        order = self._order(part)
        conditions: list[ColumnElement[bool]] = []
        if self.watermark >= 0:
            mark = self._column(self.watermark)
            conditions.append(mark.is_not(None) if part == MARKED else mark.is_(None))
            if part == MARKED and low is not None and after is None:
                conditions.append(mark >= low)
        if after is not None:
            conditions.append(_behind(order, after))
        return sa.select(*map(self._column, range(len(self.columns)))).where(*conditions).order_by(*order).limit(limit)

    def keys(self, wanted: Sequence[int], after: Cells | None, limit: int) -> Select[Any]:
        """Those columns of all rows in order of the key, from behind `after` on; the key columns come last."""
        order = [self._column(place) for place in self.key]
        conditions = [] if after is None else [_behind(order, after)]
        return sa.select(*map(self._column, wanted), *order).where(*conditions).order_by(*order).limit(limit)

    def without_key(self) -> Select[Any]:
        """A row whose key is not whole, if there is one."""
        return (
            sa.select(sa.literal(1))
            .select_from(self.rows)
            .where(sa.or_(*(self._column(place).is_(None) for place in self.key)))
            .limit(1)
        )

    def place(self, part: str, row: Cells) -> tuple[Any, ...]:
        """Where a row stands in the order of a part."""
        key = tuple(row[i] for i in self.key)
        return (row[self.watermark], *key) if part == MARKED and self.watermark >= 0 else key

    def _order(self, part: str) -> list[ColumnElement[Any]]:
        marked = [self._column(self.watermark)] if part == MARKED and self.watermark >= 0 else []
        return [*marked, *map(self._column, self.key)]

    def _column(self, place: int) -> ColumnElement[Any]:
        found: ColumnElement[Any] = self.rows.c[self.columns[place]]
        return found


def find(connection: Connection, declared: Declared, needs: frozenset[str]) -> Table:
    """The source's table with the columns that are needed. Raises UserFault SOURCE_INVALID that names all that lack."""
    database = declared.database
    assert database is not None
    own = [*database.key, *([database.watermark] if database.watermark else [])]
    here = list(connection.execute(sa.select(sa.text("*")).select_from(_from(declared, ())).where(sa.false())).keys())
    named = as_asked(here, {*needs, *own})
    mistakes = Mistakes()
    for column in sorted(needs - set(named)):
        mistakes.unknown("mapping", column, named)
    for key, columns in (("database.key", database.key), ("database.watermark", own[len(database.key) :])):
        for column in columns:
            if column not in named:
                mistakes.unknown(key, column, named)
    todo = N_("Correct the mapping or the source: these are names of columns that its table or select does not have.")
    mistakes.raise_any(Code.SOURCE_INVALID, str(declared.file), todo)
    asked = tuple(dict.fromkeys((*sorted(needs), *own)))
    columns = tuple(here[named.index(name)] for name in asked)
    mark = asked.index(database.watermark) if database.watermark else -1
    return Table(_from(declared, columns), columns, asked, tuple(asked.index(name) for name in database.key), mark)


def server_time(connection: Connection, zone: dt.tzinfo) -> dt.datetime:
    """The source's clock, with its offset."""
    dialect = connection.dialect.name
    if dialect in ("mysql", "mariadb"):
        found = connection.execute(sa.text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
        return _moment(found, dt.UTC)
    return _moment(connection.execute(sa.select(sa.func.current_timestamp())).scalar_one(), zone)


def _moment(found: Any, zone: dt.tzinfo) -> dt.datetime:
    when = dt.datetime.fromisoformat(found) if isinstance(found, str) else found
    assert isinstance(when, dt.datetime)
    return when if when.tzinfo is not None else when.replace(tzinfo=zone)


def stream(connection: Connection, statement: Select[Any]) -> Generator[Cells, None, None]:
    """The rows of a statement, few in memory at a time."""
    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    with connection.execute(statement, execution_options=options) as found:
        try:
            yield from found
        except (UnicodeError, ValueError, OverflowError) as error:
            # Of a value that the driver itself cannot read; it may hold what must not be told.
            raise sa.exc.InvalidRequestError(f"a value cannot be read ({type(error).__name__})") from None


def _from(declared: Declared, columns: Sequence[str]) -> sa.FromClause:
    database = declared.database
    assert database is not None
    made: list[sa.ColumnClause[Any]] = [sa.column(name) for name in columns]
    if database.table:
        schema, _, name = database.table.rpartition(".")
        return sa.table(name, *made, schema=schema or None)
    # A colon before a word would be taken for a parameter.
    text = sa.text(database.select.replace(":", "\\:"))
    return text.columns(*made).subquery("source_rows")


def _behind(order: Sequence[ColumnElement[Any]], after: Cells) -> ColumnElement[bool]:
    """Behind a row, in an order of several columns. The first condition alone lets an index be used."""
    assert len(order) == len(after)
    first, rest = (
        order[0],
        [
            sa.and_(*(c == v for c, v in zip(order[:i], after[:i], strict=True)), order[i] > after[i])
            for i in range(len(order))
        ],
    )
    return rest[0] if len(rest) == 1 else sa.and_(first >= after[0], sa.or_(*rest))
