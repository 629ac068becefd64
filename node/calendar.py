"""The calendar of this node as an issuer: the published lists that come with the program, the table, office hours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from node.config import Config
from node.store.readers import Reader
from node.store.store import Store
from sync.schema import RowSchema
from sync.values import Row
from tiers.calendar import (
    Kind,
    Name,
    Offices,
    Published,
    Said,
    Season,
    WorkCalendar,
    read_day_of_year,
    read_hours,
    regions_of,
)

DATASET = "calendar_day"
ROWS_MAX = 100_000


@lru_cache(maxsize=1)
def published() -> Published:
    """The notices of the State Council as the package holds them, read once, by whoever first needs a calendar."""
    from chinese_calendar.constants import Holiday, holidays, workdays

    names = {one.value: Name(one.chinese, one.value) for one in Holiday}
    off, worked = ({day: names[name] for day, name in days.items()} for days in (holidays, workdays))
    return Published(min(off).year, max(off).year, off, worked)


def offices_of(config: Config) -> Offices:
    """Office hours and zone as the settings say."""
    said = config.calendar
    season = None
    if said.season:
        since, _, until = said.season.partition("..")
        season = Season(read_day_of_year(since), read_day_of_year(until), read_hours(said.season_hours))
    zone = ZoneInfo(config.run.time_zone)
    return Offices(zone, read_hours(said.office_hours), season, said.natural_days_roll)


def calendar_of(reader: Reader, config: Config, regions: Sequence[str] = ()) -> WorkCalendar:
    """The calendar of this node's region, or of another whose rows are held here. Raises StoreFault."""
    wanted = tuple(regions) or own_regions(config)
    places = ", ".join("?" * len(wanted))
    names = ("_origin", *reader.schema(DATASET).names)
    rows = reader.query(DATASET, f'"division" IN ({places})', wanted, names, ROWS_MAX)
    return WorkCalendar(offices_of(config), published(), _said(rows, names), wanted)


def own_regions(config: Config) -> tuple[str, ...]:
    """The regions whose rows count at this node."""
    return regions_of(config.node.node_id, config.node.region)


class KeptCalendar:
    """The same in the writer's thread, read again only after a row of the table was written."""

    def __init__(self, store: Store, config: Config, schema: RowSchema) -> None:
        self._store, self._config, self._names = store, config, schema.names
        self._as_of = -1
        self._calendar: WorkCalendar | None = None

    def now(self) -> WorkCalendar:
        """As the table stands. Raises StoreFault."""
        written = self._store.written(DATASET)
        if self._calendar is None or written != self._as_of:
            regions = own_regions(self._config)
            at = self._names.index("division")
            rows = [("", *row) for _, _, row in self._store.scan(DATASET, None) if row[at] in regions]
            said = _said(rows, ("_origin", *self._names))
            self._calendar, self._as_of = WorkCalendar(offices_of(self._config), published(), said, regions), written
        return self._calendar


def _said(rows: Iterable[Row], names: Sequence[str]) -> list[Said]:
    places = [names.index(name) for name in ("day", "division", "kind", "name_zh", "name_en", "whole_year", "document")]
    origin = names.index("_origin")
    found = []
    for row in rows:
        day, division, kind, zh, en, whole, document = (row[at] for at in places)
        found.append(
            Said(
                date.fromisoformat(str(day)),
                str(division),
                Kind(kind),
                Name(str(zh or ""), str(en or zh or "")),
                bool(whole),
                str(document or ""),
                str(row[origin]),
            )
        )
    return found
