"""What a driver gives -> the text that a mapping reads, so that rows of a database pass the same door as a file's."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from uuid import UUID

from node.loading.typed import text_of

_BITS = {b"\x00": "0", b"\x01": "1"}
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


def cell_text(value: object, zone: dt.tzinfo, *, has_bits: bool) -> str | None:
    """The text of a cell. has_bits: the driver gives BIT(1) as a byte. A kind that nobody knows becomes its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal | dt.date):
        return text_of(value, zone)
    if isinstance(value, memoryview | bytearray):
        value = bytes(value)
    if isinstance(value, bytes) and has_bits and value in _BITS:
        return _BITS[value]
    if isinstance(value, dt.timedelta):
        return _time_of_day(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, UUID):
        return str(value)
    try:
        return text_of(value, zone)
    except TypeError:
        return str(value)


def _time_of_day(value: dt.timedelta) -> str:
    """MariaDB's TIME comes as a span."""
    seconds = value.days * _DAY_S + value.seconds
    if not 0 <= seconds < _DAY_S:
        return str(value)
    return f"{seconds // _HOUR_S:02}:{seconds % _HOUR_S // _MINUTE_S:02}:{seconds % _MINUTE_S:02}"
