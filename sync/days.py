"""The day that an entry or a row at the door is counted under: one calendar for the whole federation.

An entry's day is that of its header's time, which its origin has signed: whoever holds the entry counts it under the
same day, whatever its own clock or time zone says. Days are those of Beijing time, counted from 1970-01-01.
"""

from __future__ import annotations

import datetime as dt

DAY_MS = 86_400_000
OFFSET_MS = 8 * 3_600_000
"""Beijing time: UTC+8, without summer time."""
DAY_MAX = dt.date.max.toordinal() - dt.date(1970, 1, 1).toordinal()
"""The last day that has a date. What an origin says may lie beyond it, and counts as this one."""
_FIRST = dt.date(1970, 1, 1).toordinal()


def day_of_hlc(hlc: int) -> int:
    """The day of a hybrid logical clock's time (sync.core.Core.tick_hlc)."""
    return min(((hlc >> 16) + OFFSET_MS) // DAY_MS, DAY_MAX)


def day_of_us(us: int) -> int:
    """The day of a moment in microseconds since 1970 UTC."""
    return min(max((us // 1_000 + OFFSET_MS) // DAY_MS, 0), DAY_MAX)


def hlc_us(hlc: int) -> int:
    """The moment of a hybrid logical clock's time, in microseconds since 1970 UTC."""
    return (hlc >> 16) * 1_000


def day_begins_us(day: int) -> int:
    """When a day begins, in microseconds since 1970 UTC."""
    return (day * DAY_MS - OFFSET_MS) * 1_000


def date_of(day: int) -> str:
    """The day as an ISO date."""
    return dt.date.fromordinal(day + _FIRST).isoformat()


def day_named(date: str) -> int:
    """The day of an ISO date from 1970 on. Raises ValueError."""
    day = dt.date.fromisoformat(date).toordinal() - _FIRST
    if day < 0:
        raise ValueError(date)
    return day
