"""Rows for any dataset, made from its declaration: what a platform might hold, never twice the same key.

Cells keep type, length, bounds, lists and precision; times rise from column to column, so that what is declared to come
later does. Every held-back cell is filled and marked, so that it can be looked for where it must not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random

from sync.schema import CellType
from sync.values import Cell, Row
from tiers.dataset import CodeTable, Dataset, Field
from tiers.filters import compile_filter

MARK = "HELDBACK"
"""Stands in every held-back text."""
MARK_FLOAT = 51.38720419
"""Is every held-back float: inside the bounds of latitudes and longitudes."""
TABLE = "filled-2026"
"""The code table that generated rows take their codes from; the nation must write it first."""
CODES = tuple(f"{n:04d}" for n in range(1, 9))

TRIES = 400
_START_US = 1_767_312_000_000_000  # 2026-01-02 in UTC
_HOUR_US = 3_600_000_000
_START_DAY = date(2026, 1, 2)


class Filler:
    """Makes rows for one node, in one region of its own."""

    def __init__(self, node: str, region: str, seed: int = 0) -> None:
        self._node = node
        self._region = region
        self._random = Random(f"{node}/{seed}")

    def rows(self, dataset: Dataset, count: int) -> Iterator[Row]:
        """So many rows in schema order, which keep the dataset's checks."""
        checks = [compile_filter(check.rule, dataset.schema.names) for check in dataset.checks]
        for number in range(count):
            for _ in range(TRIES):
                row = tuple(self._cell(dataset, field, place, number) for place, field in enumerate(dataset.fields))
                if all(check(row) for check in checks):
                    break
            yield row

    def _cell(self, dataset: Dataset, field: Field, place: int, number: int) -> Cell:
        name = field.column.name
        if name == dataset.region:
            return self._region
        if name in dataset.key:
            return self._key(field, place, number)
        if field.held_back:
            return self._marked(field)
        if dataset.code_table is not None and name == dataset.code_table.table_column:
            return TABLE
        if field.codes is not None:
            return self._random.choice(CODES)
        if any(f.codes is not None and f.codes.column == name for f in dataset.fields):
            return TABLE
        if field.column.nullable and self._random.random() < 0.2:
            return None
        return self._value(field, place, number)

    def _key(self, field: Field, place: int, number: int) -> Cell:
        if field.column.type is CellType.TEXT:
            if field.values:
                return field.values[number % len(field.values)].value
            return f"{self._region}{number:06d}"[-field.column.length :]
        return (
            int(field.minimum or 0) + number
            if field.column.type is CellType.INTEGER
            else self._value(field, place, number)
        )

    def _marked(self, field: Field) -> Cell:
        if field.column.type is CellType.TEXT:
            return MARK if field.column.length >= len(MARK) else None
        return MARK_FLOAT if field.column.type is CellType.FLOAT else self._value(field, 0, 0)

    def _value(self, field: Field, place: int, number: int) -> Cell:
        random, low, high = self._random, field.minimum, field.maximum
        match field.column.type:
            case CellType.TEXT:
                if field.values:
                    return random.choice(field.values).value
                said = field.example or "井盖破损"[: field.column.length]
                longer = f"{said} {random.randrange(10**6)}"
                return longer if len(longer) <= field.column.length else said
            case CellType.INTEGER:
                return random.randint(int(low or 0), int(1_000 if high is None else high))
            case CellType.FLOAT:
                value = random.uniform(float(low or 0), float(1_000 if high is None else high))
                return round(value, 6 if field.decimals is None else field.decimals) + 0.0
            case CellType.DECIMAL:
                return str(random.randint(int(low or 0), int(1_000 if high is None else high)))
            case CellType.BOOLEAN:
                return random.random() < 0.5
            case CellType.BYTES:
                return random.randbytes(min(16, field.column.length))
            case CellType.DATE:
                return (_START_DAY + timedelta(days=place + number)).isoformat()
            case CellType.TIMESTAMP:
                return _START_US + (place + 24 * number) * _HOUR_US


def code_rows(dataset: Dataset, codes: CodeTable, node: str) -> Sequence[Row]:
    """The codes that generated rows use, in force for good."""
    said = {codes.table_column: TABLE, "status": "effective", "table_version": 1}
    needed = {f.column.name for f in dataset.fields if not f.column.nullable}
    rows = []
    for row, code in zip(Filler(node, "").rows(dataset, len(CODES)), CODES, strict=True):
        filled = {name: cell for name, cell in zip(dataset.schema.names, row, strict=True) if name in needed}
        cells = {**filled, **said, codes.code_column: code}
        rows.append(tuple(cells.get(name) for name in dataset.schema.names))
    return rows
