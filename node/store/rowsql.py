# ruff: noqa: S608 - building SQL is this module's work; every name passes `quoted`
"""The SQL of a dataset's row table. Pure text, made from the catalogue's schema and from nothing else.

A dataset or column that the schema does not know is a StoreFault here, whatever was checked before: no name that a
peer sent can become an identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from node.store.faults import StoreFault, StoreTrouble
from sync.rows import key_getter
from sync.schema import CellType, RowSchema
from sync.values import Cell, Key, Row, is_identifier

UPSERT_CHUNKS = (125, 25, 5, 1)
"""Rows in one statement, largest first: few sizes, so that few statements are prepared."""
LOOKUP_CHUNKS = (100, 10, 1)
VARIABLES_MAX = 32_000
"""Below SQLite's own limit of 32,766 parameters in one statement."""

TAKEN_OVER = "taken_over"
"""The dataset in which a successor says which rows of its predecessors it has taken over."""

OF_EACH_ROW = ("_version", "_feed", "_columns")
"""The version, the feed that alone carries the row, and which columns that feed carries (tables feed, column_list)."""

# Text by code points is text by bytes of UTF-8; a float may be NaN, a boolean becomes a number.
_ORDERED_ALIKE = (CellType.TEXT, CellType.DATE, CellType.DECIMAL, CellType.INTEGER, CellType.TIMESTAMP)


def quoted(name: str) -> str:
    """A name as an SQL identifier. Raises StoreFault if it is none of ours."""
    if not is_identifier(name):
        raise StoreFault(StoreTrouble.REFUSED, f"{name!r} is not an identifier")
    return f'"{name}"'


def pieces(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, size) of the chunks of a sequence of that length, largest sizes first."""
    start = 0
    for size in sizes:
        while count - start >= size:
            yield start, size
            start += size


def padded(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Chunks for a look-up: the last one is filled up with its last key, which changes no answer."""
    largest = LOOKUP_CHUNKS[0]
    for start in range(0, len(keys), largest):
        chunk = keys[start : start + largest]
        size = min(s for s in LOOKUP_CHUNKS if s >= len(chunk))
        yield [*chunk, *(chunk[-1],) * (size - len(chunk))] if size > len(chunk) else chunk


class RowTable:
    """Statements and conversions for one version of one dataset's schema.

    The table has its rows' origin as a number of the table `node`, which makes each row and its place in the index some
    fifty bytes shorter. The views beside it say the node's id: of all that is held, and, for everyone else, of what is
    shown: without what a successor has taken over (docs/adr/0015-succession.md).
    """

    __slots__ = ("_booleans", "_texts", "held", "key_of", "keys_ordered", "name", "schema", "view")

    def __init__(self, schema: RowSchema) -> None:
        self.schema = schema
        self.name, self.view = self.name_of(schema.dataset), self.view_of(schema.dataset)
        self.held = self.held_of(schema.dataset)
        self.key_of: Callable[[Row], Key] = key_getter(schema, schema.names)
        first = schema.column(schema.key[0])
        self.keys_ordered = len(schema.key) == 1 and first.type in _ORDERED_ALIKE and not first.nullable
        """Whether Python compares keys as SQLite's index does."""
        self._booleans = tuple(i for i, c in enumerate(schema.columns) if c.type is CellType.BOOLEAN)
        # Not an lru_cache: hashing a whole schema at each call costs more than the look-up saves.
        self._texts: dict[object, str] = {}

    @staticmethod
    def name_of(dataset: str) -> str:
        """The table's name. Raises StoreFault if the dataset's id cannot be one."""
        return f"rows_{quoted(dataset)[1:-1]}"

    @staticmethod
    def view_of(dataset: str) -> str:
        """The name of the view of what is shown, as name_of."""
        return f"view_{quoted(dataset)[1:-1]}"

    @staticmethod
    def held_of(dataset: str) -> str:
        """The name of the view of all that is held, as name_of: also what a successor has taken over."""
        return f"held_{quoted(dataset)[1:-1]}"

    def cells(self, stored: Row) -> Row:
        """Cells in schema order as they came in: booleans are stored as 0 and 1."""
        if not self._booleans:
            return stored
        cells = list(stored)
        for i in self._booleans:
            if cells[i] is not None:
                cells[i] = bool(cells[i])
        return tuple(cells)

    def upsert_chunks(self, columns: tuple[str, ...]) -> tuple[int, ...]:
        """Sizes of multi-row statements that stay below the limit of parameters."""
        fitting = VARIABLES_MAX // (len(columns) + 4)
        return tuple(size for size in UPSERT_CHUNKS if size <= fitting)

    def upsert(self, columns: tuple[str, ...], rows: int, one_version: bool) -> str:
        """Puts whole rows. Parameters: version, feed, column list, origin's number, each row's cells (and version if
        many)."""
        call = (columns, rows, one_version)
        text = self._texts.get(call)
        if text is None:
            text = self._texts[call] = self._make_upsert(columns, rows, one_version)
        return text

    def patch(self, columns: tuple[str, ...]) -> str:
        """Sets some columns of a row. Parameters: its cells in order of `columns`, version, origin's number, key."""
        self._check(columns)
        sets = ", ".join(f"{quoted(c)} = ?" for c in columns)
        keys = "".join(f" AND {quoted(k)} = ?" for k in self.schema.key)
        return f'UPDATE "{self.name}" SET {sets}, "_version" = ? WHERE "_origin" = ?{keys}'

    def delete(self, keys: int) -> str:
        """Parameters: `flat_keys`."""
        return f'DELETE FROM "{self.name}" WHERE {self._key_filter(keys)}'

    def select(self, keys: int) -> str:
        """Rows of an origin by key: cells in schema order, version, feed, column list. Parameters: `flat_keys`."""
        text = self._texts.get(keys)
        if text is None:
            text = self._texts[keys] = (
                f'SELECT {_columns(self.schema.names)}, "_version", "_feed", "_columns" FROM "{self.name}" '
                f"WHERE {self._key_filter(keys)}"
            )
        return text

    def greatest_key(self) -> str:
        """The greatest key of an origin: one descent of the index. Parameters: the origin's number. Only where
        `keys_ordered`."""
        return f'SELECT max({quoted(self.schema.key[0])}) FROM "{self.name}" WHERE "_origin" = ?'

    def select_page(self, after: bool) -> str:
        """Rows of an origin in order of key: cells in schema order, version. Parameters: the origin's number, the key
        behind which to begin (`after`), how many."""
        keys = _columns(self.schema.key)
        behind = f" AND ({keys}) > ({', '.join('?' * len(self.schema.key))})" if after else ""
        chosen = f'{_columns(self.schema.names)}, "_version"'
        return f'SELECT {chosen} FROM "{self.name}" WHERE "_origin" = ?{behind} ORDER BY {keys} LIMIT ?'

    def count(self) -> str:
        """Number of rows of an origin. Parameters: its number."""
        return f'SELECT count(*) FROM "{self.name}" WHERE "_origin" = ?'

    def select_all(self) -> str:
        """All rows held: cells in schema order, version, feed, column list, origin."""
        return f'SELECT {_columns(self.schema.names)}, "_version", "_feed", "_columns", "_origin" FROM "{self.held}"'

    def without_node(self) -> str:
        """Keys of rows whose origin's number is nobody's: the view does not show them."""
        of_none = '"_origin" NOT IN (SELECT id FROM node)'
        return f'SELECT {_columns(self.schema.key)} FROM "{self.name}" WHERE {of_none}'

    def _make_upsert(self, columns: tuple[str, ...], rows: int, one_version: bool) -> str:
        self._check(columns)
        key = self.schema.key
        # The first mark of the statement is ?4, so that plain marks count on from 5.
        row = f"(?4, {', '.join('?' * len(columns))}, {'?1' if one_version else '?'}, ?2, ?3)"
        names = [*(quoted(n) for n in self.schema.names if n not in key), '"_version"', '"_feed"', '"_columns"']
        return (
            f'INSERT INTO "{self.name}" ("_origin", {_columns(columns)}, "_version", "_feed", "_columns") '
            f"VALUES {', '.join([row] * rows)} "
            f'ON CONFLICT ("_origin", {_columns(key)}) DO UPDATE SET '
            + ", ".join(f"{name} = excluded.{name}" for name in names)
        )

    def _key_filter(self, keys: int) -> str:
        key = self.schema.key
        if len(key) == 1:
            return f'"_origin" = ? AND {quoted(key[0])} IN ({", ".join("?" * keys)})'
        one = f"({', '.join('?' * len(key))})"
        return f'"_origin" = ? AND ({_columns(key)}) IN (VALUES {", ".join([one] * keys)})'

    def _check(self, columns: Sequence[str]) -> None:
        unknown = [c for c in columns if c not in self.schema.names]
        if unknown:
            raise StoreFault(StoreTrouble.REFUSED, f"dataset {self.schema.dataset} has no column {unknown[0]!r}")


def flat_keys(origin: int, keys: Sequence[Key]) -> list[Cell]:
    """Parameters of `select` and `delete`: the origin's number, then all key cells."""
    return [origin, *chain.from_iterable(keys)]


def _columns(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def key_text(key: Key) -> str:
    """A row's key as the dataset taken_over names it: each cell as SQL's quote() writes it."""
    return ",".join(map(_literal, key))


def _literal(cell: Cell) -> str:
    if isinstance(cell, bytes):
        return f"X'{cell.hex().upper()}'"
    if isinstance(cell, str):
        return "'" + cell.replace("'", "''") + "'"
    return str(int(cell)) if isinstance(cell, int) else str(cell)


def make_views(schema: RowSchema, hiding: bool, temporary: bool = False) -> tuple[str, str]:
    """The statements that make a dataset's views over its table; temporary ones over what stands in for the table.

    hiding: whether the store has the tables that say what was taken over.
    """
    name, kind = RowTable.name_of(schema.dataset), "TEMP VIEW" if temporary else "VIEW"
    columns = ", ".join([*(f'held."{c}"' for c in OF_EACH_ROW), *(f"held.{quoted(c)}" for c in schema.names)])
    # CROSS JOIN fixes the order: nodes by name, then the key's index. It is the order of all answers, and finds a key
    # also where no origin is said.
    rows = f'SELECT node.name AS "_origin", {columns} FROM node CROSS JOIN "{name}" AS held ON held."_origin" = node.id'
    shown = f"{rows} WHERE {_not_taken_over(schema)}" if hiding and schema.dataset != TAKEN_OVER else rows
    return (
        f'CREATE {kind} "{RowTable.held_of(schema.dataset)}" AS {rows}',
        f'CREATE {kind} "{RowTable.view_of(schema.dataset)}" AS {shown}',
    )


def _not_taken_over(schema: RowSchema) -> str:
    """Of the row `held`: nobody to whom its place passed has said that it took it over."""
    key = " || ',' || ".join(f"quote(held.{quoted(k)})" for k in schema.key)
    place = f" AND held.{quoted(schema.region)} GLOB heir.pattern" if schema.region else ""
    return (
        "NOT EXISTS (SELECT 1 FROM heir JOIN node AS other ON other.name = heir.successor "
        f'JOIN "{RowTable.name_of(TAKEN_OVER)}" AS taken ON taken."_origin" = other.id '
        f"AND taken.predecessor = heir.predecessor AND taken.dataset_id = '{schema.dataset}' "
        f"AND taken.key_text = {key} "
        f"WHERE heir.predecessor = node.name{place})"
    )
