"""A Parquet file, by pyarrow, which is installed only where such files are used.

Moments are timestamps with a zone, dates are dates, bytes are bytes; decimals are texts, as they were written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

from node.exporting.cells import Head
from node.faults import Code, UserFault
from node.texts import N_
from sync.schema import CellType
from sync.values import Cell, Row

GROUP_ROWS: Final = 10_000


def library() -> Any:
    """pyarrow. Raises UserFault that says what to install."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Parquet files need the library pyarrow, which is not installed."),
            N_(
                "Install pyarrow into the program's environment (`pip install pyarrow`, from a file where there is no "
                "internet), or export as CSV or JSON lines."
            ),
        ) from error
    return pyarrow


class ParquetFormat:
    """A Parquet file of row groups of some thousand rows."""

    def __init__(self, out: BinaryIO, heads: Sequence[Head], zone: str) -> None:
        self._pa = pa = library()
        self._types = [_type(pa, head.type, zone) for head in heads]
        self._values = [_value(head.type) for head in heads]
        fields = [pa.field(head.title, kind) for head, kind in zip(heads, self._types, strict=True)]
        self._schema = pa.schema(fields)
        self._file = pa.parquet.ParquetWriter(out, self._schema)
        self._group: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        """Adds rows."""
        self._group += rows
        if len(self._group) >= GROUP_ROWS:
            self._flush()

    def finish(self) -> None:
        """Writes what is left, and the end of the file."""
        if self._group:
            self._flush()
        self._file.close()

    def abandon(self) -> None:
        """Lets go of the stream."""
        self._file.close()

    def _flush(self) -> None:
        columns = [
            self._pa.array([None if cell is None else value(cell) for cell in cells], kind)
            for cells, value, kind in zip(zip(*self._group, strict=True), self._values, self._types, strict=True)
        ]
        self._file.write_table(self._pa.Table.from_arrays(columns, schema=self._schema))
        self._group = []


def _type(pa: Any, kind: CellType, zone: str) -> Any:
    match kind:
        case CellType.INTEGER:
            return pa.int64()
        case CellType.FLOAT:
            return pa.float64()
        case CellType.BOOLEAN:
            return pa.bool_()
        case CellType.BYTES:
            return pa.binary()
        case CellType.DATE:
            return pa.date32()
        case CellType.TIMESTAMP:
            return pa.timestamp("us", zone)
        case CellType.TEXT | CellType.DECIMAL:
            return pa.string()


def _value(kind: CellType) -> Callable[[Cell], object]:
    if kind is CellType.DATE:
        return lambda cell: dt.date.fromisoformat(str(cell))
    return lambda cell: cell
