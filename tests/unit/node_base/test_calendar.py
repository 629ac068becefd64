"""The calendar of a node: the lists that come with the program, and the settings of its offices."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

from node.calendar import KeptCalendar, calendar_of, offices_of, published
from node.config import Config, NodeSection
from node.settings import CalendarSection
from node.store.readers import Reader
from node.store.store import Store
from sync.effects import UpsertRows
from sync.values import FeedName
from tests.unit.tiers.kit import CATALOGUE
from tiers.calendar import Kind, Source

NODE = NodeSection("cn-demo", "c330100.p330000.cn-demo", "city", "330100", "杭州市平台")
FEED = FeedName("n100000.cn-demo", "calendar_day.below")
SCHEMA = CATALOGUE.datasets["calendar_day"].schema


def test_the_lists_that_come_with_the_program_reach_this_year() -> None:
    """国庆 of 2025 and 2026 with the weekend days that are worked for it, as the State Council's notices say."""
    lists = published()
    assert lists.first <= 2020
    assert lists.last >= 2026
    for first, count, worked in (
        (date(2025, 10, 1), 8, (date(2025, 9, 28), date(2025, 10, 11))),
        (date(2026, 10, 1), 7, (date(2026, 9, 20), date(2026, 10, 10))),
    ):
        days = {first + timedelta(days=one) for one in range(count)}
        assert {day for day in lists.off if day.month == 10 and day.year == first.year} == days
        assert set(worked) <= set(lists.worked)
        assert {lists.worked[day].zh for day in worked} == {"国庆节"}


def test_no_day_of_the_lists_is_both_and_worked_days_are_weekend_days() -> None:
    lists = published()
    assert not lists.off.keys() & lists.worked.keys()
    assert all(day.weekday() > 4 for day in lists.worked)


def test_offices_are_as_the_settings_say() -> None:
    plain = offices_of(Config(NODE))
    assert plain.hours == ((time(8), time(12)), (time(14), time(18)))
    assert (plain.season, plain.rolling, str(plain.zone)) == (None, False, "Asia/Shanghai")
    settings = CalendarSection(("09:00-17:00",), "06-01..09-30", ("07:30-12:00", "15:00-18:00"), True)
    offices = offices_of(Config(NODE, calendar=settings))
    assert offices.season is not None
    assert offices.season.holds(date(2026, 6, 1))
    assert offices.rolling


def put(store: Store, *rows: tuple[str, str, str, bool]) -> None:
    """(day, division, kind, of a whole year) of the nation."""
    cells = [(day, division, kind, None, None, whole, None) for day, division, kind, whole in rows]
    store.begin()
    store.perform(UpsertRows("calendar_day", FEED.origin, FEED, SCHEMA.names, cells, [1] * len(cells)))
    store.commit()


def test_rows_of_the_table_count_as_soon_as_they_are_written(tmp_path: Path) -> None:
    """In the writer's thread and beside it alike; rows of other regions do not."""
    config, day, plain = Config(NODE), date(2027, 2, 8), date(2027, 3, 1)
    store = Store.open(tmp_path / "store.db", [SCHEMA])
    kept = KeptCalendar(store, config, SCHEMA)
    assert kept.now().told(day).is_provisional
    put(store, ("2027-02-08", "100000", "holiday", True), ("2027-03-01", "440000", "rest", False))
    assert kept.now() is kept.now()
    reader = Reader(tmp_path / "store.db", [SCHEMA])
    for calendar in (kept.now(), calendar_of(reader, config)):
        told = calendar.told(day)
        assert (told.kind, told.is_provisional, told.source) == (Kind.HOLIDAY, False, Source.TABLE)
        assert calendar.told(plain).kind is Kind.WORKING
    assert calendar_of(reader, config, ("440000",)).told(plain).kind is Kind.REST
    put(store, ("2027-02-08", "330000", "working", False))
    assert kept.now().told(day).kind is calendar_of(reader, config).told(day).kind is Kind.WORKING
    reader.close()
    store.close()
