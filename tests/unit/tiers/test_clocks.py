"""The four clocks over real days: dates reckoned by hand from the State Council's notices for 2025 and 2026."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from node.calendar import published
from tiers.calendar import Kind, Offices, Said, WorkCalendar, read_hours
from tiers.flows.clocks import (
    WARN_AT,
    Clock,
    ClockFault,
    OfficeDay,
    due,
    elapsed,
    limit_of,
    read_limit,
    share_at,
)

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = read_hours(("08:00-12:00", "14:00-18:00"))
EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
NATION, PROVINCE, CITY = "100000", "450000", "450100"
LOCAL = (
    Said(date(2026, 4, 20), PROVINCE, Kind.HOLIDAY),
    Said(date(2026, 4, 21), PROVINCE, Kind.HOLIDAY),
    Said(date(2026, 4, 21), CITY, Kind.WORKING),
)
"""A province's own holiday of two days, of which one of its cities works the second."""


def calendar(regions: tuple[str, ...] = (NATION,), *, rolling: bool = False) -> WorkCalendar:
    return WorkCalendar(Offices(ZONE, HOURS, rolling=rolling), published(), LOCAL, regions)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=ZONE) - EPOCH) // timedelta(microseconds=1)


def shown(at_us: int) -> str:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


GOLDEN = [
    # 国庆 2026: 1 to 7 October off, Sunday 20 September and Saturday 10 October worked
    ("2026-09-29T16:00", "3 工作日", "2026-10-09 18:00:00"),
    ("2026-09-29T16:00", "5 工作日", "2026-10-12 18:00:00"),
    ("2026-09-29T07:00", "1 工作日", "2026-09-30 18:00:00"),
    ("2026-09-18T10:00", "1 工作日", "2026-09-20 18:00:00"),
    ("2026-09-30T17:00", "4 工作时", "2026-10-08 11:00:00"),
    ("2026-09-30T17:00", "1 工作时", "2026-09-30 18:00:00"),
    ("2026-10-03T10:00", "2 工作时", "2026-10-08 10:00:00"),
    ("2026-10-09T16:00", "4 工作时", "2026-10-10 10:00:00"),
    ("2026-09-30T13:00", "4 工作时", "2026-09-30 18:00:00"),
    ("2026-09-30T17:00", "2 紧急工作时", "2026-09-30 19:00:00"),
    ("2026-10-01T03:00", "24 紧急工作时", "2026-10-02 03:00:00"),
    ("2026-10-01T23:50", "0:30 紧急工作时", "2026-10-02 00:20:00"),
    ("2026-09-30T10:00", "7 自然日", "2026-10-07 23:59:59"),
    # 中秋 2026: Friday 25 to Sunday 27 September off
    ("2026-09-24T17:00", "2 工作时", "2026-09-28 09:00:00"),
    ("2026-09-23T10:00", "3 工作日", "2026-09-29 18:00:00"),
    # 国庆 and 中秋 2025: 1 to 8 October off, Sunday 28 September and Saturday 11 October worked
    ("2025-09-30T09:00", "1 工作日", "2025-10-09 18:00:00"),
    ("2025-09-30T09:00", "3 工作日", "2025-10-11 18:00:00"),
    ("2025-09-30T09:00", "4 工作日", "2025-10-13 18:00:00"),
    ("2025-09-26T15:00", "1 工作日", "2025-09-28 18:00:00"),
    ("2025-09-27T10:00", "4 工作时", "2025-09-28 12:00:00"),
    ("2025-10-04T22:00", "2 紧急工作时", "2025-10-05 00:00:00"),
    # over the year's end: 1 to 3 January 2026 off, Sunday 4 January worked
    ("2025-12-30T10:00", "3 工作日", "2026-01-05 18:00:00"),
    ("2025-12-31T17:30", "1 工作时", "2026-01-04 08:30:00"),
    ("2025-12-31T17:30", "1 自然日", "2026-01-01 23:59:59"),
    # 春节 2026: 15 to 23 February off, Saturdays 14 and 28 February worked
    ("2026-02-13T10:00", "2 工作日", "2026-02-24 18:00:00"),
    ("2026-02-26T10:00", "3 工作日", "2026-03-02 18:00:00"),
]


@pytest.mark.parametrize(("start", "limit", "end"), GOLDEN)
def test_limits_over_long_holidays_and_year_ends(start: str, limit: str, end: str) -> None:
    """Trap 7: working days skip holidays and count weekend days that are worked; urgent hours run through them."""
    found = due(us(start), read_limit(limit), calendar())
    assert (shown(found.at_us), found.is_provisional) == (end, False)
    assert elapsed(us(start), found.at_us, read_limit(limit).clock, calendar()) == read_limit(limit).amount


@pytest.mark.parametrize(
    ("regions", "end"),
    [
        ((NATION,), "2026-04-21 18:00:00"),
        ((PROVINCE, NATION), "2026-04-23 18:00:00"),
        ((CITY, PROVINCE, NATION), "2026-04-22 18:00:00"),
    ],
)
def test_the_same_limit_ends_by_the_issuer_s_own_calendar(regions: tuple[str, ...], end: str) -> None:
    """A province's own holiday moves the limits of its offices, and of its city's but for the day the city works."""
    assert shown(due(us("2026-04-17T10:00"), read_limit("2 工作日"), calendar(regions)).at_us) == end


@pytest.mark.parametrize(
    ("start", "limit", "end", "provisional"),
    [
        ("2026-12-22T10:00", "2 工作日", "2026-12-24 18:00:00", False),
        ("2026-12-24T10:00", "1 工作日", "2026-12-25 18:00:00", True),
        ("2026-12-30T10:00", "3 工作日", "2027-01-05 18:00:00", True),
        ("2026-12-30T17:00", "10 工作时", "2027-01-04 09:00:00", True),
        ("2026-12-30T17:00", "72 紧急工作时", "2027-01-02 17:00:00", False),
        ("2026-12-30T17:00", "5 自然日", "2027-01-04 23:59:59", False),
        ("2027-04-30T10:00", "1 工作日", "2027-05-03 18:00:00", True),
    ],
)
def test_beyond_the_lists_a_limit_is_provisional(start: str, limit: str, end: str, provisional: bool) -> None:
    """The next year's list may move the last days of this one; clocks that ask no calendar are sure of theirs."""
    found = due(us(start), read_limit(limit), calendar())
    assert (shown(found.at_us), found.is_provisional) == (end, provisional)


def test_a_limit_in_calendar_days_may_end_with_the_next_working_day() -> None:
    """As the Civil Code counts, where the settings say so."""
    limit = read_limit("7 自然日")
    assert shown(due(us("2026-09-30T10:00"), limit, calendar(rolling=True)).at_us) == "2026-10-08 23:59:59"
    assert shown(due(us("2026-10-02T10:00"), limit, calendar(rolling=True)).at_us) == "2026-10-09 23:59:59"
    beyond = due(us("2026-12-31T10:00"), limit_of(1, Clock.DAY), calendar(rolling=True))
    assert (shown(beyond.at_us), beyond.is_provisional) == ("2027-01-04 23:59:59", True)


@pytest.mark.parametrize(
    ("limit", "since", "until", "end"),
    [
        # returned for words on Thursday, handed in again on Friday: both days do not count
        ("3 工作日", "2026-10-08T10:00", "2026-10-09T15:00", "2026-10-12 18:00:00"),
        ("3 工作日", "2026-10-08T10:00", "2026-10-08T10:05", "2026-10-10 18:00:00"),
        ("3 工作日", "2026-10-08T18:00", "2026-10-09T08:00", "2026-10-09 18:00:00"),
        ("3 工作日", "2026-10-01T08:00", "2026-10-07T18:00", "2026-10-09 18:00:00"),
        ("3 工作日", "2026-10-09T18:00", "2026-10-12T18:00", "2026-10-09 18:00:00"),
        ("6 工作时", "2026-09-30T11:00", "2026-10-08T09:00", "2026-10-08 10:00:00"),
        ("4 紧急工作时", "2026-09-29T17:00", "2026-09-29T18:30", "2026-09-29 21:30:00"),
        ("7 自然日", "2026-10-01T10:00", "2026-10-02T00:00", "2026-10-07 23:59:59"),
    ],
)
def test_time_in_which_the_clock_stands_still_does_not_count(limit: str, since: str, until: str, end: str) -> None:
    """Hours are added exactly. A working day into whose office hours such time falls does not count."""
    start = "2026-09-29T16:00"
    found = due(us(start), read_limit(limit), calendar(), [(us(since), us(until))])
    assert shown(found.at_us) == end


def test_what_is_given_twice_or_overlaps_counts_once() -> None:
    """Suspensions may overlap, touch or be empty."""
    start, limit = us("2026-09-29T16:00"), read_limit("4 工作时")
    one = [(us("2026-09-29T17:00"), us("2026-09-30T09:00"))]
    many = [(us("2026-09-29T18:00"), us("2026-09-30T09:00")), (us("2026-09-29T17:00"), us("2026-09-30T08:30")), *one]
    empty = (us("2026-09-30T09:30"), us("2026-09-30T09:30"))
    assert due(start, limit, calendar(), [*many, empty]) == due(start, limit, calendar(), one)


@pytest.mark.parametrize(
    ("start", "limit", "end"),
    [
        ("2026-09-29T16:00", "5 工作日", "2026-10-10 18:00:00"),
        ("2026-10-12T10:00", "1 工作日", "2026-10-13 16:24:00"),
        ("2026-10-12T08:00", "5 工作时", "2026-10-12 12:00:00"),
        ("2026-10-12T08:00", "10 紧急工作时", "2026-10-12 16:00:00"),
        ("2026-10-12T08:00", "5 自然日", "2026-10-16 23:59:59"),
    ],
)
def test_the_warning_comes_at_four_fifths(start: str, limit: str, end: str) -> None:
    """Of days, within office hours: nobody is warned at night of what is due in days."""
    assert shown(share_at(us(start), read_limit(limit), WARN_AT, calendar()).at_us) == end


def test_what_has_passed_is_told_to_the_fraction() -> None:
    """Of the current working day, the part of its office hours that is over."""
    start = us("2026-09-29T16:00")
    assert elapsed(start, us("2026-10-07T12:00"), Clock.WORK_DAY, calendar()) == 1
    assert elapsed(start, us("2026-10-08T14:00"), Clock.WORK_DAY, calendar()) == Fraction(3, 2)
    assert elapsed(start, us("2026-10-08T14:00"), Clock.WORK_HOUR, calendar()) == 14
    assert elapsed(start, us("2026-09-29T15:00"), Clock.URGENT_HOUR, calendar()) == 0


@pytest.mark.parametrize("text", ["3 work_day", "4 work_hour", "0:30 urgent_hour", "24 urgent_hour", "15 day"])
def test_a_limit_reads_back_as_it_is_written(text: str) -> None:
    assert str(read_limit(text)) == text


def test_a_limit_is_ten_years_at_the_most() -> None:
    for clock, most in ((Clock.DAY, 3_660), (Clock.URGENT_HOUR, 3_660 * 24)):
        assert limit_of(most, clock).amount == most
        with pytest.raises(ClockFault):
            limit_of(most + 1, clock)


def test_limits_are_written_in_chinese_too() -> None:
    assert read_limit("3工作日") == read_limit(" 3 work_day ") == limit_of(3, Clock.WORK_DAY)
    assert read_limit("0.5 紧急工作时") == read_limit("0:30 紧急工作时")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "工作日",
        "0 工作日",
        "-1 工作日",
        "1.5 工作日",
        "1:30 自然日",
        "3 周",
        "3661 自然日",
        "87841 工作时",
        "0.0001 工作时",
        "1:60 工作时",
        "３ 工作日",
        "1e3 工作时",
        "9999999 day",
        "1 2 day",
    ],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ClockFault):
        read_limit(text)


class Never:
    """Offices that never open."""

    zone = ZONE
    is_rolling = True

    def office_day(self, day: date) -> OfficeDay:
        return WorkCalendar(Offices(ZONE, HOURS), None, (), ()).office_day(day)._replace(works=False)


@pytest.mark.parametrize("clock", [Clock.WORK_HOUR, Clock.WORK_DAY, Clock.DAY])
def test_a_calendar_without_working_days_is_not_walked_for_ever(clock: Clock) -> None:
    with pytest.raises(ClockFault):
        due(us("2026-09-29T16:00"), limit_of(1, clock), Never())


def test_the_end_of_time_is_told() -> None:
    with pytest.raises(ClockFault):
        due(us("9999-12-30T16:00"), read_limit("9 工作日"), calendar())
    with pytest.raises(ClockFault):
        due(1 << 62, read_limit("9 工作日"), calendar())
    with pytest.raises(ClockFault):
        share_at(us("2026-09-29T16:00"), read_limit("9 工作日"), Fraction(0), calendar())


def test_hours_are_those_of_the_clock_on_the_wall_where_summer_time_exists() -> None:
    """Nothing here leans on Beijing's having none."""
    zone = ZoneInfo("Europe/Berlin")
    elsewhere = WorkCalendar(Offices(zone, HOURS), None, (), ())
    start = (datetime(2026, 10, 23, 17, tzinfo=zone) - EPOCH) // timedelta(microseconds=1)
    end = EPOCH + timedelta(microseconds=due(start, read_limit("2 工作时"), elsewhere).at_us)
    assert end == datetime(2026, 10, 26, 9, tzinfo=zone)
    days = EPOCH + timedelta(microseconds=due(start, read_limit("2 自然日"), elsewhere).at_us)
    assert days == datetime(2026, 10, 25, 23, 59, 59, tzinfo=zone)
