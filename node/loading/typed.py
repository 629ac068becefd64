"""Cells that already have a type, as in workbooks and Parquet -> the text that a CSV file would hold.

So that they go through the same door: one way of checking, whatever the file. Only moments are marked (`Stamp`): the
date formats of a mapping are for texts, and a cell that is a date needs none.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Final

from node.loading.dates import Stamp

_EXACT: Final = 2**53


def text_of(value: object, zone: dt.tzinfo) -> str | None:
    """The text of a cell; moments with an offset are told in `zone`. Raises TypeError for a kind that no column has."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dt.datetime):
        return _moment(value, zone)
    if isinstance(value, dt.date):
        return Stamp(value.isoformat())
    if isinstance(value, dt.time):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _float(value: float) -> str:
    if math.isfinite(value) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return format(Decimal(repr(value)), "f") if math.isfinite(value) else repr(value)


def _moment(value: dt.datetime, zone: dt.tzinfo) -> str:
    if value.tzinfo is not None:
        return Stamp(value.astimezone(zone).isoformat())
    return Stamp(value.date().isoformat() if value.time() == dt.time() else value.isoformat())
