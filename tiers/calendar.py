"""Which day is a working day, for the issuer of a limit: what a table says, else the published list, else the week.

The list comes with the program (the notices of the State Council up to some year). The table is the dataset
`calendar_day`: rows of this node's own region and of those above it; the nearest region counts. Rows that belong to
the complete list of a year make that year certain. Days of other years are provisional, and so are a year's last days
while the next year is not known: its list may move them. Holidays that the State Council's decree sets on days of the
sun's year are holidays in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from typing import NamedTuple

from tiers.flows.clocks import OfficeDay
from tiers.periods import midnight_us, moment_us
from tiers.regions import XPCC, XPCC_CITIES

COUNTRY = "100000"
UNSURE_FROM = (12, 25)
"""Month and day: lists of a next year have moved days from the 29th of December on."""

Hours = tuple[tuple[time, time], ...]
_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(f"{_TIME}-{_TIME}")
_LABEL = re.compile(r"[a-z]([0-9]{6})")
_SPANS_MAX = 4
_DAYS_KEPT_MAX = 10_000


_DECREED = {
    (1, 1): ("元旦", "New Year's Day"),
    (5, 1): ("劳动节", "Labour Day"),
    (5, 2): ("劳动节", "Labour Day"),
    (10, 1): ("国庆节", "National Day"),
    (10, 2): ("国庆节", "National Day"),
    (10, 3): ("国庆节", "National Day"),
}
"""《全国年节及纪念日放假办法》 as of 2025, as far as it names no day of the moon's year."""


class Kind(Enum):
    """What a day is, by the values of `kind` in calendar_day."""

    WORKING = "working"
    REST = "rest"
    HOLIDAY = "holiday"


class Source(Enum):
    """Who says so."""

    TABLE = "table"
    PUBLISHED = "published"
    DECREE = "decree"
    WEEK = "week"


class Name(NamedTuple):
    """What a day is called; '' where it has no name."""

    zh: str = ""
    en: str = ""


class Published(NamedTuple):
    """Complete lists of the years from `first` to `last`: days off, and weekend days that are worked."""

    first: int
    last: int
    off: Mapping[date, Name]
    worked: Mapping[date, Name]


class Said(NamedTuple):
    """A row of calendar_day."""

    day: date
    division: str
    kind: Kind
    name: Name = Name()
    is_of_whole_year: bool = False
    document: str = ""
    origin: str = ""


class Told(NamedTuple):
    """A day with all that is known of it. `said`: the row that counts, if one does."""

    day: date
    kind: Kind
    name: Name
    source: Source
    is_provisional: bool
    said: Said | None = None


class Season(NamedTuple):
    """Office hours from one day of the year to another, both counted, as (month, day); over the year's end too."""

    since: tuple[int, int]
    until: tuple[int, int]
    hours: Hours

    def holds(self, day: date) -> bool:
        """Whether a day lies in it."""
        at = (day.month, day.day)
        if self.since <= self.until:
            return self.since <= at <= self.until
        return at >= self.since or at <= self.until


class Offices(NamedTuple):
    """How the issuer's offices work. rolling: as clocks.Calendar.is_rolling."""

    zone: tzinfo
    hours: Hours
    season: Season | None = None
    rolling: bool = False


class WorkCalendar:
    """Implements clocks.Calendar. `regions`: those whose rows count, the nearest first."""

    def __init__(
        self, offices: Offices, published: Published | None, rows: Iterable[Said], regions: Sequence[str]
    ) -> None:
        self._offices, self._published = offices, published
        rank = {region: place for place, region in enumerate(regions)}
        counting = sorted((row for row in rows if row.division in rank), key=lambda r: (rank[r.division], r.origin))
        self._rows: dict[date, Said] = {}
        for row in counting:
            self._rows.setdefault(row.day, row)
        self._days: dict[date, OfficeDay] = {}
        self._years = {row.day.year for row in counting if row.is_of_whole_year}

    @property
    def zone(self) -> tzinfo:
        """Where days begin and end."""
        return self._offices.zone

    @property
    def is_rolling(self) -> bool:
        """As clocks.Calendar."""
        return self._offices.rolling

    def office_day(self, day: date) -> OfficeDay:
        """As clocks.Calendar. Raises OverflowError at the end of the calendar."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _DAYS_KEPT_MAX:
                self._days.clear()
            found = self._days[day] = self._office_day(day)
        return found

    def _office_day(self, day: date) -> OfficeDay:
        told, zone = self.told(day), self.zone
        begins, ends = (midnight_us(one, zone) for one in (day, day + timedelta(days=1)))
        hours = tuple((moment_us(day, since, zone), moment_us(day, until, zone)) for since, until in self.hours(day))
        return OfficeDay(begins, ends, told.kind is Kind.WORKING, told.is_provisional, hours)

    def hours(self, day: date) -> Hours:
        """Office hours, if it is a working day."""
        season = self._offices.season
        return season.hours if season is not None and season.holds(day) else self._offices.hours

    def told(self, day: date) -> Told:
        """What a day is, and who says so."""
        row = self._rows.get(day)
        if row is not None:
            return Told(day, row.kind, row.name, Source.TABLE, False, row)
        is_provisional = not self._is_sure(day)
        listed = self._published
        if listed is not None:
            if day in listed.worked:
                return Told(day, Kind.WORKING, listed.worked[day], Source.PUBLISHED, is_provisional)
            if day in listed.off:
                return Told(day, Kind.HOLIDAY, listed.off[day], Source.PUBLISHED, is_provisional)
        decreed = _DECREED.get((day.month, day.day))
        if decreed is not None and not self._is_listed(day.year):
            return Told(day, Kind.HOLIDAY, Name(*decreed), Source.DECREE, is_provisional)
        source = Source.PUBLISHED if self._is_listed(day.year) else Source.WEEK
        return Told(day, Kind.REST if day.weekday() > 4 else Kind.WORKING, Name(), source, is_provisional)

    def is_known(self, year: int) -> bool:
        """Whether there is a complete list of a year."""
        return year in self._years or self._is_listed(year)

    def _is_listed(self, year: int) -> bool:
        listed = self._published
        return listed is not None and listed.first <= year <= listed.last

    def _is_sure(self, day: date) -> bool:
        if not self.is_known(day.year):
            return False
        return (day.month, day.day) < UNSURE_FROM or self.is_known(day.year + 1)


def read_hours(spans: Sequence[str]) -> Hours:
    """('08:00-12:00', '14:00-18:00'): in order and apart. Raises ValueError."""
    found: list[tuple[time, time]] = []
    for span in spans:
        read = _HOURS.fullmatch(span)
        if read is None:
            raise ValueError(span)
        since, until = time(int(read[1]), int(read[2])), time(int(read[3]), int(read[4]))
        if since >= until or (found and since < found[-1][1]):
            raise ValueError(span)
        found.append((since, until))
    if not 0 < len(found) <= _SPANS_MAX:
        raise ValueError(f"1 to {_SPANS_MAX} spans")
    return tuple(found)


def read_day_of_year(text: str) -> tuple[int, int]:
    """'06-01' as (month, day). Raises ValueError."""
    if re.fullmatch(r"[0-9]{2}-[0-9]{2}", text, re.ASCII) is None:
        raise ValueError(text)
    day = date.fromisoformat(f"2000-{text}")
    return day.month, day.day


def regions_of(node: str, region: str) -> tuple[str, ...]:
    """The regions whose rows count at a node: its own, those of the nodes above it as its id names them, the nation."""
    above = (found[1] for label in node.split(".")[1:] if (found := _LABEL.fullmatch(label)) is not None)
    return tuple(dict.fromkeys((region, *above, COUNTRY)))


def regions_over(region: str) -> tuple[str, ...]:
    """The same for a region by its code alone: itself, its city, its province (the corps for the corps' cities)."""
    province = XPCC if region in XPCC_CITIES else f"{region[:2]}0000"
    city = (f"{region[:4]}00",) if region not in XPCC_CITIES else ()
    return tuple(dict.fromkeys((region, *city, province, COUNTRY)))
