"""Periods that statistics are about: how they are written, when they begin and end, which came before.

Written as in the datasets' period columns: 2026, 2026Q1, 2026-03, 2026-W10 (ISO week), 2026-03-02. They begin and end
at midnight of the time zone that is given, in natural days; other calendars do not exist here yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import NamedTuple

from tiers.dataset import Cadence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_WRITTEN: Mapping[Cadence, re.Pattern[str]] = MappingProxyType(
    {
        Cadence.YEARLY: re.compile(r"([0-9]{4})"),
        Cadence.QUARTERLY: re.compile(r"([0-9]{4})Q([1-4])"),
        Cadence.MONTHLY: re.compile(r"([0-9]{4})-([0-9]{2})"),
        Cadence.WEEKLY: re.compile(r"([0-9]{4})-W([0-9]{2})"),
        Cadence.DAILY: re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"),
    }
)
CALENDAR = tuple(_WRITTEN)
"""Cadences that have periods, longest first; the others have no due date either."""


class Period(NamedTuple):
    """Days from `first` up to, and without, `until`."""

    cadence: Cadence
    first: date
    until: date

    def __str__(self) -> str:
        match self.cadence:
            case Cadence.YEARLY:
                return f"{self.first.year:04}"
            case Cadence.QUARTERLY:
                return f"{self.first.year:04}Q{(self.first.month + 2) // 3}"
            case Cadence.MONTHLY:
                return self.first.isoformat()[:7]
            case Cadence.WEEKLY:
                year, week, _ = self.first.isocalendar()
                return f"{year:04}-W{week:02}"
        return self.first.isoformat()

    @property
    def last(self) -> date:
        """The last day in it."""
        return self.until - _DAY

    def span_us(self, zone: tzinfo) -> tuple[int, int]:
        """Its first microsecond, and the first after it."""
        return midnight_us(self.first, zone), midnight_us(self.until, zone)

    def before(self) -> Period:
        """The one before. Raises OverflowError before the year 1."""
        return period_of(self.cadence, self.first - _DAY)

    def after(self) -> Period:
        """The next one. Raises OverflowError after the year 9999."""
        return period_of(self.cadence, self.until)


def midnight_us(day: date, zone: tzinfo) -> int:
    """Microseconds since 1970 UTC at which a day begins."""
    return moment_us(day, time(), zone)


def moment_us(day: date, at: time, zone: tzinfo) -> int:
    """Microseconds since 1970 UTC at a local time of a day."""
    return (datetime.combine(day, at, zone) - _EPOCH) // _MICROSECOND


def day_of(at_us: int, zone: tzinfo) -> date:
    """The day in which a moment lies."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).date()


def period_of(cadence: Cadence, day: date) -> Period:
    """The period of that cadence in which a day lies. Raises OverflowError at the ends of the calendar."""
    first, until = _BOUNDS[cadence](day)
    return Period(cadence, first, until)


def parse_period(text: str) -> Period:
    """The inverse of str(Period). Raises ValueError."""
    for cadence, written in _WRITTEN.items():
        found = written.fullmatch(text)
        if found is None:
            continue
        try:
            period = period_of(cadence, _first_day(cadence, [int(part) for part in found.groups()]))
        except OverflowError as error:
            raise ValueError(text) from error
        if str(period) == text:
            return period
    raise ValueError(text)


def ended_periods(cadence: Cadence, now_us: int, zone: tzinfo, count: int) -> list[Period]:
    """The newest `count` periods that are over, oldest first."""
    found: list[Period] = []
    period = period_of(cadence, day_of(now_us, zone))
    for _ in range(count):
        period = period.before()
        found.append(period)
    return found[::-1]


def _first_day(cadence: Cadence, numbers: list[int]) -> date:
    match cadence:
        case Cadence.WEEKLY:
            return date.fromisocalendar(numbers[0], numbers[1], 1)
        case Cadence.QUARTERLY:
            return date(numbers[0], 3 * numbers[1] - 2, 1)
    year, month, day = (*numbers, 1, 1)[:3]
    return date(year, month, day)


def _year(day: date) -> tuple[date, date]:
    return date(day.year, 1, 1), _month_on(date(day.year, 1, 1), 12)


def _quarter(day: date) -> tuple[date, date]:
    first = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return first, _month_on(first, 3)


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, _month_on(first, 1)


def _week(day: date) -> tuple[date, date]:
    first = day - timedelta(days=day.weekday())
    return first, first + timedelta(days=7)


def _one_day(day: date) -> tuple[date, date]:
    return day, day + _DAY


def _month_on(first: date, months: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    if year > date.max.year:
        raise OverflowError(f"after {date.max}")
    return date(year, month + 1, 1)


_BOUNDS: Mapping[Cadence, Callable[[date], tuple[date, date]]] = {
    Cadence.YEARLY: _year,
    Cadence.QUARTERLY: _quarter,
    Cadence.MONTHLY: _month,
    Cadence.WEEKLY: _week,
    Cadence.DAILY: _one_day,
}
