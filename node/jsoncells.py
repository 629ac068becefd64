"""Rows and keys as JSON says them, for the command line and the API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sync.schema import CellType, RowSchema

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_WHOLE = (CellType.INTEGER, CellType.TIMESTAMP)
CONVERTED = (CellType.BYTES, CellType.TIMESTAMP)
"""Types of which a JSON text may be a cell of another kind; all others are taken as they stand."""


def cell_of(kind: CellType, value: Any) -> Any:
    """A JSON value as a cell: bytes from hex, moments also from ISO text; what does not fit is the door's to reject."""
    if not isinstance(value, str):
        return value
    try:
        if kind is CellType.BYTES:
            return bytes.fromhex(value)
        if kind is CellType.TIMESTAMP:
            return (dt.datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError, OverflowError):
        return value
    return value


def key_of(schema: RowSchema, cells: Sequence[Any]) -> tuple[Any, ...] | None:
    """Key cells as JSON says them, numbers also as texts; None if there are not as many as the key has columns."""
    if len(cells) != len(schema.key):
        return None
    return tuple(_key_cell(schema.column(name).type, cell) for name, cell in zip(schema.key, cells, strict=True))


def _key_cell(kind: CellType, value: Any) -> Any:
    if kind in _WHOLE and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    return cell_of(kind, value)
