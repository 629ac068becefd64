"""Which day is a working day: the table before the published lists, those before the decree, that before the week."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest

from tiers.calendar import (
    Kind,
    Name,
    Offices,
    Published,
    Said,
    Season,
    Source,
    WorkCalendar,
    read_day_of_year,
    read_hours,
    regions_of,
    regions_over,
)

HOURS = read_hours(("08:00-12:00", "14:00-18:00"))
OFFICES = Offices(ZoneInfo("Asia/Shanghai"), HOURS)
FEAST = Name("春节", "Spring Festival")
LISTED = Published(2025, 2026, {date(2026, 2, 16): FEAST}, {date(2026, 2, 14): FEAST})
"""A list of two years: one Monday off for a Saturday."""
NATION, PROVINCE, CITY = "100000", "330000", "330100"
CHAIN = (CITY, PROVINCE, NATION)


def calendar(*rows: Said, regions: tuple[str, ...] = CHAIN, listed: Published | None = LISTED) -> WorkCalendar:
    return WorkCalendar(OFFICES, listed, rows, regions)


@pytest.mark.parametrize(
    ("day", "kind", "source", "provisional"),
    [
        (date(2026, 2, 13), Kind.WORKING, Source.PUBLISHED, False),
        (date(2026, 2, 14), Kind.WORKING, Source.PUBLISHED, False),
        (date(2026, 2, 15), Kind.REST, Source.PUBLISHED, False),
        (date(2026, 2, 16), Kind.HOLIDAY, Source.PUBLISHED, False),
        (date(2025, 12, 31), Kind.WORKING, Source.PUBLISHED, False),
        (date(2026, 12, 24), Kind.WORKING, Source.PUBLISHED, False),
        (date(2026, 12, 25), Kind.WORKING, Source.PUBLISHED, True),
        (date(2027, 1, 1), Kind.HOLIDAY, Source.DECREE, True),
        (date(2027, 1, 2), Kind.REST, Source.WEEK, True),
        (date(2027, 1, 4), Kind.WORKING, Source.WEEK, True),
        (date(2024, 10, 1), Kind.HOLIDAY, Source.DECREE, True),
    ],
)
def test_who_says_what_a_day_is(day: date, kind: Kind, source: Source, provisional: bool) -> None:
    told = calendar().told(day)
    assert (told.kind, told.source, told.is_provisional) == (kind, source, provisional)
    assert calendar().office_day(day).works == (kind is Kind.WORKING)


def test_the_nearest_region_of_the_table_counts() -> None:
    """A city's row before its province's, that before the nation's; rows of other regions do not count."""
    day = date(2026, 4, 20)
    nation = Said(day, NATION, Kind.HOLIDAY, Name("甲", "A"))
    province = Said(day, PROVINCE, Kind.WORKING)
    city = Said(day, CITY, Kind.REST)
    other = Said(day, "440000", Kind.HOLIDAY)
    assert calendar(other).told(day).source is Source.PUBLISHED
    assert calendar(other, nation).told(day).said == nation
    for rows in ((nation, province, city), (city, province, nation)):
        assert calendar(*rows).told(day).said == city
        assert calendar(*rows, regions=(PROVINCE, NATION)).told(day).said == province
        assert calendar(*rows, regions=(NATION,)).told(day).name == Name("甲", "A")


def test_the_table_overrides_the_published_list() -> None:
    """As when the State Council changes a list in the middle of its year."""
    day = date(2026, 2, 16)
    told = calendar(Said(day, NATION, Kind.WORKING)).told(day)
    assert (told.kind, told.source, told.is_provisional) == (Kind.WORKING, Source.TABLE, False)
    assert calendar(Said(day, NATION, Kind.WORKING)).told(date(2026, 2, 14)).kind is Kind.WORKING


def test_a_complete_list_in_the_table_makes_its_year_certain() -> None:
    """One row of a complete list is enough to tell; rows beside it, such as a local holiday, are not."""
    plain, last = date(2027, 3, 1), date(2026, 12, 31)
    local = Said(date(2027, 4, 9), PROVINCE, Kind.HOLIDAY)
    listed = Said(date(2027, 2, 8), NATION, Kind.HOLIDAY, FEAST, is_of_whole_year=True)
    assert calendar(local).told(plain).is_provisional
    assert not calendar(local).told(local.day).is_provisional
    assert not calendar(listed).told(plain).is_provisional
    assert not calendar(listed).told(last).is_provisional
    assert calendar(listed).told(date(2027, 12, 25)).is_provisional
    assert (calendar(listed).is_known(2027), calendar(listed).is_known(2028)) == (True, False)
    elsewhere = Said(date(2027, 2, 8), "440000", Kind.HOLIDAY, FEAST, is_of_whole_year=True)
    assert calendar(elsewhere).told(plain).is_provisional


def test_without_any_list_everything_is_provisional() -> None:
    told = calendar(listed=None).told(date(2026, 2, 16))
    assert (told.kind, told.source, told.is_provisional) == (Kind.WORKING, Source.WEEK, True)


@pytest.mark.parametrize(
    ("season", "inside", "outside"),
    [
        (((6, 1), (9, 30)), [date(2026, 6, 1), date(2026, 9, 30)], [date(2026, 5, 31), date(2026, 10, 1)]),
        (((11, 15), (2, 29)), [date(2026, 11, 15), date(2026, 2, 28)], [date(2026, 3, 1), date(2026, 11, 14)]),
    ],
)
def test_a_season_has_office_hours_of_its_own(
    season: tuple[tuple[int, int], tuple[int, int]], inside: list[date], outside: list[date]
) -> None:
    summer = read_hours(("07:30-12:00", "15:00-18:00"))
    made = WorkCalendar(OFFICES._replace(season=Season(*season, summer)), LISTED, (), CHAIN)
    assert {made.hours(day) for day in inside} == {summer}
    assert {made.hours(day) for day in outside} == {HOURS}


@pytest.mark.parametrize(
    "spans",
    [
        (),
        ("08:00",),
        ("8:00-12:00",),
        ("12:00-08:00",),
        ("08:00-08:00",),
        ("08:00-24:00",),
        ("08:00-12:00 ",),
        ("08:00-12:00", "11:00-13:00"),
        ("14:00-18:00", "08:00-12:00"),
        ("08:00-09:00",) * 5,
    ],
)
def test_what_are_no_office_hours_is_refused(spans: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        read_hours(spans)


def test_office_hours_may_touch() -> None:
    assert read_hours(("08:00-12:00", "12:00-13:30")) == ((time(8), time(12)), (time(12), time(13, 30)))


@pytest.mark.parametrize("text", ["", "6-1", "02-30", "13-01", "06-01 ", "２０-０1"])
def test_what_is_no_day_of_a_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_day_of_year(text)


@pytest.mark.parametrize(
    ("node", "region", "above"),
    [
        ("n100000.cn-demo", "100000", ("100000",)),
        ("p330000.cn-demo", "330000", ("330000", "100000")),
        ("c330100.p330000.cn-demo", "330100", ("330100", "330000", "100000")),
        ("d330106.c330100.p330000.cn-demo", "330106", ("330106", "330100", "330000", "100000")),
        ("c310000.cn-demo", "310000", ("310000", "100000")),
        ("c659001.p660000.cn-demo", "659001", ("659001", "660000", "100000")),
        ("c654200.c654000.p650000.cn-demo", "654200", ("654200", "654000", "650000", "100000")),
    ],
)
def test_a_node_looks_up_along_its_own_tree(node: str, region: str, above: tuple[str, ...]) -> None:
    """A city of the corps lies inside Xinjiang's prefix, and looks to the corps."""
    assert regions_of(node, region) == above


@pytest.mark.parametrize(
    ("region", "above"),
    [
        ("330106", ("330106", "330100", "330000", "100000")),
        ("330000", ("330000", "100000")),
        ("100000", ("100000",)),
        ("659001", ("659001", "660000", "100000")),
        ("660000", ("660000", "100000")),
    ],
)
def test_any_other_region_looks_up_along_its_code(region: str, above: tuple[str, ...]) -> None:
    assert regions_over(region) == above
