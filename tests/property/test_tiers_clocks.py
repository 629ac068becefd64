"""Limits: what holds for every clock, calendar, beginning and suspension."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tiers.calendar import Kind, Offices, Said, WorkCalendar, read_hours
from tiers.flows.clocks import HOUR_US, Clock, Limit, Span, due, elapsed, limit_of, read_limit, share_at
from tiers.periods import day_of, midnight_us, moment_us

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 9, 1)
BEGIN = midnight_us(FIRST, ZONE)
HOURS = [("08:00-12:00", "14:00-18:00"), ("09:00-17:00",), ("00:00-08:00", "08:00-09:15", "20:01-23:59")]
SPAN_US = 40 * 24 * HOUR_US

clocks = st.sampled_from(Clock)
moments = st.integers(BEGIN, BEGIN + SPAN_US)
spans = st.lists(st.tuples(moments, moments).map(lambda ends: (min(ends), max(ends))), max_size=4)
shares = st.fractions(Fraction(1, 100), Fraction(1))


@st.composite
def calendars(draw: st.DrawFn) -> WorkCalendar:
    """Any days are worked or not, some of them by a table."""
    hours = read_hours(draw(st.sampled_from(HOURS)))
    days = st.integers(0, 60).map(lambda count: FIRST + timedelta(days=count))
    kinds = draw(st.dictionaries(days, st.sampled_from(Kind), max_size=20))
    rows = [Said(day, "100000", kind) for day, kind in kinds.items()]
    return WorkCalendar(Offices(ZONE, hours), None, rows, ("100000",))


@st.composite
def limits(draw: st.DrawFn, clock: Clock | None = None) -> Limit:
    chosen = clock or draw(clocks)
    if chosen.counts_days:
        return limit_of(draw(st.integers(1, 15)), chosen)
    return limit_of(Fraction(draw(st.integers(1, 60 * 48)), 60), chosen)


@given(limits())
def test_a_limit_reads_back(limit: Limit) -> None:
    assert read_limit(str(limit)) == limit


@given(moments, limits(), calendars(), spans)
def test_exactly_the_limit_has_passed_when_it_is_over(
    start: int, limit: Limit, calendar: WorkCalendar, suspended: list[Span]
) -> None:
    """And a moment before it has not."""
    end = due(start, limit, calendar, suspended).at_us
    assert end > start
    assert elapsed(start, end, limit.clock, calendar, suspended) == limit.amount
    assert elapsed(start, end - 1, limit.clock, calendar, suspended) < limit.amount


@given(moments, limits(), calendars(), spans, shares)
def test_a_share_is_over_at_the_first_moment_that_has_it(
    start: int, limit: Limit, calendar: WorkCalendar, suspended: list[Span], share: Fraction
) -> None:
    at = share_at(start, limit, share, calendar, suspended).at_us
    wanted = limit.amount * share
    assert elapsed(start, at - 1, limit.clock, calendar, suspended) < wanted
    assert elapsed(start, at, limit.clock, calendar, suspended) >= wanted
    assert at <= due(start, limit, calendar, suspended).at_us


@given(moments, moments, clocks, calendars(), spans, st.data())
def test_who_begins_later_or_has_more_is_never_due_earlier(
    one: int, other: int, clock: Clock, calendar: WorkCalendar, suspended: list[Span], data: st.DataObject
) -> None:
    less, more = sorted(data.draw(st.tuples(limits(clock), limits(clock))))
    early, late = sorted((one, other))
    assert due(early, more, calendar, suspended).at_us <= due(late, more, calendar, suspended).at_us
    shorter, longer = (due(early, limit, calendar, suspended).at_us for limit in (less, more))
    assert shorter < longer or less == more


@given(moments, st.lists(moments, min_size=2, max_size=2).map(sorted), clocks, calendars(), spans)
def test_time_that_has_passed_never_goes_back(
    start: int, ends: list[int], clock: Clock, calendar: WorkCalendar, suspended: list[Span]
) -> None:
    first, second = (elapsed(start, end, clock, calendar, suspended) for end in ends)
    assert 0 <= first <= second


@given(moments, clocks, calendars(), spans, st.data())
def test_one_limit_after_another_is_their_sum(
    start: int, clock: Clock, calendar: WorkCalendar, suspended: list[Span], data: st.DataObject
) -> None:
    one, other = data.draw(st.tuples(limits(clock), limits(clock)))
    between = due(start, one, calendar, suspended).at_us
    whole = limit_of(one.amount + other.amount, clock)
    assert due(between, other, calendar, suspended).at_us == due(start, whole, calendar, suspended).at_us


@given(moments, limits(), calendars(), spans)
def test_a_suspension_adds_exactly_what_it_took(
    start: int, limit: Limit, calendar: WorkCalendar, suspended: list[Span]
) -> None:
    """Of hours, those in it that would have counted; of days, each of whose counted time a part lies in it."""
    end = due(start, limit, calendar, suspended).at_us
    took = elapsed(start, end, limit.clock, calendar) - limit.amount
    if limit.clock.counts_days:
        assert took == _days_touched(start, end, limit.clock, calendar, suspended)
    else:
        assert took == _hours_inside(start, end, limit.clock, calendar, suspended)


def _hours_inside(start: int, end: int, clock: Clock, calendar: WorkCalendar, suspended: Sequence[Span]) -> Fraction:
    """Between each two neighbouring ends of spans time is suspended as a whole or not at all."""
    marks = sorted({start, end, *(min(max(at, start), end) for span in suspended for at in span)})
    return sum(
        (
            elapsed(start, until, clock, calendar) - elapsed(start, since, clock, calendar)
            for since, until in pairwise(marks)
            if any(first <= since and until <= last for first, last in suspended)
        ),
        Fraction(0),
    )


def _days_touched(start: int, end: int, clock: Clock, calendar: WorkCalendar, suspended: Sequence[Span]) -> int:
    day, count = day_of(start, ZONE) + timedelta(days=1), 0
    while midnight_us(day, ZONE) <= end:
        if clock is Clock.DAY:
            windows = [(midnight_us(day, ZONE), midnight_us(day + timedelta(days=1), ZONE) - 1_000_000)]
        else:
            hours = calendar.hours(day) if calendar.office_day(day).works else ()
            windows = [(moment_us(day, since, ZONE), moment_us(day, until, ZONE)) for since, until in hours]
        overlaps = [max(a, c) < min(b, d) for a, b in windows for c, d in suspended]
        count += any(overlaps)
        day += timedelta(days=1)
    return count


@given(moments, limits(Clock.URGENT_HOUR), calendars(), calendars())
def test_urgent_hours_ask_no_calendar(start: int, limit: Limit, one: WorkCalendar, other: WorkCalendar) -> None:
    """Trap 7: they run through any holiday."""
    assert due(start, limit, one) == due(start, limit, other) == (start + limit.amount * HOUR_US, False)


@given(moments, limits(Clock.WORK_DAY), calendars())
def test_working_days_end_when_an_office_closes(start: int, limit: Limit, calendar: WorkCalendar) -> None:
    end = due(start, limit, calendar).at_us
    day = day_of(end, ZONE)
    assert calendar.office_day(day).works
    assert end == moment_us(day, calendar.hours(day)[-1][1], ZONE)


@given(moments, limits(), calendars(), spans)
def test_a_limit_is_provisional_if_a_day_in_it_is(
    start: int, limit: Limit, calendar: WorkCalendar, suspended: list[Span]
) -> None:
    """Here only days of the table are certain."""
    found = due(start, limit, calendar, suspended)
    first, last = day_of(start, ZONE), day_of(found.at_us, ZONE)
    first += timedelta(days=1 if limit.clock.counts_days else 0)
    asked = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    assert found.is_provisional == (
        limit.clock.asks_calendar and any(calendar.told(day).is_provisional for day in asked)
    )
