"""The four clocks on which limits run (reference/domain.md 3.4): when one is over, and how much of it has passed.

紧急工作时 runs on through nights and holidays, 工作时 in office hours alone; both begin at the moment itself. 工作日
and 自然日 count whole days: the day of the beginning does not count, and the last one ends when offices close, or at
its last second. Time in which the clock stands still does not count; a day into which such time falls does not count
at all, so that days stay whole. Why so: docs/adr/0017-clocks.md.

Which day is a working day, a Calendar says: that of the issuer. Exact in fractions, so that parts add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta, tzinfo
from enum import Enum
from fractions import Fraction
from typing import NamedTuple, Protocol

from tiers.periods import day_of

HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_DAY = timedelta(days=1)

LIMIT_DAYS_MAX = 3_660
WALK_DAYS_MAX = 8_000
"""A calendar that nearly never works must not be walked for ever."""

WARN_AT = Fraction(4, 5)
"""The share of a limit after which it is told that the end is near (reference/domain.md 10)."""


class ClockFault(ValueError):
    """There is no such limit, or no such day."""


class Clock(Enum):
    """By the values of `limit_unit` in the dataset class_code."""

    URGENT_HOUR = "urgent_hour"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    DAY = "day"

    @property
    def counts_days(self) -> bool:
        """Whether it counts whole days."""
        return self in (Clock.WORK_DAY, Clock.DAY)

    @property
    def asks_calendar(self) -> bool:
        """Whether it matters to it which day is a working day."""
        return self in (Clock.WORK_HOUR, Clock.WORK_DAY)


CLOCKS_ZH = {
    "紧急工作时": Clock.URGENT_HOUR,
    "工作时": Clock.WORK_HOUR,
    "工作日": Clock.WORK_DAY,
    "自然日": Clock.DAY,
}
_BY_WORD = {**CLOCKS_ZH, **{clock.value: clock for clock in Clock}}
_WRITTEN = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,4})|:([0-5][0-9]))? *([^0-9.: ]+)")


class Limit(NamedTuple):
    """So much on a clock. Made by `limit_of` or `read_limit`, which check it."""

    amount: Fraction
    clock: Clock

    def __str__(self) -> str:
        whole, rest = divmod(self.amount, 1)
        return f"{whole}{f':{int(rest * 60):02}' if rest else ''} {self.clock.value}"


def limit_of(amount: Fraction | int, clock: Clock) -> Limit:
    """A limit: whole days, or hours to the minute. Raises ClockFault."""
    amount = Fraction(amount)
    days = amount if clock.counts_days else amount / 24
    if not 0 < days <= LIMIT_DAYS_MAX:
        raise ClockFault(f"a limit is more than 0 and at most {LIMIT_DAYS_MAX} days")
    if (amount if clock.counts_days else amount * 60).denominator != 1:
        raise ClockFault("a limit is in whole days, or in hours to the minute")
    return Limit(amount, clock)


def read_limit(text: str) -> Limit:
    """'3 work_day', '3 工作日', '0:30 urgent_hour', '0.5 紧急工作时': the inverse of str(Limit). Raises ClockFault."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or found[4] not in _BY_WORD:
        raise ClockFault(text)
    amount = Fraction(f"{found[1]}.{found[2] or 0}") + Fraction(int(found[3] or 0), 60)
    return limit_of(amount, _BY_WORD[found[4]])


Span = tuple[int, int]
"""Microseconds from and until; empty if they are the same."""


class OfficeDay(NamedTuple):
    """A day as offices have it. From `begins_us` up to, and without, `ends_us`. hours: when they are open if they work
    on that day, in order and apart; never empty.

    is_provisional: neither a list that was published nor a table says what day it is; it follows from the week alone.
    """

    begins_us: int
    ends_us: int
    works: bool
    is_provisional: bool
    hours: Sequence[Span]


class Calendar(Protocol):
    """What clocks ask, often of the same day.

    is_rolling: a limit in 自然日 whose last day is no working day ends with the next such day.
    """

    @property
    def zone(self) -> tzinfo: ...

    @property
    def is_rolling(self) -> bool: ...

    def office_day(self, day: date) -> OfficeDay:
        """Any day."""
        ...


class Due(NamedTuple):
    """The last moment that is in time. is_provisional: days count in it of which the calendar is not sure."""

    at_us: int
    is_provisional: bool


def due(start_us: int, limit: Limit, calendar: Calendar, suspended: Iterable[Span] = ()) -> Due:
    """When a limit is over that began at `start_us` and stood still in `suspended`. Raises ClockFault."""
    found = share_at(start_us, limit, Fraction(1), calendar, suspended)
    return _rolled(found, calendar) if limit.clock is Clock.DAY and calendar.is_rolling else found


def share_at(start_us: int, limit: Limit, share: Fraction, calendar: Calendar, suspended: Iterable[Span] = ()) -> Due:
    """When a share of a limit has passed. Raises ClockFault."""
    wanted, counted, is_provisional = limit.amount * share * _scale(limit.clock), 0, False
    if wanted <= 0:
        raise ClockFault("a share is more than 0")
    for piece in _pieces(start_us, limit.clock, calendar, suspended):
        is_provisional |= piece.is_provisional
        if piece.units and counted + piece.units >= wanted:
            return Due(piece.point((wanted - counted) / piece.units), is_provisional)
        counted += piece.units
    raise ClockFault(f"the calendar has no {limit} from there on")


def elapsed(start_us: int, until_us: int, clock: Clock, calendar: Calendar, suspended: Iterable[Span] = ()) -> Fraction:
    """How much has passed by `until_us`, in the clock's unit: of the current day the share that has passed of it.

    Raises ClockFault.
    """
    counted = Fraction(0)
    for piece in _pieces(start_us, clock, calendar, suspended):
        if piece.begins_us >= until_us:
            return counted / _scale(clock)
        counted += piece.passed(until_us)
    raise ClockFault("that is too far off")


def day_end(day: date, calendar: Calendar) -> int:
    """The last moment of a day that is in time: when offices close, or its last second where they are not open.

    Raises ClockFault.
    """
    try:
        office = calendar.office_day(day)
    except OverflowError as error:
        raise ClockFault("the calendar ends there") from error
    return office.hours[-1][1] if office.works else office.ends_us - _SECOND_US


class _Piece(NamedTuple):
    """What of one day counts: `units` in all, microseconds or whole days, spread over `windows`."""

    begins_us: int
    units: int
    windows: Sequence[Span]
    is_provisional: bool

    def point(self, share: Fraction) -> int:
        """When so much of the piece has passed; the first microsecond at which it is no less."""
        offset = -int(-share * _length(self.windows) // 1)
        for since, until in self.windows:
            if offset <= until - since:
                return since + offset
            offset -= until - since
        raise AssertionError("a share is at most 1")

    def passed(self, until_us: int) -> Fraction | int:
        """How many units have passed by then."""
        if not self.units or self.windows[-1][1] <= until_us:
            return self.units
        before = sum(min(until, until_us) - since for since, until in self.windows if since < until_us)
        return Fraction(self.units * before, _length(self.windows))


def _scale(clock: Clock) -> int:
    """Units of pieces in one of the clock."""
    return 1 if clock.counts_days else HOUR_US


def _length(windows: Iterable[Span]) -> int:
    return sum(until - since for since, until in windows)


def _pieces(start_us: int, clock: Clock, calendar: Calendar, suspended: Iterable[Span]) -> Iterator[_Piece]:
    """Day by day from that of the beginning."""
    spans = _united(suspended)
    try:
        first = day_of(start_us, calendar.zone)
        for count in range(WALK_DAYS_MAX):
            office = calendar.office_day(first + count * _DAY)
            windows = _windows(office, clock)
            is_provisional = clock.asks_calendar and office.is_provisional
            if clock.counts_days:
                if count == 0:
                    continue
                if spans and any(_overlap(one, spans) for one in windows):
                    windows = ()
                yield _Piece(office.begins_us, 1 if windows else 0, windows, is_provisional)
                continue
            if count == 0:
                windows = [(max(since, start_us), until) for since, until in windows if until > start_us]
            if spans:
                windows = _without(windows, spans)
            yield _Piece(office.begins_us, _length(windows), windows, is_provisional)
    except OverflowError as error:
        raise ClockFault("the calendar ends there") from error


def _windows(office: OfficeDay, clock: Clock) -> Sequence[Span]:
    """When the clock runs on a day."""
    if clock.asks_calendar:
        return office.hours if office.works else ()
    return ((office.begins_us, office.ends_us - (_SECOND_US if clock.counts_days else 0)),)


def _rolled(found: Due, calendar: Calendar) -> Due:
    """The end of the first working day from there on."""
    day, is_provisional = day_of(found.at_us, calendar.zone), False
    for _ in range(WALK_DAYS_MAX):
        office = calendar.office_day(day)
        is_provisional |= office.is_provisional
        if office.works:
            return Due(office.ends_us - _SECOND_US, is_provisional)
        day += _DAY
    raise ClockFault("the calendar has no working day from there on")


def _united(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that are in order and apart."""
    found: list[Span] = []
    for since, until in sorted(span for span in spans if span[0] < span[1]):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _overlap(window: Span, spans: Sequence[Span]) -> bool:
    return any(since < window[1] and window[0] < until for since, until in spans)


def _without(windows: Iterable[Span], spans: Sequence[Span]) -> Sequence[Span]:
    """What of the windows lies in no span; spans are in order."""
    found = []
    for since, until in windows:
        for gap, end in spans:
            if since < min(gap, until):
                found.append((since, min(gap, until)))
            since = max(since, end)
        if since < until:
            found.append((since, until))
    return found
